#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One side is ours, the other is stock, both with a default profile: connect, renew keys, move, take leave. No
# line of either log looks like a fault to the people who read it.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

# What a stock peer says of itself whoever the other side is: nobody need be asked about it.
own_remarks='WARNING: you are using user/group/chroot/setcon without persist-tun|'
own_remarks+='net_route_v4_best_gw query|UDPv4 link local: \(not bound\)|'
own_remarks+='Could not determine IPv4/IPv6 protocol|IPv6=\(Not enabled\)|'
own_remarks+='NOTE: '

faults() {
	local log remarks
	for log in server dataplane control laptop; do
		[ -e "$W/$log.log" ] || continue
		# Ours makes no remark that is to be excused.
		remarks=$own_remarks
		case $SERVER$CLIENT-$log in
		visp*-control | visp*-dataplane | *visp-laptop) remarks='^$' ;;
		esac
		grep -iE 'warn|error|fail|fatal|bad |invalid|mismatch|inconsistent|unexpected|unrecogni|unknown|denied|refused|deprecated|replay|timeout|unable|cannot|can.t|ignor|drop|not ' \
			"$W/$log.log" | grep -viE "$remarks" | sed "s|^|$log: |"
	done
}

# A stock peer names the ciphers of each handshake's TLS.
renewed() {
	local log=laptop
	[ "$SERVER" = visp ] || log=server
	[ "$(log_count $log 'Control Channel: TLS')" -ge 2 ]
}

net_begin
pki_begin
chmod go= "$W"/pki/*.key # openvpn warns otherwise
hotspot_join a
server_config 'reneg-sec 3' # but for this line, as most profiles are
client_config laptop
# What server_config adds for other scenarios goes.
sed -i '/^data-ciphers/d' "$W/server.conf"
server_start
client_start laptop
all_answered ping laptop 20 "$server_inner" -i 0.01 || fail "not all pings answered"
await 15 "new keys" renewed
all_answered ping laptop 20 "$server_inner" -i 0.01 || fail "not all pings answered with new keys"
hotspot_join "$(other_hotspot)"
await 20 "the tunnel to follow" on laptop ping -c 1 -W 1 -q "$server_inner"
stop laptop || fail "the client ended with status $?"
patiently sleep 0.5
server_stop
! faults | grep . >&2 || fail "lines that look like faults"
