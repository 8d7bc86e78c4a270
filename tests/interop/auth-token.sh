#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Tokens: the program is asked once, renegotiations go by the token, also behind a restarted control;
# another server with the same key takes it; an expired one sends the client back to its password.
# Without certificates, named by the user name.
# shellcheck disable=SC2154 # pid comes from netns.sh
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
chmod a+rx "$W"
mkdir -m 1777 "$W/seen"
cat >"$W/check" <<TXT
#!/bin/sh
{ read -r username; read -r password; } <"\$1"
echo "\$username \$session_state" >>"$W/seen/calls"
[ "\$password" = once ]
TXT
chmod a+rx "$W/check"
openvpn --genkey auth-token "$W/pki/token.key"
chmod a+r "$W/pki/token.key"
printf 'alice\nonce\n' >"$W/up"
chmod 600 "$W/up"

calls() { wc -l <"$W/seen/calls"; }
renewed() { [ "$(log_count laptop "$1")" -ge "$2" ]; }
again='new keys|Data Channel: cipher|Outgoing Data Channel'

server_config 'script-security 2' "auth-user-pass-verify $W/check via-file" \
	'verify-client-cert none' username-as-common-name 'auth-gen-token 0 4' \
	"auth-gen-token-secret $W/pki/token.key" 'reneg-sec 3' 'hand-window 2' "tmp-dir $W/seen"
client_config laptop "auth-user-pass $W/up" 'reneg-sec 0' 'verb 4'
sed -i '/^cert /d; /^key /d' "$W/laptop.ovpn"
server_start
client_start laptop
first=$(log_count laptop "$again")
await 12 "three renegotiations" renewed "$again" $((first + 3))
[ "$(calls)" = 1 ] || fail "the program was asked $(calls) times: $(cat "$W/seen/calls")"
asked_again() { [ "$(calls)" -ge 2 ]; }
ping_once() { on laptop ping -c 1 -W 1 "$server_inner"; }
await 3 "a ping" ping_once
if [ "$SERVER" = visp ]; then
	status_json | jq -e '.sessions[0].name == "alice"' >/dev/null ||
		fail "not named by its user: $(status_json)"
	# A control that is killed leaves the user and the token to the next one.
	kill -9 "${pid[control]}"
	stop control || true
	control_start
	first=$(log_count laptop "$again")
	await 12 "renegotiations with a new control" renewed "$again" $((first + 2))
	[ "$(calls)" = 1 ] || fail "the new control asks again: $(cat "$W/seen/calls")"
	await 3 "a ping" ping_once
fi

# A server that begins anew with the same key takes the token, too. The client is told to reconnect.
up=$(log_count laptop 'Initialization Sequence Completed')
server_stop
server_start
kill -USR1 "${pid[laptop]}"
await 20 "the client to come back" renewed 'Initialization Sequence Completed' $((up + 1))
[ "$(calls)" = 1 ] || fail "the next server asks again: $(cat "$W/seen/calls")"
stop laptop
server_stop

# A token that has reached its age sends the client back to its password.
sed -i 's/^auth-gen-token .*/auth-gen-token 4 4/' "$W/server.conf"
rm "$W/seen/calls" "$W/laptop.log"
server_start
client_start laptop
await 20 "the password to be asked for again" asked_again
await 20 "the client to come back" renewed 'Initialization Sequence Completed' 2
stop laptop
server_stop
