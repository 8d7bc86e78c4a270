# SPDX-License-Identifier: BSD-3-Clause
# To be sourced by benches that judge whole runs: was the machine quiet? Needs $build and $W.

# probe_cpu CPU: the ninth decile of its probes (bench/noise.h); the least one joins $W/floors, with
# which all are compared in the end.
probe_cpu() {
	"$build/bench/micro/visp-microbench" noise --cpu "$1" >"$W/probe.json" || return
	jq .floor "$W/probe.json" >>"$W/floors"
	jq .p90 "$W/probe.json"
}
