#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# visp-dataplane on real ports: a session with known keys over af_packet and af_xdp, on one worker
# and on three, through a kill and a restart; the generator's sessions over memif; a net_ring port;
# with huge pages and without; what is missing or taken is named; nothing is left.
#
#   ports.sh af_packet|af_xdp|workers|restart [DRIVER [SIGNAL]]|memif|ring|hugepages|errors
set -u

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${VISP_BUILD:-$top/build}
dataplane=$build/dataplane/visp-dataplane
play=$build/tests/dataplane/dp-play
[ "$(id -u)" = 0 ] || {
	echo 'needs root'
	exit 77
}

S=dps-$$-s
C=dps-$$-c
W=$(mktemp -d /tmp/visp-ports-XXXXXX)
pid=

cleanup() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
	ip netns del "$S" 2>/dev/null
	ip netns del "$C" 2>/dev/null
	rm -rf "$W"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() {
	echo "FAILED: $*" >&2
	tail -n 60 "$W"/*.log >&2
	exit 1
}

network() {
	ip netns add "$S" && ip netns add "$C" &&
		ip link add out0 netns "$S" type veth peer name wan0 netns "$C" || exit 77
	ip -n "$S" addr add 192.0.2.1/24 dev out0
	ip -n "$C" addr add 192.0.2.2/24 dev wan0
	ip -n "$S" link set out0 up
	ip -n "$C" link set wan0 up
	ip netns exec "$C" ethtool -K wan0 tx off >/dev/null
}

inner=visp_tap0,iface=visp0

# Write dataplane.conf: the outer port's devargs, then more lines.
configure() {
	{
		echo "socket $W/run/dataplane.sock"
		echo "outer $1"
		shift
		echo "inner $inner"
		printf '%s\n' "$@"
	} >"$W/dataplane.conf"
}

start() {
	: >"$W/dataplane.log"
	# DPDK's own folder lies in ours, where its telemetry is found.
	RUNTIME_DIRECTORY=$W ip netns exec "$S" "$dataplane" --config "$W/dataplane.conf" \
		2>"$W/dataplane.log" &
	pid=$!
	for _ in $(seq 100); do
		grep -q 'ready:' "$W/dataplane.log" && return
		kill -0 "$pid" 2>/dev/null || fail 'it ended'
		sleep 0.1
	done
	fail 'it is not ready after 10 s'
}

stop() {
	local code
	kill -TERM "$pid"
	for _ in $(seq 100); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null
	wait "$pid"
	code=$?
	pid=
	[ "$code" = 0 ] || fail "exit status $code after SIGTERM"
	nothing_left
}

nothing_left() {
	[ ! -e "$W/run" ] || fail "left behind: $(ls -d "$W"/run "$W"/run/*)"
	ip -n "$S" -br link | grep -q visp && fail 'an interface is left behind'
	ip -n "$S" -d link show out0 | grep -q 'prog/xdp' && fail 'an XDP program is left behind'
	ip netns exec "$S" ethtool -k out0 | grep -q '^tx-checksumming: on' ||
		fail 'offloads were not put back'
}

# telemetry COMMAND FILTER: true when jq's filter holds for the answer.
telemetry() {
	python3 - "$W" "$1" >"$W/telemetry.log" <<'PY'
import glob, json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(glob.glob(sys.argv[1] + "/dpdk/*/dpdk_telemetry.v2")[0])
s.recv(16384)
s.send(sys.argv[2].encode())
print(json.dumps(json.loads(s.recv(65536))[sys.argv[2]]))
PY
	jq -e "$2" "$W/telemetry.log" >/dev/null
}

play() {
	ip netns exec "$C" timeout 60 "$play" "$W/run/dataplane.sock" 192.0.2.1 1194 192.0.2.2 "$@" ||
		fail "dp-play $*"
}

# One start that must fail: what it has to say.
refused() {
	ip netns exec "$S" timeout 20 "$dataplane" --config "$W/dataplane.conf" 2>"$W/refused.log" &&
		fail "it started, instead of saying \"$1\""
	grep -q "$1" "$W/refused.log" || fail "it doesn't say \"$1\""
}

case ${1-} in
af_packet)
	network
	inner=net_tap0,iface=visp0 # the other ports' runs have our own
	configure net_af_packet0,iface=out0
	start
	play ping move ping big broken successor leave
	stop
	;;
af_xdp)
	network
	configure net_af_xdp0,iface=out0
	start
	ip netns exec "$C" ping -q -c 3 -i 0.2 192.0.2.1 || fail 'the kernel lost its part'
	play ping move ping big broken successor leave
	stop
	;;
