#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-control is killed when the keys of its clients are more than 60 s old and no renegotiation is
# near. The next one adopts the sessions without their TLS state and gets it back by soft resets of
# its own, a second after the adoption. Clients of both kinds go through it without a lost ping, and
# can be told something over the new TLS state. A session with a young key isn't touched: its
# client renegotiates soon enough by itself.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
stock=3
own=2
[ "$full" = 0 ] || stock=12 own=8
old_ms=60000 # keys older than this are renewed
window=8 # seconds after which both ends send with the new key
names=()

ctl() { on server "$build/control/vispctl" --socket "$W/control.sock" "$@"; }
session() { status_json | jq -c --arg name "$1" '.sessions[] | select(.name == $name)'; }
flagged() { session "$1" | jq -e --arg flag "$2" '.flags | index($flag)' >/dev/null; }
told_again() { [ "$(log_count control "renegotiated .*peer=$1 ")" -gt 0 ]; }
count() { status_json | jq ".totals.counters.$1"; }
no_tls() { status_json | jq '[.sessions[] | select(.flags | index("no-tls"))] | length'; }
has_tls() { [ "$(no_tls)" = "$1" ]; }

# connect NAME visp|openvpn DEVICE: and pings begin, five a second, which go on to the end.
connect() {
	pki_cert "$1" clientAuth
	client_config "$1" "dev $3" 'reneg-sec 36000' "hand-window $window"
	CLIENT=$2 client_start "$1"
	start "ping-$1" laptop ping -i 0.2 -I "$3" "$server_inner"
	await_log "ping-$1" 5 'icmp_seq=1 ' || fail "$1: no first ping"
}

# all_pings NAME COUNT: so many requests at least, and each has its answer.
all_pings() {
	ping_stop "ping-$1" || fail "$1: pings without an answer"
	[ "$(sed -n 's/ packets transmitted, .*//p' "$W/ping-$1.log")" -ge "$2" ] ||
		fail "$1: too few pings"
}

net_begin
pki_begin
hotspot_join a
# Each tunnel has an address in the same subnet; answers come back through the one that asked.
on laptop sysctl -qw net.ipv4.conf.all.arp_filter=1
server_config 'reneg-sec 36000' "hand-window $window" 'verb 4'
server_start
for ((i = 1; i <= stock; i++)); do names+=("stock$i") && connect "stock$i" openvpn "tun$i"; done
for ((i = 1; i <= own; i++)); do names+=("own$i") && connect "own$i" visp "tun$((stock + i))"; done
clients=${#names[@]}

# The youngest of their keys isn't younger than its session.
begin=${EPOCHREALTIME/./}
[ "$(status_json | jq '.sessions | length')" = "$clients" ] || fail "not $clients sessions"
has_tls 0 || fail "$(no_tls) sessions have no TLS state at the beginning"
patiently sleep $((old_ms / 1000 - 4))
connect young openvpn "tun$((clients + 1))"
while [ $(((${EPOCHREALTIME/./} - begin) / 1000)) -le $((old_ms + 500)) ]; do patiently sleep 0.2; done
[ "$(count renegotiations)" = 0 ] || fail "somebody renegotiated before the kill"
status_json | jq -r '.sessions[] | "\(.name) \(.address) \(.tunnel)"' | sort >"$W/before"

stop control 5 KILL
control_start
await_log control 5 "sessions adopted count=$((clients + 1)) removed=0" || fail "not all adopted"
for name in "${names[@]}"; do
	await 15 "$name to have TLS state again" told_again "$name"
done
# Only the young one is left.
has_tls 1 || fail "$(no_tls) sessions have no TLS state"
flagged young no-tls || fail "the young key was renewed: $(session young)"
for name in "${names[@]}"; do
	! flagged "$name" adopted || fail "$name: $(session "$name")"
	[ "$(log_count control "renegotiation begins .*peer=$name ")" = 1 ] ||
		fail "$name: not one soft reset of the server"
done
[ "$(count renegotiations)" = "$clients" ] || fail "$(count renegotiations) renegotiations"
[ "$(count in_place_resets)" = 0 ] || fail "a client began anew in its place"
[ "$(count renegotiations_failed)" = 0 ] || fail "$(count renegotiations_failed) failed"

# Until both ends have sent with the new keys for a while.
key_in_use() { ctl show "$1" | jq -e '.sessions[0].sending_key_id == 1'; }
for name in "${names[@]}"; do
	await $((window + 5)) "$name's new key to be sent with" key_in_use "$name"
done
patiently sleep 2
for name in "${names[@]}" young; do
	all_pings "$name" $((5 * window))
	[ "$(log_count "$name" 'Initialization Sequence Completed')" = 1 ] || fail "$name connected anew"
done
status_json | jq -r '.sessions[] | "\(.name) \(.address) \(.tunnel)"' | sort >"$W/after"
cmp -s "$W/before" "$W/after" || fail "sessions changed: $(diff "$W/before" "$W/after")"
say "$clients sessions with keys over $((old_ms / 1000)) s: adopted, TLS state renewed, all pings answered"

# What has TLS state can be told to go.
for name in stock1 own1; do
	ctl kick --halt "$name" >"$W/kick.log" || fail "kick $name: $(cat "$W/kick.log")"
	gone "$name" 5 || fail "$name wasn't told to go"
	stop "$name" # reaps it, whatever its status
done
say "a stock client and ours were told to go, and went"
