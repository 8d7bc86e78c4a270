#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# scripts/demo keeps its word: figures in the promised form, with our client and with the stock one,
# and nothing is left of it, also after Ctrl-C.
. "$(dirname "$0")/../../scripts/netns.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
export VISP_BUILD=$build
W=$(mktemp -d "/tmp/visp-$$.XXXXXX") || exit 1
trap 'rm -rf "$W"' EXIT
trap 'exit 130' INT TERM

# demo SECONDS SIGNAL ARGUMENT...: its exit status; the signal comes after so many seconds.
demo() {
	# shellcheck disable=SC2016 # the inner shell expands it
	timeout -k 20 -s "$2" "$1" bash -c 'echo $$ >"$0"; exec "$@"' "$W/pid" \
		"$top/scripts/demo" "${@:3}" >"$W/demo.log" 2>&1
}

nothing_left() {
	local id
	id=$(cat "$W/pid")
	! compgen -G "/run/netns/visp-$id-*" >/dev/null || fail "$1: namespaces are left"
	! compgen -G "/tmp/visp-$id.*" >/dev/null || fail "$1: files are left"
	! pgrep -af "/tmp/visp-${id}[.]" >"$W/left.log" || fail "$1: processes are left"
}

# shape FILE MOVES: exactly what issue and usage promise.
shape() {
	jq -e --argjson moves "$2" '
		(keys == ["handovers", "handshakes", "tcp"]) and
		(.tcp | keys == ["down_bytes", "stalled_ms", "up_bytes"]) and
		(.tcp | .up_bytes > 0 and .down_bytes > 0) and
		(.handshakes | type == "number") and
		(.handovers | length == $moves) and
		(.handovers | all(
			(keys == ["answers", "from", "lost_down", "lost_up", "outage_ms", "to"]) and
			(.outage_ms | type == "number") and (.from != .to)))' "$1" >/dev/null ||
		fail "figures in another form: $(cat "$1")"
}

demo 100 TERM --handovers 2 --json "$W/ours.json" || fail "demo: status $?"
shape "$W/ours.json" 2
nothing_left demo
jq -e '.handshakes == 0' "$W/ours.json" >/dev/null || fail "a handshake took place"
grep -q 'TCP went on:.*every byte intact' "$W/demo.log" || fail "no word of TCP"
demo 100 TERM --stock --handovers 1 --json "$W/stock.json" || fail "demo --stock: status $?"
shape "$W/stock.json" 1
nothing_left 'demo --stock'
status=0
demo 6 INT --handovers 100 || status=$?
[ $status = 124 ] || fail "interrupted: ended by itself with status $status" # timeout's, after its signal
nothing_left 'interrupted demo'
