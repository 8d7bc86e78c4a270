#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A tunnel survives moves between IPv4 behind NAT and IPv6 and back: the server's name has an address
# in each family, and whichever a hotspot offers is used, without a handshake. Everything goes through
# the tunnel meanwhile, IPv6 as well; nothing leaves the laptop outside it.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
moves=6
internet6=2001:db8:a::1 # a host behind the VISP, as the laptop sees it

net_begin
ipv6_begin
pki_begin
hosts laptop "$server_outer vpn.example" "$server_outer6 vpn.example"
hotspot_join a
lines=('server-ipv6 fd00:8::/64' 'push "redirect-gateway def1 ipv6"')
if [ "$SERVER" = openvpn ]; then
	lines+=('proto udp6')
else
	lines+=("local $server_outer6")
fi
server_config "${lines[@]}"
client_config laptop
sed -i 's/^remote .*/remote vpn.example 1194/' "$W/laptop.ovpn"
server_start
ip -n "$(ns world)" -6 route add fd00:8::/64 via "$server_outer6"
client_start laptop
probe_serve
start leak laptop tcpdump -i wlan0 -n -l "ip6 and not (udp and host $server_outer6) and not icmp6 and
	not ip6[6] == 0"
await_log leak 5 listening || fail "no tcpdump"
probe_begin --tcp --tcp-rate 10

moved() { [ "$(log_count laptop '(moved in|switch)')" -ge "$1" ]; }
say_status() {
	kill -USR2 "${pid[laptop]}"
	await 5 "the client's status" grep -q 'status: moves' "$W/laptop.log"
	grep 'status: moves' "$W/laptop.log" | tail -n 1
}

for ((i = 1; i <= moves; i++)); do
	if ((i % 2)); then
		hotspot6_join b
		want="[${lan_address6[b]}]"
	else
		hotspot_join a
		want=203.0.113.
	fi
	await 10 "move $i to be proven" moved "$i"
	all_answered after laptop 5 "$server_inner6" -i 0.05 ||
		fail "no IPv6 inside after move $i"
	all_answered after laptop 5 "$internet6" -i 0.05 ||
		fail "no way through the tunnel after move $i"
	all_answered after laptop 5 "$server_inner" -i 0.05 ||
		fail "no IPv4 inside after move $i"
	[ "$SERVER" = openvpn ] || status_json | jq -e --arg a "$want" --argjson n "$i" \
		'.sessions[0] | (.address | startswith($a)) and .handovers == $n' >/dev/null ||
		fail "after move $i vispctl shows $(status_json | jq -c '.sessions[0] | [.address, .handovers]')"
done
probe_end
jq -e '.tcp.intact' "$W/probe.json" >/dev/null || fail "TCP broke"
status=$(say_status)
say "$status"
[[ $status == *" moves=$moves "* ]] || fail "not $moves moves"
[[ $status == *" handshakes=1 "* ]] || fail "a handshake took place"
probes=${status#* probes=} answers=${status#* answers=}
answers=${answers%% *}
if [ "$answers" -lt $moves ] || [ "$answers" -gt "${probes%% *}" ]; then
	fail "$answers answers to ${probes%% *} probes"
fi
stop leak
grep -E '^[0-9:.]+ IP' "$W/leak.log" && fail "packets left outside the tunnel"

# Without a path nothing gets out either: "no route", not the hotspot.
ip -n "$(ns laptop)" link set wlan0 down
on laptop ip -6 route get "$internet6" | grep -q 'dev tun' || fail "the guard is open without a path"
stop laptop || fail "the client ended with status $?"
[ "$(on laptop ip -6 rule | wc -l)" = 2 ] || fail "rules stayed behind"
server_stop
