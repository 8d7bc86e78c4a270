# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Sourced by scenarios about errors, after peers.sh: whether a program that ended, or never really
# started, has left anything behind.

huge_free=/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages

# What programs make in /run lies in $W/run, where nobody else's does: the command is run with the
# one in place of the other. The kernel seems to have no free hugepages. Signals act as usual, which
# they don't in bash's background jobs otherwise.
# shellcheck disable=SC2016,SC2034,SC2054 # the inner shell expands it; used by those who source this
traces_begin() {
	mkdir -p "$W/run"
	chmod 755 "$W/run"
	echo 0 >"$W/no-pages"
	private=(unshare -m --propagation private env --default-signal=INT,QUIT
		sh -c '[ ! -e "$1" ] || mount --bind "$0/no-pages" "$1"
		mount --bind "$0/run" /run && shift && exec "$@"' "$W" "$huge_free")
}

# Interfaces, addresses, routes, rules, processes of a namespace, and files.
traces() {
	local name space
	for name in "$@"; do
		space=$(ns "$name")
		ip -n "$space" -o link | sed 's/ mtu .*//'
		ip -n "$space" -o addr | sed 's/valid_lft.*//'
		ip -n "$space" route show table all
		ip -n "$space" rule
		ip netns pids "$space" | xargs -r ps -o comm= | sort
		on "$name" ss -Hlnu
		on "$name" nft list ruleset
	done
	# Logs are meant to stay, and so is what scenarios write themselves.
	find "$W" -mindepth 1 ! -name '*.log' ! -name '*.ovpn' ! -name '*.conf' \
		! -name 'traces.*' | sort
	find /dev/hugepages -name '*visp*' 2>/dev/null
}

# traces_note NAMESPACE...: how it is now.
traces_note() {
	traced=("$@")
	traces "$@" >"$W/traces.before"
}

# traces_none WHAT: it is as it was noted.
traces_none() {
	traces "${traced[@]}" >"$W/traces.after"
	cmp -s "$W/traces.before" "$W/traces.after" ||
		fail "$1: not as before: $(diff "$W/traces.before" "$W/traces.after" | grep '^[<>]')"
}
