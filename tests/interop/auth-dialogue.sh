#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Log-ins that take more than a password: one that is decided elsewhere while the client waits longer
# than for anything else (AUTH_PENDING), a question of the server's (CRV1), tokens that the program
# judges itself (external-auth), and clients that may have no user name at all.
#
# shellcheck disable=SC2154 # pid comes from netns.sh
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
here=$(dirname "$0")

net_begin
pki_begin
hotspot_join a
chmod a+rx "$W"
mkdir -m 1777 "$W/seen"
# What it was asked goes into a file: user, password, state of the token.
cat >"$W/check" <<TXT
#!/bin/sh
{ read -r username; read -r password; } <"\$1"
echo "\$username|\$password|\$session_state" >>"$W/seen/calls"
case \$username-\$password in
pat-*)
	printf '20\nwebauth\nWEB_AUTH::https://login.example/pat\n' >"\$auth_pending_file"
	(sleep 5; echo 1 >"\$auth_control_file") >/dev/null 2>&1 &
	exit 2
	;;
quinn-CRV1::state7::yellow) exit 0 ;;
quinn-*)
	printf 'CRV1:R,E:state7:%s:Which colour?' "\$(printf quinn | base64)" >"\$auth_failed_reason_file"
	exit 1
	;;
tess-*)
	case \$session_state in
	Initial) exit 0 ;;
	Authenticated) [ ! -e "$W/seen/locked" ] ;;
	*) exit 1 ;;
	esac
	;;
-) exit 0 ;;
*) exit 1 ;;
esac
TXT
chmod a+rx "$W/check"
lines=('script-security 2' "auth-user-pass-verify $W/check via-file" "tmp-dir $W/seen")

# user NAME [LINE...]: the profile of one who logs in with any password.
user() {
	printf '%s\nany\n' "$1" >"$W/up"
	chmod 600 "$W/up"
	CERT=laptop client_config "$1" "auth-user-pass $W/up" 'setenv IV_SSO webauth' "${@:2}"
}
calls() { grep -c "^$1" "$W/seen/calls"; }
pinged() { on laptop ping -c 1 -W 1 -q "$server_inner" >/dev/null; }
refused() { [ "$(log_count tess "AUTH_FAILED|connecting anew")" -gt 0 ]; }

# --- Pending: longer than a handshake may last ---

server_config "${lines[@]}" 'hand-window 3' auth-user-pass-optional
server_start
user pat 'hand-window 3' 'connect-retry-max 2'
client_begin pat
await_log pat 5 'AUTH_PENDING' || fail "the client isn't told to wait"
[ "$(log_count pat 'Initialization Sequence Completed')" = 0 ] || fail "let in before it was decided"
await_log pat 10 'https://login.example/pat' || fail "the client isn't told where to go"
client_up pat 15 || fail "the client doesn't wait for the decision"
await 5 "a ping" pinged
[ "$(calls pat)" = 1 ] || fail "it took $(calls pat) attempts: $(cat "$W/seen/calls")"
stop pat || fail "the client ended with status $?"
say "pending: waited for a decision beyond the handshake's 3 s"

# --- No user name ---

client_config laptop
client_start laptop
await 5 "a ping" pinged
stop laptop || fail "the client ended with status $?"
user nobody 'connect-retry-max 1'
client_begin nobody
await_log nobody 10 'AUTH_FAILED' || fail "a wrong user name isn't refused"
stop nobody || true
say "optional: without a user name, but not with a wrong one"

# --- A question ---

user quinn 'auth-retry interact' 'verb 4'
start quinn laptop "$here/on_terminal.py" yellow '(Which colour\?|Response:)' "$(client_program)" \
	--config "$W/quinn.ovpn"
client_up quinn 15 || fail "the answer isn't taken: $(cat "$W/seen/calls")"
await 5 "a ping" pinged
[ "$(calls quinn)" = 2 ] || fail "it took $(calls quinn) attempts: $(cat "$W/seen/calls")"
stop quinn || true
server_stop
say "question: asked and answered"

# --- Tokens that the program judges ---

server_config "${lines[@]}" 'auth-gen-token 0 4 external-auth' 'reneg-sec 3' 'hand-window 2'
server_start
user tess 'reneg-sec 0' 'connect-retry-max 1'
client_start tess
judged() { [ "$(grep -c '^tess|SESS_ID_AT_.*|Authenticated$' "$W/seen/calls")" -ge "$1" ]; }
await 12 "the program to be asked about the token twice" judged 2
await 5 "a ping" pinged
touch "$W/seen/locked"
await 12 "the session of a locked user to end" refused
stop tess || true
server_stop
say "external-auth: the program judges each token"
