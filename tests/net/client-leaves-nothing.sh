#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# With everything redirected into the tunnel and name servers pushed: after SIGTERM no rule, route,
# device or file of our client is left and resolv.conf is as before; after SIGKILL the next start
# cleans up. A name server that somebody else writes meanwhile is kept for the end.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --server openvpn --client visp "$@"

resolv=
net_begin
pki_begin
hotspot_join a
resolv=/etc/netns/$(ns laptop)/resolv.conf
mkdir -p "${resolv%/*}"
trap 'rm -rf "${resolv%/*}"; net_end' EXIT
printf 'nameserver 192.168.1.1\noptions edns0\n' >"$resolv"
server_config 'push "redirect-gateway def1"' 'push "route 10.77.0.0 255.255.0.0"' \
	'push "dhcp-option DNS 10.8.0.1"' 'push "dhcp-option DOMAIN example.org"'
client_config laptop 'explicit-exit-notify 1'
server_start

rules() { on laptop ip rule; }
ours() { grep -q '^nameserver 10.8.0.1' "$resolv"; }
routes() { on laptop ip route show table all type unicast; }
rules >"$W/rules"
routes >"$W/routes"
cp "$resolv" "$W/resolv"

untouched() {
	rules | diff - "$W/rules" >&2 || fail "$1: rules are left"
	routes | diff - "$W/routes" >&2 || fail "$1: routes are left"
	diff "$resolv" "$W/resolv" >&2 || fail "$1: resolv.conf differs"
	! on laptop ip link show dev tun0 >/dev/null 2>&1 || fail "$1: the device is left"
}

client_start laptop
ours || fail "the pushed name server isn't in use"
grep -q '^search example.org' "$resolv" || fail "the pushed domain isn't in use"
on laptop ip route get 192.0.2.1 | grep -q 'dev tun0' || fail "not redirected"
all_answered ping laptop 10 "$server_inner" -i 0.01 || fail "no ping"
stop laptop || fail "status $? after SIGTERM"
untouched SIGTERM

rm "$W/laptop.log"
client_start laptop
on laptop ip rule | grep -q suppress_prefixlength || fail "no rules"
stop laptop 5 KILL
ours || fail "SIGKILL put resolv.conf back?"
rm "$W/laptop.log"
client_start laptop
grep -q 'restored after a client that was killed' "$W/laptop.log" || fail "no word of a repair"
[ "$(rules | grep -c suppress_prefixlength)" = 3 ] || fail "rules of the killed client are left"
# The next hotspot's DHCP client writes its own.
echo 'nameserver 192.168.2.1' >"$resolv"
await 5 "resolv.conf to be taken back" ours
stop laptop || fail "status $?"
echo 'nameserver 192.168.2.1' >"$W/resolv"
untouched "SIGTERM after SIGKILL"
say "nothing is left behind"
