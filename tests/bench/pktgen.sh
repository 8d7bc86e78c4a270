#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The generator against a dataplane in its own process: nothing is lost, all that moves is answered,
# and hostile packets change nothing.
# usage: pktgen.sh VISP-PKTGEN
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$1" --in-process --seconds 0.3 --sessions 200 --direction both --size imix --handovers 200 \
	--hostile 0.5 --flows 3 --zipf --json "$out/r.json"
jq -e '.loss == 0 and .bad == 0 and .up.received > 0 and .down.received > 0 and
	.up.reordered == 0 and .down.reordered == 0 and .hostile > 0 and .handovers > 0 and
	.answered == .handovers' "$out/r.json" >/dev/null
"$1" --write-pcap "$out/c.pcap" --frames 100 --size 64
[ "$(stat -c %s "$out/c.pcap")" = $((24 + 100 * (16 + 130))) ]
! "$1" --in-process --size 5 2>/dev/null
