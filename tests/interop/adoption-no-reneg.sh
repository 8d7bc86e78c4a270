#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server with `reneg-sec 0` never plans a renegotiation. When its visp-control is killed, the next
# one still gets the TLS state of adopted sessions back, once each, when their keys are a minute
# old; but not of a client that would be asked for its password.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

session() { status_json | jq -c --arg name "$1" '.sessions[] | select(.name == $name)'; }
flagged() { session "$1" | jq -e --arg flag "$2" '.flags | index($flag)' >/dev/null; }
told_again() { [ "$(log_count control "renegotiated .*peer=$1 ")" -gt 0 ]; }

# connect NAME visp|openvpn [LINE...]
connect() {
	pki_cert "$1" clientAuth
	client_config "$1" "dev tun-$1" 'reneg-sec 0' "${@:3}"
	CLIENT=$2 client_start "$1"
}

net_begin
pki_begin
hotspot_join a
chmod a+rx "$W"
printf '#!/bin/sh\nexit 0\n' >"$W/check"
chmod a+rx "$W/check"
printf 'someone\nsecret\n' >"$W/up"
chmod 600 "$W/up"
server_config 'reneg-sec 0' 'verb 4' 'script-security 3' 'auth-user-pass-optional' \
	"auth-user-pass-verify \"$W/check\" via-file" "tmp-dir $W"
chmod 1777 "$W"
server_start
connect stock openvpn
connect own visp
connect typist openvpn "auth-user-pass $W/up"
[ "$(status_json | jq '.sessions | length')" = 3 ] || fail "not three sessions"

stop control 5 KILL
control_start
await_log control 5 'sessions adopted count=3 removed=0' || fail "not all adopted"
for name in stock own typist; do
	flagged "$name" no-tls || fail "$name: $(session "$name")"
done
for name in stock own; do
	await 80 "$name to have TLS state again" told_again "$name"
done
patiently sleep 1
for name in stock own; do
	! flagged "$name" no-tls || fail "$name: $(session "$name")"
	[ "$(log_count control "renegotiation begins .*peer=$name ")" = 1 ] || fail "$name: not one soft reset"
	[ "$(log_count "$name" 'Initialization Sequence Completed')" = 1 ] || fail "$name connected anew"
done
flagged typist no-tls || fail "typist would have been asked: $(session typist)"
[ "$(log_count control 'renegotiation begins .*peer=typist ')" = 0 ] || fail "typist was reset"
[ "$(log_count typist 'Initialization Sequence Completed')" = 1 ] || fail "typist connected anew"
say "two of three have TLS state again, and the third wasn't asked for its password"
