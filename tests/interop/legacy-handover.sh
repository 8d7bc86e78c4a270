#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# P_DATA_V1, where no peer-id helps: our client moves between hotspots, and one reconfiguration Ping
# with the session id at its end brings the session along, in every family of ciphers. One answer
# a move, no handshake.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
WRAP=none
moves=2
[ "$full" = 0 ] || moves=8

net_begin
pki_begin

try() { # CIPHER AUTH
	local i n
	CIPHER=$1
	rm -f "$W"/*.log
	hotspot_join a
	server_config "auth $2"
	client_config laptop "data-ciphers $1" "auth $2" 'data-format v1' 'verb 4'
	server_start
	client_start laptop
	on laptop ping -c 3 -i 0.05 -q "$server_inner" >"$W/ping.log" || fail "$1: no ping"
	for ((i = 1; i <= moves; i++)); do
		hotspot_join "$(other_hotspot)"
		await_log laptop 10 "moves=$i " || fail "$1: no end of move $i"
		on laptop ping -c 3 -i 0.05 -W 2 -q "$server_inner" >"$W/ping.log" ||
			fail "$1: no ping after move $i"
	done
	n=$(status_json | jq '[.sessions[].handovers] | add')
	[ "$n" = "$moves" ] || fail "$1: the server saw $n moves, not $moves"
	n=$(log_count laptop 'Initialization Sequence Completed')
	[ "$n" = 1 ] || fail "$1: $n handshakes"
	say "$1 $2: $moves moves, no handshake: $(grep -o 'moved in [0-9]* us after [0-9]* probes' "$W/laptop.log" | tail -1)"
	stop laptop || fail "$1: the client ended with status $?"
	server_stop
}

try AES-256-GCM SHA256
try AES-256-CBC SHA256
try AES-128-CFB SHA1
try AES-256-OFB SHA512
