#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Pings of 1,472 bytes, which fill a tunnel MTU of 1500 and so need outer fragments, pass both ways.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
server_config
client_config laptop
server_start
client_start laptop
address=$(ip -n "$(ns laptop)" -4 -j addr show | jq -r '.[] | select(.ifname | startswith("tun"))
	| .addr_info[0].local')
on laptop ping -c 100 -i 0.01 -s 1472 -q "$server_inner" >"$W/up.log"
grep -q ' 100 received' "$W/up.log" || fail "from the client: $(grep received "$W/up.log")"
on server ping -c 100 -i 0.01 -s 1472 -q "$address" >"$W/down.log"
grep -q ' 100 received' "$W/down.log" || fail "from the server: $(grep received "$W/down.log")"
say "100 of 100 pings of 1,472 bytes each way"
