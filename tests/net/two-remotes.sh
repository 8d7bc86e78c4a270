#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A profile with two `remote` lines, one for each family. When both are one server, a session goes
# from one to the other and back without a handshake. When they aren't, the other server gets some
# probes, no data and nothing to complain about, and is then connected to as to any second remote.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$CLIENT" = visp ] || fail "this is about visp-client"
moves=2
stranger=2001:db8:a::1 # where another server is, port 1195

net_begin
ipv6_begin
pki_begin
hosts laptop "$server_outer v4.example" "$server_outer6 v6.example"
hotspot_join a
if [ "$SERVER" = openvpn ]; then
	server_config 'proto udp6'
else
	server_config "local $server_outer6"
fi
server_start

# remotes HOST PORT: of the profile, behind the server's.
remotes() {
	client_config laptop
	sed -i "s/^remote .*/remote v4.example 1194\nremote $1 $2/" "$W/laptop.ovpn"
}

moved() { [ "$(log_count laptop 'moved in')" -ge "$1" ]; }

connected() { [ "$(log_count laptop 'Initialization Sequence Completed')" = "$1" ]; }

remotes v6.example 1194
client_start laptop
for ((i = 1; i <= moves; i++)); do
	if ((i % 2)); then hotspot6_join b; else hotspot_join a; fi
	await 10 "move $i to be proven" moved "$i"
	all_answered ping laptop 5 "$server_inner" -i 0.05 || fail "no ping after move $i"
done
[ "$(log_count laptop 'the other remote is the same server')" = 1 ] || fail "it wasn't found out once"
[ "$(log_count laptop 'Initialization Sequence Completed')" = 1 ] || fail "a handshake took place"
say "one server: $moves moves, $(grep -o 'moved in [0-9]* us after [0-9]* probes' "$W/laptop.log" | tr '\n' ',')"
stop laptop || fail "the client ended with status $?"

# Another server, with the same CA.
cat >"$W/stranger.conf" <<-TXT
	local $stranger
	lport 1195
	proto udp6
	dev tun7
	server 10.7.0.0 255.255.255.0
	topology subnet
	ca $W/pki/ca.crt
	cert $W/pki/server.crt
	key $W/pki/server.key
	dh none
	keepalive 10 60
	verb 3
	$(wrap_line server)
TXT
start stranger world openvpn --config "$W/stranger.conf"
await_log stranger 10 'Initialization Sequence Completed' || fail "the stranger does not start"
remotes "$stranger" 1195
rm "$W/laptop.log"
client_start laptop
start flood laptop ping -i 0.05 -q "$server_inner"
start seen world tcpdump -i upb -n -l "udp dst port 1195"
await_log seen 5 listening || fail "no tcpdump"
hotspot6_join b
await_log laptop 15 "no answer at the other remote's address" || fail "the client waits for ever"
stop seen
# A reconfiguration Ping has 48 bytes, an OCC request 41, a reset more; the flood's packets have 108.
lengths=$(sed -n 's/.*UDP, length \([0-9]*\)$/\1/p' "$W/seen.log" | sort -n | uniq -c | awk '{ printf "%s of %s ", $1, $2 }')
[[ $lengths =~ " of "(41|48)" " ]] || fail "no probe was seen: $lengths"
[[ " $lengths" != *' of 108 '* ]] || fail "the stranger got data: $lengths"
await 15 "the other server to be connected to" connected 2
stop flood
all_answered ping laptop 5 10.7.0.1 -i 0.05 || fail "no ping through the other server"
if grep -E 'Authenticate/Decrypt|TLS Error|rror:|float' "$W/stranger.log"; then
	fail "the stranger complains"
fi
[ "$SERVER" = openvpn ] || status_json | jq -e '.sessions[0].handovers == 0' >/dev/null ||
	fail "the session of before has moved"
say "two servers: the second got datagrams of other lengths only ($lengths) and was connected to"

# Back where only the first one is.
[ "$full" = 0 ] || {
	hotspot_join a
	await 20 "the first server to be connected to again" connected 3
}
stop laptop || fail "the client ended with status $?"
server_stop
