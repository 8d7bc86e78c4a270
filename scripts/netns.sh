# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # its variables are for those who source it
# Sourced by scripts/demo and by the scenarios in tests/net and tests/interop: a small Internet of
# network namespaces, and processes in it. All that it makes carries the shell's process id in its
# name, so that several can run side by side, and goes when the shell ends, also by a signal.
#
#                    laptop: wlan0              one radio, which bra or brb carries
#                      |
#   world:          radio -- bra|brb
#                     lana       lanb
#                      |           |
#   hsa: lan 192.168.1.1    hsb: lan 192.168.2.1    two hotspots, each with NAT
#        wan 203.0.113.2         wan 203.0.113.10
#                      |           |
#   world:            upa .1     upb .9            a router: the Internet
#                          srv 198.51.100.254
#                           |
#   server:             out0 198.51.100.1           the VISP
set -u

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${VISP_BUILD:-$top/build}
server_outer=198.51.100.1
server_inner=10.8.0.1
probe_port=7000

W= # folder of this run: configurations, keys, sockets, logs
declare -A pid=([scenario]=$$) # processes by name
started=() # their names in order
current_hotspot=none
declare -A lan_gateway=([a]=192.168.1.1 [b]=192.168.2.1)
declare -A lan_address=([a]=192.168.1.50 [b]=192.168.2.50)

ns() { echo "visp-$$-$1"; }

# Run a command in a namespace: on laptop ping ...
on() {
	local net
	net=/run/netns/$(ns "$1")
	shift
	nsenter --net="$net" -- "$@"
}

say() { printf '%s\n' "$*" >&2; }

exec {scenario_err}>&2 # where a reader looks, also from within a command whose output is dropped

# End the scenario as failed, with the ends of all logs.
fail() {
	exec 2>&"$scenario_err"
	say "FAILED: $*"
	if [ -n "$W" ] && [ -z "${QUIET_FAIL-}" ]; then
		local log
		for log in "$W"/*.log; do
			[ -s "$log" ] || continue
			say "--- ${log##*/}"
			tail -n "${LOG_LINES:-25}" "$log" >&2
		done
		# Where packets went, if a dataplane still says it.
		declare -F telemetry >/dev/null && telemetry /visp/drops 2>/dev/null |
			jq -c '[.. | objects | to_entries[] | select((.value | type) == "number" and .value > 0)]
				| from_entries' >&2
		say "FAILED: $*" # what a reader of the last lines looks for
	fi
	exit 1
}

skip() {
	say "SKIPPED: $*"
	exit 77
}

# --- Start and end ---

# What a killed run left behind: its name holds the id of a shell that is no more.
net_sweep() {
	local name id
	for name in /run/netns/visp-*-* /tmp/visp-*.?????? /etc/netns/visp-*-*; do
		id=${name#*/visp-}
		id=${id%%[-.]*}
		case $id in '' | *[!0-9]*) continue ;; esac
		[ -e "$name" ] || continue
		[ ! -e "/proc/$id" ] || continue
		case $name in
		/run/netns/*) ip netns del "${name##*/}" 2>/dev/null ;;
		*) rm -rf "$name" ;;
		esac
	done
}

net_end() {
	local status=$? i name
	# A child that a signal reaches before it has become its program ends here too.
	[ "$BASHPID" = $$ ] || exit
	trap '' INT TERM
	trap - EXIT
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		stop "${started[i]}" 3 >/dev/null
	done
	# Children of theirs, if any: nobody else has processes in these namespaces.
	for name in world hsa hsb laptop server; do
		[ -e "/run/netns/$(ns $name)" ] || continue
		ip netns pids "$(ns $name)" 2>/dev/null | xargs -r kill -KILL 2>/dev/null
		ip netns del "$(ns $name)"
	done
	jobs -p | xargs -r kill 2>/dev/null
	hugepages_restore
	hosts_end
	if [ -n "${VISP_KEEP-}" ]; then
		say "kept: $W"
	else
		rm -rf "$W"
	fi
	exit "$status"
}

