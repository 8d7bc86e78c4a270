// SPDX-License-Identifier: BSD-3-Clause
// server.conf as a struct.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/addr.h"
#include "config/auth.h"
#include "config/blob.h"
#include "config/lexer.h"
#include "config/limits.h"
#include "config/mem.h"
#include "config/report.h"
#include "config/tls.h"

#define CFG_DATAPLANE_SOCKET "/run/visp/dataplane.sock"
#define CFG_CONTROL_SOCKET "/run/visp/control.sock"
#define CFG_PORT_DEFAULT 1194
#define CFG_MAX_CLIENTS_DEFAULT 1024
#define CFG_LISTENS_MAX 16 // addresses and ports on which clients are served
#define CFG_TUNNELS_MAX 4096 // static-key tunnels
#define CFG_POOL6_MAX (1u << 20) // IPv6 addresses that are leased at most

enum cfg_mobility {
	CFG_MOBILITY_OFF,
	CFG_MOBILITY_AGGRESSIVE,
	CFG_MOBILITY_LAZY,
};

enum cfg_data_format {
	CFG_FORMAT_AUTO, // as v2 at a client, as epoch at a server
	CFG_FORMAT_V1, // no peer-id: P_DATA_V1
	CFG_FORMAT_V2,
	CFG_FORMAT_EPOCH,
};

enum cfg_topology {
	CFG_TOPOLOGY_NET30,
	CFG_TOPOLOGY_P2P,
	CFG_TOPOLOGY_SUBNET,
};

// Framing that `compress` or `comp-lzo` selects; nothing is ever compressed.
enum cfg_comp {
	CFG_COMP_NONE,
	CFG_COMP_LZO_STUB, // comp-lzo: one byte 0xFA in front
	CFG_COMP_STUB, // compress, compress stub: byte swapped with the last
	CFG_COMP_STUB_V2, // compress stub-v2
};

enum cfg_verify_client {
	CFG_VERIFY_REQUIRE,
	CFG_VERIFY_OPTIONAL,
	CFG_VERIFY_NONE,
};

struct cfg_client;

// `route`: a network, and perhaps a gateway and a metric.
struct cfg_route {
	struct cfg_addr net; // family AF_UNSPEC when name is set
	const char *name; // "vpn_gateway", "net_gateway", "remote_host" or a host name; or NULL
	uint8_t name_prefix; // bits of the netmask given with name
	struct cfg_addr gateway; // unset: the tunnel's gateway
	const char *gateway_name; // "vpn_gateway", "net_gateway", "remote_host"; or NULL
	int32_t metric; // -1: not given
};

// Immutable once loaded; a reload makes a new one. All strings belong to mem.
struct cfg_server {
	struct cfg_mem *mem;
	const char *file; // its name

	// At least one; of an address that isn't given there is one with family and zero bytes for
	// each family that is served.
	struct cfg_listen *listens;
	size_t n_listens;
	const char *dev; // as written; the device itself is the dataplane's
	const char *dataplane_socket; // default CFG_DATAPLANE_SOCKET
	const char *control_socket; // for vispctl; default CFG_CONTROL_SOCKET

	// Tunnel addresses.
	enum cfg_topology topology; // default CFG_TOPOLOGY_SUBNET
	struct cfg_addr network; // 10.8.0.0/24; AF_UNSPEC without `server`
	struct cfg_addr address; // the server's own: 10.8.0.1/24
	struct cfg_addr pool_first; // AF_UNSPEC with `nopool`
	struct cfg_addr pool_last;
	struct cfg_addr network6; // fd00:8::/64; AF_UNSPEC without IPv6 inside the tunnel
	struct cfg_addr address6; // the server's own: fd00:8::1/64
	struct cfg_addr pool6_first; // AF_UNSPEC: only addresses of ifconfig-ipv6-push
	struct cfg_addr pool6_last;
	bool block_ipv6; // IPv6 of clients is answered with "no route"
	const char *pool_persist; // file, or NULL
	uint32_t pool_persist_s; // how often it is written; default 600, 0: only read
	struct cfg_route *routes; // what lies behind clients (kernel routes are the operator's)
	size_t n_routes;

