#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How sessions end, by either side and with either client: by the client's word in the control
# channel or in the data channel, by silence, by the operator, by a list of revoked certificates and
# by the end of the server. Each time exactly those sessions go that shall, and their addresses are
# free again: the pool has no more addresses than there are clients at a time. Between these, what
# the clients of older releases do: TLS 1.2, no cipher negotiation of today, packets without peer-id;
# and a list of pushed routes that fills several messages.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
routes=60
devices=0

# client NAME visp|openvpn [LINE...]: connects, with a tunnel device of its own.
declare -A device=() was=() begin=()
client() {
	devices=$((devices + 1))
	device[$1]=tun$devices
	[ -e "$W/pki/$1.crt" ] || pki_cert "$1" clientAuth
	client_config "$1" "dev tun$devices" 'connect-retry 1 1' "${@:3}"
	CLIENT=$2 client_start "$1"
}

pings() {
	all_answered ping laptop 20 "$server_inner" -I "${device[$1]}" -i 0.01 ||
		fail "$1: $(grep received "$W/ping.log")"
}

session() { status_json | jq -c --arg name "$1" '.sessions[] | select(.name == $name)'; }
here() { session "$1" | jq -e 'select(.state == "connected")'; }
away() { status_json >"$W/status" && ! jq -e --arg name "$1" \
	'.sessions[] | select(.name == $name)' "$W/status"; }
address() { session "$1" | jq -r .tunnel; }
count() { status_json | jq ".totals.counters.$1"; }
ended() { await_log control 1 "session ended reason=$2 .*peer=$1 " || fail "$1: reason isn't $2"; }
since() { echo $((${EPOCHREALTIME/./} / 1000 - $1)); }
now() { echo $((${EPOCHREALTIME/./} / 1000)); }

up_again() { [ "$(log_count "$1" 'Initialization Sequence Completed')" -gt "$2" ]; }

net_begin
pki_begin
pki_crl
chmod a+r "$W/pki/crl.pem"
hotspot_join a
# Each tunnel has an address in the same subnet; answers come back through the one that asked.
on laptop sysctl -qw net.ipv4.conf.all.arp_filter=1
mkdir "$W/ccd"
for name in long-openvpn long-visp; do
	net=100
	[ $name = long-openvpn ] || net=101
	for ((i = 1; i <= routes; i++)); do
		echo "push \"route 10.$net.$i.0 255.255.255.0\""
	done >"$W/ccd/$name"
done
# What else is in the protocol-flags that it doesn't accept.
echo 'push "key-derivation tls-ekm"' >"$W/ccd/occ-openvpn"
server_config 'keepalive 1 3' "crl-verify $W/pki/crl.pem" "client-config-dir $W/ccd" \
	'ifconfig-pool 10.8.0.2 10.8.0.6'
sed -i 's/^server .*/& nopool/; /^keepalive 10 60$/d' "$W/server.conf"
server_start

# --- The client ends ---

client stays openvpn
client word-openvpn openvpn 'explicit-exit-notify 1'
client word-visp visp 'explicit-exit-notify 1'
# Refuses to hear of the exit message in the control channel, so it uses the older form in the
# data channel.
client occ-openvpn openvpn 'explicit-exit-notify 1' 'pull-filter ignore protocol-flags'
client killed openvpn
pings occ-openvpn
pings stays
for name in word-openvpn word-visp occ-openvpn killed; do
	was[$name]=$(address $name)
	begin[$name]=$(now)
	if [ $name = killed ]; then
		stop $name 5 KILL
	else
		stop $name || fail "$name: status $?"
	fi
done
grep -q 'SIGTERM.*received, sending exit notification' "$W/occ-openvpn.log" ||
	fail "occ-openvpn sends no notification"
away occ-openvpn || fail "the session of occ-openvpn doesn't end at once"
for name in word-openvpn word-visp; do
	await 7 "the session of $name to end" away $name
	say "$name: session gone after $(since "${begin[$name]}") ms"
