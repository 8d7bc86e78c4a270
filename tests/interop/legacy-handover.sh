#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# P_DATA_V1, where no peer-id helps: our client moves between hotspots, and one reconfiguration Ping
# with the session id at its end brings the session along, in every family of ciphers. One answer
# to each such Ping, no handshake, no new keys.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
WRAP=none
moves=2
[ "$full" = 0 ] || moves=10
all_moves=0
good_moves=0

net_begin
pki_begin

# Reconfiguration Pings and answers of each move, "N M" a line.
asked() {
	jq -rs 'reduce .[] as $e ([];
		if $e.event == "path_change" then . + [{probes: 0, answers: 0}]
		elif length > 0 and $e.event == "probe" then .[-1].probes += 1
		elif length > 0 and $e.event == "answer" then .[-1].answers += 1
		else . end) | .[] | select(.probes > 0) | "\(.probes) \(.answers)"' "$W/laptop.events"
}

status() {
	# shellcheck disable=SC2154 # netns.sh keeps the ids
	kill -USR2 "${pid[laptop]}"
	await_log laptop 5 'status: moves' || fail "$CIPHER: no status"
	grep 'status: moves' "$W/laptop.log" | tail -n 1
}

answered() {
	all_answered ping laptop 3 "$server_inner" -i 0.05 ||
		fail "$CIPHER: no ping $1: $(grep received "$W/ping.log")"
}

try() { # CIPHER AUTH
	local i n probes answers
	CIPHER=$1
	rm -f "$W"/*.log "$W/laptop.events"
	hotspot_join a
	server_config "auth $2" 'keepalive 60 300' # no Pings in between that would look like answers
	client_config laptop "data-ciphers $1" "auth $2" 'data-format v1' 'verb 4'
	server_start
	start laptop laptop "$(client_program)" --config "$W/laptop.ovpn" --events "$W/laptop.events"
	client_up laptop 20 || fail "$1: the client does not connect"
	answered 'at first'
	for ((i = 1; i <= moves; i++)); do
		hotspot_join "$(other_hotspot)"
		await_log laptop 10 "moves=$i " || fail "$1: no end of move $i"
		answered "after move $i"
	done
	n=$(status_json | jq '[.sessions[].handovers] | add')
	[ "$n" = "$moves" ] || fail "$1: the server saw $n moves, not $moves"
	[[ $(status) == *" moves=$moves "*" handshakes=1 rekeys=0 "* ]] || fail "$1: $(status)"
	[ "$(asked | wc -l)" = "$moves" ] || fail "$1: not $moves times asked"
	while read -r probes answers; do
		# On a busy machine the client asks again before the answer comes, and gets another one.
		if [ "$answers" -lt 1 ] || [ "$answers" -gt "$probes" ]; then
			fail "$1: $answers answers to $probes Pings"
		fi
		all_moves=$((all_moves + 1))
		[ "$answers" != "$probes" ] || good_moves=$((good_moves + 1))
	done < <(asked)
	say "$1 $2: $moves moves, no handshake: $(grep -o 'moved in [0-9]* us after [0-9]* probes' "$W/laptop.log" | tail -1)"
	stop laptop || fail "$1: the client ended with status $?"
	server_stop
}

try AES-256-GCM SHA256
try AES-256-CBC SHA256
try AES-128-CFB SHA1
try AES-256-OFB SHA512
try BF-CBC SHA1
try CAMELLIA-128-CBC SHA256
try none SHA256
at_most $((all_moves * 9)) $((good_moves * 10)) ||
	fail "one answer to each Ping in only $good_moves of $all_moves moves"
