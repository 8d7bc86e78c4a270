# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034 # its variables are for those who source it
# Sourced by scenarios, brings netns.sh along: certificates, configurations, and the programs that play server and
# client. Which do is SERVER and CLIENT, "visp" or "openvpn"; `peers "$@"` takes them from
# --server and --client.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"

SERVER=visp
CLIENT=visp
WRAP=tls-crypt # none, tls-auth, tls-crypt, tls-crypt-v2
CIPHER=AES-256-GCM
OUTER=net_af_packet0,iface=out0 # ports of our server
INNER=visp_tap0,iface=visp0
full=${VISP_FULL:-0} # 1: the whole of a scenario, not its quick form

# Parse --server X, --client X, --wrap X, --cipher X; what else there is stays in ARGS.
peers() {
	ARGS=()
	while [ $# -gt 0 ]; do
		case $1 in
		--server) SERVER=$2 ;;
		--client) CLIENT=$2 ;;
		--wrap) WRAP=$2 ;;
		--cipher) CIPHER=$2 ;;
		*)
			ARGS+=("$1")
			shift
			continue
			;;
		esac
		shift 2
	done
	local who program
	for who in "$SERVER server" "$CLIENT client"; do
		case $who in
		'visp server') program=$build/control/visp-control ;;
		'visp client') program=$build/client/visp-client ;;
		'openvpn '*) program=/usr/sbin/openvpn ;;
		*) fail "no such ${who#* }: ${who% *}" ;;
		esac
		[ -x "$program" ] || fail "$program is missing: run scripts/bootstrap"
	done
}

# --- Certificates and keys, in $W/pki ---

pki_ca() { # NAME COMMON-NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -sha256 \
		-subj "/CN=$2" -addext keyUsage=critical,keyCertSign,cRLSign \
		-keyout "$W/pki/$1.key" -out "$W/pki/$1.crt" 2>/dev/null
}

# pki_cert NAME USAGE [CA [START END]]: a P-256 key and a certificate for CN=NAME; times as
# YYYYMMDDHHMMSSZ.
pki_cert() {
	local name=$1 usage=$2 ca=${3:-ca} dates=(-days 2)
	[ $# -lt 5 ] || dates=(-startdate "$4" -enddate "$5")
	if [ ! -e "$W/pki/$ca.cnf" ]; then
		cat >"$W/pki/$ca.cnf" <<-TXT
			[ca]
			default_ca = it
			[it]
			database = $W/pki/$ca.index
			new_certs_dir = $W/pki
			serial = $W/pki/$ca.serial
			crlnumber = $W/pki/$ca.crlnumber
			certificate = $W/pki/$ca.crt
			private_key = $W/pki/$ca.key
			default_md = sha256
			default_crl_days = 2
			policy = any
			unique_subject = no
			[any]
			commonName = supplied
			[serverAuth]
			basicConstraints = CA:FALSE
			keyUsage = digitalSignature
			extendedKeyUsage = serverAuth
			[clientAuth]
			basicConstraints = CA:FALSE
			keyUsage = digitalSignature
			extendedKeyUsage = clientAuth
		TXT
		: >"$W/pki/$ca.index"
		echo 01 >"$W/pki/$ca.serial"
		echo 01 >"$W/pki/$ca.crlnumber"
	fi
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
		-keyout "$W/pki/$name.key" -out "$W/pki/$name.csr" 2>/dev/null
	openssl ca -batch -notext -config "$W/pki/$ca.cnf" -extensions "$usage" "${dates[@]}" \
		-in "$W/pki/$name.csr" -out "$W/pki/$name.crt" 2>/dev/null
	[ -s "$W/pki/$name.crt" ] || fail "cannot make a certificate for $name"
}

pki_revoke() {
	openssl ca -config "$W/pki/ca.cnf" -revoke "$W/pki/$1.crt" 2>/dev/null
	pki_crl
}

pki_crl() { openssl ca -config "$W/pki/ca.cnf" -gencrl -out "$W/pki/crl.pem" 2>/dev/null; }

# A CA, a server, a client named laptop, and the keys of all wrappings.
pki_begin() {
	mkdir "$W/pki"
	pki_ca ca 'Scenario CA'
	pki_cert server serverAuth
	pki_cert laptop clientAuth
	openvpn --genkey tls-auth "$W/pki/ta.key"
	openvpn --genkey tls-crypt "$W/pki/tc.key"
	openvpn --genkey tls-crypt-v2-server "$W/pki/v2-server.key"
	"$build/control/vispctl" genkey tls-crypt-v2-client --tls-crypt-v2 "$W/pki/v2-server.key" \
		"$W/pki/v2-client.key"
	chmod -R a+rX "$W/pki"
}

# --- Configurations ---

# The line that sets the wrapping, for "server" or "client".
wrap_line() {
	case $WRAP-$1 in
	none-*) ;;
	tls-auth-server) echo "tls-auth $W/pki/ta.key 0" ;;
	tls-auth-client) echo "tls-auth $W/pki/ta.key 1" ;;
	tls-crypt-v2-server) echo "tls-crypt-v2 $W/pki/v2-server.key" ;;
	tls-crypt-v2-client) echo "tls-crypt-v2 $W/pki/v2-client.key" ;;
	tls-crypt-*) echo "tls-crypt $W/pki/tc.key" ;;
	*) fail "no such wrapping: $WRAP" ;;
	esac
}

