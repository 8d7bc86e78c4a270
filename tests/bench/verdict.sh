#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The table behind `scripts/bench all`: bounds, ratios, sums of bounds, and what wasn't measured.
set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
f=$(mktemp) || exit 1
trap 'rm -f "$f"' EXIT
expect() { # VERDICT ID FIGURE...
	local verdict=$1 id=$2 line
	shift 2
	printf '%s\n' "$@" | jq -s '{bench: "all", figures: map({unit: "", reference: null, ratio: null,
		n: 3, min: .value, max: .value} + .),
		more: {"tunnel.ratio": {quiet: 0}, "handover.cost_us": {quiet: 1}}}' >"$f"
	line=$("$top/scripts/bench-verdict" "$f" | grep -F "$id ")
	[ "$(grep -oE '(met|missed|not measured)(, in noise alone)?$' <<<"$line")" = "$verdict" ] || {
		echo "FAILED: $id is not \"$verdict\" in: $line" >&2
		exit 1
	}
}
expect met handover.cost_us '{"id": "handover.cost_us", "value": 5}'
expect missed handover.cost_us '{"id": "handover.cost_us", "value": 5.01}'
expect met handover.storm.lost '{"id": "handover.storm.lost", "value": 0}'
expect missed handover.storm.lost '{"id": "handover.storm.lost", "value": 1}'
expect 'missed, in noise alone' tunnel.ratio '{"id": "tunnel.ratio", "value": 1.29}'
expect 'not measured' tunnel.ratio '{"id": "tunnel.other", "value": 2}'
expect met handshake.per_core '{"id": "handshake.per_core", "value": 700, "ratio": 3}'
expect missed handshake.per_core '{"id": "handshake.per_core", "value": 900, "ratio": 2.9}'
expect met table2.distant_ms '{"id": "table2.distant_ms", "value": 36}' \
	'{"id": "table2.distant.rtt_ms", "value": 34.1}'
expect missed table2.distant_ms '{"id": "table2.distant_ms", "value": 36.2}' \
	'{"id": "table2.distant.rtt_ms", "value": 34.1}'
expect 'not measured' table2.distant_ms '{"id": "table2.distant_ms", "value": 36}'
expect met sessions.bytes '{"id": "sessions.bytes", "value": 7.9, "unit": "KiB"}'
expect missed sessions.bytes '{"id": "sessions.bytes", "value": 8193, "unit": "bytes"}'
