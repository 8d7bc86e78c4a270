#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A minute of TCP both ways while both sides renegotiate every 10 s: no stall over 1 s, every byte
# intact, and renegotiations did happen.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
server_config 'reneg-sec 10'
client_config laptop 'reneg-sec 10'
server_start
client_start laptop
probe_serve
# What of the dataplane's drops means that a key was missing or wrong, whatever the machine does.
key_drops() {
	[ "$SERVER" = openvpn ] || telemetry /visp/drops | jq -c '{no_key, bad_tag, no_tx_key}'
}
drops=$(key_drops)
probe_begin --tcp --tcp-rate 10 --watch wlan0 --outer "$server_outer:1194"
patiently sleep 60
probe_end
[ "$(key_drops)" = "$drops" ] || fail "keys were missing: $drops, then $(key_drops)"
cat "$W/probe.json"
jq -e '.tcp.intact' "$W/probe.json" >/dev/null || fail "TCP broke"
jq -e '.tcp.stalled_ms <= 1000' "$W/probe.json" >/dev/null || fail "TCP stalled"
jq -e '.tcp.up_bytes > 40e6 and .tcp.down_bytes > 40e6' "$W/probe.json" >/dev/null ||
	fail "hardly any TCP"
jq -e '.handshakes >= 4' "$W/probe.json" >/dev/null || fail "hardly any renegotiation"
jq -e '.probes | .lost_up <= 30 and .lost_down <= 30' "$W/probe.json" >/dev/null ||
	fail "rekeying loses packets"