	struct cfg_tls tls;
	enum cfg_verify_client verify_client;
	struct cfg_auth auth;

	// Pushes of the operator, in file order, without what `server` and `keepalive` add.
	const char **push;
	size_t n_push;
	const char *ccd; // client-config-dir, or NULL
	bool ccd_exclusive;

	// Keepalive: `keepalive I T` is ping I, ping-restart 2T here and pushes I and T.
	uint32_t ping_s; // 0: no Pings
	uint32_t ping_restart_s; // a client that is silent for that long is removed; 0: never
	uint32_t push_ping_s; // 0: not pushed
	uint32_t push_ping_restart_s;

	struct cfg_limits limits; // of a session; a client's own file may say others
	uint32_t max_clients; // default 1024
	uint32_t max_routes_per_client; // default 256
	bool duplicate_cn;
	bool client_to_client;
	uint32_t connect_freq_n; // new sessions ... 0: no limit
	uint32_t connect_freq_s; // ... in that many seconds
	uint32_t connect_freq_initial_n; // answers to unknown addresses, per prefix; default 100
	uint32_t connect_freq_initial_s; // default 10
	uint32_t explicit_exit_notify; // 0: say nothing; 1: RESTART,[P]; 2: RESTART,[PN]

	uint32_t tun_mtu; // default 1500
	uint32_t mssfix; // bytes of the outer datagram that TCP may fill; 0: no clamping
	bool mssfix_mtu; // `mssfix N mtu`: N counts outer IP and UDP headers too (the default 1492
			 // does)
	bool mssfix_fixed; // `mssfix N fixed`: N is the MSS base itself, no overhead subtracted

	enum cfg_mobility mobility; // default CFG_MOBILITY_AGGRESSIVE
	enum cfg_data_format data_format; // the newest that a client is offered

	// Framing of clients that don't say theirs in an options string; others get what they have.
	enum cfg_comp comp;
	uint32_t fragment; // bytes of the longest datagram to clients that use it; 0: not said
	bool fragment_mtu; // outer IP and UDP headers count, too

	// Point-to-point tunnels with static keys, one file and one UDP port each (`tunnel`).
	struct cfg_client **tunnels;
	size_t n_tunnels;

	// Daemon.
	const char *status; // file, or NULL
	uint32_t status_s; // default 60
	uint32_t status_version; // 1, 2, 3; default 1
	const char *log; // file, or NULL for stderr
	bool log_append;
	const char *writepid;
	const char *user; // or NULL
	const char *group;
	const char *cd;
	uint32_t verb; // default 1
	bool suppress_timestamps;
};

// What a load may do besides parsing.
enum cfg_load_flags {
	CFG_LOAD_NO_FILES = 1u << 0, // don't check that the files named are readable
	CFG_LOAD_TUNNEL = 1u << 1, // a profile that server.conf names: may be without `remote`
};

// Turn directives into a configuration.
//
// lines: on success its memory moves into the result and it is left empty.
// notes: gets all remarks, also on failure (all errors, not just the first); may be NULL.
// Returns 0, -EINVAL, -ENOMEM, or the errno of a file that can't be read; err has the first error.
int cfg_server_parse(struct cfg_lines *lines, unsigned flags, struct cfg_notes *notes,
	struct cfg_server **ret_cfg, struct cfg_error *err);

// Read one file and parse it.
int cfg_server_load(const char *path, struct cfg_notes *notes, struct cfg_server **ret_cfg,
	struct cfg_error *err);

// Wipe and free. NULL is fine. Returns NULL.
struct cfg_server *cfg_server_free(struct cfg_server *cfg);