# server_config [LINE...]: $W/server.conf and, for ours, $W/dataplane.conf
server_config() {
	local line
	{
		cat <<-TXT
			port 1194
			proto udp
			dev tun0
			server 10.8.0.0 255.255.255.0
			topology subnet
			ca $W/pki/ca.crt
			cert $W/pki/server.crt
			key $W/pki/server.key
			dh none
			data-ciphers $CIPHER
			keepalive 10 60
			verb 3
		TXT
		wrap_line server
		[ "$SERVER" = openvpn ] || cat <<-TXT
			local $server_outer
			dataplane-socket $W/dataplane.sock
			control-socket $W/control.sock
			user nobody
		TXT
		for line; do echo "$line"; done
	} >"$W/server.conf"
	[ "$SERVER" = openvpn ] || dataplane_config
}

dataplane_config() { # [LINE...]
	local line
	{
		cat <<-TXT
			socket $W/dataplane.sock
			outer $OUTER
			inner $INNER
			sessions 512
			idle adaptive
			control-user nobody
			verb 3
		TXT
		for line; do echo "$line"; done
	} >"$W/dataplane.conf"
}

# client_config NAME [LINE...]: $W/NAME.ovpn with the certificate of that name, or of the one that
# the variable CERT names.
client_config() {
	local name=$1 line cert=${CERT:-$1}
	shift
	{
		cat <<-TXT
			client
			dev tun
			proto udp
			remote $server_outer 1194
			nobind
			resolv-retry infinite
			persist-key
			persist-tun
			remote-cert-tls server
			ca $W/pki/${CA:-ca}.crt
			cert $W/pki/$cert.crt
			key $W/pki/$cert.key
			verb 3
		TXT
		wrap_line client
		for line; do echo "$line"; done
	} >"$W/$name.ovpn"
}

# --- Servers ---

server_start() {
	if [ "$SERVER" = openvpn ]; then
		start server server openvpn --config "$W/server.conf"
		await_log server 10 'Initialization Sequence Completed' || fail "server does not start"
		return
	fi
	dataplane_start
	control_start
}

dataplane_start() {
	# DPDK's own folder lies in ours, so that nothing stays behind elsewhere.
	start dataplane server env RUNTIME_DIRECTORY="$W" "$build/dataplane/visp-dataplane" --config "$W/dataplane.conf"
	await 15 "the dataplane's socket" dataplane_ready
	ip -n "$(ns server)" addr replace "$server_inner/24" dev visp0
	ip -n "$(ns server)" link set visp0 up mtu 1500
}

dataplane_ready() {
	running dataplane || fail "the dataplane has ended"
	[ -S "$W/dataplane.sock" ] && ip -n "$(ns server)" link show visp0
}

