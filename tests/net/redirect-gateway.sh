#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A client that sends everything through the tunnel (redirect-gateway def1) moves between hotspots
# that give it the same private address and gateway. The tunnel goes on, and nothing leaves the
# laptop outside it, not even while the client connects anew and gets another address.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
moves=10
internet=203.0.113.1 # a host behind the VISP, as the laptop sees it

# shellcheck disable=SC2034 # net_begin reads it
same_hotspots=1
net_begin
pki_begin
hotspot_join a
mkdir "$W/ccd"
server_config 'push "redirect-gateway def1"' "client-config-dir $W/ccd"
client_config laptop
server_start
# The VISP is the way into the Internet for its clients.
on server nft -f - <<-'TXT'
	table ip nat {
		chain post {
			type nat hook postrouting priority 100
			oifname "out0" masquerade
		}
	}
TXT
client_start laptop
probe_serve
# The kernel itself says IGMP when a link comes up; that is nobody's traffic.
start leak laptop tcpdump -i wlan0 -n -l "not arp and not igmp and not (udp and host $server_outer)"
await_log leak 5 listening || fail "no tcpdump"
probe_begin --tcp --tcp-rate 10 --watch wlan0 --outer "$server_outer:1194"
start ping laptop ping -i 0.02 -q "$internet"
probe_say at a
for ((i = 0; i < moves; i++)); do
	hotspot_roam "$(other_hotspot)"
	all_answered after laptop 3 "$internet" -i 0.01 ||
		fail "no Internet after move $((i + 1))"
done
patiently sleep 1.5
probe_end
stop ping 5 INT
jq -e '.handshakes == 0' "$W/probe.json" >/dev/null || fail "a handshake took place"
# Every reconnection changes address and routes. Thousands of packets a second show any moment in
# between that lets them out.
# shellcheck disable=SC2016 # that shell expands it
start crowd laptop bash -c 'while :; do : >"/dev/udp/$1/9" && echo >"/dev/udp/$1/9"; done 2>/dev/null' \
	crowd "$internet"
for ((i = 1; i <= 4; i++)); do
	echo "ifconfig-push 10.8.0.$((70 + i)) 255.255.255.0" >"$W/ccd/laptop"
	# shellcheck disable=SC2154 # netns.sh has it
	kill -USR1 "${pid[laptop]}"
	for ((k = 0; k < 100; k++)); do
		on laptop ip -4 addr | grep -q "10\.8\.0\.$((70 + i))/" && break
		patiently sleep 0.1
	done
	all_answered again laptop 3 "$internet" -i 0.01 || fail "no Internet with address $i"
	[ "$(on laptop ip -4 addr | grep -c 'inet 10\.8\.0\.')" = 1 ] || fail "an old address stayed"
done
stop crowd
stop leak
outages() { jq -r '.handovers[].outage_ms // "none"' "$W/probe.json"; }
say "outage: median $(outages | percentile 50) ms, longest $(outages | percentile 100) ms"
! outages | grep -q none || fail "a handover did not come to an end"
at_most "$(outages | percentile 50)" 50 || fail "median over 50 ms"
jq -e '.tcp.intact' "$W/probe.json" >/dev/null || fail "TCP broke"
grep -E '^[0-9:.]+ IP' "$W/leak.log" && fail "packets left outside the tunnel"
stop laptop || fail "the client ended with status $?"
[ "$(on laptop ip rule | wc -l)" = 3 ] || fail "rules stayed behind"
[ "$(on laptop ip route | wc -l)" = 2 ] || fail "routes stayed behind: $(on laptop ip route)"
on laptop ping -c 1 -W 2 -q "$internet" >/dev/null || fail "no network without the tunnel"
