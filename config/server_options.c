// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "config/push_check.h"
#include "config/server_apply.h"

#define SECONDS_MAX 31536000u
#define PUSH_MAX 1024
#define TUNNEL_LINES_MAX 4096

// The parse that a run belongs to.
static struct cfg_server_parse *parse_of(struct cfg_apply *a)
{
	return (struct cfg_server_parse *)a; // its first member
}

// A transport word's family. Returns 0 or -EINVAL after an error message.
static int proto_parse(
	struct cfg_apply *a, const struct cfg_line *l, unsigned word, uint16_t *ret_family)
{
	static const char *const protos[] = { "udp", "udp4", "udp6", NULL };
	static const uint16_t families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	int i = cfg_word_choice(a, l, word, protos);

	if (i < 0)
		return i;
	*ret_family = families[i];
	return 0;
}

static int set_listen(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server_parse *p = parse_of(a);
	struct cfg_server *cfg = at;
	struct cfg_listen listen = { 0 };
	uint16_t family = AF_UNSPEC;
	uint32_t port = 0;
	int rc = 0;

	if (strcmp(l->argv[1], "*") != 0 && cfg_addr_parse(l->argv[1], &listen.addr) < 0)
		return cfg_fail(a, l, "'%s': '%.60s' isn't an address (names aren't looked up)",
			l->argv[0], l->argv[1]);
	if (l->argc > 2)
		rc = cfg_word_u32(a, l, 2, 1, 65535, &port);
	if (rc == 0 && l->argc > 3)
		rc = proto_parse(a, l, 3, &family);
	if (rc < 0)
		return rc;
	listen.port = (uint16_t)port;
	rc = cfg_mem_grow(a->mem, &cfg->listens, cfg->n_listens, CFG_LISTENS_MAX, sizeof(listen));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d addresses", l->argv[0], CFG_LISTENS_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	p->listen_family[cfg->n_listens] = family;
	p->listen_said[cfg->n_listens] = l->argc > 3;
	p->listen_line[cfg->n_listens] = l;
	cfg->listens[cfg->n_listens++] = listen;
	return 0;
}

static int set_bind(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	(void)at;
	if (l->argc > 1 && strcmp(l->argv[1], "ipv6only") != 0)
		return cfg_fail(a, l, "'bind' takes 'ipv6only', got '%.60s'", l->argv[1]);
	parse_of(a)->ipv6only = l->argc > 1;
	return 0;
}

static int set_port(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	(void)at;
	return cfg_set_u16(a, l, &parse_of(a)->port);
}

static int set_proto(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	(void)at;
	if (strncmp(l->argv[1], "tcp", 3) == 0)
		return cfg_fail(a, l,
			"'proto %.20s' isn't offered, only udp; serve TCP with a stock "
			"openvpn beside this one",
			l->argv[1]);
	return proto_parse(a, l, 1, &parse_of(a)->family);
}

static int set_dev(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (strncmp(l->argv[1], "tap", 3) == 0)
		return cfg_fail(a, l, "'%s %.20s' isn't offered, only tun", l->argv[0], l->argv[1]);
	return cfg_set_str(a, l, at);
}

static int set_dev_type(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const types[] = { "tun", NULL };

	(void)at;
	return cfg_word_choice(a, l, 1, types);
}

static int set_mode(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const modes[] = { "server", NULL };

	(void)at;
	return cfg_word_choice(a, l, 1, modes);
}

static int set_topology(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server_parse *p = parse_of(a);

	p->topology_line = l;
	return cfg_topology_parse(a, l, &((struct cfg_server *)at)->topology);
}

static int set_server(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server_parse *p = parse_of(a);
	struct cfg_addr net, first;

	if (cfg_network_parse(l->argv[1], l->argv[2], &net) < 0)
		return cfg_fail(a, l, "'server': '%.60s %.60s' isn't a network and its netmask",
			l->argv[1], l->argv[2]);
	if (l->argc > 3 && strcmp(l->argv[3], "nopool") != 0)
		return cfg_fail(
			a, l, "'server' takes 'nopool' as third argument, got '%.60s'", l->argv[3]);
	first = cfg_addr_network(&net);
	if (!cfg_addr_equal(&first, &net))
		return cfg_fail(a, l,
			"'server': %s isn't the first address of a network with that "
			"netmask",
			l->argv[1]);
	if (net.prefix < 8 || net.prefix > 30)
		return cfg_fail(
			a, l, "'server': the netmask must have 8 to 30 bits, got %u", net.prefix);
	((struct cfg_server *)at)->network = net;
	p->nopool = l->argc > 3;
	return 0;
}

