// SPDX-License-Identifier: BSD-3-Clause
// Directives about the processes themselves, and those of dataplane.conf.
#include "config/table_rows.h"

#define NO_SCRIPT "no program is run when the tunnel changes"
#define SERVICE "leave it to the service manager"
#define NEEDS_RIGHTS "interface and routes have to follow the network, which takes rights"
#define STANDALONE "use openvpn itself, or openssl, for this"

const struct cfg_directive cfg_rows_daemon[] = {
	// Files and privileges.
	WORKS(S | C | D, "config", 1, 1, "FILE", "Read more directives from a file."),
	WORKS(S | C, "cd", 1, 1, "DIR", "Folder from which relative file names count."),
	NOEFF(S | C, "chroot", 1, 1, "DIR", SERVICE),
	WORKS(S, "user", 1, 1, "USER", "User to become after start."),
	NOEFF(C, "user", 1, 1, "USER", NEEDS_RIGHTS),
	WORKS(S, "group", 1, 1, "GROUP", "Group to become after start."),
	NOEFF(C, "group", 1, 1, "GROUP", NEEDS_RIGHTS),
	NOEFF(S | C, "setcon", 1, 1, "CONTEXT", SERVICE),
	NOEFF(S | C, "daemon", 0, 1, "[NAME]", "stays in the foreground; " SERVICE),
	NOEFF(S | C, "nice", 1, 1, "N", SERVICE),
	NOEFF(S | C, "mlock", 0, 0, "", SERVICE),
	WORKS(C | L, "writepid", 1, 1, "FILE", "File for the process id."),
	NOEFF(S, "writepid", 1, 1, "FILE", SERVICE),
	WORKS(S, "tmp-dir", 1, 1, "DIR", "Folder of files for programs; default /tmp."),
	NOEFF(C, "tmp-dir", 1, 1, "DIR", "there are no temporary files"),
	NOEFF(C, "iproute", 1, 1, "COMMAND", "the kernel is spoken to directly"),
	NOEFF(S | C, "remap-usr1", 1, 1, "SIGNAL", "SIGUSR1 isn't used"),
	NOEFF(S | C, "memstats", 1, 1, "FILE", "see vispctl"),
	NOEFF(C, "persist-tun", 0, 0, "", "the interface stays while its settings do"),
	NOEFF(S, "persist-tun", 0, 0, "", "the inner port always stays"),
	NOEFF(P, "persist-tun", 0, 0, "", "the profile decides"),
	NOEFF(S | C | P, "persist-key", 0, 0, "", "keys are always kept"),
	NOEFF(S | C, "persist-local-ip", 0, 0, "", "the path decides about the local address"),
	NOEFF(S | C, "persist-remote-ip", 0, 0, "", "known addresses are always kept"),

	// Logs and status.
	WORKS(S | C | L, "log", 1, 1, "FILE", "Log to a file."),
	WORKS(S | C, "log-append", 1, 1, "FILE", "Log to the end of a file."),
	NOEFF(S | C, "syslog", 0, 1, "[NAME]", "logs go to standard error; " SERVICE),
	WORKS(S | C | L, "verb", 1, 1, "N", "How much to log, 0 to 11."),
	NOEFF(S | C, "mute", 1, 1, "N", "events are logged once each"),
	WORKS(S | C, "suppress-timestamps", 0, 0, "", "No time in log lines."),
	NOEFF(S | C, "machine-readable-output", 0, 0, "", "log lines have one form"),
	NOEFF(S | C, "errors-to-stderr", 0, 0, "", "errors always go there"),
	NOEFF(S | C | P, "echo", 0, MANY, "WORDS", "nobody would see it"),
	NOEFF(S | C, "parameter", 0, MANY, "WORDS", "nobody would see it"),
	NOEFF(S | C, "status", 1, 2, "FILE [SECONDS]", "use vispctl status, or the client's log"),
	NOEFF(S | C, "status-version", 1, 1, "N", "see status"),
	WRONG(S | C, "gremlin", "a test aid of OpenVPN's own"),

	// Scripts and the environment.
	WORKS(S, "script-security", 1, 1, "LEVEL",
		"2: programs may be run; 3: and see passwords in their environment; default 1."),
	NOEFF(C, "script-security", 1, 2, "LEVEL", NO_SCRIPT),
	NOEFF(S | C, "up", 1, 1, "COMMAND", NO_SCRIPT),
	NOEFF(S | C, "down", 1, 1, "COMMAND", NO_SCRIPT),
	NOEFF(S | C, "up-delay", 0, 0, "", NO_SCRIPT),
	NOEFF(S | C, "up-restart", 0, 0, "", NO_SCRIPT),
	NOEFF(S | C, "down-pre", 0, 0, "", NO_SCRIPT),
	NOEFF(S | C, "ipchange", 1, 1, "COMMAND", NO_SCRIPT),
	NOEFF(S | C, "route-up", 1, 1, "COMMAND", NO_SCRIPT),
	NOEFF(S | C, "route-pre-down", 1, 1, "COMMAND", NO_SCRIPT),
	NOEFF(C, "dns-updown", 1, 1, "COMMAND", NO_SCRIPT),
	WORKS(C, "setenv", 1, 2, "NAME [VALUE]",
		"UV_ names go to the server with push-peer-info; opt NAME ... tolerates unknown "
		"ones."),
	WORKS(S, "setenv", 1, MANY, "NAME [VALUE]",
		"Variable of the programs; opt NAME ... tolerates unknown ones."),
	WORKS(S, "setenv-safe", 1, 2, "NAME [VALUE]", "The same, named OPENVPN_NAME."),
	NOEFF(C | P, "setenv-safe", 1, 2, "NAME [VALUE]", NO_SCRIPT),
	WORKS(S | C, "ignore-unknown-option", 1, MANY, "NAME...", "Don't mind these if unknown."),

	// Commands of the openvpn program, not settings.
	WRONG(S | C, "genkey", "a command of its own: vispctl genkey KIND [FILE]"),
	WRONG(S | C, "mktun", "use ip tuntap add"),
	WRONG(S | C, "rmtun", "use ip tuntap del"),
	WRONG(S | C, "show-ciphers", STANDALONE),
	WRONG(S | C, "show-digests", STANDALONE),
	WRONG(S | C, "show-tls", STANDALONE),
	WRONG(S | C, "show-engines", STANDALONE),
	WRONG(S | C, "show-groups", STANDALONE),
	WRONG(S | C, "show-curves", STANDALONE),
	WRONG(S | C, "show-gateway", "use ip route get"),
	WRONG(S | C, "show-pkcs11-ids", STANDALONE),
	WRONG(S | C, "show-adapters", STANDALONE),
	WRONG(S | C, "show-net", STANDALONE),
	WRONG(S | C, "show-valid-subnets", STANDALONE),
	WRONG(S | C, "test-crypto", STANDALONE),

	// dataplane.conf.
	WORKS(L, "socket", 1, 1, "PATH", "Socket on which control is awaited."),
	WORKS(L, "outer", 1, 1, "DEVARGS", "DPDK port towards the clients."),
	WORKS(L, "inner", 1, 1, "DEVARGS", "DPDK port towards the network; may be the outer one."),
	WORKS(L, "workers", 1, 1, "LCORES", "Cores that carry packets, as 1-3,5."),
	WORKS(L, "sessions", 1, 1, "N", "Most sessions at once."),
	WORKS(L, "hugepages", 1, 1, "auto|on|off", "Memory for sessions and packets."),
	WORKS(L, "idle", 1, 1, "auto|poll|adaptive", "What workers do without packets."),
	WORKS(L, "outer-queues", 1, 1, "N|auto", "Receive queues of the outer port."),
	WORKS(L, "control-user", 1, 1, "USER", "User besides root whose control is let in."),
	WORKS(L, "drop-privileges", 1, 1, "USER", "User to become once ports are open."),
};
const size_t cfg_rows_daemon_n = sizeof(cfg_rows_daemon) / sizeof(cfg_rows_daemon[0]);