same_hotspots= # 1: both hotspots give the same private address and gateway

# Make the folder and the namespaces.
net_begin() {
	[ "$(id -u)" = 0 ] || skip "needs root, for network namespaces"
	net_sweep
	W=$(mktemp -d "/tmp/visp-$$.XXXXXX") || exit 1
	chmod 755 "$W"
	trap net_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	if [ -n "$same_hotspots" ]; then
		lan_gateway[b]=${lan_gateway[a]}
		lan_address[b]=${lan_address[a]}
	fi
	topology || fail "cannot make network namespaces"
}

# A veth pair between two namespaces, without the offloads that a packet port can't take part in:
# checksums must be on the packets.
wire() {
	local ns1 ns2 i
	ns1=$(ns "$1")
	ns2=$(ns "$3")
	ip link add "$2" netns "$ns1" type veth peer name "$4" netns "$ns2" || return 1
	for i in "$ns1 $2" "$ns2 $4"; do
		# shellcheck disable=SC2086 # two words
		set -- $i
		nsenter --net="/run/netns/$1" ethtool -K "$2" tx off gro off gso off tso off \
			>/dev/null 2>&1
		ip -n "$1" link set "$2" up
	done
}

nat() {
	on "$1" nft -f - <<-'TXT'
		table ip nat {
			chain post {
				type nat hook postrouting priority 100
				oifname "wan" masquerade
			}
		}
	TXT
}

topology() {
	local name
	for name in world server hsa hsb laptop; do
		ip netns add "$(ns $name)" || return 1
		on $name sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1
		ip -n "$(ns $name)" link set lo up
	done
	on laptop sysctl -qw net.ipv4.ip_forward=0
	wire world srv server out0 && wire world upa hsa wan && wire world upb hsb wan &&
		wire world lana hsa lan && wire world lanb hsb lan &&
		wire world radio laptop wlan0 || return 1
	ip -n "$(ns world)" -batch - <<-TXT || return 1
		link add bra type bridge
		link add brb type bridge
		link set lana master bra
		link set lanb master brb
		link set bra up
		link set brb up
		addr add 198.51.100.254/24 dev srv
		addr add 203.0.113.1/29 dev upa
		addr add 203.0.113.9/29 dev upb
		route add 203.0.113.64/27 via 203.0.113.2
		route add 203.0.113.96/27 via 203.0.113.10
	TXT
	ip -n "$(ns server)" -batch - <<-TXT || return 1
		addr add $server_outer/24 dev out0
		route add default via 198.51.100.254
	TXT
	ip -n "$(ns hsa)" -batch - <<-TXT || return 1
		addr add 203.0.113.2/29 dev wan
		addr add ${lan_gateway[a]}/24 dev lan
		route add default via 203.0.113.1
	TXT
	ip -n "$(ns hsb)" -batch - <<-TXT || return 1
		addr add 203.0.113.10/29 dev wan
		addr add ${lan_gateway[b]}/24 dev lan
		route add default via 203.0.113.9
	TXT
	nat hsa && nat hsb
}

# --- The laptop moves ---

# Take the radio from where it is to hotspot a or b, without an address yet.
hotspot_attach() {
	ip -n "$(ns laptop)" -batch - <<-TXT
		link set wlan0 down
		addr flush dev wlan0
	TXT
	ip -n "$(ns world)" link set radio master "br$1"
	ip -n "$(ns laptop)" link set wlan0 up
	await 5 "hotspot $1 to answer the radio" radio_ready
	current_hotspot=$1
}

radio_ready() {
	bridge -n "$(ns world)" link show dev radio | grep -q 'state forwarding'
}

