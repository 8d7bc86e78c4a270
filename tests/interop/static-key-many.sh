#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Hundreds of tunnels with static keys on one dataplane, beside a client with a certificate: the first
# and the last ones carry traffic, one of them over IPv6 in fragments. A killed dataplane's successor
# knows them all.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers --client openvpn "$@"

tunnels=200
used=(1 2 3 4 "$tunnels")

net_begin
ipv6_begin
pki_begin
hotspot6_join a both
static_begin

all_up() { [ "$(log_count control 'static-key tunnel is up')" = "$tunnels" ]; }

tunnel_config 1 'cipher AES-256-CBC' 'auth SHA256'
tunnel_config 2 'cipher AES-128-CBC' 'auth SHA1' float 'comp-lzo no'
tunnel_config 3 'cipher none' 'auth SHA512'
# Over IPv6 the headers outside are longer: `mtu` counts them.
tunnel_config 4 'cipher AES-128-CBC' 'auth SHA256' "local $server_outer6" 'fragment 800 mtu' 'proto udp6'
# And many more, the last of which is used.
for n in $(seq 5 "$tunnels"); do
	tunnel_config "$n" 'cipher AES-256-CBC' 'auth SHA256'
done
server_config 'keepalive 1 20' "tunnel $W/tunnels"
server_start
await 15 "all tunnels to be up" all_up
tunnel_addresses "${used[@]}"
tunnel_peer 1 AES-256-CBC SHA256
tunnel_peer 2 AES-128-CBC SHA1 --comp-lzo no --allow-compression asym
tunnel_peer 3 none SHA512
FAR=$server_outer6 tunnel_peer 4 AES-128-CBC SHA256 --proto udp6 --fragment 800 mtu
tunnel_peer "$tunnels" AES-256-CBC SHA256
on laptop nft -f - <<-TXT
	table ip6 lengths {
		chain in {
			type filter hook input priority 0;
			udp sport 1204 meta length > 800 counter name long
			udp sport 1204 meta length 780-800 counter name full
		}
		counter long {}
		counter full {}
	}
TXT
for n in "${used[@]}"; do
	tunnel_works "$n"
	tunnel_works "$n" 1400
done
for size in $(seq 1200 10 1350); do # two pieces or three, as even as they can be
	on laptop ping -c 1 -W 2 -s "$size" -q 10.9.4.1 >"$W/ping.log" || fail "tunnel 4: $size bytes"
done
is_counted() { on laptop nft -j list counter ip6 lengths "$1" | jq '.nftables[] | .counter? // empty | .packets'; }
[ "$(is_counted long)" = 0 ] || fail "fragments over IPv6 are longer than 800 bytes"
[ "$(is_counted full)" -gt 0 ] || fail "no fragments over IPv6"
say "$tunnels tunnels, five of them used, four formats: pings pass"

# Beside them a client with a certificate.
client_config laptop
client_start laptop
on laptop ping -c 5 -i 0.05 -q "$server_inner" >"$W/ping.log" || fail "the client's pings"
say "a client with a certificate beside them"

# The peer's address changes under it.
hotspot_renumber 5
await 5 "the tunnel with float to follow" tunnel_answers 2
tunnel_works 2
say "a tunnel with float follows its peer"

stop dataplane 5 KILL || true
rm "$W/dataplane.log"
dataplane_start
tunnel_addresses "${used[@]}"
for n in 2 "$tunnels"; do # 2 has moved
	tunnel_works "$n"
done
say "they go on after the dataplane was killed"

if grep -E 'Authenticate/Decrypt packet error|Bad|mismatch' "$W"/peer*.log; then
	fail "a stock end complains"
fi
stop control || fail "control ended with status $?"
stop dataplane || fail "the dataplane ended with status $?"
