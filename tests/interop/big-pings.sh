#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Pings of 1,472 bytes, which fill a tunnel MTU of 1500 and so need outer fragments, pass both ways.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
server_config
# Our client has its kernel cut what doesn't fit before it is sealed; stock ones send fragments. Of
# these the kernel makes datagrams again before af_packet sees them, which af_xdp is spared.
cut=false
if [ "$SERVER$CLIENT" = vispopenvpn ]; then
	cut=true
	sed -i 's/^outer net_af_packet0/outer net_af_xdp0/' "$W/dataplane.conf"
fi
client_config laptop
server_start
client_start laptop
address=$(ip -n "$(ns laptop)" -4 -j addr show | jq -r '.[] | select(.ifname | startswith("tun"))
	| .addr_info[0].local')
all_answered up laptop 100 "$server_inner" -i 0.01 -s 1472 ||
	fail "from the client: $(grep received "$W/up.log")"
all_answered down server 100 "$address" -i 0.01 -s 1472 ||
	fail "from the server: $(grep received "$W/down.log")"
if [ "$SERVER" = visp ]; then
	telemetry /visp/totals | jq -e --argjson cut "$cut" \
		'.frags_made > 0 and (.reassembled > 0) == $cut' >/dev/null ||
		fail "fragments: $(telemetry /visp/totals | jq -c '{reassembled, frags_made}')"
fi
say "100 of 100 pings of 1,472 bytes each way"
