#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Programs that can't start say why, with file and line where a file is at fault, end with a status
# other than 0, and leave nothing behind. So does every program that is told to end.
. "$(dirname "$0")/../../scripts/peers.sh"
. "$(dirname "$0")/traces.sh"
peers "$@"
dataplane=$build/dataplane/visp-dataplane
control=$build/control/visp-control
client=$build/client/visp-client
vispctl=$build/control/vispctl

net_begin
pki_begin
pki_cert other clientAuth
echo junk >"$W/pki/junk"
hotspot_join a
server_config
client_config laptop
traces_begin
traces_note server laptop

# --- Command lines ---

status_of() {
	timeout 10 "$@" >"$W/out.log" 2>"$W/err.log" </dev/null
	echo $?
}

for program in "$dataplane" "$control" "$client" "$vispctl" "$build/bench/probe/visp-probe" \
	"$build/bench/visp-pktgen"; do
	[ -x "$program" ] || continue # visp-pktgen may not be built
	name=${program##*/}
	for option in --help --version; do
		[ "$(status_of "$program" $option)" = 0 ] || fail "$name $option fails"
		[ ! -s "$W/err.log" ] || fail "$name $option: $(cat "$W/err.log")"
		[ $option = --help ] || grep -qE "^$name [0-9]+\.[0-9]+" "$W/out.log" ||
			fail "$name --version: $(cat "$W/out.log")"
		[ $option = --version ] || grep -qi "usage: $name" "$W/out.log" ||
			fail "$name --help: $(head -n 3 "$W/out.log")"
	done
	for option in --no-such-option ''; do
		# shellcheck disable=SC2086 # none at all where it is empty
		status=$(status_of "$program" $option)
		[[ $status != 0 && $status -lt 124 ]] || fail "$name $option: status $status"
		[ ! -s "$W/out.log" ] || fail "$name $option: writes to standard output"
		grep -qE -e "${option:+no-such-option}" "$W/err.log" ||
			fail "$name $option: $(cat "$W/err.log")"
	done
done
traces_none "command lines"
say "command lines: as they should be"

# --- Starts that fail ---

# refused NAMESPACE REGEX... -- COMMAND...: it ends by itself, its status isn't 0, each REGEX is in
# a line that it writes to standard error, and nothing is left of it.
refused() {
	local where=$1 words=() regex status
	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	on "$where" "${private[@]}" timeout 10 "$@" >"$W/out.log" 2>"$W/err.log" </dev/null
	status=$?
	for regex in "${words[@]}"; do
		grep -qE -e "$regex" "$W/err.log" || fail "not said: $regex"
	done
	[[ $status != 0 && $status -lt 124 ]] || fail "status $status: ${words[*]}"
	traces_none "${words[*]}"
	say "$(grep -hE -m 1 -e "${words[0]}" "$W/err.log")"
}

# altered FILE DIRECTIVE [LINE]: a copy in which a line stands in place of those of a directive, or
# nothing does; its path and the number of the line.
altered() {
	sed "/^$2\( \|\$\)/d" "$1" >"$1.log" # logs aren't looked at by traces
	[ -z "${3-}" ] || echo "$3" >>"$1.log"
	at=$1.log:$(wc -l <"$1.log")
}

bad_dataplane() { # REGEX DIRECTIVE [LINE [OPTION...]]
	altered "$W/dataplane.conf" "$2" "${3-}"
	refused server "${1//@/$at: }" -- "$dataplane" --config "$W/dataplane.conf.log" "${@:4}"
}

bad_control() {
	altered "$W/server.conf" "$2" "${3-}"
	refused server "${1//@/$at: }" -- "$control" --config "$W/server.conf.log"
}

bad_client() {
	altered "$W/laptop.ovpn" "$2" "${3-}"
	refused laptop "${1//@/$at: }" -- "$client" --config "$W/laptop.ovpn.log"
}

# Configurations: "@" is file and line.
for bad in bad_dataplane bad_control bad_client; do
	$bad "@unknown directive 'frobnicate'" none 'frobnicate 7'
	$bad "@'verb' takes a number from 0 to 11, got 'loud'" verb 'verb loud'
	$bad '@no closing double quote' none 'log "x'
	$bad "@config: can't read '$W/none': No such file" none "config $W/none"
done
for program in "$dataplane" "$control" "$client"; do
	refused server "can't read:? '?$W/none'?: No such file|$W/none: can't read: No such file" -- \
		"$program" --config "$W/none"
done
bad_control "@'<ca>' has no '</ca>'" none '<ca>'
bad_client "@'<ca>' has no '</ca>'" none '<ca>'
bad_control "@'port' takes a number" port 'port 70000'
bad_control "@'data-ciphers': unknown cipher 'ROT13'" data-ciphers 'data-ciphers ROT13'
bad_client "@'remote' takes" none 'remote'
bad_client "no 'remote'" remote
bad_dataplane "dataplane.conf.log: no 'outer' port" outer
bad_dataplane "@'sessions' takes a number from 1 to" sessions 'sessions 0'
printf 'sessions none\nhugepages maybe\n' >"$W/both.log"
refused server "both.log:1: 'sessions'" "both.log:2: 'hugepages'" "both.log: no 'outer'" -- \
	"$dataplane" --config "$W/both.log"
: >"$W/empty.log"
refused server "empty.log: no 'outer' port" -- "$dataplane" --config "$W/empty.log"
refused server "empty.log: no 'server' line" -- "$control" --config "$W/empty.log"
refused laptop "empty.log: no 'client' line" -- "$client" --config "$W/empty.log"

# Files with certificates and keys.
for option in ca cert key tls-crypt; do
	bad_control "@$option: can't read '$W/none': No such file" $option "$option $W/none"
	bad_client "@$option: can't read '$W/none': No such file" $option "$option $W/none"
	bad_control "$option:? $W/pki/junk: no " $option "$option $W/pki/junk"
	bad_client "@$option:? $W/pki/junk: no " $option "$option $W/pki/junk"
done
bad_control "cert $W/pki/server.crt: the private key belongs to another" key "key $W/pki/other.key"
bad_client "cert $W/pki/laptop.crt: the private key belongs to another" key "key $W/pki/other.key"
bad_control "@crl-verify: can't read '$W/none'" none "crl-verify $W/none"

# Ports.
bad_dataplane 'outer: no interface "nowhere0" on this host' outer \
	'outer net_af_packet0,iface=nowhere0'
bad_dataplane 'outer: no PCI device 0000:7f:00.0 on this host' outer 'outer 0000:7f:00.0'
bad_dataplane 'outer: "net_magic0" is neither a PCI address nor a port driver' outer \
	'outer net_magic0'
bad_dataplane 'outer: port "net_af_packet0,iface=out0,no=1.*" can.t be opened' outer \
	'outer net_af_packet0,iface=out0,no=1'
bad_dataplane 'inner: no interface "nowhere0" on this host' inner \
	'inner net_af_packet1,iface=nowhere0'
bad_dataplane 'inner: an interface "out0" exists already' inner 'inner net_tap0,iface=out0'
bad_dataplane 'inner: port "net_tap0,iface=visp0,remote=nowhere0.*" can.t be opened' inner \
	'inner net_tap0,iface=visp0,remote=nowhere0'
bad_dataplane 'inner: visp_tap0 has one argument, iface=NAME, not "mac=fixed"' inner \
	'inner visp_tap0,mac=fixed'
bad_dataplane "EAL doesn't start" none '' -- --no-such-eal-option

# Users, folders, devices.
bad_dataplane 'control-user: no user "nosuchuser"' control-user 'control-user nosuchuser'
bad_dataplane 'drop-privileges: no user "nosuchuser"' none 'drop-privileges nosuchuser'
bad_control 'user: there is no user nosuchuser' user 'user nosuchuser'
bad_control "visp-control doesn't run as root" user 'user root'
bad_dataplane "$W/none/none/.*: No such file" socket "socket $W/none/none/d.sock"
bad_control "path=$W/none/control.sock error=\"No such file" control-socket \
	"control-socket $W/none/control.sock"
bad_control "path=$W/no-pages error=\"File exists" control-socket "control-socket $W/no-pages"
bad_dataplane "$W/none/x.log: No such file" none "log $W/none/x.log"
bad_control "path=$W/none/x.log error=\"No such file" none "log $W/none/x.log"
bad_client "can't open $W/none/x.log: No such file" none "log $W/none/x.log"
refused server 'Permission denied' -- setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$dataplane" --config "$W/dataplane.conf"
refused laptop 'Permission denied|Operation not permitted' -- setpriv --reuid 65534 \
	--regid 65534 --clear-groups "$client" --config "$W/laptop.ovpn"

# Hugepages.
[ ! -e $huge_free ] || bad_dataplane \
	'hugepages on: [0-9]+ MiB are needed and 0 MiB are free; raise them with' none 'hugepages on'
traces_note server laptop

# --- Programs that run ---

# run NAME NAMESPACE COMMAND...
run() { start "$1" "$2" "${private[@]}" "${@:3}"; }

dataplane_run() {
	run dataplane server "$dataplane" --config "$W/dataplane.conf"
	await_log dataplane 15 'ready: ' || fail "the dataplane doesn't start"
}

control_run() {
	run control server "$control" --config "$W/server.conf"
	await_log control 10 'dataplane connected' || fail "control doesn't meet the dataplane"
}

# ended NAME [SIGNAL]: on this signal with status 0.
ended() {
	stop "$1" 5 "${2:-TERM}" || fail "$1: status $? after ${2:-TERM}"
	rm -f "$W/$1.log"
}

dataplane_run
[ "$(log_count dataplane 'no huge pages are free .*using 4 KiB pages')" = 1 ] ||
	[ ! -e $huge_free ] ||
	fail "not one line about missing hugepages"
traces_note server laptop
refused server "another visp-dataplane serves $W/dataplane.sock" -- \
	"$dataplane" --config "$W/dataplane.conf"
mkdir "$W/elsewhere"
traces_note server laptop
bad_dataplane 'inner: an interface "visp0" exists already' socket "socket $W/elsewhere/d.sock"
rmdir "$W/elsewhere"
control_run
traces_note server laptop
refused server "path=$W/control.sock error=\"another visp-control uses it\"" -- \
	"$control" --config "$W/server.conf"

# A second control goes on asking, for the first one may end; it says why once, and never gets in.
sed "s,^control-socket .*,control-socket $W/second.sock," "$W/server.conf" >"$W/second.conf.log"
run second server "$control" --config "$W/second.conf.log"
# shellcheck disable=SC2154 # of netns.sh
await_log second 5 "refuses this control reason=\"another visp-control \(pid ${pid[control]}\)" ||
	fail "a second control isn't refused"
patiently sleep 1.5
[ "$(log_count second refuses)" = 1 ] || fail "the second control says it again and again"
[ "$(log_count dataplane refused)" = 1 ] || fail "the dataplane says it again and again"
ended second
traces_none 'a second control'
running control || fail "the first control is gone"

# --- The operator's tool ---

asked() { on server timeout 5 "$vispctl" --socket "$W/control.sock" "$@"; }

wrong() { # REGEX ARGUMENT...
	local status=0
	asked "${@:2}" >"$W/out.log" 2>"$W/err.log" || status=$?
	[[ $status != 0 && $status -lt 124 ]] || fail "vispctl ${*:2}: status $status"
	grep -qE -e "$1" "$W/err.log" || fail "vispctl ${*:2}: not said: $1"
}
wrong 'no such session' show nobody
wrong 'no such session' kick nobody
wrong '"frobnicate" isn.t a command' frobnicate
wrong '"show" .* wants other arguments' show
wrong "can't reach visp-control at $W/none: No such file" --socket "$W/none" status
wrong "can't reach visp-control at $W/pki/junk: Connection refused" --socket "$W/pki/junk" status
! asked status >/dev/full 2>&1 || fail "vispctl status: status 0 though nothing was written"
on server python3 - "$W/control.sock" <<'TXT' || fail "control's socket and hostile requests"
import socket, sys

def ask(request, hang_up=False):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sys.argv[1])
    try:
        s.sendall(request)
        if hang_up:
            s.shutdown(socket.SHUT_WR)
        return s.recv(65536)
    except (ConnectionResetError, BrokenPipeError):
        return b""

