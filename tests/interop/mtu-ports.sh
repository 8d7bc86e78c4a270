#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients on two ports of one server, and what `tun-mtu` and `mssfix` do from end to end: the MTU of
# every device, and the segments of TCP connections.
# shellcheck disable=SC2154 # netns.sh sets them
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$SERVER" = visp ] || fail "our server is what is tried here"
mtu=1400
# 1300 bytes of UDP payload less P_DATA_V2 with AES-GCM (24), IPv4 (20) and TCP (20).
mss=1236

mtu_of() { ip -n "$(ns "$1")" -j link show dev "$2" | jq '.[0].mtu'; }

# segments SPACE: what a connection to the server sends at most in a segment, options included
segments() {
	start "holder-$1" "$1" python3 -c '
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7002), 10)
s.recv(1)
print("connected", flush=True)
time.sleep(60)' "$server_inner"
	await_log "holder-$1" 10 connected || fail "$1: no connection"
	on "$1" ss -tino dst "$server_inner" | sed -n 's/.* mss:\([0-9]*\) .*/\1/p'
}

# connected SPACE DEVICE: pings of all sizes and TCP of the size that is said
connected() {
	local got
	[ "$(mtu_of "$1" "$2")" = $mtu ] || fail "$1: an MTU of $(mtu_of "$1" "$2")"
	all_answered "$1" "$1" 20 "$server_inner" -i 0.02 -s $((mtu - 28)) -M "do" ||
		fail "$1: pings that fill the MTU"
	! on "$1" ping -c 1 -W 1 -M "do" -s $((mtu - 27)) "$server_inner" >"$W/long.log" 2>&1 ||
		fail "$1: a ping longer than the MTU"
	got=$(segments "$1")
	# ss counts without the 12 bytes of time stamps.
	[ "$got" = $((mss - 12)) ] || fail "$1: segments of $got bytes"
	say "$1: MTU $mtu, segments of $got bytes and time stamps"
}

net_begin
pki_begin
pki_cert other clientAuth
hotspot_join a
server_config "tun-mtu $mtu" 'mssfix 1300' "local $server_outer 443"
server_start
[ "$(mtu_of server visp0)" = $mtu ] || fail "the server's device has an MTU of $(mtu_of server visp0)"
start listener server python3 -c '
import socket, sys
s = socket.create_server((sys.argv[1], 7002))
print("ready", flush=True)
kept = []
while True:
    kept.append(s.accept()[0])
    kept[-1].send(b"x")' "$server_inner"
await_log listener 5 ready || fail "no listener"

client_config laptop 'dev tun1'
client_config other 'dev tun2'
sed -i "s/^remote .*/remote $server_outer 443/" "$W/other.ovpn"
client_start laptop
client_start other hsb
connected laptop tun1
connected hsb tun2
status_json | jq -e '.sessions | length == 2' >/dev/null || fail "not two sessions"
stop laptop
stop other
server_stop
