#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A client with a good certificate renegotiates with a key-method-2 message that is malformed: the
# session goes on with the key that it had, and control's memory is sound. Sanitizers see the latter
# best.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
export ASAN_OPTIONS=detect_leaks=0 # a confined process can't look for leaks
clients=8

net_begin
pki_begin
hotspot_join a
mkdir "$W/certs"
cp "$W/pki/laptop.crt" "$W/certs/c0.crt" # one for the session,
cp "$W/pki/laptop.crt" "$W/certs/c1.crt" # and the same for the renegotiation
server_config duplicate-cn
server_start
start load laptop "$build/bench/handshake/visp-handshakes" --server "$server_outer:1194" \
	--ca "$W/pki/ca.crt" --certs "$W/certs" --key "$W/pki/laptop.key" \
	--tls-crypt "$W/pki/tc.key" --clients $clients --limit $clients --warm 0 --seconds 30 --broken
refused() { [ "$(log_count control 'renegotiation failed.*key-method-2 message is malformed')" = $clients ]; }
await 30 "$clients renegotiations to be refused" refused
[ "$(log_count control 'renegotiated')" = 0 ] || fail "a renegotiation was completed"
[ "$(status_json | jq '.sessions | length')" = $clients ] || fail "a session is gone"
server_stop