# Move to a hotspot as a laptop does: link down and up, then the hotspot's address and gateway.
hotspot_join() {
	hotspot_attach "$1"
	ip -n "$(ns laptop)" -batch - <<-TXT
		addr add ${lan_address[$1]}/24 dev wlan0
		route replace default via ${lan_gateway[$1]}
	TXT
}

other_hotspot() { [ "$current_hotspot" = a ] && echo b || echo a; }

# The NAT of the present hotspot begins to give the laptop another public address, which the
# laptop can't notice. $1 counts from 1; what comes for an earlier address is dropped.
hotspot_renumber() {
	local first=64 inside=${lan_address[$current_hotspot]}
	[ "$current_hotspot" = a ] || first=96
	local public=203.0.113.$((first + $1 % 30 + 1))
	# Without connection tracking, so that the change is complete in one transaction.
	on "hs$current_hotspot" nft -f - <<-TXT
		table ip nat
		delete table ip nat
		table ip rewrite
		delete table ip rewrite
		table ip rewrite {
			chain in {
				type filter hook prerouting priority -300
				iifname "wan" ip daddr $public ip daddr set $inside accept
				iifname "wan" ip daddr 203.0.113.64/26 drop
			}
			chain out {
				type filter hook postrouting priority 300
				oifname "wan" ip saddr $inside ip saddr set $public
			}
		}
	TXT
}

# --- Processes ---

# start NAME NAMESPACE COMMAND...: in the background, output in $W/NAME.log
start() {
	local name=$1 space
	space=$(ns "$2")
	shift 2
	ip netns exec "$space" "$@" >>"$W/$name.log" 2>&1 </dev/null &
	pid[$name]=$!
	started+=("$name")
}

running() { [ -n "${pid[$1]-}" ] && kill -0 "${pid[$1]}" 2>/dev/null; }

# Wait until a process has ended; true when it did within so many seconds.
gone() {
	[ -n "${pid[$1]-}" ] || return 0
	patiently timeout "$2" tail --pid="${pid[$1]}" -s 0.02 -f /dev/null
}

# Run a command that may take long so that a signal to this shell is served at once.
patiently() {
	"$@" &
	wait $!
}

# stop NAME [SECONDS [SIGNAL]]: ends it, by KILL if it doesn't end by itself. Its exit status.
stop() {
	local id=${pid[$1]-}
	[ -n "$id" ] || return 0
	local status
	{ # the shell would tell of a process that was killed
		kill "-${3:-TERM}" "$id"
		if ! gone "$1" "${2:-5}"; then
			echo "did not end on ${3:-TERM}" >>"$W/$1.log"
			kill -KILL "$id"
		fi
		wait "$id"
		status=$?
	} 2>/dev/null
	unset "pid[$1]"
	return $status
}

# await SECONDS WHAT COMMAND...: fails the scenario when COMMAND isn't true by then.
await() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -le $end ] || fail "waited in vain for $what"
		sleep 0.02
	done
}

# await_log NAME SECONDS REGEX: until a line of $W/NAME.log matches; false when it doesn't by then,
# or when the process ends without it.
await_log() {
	local name=$1 rc fd reader
	touch "$W/$name.log"
	exec {fd}< <(exec tail -n +1 -s 0.05 ${pid[$name]:+--pid="${pid[$name]}"} -f "$W/$name.log")
	reader=$!
	timeout "$2" grep -qE -m 1 "$3" <&"$fd" &
	wait $!
	rc=$?
	exec {fd}<&-
	kill "$reader" 2>/dev/null
	wait "$reader" 2>/dev/null
	return $rc
}

# How many lines of a log match.
log_count() { grep -cE "$2" "$W/$1.log" 2>/dev/null || true; }

# --- Hugepages ---

hugepages_before=

