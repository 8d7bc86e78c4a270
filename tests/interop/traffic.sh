#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# With every wrapping of the control channel and every AEAD cipher a client connects with TLS 1.3,
# 1,000 of 1,000 pings come back, and 200 MB of TCP arrive intact each way.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a

# Each client says which cipher was agreed; stock sides and our server which version of TLS.
agreed() {
	local log=laptop words='Control Channel: TLSv1\.3'
	[ "$CLIENT" = openvpn ] || log=server
	[ "$SERVER$CLIENT" != vispvisp ] || log=control words='session connected.* tls="TLSv1\.3 '
	[ "$(log_count $log "$words")" -gt 0 ] || fail "$1: no TLS 1.3"
	[ "$(log_count laptop "Data Channel: cipher '$CIPHER'|cipher=$CIPHER")" -gt 0 ] ||
		fail "$1: not $CIPHER"
}

try() { # WRAP CIPHER TRANSFER?
	WRAP=$1
	CIPHER=$2
	rm -f "$W"/*.log
	server_config
	client_config laptop
	server_start
	client_start laptop
	agreed "$1 $2"
	all_answered ping laptop 1000 "$server_inner" -i 0.001 ||
		fail "$1 $2: $(grep received "$W/ping.log")"
	say "$1 $2: 1000 of 1000 pings"
	if [ -n "${3-}" ]; then
		probe_serve
		on laptop "$build/bench/probe/visp-probe" transfer \
			--server "$server_inner:$probe_port" --up 200000000 --down 200000000 ||
			fail "$1 $2: transfer"
		stop probe-server
		[ "$SERVER" = openvpn ] ||
			telemetry /visp/totals | jq -e '.mss_clamped > 0' >/dev/null ||
			fail "$1 $2: no MSS was lowered"
	fi
	stop laptop || fail "$1 $2: the client ended with status $?"
	server_stop
}

# Quick: each wrapping and each cipher, two of them with transfers.
if [ "$full" = 0 ]; then
	try none CHACHA20-POLY1305 1
	try tls-auth AES-128-GCM
	try tls-crypt AES-256-GCM 1
	try tls-crypt-v2 AES-256-GCM
	try tls-crypt-v2 CHACHA20-POLY1305
	exit 0
fi
for wrap in none tls-auth tls-crypt tls-crypt-v2; do
	for cipher in AES-256-GCM AES-128-GCM CHACHA20-POLY1305; do
		try $wrap $cipher 1
	done
done
