#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The epoch data format between our two ends: pings, a transfer, new keys, and moves with one
# reconfiguration Ping each, without a handshake. A client that doesn't ask for the format gets v2
# from the same server.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
WRAP=tls-crypt
moves=2
bytes=20000000
[ "$full" = 0 ] || { moves=8 bytes=200000000; }

net_begin
pki_begin

answered() { # WHAT
	all_answered ping laptop 20 "$server_inner" -i 0.02 ||
		fail "$CIPHER $1: $(grep received "$W/ping.log")"
}

format_is() {
	[ "$(log_count laptop "cipher=$CIPHER $1 ")" = 1 ] || fail "$CIPHER: the format isn't $1"
}

try() { # CIPHER
	local i n
	CIPHER=$1
	rm -f "$W"/*.log
	hotspot_join a
	server_config
	server_start
	client_config laptop
	client_start laptop
	format_is v2
	answered 'v2'
	stop laptop || fail "$1: the client ended with status $?"

	rm -f "$W/laptop.log"
	client_config laptop 'data-format epoch' 'reneg-sec 6' 'verb 4'
	client_start laptop
	format_is epoch
	answered 'at first'
	probe_serve
	on laptop "$build/bench/probe/visp-probe" transfer --server "$server_inner:$probe_port" \
		--up "$bytes" --down "$bytes" || fail "$1: transfer"
	stop probe-server
	await_log laptop 20 'new keys key_id=1' || fail "$1: no new keys"
	answered 'with new keys on their way'
	for ((i = 1; i <= moves; i++)); do
		hotspot_join "$(other_hotspot)"
		await_log laptop 10 "moves=$i " || fail "$1: no end of move $i"
		answered "after move $i"
	done
	# The client uses its new key 3 s after the negotiation began: the next one's is seen in use.
	await_log laptop 20 'new keys key_id=2' || fail "$1: no new keys after the moves"
	answered 'with new keys'
	n=$(status_json | jq '[.sessions[].handovers] | add')
	[ "$n" = "$moves" ] || fail "$1: the server saw $n moves, not $moves"
	n=$(log_count laptop 'Initialization Sequence Completed')
	[ "$n" = 1 ] || fail "$1: $n handshakes"
	say "$1: $moves moves, no handshake: $(grep -o 'moved in [0-9]* us after [0-9]* probes' "$W/laptop.log" | tail -1)"
	stop laptop || fail "$1: the client ended with status $?"
	server_stop
}

try AES-256-GCM
try CHACHA20-POLY1305
