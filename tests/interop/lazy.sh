#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Lazy reconfiguration with P_DATA_V1: the session id is in the IV, the server follows our client's
# next data packet, and no handshake takes place.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
WRAP=none

arrives() { on laptop ping -c 1 -W 1 -q "$server_inner" >/dev/null; }

net_begin
pki_begin
# Half the IV with blocks of 128 bits, all of it with 64.
for CIPHER in AES-256-CBC AES-128-CFB AES-256-OFB BF-CBC; do
	rm -f "$W"/*.log
	hotspot_join a
	server_config 'auth SHA256' 'mobility lazy'
	client_config laptop "data-ciphers $CIPHER" 'auth SHA256' 'data-format v1' 'mobility lazy'
	server_start
	client_start laptop
	await 5 "$CIPHER: a first ping" arrives
	hotspot_join b
	await 10 "$CIPHER: the session at its new address" arrives
	[ "$(status_json | jq '[.sessions[].handovers] | add')" = 1 ] || fail "$CIPHER: not one move"
	[ "$(log_count laptop 'Initialization Sequence Completed')" = 1 ] || fail "$CIPHER: a handshake"
	say "$CIPHER: followed without a handshake"
	stop laptop || fail "$CIPHER: the client ended with status $?"
	server_stop
done