for bad in (b"\n", b"junk\n", b"{}\n", b"[]\n", b"\0\0\0\n", b"\xff" * 100 + b"\n", b"null\n",
            b'{"command":7}\n', b'{"command":"reboot"}\n', b'{"command":"show"}\n',
            b'{"command":"kick","peer":""}\n', b'{"command":"kick","peer":{}}\n'):
    answer = ask(bad)
    assert answer.startswith(b'{"error":"') and answer.endswith(b"\n"), (bad, answer)
for long in (b"[" * 3000 + b"\n", b"x" * 100000, b'{"command":"' + b"A" * 100000 + b'"}\n'):
    assert ask(long) == b"" or ask(long).startswith(b'{"error"'), long[:20]
assert ask(b'{"command":', True) == b""
# Requests that come at once are answered one by one, and the rest of a line may come later.
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(b'{"command":"status"}\n' * 100 + b'{"command":"counters"}\n{"command":')
answers = b""
while answers.count(b"\n") < 101:
    answers += s.recv(65536)
s.sendall(b'"reboot"}\n')
while answers.count(b"\n") < 102:
    answers += s.recv(65536)
lines = answers.splitlines()
assert all(l.startswith(b'{"totals":') for l in lines[:100]), lines[:100]
assert lines[101].startswith(b'{"error":"'), lines[101]
idle = [socket.socket(socket.AF_UNIX) for i in range(100)]
for s in idle:
    s.connect(sys.argv[1])
