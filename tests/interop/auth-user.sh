#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# User names and passwords: accepted, refused with the program's reason, decided later, and a program
# that sleeps delays nobody else.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
for name in alice bob carol dave erin; do
	pki_cert $name clientAuth
done
hotspot_join a
chmod a+rx "$W"

# What the program decides depends on the user; what it saw stays in a file of the user's name.
mkdir -m 1777 "$W/seen"
cat >"$W/check" <<TXT
#!/bin/sh
if [ \$# -gt 0 ]; then
	{ read -r username; read -r password; } <"\$1"
	ls -l "\$1" >"$W/seen/file"
fi
env >>"$W/seen/\$username"
echo >>"$W/seen/\$username.calls"
case \$username-\$password in
alice-*) [ "\$password" = 'pass wo"rd' ] ;;
bob-*)
	printf 'Account is locked' >"\$auth_failed_reason_file"
	exit 1
	;;
carol-*)
	(sleep 1; echo 1 >"\$auth_control_file") >/dev/null 2>&1 &
	exit 2
	;;
dave-*)
	(sleep 1; echo 'Too late at night' >"\$auth_failed_reason_file"; echo 0 >"\$auth_control_file") >/dev/null 2>&1 &
	exit 2
	;;
erin-*) sleep 5 ;;
*) exit 1 ;;
esac
TXT
chmod a+rx "$W/check"

# user NAME PASSWORD [LINE...]: a client that logs in
user() {
	printf '%s\n%s\n' "$1" "$2" >"$W/$1.up"
	chmod 600 "$W/$1.up"
	client_config "$1" "dev tun-$1" "auth-user-pass $W/$1.up" 'connect-retry-max 1' "${@:3}"
}

user alice 'pass wo"rd'
user bob any
user carol any
user dave any
user erin any

# The program of one user sleeps, and others don't notice.
sleeper() {
	client_begin erin
	await 5 "erin's program" test -s "$W/seen/erin.calls"
	client_begin carol
	client_up carol 4 || fail "a program that sleeps delays another log-in"
	answered_soon pings laptop 20 "$server_inner" -i 0.05 ||
		fail "a program that sleeps delays pings"
	[ "$(log_count erin "Initialization Sequence Completed")" = 0 ] || fail "erin was let in too early"
	client_up erin 10 || fail "erin does not connect"
	stop erin
}

for method in via-file via-env; do
	server_config 'script-security 3' "auth-user-pass-verify \"$W/check\" $method" \
		'setenv GREETING hello' "tmp-dir $W/seen"
	rm -f "$W"/seen/* "$W"/{alice,bob,carol,dave,erin}.log
	server_start
	client_start alice
	await 5 "alice's ping" on laptop ping -c 1 -W 1 "$server_inner"

	if [ "$SERVER" = openvpn ]; then
		client_start carol # its programs delay everybody, so erin stays away
	else
		sleeper
	fi

	client_begin bob
	await_log bob 10 'AUTH_FAILED.*Account is locked' || fail "bob does not learn why"
	gone bob 10 || fail "bob goes on"
	client_begin dave
	await_log dave 10 'AUTH_FAILED.*Too late at night' || fail "dave does not learn why"
	gone dave 10 || fail "dave goes on"

	for name in alice carol; do
		stop "$name"
	done
	server_stop
	grep -q '^untrusted_ip=203\.0\.113\.' "$W/seen/alice" || fail "no untrusted_ip"
	grep -q '^common_name=alice$' "$W/seen/alice" || fail "no common_name"
	grep -q '^X509_0_CN=alice$' "$W/seen/alice" || fail "no X509_0_CN"
	grep -q '^GREETING=hello$' "$W/seen/alice" || fail "no setenv"
	grep -q '^IV_VER=' "$W/seen/alice" || fail "no peer info"
	if [ $method = via-env ]; then
		grep -q '^password=pass wo"rd$' "$W/seen/alice" || fail "no password"
	else
		grep -q '^password=' "$W/seen/alice" && fail "a password in the environment"
		[ "$SERVER" = openvpn ] || grep -q -- '^-rw------- .* nobody ' "$W/seen/file" ||
			fail "others may read the password: $(cat "$W/seen/file")"
	fi
	[ -z "$(find "$W/seen" -name 'openvpn_*')" ] || fail "files are left: $(ls "$W/seen")"
done
