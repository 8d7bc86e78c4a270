#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fifty clients connect at once; each gets an address of its own and answers to its pings.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
clients=50

net_begin
pki_begin
hotspot_join a
# Each tunnel has an address in the same subnet; answers come back through the one that asked.
on laptop sysctl -qw net.ipv4.conf.all.arp_filter=1
server_config 'max-clients 100'
server_start
for ((i = 1; i <= clients; i++)); do
	pki_cert "c$i" clientAuth
	client_config "c$i" "dev tun$i"
done
for ((i = 1; i <= clients; i++)); do
	client_begin "c$i"
done
for ((i = 1; i <= clients; i++)); do
	client_up "c$i" 60 || fail "c$i does not connect"
done
declare -A seen=()
for ((i = 1; i <= clients; i++)); do
	address=$(ip -n "$(ns laptop)" -4 -j addr show dev "tun$i" | jq -r '.[].addr_info[0].local')
	[ -z "${seen[$address]-}" ] || fail "c$i and c${seen[$address]} have $address"
	seen[$address]=$i
	all_answered "ping$i" laptop 20 "$server_inner" -I "tun$i" -i 0.05 &
	pings[i]=$!
done
for ((i = 1; i <= clients; i++)); do
	wait "${pings[i]}" || fail "c$i: $(grep received "$W/ping$i.log")"
done
say "$clients clients, each 20 of 20 pings"