control_start() {
	: >>"$W/control.log"
	local before
	before=$(log_count control 'dataplane connected')
	start control server "$build/control/visp-control" --config "$W/server.conf"
	await 10 "control to meet the dataplane" control_ready "$before"
}

control_ready() {
	running control || fail "control has ended"
	[ "$(log_count control 'dataplane connected')" -gt "$1" ]
}

server_stop() {
	if [ "$SERVER" = openvpn ]; then
		stop server
		return
	fi
	stop control || fail "control ended with status $?"
	stop dataplane || fail "the dataplane ended with status $?"
}

# telemetry COMMAND: the dataplane's answer, JSON, as /visp/drops.
telemetry() {
	python3 - "$W" "$1" <<-'TXT'
		import glob, json, socket, sys
		path = glob.glob(sys.argv[1] + "/dpdk/*/dpdk_telemetry.v2")[0]
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(path)
		s.recv(16384)
		s.send(sys.argv[2].encode())
		print(json.dumps(json.loads(s.recv(65536))[sys.argv[2].split(",")[0]]))
	TXT
}

status_json() { on server "$build/control/vispctl" --socket "$W/control.sock" status --json; }

# --- Clients ---

client_program() {
	if [ "$CLIENT" = visp ]; then
		echo "$build/client/visp-client"
	else
		echo openvpn
	fi
}

# client_begin NAME [NAMESPACE]: without waiting.
client_begin() { start "$1" "${2:-laptop}" "$(client_program)" --config "$W/$1.ovpn"; }

client_up() { # NAME SECONDS
	await_log "$1" "$2" 'Initialization Sequence Completed'
}

client_start() {
	client_begin "$@"
	client_up "$1" 20 || fail "$1 does not connect"
}

# --- Traffic ---

# all_answered LOG SPACE COUNT ADDRESS [OPTION...]: so many pings from a namespace; false unless
# each got its answer, however late. By itself ping gives up two round trips after the last one,
# which on a busy machine is too early; with a deadline it goes on until it has COUNT answers.
all_answered() {
	local log=$W/$1.log space=$2 count=$3 address=$4
	shift 4
	on "$space" ping -c "$count" -w 30 "$@" "$address" >"$log"
	sed -n 's/^[0-9]* bytes from .* icmp_seq=\([0-9]*\) ttl=.*/\1/p' "$log" | sort -un |
		awk -v n="$count" '$1 <= n { answered++ } END { exit answered != n }'
}

# ping_stop NAME: ends a ping that goes on by itself; false, and a line that says so, unless each of
# its requests got its answer. The requests of its last half second may still be under way.
ping_stop() {
	stop "$1" 5 INT || return
	awk -v name="$1" '
		/ icmp_seq=[0-9]+ ttl=/ {
			split($0, part, / icmp_seq=| ttl=/)
			if (!seen[part[2]]++) answered++
			if (part[2] > last) last = +part[2]
		}
		/ packets transmitted, / { sent = $1; sub(/ms$/, "", $NF); ms = $NF }
		END {
			under_way = sent - last
			printf "%s: %d answers to %d requests, the last one to request %d\n", name, answered, sent, last
			exit !(answered > 0 && answered == last && under_way * ms <= 500 * sent + ms)
		}' "$W/$1.log" >&2
}

# As above, and none of the answers took a second or more.
answered_soon() { all_answered "$@" && ! grep -qE 'time=[0-9]{4,}' "$W/$1.log"; }

# --- Tunnels with static keys: N has port 1200 + N at our server and addresses 10.9.N.1 and 10.9.N.2 ---

key_direction=(0 1) # at our end and at the other one; empty: none

static_begin() {
	mkdir "$W/tunnels"
	openvpn --genkey secret "$W/pki/static.key"
	chmod a+r "$W/pki/static.key"
}

# tunnel_config N [LINE...]: the server's file
tunnel_config() {
	local n=$1 line
	shift
	{
		cat <<-TXT
			dev tun
			lport $((1200 + n))
			ifconfig 10.9.$n.1 10.9.$n.2
			secret $W/pki/static.key ${key_direction[0]}
			keepalive ${KEEPALIVE-1 10}
		TXT
		for line; do echo "$line"; done
	} >"$W/tunnels/t$n.conf"
}

