#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Keys that `vispctl genkey` makes and keys that `openvpn --genkey` makes are the same to both: each
# kind works with our server and with a stock one, and what is wrong is said.
. "$(dirname "$0")/../../scripts/peers.sh"
peers --client openvpn "$@"
genkey() { "$build/control/vispctl" genkey "$@"; }

net_begin
pki_begin
hotspot_join a
for kind in tls-auth tls-crypt tls-crypt-v2-server auth-token; do
	genkey $kind "$W/pki/our-$kind.key" || fail "genkey $kind"
	[ "$(stat -c %a "$W/pki/our-$kind.key")" = 600 ] || fail "$kind: others may read it"
done
[ "$(genkey secret | grep -c '^[0-9a-f]\{32\}$')" = 16 ] || fail "secret is no static key"
# The same shape as openvpn's own, whose static keys have a comment more.
openvpn --genkey auth-token "$W/pki/token.key"
shape() { sed 's/[A-Za-z0-9+/]\{40,\}/KEY/; /^#/d' "$1" | tr -d '\n' | wc -c; }
[ "$(shape "$W/pki/token.key")" = "$(shape "$W/pki/our-auth-token.key")" ] ||
	fail "another shape of auth-token key"

# Client keys: whose tool made it, with whose server key.
our_server=$W/pki/our-tls-crypt-v2-server.key
genkey tls-crypt-v2-client --tls-crypt-v2 "$W/pki/v2-server.key" "$W/pki/our-for-theirs.key"
genkey tls-crypt-v2-client --tls-crypt-v2 "$our_server" "$W/pki/our-for-ours.key"
genkey tls-crypt-v2-client --tls-crypt-v2 "$our_server" --metadata dmlzaXRvciA3 "$W/pki/user.key"
openvpn --tls-crypt-v2 "$our_server" --genkey tls-crypt-v2-client "$W/pki/their-for-ours.key" \
	>/dev/null
chmod a+r "$W"/pki/*.key

# What a stock server hands its verify script: our metadata must read as its own would.
cat >"$W/verify" <<'TXT'
#!/bin/sh
case $metadata_type in
0) [ "$(cat "$metadata_file")" = "visitor 7" ] ;;
1) age=$(($(date +%s) - $(printf %d "0x$(od -An -v -tx1 "$metadata_file" | tr -d ' \n')")))
   [ $age -ge 0 ] && [ $age -le 600 ] ;;
*) false ;;
esac
TXT
chmod 755 "$W/verify"

try() { # SERVER WRAPPING-LINE-OF-SERVER WRAPPING-LINE-OF-CLIENT [LINE...]
	local who=$1 mine=$2 yours=$3
	shift 3
	SERVER=$who
	WRAP=none
	rm -f "$W"/*.log
	server_config "$mine" "$@"
	client_config laptop "$yours"
	server_start
	client_start laptop
	all_answered ping laptop 3 "$server_inner" -i 0.01 || fail "no ping"
	say "$who server, ${mine##*/}, ${yours##*/}: connected"
	stop laptop || fail "the client ended with status $?"
	server_stop
}
verify=(script-security\ 2 "tls-crypt-v2-verify $W/verify")
try openvpn "tls-crypt-v2 $W/pki/v2-server.key" "tls-crypt-v2 $W/pki/our-for-theirs.key" "${verify[@]}"
try openvpn "tls-crypt-v2 $our_server" "tls-crypt-v2 $W/pki/user.key" "${verify[@]}"
try visp "tls-crypt-v2 $our_server" "tls-crypt-v2 $W/pki/their-for-ours.key" "tls-crypt-v2-max-age 1"
try visp "tls-crypt-v2 $our_server" "tls-crypt-v2 $W/pki/our-for-ours.key" "tls-crypt-v2-max-age 1"
try visp "tls-crypt-v2 $our_server" "tls-crypt-v2 $W/pki/user.key"
try openvpn "tls-auth $W/pki/our-tls-auth.key 0" "tls-auth $W/pki/our-tls-auth.key 1"
try visp "tls-crypt $W/pki/our-tls-crypt.key" "tls-crypt $W/pki/our-tls-crypt.key"

# A key without a time is of no known age, so a limit refuses it.
SERVER=visp
server_config "tls-crypt-v2 $our_server" "tls-crypt-v2-max-age 1"
client_config laptop "tls-crypt-v2 $W/pki/user.key"
server_start
client_begin laptop
await_log control 15 'first_old_client_key' || fail "a key without a time was let in"
stop laptop || true # it never connected
server_stop

# What is wrong is said, with status 1 or 2, and leaves nothing behind.
wrong() { # STATUS TEXT ARGUMENT...
	local status=$1 text=$2 got=0
	shift 2
	genkey "$@" >"$W/out" 2>&1 || got=$?
	[ "$got" = "$status" ] || fail "genkey $*: status $got"
	grep -qF -- "$text" "$W/out" || fail "genkey $*: $(cat "$W/out")"
}
old=$(cat "$W/pki/our-tls-crypt.key")
wrong 1 'exists already' tls-crypt "$W/pki/our-tls-crypt.key"
[ "$old" = "$(cat "$W/pki/our-tls-crypt.key")" ] || fail "a key was written over"
ln -s "$W/new" "$W/link"
wrong 1 'exists already' tls-crypt "$W/link"
wrong 1 "$W/none/k: No such file" tls-crypt "$W/none/k"
wrong 2 'no such kind' tls-crypt-v3
wrong 2 'usage' tls-crypt a b
wrong 2 'needs --tls-crypt-v2' tls-crypt-v2-client "$W/new"
wrong 2 'for tls-crypt-v2-client only' tls-crypt --metadata AAAA "$W/new"
client=(tls-crypt-v2-client --tls-crypt-v2)
wrong 1 "$W/none: No such file" "${client[@]}" "$W/none" "$W/new"
wrong 1 "$W/pki/ta.key: " "${client[@]}" "$W/pki/ta.key" "$W/new"
sed '2s/^./!/' "$our_server" >"$W/pki/damaged"
wrong 1 "$W/pki/damaged:2: not base64" "${client[@]}" "$W/pki/damaged" "$W/new"
wrong 1 'too long' "${client[@]}" /dev/zero "$W/new"
wrong 1 "isn't base64" "${client[@]}" "$our_server" --metadata 'ab!d' "$W/new"
wrong 1 "isn't base64" "${client[@]}" "$our_server" --metadata 'abc' "$W/new"
wrong 1 '733' "${client[@]}" "$our_server" --metadata "$(head -c 734 /dev/zero | base64 -w0)" "$W/new"
genkey "${client[@]}" "$our_server" --metadata "$(head -c 733 /dev/zero | base64 -w0)" "$W/full" ||
	fail "733 bytes of metadata"
genkey tls-crypt >/dev/full 2>"$W/out" && fail "a full device is no error"
grep -q 'No space left' "$W/out" || fail "full device: $(cat "$W/out")"
[ ! -e "$W/new" ] || fail "a failed genkey left a file"
