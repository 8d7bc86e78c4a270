#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# client-connect, client-disconnect and learn-address are asked and told as by OpenVPN 2.6: arguments,
# environment, files, order. What client-connect writes is pushed; it may refuse, and it may take its
# time without anybody else waiting. A session's end is told also when it was replaced, adopted by
# another control, or the server stops.
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"

net_begin
pki_begin
for name in slow third mallory disabled wrong forbidden leaver; do pki_cert $name clientAuth; done
hotspot_join a
chmod a+rx "$W"
mkdir -m 1777 "$W/seen"
: >"$W/seen/events"
chmod a+rw "$W/seen/events"

cat >"$W/told" <<TXT
#!/bin/sh
seen=$W/seen
[ "\$1" = "an argument" ] || exit 9
shift
case \$script_type in
client-connect)
	env >"\$seen/connect.\$common_name"
	echo "connect \$common_name" >>"\$seen/events"
	[ "\$1" = "\$client_connect_config_file" ] || exit 8
	case \$common_name in
	laptop)
		printf '%s\n' 'push "route 10.77.0.0 255.255.0.0"' 'ifconfig-push 10.8.0.77 255.255.255.0' \
			'iroute 192.168.77.0 255.255.255.0' >"\$1" ;;
	slow)
		printf 2 >"\$client_connect_deferred_file"
		{
			while [ ! -e "\$seen/go" ]; do sleep 0.1; done
			echo 'push "route 10.78.0.0 255.255.0.0"' >"\$1"
			printf 1 >"\$client_connect_deferred_file"
		} &
		;;
	mallory) exit 1 ;;
	disabled) echo disable >"\$1" ;;
	wrong) printf '%s\n' '# a comment' 'no-such-directive' >"\$1" ;;
	leaver)
		echo \$\$ >"\$seen/leaver.pid"
		exec sleep 1000 ;;
	esac ;;
client-disconnect)
	[ \$# = 0 ] || exit 8
	sleep 0.3
	env >"\$seen/disconnect.\$common_name"
	echo "disconnect \$common_name" >>"\$seen/events" ;;
learn-address)
	echo "\$*" >>"\$seen/events"
	[ "\$1 \$3" != "add forbidden" ] ;;
esac
TXT
chmod a+rx "$W/told"

# events N LINE...: these are the N newest events, in this order
events() { [ "$(tail -n "$1" "$W/seen/events")" = "$(printf '%s\n' "${@:2}")" ]; }
event() { grep -qxF -- "$1" "$W/seen/events"; }
# env_is FILE NAME VALUE
env_is() { grep -qxE "$2=$3" "$W/seen/$1" || fail "$1: $2 isn't $3: $(grep "^$2=" "$W/seen/$1" || echo unset)"; }
value() { sed -n "s/^$2=//p" "$W/seen/$1"; }
refused() { [ "$(log_count "$1" AUTH_FAILED)" -gt 0 ]; }
# Does an address lie behind the tunnel? visp-client's routes are in a table of their own.
route() { ip -n "$(ns "$1")" route get "$2" 2>/dev/null | grep -q ' dev tun'; }

told=("client-connect '$W/told \"an argument\"'" "client-disconnect '$W/told \"an argument\"'"
	"learn-address '$W/told \"an argument\"'")
server_config "tmp-dir $W/seen" 'script-security 2' 'hand-window 10' 'setenv SERVER_SAYS hello' "${told[@]}"
server_start

# --- A session with what its program wrote ---

client_config laptop 'dev tun0' 'explicit-exit-notify 1' 'setenv UV_COLOUR green' push-peer-info
client_start laptop
await 5 "the laptop's address" events 3 'connect laptop' 'add 10.8.0.77 laptop' 'add 192.168.77.0/24 laptop'
await 5 "what client-connect pushed" route laptop 10.77.0.1
ip -n "$(ns laptop)" addr show dev tun0 | grep -q ' 10\.8\.0\.77/24 ' || fail "not the address of ifconfig-push"
all_answered pings laptop 10 "$server_inner" -i 0.1 -s 1000 || fail "no pings"
for what in 'common_name laptop' 'trusted_ip 203\.0\.113\.2' 'trusted_port [0-9]+' 'time_unix [0-9]{10}' \
	'time_ascii [0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}' 'untrusted_ip 203\.0\.113\.2' \
	'ifconfig_pool_remote_ip 10\.8\.0\.[0-9]+' 'ifconfig_pool_netmask 255\.255\.255\.0' \
	'script_type client-connect' 'dev tun0' 'dev_type tun' 'ifconfig_local 10\.8\.0\.1' \
	'tls_id_0 CN=laptop' 'X509_0_CN laptop' 'X509_1_CN Scenario CA' 'IV_PLAT linux' 'IV_PROTO [0-9]+' \
	'SERVER_SAYS hello' "client_connect_config_file $W/seen/openvpn_cc_[^/]*\\.tmp" \
	"client_connect_deferred_file $W/seen/openvpn_ccr_[^/]*\\.tmp" \
	'tls_serial_0 [0-9]+' 'tls_digest_sha256_0 [0-9a-f:]{95}'; do
	env_is connect.laptop "${what%% *}" "${what#* }"
