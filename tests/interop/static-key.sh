#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Tunnels with static keys, beside clients with certificates, on one dataplane: each has a UDP port
# and a file of its own. A stock openvpn with the same key is at the other end; with `float` it is
# followed to a new address by its next packet, without it nobody is.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --client openvpn "$@"

net_begin
pki_begin
hotspot_join a
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
	start "peer$n" laptop openvpn --dev tun --remote "$server_outer" $((1200 + n)) --nobind \
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

tunnel 1 AES-256-CBC SHA256
tunnel 2 AES-128-CBC SHA1 float 'comp-lzo no'
tunnel 3 none SHA512
server_config 'keepalive 1 20' "tunnel $W/tunnels"
server_start
await_log control 15 'static-key tunnel is up.*t3.conf' || fail "no third tunnel"
for n in 1 2 3; do
	ip -n "$(ns server)" addr add "10.9.$n.1/32" dev visp0
	ip -n "$(ns server)" route add "10.9.$n.2/32" dev visp0
done
peer 1 AES-256-CBC SHA256
peer 2 AES-128-CBC SHA1 --comp-lzo no --allow-compression asym
peer 3 none SHA512
for n in 1 2 3; do
	works $n
	works $n 1400
done
say "three tunnels, three formats: pings pass"

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

if grep -E 'Authenticate/Decrypt packet error|Bad|mismatch' "$W"/peer*.log; then
	fail "a stock end complains"
fi
stop control || fail "control ended with status $?"
stop dataplane || fail "the dataplane ended with status $?"