TXT
# Other servers than ours at its place.
for answer in '' 'junk' '{}' '[]' '{"sessions":7}' '{"totals":[]}' \
	'{"totals":{},"sessions":[7,{"flags":[7]}]}'; do
	start pretender server python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
os.write(1, b"listening\n")
c = s.accept()[0]
c.recv(1000)
c.sendall(sys.argv[2].encode())' "$W/pretender.sock" "$answer"
	await_log pretender 5 listening || fail "no pretender"
	status=0
	asked --socket "$W/pretender.sock" status >"$W/out.log" 2>"$W/err.log" || status=$?
	[ $status -lt 124 ] || fail "vispctl, given '$answer': status $status"
	[ "$status" != 0 ] || [ "${answer%%7*}" = '{"totals":{},"sessions":[' ] ||
		fail "vispctl takes '$answer'"
	gone pretender 5
	unset "pid[pretender]"
	rm -f "$W/pretender.sock" "$W/pretender.log"
done
asked status | grep -q 'dataplane up, 0 of 512 sessions' || fail "control is unwell"
say "vispctl and its socket: as they should be"

# --- Ends ---

# A tunnel, so that the client has something to clean up.
echo 'push "redirect-gateway def1"' >>"$W/server.conf"
ended control
control_run
run laptop laptop "$client" --config "$W/laptop.ovpn" --writepid "$W/laptop.pid"
client_up laptop 20 || fail "laptop does not connect"
[ -s "$W/laptop.pid" ] || fail "no writepid"
ended laptop INT
traces_none 'client, SIGINT'
ended control INT
[ ! -e "$W/control.sock" ] || fail "control, SIGINT: its socket is left"