done
[ "$CLIENT" = visp ] || env_is connect.laptop UV_COLOUR green

# --- One that takes its time delays nobody; and refusals ---

client_config slow 'dev tun-slow'
client_begin slow hsb
await 10 "the slow client's program" event 'connect slow'
client_config third 'dev tun-third' 'explicit-exit-notify 1'
begin=$SECONDS
client_start third hsa
answered_soon pings laptop 10 "$server_inner" -i 0.05 || fail "a program that takes its time delays pings"
[ $((SECONDS - begin)) -lt 8 ] || fail "another client had to wait"
[ "$(log_count slow 'Initialization Sequence Completed')" = 0 ] || fail "the slow client didn't wait"
touch "$W/seen/go"
client_up slow 10 || fail "the slow client isn't let in"
route hsb 10.78.0.1 || fail "what was pushed late isn't there"

for name in mallory disabled; do
	client_config $name "dev tun-$name" 'connect-retry-max 1'
	client_begin $name
	await 10 "$name to be refused" refused $name
	stop $name || true
	event "connect $name" || fail "client-connect wasn't asked about $name"
	! grep -q "add .* $name" "$W/seen/events" || fail "$name got an address"
done
if [ "$SERVER" = visp ]; then # another server goes on without the line, and without the address
	for name in wrong forbidden; do
		client_config $name "dev tun-$name" 'connect-retry-max 1'
		client_begin $name
		await 10 "$name to be refused" refused $name
		stop $name || true
	done
	[ "$(log_count control 'client-connect:2: .*no-such-directive')" = 1 ] || fail "no line number"
	await 15 "the end of what client-connect agreed to" event 'disconnect forbidden'
	! grep -q 'delete .* forbidden' "$W/seen/events" || fail "what was refused is deleted"
	# A client that leaves while its program runs.
	client_config leaver 'dev tun-leaver'
	client_begin leaver
	await 10 "the leaver's program" test -s "$W/seen/leaver.pid"
	leaver=$(cat "$W/seen/leaver.pid")
	kill -0 "$leaver" || fail "the leaver's program doesn't run"
	stop leaver || true
	await 20 "its program to be ended" eval "! kill -0 $leaver"
	! event 'disconnect leaver' || fail "client-disconnect for one that never was connected"
fi

# --- Ends: good-bye, replaced, adopted, stop ---

stop laptop
await 15 "the laptop's end" event 'disconnect laptop'
[ "$SERVER" != visp ] || # a stock server deletes the addresses some time later
	await 5 "the end of its addresses" events 3 'disconnect laptop' 'delete 10.8.0.77' 'delete 192.168.77.0/24'
for what in 'common_name laptop' 'trusted_ip 203\.0\.113\.2' 'trusted_port [0-9]+' 'bytes_received [0-9]{5,}' \
	'bytes_sent [0-9]{5,}' 'time_duration [0-9]+' 'ifconfig_pool_remote_ip 10\.8\.0\.77' 'X509_0_CN laptop' \
	'script_type client-disconnect' 'IV_PLAT linux' "time_unix $(value connect.laptop time_unix)" \
	'SERVER_SAYS hello'; do
	env_is disconnect.laptop "${what%% *}" "${what#* }"
done
! grep -q '^client_connect_' "$W/seen/disconnect.laptop" || fail "files of client-connect at the end"

rm -f "$W/laptop.log"
client_start laptop
if [ "$SERVER" = visp ]; then
	await 5 "the laptop's address" events 3 'connect laptop' 'add 10.8.0.77 laptop' 'add 192.168.77.0/24 laptop'
	stop laptop 5 KILL || true
	rm -f "$W/laptop.log"
	client_start laptop
	await 5 "the end before the new beginning" events 6 'disconnect laptop' 'delete 10.8.0.77' \
		'delete 192.168.77.0/24' 'connect laptop' 'add 10.8.0.77 laptop' 'add 192.168.77.0/24 laptop'
	since=$(value connect.third time_unix)
	stop control 5 KILL
	control_start
	await_log control 5 'sessions adopted count=3 ' || fail "not all adopted"
	# It would say good-bye over TLS, which isn't there again yet.
	on server "$build/control/vispctl" --socket "$W/control.sock" kick third >/dev/null
	await 15 "the end of an adopted session" event 'disconnect third'
	env_is disconnect.third time_unix "$since"
	env_is disconnect.third X509_0_CN third
	env_is disconnect.third script_type client-disconnect
fi
rm -f "$W/seen/disconnect.laptop"
server_stop
for line in 'disconnect slow' 'disconnect laptop'; do
	event "$line" || fail "the server's end: no $line"
done
[ "$(tail -n 2 "$W/seen/events" | grep -c '^delete ')" -ge 1 ] || fail "addresses aren't deleted at the server's end"
env_is disconnect.laptop ifconfig_pool_remote_ip '10\.8\.0\.77'
left=("$W"/seen/openvpn_*)
[ ! -e "${left[0]}" ] || fail "files are left: ${left[*]}"