workers)
	network
	configure net_af_packet0,iface=out0 'workers 1,2,3' 'outer-queues 3' \
		'drop-privileges nobody'
	start
	# Which worker an address comes to is the kernel's to choose: of six one is another's, and
	# forty packets from there are more than a session needs to follow.
	play ping move ping ping move ping ping move ping ping move ping ping move ping ping move \
		ping ping big leave
	telemetry /visp/totals '.handoff_out > 0 and .owner_given > 0' ||
		fail 'no worker gave a packet or a session to another'
	stop
	;;
restart)
	network
	configure "net_${2-af_packet}0,iface=out0"
	start
	play ping restart ping >"$W/play.log" &
	player=$!
	for _ in $(seq 100); do
		grep -q 'restart: waiting' "$W/play.log" && break
		sleep 0.1
	done
	# SIGQUIT is the clean end that leaves the sessions to the next one.
	kill "-${3-KILL}" "$pid"
	wait "$pid" 2>/dev/null
	start
	wait "$player" || fail "dp-play: $(cat "$W/play.log")"
	cat "$W/play.log"
	stop
	;;
memif)
	network
	# Each port has a socket of its own: DPDK's driver mixes up connections that come by one.
	memif() { echo "net_memif$2,role=$1,id=$2,socket=$W/memif$2.sock,socket-abstract=no"; }
	inner=$(memif server 1)
	configure "$(memif server 0)" 'idle adaptive'
	start
	ip netns exec "$S" timeout 60 "$build/bench/pktgen/visp-pktgen" --cpu 0 \
		--outer "$(memif client 0)" --inner "$(memif client 1)" --seconds 1 --direction both \
		--socket "$W/run/dataplane.sock" --sessions 16 --size 512 --rate 2000 \
		--json "$W/pktgen.json" >"$W/pktgen.log" 2>&1 || fail "visp-pktgen: status $?"
	jq -e '(.up, .down) | .sent > 50 and .received == .sent' "$W/pktgen.json" >/dev/null ||
		fail "packets are lost: $(jq -c '{up, down}' "$W/pktgen.json")"
	stop
	;;
ring)
	network
	inner=net_ring0
	configure net_af_packet0,iface=out0
	start
	stop
	;;
hugepages)
	[ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" -ge 64 ] || {
		echo 'needs 64 free huge pages'
		exit 77
	}
	network
	for way in on off; do
		configure net_af_packet0,iface=out0 "hugepages $way" 'sessions 512'
		start
		expected=1
		[ $way = on ] || expected=0
		telemetry /visp/totals ".huge_pages == $expected" ||
			fail "hugepages $way: $(cat "$W/telemetry.log")"
		play ping leave
		stop
	done
	;;
errors)
	network
	configure net_af_packet0,iface=missing0
	refused 'no interface "missing0"'
	nothing_left
	configure net_nonsense0
	refused 'neither a PCI address nor a port driver'
	configure net_af_packet0,iface=out0 'hugepages on' 'sessions 1048576'
	refused 'hugepages on: .* MiB are needed'
	nothing_left
	configure net_af_packet0,iface=out0 'control-user no-such-user'
	refused 'no user "no-such-user"'
	nothing_left
	configure net_af_packet0,iface=out0 'outer-queues 9999'
	ip netns exec "$S" "$dataplane" --config "$W/dataplane.conf" 2>/dev/null &&
		fail 'it started with 9999 queues'
	nothing_left
	configure net_af_packet0,iface=out0
	start
	refused 'another visp-dataplane serves'
	python3 - "$W/run/dataplane.sock" <<'PY' || fail 'strangers'
import array, os, random, socket, sys
# Strangers that speak nonsense, with and without descriptors: each is hung up on.
rng = random.Random(1)
for i in range(300):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    s.connect(sys.argv[1])
    text = rng.randbytes(rng.choice([1, 4, 24, 1270, 4000]))
    if i % 3 == 0:
        text = b"\x01\0\0\0" + text
    fds = array.array("i", [0] * (i % 5))
    s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
    while s.recv(4096):
        pass
    s.close()
PY
	[ "$(find "/proc/$(pgrep -P "$pid" -x visp-dataplane || echo "$pid")/fd" -mindepth 1 | wc -l)" -lt 60 ] ||
		fail 'descriptors of strangers are kept'
	ip netns exec "$S" python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.1", 1194))
open(sys.argv[1], "w").close()
time.sleep(20)' "$W/taken" &
	taken=$!
	for _ in $(seq 50); do
		[ -e "$W/taken" ] && break
		sleep 0.1
	done
	ip netns exec "$C" timeout 20 "$play" "$W/run/dataplane.sock" 192.0.2.1 1194 192.0.2.2 ping \
		2>"$W/play.log" && fail 'the port was taken, and nobody said so'
	kill "$taken"
	grep -q 'UDP port 1194 of 192.0.2.1: another program uses it' "$W/play.log" ||
		fail 'control was not told that the port is taken'
	stop
	;;
*)
	echo "usage: $0 af_packet|af_xdp|workers|restart|memif|ring|hugepages|errors" >&2
	exit 2
	;;
esac
