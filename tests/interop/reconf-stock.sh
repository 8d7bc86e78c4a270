#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Reconfiguration Pings reach an unmodified server, which knows nothing of them, and do no harm in
# any family of ciphers.
#   V2, from the client's own address and from a new one: the server reads them, says that it can't
#       authenticate them, and the session goes on; data makes it follow.
#   V1, from a new address: it drops them without a word, and the client connects anew.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --server openvpn "$@"
[ "$SERVER" = openvpn ] || fail "this is about a stock server"
WRAP=none
# Bytes of a reconfiguration Ping with SHA256 in V1 (protocol/mobility.h); V2 has three more.
declare -A bytes=([AES-256-GCM]=45 [CHACHA20-POLY1305]=45 [AES-256-CBC]=89 [CAMELLIA-128-CBC]=89
	[AES-128-CFB]=73 [AES-256-OFB]=73 [BF-CBC]=73 [none]=61)

begin() { # CLIENT-LINE...
	rm -f "$W"/*.log "$W/laptop.events"
	hotspot_join a
	# A stock server pushes whatever it is told to: a client then believes that it is understood.
	server_config 'auth SHA256' 'providers legacy default' 'push "mobility 1"'
	sed -i 's/^verb .*/verb 6/' "$W/server.conf" # tells of each packet
	client_config laptop "data-ciphers $CIPHER" 'auth SHA256' "$@"
	server_start
	start laptop laptop "$(client_program)" --config "$W/laptop.ovpn" --events "$W/laptop.events"
	client_up laptop 20 || fail "$CIPHER: the client does not connect"
	await 10 "$CIPHER: a first ping" on laptop ping -c 1 -W 1 -q "$server_inner"
}

probes() { jq -s '[.[] | select(.event == "probe" and .kind == "reconf")] | length' "$W/laptop.events"; }
connections() { log_count laptop 'Initialization Sequence Completed'; }
connected() { [ "$(connections)" -ge "$1" ]; }

# Lines of the server's log about packets of P_DATA_V2 and of this length. It prints them with the
# address that it knows, behind a line about the new one.
reads() { log_count server "READ \[$1\] from .*: P_DATA_V2 "; }
read_some() { [ "$(reads "$1")" -ge 1 ]; }
read_float() {
	grep -A 1 'Float requested for peer 0 to 203.0.113.10:' "$W/server.log" |
		grep -q "READ \[$1\] from .*: P_DATA_V2 "
}

works() {
	all_answered ping laptop 10 "$server_inner" -i 0.02 ||
		fail "$CIPHER $1: $(grep received "$W/ping.log")"
	! grep -E 'Bad |[Ff]atal|exiting|SIG|Replay|bad source' "$W/server.log" ||
		fail "$CIPHER $1: the server complains"
}

# Its answers are lost for a while: the client asks from where it is.
mute() {
	on hsa nft -f - <<-'TXT'
		table ip mute {
			chain in {
				type filter hook prerouting priority -300
				iifname "wan" udp sport 1194 drop
			}
		}
	TXT
}

v2() {
	local n=$((bytes[$CIPHER] + 3)) read
	begin
	mute
	start busy laptop ping -i 0.1 -q "$server_inner"
	await 10 "$CIPHER: a reconfiguration Ping from the known address" \
		read_some $n
	on hsa nft delete table ip mute
	stop busy 5 INT
	works 'v2, known address'
	hotspot_join b
	await 10 "$CIPHER: the server to follow" on laptop ping -c 1 -W 1 -q "$server_inner"
	works 'v2, new address'
	read_float $n || fail "$CIPHER v2: no Ping from the new address was read"
	read=$(reads $n)
	[ "$read" -le "$(probes)" ] || fail "$CIPHER v2: $(probes) Pings sent, $read read"
	[ "$(log_count server 'packet error|Decrypt error')" = "$read" ] ||
		fail "$CIPHER v2: not one remark for each of $read Pings"
	[ "$(connections)" = 1 ] || fail "$CIPHER v2: the client connected anew"
	say "$CIPHER v2: $read Pings read, no harm"
	end
}

v1() {
	local n=${bytes[$CIPHER]}
	begin 'data-format v1' 'pull-filter ignore mobility'
	start wire server tcpdump -i out0 -n -l \
		"src host 203.0.113.10 and udp dst port 1194 and udp[4:2] == $((n + 8))"
	await_log wire 10 listening || fail "no tcpdump"
	hotspot_join b
	await 30 "$CIPHER: a second connection" connected 2
	works v1
	[ "$(probes)" -ge 1 ] || fail "$CIPHER v1: no reconfiguration Ping was sent"
	await_log wire 5 'UDP, length' || fail "$CIPHER v1: no reconfiguration Ping arrived"
	[ "$(log_count server 'packet error|Decrypt error')" = 0 ] || fail "$CIPHER v1: the server complains"
	say "$CIPHER v1: $(probes) Pings sent, no harm"
	stop wire
	end
}

end() {
	stop laptop || fail "$CIPHER: the client ended with status $?"
	server_stop
}

net_begin
pki_begin
for CIPHER in AES-256-GCM CHACHA20-POLY1305 AES-256-CBC AES-128-CFB AES-256-OFB BF-CBC \
	CAMELLIA-128-CBC none; do
	v2
	# Dropped before a cipher is asked: one is enough in the quick form.
	if [ "$full" = 1 ] || [ "$CIPHER" = AES-256-CBC ]; then v1; fi
done
