#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A million replayed, cut, bit-flipped and forged data packets and reconfiguration Pings, from new
# addresses and from the client's own: nothing moves, nothing crashes, each is counted under a named
# drop reason, and the client's own traffic goes on meanwhile. With "v1" in data format V1, with
# "cbc" under AES-256-CBC and SHA256, with "epoch" in the format of 2.7.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
wanted=1000000 # have to reach the server
rate=50000
between=20
lines=()
reconf=48 # bytes of a reconfiguration Ping
case ${ARGS[0]-} in
v1) lines=('data-format v1') reconf=45 quick=250000 ;;
cbc) CIPHER=AES-256-CBC lines=('data-ciphers AES-256-CBC' 'auth SHA256') reconf=92 quick=100000 ;;
epoch) lines=('data-format epoch') reconf=52 quick=100000 ;;
esac
[ "$full" = 1 ] || wanted=${quick-$wanted}
count=$((wanted * 11 / 10)) # on a busy machine the kernel loses some on the way to the port

net_begin
pki_begin
hotspot_join a
server_config 'keepalive 60 300' 'auth SHA256' # no Pings in between, which would blur the count
client_config laptop "${lines[@]}"
server_start
client_start laptop

# Record ordinary traffic and real reconfiguration Pings.
mkfifo "$W/hostile.in"
# shellcheck disable=SC2016 # the inner shell expands it
start hostile world sh -c 'exec "$@" <"$0"' "$W/hostile.in" "$build/tests/net/visp-hostile" srv \
	"$server_outer:1194" "$count" "$rate" 42 "$reconf" 203.0.113.1 203.0.113.66 198.51.100.77 10.8.0.9
exec {hostile_fd}>"$W/hostile.in"
await_log hostile 5 recording || fail "no generator"
probe_serve
probe_begin --watch wlan0 --outer "$server_outer:1194"
probe_say at a
for _ in 1 2 3 4 5 6; do
	hotspot_roam "$(other_hotspot)"
done
probe_end
stop probe-server
for size in 0 100 500 1000 1400; do
	all_answered sizes laptop 20 "$server_inner" -i 0.002 -s "$size" || fail "no ping"
done

figures() { telemetry /visp/drops | jq -c "[.[]] | add"; }
endpoint() { telemetry /visp/session,0 | jq -r '"\(.remote):\(.remote_port)"'; }
count_of() { telemetry /visp/totals | jq ".$1"; }
# Frames that came, without those that were joined to others.
received() { echo $(($(count_of outer_rx_packets) - $(count_of frags_merged))); }
before=$(figures)
frames=$(received)
moves=$(count_of handovers)
own=$(count_of decrypted)
place=$(endpoint)
echo go >&"$hostile_fd"
start ping laptop ping -i 0.05 -s 64 "$server_inner"
await_log hostile 120 '^sent ' || fail "the generator did not end"
stop ping 5 INT
exec {hostile_fd}>&-
running dataplane || fail "the dataplane has ended"
running control || fail "control has ended"
grep '^sent' "$W/hostile.log" >&2
grep received "$W/ping.log" >&2
read -r _ sent _ _ _ reconfs < <(grep '^sent' "$W/hostile.log")
telemetry /visp/drops | jq -c 'with_entries(select(.value > 0))' >&2
dropped=$(($(figures) - before))
[ "$(count_of handovers)" = "$moves" ] || fail "a session moved"
[ "$(endpoint)" = "$place" ] || fail "the session is elsewhere"
[ "$sent" = $count ] || fail "only $sent packets were sent"
[ "$reconfs" -gt 0 ] || fail "no reconfiguration Ping was recorded"
# What came, but for the client's own packets, is to be found among the drops. The rest is for what
# is under way when the counters are read.
own=$(($(count_of decrypted) - own))
came=$(($(received) - frames))
say "$sent sent, $came came, $own of the client, $dropped dropped under a name"
at_most "$wanted" "$came" || fail "the kernel lost too many"
at_most "$dropped" $((came - own + between)) || fail "more drops than packets"
at_most $((came - own - between)) "$dropped" || fail "packets vanished without a name"
at_most "$(sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p' "$W/ping.log")" 10 ||
	fail "the client's own traffic suffered"