static int set_ifconfig(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	struct cfg_addr addr;

	if (cfg_network_parse(l->argv[1], l->argv[2], &addr) < 0 || addr.prefix < 8 ||
		addr.prefix > 30)
		return cfg_fail(a, l, "'ifconfig': '%.60s %.60s' isn't an address and its netmask",
			l->argv[1], l->argv[2]);
	cfg->address = addr;
	return 0;
}

static int set_pool(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	struct cfg_addr first, last;
	uint64_t size;
	uint8_t bits;

	if (cfg_addr_parse(l->argv[1], &first) < 0 || cfg_addr_parse(l->argv[2], &last) < 0 ||
		first.family != AF_INET || last.family != AF_INET)
		return cfg_fail(a, l, "'ifconfig-pool': '%.60s %.60s' aren't two IPv4 addresses",
			l->argv[1], l->argv[2]);
	if (cfg_addr_distance(&first, &last, &size) < 0)
		return cfg_fail(a, l, "'ifconfig-pool': the last address is below the first");
	if (l->argc > 3 && cfg_netmask_parse(l->argv[3], &bits) < 0)
		return cfg_fail(a, l, "'ifconfig-pool': '%.60s' isn't a netmask", l->argv[3]);
	cfg->pool_first = first;
	cfg->pool_last = last;
	return 0;
}

// "network/bits" of IPv6 with nothing behind the prefix. Lengths as stock servers take them.
static int network6_parse(struct cfg_apply *a, const struct cfg_line *l, struct cfg_addr *ret_net)
{
	struct cfg_addr net, first;

	if (cfg_prefix_parse(l->argv[1], &net) < 0 || net.family != AF_INET6)
		return cfg_fail(a, l, "'%s': '%.60s' isn't an IPv6 network and its prefix length",
			l->argv[0], l->argv[1]);
	if (net.prefix < 64 || net.prefix > 124)
		return cfg_fail(a, l, "'%s': the prefix must have 64 to 124 bits, got %u",
			l->argv[0], net.prefix);
	first = cfg_addr_network(&net);
	if (!cfg_addr_equal(&first, &net) && strcmp(l->argv[0], "server-ipv6") == 0)
		return cfg_fail(a, l,
			"'%s': %.60s isn't the first address of a network with that prefix",
			l->argv[0], l->argv[1]);
	*ret_net = net;
	return 0;
}

static int set_server6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	return network6_parse(a, l, &((struct cfg_server *)at)->network6);
}

static int set_ifconfig6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_addr peer;
	int rc = network6_parse(a, l, &((struct cfg_server *)at)->address6);

	if (rc == 0 && l->argc > 2 &&
		(cfg_addr_parse(l->argv[2], &peer) < 0 || peer.family != AF_INET6))
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't an IPv6 address", l->argv[0], l->argv[2]);
	return rc;
}

static int set_pool6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	parse_of(a)->pool6_line = l;
	return network6_parse(a, l, &((struct cfg_server *)at)->pool6_first);
}

static int set_persist(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	int rc = l->argc > 2 ? cfg_word_u32(a, l, 2, 0, SECONDS_MAX, &cfg->pool_persist_s) : 0;

	return rc < 0 ? rc : cfg_set_str(a, l, &cfg->pool_persist);
}

static int set_route(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	struct cfg_route r;
	int rc = cfg_route_parse(a, l, &r);

	if (rc < 0)
		return rc;
	rc = cfg_mem_grow(a->mem, &cfg->routes, cfg->n_routes, CFG_ROUTES_MAX, sizeof(r));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'route': more than %d routes", CFG_ROUTES_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	cfg->routes[cfg->n_routes++] = r;
	return 0;
}

// `push "compress ..."`: which framing a client is told depends on what it has.
static bool is_compression(const char *option)
{
	const size_t len = strcspn(option, " ");

	return (len == 8 && memcmp(option, "comp-lzo", len) == 0) ||
		(len == 8 && memcmp(option, "compress", len) == 0);
}

