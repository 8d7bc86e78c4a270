#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Reconfiguration Pings sent to an unmodified server, which knows nothing of them, do no harm in any
# family of ciphers: its log has no line about them, and the client connects anew.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --server openvpn "$@"
WRAP=none

again() { [ "$(log_count laptop 'Initialization Sequence Completed')" -ge 2 ]; }

net_begin
pki_begin
for CIPHER in AES-256-GCM AES-256-CBC AES-128-CFB AES-256-OFB; do
	rm -f "$W"/*.log
	hotspot_join a
	server_config 'auth SHA256'
	client_config laptop "data-ciphers $CIPHER" 'auth SHA256' 'data-format v1' 'verb 4'
	server_start
	client_start laptop
	hotspot_join b
	await 30 'a second connection' again
	on laptop ping -c 3 -i 0.05 -W 2 -q "$server_inner" >"$W/ping.log" || fail "$CIPHER: no ping"
	! grep -E 'packet error|Bad|fatal|Fatal|exiting' "$W/server.log" || fail "$CIPHER: the server complains"
	say "$CIPHER: no harm"
	stop laptop || fail "$CIPHER: the client ended with status $?"
	server_stop
done
