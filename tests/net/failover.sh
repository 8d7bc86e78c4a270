#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A profile with several `remote` lines. The client goes through them in order until one answers, passes
# over those that are silent, hold another tls-crypt key or have their port closed, each after its
# connect-timeout, and goes on to the next when the one in use dies. Rounds without success are apart as
# connect-retry says, connect-retry-max ends them, and remote-random shuffles.
#
# shellcheck disable=SC2154 # addresses are netns.sh's
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
[ "$CLIENT" = visp ] || fail "this is about visp-client"
[ "$WRAP" = tls-crypt ] || fail "this is about tls-crypt"
elsewhere=198.51.100.254 # the world's address, where all ports lie but the server's
silent=1201 stranger=1202 closed=1203 spare=1205

net_begin
pki_begin
hotspot_join a
server_config 'keepalive 1 4'
server_start
on world nft -f - <<-TXT
	table ip silent {
		chain in {
			type filter hook input priority 0;
			udp dport $silent drop
		}
	}
TXT

# stock NAME PORT DEVICE NETWORK KEY: another server of the same CA, in the world.
stock() {
	cat >"$W/$1.conf" <<-TXT
		local $elsewhere
		lport $2
		proto udp4
		dev $3
		server $4 255.255.255.0
		topology subnet
		ca $W/pki/ca.crt
		cert $W/pki/server.crt
		key $W/pki/server.key
		tls-crypt $5
		dh none
		keepalive 1 10
		verb 3
	TXT
	start "$1" world openvpn --config "$W/$1.conf"
	await_log "$1" 10 'Initialization Sequence Completed' || fail "$1 does not start"
}
openvpn --genkey tls-crypt "$W/pki/other.key"
stock stranger $stranger tun6 10.6.0.0 "$W/pki/other.key"
stock spare $spare tun7 10.7.0.0 "$W/pki/tc.key"

# profile LINE...: without the `remote` line of client_config
profile() {
	client_config laptop "$@"
	sed -i "0,/^remote /{/^remote /d}" "$W/laptop.ovpn"
	: >"$W/laptop.log"
}

watch_begin() {
	rm -f "$W/seen.log"
	start seen laptop tcpdump -i wlan0 -n -l -tt "udp and src host ${lan_address[a]} or icmp"
	await_log seen 5 listening || fail "no tcpdump"
}

# Of what was sent: a line "SECONDS PORT" for the first datagram to each remote in turn.
visits() {
	sed -n 's/^\([0-9.]*\) IP .* > [0-9.]*\.\([0-9]*\): UDP.*/\1 \2/p' "$W/seen.log" |
		awk '$2 != last { print; last = $2 }'
}

ports() { visits | awk '{ printf "%s%s", sep, $2; sep = " " }'; }

# between LEAST SECONDS MOST WHAT: fails unless it lies there.
between() {
	awk -v a="$1" -v x="$2" -v b="$3" 'BEGIN { exit !(x != "" && x + 0 >= a && x + 0 <= b) }' ||
		fail "$4: $2 s, and not $1 to $3 s"
}

connected() { [ "$(log_count laptop 'Initialization Sequence Completed')" = "$1" ]; }

# --- The first that works, and the next when it dies ---

profile "remote $elsewhere $silent" "remote $elsewhere $stranger" "remote $elsewhere $closed" \
	"remote $server_outer 1194" "remote $elsewhere $spare" 'server-poll-timeout 1' 'connect-retry 1 4'
watch_begin
client_start laptop
all_answered ping laptop 5 "$server_inner" -i 0.05 || fail "no ping through the fourth remote"
want="$silent $stranger $closed 1194"
[ "$(ports)" = "$want" ] || fail "remotes were tried as $(ports), not as $want"
n=0
while read -r gap; do
	n=$((n + 1))
	between 0.9 "$gap" 3 "remote $n was given up"
done < <(visits | awk 'NR > 1 { print $1 - before } { before = $1 }')
grep -q 'tls-crypt unwrap error' "$W/stranger.log" || fail "the stranger did not refuse"
grep -q "udp port $closed unreachable" "$W/seen.log" || fail "the closed port did not refuse"
say "in order: $want"

if [ "$SERVER" = visp ]; then
	stop control 5 KILL
	stop dataplane 5 KILL
else
	stop server 5 KILL
fi
died=$(date +%s.%N)
await 30 "the next remote to be connected to" connected 2
# At most 5 s of silence, a pause of 1.25 s, a second try of 1 s.
between 2 "$(awk -v a="$died" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')" 20 "the next remote"
all_answered ping laptop 5 10.7.0.1 -i 0.05 || fail "no ping through the next remote"
want="$want $spare"
[ "$(ports)" = "$want" ] || fail "remotes were tried as $(ports), not as $want"
[ "$(on laptop ip -4 addr | grep -c 'inet 10\.[678]\.0\.')" = 1 ] || fail "an old address stayed"
say "the live one died: the next one, not the first"

# That was the last: behind it the list begins anew.
stop spare 5 KILL
await 40 "the list to begin anew" eval "[[ \$(ports) == '$want $silent'* ]]"
stop laptop || fail "the client ended with status $?"
stop seen
say "the last one died: the first one again"

# --- Pauses between rounds ---

profile "<connection>" "remote $elsewhere $silent" "connect-timeout 1" "</connection>" \
	"<connection>" "remote $elsewhere $closed" "connect-timeout 2" "</connection>" \
	'connect-retry 1 3' 'connect-retry-max 4'
watch_begin
client_begin laptop
gone laptop 40 || fail "connect-retry-max does not end it"
! stop laptop || fail "the end of connect-retry-max has status 0"
grep -q 'no server could be reached (connect-retry-max)' "$W/laptop.log" || fail "it doesn't say why"
stop seen
mapfile -t gaps < <(visits | awk 'NR > 1 { print $1 - before } { before = $1 }')
[ "${#gaps[@]}" = 7 ] || fail "$((${#gaps[@]} + 1)) attempts, not 8: $(ports)"
for i in 0 2 4 6; do
	between 0.9 "${gaps[i]}" 2.5 "connect-timeout 1, round $((i / 2 + 1))"
done
# Each pause is a quarter more or less than 1, 2, 3 s, behind the second remote's 2 s.
between 2.7 "${gaps[1]}" 4.2 "the first pause"
between 3.4 "${gaps[3]}" 5.5 "the doubled pause"
between 4.2 "${gaps[5]}" 6.7 "the longest pause"
say "attempts were ${gaps[*]} s apart"

# --- At random ---

list=("$silent" 1202 "$closed" 1206 1207)
lines=()
for port in "${list[@]}"; do
	lines+=("remote $elsewhere $port")
done
profile "${lines[@]}" remote-random 'connect-timeout 1' 'connect-retry-max 1'
shuffled=0
for ((i = 0; i < 4 && !shuffled; i++)); do # four times as listed: one in 200 million
	watch_begin
	client_begin laptop
	gone laptop 20 || fail "connect-retry-max does not end it"
	stop laptop
	stop seen
	[ "$(visits | awk '{ print $2 }' | sort -n | xargs)" = "${list[*]}" ] ||
		fail "not each remote once: $(ports)"
	[ "$(ports)" = "${list[*]}" ] || shuffled=1
done
[ $shuffled = 1 ] || fail "remote-random leaves the order as it is"
say "at random: $(ports)"
