#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# `reneg-pkts` of the server and `reneg-bytes` of the client: new keys when so much has passed, not
# before and once only, and no ping is lost over it.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$SERVER-$CLIENT" = visp-visp ] || fail "our own ends are what is tried here"

new_keys() { log_count laptop ': new keys key_id='; }
one_more() { [ "$(new_keys)" -gt "$1" ]; }
pings() { # COUNT BYTES
	all_answered pings laptop "$1" "$server_inner" -i 0.02 -s "$2" || fail "a ping is lost"
}
# Both look at least once a second.
looks=0
looked() { sleep 1; [ $((looks++)) -ge 3 ]; }

# half PINGS BYTES: below the limit with these, above it with as many again, below twice the limit
half() {
	local before
	before=$(new_keys)
	pings "$1" "$2"
	looks=0
	await 10 "both sides to look" looked
	[ "$(new_keys)" = "$before" ] || fail "new keys too early"
	pings "$1" "$2"
	await 5 "new keys" one_more "$before"
	pings 10 "$2" # with the new ones
	looks=0
	await 10 "both sides to look" looked
	[ "$(new_keys)" = $((before + 1)) ] || fail "$(($(new_keys) - before)) times new keys"
}

net_begin
pki_begin
hotspot_join a
for limit in 'server reneg-pkts 200' 'client reneg-bytes 100000'; do
	rm -f "$W"/{laptop,control,dataplane}.log
	server_config
	client_config laptop
	if [ "${limit%% *}" = server ]; then
		server_config "${limit#* }"
		size=56
	else
		client_config laptop "${limit#* }"
		size=500 # 70 of them, each way, are some 80,000 bytes
	fi
	server_start
	client_start laptop
	half 70 $size
	stop laptop
	server_stop
	say "${limit#* } of the ${limit%% *}: once new keys, no lost ping"
done
