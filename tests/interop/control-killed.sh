#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-control is killed at random instants while twenty stock clients renegotiate every 10 s from
# both sides and traffic flows. Each time a new one adopts the sessions and shows them, none is
# lost, no client comes back from a new port, and both directions are alive 5 s later.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --client openvpn "$@"
clients=20
kills=5
[ "$full" = 0 ] || kills=50
RANDOM=7 # the same instants each time

net_begin
pki_begin
hotspot_join a
server_config 'reneg-sec 10' 'max-clients 100'
server_start
probe_serve
for ((i = 1; i <= clients; i++)); do
	pki_cert "c$i" clientAuth
	client_config "c$i" "dev tun$i" 'reneg-sec 10'
	client_start "c$i"
	PROBE=probe$i probe_begin --device "tun$i" --rate 20
done

# What the server shows of each session: who, where, with which address in the tunnel.
sessions() {
	status_json | jq -r '.sessions[] | "\(.name) \(.state) \(.address) \(.tunnel)"' | sort
}
sessions >"$W/before"
[ "$(grep -c ' connected ' "$W/before")" = $clients ] || fail "not $clients sessions"

all_adopted() { [ "$(status_json | jq '.totals.counters.adopted')" = $clients ]; }

killed=0
while [ $killed -lt $kills ]; do
	patiently sleep "$((RANDOM % 6)).$((RANDOM % 1000))"
	instant=${EPOCHREALTIME/./}
	stop control 5 KILL
	killed=$((killed + 1))
	control_start
	await 5 "$clients sessions to be adopted" all_adopted
	rest=$((instant + 5000000 - ${EPOCHREALTIME/./}))
	[ $rest -le 0 ] || patiently sleep "$((rest / 1000000)).$(printf %06d $((rest % 1000000)))"
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
# Renegotiations go on after the last kill, too.
before=$(grep -hc 'VERIFY OK: depth=0' "$W"/c*.log | awk '{ n += $1 } END { print n }')
patiently sleep 12
after=$(grep -hc 'VERIFY OK: depth=0' "$W"/c*.log | awk '{ n += $1 } END { print n }')
[ "$after" -ge $((before + clients)) ] || fail "only $((after - before)) renegotiations since"
for ((i = 1; i <= clients; i++)); do
	# A renegotiation that a kill cut short may end in a reset in place, from the same port.
	[ "$(log_count "c$i" 'process restarting')" = 0 ] || fail "c$i connected anew"
	PROBE=probe$i probe_say end
done