# hugepages_borrow N: have at least N free pages of 2 MiB where memory allows; given back at the end.
hugepages_borrow() {
	local free total
	free=$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)
	total=$(cat /proc/sys/vm/nr_hugepages 2>/dev/null) || return 0
	[ "${free:-0}" -lt "$1" ] || return 0
	[ "$(awk '/^MemAvailable/ { print int($2 / 2048) }' /proc/meminfo)" -gt $(($1 * 3 / 2)) ] || return 0
	[ -w /proc/sys/vm/nr_hugepages ] || return 0
	[ -n "$hugepages_before" ] || hugepages_before=$total
	echo $((total + $1 - ${free:-0})) >/proc/sys/vm/nr_hugepages 2>/dev/null || true
}

hugepages_restore() {
	[ -n "$hugepages_before" ] || return 0
	echo "$hugepages_before" >/proc/sys/vm/nr_hugepages
	hugepages_before=
}

# hosts NAMESPACE LINE...: what /etc/hosts says to the processes that are started in it.
hosts() {
	local dir
	dir=/etc/netns/$(ns "$1")
	shift
	mkdir -p "$dir" || fail "cannot make $dir"
	printf '%s\n' '127.0.0.1 localhost' "$@" >"$dir/hosts"
}

hosts_end() {
	rm -rf /etc/netns/visp-$$-*
	rmdir /etc/netns 2>/dev/null || true # somebody else's may be in it
}

# --- IPv6 ---

server_outer6=2001:db8:1::1
server_inner6=fd00:8::1
declare -A lan_gateway6=([a]=2001:db8:aa::1 [b]=2001:db8:bb::1)
declare -A lan_address6=([a]=2001:db8:aa::50 [b]=2001:db8:bb::50)

# Give the Internet IPv6 as well, without translation; hotspots have it until hotspot6 says no.
ipv6_begin() {
	local name
	for name in world server hsa hsb laptop; do
		on $name sysctl -qw net.ipv6.conf.all.disable_ipv6=0 \
			net.ipv6.conf.default.disable_ipv6=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_ra=0 \
			net.ipv6.conf.default.accept_ra=0
	done
	for name in world hsa hsb server; do
		on $name sysctl -qw net.ipv6.conf.all.forwarding=1
	done
	ip -n "$(ns world)" -6 -batch - <<-TXT || fail "no IPv6 in the world"
		addr add 2001:db8:1::fe/64 dev srv nodad
		addr add 2001:db8:a::1/64 dev upa nodad
		addr add 2001:db8:b::1/64 dev upb nodad
		route add 2001:db8:aa::/64 via 2001:db8:a::2
		route add 2001:db8:bb::/64 via 2001:db8:b::2
	TXT
	ip -n "$(ns server)" -6 -batch - <<-TXT || fail "no IPv6 at the server"
		addr add $server_outer6/64 dev out0 nodad
		route add default via 2001:db8:1::fe
	TXT
	ip -n "$(ns hsa)" -6 -batch - <<-TXT || fail "no IPv6 at hotspot a"
		addr add 2001:db8:a::2/64 dev wan nodad
		addr add ${lan_gateway6[a]}/64 dev lan nodad
		route add default via 2001:db8:a::1
	TXT
	ip -n "$(ns hsb)" -6 -batch - <<-TXT || fail "no IPv6 at hotspot b"
		addr add 2001:db8:b::2/64 dev wan nodad
		addr add ${lan_gateway6[b]}/64 dev lan nodad
		route add default via 2001:db8:b::1
	TXT
}

# Move to a hotspot that has IPv6 alone, or with "both" IPv4 too.
hotspot6_join() { # a|b [both]
	hotspot_attach "$1"
	[ -z "${2-}" ] || ip -n "$(ns laptop)" -batch - <<-TXT
		addr add ${lan_address[$1]}/24 dev wlan0
		route replace default via ${lan_gateway[$1]}
	TXT
	ip -n "$(ns laptop)" -6 -batch - <<-TXT
		addr add ${lan_address6[$1]}/64 dev wlan0 nodad
		route replace default via ${lan_gateway6[$1]}
	TXT
}
