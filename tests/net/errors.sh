#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What goes wrong is said clearly, where it can be repaired; nothing stays behind; a program that
# ends for it has an exit status other than 0.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
hotspot_join a
pki_ca other-ca 'Another CA'
pki_cert stranger clientAuth other-ca
pki_cert expired clientAuth ca 20200101000000Z 20200201000000Z
pki_cert wrong serverAuth
pki_cert revoked clientAuth
pki_cert second clientAuth
pki_revoke revoked
openvpn --genkey tls-crypt "$W/pki/other-tc.key"
chmod -R a+rX "$W/pki"

laptop_is_clean() {
	! on laptop ip -br link | grep -q tun || fail "$1: a tunnel device stayed behind"
	[ "$(on laptop ip rule | wc -l)" = 3 ] || fail "$1: rules stayed behind"
}

# refused NAME SERVER-SAYS CLIENT-SAYS [CLIENT-LINE...]: a client that is not let in. CERT and CA
# as for client_config. Our client ends with status 1, unless `later` is set: then, as stock ones
# always may, it tries again.
refused() {
	local name=$1 server_says=$2 client_says=$3
	shift 3
	rm -f "$W/laptop.log"
	local lines
	lines=$(wc -l <"$W/control.log")
	CERT=${CERT:-laptop} client_config laptop "$@"
	client_begin laptop
	await_log laptop 20 "$client_says" || fail "$name: the client doesn't say '$client_says'"
	if [ "$CLIENT" = visp ] && [ -z "${later-}" ]; then
		gone laptop 10 || fail "$name: the client goes on"
		stop laptop && fail "$name: the client's exit status is 0"
	fi
	stop laptop
	[ -z "$server_says" ] ||
		await 5 "$name: the server to say '$server_says'" server_said "$lines" "$server_says"
	[ -n "${later-}" ] || laptop_is_clean "$name"
	say "$name: $(grep -hE -m 1 "$client_says" "$W/laptop.log")"
}
server_said() { tail -n +$(($1 + 1)) "$W/control.log" | grep -qE "$2"; }

# broken PROGRAM SAYS: a program with its configuration in $W/PROGRAM.conf ends by itself.
broken() {
	local name=$1 program=$2 says=$3 config=$4
	rm -f "$W/broken.log"
	start broken server env RUNTIME_DIRECTORY="$W" "$build/$program" --config "$config"
	gone broken 20 || fail "$name: it goes on"
	stop broken && fail "$name: exit status 0"
	grep -qE "$says" "$W/broken.log" || fail "$name: it doesn't say '$says'"
	[ ! -e "$W/dataplane.sock" ] || [ "${program##*/}" != visp-dataplane ] ||
		fail "$name: its socket stayed behind"
	[ -z "$(find "$W/dpdk" -mindepth 1 2>/dev/null)" ] || fail "$name: DPDK's folder stayed behind"
	! on server ip -br link | grep -q visp0 || fail "$name: visp0 stayed behind"
	say "$name: $(grep -hE -m 1 "$says" "$W/broken.log")"
}

# --- Before anything runs ---

