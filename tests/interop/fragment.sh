#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-client with `fragment`: packets of every size pass both ways in datagrams that no router has
# to cut, TCP too, and a move between hotspots is answered, with our server and a stock one.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$CLIENT" = visp ] || fail "this is about visp-client"
WRAP=none

net_begin
pki_begin
head -c 300000 /dev/urandom >"$W/file"

# IP packets that were cut or put together in a namespace, outside the tunnel and inside.
cut_packets() {
	# shellcheck disable=SC2016 # awk expands it
	on "$1" awk '$1 != "Ip:" { next }
		!n { n = split($0, name); next }
		{ for (i = 2; i <= n; i++) if (name[i] ~ /^(ReasmReqds|FragCreates)$/) sum += $i }
		END { print sum + 0 }' /proc/net/snmp
}

pings() { # LABEL
	local size
	for size in 16 100 672 1372 1472; do
		all_answered ping laptop 3 "$server_inner" -i 0.02 -s $size ||
			fail "$1: pings of $size bytes: $(grep received "$W/ping.log")"
	done
}

# try LABEL CIPHER 'SERVER LINES' 'CLIENT LINES'
try() {
	local label=$1 s c log
	CIPHER=$2
	rm -f "$W"/*.log
	hotspot_join a
	IFS='|' read -ra s <<<"$3"
	IFS='|' read -ra c <<<"$4"
	server_config "${s[@]}"
	client_config laptop "data-ciphers $CIPHER" "${c[@]}"
	server_start
	client_start laptop
	pings "$label"
	start sink server python3 -c 'import socket, sys
s = socket.create_server((sys.argv[1], 9)); print("ready", flush=True)
c = s.accept()[0]; d = c.makefile("rb").read(300000); c.sendall(d); c.close()' "$server_inner"
	await_log sink 5 ready || fail "$label: no sink"
	on laptop timeout 20 python3 -c 'import socket, sys
c = socket.create_connection((sys.argv[1], 9)); d = open(sys.argv[2], "rb").read()
c.sendall(d); sys.exit(c.makefile("rb").read() != d)' "$server_inner" "$W/file" ||
		fail "$label: 300,000 bytes of TCP don't come back as they were"
	stop sink
	hotspot_join b
	await_log laptop 10 'moves=1 ' || fail "$label: no end of the move"
	pings "$label, moved"
	[ "$(log_count laptop 'Initialization Sequence Completed')" = 1 ] || fail "$label: it began again"
	[ "$(cut_packets laptop)" = 0 ] || fail "$label: $(cut_packets laptop) IP packets in pieces"
	for log in laptop server control dataplane; do
		[ -e "$W/$log.log" ] || continue
		grep -E 'FRAG_IN error|used inconsistently|is present in (local|remote)|bad source|error=|Bad LZO' \
			"$W/$log.log" && fail "$label: a line in the log of $log that looks like a fault"
	done
	say "$label: pings of all sizes, TCP, $(grep -o 'moved in [0-9]* us after [0-9]* probes' "$W/laptop.log")"
	stop laptop || fail "$label: the client ended with status $?"
	server_stop
}

try 'GCM' AES-256-GCM 'fragment 1200' 'fragment 1200'
try 'CBC, small, with a byte of compression' AES-256-CBC \
	'fragment 500 mtu|auth SHA256|comp-lzo no|push "comp-lzo no"|allow-compression asym' \
	'fragment 500 mtu|auth SHA256|comp-lzo no'
[ "$full" = 0 ] || {
	try 'CFB' AES-128-CFB 'fragment 700|auth SHA512' 'fragment 700|auth SHA512'
	try 'ChaCha' CHACHA20-POLY1305 'fragment 1400 mtu' 'fragment 1400 mtu'
}
