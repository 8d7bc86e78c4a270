#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Peers that must not be let in: both sides say why, nobody gets a session, nothing is left of the
# client, and the session of another client goes on undisturbed.
. "$(dirname "$0")/../../scripts/peers.sh"
. "$(dirname "$0")/traces.sh"
peers "$@"
names=(revoked expired future stranger server-cert no-cipher unknown-ca wrong-key)

net_begin
pki_begin
pki_ca other-ca 'Another CA'
pki_cert revoked clientAuth
pki_cert expired clientAuth ca 20200101000000Z 20200201000000Z
pki_cert future clientAuth ca 20700101000000Z 20710101000000Z
pki_cert stranger clientAuth other-ca
pki_cert server-cert serverAuth
pki_cert old-server serverAuth ca 20200101000000Z 20200201000000Z
pki_cert foreign-server serverAuth other-ca
for name in no-cipher unknown-ca wrong-key first second; do
	pki_cert $name clientAuth
done
openvpn --genkey tls-crypt "$W/pki/other-tc.key"
openvpn --genkey tls-auth "$W/pki/other-ta.key"
openvpn --genkey tls-crypt-v2-server "$W/pki/other-v2-server.key"
openvpn --tls-crypt-v2 "$W/pki/other-v2-server.key" --genkey tls-crypt-v2-client \
	"$W/pki/other-v2-client.key" >/dev/null
pki_revoke revoked
# What our client may hold against a server, in a list of its own.
cp "$W/pki/crl.pem" "$W/pki/clients.pem"
pki_revoke server
cp "$W/pki/crl.pem" "$W/pki/servers.pem"
chmod -R a+rX "$W/pki"
hotspot_join a

server_log=control
[ "$SERVER" = visp ] || server_log=server

# Clients try once, for a few seconds.
short=('connect-retry-max 1' 'hand-window 4' 'connect-timeout 4')

# attempt NAME [LINE...]: a client that is not to be let in, without waiting. CERT and CA as for
# client_config.
attempt() {
	client_config "$1" "dev tun-$1" "${short[@]}" "${@:2}"
	client_begin "$1"
}

# begin_with NAME SED-EXPRESSION [LINE...]: the same, with its configuration changed.
begin_with() {
	client_config "$1" "dev tun-$1" "${short[@]}" "${@:3}"
	sed -i "$2" "$W/$1.ovpn"
	client_begin "$1"
}

# denied NAME SERVER-SAYS CLIENT-SAYS: it ends by itself. Stock clients end with status 0 after an
# AUTH_FAILED, ours never does.
denied() {
	local status
	gone "$1" 15 || fail "$1: the client goes on"
	# shellcheck disable=SC2154 # of netns.sh
	wait "${pid[$1]}"
	status=$?
	unset "pid[$1]"
	[ $status -lt 124 ] || fail "$1: status $status"
	[ "$CLIENT" = openvpn ] || [ $status != 0 ] || fail "$1: status 0"
	[ "$(log_count "$1" 'Initialization Sequence Completed')" = 0 ] || fail "$1: is let in"
	[ "$(log_count "$1" "$3")" -gt 0 ] || fail "$1: the client doesn't say $3"
	[ -z "$2" ] || [ "$(log_count $server_log "$2")" -gt 0 ] ||
		fail "$1: the server doesn't say $2"
	say "$1: $(grep -hE -m 1 -e "$3" "$W/$1.log")"
}

# Who has a session, in the eyes of the server.
let_in() {
	[ "$SERVER" = visp ] || return 0
	[ "$(status_json | jq -r '[.sessions[].name] | sort | join(" ")')" = "$*" ] ||
		fail "sessions: $(status_json | jq -c '[.sessions[].name]')"
}

# --- Clients that the server doesn't like ---

lines=('remote-cert-tls client' "crl-verify $W/pki/clients.pem")
server_config "${lines[@]}"
server_start
traces_note laptop
client_config laptop 'dev tun-laptop'
client_start laptop
start ping laptop ping -i 0.05 "$server_inner"
for name in revoked expired future stranger server-cert; do
	attempt $name
done
attempt no-cipher 'data-ciphers CHACHA20-POLY1305'
CA=other-ca attempt unknown-ca
begin_with wrong-key "s,/tc.key,/other-tc.key,"

# What each side says. A stock server doesn't send the alert of which it speaks; so our client can
# only see that nothing comes after its certificate.
if [ "$SERVER" = openvpn ]; then
	denied revoked 'VERIFY ERROR.*certificate revoked' 'may not accept our certificate'
	denied expired 'VERIFY ERROR.*has expired: CN=expired' 'may not accept our certificate'
	denied future 'VERIFY ERROR.*not yet valid: CN=future' 'may not accept our certificate'
	denied stranger 'VERIFY ERROR.*issuer certificate: CN=stranger' \
		'may not accept our certificate'
	denied server-cert 'unsuitable certificate purpose: CN=server-cert' \
		'may not accept our certificate'
	denied no-cipher 'No common cipher' 'AUTH_FAILED.*no shared cipher'
	denied unknown-ca 'alert: unknown CA' 'TLS: unknown CA \(CN=server\)'
	denied wrong-key 'tls-crypt unwrapping failed' 'no answer from the server'