static int set_push(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	int rc = cfg_push_check(a, l);

	if (rc < 0)
		return rc;
	if (is_compression(l->argv[1])) {
		cfg_remark(a, CFG_NOTE_IGNORED, l,
			"'push': '%.60s' is left out: nothing is compressed, and clients with "
			"compression are told which framing to use",
			l->argv[1]);
		return 0;
	}
	rc = cfg_mem_grow(a->mem, &cfg->push, cfg->n_push, PUSH_MAX, sizeof(*cfg->push));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'push': more than %d options", PUSH_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	cfg->push[cfg->n_push++] = l->argv[1];
	return 0;
}

static int set_ccd(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server_parse *p = parse_of(a);

	p->ccd_line = l;
	return cfg_set_str(a, l, &((struct cfg_server *)at)->ccd);
}

static int set_keepalive(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	uint32_t interval, timeout;
	int rc = cfg_word_u32(a, l, 1, 1, 86400, &interval);

	if (rc == 0)
		rc = cfg_word_u32(a, l, 2, 1, 86400, &timeout);
	if (rc < 0)
		return rc;
	if (timeout < 2 * interval)
		return cfg_fail(a, l,
			"'keepalive': the second number must be at least twice the "
			"first");
	cfg->ping_s = interval;
	cfg->ping_restart_s = 2 * timeout;
	cfg->push_ping_s = interval;
	cfg->push_ping_restart_s = timeout;
	return 0;
}

// Two numbers into two neighbouring fields of 32 bits: N, and the seconds it counts in.
static int set_freq(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	uint32_t *pair = at;
	uint32_t n, seconds;
	int rc = cfg_word_u32(a, l, 1, 0, 1000000, &n);

	if (rc == 0)
		rc = cfg_word_u32(a, l, 2, 1, 86400, &seconds);
	if (rc < 0)
		return rc;
	pair[0] = n;
	pair[1] = seconds;
	return 0;
}

static int set_exit_notify(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	uint32_t *n = at;

	*n = 1;
	return l->argc > 1 ? cfg_set_u32(a, l, n) : 0;
}

static int set_fragment(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;

	return cfg_fragment_parse(a, l, &cfg->fragment, &cfg->fragment_mtu);
}

static int set_tunnel(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server_parse *p = parse_of(a);
	int rc;

	(void)at;
	rc = cfg_mem_grow(a->mem, &p->tunnel_lines, p->n_tunnel_lines, TUNNEL_LINES_MAX,
		sizeof(*p->tunnel_lines));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'tunnel': more than %d lines; name a folder instead",
			TUNNEL_LINES_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	p->tunnel_lines[p->n_tunnel_lines++] = l;
	return 0;
}

static int set_mssfix(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;

	return cfg_mssfix_parse(a, l, &cfg->mssfix, &cfg->mssfix_mtu, &cfg->mssfix_fixed);
}

static int set_mobility(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "off", "aggressive", "lazy", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	((struct cfg_server *)at)->mobility = (enum cfg_mobility)i;
	return 0;
}

static int set_verify_client(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "require", "optional", "none", NULL };
	int i = l->argc > 1 ? cfg_word_choice(a, l, 1, choices) : 0;

	if (i < 0)
		return i;
	((struct cfg_server *)at)->verify_client = (enum cfg_verify_client)i;
	return 0;
}

static int set_status(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;
	int rc = l->argc > 2 ? cfg_word_u32(a, l, 2, 1, SECONDS_MAX, &cfg->status_s) : 0;

	return rc < 0 ? rc : cfg_set_str(a, l, &cfg->status);
}

static int set_log(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_server *cfg = at;

	cfg->log_append = strcmp(l->argv[0], "log-append") == 0;
	return cfg_set_str(a, l, &cfg->log);
}

#define SRV(f) offsetof(struct cfg_server, f)

