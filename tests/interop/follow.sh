#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A client that only downloads and whose address changes, which it can't know, is followed on the
# first packet that it sends, also within a second of having connected.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
moves=5
[ "$full" = 0 ] || moves=30

net_begin
pki_begin
hotspot_join a
hotspot_renumber 0
# A client that is silent for a second sends a Ping: the only packets that go up here.
server_config 'keepalive 1 20'
client_config laptop
server_start
client_start laptop
probe_serve
probe_begin --up-rate 0 --down-rate 200 --watch wlan0 --outer "$server_outer:1194"
for ((i = 1; i <= moves; i++)); do
	# Nothing but downlink has flowed for the first of these since the client connected.
	hotspot_renumber "$i"
	probe_say "mark $i"
	await_log probe 10 "^handover $i " || fail "move $i"
done
probe_end
cat "$W/probe.json"
jq -e --argjson n "$moves" '.handovers | length == $n' "$W/probe.json" >/dev/null ||
	fail "not $moves moves"
# From the client's first packet after the change to the first that came back.
jq -r '.handovers[] | .outage_ms - .sent_ms' "$W/probe.json" >"$W/delays"
say "after the first packet: median $(percentile 50 <"$W/delays") ms, longest" \
	"$(percentile 100 <"$W/delays") ms"
at_most "$(percentile 100 <"$W/delays")" 500 || fail "not followed on the first packet"
at_most "$(percentile 50 <"$W/delays")" 20 || fail "followed late"
jq -e '.handshakes == 0' "$W/probe.json" >/dev/null || fail "a handshake took place"
