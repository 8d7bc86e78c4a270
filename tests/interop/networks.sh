#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What an operator gives single clients: addresses, networks behind them, the way to each other, and
# limits; in each topology, and across a restart of the server.
# shellcheck disable=SC2154 # netns.sh sets them
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$SERVER" = visp ] || fail "our server is what is tried here"

net_begin
pki_begin
pki_cert other clientAuth
hotspot_join a
on server sysctl -qw net.ipv4.ip_forward=0 # clients reach each other through the dataplane or not
mkdir "$W/ccd"
chmod 777 "$W" # control writes its list of addresses there as nobody
ip -n "$(ns laptop)" addr add 10.99.1.1/32 dev lo # a network behind the laptop

# server SECOND-CLIENT-LINE... with the files of client-config-dir as they lie there
server() {
	server_config "client-config-dir $W/ccd" "ifconfig-pool-persist $W/pool.txt 1" \
		'push "route 10.77.0.0 255.255.0.0"' 'push "dhcp-option DNS 10.8.0.1"' "$@"
	server_start
	ip -n "$(ns server)" route replace 10.99.1.0/24 dev visp0
}

server_gone() {
	server_stop
	rm -f "$W/control.log" "$W/dataplane.log"
}

# The other client lives in hotspot b itself, so that no tunnel is a short cut to another.
clients() {
	rm -f "$W/laptop.log" "$W/other.log"
	client_config laptop 'dev tun1'
	client_config other 'dev tun2'
	client_start laptop
	client_start other hsb
}

clients_gone() {
	stop laptop
	stop other
}

address() { # SPACE DEVICE
	ip -n "$(ns "$1")" -4 -j addr show dev "$2" | jq -r '.[].addr_info[0].local'
}

# All threads of a process are under a system call filter and without new privileges.
confined() {
	local task
	for task in "/proc/${pid[$1]}/task"/*; do
		grep -q '^Seccomp:.*2' "$task/status" || fail "$1: a thread without a filter"
		grep -q '^NoNewPrivs:.*1' "$task/status" || fail "$1: a thread may gain privileges"
	done
}

# No root and no socket of the network.
without_network() {
	local uid sockets
	uid=$(awk '/^Uid:/ { print $3 }' "/proc/${pid[$1]}/status")
	[ "${uid:-0}" != 0 ] || fail "$1 runs as user ${uid:-nobody knows}"
	sockets=$(on server ss -Hanp -A inet,packet,raw,xdp,vsock | grep "pid=${pid[$1]},") &&
		fail "$1 has sockets of the network: $sockets"
	on server ss -Hanp -A unix | grep -q "pid=${pid[$1]}," ||
		fail "ss doesn't show the sockets of $1"
}

pushed_route() { on "$1" ip route get 10.77.1.1 | grep -q 'dev tun'; }

is() { # WHAT GOT WANT
	[ "$2" = "$3" ] || fail "$1: $2, not $3"
}

# --- Fixed addresses, a network behind a client, pushes, client to client ---

for topology in subnet net30 p2p; do
	second=255.255.255.0
	[ $topology = subnet ] || second=10.8.0.77
	cat >"$W/ccd/laptop" <<-TXT
		ifconfig-push 10.8.0.78 $second
		iroute 10.99.1.0 255.255.255.0
		push-remove "route 10.77"
	TXT
	server "topology $topology" client-to-client
	clients
	confined control
	confined dataplane
	without_network control
	[ "$CLIENT" = openvpn ] || confined laptop
	is "fixed address, $topology" "$(address laptop tun1)" 10.8.0.78
	all_answered behind server 5 10.99.1.1 -i 0.05 -I "$server_inner" ||
		fail "$topology: the network behind the client doesn't answer"
	all_answered each-other hsb 5 10.8.0.78 -i 0.05 || fail "$topology: client to client"
	! pushed_route laptop || fail "$topology: push-remove"
	pushed_route hsb || fail "$topology: no pushed route"
	clients_gone
	server_gone
	say "$topology: fixed address, network behind the client, client to client, push-remove"
done

# --- A fixed address in a form that the topology has no use for ---

echo 'ifconfig-push 10.8.0.78 10.8.0.77' >"$W/ccd/laptop"
server
client_config laptop 'dev tun1' 'connect-retry 1 1'
rm -f "$W/laptop.log"
client_begin laptop
await_log control 10 "ccd/laptop:1: 'ifconfig-push' needs a netmask" ||
	fail "the server doesn't say what is wrong with the address"
echo 'ifconfig-push 10.99.0.5 255.255.255.0' >"$W/ccd/laptop" # read at each connection
await_log control 30 "ccd/laptop:1: 'ifconfig-push': .* outside of the network client=laptop" ||
	fail "the server doesn't say which line has an address outside of the network"
stop laptop
[ "$(log_count laptop 'Initialization Sequence Completed')" = 0 ] || fail "it was let in"
server_gone
say "an address in the wrong form is refused, with file and line"

# --- Without client-to-client the way is closed; addresses are remembered ---

rm "$W/ccd/laptop"
echo push-reset >"$W/ccd/other"
server
clients
first=$(address laptop tun1) second=$(address hsb tun2)
! on hsb ping -c 3 -i 0.05 -W 1 -q "$first" >"$W/closed.log" || fail "clients reach each other"
! pushed_route hsb || fail "push-reset"
clients_gone
server_gone
grep -qx "laptop,$first,\?" "$W/pool.txt" || fail "the list of addresses lacks laptop"
server
rm "$W/laptop.log" "$W/other.log"
client_config other 'dev tun2' # in the other order than before
client_start other hsb
client_config laptop 'dev tun1'
client_start laptop
is "remembered address" "$(address laptop tun1)" "$first"
is "remembered address" "$(address hsb tun2)" "$second"
clients_gone
server_gone
say "addresses are the same after a restart, push-reset, no way from client to client"

# --- One name several times, and the most clients at once ---

twice() { # its second session has the laptop's name
	rm -f "$W/laptop.log" "$W/second.log"
	client_config laptop 'dev tun1' 'connect-retry 1 1'
	CERT=laptop client_config second 'dev tun2' 'connect-retry 1 1'
	client_start laptop
	client_begin second hsb
}
server duplicate-cn
twice
client_up second 20 || fail "duplicate-cn: the second does not connect"
all_answered both laptop 5 "$server_inner" -i 0.05 || fail "duplicate-cn: the first is cut off"
is sessions "$(status_json | jq '.sessions | length')" 2
stop second
stop laptop
server_gone
server
twice
client_up second 20 || fail "the second does not connect"
await 10 "the first session to end" \
	sh -c "$build/control/vispctl --socket $W/control.sock status --json | jq -e '.sessions | length == 1'"
stop second
stop laptop
server_gone
say "duplicate-cn: both stay; without it the newer one does"

server 'max-clients 1'
rm -f "$W/laptop.log" "$W/other.log"
client_config laptop 'dev tun1'
client_config other 'dev tun2'
client_start laptop
client_begin other hsb
! client_up other 4 || fail "max-clients: the second is let in"
all_answered only laptop 5 "$server_inner" -i 0.05 || fail "max-clients: the first is cut off"
say "max-clients: the second is kept out"
