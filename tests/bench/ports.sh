#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The generator against visp-dataplane through ports of shared memory: packets and handovers pass both
# ways, each packet is the right one, hostile ones are dropped for what they are, and the dataplane's
# telemetry says what they cost it.
# usage: ports.sh memif|vhost|virtio_user   (of the dataplane)
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${VISP_BUILD:-$top/build}
[ "$(id -u)" = 0 ] || exit 77 # the dataplane makes interfaces
if [ "${VISP_PORTS_INSIDE-}" != 1 ]; then
	VISP_PORTS_INSIDE=1 exec unshare -n "$0" "$@"
fi
W=$(mktemp -d /tmp/visp-pgports.XXXXXX) || exit 1
dataplane=
generator=
finish() {
	local p
	trap - EXIT
	for p in $generator $dataplane; do kill -KILL "$p" 2>/dev/null; done
	rm -rf "$W"
}
trap finish EXIT
trap 'exit 130' INT TERM
fail() {
	echo "FAILED: $*" >&2
	tail -n 20 "$W"/*.log >&2
	exit 1
}
await() { # PROCESS LOG REGEX
	local i
	for ((i = 0; i < 600; i++)); do
		grep -q "$3" "$2" 2>/dev/null && return
		kill -0 "$1" 2>/dev/null || break
		sleep 0.05
	done
	fail "no \"$3\" in ${2##*/}"
}

for i in 0 1; do
	case ${1-} in
	memif)
		ours[i]=net_memif$i,role=server,id=$i,socket=$W/p$i.sock,socket-abstract=no
		theirs[i]=net_memif$i,role=client,id=$i,socket=$W/p$i.sock,socket-abstract=no
		;;
	vhost)
		ours[i]=net_vhost$i,iface=$W/p$i.sock
		theirs[i]=net_virtio_user$i,path=$W/p$i.sock,queue_size=1024
		;;
	virtio_user)
		ours[i]=net_virtio_user$i,path=$W/p$i.sock,queue_size=1024
		theirs[i]=net_vhost$i,iface=$W/p$i.sock
		;;
	*) exit 2 ;;
	esac
done
cat >"$W/dataplane.conf" <<-TXT
	socket $W/dataplane.sock
	outer ${ours[0]}
	inner ${ours[1]}
	workers 1
	sessions 1024
	idle adaptive
	verb 3
TXT
run_dataplane() {
	"$build/dataplane/visp-dataplane" --config "$W/dataplane.conf" >"$W/dataplane.log" 2>&1 &
	dataplane=$!
}
run_generator() {
	"$build/bench/pktgen/visp-pktgen" --socket "$W/dataplane.sock" --outer "${theirs[0]}" \
		--inner "${theirs[1]}" --sessions 300 --direction both --size imix --rate 20000 \
		--seconds 0.5 --handovers 100 --hostile 0.4 --json "$W/r.json" >"$W/generator.log" 2>&1 &
	generator=$!
}
# Whoever serves the sockets comes first.
if [ "$1" = virtio_user ]; then
	run_generator
	await "$generator" "$W/generator.log" 'ports are open'
	run_dataplane
else
	run_dataplane
	await "$dataplane" "$W/dataplane.log" 'ready:'
	run_generator
fi
wait "$generator" || fail 'the generator ends with an error'
generator=
kill "$dataplane"
wait "$dataplane" || fail 'the dataplane ends with an error'
dataplane=
# A machine that pauses for longer than a ring lasts loses packets; nothing else may.
jq -e '.bad == 0 and .up.received > 0 and .down.received > 0 and .up.reordered == 0 and
	.down.reordered == 0 and .up.received + .down.received > 0.9 * (.up.sent + .down.sent) and
	.handovers > 0 and .answered > 0.9 * .handovers and .noise.n > 0 and
	(.workers | length) == 1 and .workers[0].packets >= .up.received + .down.received and
	.cycles_per_packet > 100' "$W/r.json" >/dev/null || fail "$(cat "$W/r.json")"
# All of them reach the checks that they are meant for.
jq -e '.hostile as $sent | .drops | .not_our_mac == null and .replay > 0 and
	([to_entries[] | select(.key != "tx_full") | .value] | add) > 0.9 * $sent and
	.bad_tag_moved + .budget_prefix + .budget_worker > 0' "$W/r.json" >/dev/null ||
	fail "$(jq -c '.drops, .hostile' "$W/r.json")"
