#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What clients say at once over TLS is heard to the end, though it is more than control reads in one
# go and nothing comes after it: their EXIT is the last word.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
clients=4

net_begin
pki_begin
hotspot_join a
mkdir "$W/certs"
cp "$W/pki/laptop.crt" "$W/certs/c0.crt"
server_config duplicate-cn
server_start
start load laptop "$build/bench/handshake/visp-handshakes" --server "$server_outer:1194" \
	--ca "$W/pki/ca.crt" --certs "$W/certs" --key "$W/pki/laptop.key" \
	--tls-crypt "$W/pki/tc.key" --clients $clients --limit $clients --warm 0 --seconds 20 --chatty
left() { [ "$(log_count control 'session ended reason=client-exit')" = $clients ]; }
await 15 "$clients clients to leave" left
server_stop
