#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-client with a static key: up at once, pings both ways, and a move between hotspots that a
# peer with `float` follows by the Ping that announces it. The peer is our server or a stock
# openvpn. Then what is wrong with a key is said with file and line.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$CLIENT" = visp ] || fail "this is about visp-client"

net_begin
pki_begin
hotspot_join a
static_begin

# profile NUMBER [LINE...]: $W/pN.ovpn
profile() {
	local n=$1 line
	shift
	{
		cat <<-TXT
			dev tun
			remote $server_outer $((1200 + n))
			nobind
			ifconfig 10.9.$n.2 10.9.$n.1
			ping 20
			ping-restart 30
			verb 3
			allow-deprecated-insecure-static-crypto
		TXT
		for line; do echo "$line"; done
	} >"$W/p$n.ovpn"
}

# far NUMBER [LINE...]: the other end; a file for our server, or a stock openvpn, started.
far() {
	local n=$1
	shift
	KEEPALIVE='1 30' tunnel_config "$n" float 'verb 4' "$@"
	[ "$SERVER" = openvpn ] || return 0
	start "far$n" server openvpn --config "$W/tunnels/t$n.conf"
	await_log "far$n" 10 'UDPv4 link remote' || fail "far end $n does not start"
}

works_back() { on server ping -c 1 -W 1 -q -I "10.9.$1.1" "10.9.$1.2" >/dev/null; }

far 1 'cipher AES-256-CBC' 'auth SHA256'
far 2 'cipher AES-128-CBC' 'auth SHA1' 'comp-lzo no'
far 3 'cipher none' 'auth SHA512' 'fragment 600'
if [ "$SERVER" = visp ]; then
	server_config 'keepalive 1 20' "tunnel $W/tunnels"
	server_start
	await_log control 15 'static-key tunnel is up.*t3.conf' || fail "no third tunnel"
	tunnel_addresses 1 2 3
fi
profile 1 "secret $W/pki/static.key 1" 'cipher AES-256-CBC' 'auth SHA256' float
profile 2 'key-direction 1' 'cipher AES-128-CBC' 'auth SHA1' 'comp-lzo no' \
	'<secret>' "$(cat "$W/pki/static.key")" '</secret>'
profile 3 "secret $W/pki/static.key 1" 'cipher none' 'auth SHA512' 'fragment 600'
for n in 1 2 3; do
	client_start "p$n"
	tunnel_works $n
	tunnel_works $n 1400
	await 5 "a ping from the far end through tunnel $n" works_back $n
done
say "three tunnels, three formats: pings pass both ways"

# Nothing is sent but the Pings that tell of the new address; the next one of keep-alive would
# come too late.
hotspot_join b
for n in 1 2 3; do
	await_log "p$n" 5 'path changed' || fail "client $n does not notice"
	await 5 "the far end of tunnel $n to follow" works_back $n
	tunnel_works $n 1400
	[ "$(log_count "p$n" 'Initialization Sequence Completed')" = 1 ] || fail "$n began again"
done
say "a far end with float follows"

# Begun anew, packet-ids go on where they were, so that nothing is a replay.
# shellcheck disable=SC2154 # netns.sh keeps the ids
kill -USR1 "${pid[p1]}"
await_log p1 10 'connecting anew: signal' || fail "no new connection"
tunnel_works 1
say "connected anew"

# A silent peer isn't a tunnel.
profile 4 "secret $W/pki/static.key 1" 'cipher AES-256-CBC' 'auth SHA256'
sed -i 's/^ping-restart.*/ping-exit 2/' "$W/p4.ovpn"
client_begin p4
await_log p4 10 'the server is silent' || fail "client 4 waits for ever"
if grep -q 'Initialization Sequence Completed' "$W/p4.log"; then
	fail "a tunnel to nobody is said to be up"
fi

# wrong TEXT LINE...: such a profile ends with this text.
wrong() {
	local text=$1
	shift
	profile 5 "$@"
	on laptop timeout 10 "$build/client/visp-client" --config "$W/p5.ovpn" >"$W/p5.log" 2>&1 &&
		fail "$text: it works"
	grep -q "$text" "$W/p5.log" || fail "not said: $text; but $(cat "$W/p5.log")"
}
head -n 10 "$W/pki/static.key" >"$W/short.key"
wrong 'p5.ovpn:9: .*short.key' "secret $W/short.key 1" 'cipher AES-256-CBC'
wrong 'p5.ovpn:9: .*nowhere.key' "secret $W/nowhere.key 1" 'cipher AES-256-CBC'
say "what is wrong is said"

if [ "$SERVER" = openvpn ] &&
	grep -E 'Authenticate/Decrypt packet error|Bad |mismatch' "$W"/far*.log; then
	fail "a stock end complains"
fi
for n in 1 2 3; do
	stop "p$n" || fail "client $n ended with status $?"
done
[ "$SERVER" = openvpn ] || server_stop