const struct cfg_option cfg_server_options[] = {
	{ "local", set_listen, 0, 0, 0 },
	{ "listen", set_listen, 0, 0, 0 },
	{ "port", set_port, 0, 1, 65535 },
	{ "lport", set_port, 0, 1, 65535 },
	{ "proto", set_proto, 0, 0, 0 },
	{ "bind", set_bind, 0, 0, 0 },
	{ "dev", set_dev, SRV(dev), 0, 0 },
	{ "dev-type", set_dev_type, 0, 0, 0 },
	{ "mode", set_mode, 0, 0, 0 },
	{ "tls-server", cfg_set_none, 0, 0, 0 },
	{ "ignore-unknown-option", cfg_set_none, 0, 0, 0 },
	{ "topology", set_topology, 0, 0, 0 },
	{ "server", set_server, 0, 0, 0 },
	{ "ifconfig", set_ifconfig, 0, 0, 0 },
	{ "ifconfig-pool", set_pool, 0, 0, 0 },
	{ "ifconfig-pool-persist", set_persist, 0, 0, 0 },
	{ "tun-ipv6", cfg_set_none, 0, 0, 0 },
	{ "server-ipv6", set_server6, 0, 0, 0 },
	{ "ifconfig-ipv6", set_ifconfig6, 0, 0, 0 },
	{ "ifconfig-ipv6-pool", set_pool6, 0, 0, 0 },
	{ "block-ipv6", cfg_set_flag, SRV(block_ipv6), 0, 0 },
	{ "route", set_route, 0, 0, 0 },
	{ "push", set_push, 0, 0, 0 },
	{ "client-config-dir", set_ccd, 0, 0, 0 },
	{ "ccd-exclusive", cfg_set_flag, SRV(ccd_exclusive), 0, 0 },
	{ "verify-client-cert", set_verify_client, 0, 0, 0 },
	{ "keepalive", set_keepalive, 0, 0, 0 },
	{ "ping", cfg_set_u32, SRV(ping_s), 0, 86400 },
	{ "ping-restart", cfg_set_u32, SRV(ping_restart_s), 0, SECONDS_MAX },
	{ "inactive", cfg_inactive_parse, SRV(limits), 0, UINT64_MAX },
	{ "session-timeout", cfg_session_timeout_parse, SRV(limits), 0, 0 },
	{ "max-clients", cfg_set_u32, SRV(max_clients), 1, 1u << 20 },
	{ "max-routes-per-client", cfg_set_u32, SRV(max_routes_per_client), 1, 65536 },
	{ "duplicate-cn", cfg_set_flag, SRV(duplicate_cn), 0, 0 },
	{ "client-to-client", cfg_set_flag, SRV(client_to_client), 0, 0 },
	{ "connect-freq", set_freq, SRV(connect_freq_n), 0, 0 },
	{ "connect-freq-initial", set_freq, SRV(connect_freq_initial_n), 0, 0 },
	{ "explicit-exit-notify", set_exit_notify, SRV(explicit_exit_notify), 0, 2 },
	{ "tun-mtu", cfg_set_u32, SRV(tun_mtu), CFG_MTU_MIN, CFG_MTU_MAX },
	{ "mssfix", set_mssfix, 0, 0, 0 },
	{ "fragment", set_fragment, 0, 0, 0 },
	{ "comp-lzo", cfg_comp_lzo_parse, SRV(comp), 0, 0 },
	{ "compress", cfg_compress_parse, SRV(comp), 0, 0 },
	{ "tunnel", set_tunnel, 0, 0, 0 },
	{ "mobility", set_mobility, 0, 0, 0 },
	{ "data-format", cfg_data_format_parse, SRV(data_format), 0, 0 },
	{ "dataplane-socket", cfg_set_str, SRV(dataplane_socket), 0, 0 },
	{ "control-socket", cfg_set_str, SRV(control_socket), 0, 0 },
	{ "status", set_status, 0, 0, 0 },
	{ "status-version", cfg_set_u32, SRV(status_version), 1, 3 },
	{ "log", set_log, 0, 0, 0 },
	{ "log-append", set_log, 0, 0, 0 },
	{ "writepid", cfg_set_str, SRV(writepid), 0, 0 },
	{ "user", cfg_set_str, SRV(user), 0, 0 },
	{ "group", cfg_set_str, SRV(group), 0, 0 },
	{ "cd", cfg_set_str, SRV(cd), 0, 0 },
	{ "verb", cfg_set_u32, SRV(verb), 0, 11 },
	{ "suppress-timestamps", cfg_set_flag, SRV(suppress_timestamps), 0, 0 },
	{ 0 },
};
