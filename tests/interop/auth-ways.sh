#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Other ways to be somebody, each accepted and refused: PAM, a one-time password beside the password,
# tls-verify, fingerprints with and without an authority, a folder of revoked certificates, keys with
# a pass phrase, PKCS #12.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
here=$(dirname "$0")
server_log=control
[ "$SERVER" = visp ] || server_log=server

net_begin
pki_begin
pki_cert mallory clientAuth
pki_cert sleepy clientAuth
hotspot_join a
chmod a+rx "$W"
mkdir -m 1777 "$W/seen"

# up NAME [LINE...]: that client gets in, with the certificate that CERT names
up() {
	rm -f "$W/$1.log"
	client_config "$@"
	client_start "$1"
	# shellcheck disable=SC2154 # of netns.sh
	on laptop ping -c 1 -W 2 "$server_inner" >/dev/null || fail "$1: no ping"
	stop "$1"
}

# down NAME WORDS [LINE...]: it does not, and one of the two sides says why
down() {
	local name=$1 words=$2
	shift 2
	rm -f "$W/$name.log"
	client_config "$name" 'hand-window 3' 'connect-timeout 3' 'connect-retry-max 1' "$@"
	client_begin "$name"
	await 15 "$name to be refused" said "$name" "$words"
	[ "$(log_count "$name" 'Initialization Sequence Completed')" = 0 ] || fail "$name gets in"
	stop "$name" || true
}
said() { [ "$(log_count "$1" "$2")" -gt 0 ] || [ "$(log_count $server_log "$2")" -gt 0 ]; }

# delays_nobody FILE [SLEEPER'S-LINE [OTHER'S-LINE]]: while a log-in sleeps, which makes FILE, another
# one passes and its pings are answered at once. A stock server's programs delay everybody.
delays_nobody() {
	local file=$1 sleeper=${2-} other=${3-}
	[ "$SERVER" = visp ] || return 0
	rm -f "$W/sleepy.log" "$W/laptop.log"
	client_config sleepy 'dev tun-sleepy' ${sleeper:+"$sleeper"}
	client_begin sleepy hsb
	await 10 "the sleeper's program" test -e "$file"
	CERT=laptop client_config laptop ${other:+"$other"}
	client_start laptop
	answered_soon pings laptop 10 "$server_inner" -i 0.05 || fail "a log-in that sleeps delays pings"
	[ "$(log_count sleepy 'Initialization Sequence Completed')" = 0 ] ||
		fail "the other log-in waited, or the sleeper didn't"
	client_up sleepy 15 || fail "the sleeper does not connect"
	stop sleepy
	stop laptop
}

# Control looks once a second.
looks=0
looked_again() { [ $((looks++)) -ge 100 ]; }

begin() { # LINE...
	rm -f "$W/$server_log.log"
	server_config "tmp-dir $W/seen" 'script-security 2' "$@"
	server_start
}

# --- PAM ---

service=visp-scenario-$$
# $? has to reach net_end as it is.
# shellcheck disable=SC2154 # status is set there
trap 'status=$?; rm -f "/etc/pam.d/$service"; (exit $status); net_end' EXIT
cat >"$W/pam" <<TXT
#!/bin/sh
read -r word
[ "\$PAM_USER" != sleepy ] || { echo >"$W/seen/pam.sleeps"; sleep 8; }
[ "\$word" = sesame ]
TXT
chmod a+rx "$W/pam"
cat >/etc/pam.d/$service <<TXT
auth required pam_exec.so expose_authtok quiet $W/pam
account required pam_permit.so
TXT
printf 'alice\nsesame\n' >"$W/good"
printf 'alice\nwrong\n' >"$W/bad"
printf 'alice\nses\n' >"$W/first-half"
printf 'sleepy\nsesame\n' >"$W/sleepy"
chmod 600 "$W/good" "$W/bad" "$W/first-half" "$W/sleepy"
plugin=/usr/lib/openvpn/openvpn-plugin-auth-pam.so
begin "plugin $plugin \"$service login USERNAME password PASSWORD\"" username-as-common-name
up laptop "auth-user-pass $W/good"
down laptop 'AUTH_FAILED' "auth-user-pass $W/bad"
delays_nobody "$W/seen/pam.sleeps" "auth-user-pass $W/sleepy" "auth-user-pass $W/good"
server_stop

# --- PAM and a one-time password: the module is told that one ---

