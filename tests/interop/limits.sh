#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `inactive` and `session-timeout` in server.conf and in files of client-config-dir end sessions of
# clients of both kinds, at their time and not before; the clients are told and come back. Those
# that carry enough, and those whose own file says 0, stay.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
idle_s=3
bytes=2000 # within idle_s; a ping each way has 2 x 84
long_s=4

# client NAME visp|openvpn DEVICE
client() {
	pki_cert "$1" clientAuth
	client_config "$1" "dev $3" 'connect-retry 1 1'
	CLIENT=$2 client_start "$1"
}
# busy NAME DEVICE INTERVAL: pings that go on to the end.
busy() { start "ping-$1" laptop ping -q -i "$3" -I "$2" "$server_inner"; }
ends() { log_count control "session ended reason=$2 .*peer=$1 "; }
ended() { [ "$(ends "$@")" -ge 1 ]; }
up_again() { [ "$(log_count "$1" 'Initialization Sequence Completed')" -gt 1 ]; }
# The whole seconds that the first session of NAME lasted.
lasted() {
	sed -n "s/.*session ended reason=.* seconds=\([0-9]*\) .*peer=$1 .*/\1/p" "$W/control.log" | head -n 1
}
here() { status_json | jq -e --arg name "$1" '.sessions[] | select(.name == $name)'; }
count() { status_json | jq ".totals.counters.$1"; }

net_begin
pki_begin
hotspot_join a
# Each tunnel has an address in the same subnet; answers come back through the one that asked.
on laptop sysctl -qw net.ipv4.conf.all.arp_filter=1
mkdir "$W/ccd"
for kind in openvpn visp; do
	printf '%s\n' 'inactive 0' "session-timeout $long_s" >"$W/ccd/long-$kind"
	printf 'inactive 0\n' >"$W/ccd/free-$kind"
done
# Pings of the tunnel itself, once a second, are no traffic.
server_config "inactive $idle_s $bytes" "client-config-dir $W/ccd" 'keepalive 1 20'
sed -i '/^keepalive 10 60$/d' "$W/server.conf"
server_start
devices=0
for kind in openvpn visp; do
	for name in free busy slow idle long; do
		devices=$((devices + 1))
		client "$name-$kind" $kind "tun$devices"
		case $name in
		busy) busy "$name-$kind" "tun$devices" 0.1 ;; # some 5,000 bytes in idle_s
		slow) busy "$name-$kind" "tun$devices" 1 ;; # some 500
		esac
	done
done
for kind in openvpn visp; do
	for name in idle slow; do
		await $((idle_s + 10)) "$name-$kind to be ended" ended "$name-$kind" inactive
		[ "$(lasted "$name-$kind")" -ge $idle_s ] || fail "$name-$kind: after $(lasted "$name-$kind") s"
	done
	await $((long_s + 10)) "long-$kind to be ended" ended "long-$kind" session-timeout
	[ "$(lasted "long-$kind")" -ge $long_s ] || fail "long-$kind: after $(lasted "long-$kind") s"
	for name in idle slow long; do
		await 10 "$name-$kind to come back" up_again "$name-$kind"
	done
	for name in free busy; do
		here "$name-$kind" >/dev/null || fail "$name-$kind is gone"
		! up_again "$name-$kind" || fail "$name-$kind connected anew"
	done
done
[ "$(log_count long-openvpn 'Connection reset command was pushed by server')" -gt 0 ] ||
	fail "long-openvpn wasn't told"
[ "$(count inactive)" -ge 4 ] || fail "$(count inactive) sessions were counted as inactive"
[ "$(count session_timeouts)" -ge 2 ] || fail "$(count session_timeouts) session time-outs were counted"
say "inactive: idle and slow sessions ended after $idle_s s, session-timeout after $long_s s; busy ones stay"

# The limits hold after a restart of the server, too: a session that it adopted ends.
before=$(ends long-openvpn session-timeout)
await 15 "long-openvpn to be here" here long-openvpn
stop control 5 KILL
control_start
more() { [ "$(ends long-openvpn session-timeout)" -gt "$before" ]; }
await $((long_s + 10)) "long-openvpn to be ended after the restart" more
say "after a restart of the server: ended, too"
