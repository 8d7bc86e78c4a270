#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-client: a name server with an IPv6 address, pushed in either form, is asked through the tunnel;
# and with block-ipv6 a hotspot's IPv6 is out of reach at once, so that programs take IPv4 through the
# tunnel, until the client ends.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$CLIENT" = visp ] || fail "this is about visp-client"
outside6=2001:db8:a::1 # a host of the Internet

net_begin
ipv6_begin
pki_begin
resolv=/etc/netns/$(ns laptop)/resolv.conf
mkdir -p "${resolv%/*}"
trap 'rm -rf "${resolv%/*}"; net_end' EXIT
echo 'nameserver 192.168.1.1' >"$resolv" # there is none
cp "$resolv" "$W/resolv"
hotspot_join a

# As a program of the laptop sees names: ip netns exec shows it its resolv.conf.
asked() { ip netns exec "$(ns laptop)" timeout 5 getent ahostsv6 "$1"; }
resolved() { asked "$1" | grep -q '^2001:db8:77::7 '; }

names_serve() {
	start names server python3 -u -c 'import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind((sys.argv[1], 53))
print("ready")
while True:
    q, who = s.recvfrom(2048)
    end = q.index(b"\0", 12) + 5
    print("asked by", who[0])
    answer = b""
    if q[end - 4:end - 2] == b"\0\x1c":
        answer = b"\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10" + socket.inet_pton(socket.AF_INET6, "2001:db8:77::7")
    s.sendto(q[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0" + q[12:end] + answer, who)' "$server_inner6"
	await_log names 5 ready || fail "no name server"
}

# --- Name servers ---

try() { # HOW LINE...
	local how=$1
	shift
	rm -f "$W"/{laptop,names}.log
	server_config 'server-ipv6 fd00:8::/64' "$@"
	client_config laptop
	server_start
	[ "$SERVER" = openvpn ] || ip -n "$(ns server)" -6 addr replace "$server_inner6/64" dev visp0 nodad
	names_serve
	client_start laptop
	grep -q "^nameserver $server_inner6" "$resolv" || fail "$how: $(cat "$resolv")"
	await 10 "$how: a name" resolved host.example
	grep -q '^asked by fd00:8::' "$W/names.log" || fail "$how: not asked through the tunnel"
	stop laptop || fail "the client ended with status $?"
	cmp -s "$resolv" "$W/resolv" || fail "$how: resolv.conf differs"
	stop names || true
	server_stop
	say "$how: asked through the tunnel"
}

try 'dhcp-option DNS6' "push \"dhcp-option DNS6 $server_inner6\""
try 'dns server' "push \"dns server 1 address $server_inner6\""

# --- block-ipv6 ---

reach6() { on laptop ping -6 -c 1 -W 1 -q "$outside6" >/dev/null 2>&1; }
rm -f "$W/laptop.log"
hotspot6_join a both
await 5 "IPv6 of the hotspot" reach6
server_config 'push "block-ipv6"'
server_start
client_start laptop
start leak laptop tcpdump -i wlan0 -n -l "ip6 and host $outside6"
await_log leak 5 listening || fail "no tcpdump"
began=$EPOCHREALTIME
on laptop python3 -c 'import errno, socket, sys
s = socket.socket(socket.AF_INET6)
s.settimeout(10)
sys.exit(0 if s.connect_ex((sys.argv[1], 80)) in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES) else 1)' \
	"$outside6" || fail "IPv6 isn't refused"
at_most "$(echo "$began $EPOCHREALTIME" | awk '{ print $2 - $1 }')" 3 || fail "IPv6 isn't refused at once"
! reach6 || fail "IPv6 goes past the tunnel"
all_answered ping laptop 5 "$server_inner" -i 0.05 || fail "no IPv4"
# Nor does it after a move.
hotspot6_join b both
await_log laptop 10 'moved in' || fail "no end of the move"
! reach6 || fail "IPv6 goes past the tunnel after a move"
stop leak
! grep -q 'IP6' "$W/leak.log" || fail "IPv6 left the laptop"
stop laptop || fail "the client ended with status $?"
await 5 "IPv6 without the client" reach6
server_stop
say "block-ipv6: refused at once, back afterwards"