server_config
dataplane_config
sed '3i no-such-directive 7' "$W/dataplane.conf" >"$W/bad.conf"
broken 'broken dataplane.conf' dataplane/visp-dataplane 'bad\.conf:3:.*no-such-directive' "$W/bad.conf"
sed 's/^sessions .*/sessions many/' "$W/dataplane.conf" >"$W/bad.conf"
broken 'bad number' dataplane/visp-dataplane 'bad\.conf:[0-9]+:.*many' "$W/bad.conf"
sed '5i no-such-directive 7' "$W/server.conf" >"$W/bad.conf"
broken 'broken server.conf' control/visp-control 'bad\.conf:5:.*no-such-directive' "$W/bad.conf"
client_config laptop
sed '4i remote' "$W/laptop.ovpn" >"$W/bad.ovpn"
broken 'broken profile' client/visp-client 'bad\.ovpn:4:.*remote' "$W/bad.ovpn"
sed "s|^key .*|key $W/pki/nobody.key|" "$W/server.conf" >"$W/bad.conf"
broken 'missing key of the server' control/visp-control 'nobody\.key.*No such file' "$W/bad.conf"
sed "s|^key .*|key $W/pki/nobody.key|" "$W/laptop.ovpn" >"$W/bad.ovpn"
broken 'missing key of the client' client/visp-client 'nobody\.key.*No such file' "$W/bad.ovpn"
broken 'missing configuration' control/visp-control 'nothing\.conf.*No such file' "$W/nothing.conf"
sed 's/iface=out0/iface=nowhere0/' "$W/dataplane.conf" >"$W/bad.conf"
broken 'missing port' dataplane/visp-dataplane 'nowhere0' "$W/bad.conf"
sed 's/^outer .*/outer 0000:7f:00.0/' "$W/dataplane.conf" >"$W/bad.conf"
broken 'missing PCI port' dataplane/visp-dataplane '0000:7f:00\.0' "$W/bad.conf"
# More than the machine can have, whatever others have borrowed.
sed 's/^sessions .*/sessions 1048576/' "$W/dataplane.conf" >"$W/bad.conf"
echo 'hugepages on' >>"$W/bad.conf"
if [ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" -lt 3000 ]; then
	broken 'no free hugepages' dataplane/visp-dataplane '[Hh]uge ?pages' "$W/bad.conf"
fi

# --- Clients that are not let in ---

server_config "crl-verify $W/pki/crl.pem" 'hand-window 5' 'ifconfig-pool 10.8.0.2 10.8.0.2' \
	'duplicate-cn'
server_start
CERT=revoked refused 'revoked certificate' 'revoked' 'certificate revoked'
CERT=expired refused 'expired certificate' 'expired' 'certificate expired'
CERT=stranger refused 'certificate of an unknown CA' 'unknown CA' 'unknown CA'
CERT=wrong refused 'wrong certificate' 'another purpose' 'unsupported certificate'
unknown='unknown CA'
[ "$CLIENT" = visp ] || unknown='VERIFY ERROR|certificate verify failed'
CA=other-ca refused 'server of an unknown CA' '' "$unknown"
refused 'no common cipher' 'no shared cipher' 'no shared cipher' 'data-ciphers CHACHA20-POLY1305'

# A wrong tls-crypt key: the client hears nothing at all, the server counts.
cp "$W/pki/tc.key" "$W/pki/right-tc.key"
sed "s|tc.key|other-tc.key|" "$W/laptop.ovpn" >"$W/other.ovpn"
printf 'hand-window 5\nconnect-timeout 5\nconnect-retry-max 1\n' >>"$W/other.ovpn"
lines=$(wc -l <"$W/control.log")
start other laptop "$(client_program)" --config "$W/other.ovpn"
no_answer='no answer from the server|TLS key negotiation failed|Server poll timeout'
await_log other 20 "$no_answer" ||
	fail "wrong tls-crypt key: the client says nothing"
stop other
await 12 "the server to say that packets are wrapped wrongly" \
	server_said "$lines" 'refused reason=first_bad_wrap'
say "wrong tls-crypt key: $(grep -hE -m 1 "$no_answer" "$W/other.log")"
laptop_is_clean 'wrong tls-crypt key'

# The pool has one address.
client_config second
client_start second
later=1 refused 'pool exhausted' 'no free address' 'AUTH_FAILED.*no free address'
stop second

server_stop
[ ! -e "$W/dataplane.sock" ] || fail "the dataplane's socket stayed behind"
[ ! -e "$W/control.sock" ] || fail "control's socket stayed behind"
[ -z "$(find "$W/dpdk" -mindepth 1 2>/dev/null)" ] || fail "DPDK's folder stayed behind"
! on server ip -br link | grep -q visp0 || fail "visp0 stayed behind"
