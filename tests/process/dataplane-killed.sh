#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-dataplane is killed at random instants while stock clients have traffic both ways. Each time
# the next one takes over the sessions with the help of the control that still runs; no client
# notices more than lost packets, and control's record of them stays the same.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --client openvpn "$@"
clients=4
kills=5
[ "$full" = 0 ] || kills=50
RANDOM=11 # the same instants each time

net_begin
pki_begin
hotspot_join a
server_config 'max-clients 100'
server_start
probe_serve
for ((i = 1; i <= clients; i++)); do
	pki_cert "c$i" clientAuth
	client_config "c$i" "dev tun$i"
	client_start "c$i"
	PROBE=probe$i probe_begin --device "tun$i" --rate 50
done

sessions() {
	status_json | jq -r '.sessions[] | "\(.name) \(.address) \(.tunnel)"' | sort
}
sessions >"$W/before"
[ "$(wc -l <"$W/before")" = $clients ] || fail "not $clients sessions"

for ((killed = 1; killed <= kills; killed++)); do
	patiently sleep "$((RANDOM % 2)).$((RANDOM % 1000))"
	stop dataplane 5 KILL
	dataplane_start
	patiently sleep 3
	sessions >"$W/after"
	cmp -s "$W/before" "$W/after" ||
		fail "kill $killed: sessions changed: $(diff "$W/before" "$W/after" | head -n 5)"
	for ((i = 1; i <= clients; i++)); do
		read -r up down < <(PROBE=probe$i probe_ages)
		at_most "$up" 1000 || fail "kill $killed: c$i's uplink is dead for $up ms"
		at_most "$down" 1000 || fail "kill $killed: c$i's downlink is dead for $down ms"
	done
	say "kill $killed: $clients sessions, all alive"
done
[ "$(log_count dataplane 'took over')" = $kills ] || fail "a table was not taken over"
for ((i = 1; i <= clients; i++)); do
	[ "$(log_count "c$i" 'Initialization Sequence Completed')" = 1 ] || fail "c$i connected anew"
	PROBE=probe$i probe_say end
done
