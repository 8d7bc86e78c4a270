#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What can't work ends with a clear message, which names file and line where a file is at fault, with
# an exit status other than 0, and leaves nothing behind.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --server openvpn --client visp "$@"

net_begin
pki_begin
pki_ca other 'Other CA'
pki_cert stranger clientAuth other
hotspot_join a
server_config
server_start

# refused WHAT REGEX [OPTION...]: the client ends by itself, says so, and its status isn't 0.
refused() {
	local what=$1 words=$2 status
	shift 2
	: >"$W/laptop.log"
	start laptop laptop "$(client_program)" --config "$W/laptop.ovpn" "$@"
	gone laptop 15 || fail "$what: the client goes on"
	stop laptop
	status=$?
	[ $status -ne 0 ] || fail "$what: status 0"
	[ $status -lt 128 ] || fail "$what: killed by signal $((status - 128))"
	grep -qE "$words" "$W/laptop.log" || fail "$what: not a word of /$words/"
	[ "$(on laptop ip rule | wc -l)" = 3 ] || fail "$what: rules are left"
	say "$what: $(grep -E -m 1 -o "$words.*" "$W/laptop.log" | cut -c 1-70)"
}

CA=other client_config laptop
refused "server of an unknown CA" 'unknown CA'
client_config laptop 'verify-x509-name nobody name'
refused "server with another name" 'verify-x509-name'
client_config laptop
sed -i 's/^remote-cert-tls .*/remote-cert-tls client/' "$W/laptop.ovpn"
refused "server without the purpose" 'not a client certificate'
client_config laptop 'data-ciphers AES-192-GCM'
refused "no common cipher" 'no shared cipher|no common cipher'
client_config laptop
sed -i 's,^ca .*,ca /nonexistent,' "$W/laptop.ovpn"
refused "missing file" 'laptop.ovpn:[0-9]+: ca: .*No such file'
client_config laptop 'frobnicate 7'
refused "unknown directive" 'laptop.ovpn:[0-9]+: .*frobnicate'
client_config laptop
sed -i "s,^key .*,key $W/pki/stranger.key," "$W/laptop.ovpn"
refused "key of another certificate" 'laptop.ovpn:[0-9]+: .*the private key'
client_config laptop
sed -i "s,^cert .*,cert $W/laptop.ovpn," "$W/laptop.ovpn"
refused "no certificate in the file" 'laptop.ovpn:[0-9]+: cert .*no certificate'
client_config laptop
sed -i "s,^tls-crypt .*,tls-crypt $W/laptop.ovpn," "$W/laptop.ovpn"
refused "no key in the file" 'laptop.ovpn:[0-9]+: tls-crypt: '
client_config laptop
openvpn --genkey tls-crypt "$W/pki/wrong.key"
sed -i "s,^tls-crypt .*,tls-crypt $W/pki/wrong.key," "$W/laptop.ovpn"
refused "wrong tls-crypt key" 'no answer from the server' --hand-window 2 --connect-retry-max 1
client_config laptop
refused "name of another device" 'tunnel device lo: the name is in use' --dev lo
client_config laptop 'auth-user-pass'
refused "nobody to ask for a password" 'auth-user-pass: there is no terminal'
