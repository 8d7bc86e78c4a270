#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every cipher that isn't AEAD, every digest, and the framings of old configurations: a client
# connects, small and large packets pass both ways, keys are renewed, and neither log has a line
# that a user would take for a fault.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
WRAP=none

net_begin
pki_begin
hotspot_join a

# What stock peers say when something doesn't match or can't be read, and what ours do.
faults='used inconsistently|is present in (local|remote) config|Authenticate/Decrypt packet error|Bad (LZO|compression)|FRAG_IN error|bad source|Options error|renegotiation failed|ERROR|error='
no_faults() {
	local log
	for log in laptop server control dataplane; do
		[ -e "$W/$log.log" ] || continue
		if grep -E "$faults" "$W/$log.log"; then
			fail "$1: a line in the log of $log that looks like a fault"
		fi
	done
}

# ping_all LABEL: sizes on both sides of one block, of the MTU and of one datagram.
ping_all() {
	local size
	await 10 "$1: a first ping" on laptop ping -c 1 -W 1 -q "$server_inner"
	for size in 0 8 9 100 1372 1472; do
		all_answered ping laptop 4 "$server_inner" -i 0.01 -s $size ||
			fail "$1: pings of $size bytes: $(grep received "$W/ping.log")"
	done
}

# try LABEL CIPHER 'SERVER LINES' 'CLIENT LINES' [EXPECTED-IN-CLIENT-OR-SERVER-LOG]
try() {
	local label=$1 s c log=laptop
	CIPHER=$2
	rm -f "$W"/*.log
	IFS='|' read -ra s <<<"$3"
	IFS='|' read -ra c <<<"$4"
	server_config "${s[@]}"
	client_config laptop "${c[@]}"
	server_start
	client_start laptop
	[ "$CLIENT" = openvpn ] || log=server
	[ "$SERVER$CLIENT" = vispvisp ] && log=laptop
	[ -z "${5-}" ] || [ "$(log_count $log "$5")" -gt 0 ] || fail "$label: no '$5' in the log of $log"
	ping_all "$label"
	no_faults "$label"
	say "$label: connected, pings of all sizes"
	stop laptop || fail "$label: the client ended with status $?"
	server_stop
}

weak='providers legacy default'
[ "$SERVER" = openvpn ] && sweak="|$weak" || sweak=
[ "$CLIENT" = openvpn ] && cweak="|$weak" || cweak=

cbc() { try "$1 $2" "$1" "auth $2" "data-ciphers $1|auth $2" "$1"; }
cbc AES-256-CBC SHA256
cbc AES-128-CFB SHA1
cbc AES-256-OFB SHA512
try 'BF-CBC MD5' BF-CBC "auth MD5$sweak" "data-ciphers BF-CBC|auth MD5$cweak" BF-CBC
try 'none SHA256' none 'auth SHA256' 'data-ciphers none|auth SHA256'
# Old configurations, played by 2.6: a client with a compression context, a client that fragments,
# and releases that don't negotiate.
if [ "$SERVER$CLIENT" = vispopenvpn ]; then
	try 'comp-lzo' AES-256-GCM '' 'data-ciphers AES-256-GCM|comp-lzo|allow-compression asym' 'stub-v2'
	try 'compat-mode 2.4' AES-256-GCM:AES-256-CBC 'auth SHA256' \
		'compat-mode 2.4.0|data-ciphers AES-256-CBC|cipher AES-256-CBC|auth SHA256' AES-256-CBC
	try 'auth of the client' AES-256-CBC 'auth SHA1' 'data-ciphers AES-256-CBC|auth SHA512' SHA512
	# Without a peer-id: P_DATA_V1, once for each family of ciphers.
	for cipher in AES-256-GCM AES-256-CBC AES-256-CFB AES-256-OFB; do
		try "$cipher, P_DATA_V1" $cipher 'data-format v1|auth SHA256' \
			"data-ciphers $cipher|auth SHA256" 'PUSH_REPLY'
		[ "$(log_count laptop 'PUSH_REPLY.*peer-id')" = 0 ] || fail "$cipher: a peer-id"
	done
	try 'fragment' AES-256-GCM 'fragment 1200' 'data-ciphers AES-256-GCM|fragment 1200'
fi
# Framings that a stock server insists on: a byte in front, one that takes the place of the first,
# and none but for payloads that look like one.
if [ "$SERVER$CLIENT" = openvpnvisp ]; then
	pushed="SENT CONTROL.*PUSH_REPLY.*,"
	try 'comp-lzo no, pushed' AES-256-GCM 'allow-compression asym|comp-lzo no|push "comp-lzo no"' \
		'data-ciphers AES-256-GCM' "${pushed}comp-lzo no,"
	try 'compress stub' AES-256-CBC 'allow-compression asym|compress stub|push "compress stub"' \
		'data-ciphers AES-256-CBC' "${pushed}compress stub,"
	try 'compress stub-v2' AES-256-GCM \
		'allow-compression asym|compress stub-v2|push "compress stub-v2"' \
		'data-ciphers AES-256-GCM' "${pushed}compress stub-v2,"
fi
[ "$full" = 0 ] || {
	for cipher in AES-128-CBC AES-192-CBC AES-256-CBC CAMELLIA-128-CBC CAMELLIA-256-CBC; do
		for digest in SHA1 SHA256 SHA512; do cbc $cipher $digest; done
	done
	for cipher in AES-192-CFB AES-256-CFB AES-128-OFB AES-192-OFB; do cbc $cipher SHA256; done
}
