#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The interoperability matrix: for each cell of matrix_cells.py a real tunnel with pings, a checked
# transfer each way, and moves between two hotspots with NAT; prints a table with the mode of
# reconfiguration and the outage of each cell. What the table says was compared with what the
# programs said of themselves.
# shellcheck disable=SC2154 # netns.sh sets them
. "$(dirname "$0")/../../scripts/peers.sh"
peers "$@"
moves=2

net_begin
ipv6_begin
pki_begin

both_lines() {
	echo "data-ciphers $cipher"
	echo "auth $digest"
	[ "$tls" = 1.3 ] || echo "tls-version-max 1.2"
	[ "$cipher" != BF-CBC ] || echo "providers legacy default"
}

# Lines that only our programs know, for those of them that take part.
our_lines() { # server|client
	[ "$mobility" = aggressive ] || echo "mobility $mobility"
	[ "$1 $format" = 'client v2' ] || [ "$1" = server ] || echo "data-format $format"
}

configure() {
	local lines
	mapfile -t lines < <(both_lines && server_lines)
	server_config "${lines[@]}"
	mapfile -t lines < <(both_lines && { [ "$CLIENT" = openvpn ] || our_lines client; })
	client_config laptop "${lines[@]}"
	[ "$proto" = udp4 ] ||
		sed -i "s/^remote .*/remote $server_outer6 1194/; s/^proto .*/proto udp6/" "$W/laptop.ovpn"
}

server_lines() {
	echo "topology $topology"
	[ "$inner" = 4 ] || echo "server-ipv6 fd00:8::/64"
	case $SERVER-$proto in
	openvpn-udp6) echo "proto udp6" ;;
	visp-udp6) echo "local $server_outer6" ;;
	esac
	[ "$SERVER" = openvpn ] || our_lines server
}

# How the session follows its client, as the programs said; "?" if they said nothing of it.
mode() {
	if [ "$CLIENT" = openvpn ]; then
		echo "data packet"
	elif [ -s "$W/laptop.events" ]; then
		jq -rs '[.[] | select(.event == "probe") | .kind] | unique | join("+")
			| if . == "" then "data packet" else . end' "$W/laptop.events"
	else
		echo '?'
	fi
}

wanted_mode() {
	case $CLIENT-$SERVER-$mobility in
	visp-visp-aggressive) echo reconf ;;
	visp-openvpn-*) echo occ ;;
	*) echo 'data packet' ;;
	esac
}

# The address of the tunnel as its topology has it.
address_fits() {
	local inet
	inet=$(ip -n "$(ns laptop)" -4 -o addr show dev tun0)
	case $topology in
	subnet) [[ $inet =~ inet\ 10\.8\.0\.[0-9]+/24\  ]] ;;
	net30) [[ $inet =~ inet\ 10\.8\.0\.[0-9]*[26]\ peer\ 10\.8\.0\.[0-9]*[15]/32\  ]] ;;
	p2p) [[ $inet =~ inet\ 10\.8\.0\.[0-9]+\ peer\ 10\.8\.0\.1/32\  ]] ;;
	esac
}

# Each column as the peers tell it.
check_columns() {
	local log
	if [ "$CLIENT" = visp ]; then
		[ "$(log_count laptop "tunnel is up .* cipher=$cipher $format ")" = 1 ] ||
			fail "$cell: not this cipher and format: $(grep 'tunnel is up' "$W/laptop.log")"
		[ "$(jq -rs '[.[] | select(.event == "tls") | .version] | unique | join("+")' \
			"$W/laptop.events")" = "TLSv$tls" ] || fail "$cell: not TLS $tls"
	else
		[ "$(log_count laptop "Data Channel: cipher '($cipher|.null-cipher.)'.* peer-id: ")" = 1 ] ||
			fail "$cell: not this cipher and format: $(grep 'Data Channel: c' "$W/laptop.log")"
		[ "$(log_count laptop "Control Channel: TLSv$tls,")" = 1 ] || fail "$cell: not TLS $tls"
	fi
	# Our programs have no word for the digest, and with AEAD there is none.
	log=laptop
	[ "$CLIENT" = openvpn ] || log=server
	case $SERVER$CLIENT-$cipher in
	vispvisp-* | *GCM | *POLY1305) ;;
	*)
		await_log $log 5 "Data Channel: .*auth '$digest'" || fail "$cell: not $digest"
		;;
	esac
	address_fits || fail "$cell: not topology $topology: $(ip -n "$(ns laptop)" -4 -o addr show dev tun0)"
}

