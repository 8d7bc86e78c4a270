#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# In a table of one place, a client takes the place that another one left more than 10 s ago at
# once, also when visp-control was killed and restarted meanwhile; within those 10 s it is refused.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
rest_s=10

empty() { [ "$(status_json | jq .totals.live)" = 0 ]; }
full() { log_count control 'the server is full'; }
refused() { [ "$(full)" -gt "$before" ]; }

net_begin
pki_begin
hotspot_join a
server_config
sed -i 's/^sessions .*/sessions 1/' "$W/dataplane.conf"
client_config laptop 'connect-retry 1 1' 'explicit-exit-notify 1'
server_start
client_start laptop
stop laptop || fail "the client ended with status $?"
await 10 "the place to be empty" empty
stop control 5 KILL
control_start
before=$(full)
client_begin laptop
await 8 "a place that rests to be refused" refused
client_up laptop 20 || fail "the client doesn't connect after the rest"
stop laptop || fail "the client ended with status $?"
await 10 "the place to be empty again" empty
patiently sleep $((rest_s + 1))
stop control 5 KILL
control_start
before=$(full)
client_start laptop
[ "$(full)" = "$before" ] || fail "refused although the place had rested"
say "a place that has rested is taken at once after a restart, one that hasn't is not"
