#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One side is ours, the other is stock, both with a default profile: connect, move, take leave. No
# line of either log looks like a fault to the people who read it.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

# What a stock peer says of itself whoever the other side is: nobody need be asked about it.
own_remarks='WARNING: you are using user/group/chroot/setcon without persist-tun|'
own_remarks+='net_route_v4_best_gw query|UDPv4 link local: \(not bound\)|'
own_remarks+='Could not determine IPv4/IPv6 protocol|IPv6=\(Not enabled\)|'
own_remarks+='NOTE: '

faults() {
	local log
	for log in "$W"/server.log "$W"/dataplane.log "$W"/control.log "$W"/laptop.log; do
		[ -e "$log" ] || continue
		grep -iE 'warn|error|fail|fatal|bad |invalid|mismatch|inconsistent|unexpected|unrecogni|unknown|denied|refused|deprecated|replay|timeout|unable|cannot|can.t|ignor|drop|not ' \
			"$log" | grep -viE "$own_remarks" | sed "s|^|${log##*/}: |"
	done
}

net_begin
pki_begin
chmod go= "$W"/pki/*.key # openvpn warns otherwise
hotspot_join a
server_config
client_config laptop
# As most profiles are: what server_config adds for other scenarios goes.
sed -i '/^data-ciphers/d' "$W/server.conf"
server_start
client_start laptop
on laptop ping -c 20 -i 0.01 -q "$server_inner" >"$W/ping.log"
hotspot_join "$(other_hotspot)"
await 20 "the tunnel to follow" on laptop ping -c 1 -W 1 -q "$server_inner"
stop laptop || fail "the client ended with status $?"
patiently sleep 0.5
server_stop
! faults | grep . >&2 || fail "lines that look like faults"