# Who followed, and how.
check_moves() {
	local n
	[ "$(mode)" = "$(wanted_mode)" ] || fail "$cell: followed by $(mode), not by $(wanted_mode)"
	[ "$SERVER" = visp ] || return 0
	n=$(status_json | jq '[.sessions[].handovers] | add')
	[ "$n" = $moves ] || fail "$cell: the server saw $n moves, not $moves"
}

begin_client() {
	local events=()
	[ "$CLIENT" = openvpn ] || events=(--events "$W/laptop.events")
	start laptop laptop "$(client_program)" --config "$W/laptop.ovpn" "${events[@]}"
}

# The probe looks outside the tunnel for IPv4 only; over IPv6 the outage is until the first packet
# inside, of 50 a second each way; the table marks it.
roam() {
	local i watch=()
	[ "$proto" = udp6 ] || watch=(--watch wlan0 --outer "$server_outer:1194")
	probe_serve
	probe_begin --up-rate 50 --down-rate 200 "${watch[@]}"
	probe_say at "$current_hotspot"
	for ((i = 1; i <= moves; i++)); do
		if [ "$proto" = udp4 ]; then
			hotspot_roam "$(other_hotspot)"
		else
			probe_say leave
			hotspot6_join "$(other_hotspot)"
			probe_say mark "$current_hotspot"
			await_log probe 10 "^handover $i " || fail "$cell: no end of move $i"
		fi
		patiently sleep 0.2 # a session may move at most ten times a second
	done
	probe_end
	stop probe-server
	jq -e '[.handovers[] | .outage_ms // .inner_ms] | length == '$moves' and all(. != null)' \
		"$W/probe.json" >/dev/null || fail "$cell: a handover did not come to an end"
	[ "$(log_count laptop 'Initialization Sequence Completed')" = 1 ] ||
		fail "$cell: the client connected anew"
}

try() {
	local cell="$peers $cipher $digest $wrap TLS $tls $proto inside $inner $topology $format $mobility"
	SERVER=${peers% *} CLIENT=${peers#* } CIPHER=$cipher WRAP=$wrap
	rm -f "$W"/*.log "$W"/laptop.events "$W"/probe*.in
	if [ "$proto" = udp4 ]; then
		hotspot_join a
	else
		hotspot6_join a
	fi
	configure
	server_start
	begin_client
	client_up laptop 20 || fail "$cell: the client does not connect"
	check_columns
	all_answered ping laptop 100 "$server_inner" -i 0.002 ||
		fail "$cell: $(grep received "$W/ping.log")"
	[ "$inner" = 4 ] || all_answered ping6 laptop 20 "$server_inner6" -i 0.01 ||
		fail "$cell: IPv6 inside: $(grep received "$W/ping6.log")"
	probe_serve
	on laptop "$build/bench/probe/visp-probe" transfer --server "$server_inner:$probe_port" \
		--up 2000000 --down 2000000 || fail "$cell: transfer"
	stop probe-server
	roam
	check_moves
	local outage
	outage=$(jq '[.handovers[] | .outage_ms // .inner_ms] | add / length * 10 | round / 10' "$W/probe.json")
	[ "$proto" = udp4 ] || outage+='*'
	stop laptop || fail "$cell: the client ended with status $?"
	server_stop
	printf '%-8s %-8s %-18s %-7s %-13s %-4s %-5s %-5s %-7s %-6s %-11s %-12s %s\n' "$SERVER" \
		"$CLIENT" "$cipher" "$digest" "$wrap" "$tls" "$proto" "$inner" "$topology" "$format" \
		"$mobility" "$(mode)" "$outage" | tee -a "$W/table"
}

form=quick
[ "$full" = 0 ] || form=full
printf '%-8s %-8s %-18s %-7s %-13s %-4s %-5s %-5s %-7s %-6s %-11s %-12s %s\n' server client cipher \
	auth wrapping TLS proto inner topolo. format mobility follows-by outage-ms
while IFS=$'\t' read -r peers cipher digest wrap tls proto inner topology format mobility <&3; do
	try
done 3< <("$top/tests/interop/matrix_cells.py" $form)
say "$(wc -l <"$W/table") cells; *: until the first probe inside, one every 20 ms"
