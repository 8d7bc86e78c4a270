#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The default route flaps between two links that both live, and the way back is blocked for longer
# than a client keeps its old sockets. It goes on trying with what it has, and closes what it
# doesn't use.
# shellcheck disable=SC2154 # netns.sh sets them
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
export ASAN_OPTIONS=detect_leaks=0 # a confined process can't look for leaks
kept_s=10 # client/mobility.c, VC_OLD_SOCKET_MS

net_begin
wire world radio2 laptop wlan1 || fail "no second link"
ip -n "$(ns world)" link set radio2 master brb
pki_begin
hotspot_join a
ip -n "$(ns laptop)" -batch - <<-TXT # each link has a way to the server; which is the first varies
	addr add ${lan_address[b]}/24 dev wlan1
	route add default via ${lan_gateway[a]} metric 101
	route add default via ${lan_gateway[b]} metric 102
TXT
server_config
client_config laptop
server_start
start laptop laptop "$build/client/visp-client" --config "$W/laptop.ovpn" --events "$W/events"
client_up laptop 20 || fail "no tunnel"
way() { ip -n "$(ns laptop)" route replace default via "${lan_gateway[$1]}"; }
moved() { [ "$(log_count laptop 'moved in [0-9]+ us')" = "$1" ]; }
lost() { [ "$(log_count laptop 'no path to the server')" = "$1" ]; }
sockets() { on laptop ss -Hunp | grep -c "pid=${pid[laptop]},"; }
only_one() { [ "$(sockets)" = 1 ]; }

way b
await 5 "the first move" moved 1
on hsa nft -f - <<-'TXT'
	table ip block {
		chain forward {
			type filter hook forward priority 0
			udp dport 1194 drop
		}
	}
TXT
way a
patiently sleep $((kept_s + 2))
grep -q '"path_change".*"old_alive": true' "$W/events" || fail "the other link isn't seen to live"
running laptop || fail "the client has ended"
moved 1 || fail "it moved to a blocked link"
# Then there is no way at all: what was tried has to go too.
for metric in 102 101 0; do
	ip -n "$(ns laptop)" route del default metric $metric
done
await 5 "the loss to be seen" lost 1
way b
await 5 "the second move" moved 2
# The same way goes and comes back as it was.
ip -n "$(ns laptop)" route del default
await 5 "the second loss to be seen" lost 2
way b
await 5 "the third move" moved 3
await $((kept_s + 3)) "old sockets to be closed" only_one
on laptop ping -c 3 -i 0.1 -W 2 -q "$server_inner" >/dev/null || fail "no answer in the end"
stop laptop || fail "the client ended with status $?"
server_stop