done
# A client that can't say a word any more: silence for twice the time of keepalive.
here killed >/dev/null || fail "killed: its session ended too early"
await 8 "the killed client's session to end" away killed
say "killed: session gone after $(since "${begin[killed]}") ms"
ended killed ping-restart
for name in word-openvpn word-visp occ-openvpn; do
	ended $name client-exit
done
[ "$(count exits)" = 3 ] || fail "$(count exits) of 3 exits were counted"
[ "$(count timeouts)" = 1 ] || fail "$(count timeouts) of 1 timeouts were counted"

# --- Clients of other kinds, which get the addresses that the four had ---

client v1 visp 'data-format v1'
session v1 | jq -e '.flags | index("data-v1")' >/dev/null || fail "v1: $(session v1)"
client tls12 openvpn 'tls-version-max 1.2'
grep -q 'Control Channel: TLSv1.2' "$W/tls12.log" || fail "tls12: another TLS version"
client old openvpn 'compat-mode 2.4.0' 'data-ciphers AES-256-GCM'

# long NAME: connects and has all the routes that it was pushed.
long() {
	local net=100 n
	[ "$1" = long-openvpn ] || net=101
	client "$1" "${1#long-}"
	n=$(on laptop ip route show table all | grep -c "^10\.$net\.[0-9]*\.0/24")
	[ "$n" = $routes ] || fail "$1: $n of $routes pushed routes"
	say "$1: $n pushed routes"
}
long long-openvpn
for name in v1 tls12 old long-openvpn; do
	address $name
	pings $name
done | sort >"$W/new"
printf '%s\n' "${was[@]}" | sort | cmp -s - "$W/new" || fail "addresses: ${was[*]}, $(cat "$W/new")"
here stays >/dev/null || fail "the client that stays is gone"
pings stays
say "format v1, TLS 1.2, compat-mode 2.4.0: 20 of 20 pings each, with the addresses of the four"

# --- The operator ends ---

kick() { on server "$build/control/vispctl" --socket "$W/control.sock" kick "$@"; }
for name in long-openvpn long-visp; do
	[ $name = long-openvpn ] || long $name # where the other one was
	[ "$(kick $name)" = '1 kicked' ] || fail "kick $name"
	await 12 "$name to come back" up_again $name 1
	pings $name
	[ "$(kick --halt $name)" = '1 kicked' ] || fail "kick --halt $name"
	gone $name 5 || fail "$name goes on after HALT"
	stop $name
	await 7 "the session of $name to end" away $name
	say "$name: back after kick, ended after kick --halt"
done
! kick nobody 2>"$W/kick.log" || fail "kick nobody: status 0"
grep -q 'no such session' "$W/kick.log" || fail "kick nobody: $(cat "$W/kick.log")"

# --- A list of revoked certificates ends ---

pki_revoke tls12
pki_revoke v1
begin[revoked]=$(now)
for name in tls12 v1; do
	await 15 "the session of $name to end" away $name
done
ms=$(since "${begin[revoked]}")
for name in tls12 v1; do
	gone $name 10 || stop $name
	[ "$(log_count $name 'AUTH_FAILED')" -gt 0 ] || fail "$name isn't told"
done
here stays >/dev/null || fail "the client that isn't revoked is gone"
[ "$(log_count stays 'Initialization Sequence Completed')" = 1 ] || fail "stays connected anew"
pings stays
say "revoked: sessions gone after $ms ms, another goes on"

# --- The server ends ---

client stays-visp visp
stop control || fail "control ended with status $?"
await_log stays 5 "Connection reset command was pushed by server \('?\[P\]" ||
	fail "stays isn't told to reconnect with what it knows"
await_log stays-visp 5 'RESTART' || fail "stays-visp isn't told"
control_start
for name in stays stays-visp; do
	await 15 "$name to come back" up_again $name 1
	pings $name
done
# Places in the table that were never used don't wait for those that rest.
[ "$(log_count control 'the server is full')" = 0 ] || fail "refused as if the server were full"
say "the server's end: both clients were told, both are back"
