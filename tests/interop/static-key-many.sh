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
mkdir "$W/tunnels"
openvpn --genkey secret "$W/pki/static.key"
chmod a+r "$W/pki/static.key"

# tunnel NUMBER CIPHER AUTH [LINE...]: our end
tunnel() {
	local n=$1 cipher=$2 auth=$3 line
	shift 3
	{
		cat <<-TXT
			dev tun
			lport $((1200 + n))
			ifconfig 10.9.$n.1 10.9.$n.2
			secret $W/pki/static.key 0
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
	start "peer$n" laptop openvpn --dev tun --remote "${far-$server_outer}" $((1200 + n)) --nobind \
		--ifconfig "10.9.$n.2" "10.9.$n.1" --secret "$W/pki/static.key" 1 \
		--cipher "$cipher" --auth "$auth" --ping 1 --verb 4 "$@"
	await_log "peer$n" 20 'Initialization Sequence Completed' || fail "peer $n does not start"
}

works() {
	await 10 "tunnel $1 to carry a first ping" works_soon "$1"
	on laptop ping -c 5 -i 0.05 -W 2 -s "${2-56}" -q "10.9.$1.1" >"$W/ping.log"
	grep -q ' 5 received' "$W/ping.log" || fail "tunnel $1: $(grep received "$W/ping.log")"
}

works_soon() { on laptop ping -c 1 -W 1 -q "10.9.$1.1" >/dev/null; }

inside() {
	local n
	for n in "${used[@]}"; do
		ip -n "$(ns server)" addr replace "10.9.$n.1/32" dev visp0
		ip -n "$(ns server)" route replace "10.9.$n.2/32" dev visp0
	done
}

all_up() { [ "$(log_count control 'static-key tunnel is up')" = "$tunnels" ]; }

tunnel 1 AES-256-CBC SHA256
tunnel 2 AES-128-CBC SHA1 float 'comp-lzo no'
tunnel 3 none SHA512
# Over IPv6 the headers outside are longer: `mtu` counts them.
tunnel 4 AES-128-CBC SHA256 "local $server_outer6" 'fragment 800 mtu' 'proto udp6'
# And many more, the last of which is used.
for n in $(seq 5 "$tunnels"); do
	tunnel "$n" AES-256-CBC SHA256
done
server_config 'keepalive 1 20' "tunnel $W/tunnels"
server_start
await 15 "all tunnels to be up" all_up
inside # addresses of our ends
peer 1 AES-256-CBC SHA256
peer 2 AES-128-CBC SHA1 --comp-lzo no --allow-compression asym
peer 3 none SHA512
far=$server_outer6 peer 4 AES-128-CBC SHA256 --proto udp6 --fragment 800 mtu
peer "$tunnels" AES-256-CBC SHA256
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
	works "$n"
	works "$n" 1400
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
await 5 "the tunnel with float to follow" works_soon 2
works 2
say "a tunnel with float follows its peer"

stop dataplane 5 KILL || true
rm "$W/dataplane.log"
dataplane_start
inside
for n in 2 "$tunnels"; do # 2 has moved
	works "$n"
done
say "they go on after the dataplane was killed"

if grep -E 'Authenticate/Decrypt packet error|Bad|mismatch' "$W"/peer*.log; then
	fail "a stock end complains"
fi
stop control || fail "control ended with status $?"
stop dataplane || fail "the dataplane ended with status $?"
