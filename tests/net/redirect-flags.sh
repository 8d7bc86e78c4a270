#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What each flag of redirect-gateway and redirect-private sends through the tunnel and what past it:
# counted where packets leave the laptop, with the tunnel up, and while a flood goes on as the client
# connects anew and gets another address. The underlay's own routes stay as they are.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$CLIENT" = visp ] || fail "this is about visp-client"

# Destinations: the Internet in both families, and at each hotspot the gateway and a neighbour.
declare -A dest=([inet4]=203.0.113.9 [near4]=203.0.113.1 [inet6]=2001:db8:b::1
	[gw]=192.168.1.1 [lan]=192.168.1.9 [gwb]=192.168.2.1 [lanb]=192.168.2.9)
inside=10.8.0.70 # the laptop's tunnel address; counts up

net_begin
ipv6_begin
pki_begin
hotspot6_join a both
ip -n "$(ns world)" addr add "${dest[lan]}/24" dev bra
ip -n "$(ns world)" addr add "${dest[lanb]}/24" dev brb
mkdir "$W/ccd"
server_config 'server-ipv6 fd00:8::/64' "client-config-dir $W/ccd"
server_start
# The VISP is the way into the Internet for its clients.
on server nft -f - <<-'TXT'
	table inet nat {
		chain post {
			type nat hook postrouting priority 100
			oifname "out0" masquerade
		}
	}
TXT
{
	echo "table inet seen {"
	for d in "${!dest[@]}"; do
		echo "counter past_$d {}"
		echo "counter tunnel_$d {}"
	done
	echo "chain out {"
	echo "type filter hook postrouting priority 300;"
	for d in "${!dest[@]}"; do
		family=ip
		[[ ${dest[$d]} != *:* ]] || family=ip6
		echo "oifname wlan0 $family daddr ${dest[$d]} counter name past_$d"
		echo "oifname \"tun*\" $family daddr ${dest[$d]} counter name tunnel_$d"
	done
	echo "}"
	echo "}"
} | on laptop nft -f - || fail "no counters"

counts_begin() { on laptop nft reset counters >/dev/null; }

counted() { # past|tunnel DESTINATION
	on laptop nft -j list counter inet seen "$1_$2" | jq '.nftables[] | .counter? // empty | .packets'
}

# goes DESTINATION past|tunnel|nowhere WHEN: by the counters.
goes() {
	local past tunnel
	past=$(counted past "$1")
	tunnel=$(counted tunnel "$1")
	case $2 in
	past) [ "$past" -gt 0 ] && [ "$tunnel" = 0 ] ;;
	tunnel) [ "$past" = 0 ] && [ "$tunnel" -gt 0 ] ;;
	nowhere) [ "$past" = 0 ] && [ "$tunnel" = 0 ] ;;
	esac || fail "$flags: $3, $1: $past packets past the tunnel and $tunnel into it, not $2"
}

