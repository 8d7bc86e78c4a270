#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A session belongs to the certificate that it began with: a client that shows another one in a
# renegotiation loses it at once, though the same CA signed both.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
# The generator's clients have one key for all certificates; the second is the impostor's.
mkdir "$W/certs"
cp "$W/pki/laptop.crt" "$W/certs/c0.crt"
openssl req -new -key "$W/pki/laptop.key" -subj /CN=impostor -out "$W/pki/impostor.csr" 2>/dev/null
openssl ca -batch -notext -config "$W/pki/ca.cnf" -extensions clientAuth -days 2 \
	-in "$W/pki/impostor.csr" -out "$W/certs/c1.crt" 2>/dev/null || fail "no second certificate"
server_config
server_start
start load laptop "$build/bench/handshake/visp-handshakes" --server "$server_outer:1194" \
	--ca "$W/pki/ca.crt" --certs "$W/certs" --key "$W/pki/laptop.key" \
	--tls-crypt "$W/pki/tc.key" --clients 1 --limit 1 --warm 0 --seconds 30 --impostor
await_log control 15 'session connected.*peer=laptop' || fail "no session"
await_log control 15 'identity changed in a renegotiation.*CN=impostor' ||
	fail "another certificate is taken"
gone_from_status() { [ "$(status_json | jq '.sessions | length')" = 0 ]; }
await 10 "the session to go" gone_from_status
[ "$(log_count control 'renegotiated')" = 0 ] || fail "the renegotiation was completed"
server_stop
