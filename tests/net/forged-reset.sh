#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Bytes that look like a server's hard reset, from its address: the client begins no session for
# them, so that they don't use up the turns of real ones.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
forged=20

net_begin
pki_begin
hotspot_join a
server_config
client_config laptop 'verb 5'
server_start
client_start laptop
place=$(telemetry /visp/session,0 | jq -r '"\(.remote) \(.remote_port)"')
# shellcheck disable=SC2086 # two words
on server python3 - "$server_outer" $place $forged <<'TXT' || fail "nothing was sent"
import os, socket, struct, sys
server, client, port, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for i in range(n):
    # P_CONTROL_HARD_RESET_SERVER_V2, first alone, then with a body.
    data = b"\x40" + (os.urandom(60) if i else b"")
    udp = struct.pack("!HHHH", 1194, port, 8 + len(data), 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), i, 0, 64, 17, 0,
                     socket.inet_aton(server), socket.inet_aton(client))
    s.sendto(ip + udp, (client, 0))
TXT
on laptop ping -c 3 -i 0.2 -W 2 -q "$server_inner" >/dev/null || fail "the tunnel suffered"
[ "$(log_count laptop 'new session beside the old one')" = 0 ] || fail "it took a forged reset for real"
stop laptop || fail "the client ended with status $?"
server_stop