else
	heard='the peer says'
	silent='no answer from the server'
	distrust='TLS: unknown CA \(CN=server\)'
	if [ "$CLIENT" = openvpn ]; then
		heard='Received fatal SSL alert'
		silent='TLS key negotiation failed|Server poll timeout'
		distrust='VERIFY ERROR: .*(self-signed|issuer) certificate'
	fi
	denied revoked 'certificate is revoked \(CN=revoked\)' "$heard: certificate revoked"
	denied expired 'certificate has expired \(CN=expired\)' "$heard: certificate expired"
	denied future 'certificate is not yet valid \(CN=future\)' "$heard: bad certificate"
	denied stranger 'unknown CA \(CN=stranger\)' "$heard: unknown CA"
	denied server-cert 'for another purpose \(CN=server-cert\)' "$heard: unsupported certificate"
	denied no-cipher 'no shared cipher.* peer=no-cipher' 'AUTH_FAILED.*no shared cipher'
	said='the peer says: unknown CA'
	[ "$CLIENT" = visp ] || said= # stock ones end before their alert
	denied unknown-ca "$said" "$distrust"
	denied wrong-key 'refused reason=first_bad_wrap' "$silent"
fi
let_in laptop
for name in "${names[@]}"; do
	! on laptop ip link show "tun-$name" >/dev/null 2>&1 || fail "tun-$name is left"
done
ping_stop ping || fail "the one who was let in suffered"
stop laptop || fail "laptop: status $?"
traces_none 'clients that were refused'

# --- No room: a pool of one address, one client at most; other wrappings ---

# full WRAP SERVER-SAYS [LINE...]: the second client is told so, and let in once the first has gone.
full() {
	WRAP=$1
	rm -f "$W"/{$server_log,laptop,first,second,wrong-key}.log
	server_config "${@:3}"
	if [ "$SERVER" = openvpn ]; then
		! grep -q ^ifconfig-pool "$W/server.conf" ||
			sed -i 's/^server .*/& nopool/' "$W/server.conf"
		server_start
	else
		control_start
	fi
	client_config first 'dev tun-first' 'explicit-exit-notify 1'
	client_start first
	if [ "$SERVER$WRAP" = openvpntls-auth ]; then # a stock pool has at least two addresses
		client_config laptop 'dev tun-laptop' 'explicit-exit-notify 1'
		client_start laptop
	fi
	client_config second 'dev tun-second'
	client_begin second
	begin_with wrong-key "s,/ta.key,/other-ta.key,; s,/v2-client.key,/other-v2-client.key,"
	await_log $server_log 10 "$2" || fail "the server doesn't say $2"
	if [ "$SERVER" = visp ]; then
		await_log second 10 "AUTH_FAILED.*$2" || fail "second: isn't told $2"
		say "second: $(grep -hE -m 1 "$2" "$W/second.log")"
		let_in first
	fi
	case $SERVER-$CLIENT in
	openvpn-*) denied wrong-key 'unwrapping failed|HMAC authentication failed|tls-crypt-v2' "$silent" ;;
	*) denied wrong-key 'refused reason=first_bad_(wrap|client_key)' "$silent" ;;
	esac
	[ "$(log_count second 'Initialization Sequence Completed')" = 0 ] || fail "second: is let in"
	if [ "$SERVER$WRAP" = openvpntls-auth ]; then # it sends its options without an address
		await_log second 10 "no 'ifconfig', so there is no address" ||
			fail "second: doesn't miss its address"
	fi
	stop second
	stop first
	stop laptop
	traces_none "$1, $2"
	stop $server_log || fail "the server: status $?"
}
silent=${silent:-no answer from the server}

stop $server_log || fail "the server: status $?"
if [ "$SERVER" = visp ]; then
	full tls-auth 'no free address' 'ifconfig-pool 10.8.0.2 10.8.0.2'
	full tls-crypt-v2 'the server is full \(max-clients\)' 'max-clients 1'
else
	full tls-auth 'no free --ifconfig-pool addresses' \
		'ifconfig-pool 10.8.0.2 10.8.0.3 255.255.255.0'
	full tls-crypt-v2 'new incoming connection would exceed maximum number of clients' 'max-clients 1'
fi

# --- Servers that the client doesn't like ---

# distrusted CERT CLIENT-SAYS [LINE...]: the server has this certificate.
distrusted() {
	rm -f "$W/laptop.log" "$W/$server_log.log"
	server_config
	sed -i "s,/server\.\(crt\|key\),/$1.\1," "$W/server.conf"
	if [ "$SERVER" = openvpn ]; then
		server_start
	else
		control_start
	fi
	attempt laptop "${@:3}"
	denied laptop '' "$2"
	let_in
	traces_none "$1 as server"
	stop $server_log || fail "the server: status $?"
}
WRAP=tls-crypt
if [ "$CLIENT" = visp ]; then
	distrusted first 'not a server certificate|another purpose'
	distrusted old-server 'certificate has expired \(CN=old-server\)'
	distrusted foreign-server 'unknown CA \(CN=foreign-server\)'
	distrusted server 'certificate is revoked \(CN=server\)' "crl-verify $W/pki/servers.pem"
	distrusted server 'verify-x509-name' 'verify-x509-name somebody name'
else
	distrusted first 'unsuitable certificate purpose|VERIFY (EKU|KU) ERROR'
	distrusted old-server 'certificate has expired: CN=old-server'
	distrusted foreign-server 'VERIFY ERROR: .*(self-signed|issuer) certificate'
	distrusted server 'certificate revoked: CN=server' "crl-verify $W/pki/servers.pem"
	distrusted server 'VERIFY X509NAME ERROR' 'verify-x509-name somebody name'
fi
if [ "$SERVER" = visp ]; then
	running dataplane || fail "the dataplane has ended"
	stop dataplane || fail "the dataplane: status $?"
	[ -z "$(find "$W" -name '*.sock' -o -name '*.state' -o -name dpdk)" ] ||
		fail "files are left: $(ls "$W")"
	! ip -n "$(ns server)" link show visp0 >/dev/null 2>&1 || fail "visp0 is left"
fi