# A control without a dataplane says so, waits, and ends.
ended dataplane INT
run control server "$control" --config "$W/server.conf"
await_log control 5 "waiting for the dataplane path=$W/dataplane.sock error=\"No such file" ||
	fail "control doesn't miss the dataplane"
ended control
rm "$W/dataplane.conf" "$W/server.conf"
server_config
echo "port is taken" >"$W/taken.log"
traces_note server laptop

# Someone else has the UDP port: control is told, and let in once it is free.
start taken server python3 -u -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 1194))
print("bound")
time.sleep(60)'
await_log taken 5 bound || fail "port 1194 is taken indeed"
dataplane_run
run control server "$control" --config "$W/server.conf"
await_log control 5 "refuses this control reason=\"UDP port 1194 of $server_outer: another program" ||
	fail "control isn't told that its port is taken"
stop taken
await_log control 5 'dataplane connected' || fail "control isn't let in"
ended control
ended dataplane
traces_none 'UDP port taken'

# A control that isn't the one whom dataplane.conf names.
altered "$W/dataplane.conf" control-user 'control-user daemon'
run dataplane server "$dataplane" --config "$W/dataplane.conf.log"
await_log dataplane 15 'ready: ' || fail "no dataplane"
run control server "$control" --config "$W/server.conf"
await_log control 5 'waiting for the dataplane .*Permission denied' ||
	fail "control isn't told that it is the wrong user"
ended control
ended dataplane

# At any moment of their start; with and without the rights to remove what was made.
for pause in 0.01 0.04 0.08 0.15 0.3; do
	for user in root nobody; do
		dataplane_config "writepid $W/dataplane.pid"
		[ $user = root ] || echo 'drop-privileges nobody' >>"$W/dataplane.conf"
		run dataplane server "$dataplane" --config "$W/dataplane.conf"
		run control server "$control" --config "$W/server.conf"
		run laptop laptop "$client" --config "$W/laptop.ovpn" --writepid "$W/laptop.pid"
		patiently sleep $pause
		# 143: the signal came before there was anything to clean up.
		for name in laptop control dataplane; do
			stop $name 5
			status=$?
			[ $status = 0 ] || [ $status = 143 ] ||
				fail "$name: status $status after TERM in the middle of its start"
		done
		traces_none "SIGTERM after $pause s, $user"
	done
done
say "ends: nothing is left behind"