# look WHEN DESTINATION=WAY...: with pings, which are answered where there is a way.
look() {
	local when=$1 d way
	shift
	counts_begin
	for d; do
		way=${d#*=}
		d=${d%=*}
		if [ "$way" = nowhere ]; then
			! on laptop ping -c 1 -W 1 -q "${dest[$d]}" >/dev/null 2>&1 ||
				fail "$flags: $when, $d answers"
		else
			await 10 "$flags: $when, an answer of $d" on laptop ping -c 1 -W 1 -q "${dest[$d]}"
		fi
		goes "$d" "$way" "$when"
	done
}

address_is() { on laptop ip -4 addr | grep -q " $1/"; }

next_address() {
	inside=10.8.0.$((${inside##*.} + 1))
	echo "ifconfig-push $inside 255.255.255.0" >"$W/ccd/laptop"
}

up_again() { [ "$(log_count laptop 'Initialization Sequence Completed')" = "$1" ] && address_is "$inside"; }

# Have packets left for each destination that has a way?
flooded() {
	local d
	for d; do
		[ "${d#*=}" = nowhere ] || [ "$(counted "${d#*=}" "${d%=*}")" -gt 0 ] || return 1
	done
}

# Connect anew under a flood to every destination.
anew() {
	local d
	next_address
	counts_begin
	start flood laptop python3 -c 'import socket, sys, time
while True:
    for d in sys.argv[1:]:
        try:
            family = socket.AF_INET6 if ":" in d else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.sendto(b"x", (d, 9))
        except OSError:
            pass  # no way, for now
    time.sleep(0.001)' "${dest[@]}"
	await 20 "the flood" flooded "$@"
	kill -USR1 "${pid[laptop]}"
	await 20 "$flags: the client to connect anew" up_again 2
	stop flood
	for d; do
		goes "${d%=*}" "${d#*=}" "connecting anew"
	done
}

# try LINES EXPECTED...: LINES of the profile, separated by semicolons; EXPECTED as look has it.
try() {
	local lines
	flags=$1
	shift
	IFS=';' read -ra lines <<<"$flags"
	next_address
	client_config laptop 'connect-retry 1 1' "${lines[@]}"
	: >"$W/laptop.log"
	client_start laptop
	look "connected" "$@"
	[ "$(on laptop ip route show default)" = "$underlay" ] || fail "$flags: the underlay's route changed"
	anew "$@"
	[ -z "${moves-}" ] || "$moves"
	stop laptop || fail "$flags: the client ended with status $?"
	[ "$(on laptop ip rule | wc -l)" = 3 ] || fail "$flags: rules stayed behind"
	[ "$(on laptop ip -6 rule | wc -l)" = 2 ] || fail "$flags: IPv6 rules stayed behind"
	say "$flags: $*"
}

underlay=$(on laptop ip route show default)
plain=(inet4=tunnel gw=past lan=past inet6=past)
try 'redirect-gateway' "${plain[@]}"
try 'redirect-gateway def1' "${plain[@]}"
# The first two ask for what is so anyway, the others for what OpenVPN does on Windows alone.
try 'redirect-gateway def1 local autolocal bypass-dhcp bypass-dns' "${plain[@]}"
try 'redirect-gateway def1 ipv6' inet4=tunnel inet6=tunnel gw=past lan=past
try 'redirect-gateway ipv6 !ipv4' inet4=past inet6=tunnel gw=past lan=past
try 'redirect-gateway !ipv4' inet4=past inet6=past gw=past lan=past
# What can't go through the tunnel doesn't go past it.
try 'redirect-gateway def1 ipv6;pull-filter ignore ifconfig-ipv6' inet4=tunnel inet6=nowhere lan=past
try 'redirect-gateway def1;block-ipv6' inet4=tunnel inet6=nowhere lan=past
try 'redirect-private def1;route 203.0.113.8 255.255.255.248' inet4=tunnel near4=past inet6=past lan=past

# The hotspot's network is closed but for its gateway, and the next one's as well.
moved() { [ "$(log_count laptop 'moved in')" -ge "$1" ]; }
there_and_back() {
	hotspot6_join b both
	await 10 "$flags: the move to b" moved 1
	look "at b" inet4=tunnel gwb=past lanb=tunnel
	hotspot6_join a both
	await 10 "$flags: the move to a" moved 2
	look "back at a" inet4=tunnel gw=past lan=tunnel
	# A link that has become strict about reverse paths: these must not lead into the tunnel.
	on laptop sysctl -qw net.ipv4.conf.wlan0.rp_filter=1
	hotspot6_join b both
	await 10 "$flags: the move to b over a strict link" moved 3
	look "at b, strict" inet4=tunnel gwb=past lanb=tunnel
	on laptop sysctl -qw net.ipv4.conf.wlan0.rp_filter=0
	hotspot6_join a both
	await 10 "$flags: the move to a, not strict" moved 4
}
moves=there_and_back
try 'redirect-gateway def1 block-local' inet4=tunnel gw=past lan=tunnel inet6=past
try 'redirect-private block-local;route 203.0.113.8 255.255.255.248' inet4=tunnel near4=past gw=past \
	lan=tunnel inet6=past
server_stop
