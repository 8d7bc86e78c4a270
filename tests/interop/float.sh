#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Our client moves between hotspots while it only downloads; an unmodified openvpn server follows
# and answers at once. Twenty handovers; the promise is a median of 5 ms, asserted is ten times that.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --server openvpn "$@"
moves=20

net_begin
pki_begin
hotspot_join a
server_config
client_config laptop
server_start
client_start laptop
probe_serve
probe_begin --up-rate 0 --down-rate 200 --watch wlan0 --outer "$server_outer:1194"
probe_say at a
for ((i = 0; i < moves; i++)); do
	hotspot_roam "$(other_hotspot)"
done
probe_end
outages() { jq -r '.handovers[].outage_ms // "none"' "$W/probe.json"; }
say "outage: median $(outages | percentile 50) ms, nine of ten $(outages | percentile 90) ms," \
	"longest $(outages | percentile 100) ms"
! outages | grep -q none || fail "a handover did not come to an end"
at_most "$(outages | percentile 50)" 50 || fail "median over 50 ms"
jq -e '.handshakes == 0' "$W/probe.json" >/dev/null || fail "a handshake took place"
