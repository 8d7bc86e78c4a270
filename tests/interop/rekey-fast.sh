#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The client renegotiates every 3 s, the server hardly ever: each negotiation begins long before the
# server would take the last key into use (up to 60 s), and makes the client forget the key before
# that one. Nothing is lost all the same.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
server_config 'reneg-sec 3600'
client_config laptop 'reneg-sec 3'
server_start
client_start laptop
probe_serve
# What of the dataplane's drops means that a key was missing or wrong, whatever the machine does.
key_drops() {
	[ "$SERVER" = openvpn ] || telemetry /visp/drops | jq -c '{no_key, bad_tag, no_tx_key}'
}
drops=$(key_drops)
probe_begin --tcp --tcp-rate 10 --watch wlan0 --outer "$server_outer:1194"
patiently sleep 15
probe_end
[ "$(key_drops)" = "$drops" ] || fail "keys were missing: $drops, then $(key_drops)"
cat "$W/probe.json"
jq -e '.tcp.intact' "$W/probe.json" >/dev/null || fail "TCP broke"
jq -e '.tcp.stalled_ms <= 1000' "$W/probe.json" >/dev/null || fail "TCP stalled"
jq -e '.handshakes >= 3' "$W/probe.json" >/dev/null || fail "hardly any renegotiation"
jq -e '.probes | .lost_up <= 15 and .lost_down <= 15' "$W/probe.json" >/dev/null ||
	fail "rekeying loses packets"
