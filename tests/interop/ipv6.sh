#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# IPv6 outside and inside: clients of both families are served at once, pings that need outer
# fragments and a checksummed transfer pass inside over IPv6, and (with our server) a source that
# isn't the session's is dropped by name, leases stick, fixed addresses and networks behind a client
# come from its own file.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
bytes=3000000
[ "$full" = 0 ] || bytes=200000000

# transfer6 FROM TO ADDRESS BYTES: TCP from a listener in TO to a client in FROM, checksums compared.
transfer6() {
	rm -f "$W/sender.log"
	on "$2" timeout 60 python3 - "$3" "$4" >"$W/sent.sum" 2>"$W/sender.log" <<-'TXT' &
		import hashlib, os, socket, sys
		s = socket.create_server((sys.argv[1], 7001), family=socket.AF_INET6)
		print("ready", file=sys.stderr, flush=True)
		c, _ = s.accept()
		h = hashlib.sha256()
		left = int(sys.argv[2])
		while left:
		    block = os.urandom(min(left, 65536))
		    h.update(block)
		    c.sendall(block)
		    left -= len(block)
		c.close()
		print(h.hexdigest())
	TXT
	local sender=$!
	await 10 "the sender" grep -q ready "$W/sender.log"
	on "$1" timeout 60 python3 - "$3" >"$W/got.sum" <<-'TXT'
		import hashlib, socket, sys
		s = socket.create_connection((sys.argv[1], 7001), 10)
		h = hashlib.sha256()
		while True:
		    block = s.recv(65536)
		    if not block:
		        break
		    h.update(block)
		print(h.hexdigest())
	TXT
	wait $sender
	if [ ! -s "$W/got.sum" ] || ! cmp -s "$W/sent.sum" "$W/got.sum"; then
		fail "transfer from $2: checksum"
	fi
}

pings() { # WHAT NAMESPACE OPTION... ADDRESS
	local what=$1 space=$2
	shift 2
	on "$space" ping -c 40 -i 0.005 -q "$@" >"$W/ping.log"
	grep -q ' 40 received' "$W/ping.log" || fail "$what: $(grep received "$W/ping.log")"
}

tunnel6() { # NAMESPACE: its tunnel address
	ip -n "$(ns "$1")" -6 -j addr show scope global | jq -r '[.[] | .addr_info[].local
		| strings | select(startswith("fd00:8:"))][0]'
}

drop_count() { telemetry /visp/drops | jq --arg n "$1" '[.. | objects | .[$n]? // empty] | add // 0'; }

check_inside() { # CLIENT'S-NAMESPACE
	local address
	address=$(tunnel6 "$1")
	[ "$address" != null ] || fail "no IPv6 address in the tunnel"
	pings "up" "$1" "$server_inner6"
	pings "down" server "$address"
	pings "1,452 bytes up" "$1" -s 1452 "$server_inner6"
	pings "1,452 bytes down" server -s 1452 "$address"
	pings "IPv4 beside it" "$1" "$server_inner"
	transfer6 "$1" server "$server_inner6" "$bytes"
	transfer6 server "$1" "$address" "$bytes"
	say "$1: inside $address"
}

net_begin
ipv6_begin
pki_begin
pki_cert desk clientAuth
hotspot6_join a both
mkdir "$W/ccd"
cat >"$W/ccd/desk" <<-TXT
	ifconfig-push 10.8.0.77 255.255.255.0
	ifconfig-ipv6-push fd00:8::beef:77/64 fd00:8::1
	iroute-ipv6 fd00:77::/64
TXT
chmod -R a+rX "$W/ccd"
lines=('server-ipv6 fd00:8::/64' 'push "route-ipv6 fd00:99::/64"' "client-config-dir $W/ccd"
	client-to-client)
if [ "$SERVER" = openvpn ]; then
	lines+=('proto udp6' 'route-ipv6 fd00:77::/64')
else
	lines+=("local $server_outer6" 'proto udp')
fi
server_config "${lines[@]}"
server_start

# The laptop over IPv6, a desk elsewhere over IPv4, at the same time.
client_config laptop 'proto udp6'
sed -i "s/^remote .*/remote $server_outer6 1194/" "$W/laptop.ovpn"
client_config desk 'proto udp4'
client_start laptop
client_start desk hsb
check_inside laptop
check_inside hsb
[ "$(tunnel6 laptop)" = fd00:8::1000 ] || fail "the first lease is $(tunnel6 laptop)"
[ "$(tunnel6 hsb)" = fd00:8::beef:77 ] || fail "the fixed address is $(tunnel6 hsb)"
ip -n "$(ns laptop)" -6 route get fd00:99::1 | grep -q 'dev tun' || fail "no pushed route"
pings "client to client" laptop fd00:8::beef:77

# What lies behind the desk.
ip -n "$(ns hsb)" -6 addr add fd00:77::1/64 dev lo
ip -n "$(ns server)" -6 route replace fd00:77::/64 dev "$([ "$SERVER" = visp ] && echo visp0 || echo tun0)"
pings "to a network behind a client" server fd00:77::1

if [ "$SERVER" = visp ]; then
	status_json | jq -e --arg a "[${lan_address6[a]}]" '.sessions | map(select(.name == "laptop"))[0]
		| (.address | startswith($a)) and .tunnel6 == "fd00:8::1000"' >/dev/null ||
		fail "vispctl: $(status_json | jq -c '.sessions[] | [.name, .address, .tunnel6]')"
	# A neighbour's address, and one of nobody: both are named, none arrives.
	before=$(drop_count inner_source)
	for spoofed in fd00:8::1001 fd00:8::beef:77 2001:db8:aa::51; do
		ip -n "$(ns laptop)" -6 addr replace $spoofed/128 dev lo nodad
		on laptop ping -c 10 -i 0.01 -q -I $spoofed "$server_inner6" >"$W/ping.log" 2>&1
		grep -q ' 0 received' "$W/ping.log" || fail "$spoofed: an answer came"
		ip -n "$(ns laptop)" -6 addr del $spoofed/128 dev lo
	done
	[ $(($(drop_count inner_source) - before)) = 30 ] ||
		fail "not 30 packets dropped for their source"
	[ "$(drop_count inner_bad_header)" = 0 ] || fail "malformed packets"
	say "30 of 30 spoofed packets dropped by name"
fi

stop laptop || fail "the client ended with status $?"
stop desk || fail "the other client ended with status $?"
# The same lease for the same name.
rm -f "$W/laptop.log"
client_start laptop
[ "$(tunnel6 laptop)" = fd00:8::1000 ] || fail "the lease became $(tunnel6 laptop)"
stop laptop
server_stop