# tunnel_addresses N...: of the server's ends
tunnel_addresses() {
	local n
	for n; do
		ip -n "$(ns server)" addr replace "10.9.$n.1/32" dev visp0
		ip -n "$(ns server)" route replace "10.9.$n.2/32" dev visp0
	done
}

# tunnel_peer N CIPHER AUTH [OPTION...]: a stock openvpn at the other end, port 1300 + N; the variable
# FAR names another address of the server.
tunnel_peer() {
	local n=$1 cipher=$2 auth=$3
	shift 3
	# shellcheck disable=SC2086 # a word or none
	start "peer$n" laptop openvpn --dev tun --remote "${FAR-$server_outer}" $((1200 + n)) \
		--lport $((1300 + n)) --ifconfig "10.9.$n.2" "10.9.$n.1" \
		--secret "$W/pki/static.key" ${key_direction[1]} \
		--cipher "$cipher" --auth "$auth" --ping 1 --verb 4 "$@"
	await_log "peer$n" 20 'Initialization Sequence Completed' || fail "peer $n does not start"
}

tunnel_answers() { on laptop ping -c 1 -W 1 -q "10.9.$1.1" >/dev/null; }

tunnel_works() { # N [SIZE]
	await 10 "tunnel $1 to carry a first ping" tunnel_answers "$1"
	all_answered ping laptop 5 "10.9.$1.1" -i 0.05 -s "${2-56}" ||
		fail "tunnel $1: $(grep received "$W/ping.log")"
}

# The far end of the probes, at the server's tunnel address.
probe_serve() {
	start probe-server server "$build/bench/probe/visp-probe" serve \
		--listen "$server_inner:$probe_port"
	await_log probe-server 5 ready || fail "no probe server"
}

# probe_begin OPTION...: starts visp-probe run in the laptop; probe_say commands it. The variable
# PROBE names it where there are several.
declare -A probe_fd=()
probe_begin() {
	local name=${PROBE:-probe} fd
	mkfifo "$W/$name.in"
	# shellcheck disable=SC2016 # the inner shell expands it
	start "$name" laptop sh -c 'exec "$@" <"$0"' "$W/$name.in" "$build/bench/probe/visp-probe" \
		run --server "$server_inner:$probe_port" --json "$W/$name.json" "$@"
	exec {fd}>"$W/$name.in"
	probe_fd[$name]=$fd
	await_log "$name" 15 running || fail "$name does not start"
}

probe_say() { echo "$*" >&"${probe_fd[${PROBE:-probe}]}"; }

probe_end() {
	local name=${PROBE:-probe}
	local fd=${probe_fd[$name]}
	probe_say end
	await_log "$name" 15 '^ended' || fail "$name does not end"
	exec {fd}>&-
	stop "$name"
}

# Ages in ms of the newest uplink and the newest downlink probe, of PROBE.
probe_ages() {
	local name=${PROBE:-probe} n
	n=$(log_count "$name" '^alive')
	probe_say alive
	await 5 "$name to answer" probe_answered "$name" "$n"
	grep '^alive' "$W/$name.log" | tail -n 1 | cut -d ' ' -f 2-
}
probe_answered() { [ "$(log_count "$1" '^alive')" -gt "$2" ]; }

# Have the laptop move under the eyes of the probe, and wait until traffic flows again.
# hotspot_roam a|b
hotspot_roam() {
	local n
	n=$(log_count probe '^handover')
	probe_say leave
	hotspot_attach "$1"
	probe_say "join $1 wlan0 ${lan_address[$1]}/24 ${lan_gateway[$1]}"
	await_log probe 10 "^handover $((n + 1)) " || fail "no end of handover $((n + 1))"
}

# The n-th smallest of numbers on standard input, one a line; $1 is a percentage.
percentile() {
	sort -n | awk -v p="$1" '{ v[NR] = $1 }
		END { i = int((NR * p + 99) / 100); print NR ? v[i < 1 ? 1 : i] : "none" }'
}

# True when a number is at most another, fractions allowed.
at_most() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }'; }
