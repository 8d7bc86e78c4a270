#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Tunnels with static keys, beside clients with certificates, on one dataplane: each has a UDP port
# and a file of its own. A stock openvpn with the same key is at the other end; with `float`, or
# without `remote`, it is followed to a new address by its next packet, otherwise not.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --client openvpn "$@"

net_begin
pki_begin
hotspot_join a
hotspot_renumber 4 # to 203.0.113.69, ports as they are
mkdir "$W/tunnels"
openvpn --genkey secret "$W/pki/static.key"
chmod a+r "$W/pki/static.key"

direction=(0 1) # of the key, at our end and at the stock one; empty: none

# tunnel NUMBER CIPHER AUTH [LINE...]: our end
tunnel() {
	local n=$1 cipher=$2 auth=$3 line
	shift 3
	{
		cat <<-TXT
			dev tun
			lport $((1200 + n))
			ifconfig 10.9.$n.1 10.9.$n.2
			secret $W/pki/static.key ${direction[0]}
			cipher $cipher
			auth $auth
			keepalive 1 10
		TXT
		for line; do echo "$line"; done
	} >"$W/tunnels/t$n.conf"
}

# peer NUMBER CIPHER AUTH [LINE...]: the stock end, started
peer() {
	local n=$1 cipher=$2 auth=$3
	shift 3
	# shellcheck disable=SC2086 # a word or none
	start "peer$n" laptop openvpn --dev tun --remote "$server_outer" $((1200 + n)) \
		--lport $((1300 + n)) --ifconfig "10.9.$n.2" "10.9.$n.1" \
		--secret "$W/pki/static.key" ${direction[1]} \
		--cipher "$cipher" --auth "$auth" --ping 1 --verb 4 "$@"
	await_log "peer$n" 20 'Initialization Sequence Completed' || fail "peer $n does not start"
}

works() {
	await 10 "tunnel $1 to carry a first ping" works_soon "$1"
	all_answered ping laptop 5 "10.9.$1.1" -i 0.05 -s "${2-56}" ||
		fail "tunnel $1: $(grep received "$W/ping.log")"
}

works_soon() { on laptop ping -c 1 -W 1 -q "10.9.$1.1" >/dev/null; }

tunnel 1 AES-256-CBC SHA256
tunnel 2 AES-128-CBC SHA1 float 'comp-lzo no'
tunnel 3 none SHA512
tunnel 4 AES-256-CBC SHA256 'remote 203.0.113.69 1304' # what the hotspot makes of the laptop
tunnel 5 AES-256-CBC SHA1 'compress stub' # its byte takes the place of the payload's first
n=5
if [ "$full" = 1 ]; then
	tunnel 6 BF-CBC SHA1
	tunnel 7 CAMELLIA-128-CBC SHA256
	tunnel 8 AES-128-CBC none 'remote 203.0.113.69 1308'
	direction=('' '')
	tunnel 9 AES-256-CBC SHA256
	direction=(0 1)
	n=9
fi
mapfile -t tunnels < <(seq $n)
server_config 'keepalive 1 20' "tunnel $W/tunnels"
server_start
await_log control 15 "static-key tunnel is up.*t$n.conf" || fail "no tunnel $n"
for n in "${tunnels[@]}"; do
	ip -n "$(ns server)" addr add "10.9.$n.1/32" dev visp0
	ip -n "$(ns server)" route add "10.9.$n.2/32" dev visp0
done
peer 1 AES-256-CBC SHA256
peer 2 AES-128-CBC SHA1 --comp-lzo no --allow-compression asym
peer 3 none SHA512
peer 4 AES-256-CBC SHA256
peer 5 AES-256-CBC SHA1 --compress stub --allow-compression asym
if [ "$full" = 1 ]; then
	peer 6 BF-CBC SHA1 --providers legacy default
	peer 7 CAMELLIA-128-CBC SHA256
	peer 8 AES-128-CBC none
	direction=('' '')
	peer 9 AES-256-CBC SHA256
fi
for n in "${tunnels[@]}"; do
	works "$n"
	works "$n" 1400
done
say "${#tunnels[@]} tunnels: pings pass"

# Beside them a client with a certificate.
client_config laptop
client_start laptop
all_answered ping laptop 5 "$server_inner" -i 0.05 || fail "the client's pings"
say "a client with a certificate beside them"

# The peer's address changes under it.
hotspot_renumber 5
await 5 "the tunnel with float to follow" works_soon 2
works 2
await 5 "the tunnel without remote to follow" works_soon 1
works 1
say "a tunnel with float, or without remote, follows its peer"
for _ in 1 2 3; do
	! works_soon 4 || fail "a tunnel with remote and without float follows"
done
say "a tunnel with remote and without float stays"

if grep -E 'Authenticate/Decrypt packet error|Bad|mismatch' "$W"/peer*.log; then
	fail "a stock end complains"
fi
stop control || fail "control ended with status $?"
stop dataplane || fail "the dataplane ended with status $?"
