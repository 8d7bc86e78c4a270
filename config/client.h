// SPDX-License-Identifier: BSD-3-Clause
// An .ovpn profile as a struct.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/addr.h"
#include "config/blob.h"
#include "config/lexer.h"
#include "config/mem.h"
#include "config/report.h"
#include "config/server.h"
#include "config/tls.h"

#define CFG_REMOTES_MAX 64

// One server to try, complete: what <connection> doesn't say comes from the profile.
struct cfg_remote {
	const char *host; // name or numeric address
	uint16_t port; // host byte order
	uint16_t family; // AF_UNSPEC, AF_INET (udp4), AF_INET6 (udp6)
	bool nobind; // else bind to local and lport
	struct cfg_addr local;
	uint16_t lport; // 0: any
	uint32_t connect_timeout_s; // default 120
	uint32_t explicit_exit_notify; // 0: off
	uint32_t tun_mtu;
	uint32_t mssfix; // as in struct cfg_server
	bool mssfix_mtu;
	bool mssfix_fixed;
	uint32_t fragment; // bytes of the longest datagram; 0: no fragment headers
	bool fragment_mtu; // outer IP and UDP headers count, too
	struct cfg_wrap wrap;
	const char *file; // where it was said
	unsigned line;
};

// redirect-gateway and redirect-private.
enum cfg_redirect {
	CFG_REDIRECT_GATEWAY = 1u << 0, // set by redirect-gateway, not by redirect-private
	CFG_REDIRECT_PRIVATE = 1u << 1,
	CFG_REDIRECT_DEF1 = 1u << 2,
	CFG_REDIRECT_LOCAL = 1u << 3,
	CFG_REDIRECT_AUTOLOCAL = 1u << 4,
	CFG_REDIRECT_BYPASS_DHCP = 1u << 5,
	CFG_REDIRECT_BYPASS_DNS = 1u << 6,
	CFG_REDIRECT_BLOCK_LOCAL = 1u << 7,
	CFG_REDIRECT_IPV6 = 1u << 8,
	CFG_REDIRECT_NO_IPV4 = 1u << 9,
};

enum cfg_filter_action {
	CFG_FILTER_ACCEPT,
	CFG_FILTER_IGNORE,
	CFG_FILTER_REJECT,
};

// pull-filter ACTION "prefix of the option".
struct cfg_filter {
	enum cfg_filter_action action;
	const char *prefix;
};

// dhcp-option TYPE VALUE.
struct cfg_dhcp_option {
	const char *type; // DNS, DOMAIN, DOMAIN-SEARCH, ...
	const char *value; // or ""
};

enum cfg_auth_retry {
	CFG_AUTH_RETRY_NONE,
	CFG_AUTH_RETRY_NOINTERACT,
	CFG_AUTH_RETRY_INTERACT,
};

// What profile and server's pushes may both say.
struct cfg_tunnel {
	enum cfg_topology topology; // default CFG_TOPOLOGY_NET30, as an absent push means that
	struct cfg_addr ifconfig; // local address; prefix from the netmask in subnet topology
	struct cfg_addr ifconfig_peer; // net30 and p2p: the other end
	struct cfg_addr ifconfig6;
	struct cfg_addr ifconfig6_peer;
	struct cfg_addr route_gateway;
	struct cfg_addr route_gateway6;
	int32_t route_metric; // -1: not given
	struct cfg_route *routes;
	size_t n_routes;
	unsigned redirect; // bits of enum cfg_redirect
	bool block_ipv6;
	struct cfg_dhcp_option *dhcp; // dhcp-option and `dns` as such
	size_t n_dhcp;
	uint32_t ping_s; // 0: no Pings
	uint32_t ping_restart_s; // 0: off
	uint32_t ping_exit_s; // 0: off; at most one of the two
	uint32_t inactive_s;
	uint64_t inactive_bytes;
	uint32_t session_timeout_s;
	uint32_t sndbuf; // bytes; 0: as the system has it
	uint32_t rcvbuf;
	uint32_t explicit_exit_notify; // 0: off; a remote's own value counts more
	enum cfg_comp comp;
};

struct cfg_client {
	struct cfg_mem *mem;

	struct cfg_remote *remotes; // at least one, UDP only
	size_t n_remotes;
	bool remote_random;
	uint32_t resolv_retry_s; // UINT32_MAX: for ever (default)
	uint32_t connect_retry_s; // default 1
	uint32_t connect_retry_max_s; // default 300
	uint32_t connect_retry_count; // connect-retry-max; 0: for ever

	bool pull; // `client` or `pull`; without it there must be a static key (tls.secret)
	bool floats; // `float`; static keys: the peer may come from any address
	const char *dev; // "tun", "tun3", any name; default "tun"

	struct cfg_tls tls;
	bool auth_user_pass; // ask, or read auth_user_pass_file
	struct cfg_blob auth_user_pass_file; // may be unset: ask on the terminal
	enum cfg_auth_retry auth_retry;
	bool auth_nocache; // the password is forgotten when a token stands for it
	const char *challenge; // static-challenge: what is asked, or NULL
	bool challenge_echo; // the answer may be shown
	bool challenge_concat; // it is put behind the password, else beside it (SCRV1)

	struct cfg_tunnel tunnel; // before anything is pushed
	bool route_nopull;
	bool route_noexec;
	bool ifconfig_noexec;
	struct cfg_filter *filters; // pull-filter, in order, first match wins
	size_t n_filters;
	bool push_peer_info;
	const char **setenv; // "NAME", "VALUE" pairs; those beginning with UV_ go to the server
	size_t n_setenv; // number of pairs

	uint32_t tun_mtu; // default 1500
	uint32_t tun_mtu_max; // default 1600: IV_MTU
	uint32_t mark; // SO_MARK of the UDP sockets; 0: ours to choose

	enum cfg_mobility mobility; // default CFG_MOBILITY_AGGRESSIVE
	enum cfg_data_format data_format;

	const char *cd;
	const char *log;
	bool log_append;
	const char *writepid;
	uint32_t verb; // default 1
	bool suppress_timestamps;
};

// As cfg_server_parse.
int cfg_client_parse(struct cfg_lines *lines, unsigned flags, struct cfg_notes *notes,
	struct cfg_client **ret_cfg, struct cfg_error *err);

// Wipe and free. NULL is fine. Returns NULL.
struct cfg_client *cfg_client_free(struct cfg_client *cfg);