begin "plugin $plugin \"$service login USERNAME password OTP\""
challenged() { # ANSWER LINE...: the laptop, whose user answers that
	client_config laptop 'connect-retry-max 1' "${@:2}"
	rm -f "$W/laptop.log"
	start laptop laptop "$here/on_terminal.py" "$1" 'Your token\?' "$(client_program)" \
		--config "$W/laptop.ovpn"
}
challenged sesame "auth-user-pass $W/bad" 'static-challenge "Your token?" 1'
client_up laptop 10 || fail "the one-time password isn't taken"
stop laptop
challenged wrong "auth-user-pass $W/good" 'static-challenge "Your token?" 1'
await 15 "a wrong one-time password to be refused" said laptop AUTH_FAILED
[ "$(log_count laptop 'Initialization Sequence Completed')" = 0 ] || fail "a wrong one-time password"
stop laptop || true
server_stop
if [ "$CLIENT" = visp ]; then
	# One behind the other, for servers that take both as one password.
	begin "plugin $plugin \"$service login USERNAME password PASSWORD\""
	challenged ame "auth-user-pass $W/first-half" 'static-challenge "Your token?" 1 concat'
	client_up laptop 10 || fail "password and one-time password together aren't taken"
	stop laptop
	challenged ome "auth-user-pass $W/first-half" 'static-challenge "Your token?" 1 concat'
	await 15 "the wrong password to be refused" said laptop AUTH_FAILED
	stop laptop || true
	server_stop
fi

# --- tls-verify, key with a pass phrase, PKCS #12 ---

cat >"$W/verify" <<TXT
#!/bin/sh
echo "\$1 \$2" >>"$W/seen/verify"
[ "\$2" != CN=sleepy ] || { echo >"$W/seen/verify.sleeps"; sleep 8; }
[ "\$2" != CN=mallory ]
TXT
chmod a+rx "$W/verify"
echo phrase >"$W/phrase"
openssl ec -in "$W/pki/laptop.key" -aes256 -passout pass:phrase -out "$W/pki/locked.key" 2>/dev/null
cp "$W/pki/laptop.crt" "$W/pki/locked.crt"
openssl pkcs12 -export -in "$W/pki/laptop.crt" -inkey "$W/pki/laptop.key" \
	-certfile "$W/pki/ca.crt" -passout pass:phrase -out "$W/pki/laptop.p12"
chmod a+r "$W"/pki/*
begin "tls-verify $W/verify"
up laptop
down mallory 'certificate refused|VERIFY SCRIPT ERROR|TLS_ERROR|TLS Error'
CERT=sleepy delays_nobody "$W/seen/verify.sleeps"
CERT=locked up laptop "askpass $W/phrase"
grep -qx '1 CN=Scenario CA' "$W/seen/verify" || fail "the authority wasn't shown: $(cat "$W/seen/verify")"
rm -f "$W/laptop.log"
client_config laptop "askpass $W/phrase" '<pkcs12>' "$(base64 "$W/pki/laptop.p12")" '</pkcs12>'
sed -i '/^ca /d; /^cert /d; /^key /d' "$W/laptop.ovpn"
client_start laptop
stop laptop
server_stop

# --- A folder of revoked certificates ---

mkdir -m 755 "$W/revoked"
touch "$W/revoked/$((0x$(openssl x509 -noout -serial -in "$W/pki/mallory.crt" | cut -d = -f 2)))"
begin "crl-verify $W/revoked dir"
up laptop
down mallory 'revoked'
if [ "$SERVER" = visp ]; then
	# One that is revoked while it is connected has to go.
	client_start laptop
	touch "$W/revoked/12345"
	await 5 "a second look at the folder" looked_again
	[ "$(log_count control 'revoked serial')" = 0 ] || fail "a certificate of nobody's ends a session"
	touch "$W/revoked/$((0x$(openssl x509 -noout -serial -in "$W/pki/laptop.crt" | cut -d = -f 2)))"
	await 5 "a revoked session to be told" said control 'certificate was revoked'
	stop laptop || true
fi
server_stop

# --- Fingerprints: self-signed certificates, known to each other alone ---

fingerprint() { openssl x509 -noout -fingerprint -sha256 -in "$W/pki/$1.crt" | cut -d = -f 2; }
for name in lone stranger; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -sha256 \
		-subj "/CN=$name" -keyout "$W/pki/$name.key" -out "$W/pki/$name.crt" 2>/dev/null
done
chmod a+r "$W"/pki/*
rm -f "$W/$server_log.log"
server_config '<peer-fingerprint>' '# the laptop' "$(fingerprint lone)" '</peer-fingerprint>'
sed -i '/^ca /d' "$W/server.conf"
server_start
client_config lone "peer-fingerprint $(fingerprint server)"
sed -i '/^ca /d; /^remote-cert-tls /d' "$W/lone.ovpn"
client_start lone
stop lone
client_config stranger 'hand-window 3' 'connect-timeout 3' 'connect-retry-max 1' \
	"peer-fingerprint $(fingerprint server)"
sed -i '/^ca /d; /^remote-cert-tls /d' "$W/stranger.ovpn"
client_begin stranger
await 15 "the stranger to be refused" said stranger 'fingerprint'
stop stranger || true
client_config lone 'hand-window 3' 'connect-timeout 3' 'connect-retry-max 1' \
	"peer-fingerprint $(fingerprint stranger)"
sed -i '/^ca /d; /^remote-cert-tls /d' "$W/lone.ovpn"
rm -f "$W/lone.log"
client_begin lone
await 15 "the server to be refused" said lone 'fingerprint'
stop lone || true
server_stop
