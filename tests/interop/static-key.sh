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
static_begin

tunnel_config 1 'cipher AES-256-CBC' 'auth SHA256'
tunnel_config 2 'cipher AES-128-CBC' 'auth SHA1' float 'comp-lzo no'
tunnel_config 3 'cipher none' 'auth SHA512'
tunnel_config 4 'cipher AES-256-CBC' 'auth SHA256' 'remote 203.0.113.69 1304' # what the hotspot makes of the laptop
tunnel_config 5 'cipher AES-256-CBC' 'auth SHA1' 'compress stub' # its byte takes the place of the payload's first
n=5
if [ "$full" = 1 ]; then
	tunnel_config 6 'cipher BF-CBC' 'auth SHA1'
	tunnel_config 7 'cipher CAMELLIA-128-CBC' 'auth SHA256'
	tunnel_config 8 'cipher AES-128-CBC' 'auth none' 'remote 203.0.113.69 1308'
	key_direction=('' '')
	tunnel_config 9 'cipher AES-256-CBC' 'auth SHA256'
	key_direction=(0 1)
	n=9
fi
mapfile -t tunnels < <(seq $n)
server_config 'keepalive 1 20' "tunnel $W/tunnels"
server_start
await_log control 15 "static-key tunnel is up.*t$n.conf" || fail "no tunnel $n"
tunnel_addresses "${tunnels[@]}"
tunnel_peer 1 AES-256-CBC SHA256
tunnel_peer 2 AES-128-CBC SHA1 --comp-lzo no --allow-compression asym
tunnel_peer 3 none SHA512
tunnel_peer 4 AES-256-CBC SHA256
tunnel_peer 5 AES-256-CBC SHA1 --compress stub --allow-compression asym
if [ "$full" = 1 ]; then
	tunnel_peer 6 BF-CBC SHA1 --providers legacy default
	tunnel_peer 7 CAMELLIA-128-CBC SHA256
	tunnel_peer 8 AES-128-CBC none
	key_direction=('' '')
	tunnel_peer 9 AES-256-CBC SHA256
fi
for n in "${tunnels[@]}"; do
	tunnel_works "$n"
	tunnel_works "$n" 1400
done
say "${#tunnels[@]} tunnels: pings pass"

# Beside them a client with a certificate.
client_config laptop
client_start laptop
all_answered ping laptop 5 "$server_inner" -i 0.05 || fail "the client's pings"
say "a client with a certificate beside them"

# The peer's address changes under it.
hotspot_renumber 5
await 5 "the tunnel with float to follow" tunnel_answers 2
tunnel_works 2
await 5 "the tunnel without remote to follow" tunnel_answers 1
tunnel_works 1
say "a tunnel with float, or without remote, follows its peer"
for _ in 1 2 3; do
	! tunnel_answers 4 || fail "a tunnel with remote and without float follows"
done
say "a tunnel with remote and without float stays"

if grep -E 'Authenticate/Decrypt packet error|Bad|mismatch' "$W"/peer*.log; then
	fail "a stock end complains"
fi
stop control || fail "control ended with status $?"
stop dataplane || fail "the dataplane ended with status $?"
