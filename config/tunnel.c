// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "config/limits.h"
#include "config/number.h"
#include "config/tunnel_apply.h"

#define SECONDS_MAX 31536000u
#define BUFFER_MAX (256u << 20)

void cfg_tunnel_defaults(struct cfg_tunnel *t)
{
	*t = (struct cfg_tunnel){ .topology = CFG_TOPOLOGY_NET30, .route_metric = -1 };
}

int cfg_data_format_parse(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "v1", "v2", "epoch", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_data_format *)at = (enum cfg_data_format)(CFG_FORMAT_V1 + i);
	return 0;
}

int cfg_topology_parse(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "net30", "p2p", "subnet", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_topology *)at = (enum cfg_topology)i;
	return 0;
}

int cfg_mssfix_parse(
	struct cfg_apply *a, const struct cfg_line *l, uint32_t *bytes, bool *mtu, bool *fixed)
{
	static const char *const choices[] = { "mtu", "fixed", NULL };
	uint32_t value = CFG_MSSFIX_DEFAULT;
	int mode = l->argc == 1 ? 0 : -1;
	int rc = 0;

	if (l->argc > 1)
		rc = cfg_word_u32(a, l, 1, 0, CFG_MTU_MAX, &value);
	if (rc == 0 && l->argc > 2) {
		mode = cfg_word_choice(a, l, 2, choices);
		rc = mode < 0 ? mode : 0;
	}
	if (rc < 0)
		return rc;
	*bytes = value;
	*mtu = mode == 0;
	*fixed = mode == 1;
	return 0;
}

int cfg_fragment_parse(struct cfg_apply *a, const struct cfg_line *l, uint32_t *bytes, bool *mtu)
{
	static const char *const choices[] = { "mtu", NULL };
	uint32_t value;
	int rc = cfg_word_u32(a, l, 1, CFG_FRAGMENT_MIN, CFG_FRAGMENT_MAX, &value);

	if (rc == 0 && l->argc > 2)
		rc = cfg_word_choice(a, l, 2, choices);
	if (rc < 0)
		return rc;
	*bytes = value;
	*mtu = l->argc > 2;
	return 0;
}

// The symbolic names that routes may use for addresses; NULL for anything else.
static const char *route_name(const char *word)
{
	static const char *const names[] = { "vpn_gateway", "net_gateway", "remote_host", NULL };

	for (int i = 0; names[i] != NULL; i++) {
		if (strcmp(word, names[i]) == 0)
			return names[i];
	}
	return NULL;
}

// Could it be a host name? Letters, digits, dots, hyphens and underscores, not an address.
static bool host_like(const char *word)
{
	bool letter = false;

	for (const char *p = word; *p != '\0'; p++) {
		bool alpha = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

		if (!alpha && !(*p >= '0' && *p <= '9') && *p != '.' && *p != '-' && *p != '_')
			return false;
		letter |= alpha;
	}
	return letter && strlen(word) < 256;
}

static int route_gateway_parse(struct cfg_apply *a, const struct cfg_line *l, struct cfg_route *r)
{
	const char *word = l->argv[3];

	r->gateway_name = route_name(word);
	if (r->gateway_name != NULL || strcmp(word, "default") == 0)
		return 0;
	if (cfg_addr_parse(word, &r->gateway) < 0 || r->gateway.family != AF_INET)
		return cfg_fail(a, l, "'%s': '%.60s' isn't a gateway's address", l->argv[0], word);
	return 0;
}

int cfg_route_parse(struct cfg_apply *a, const struct cfg_line *l, struct cfg_route *ret_route)
{
	struct cfg_route r = { .name_prefix = 32, .metric = -1 };
	uint32_t metric;
	int rc;

	if (l->argc > 2 && strcmp(l->argv[2], "default") != 0 &&
		cfg_netmask_parse(l->argv[2], &r.name_prefix) < 0)
		return cfg_fail(a, l, "'%s': '%.60s' isn't a netmask", l->argv[0], l->argv[2]);
	if (cfg_addr_parse(l->argv[1], &r.net) == 0 && r.net.family == AF_INET) {
		struct cfg_addr given = r.net;

		r.net.prefix = r.name_prefix;
		r.net = cfg_addr_network(&r.net);
		if (!cfg_addr_equal(&given, &r.net))
			cfg_remark(a, CFG_NOTE_WARNING, l,
				"'%s': %.60s isn't the network's first address; that one is taken",
				l->argv[0], l->argv[1]);
	} else if (route_name(l->argv[1]) != NULL || host_like(l->argv[1])) {
		r.net = (struct cfg_addr){ 0 };
		r.name = l->argv[1];
	} else {
		return cfg_fail(a, l, "'%s': '%.60s' isn't an IPv4 network or a host name",
			l->argv[0], l->argv[1]);
	}
	if (l->argc > 3) {
		rc = route_gateway_parse(a, l, &r);
		if (rc < 0)
			return rc;
	}
	if (l->argc > 4 && strcmp(l->argv[4], "default") != 0) {
		rc = cfg_word_u32(a, l, 4, 0, INT32_MAX, &metric);
		if (rc < 0)
			return rc;
		r.metric = (int32_t)metric;
	}
	*ret_route = r;
	return 0;
}

static int route_add(
	struct cfg_apply *a, const struct cfg_line *l, struct cfg_tunnel *t, struct cfg_route r)
{
	int rc = cfg_mem_grow(a->mem, &t->routes, t->n_routes, CFG_ROUTES_MAX, sizeof(r));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d routes", l->argv[0], CFG_ROUTES_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	t->routes[t->n_routes++] = r;
	return 0;
}

static int set_route(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_route r;
	int rc = cfg_route_parse(a, l, &r);

	return rc < 0 ? rc : route_add(a, l, at, r);
}

// `route-ipv6 NETWORK/BITS [GATEWAY [METRIC]]`.
static int set_route6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_route r = { .name_prefix = 128, .metric = -1 };
	struct cfg_addr given;
	uint32_t metric;

	if (cfg_prefix_parse(l->argv[1], &given) < 0 || given.family != AF_INET6)
		return cfg_fail(a, l, "'%s': '%.60s' isn't an IPv6 network and its prefix length",
			l->argv[0], l->argv[1]);
	r.net = cfg_addr_network(&given);
	if (!cfg_addr_equal(&given, &r.net))
		cfg_remark(a, CFG_NOTE_WARNING, l,
			"'%s': %.60s isn't the network's first address; that one is taken",
			l->argv[0], l->argv[1]);
	if (l->argc > 2 && strcmp(l->argv[2], "default") != 0 && strcmp(l->argv[2], "::") != 0 &&
		(cfg_addr_parse(l->argv[2], &r.gateway) < 0 || r.gateway.family != AF_INET6))
		return cfg_fail(a, l, "'%s': '%.60s' isn't an IPv6 gateway's address", l->argv[0],
			l->argv[2]);
	if (l->argc > 3 && strcmp(l->argv[3], "default") != 0) {
		int rc = cfg_word_u32(a, l, 3, 0, INT32_MAX, &metric);

		if (rc < 0)
			return rc;
		r.metric = (int32_t)metric;
	}
	return route_add(a, l, at, r);
}

static int set_ifconfig(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tunnel *t = at;
	struct cfg_addr local, other;

	if (cfg_addr_parse(l->argv[1], &local) < 0 || local.family != AF_INET)
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't an IPv4 address", l->argv[0], l->argv[1]);
	if (cfg_addr_parse(l->argv[2], &other) < 0 || other.family != AF_INET)
		return cfg_fail(a, l, "'%s': '%.60s' is neither a netmask nor an IPv4 address",
			l->argv[0], l->argv[2]);
	t->ifconfig = local;
	t->ifconfig_peer = other;
	return 0;
}

static int set_ifconfig6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tunnel *t = at;
	struct cfg_addr local, other = { 0 };

	if (cfg_prefix_parse(l->argv[1], &local) < 0 || local.family != AF_INET6)
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't an IPv6 address", l->argv[0], l->argv[1]);
	if (l->argc > 2 && (cfg_addr_parse(l->argv[2], &other) < 0 || other.family != AF_INET6))
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't an IPv6 address", l->argv[0], l->argv[2]);
	t->ifconfig6 = local;
	t->ifconfig6_peer = other;
	return 0;
}

static int set_route_gateway(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_addr gw;

	if (strcmp(l->argv[1], "dhcp") == 0)
		return 0; // concerns tap
	if (cfg_addr_parse(l->argv[1], &gw) < 0 || gw.family != AF_INET)
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't an IPv4 address", l->argv[0], l->argv[1]);
	*(struct cfg_addr *)at = gw;
	return 0;
}

static int set_route_gateway6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_addr gw;

	if (cfg_addr_parse(l->argv[1], &gw) < 0 || gw.family != AF_INET6)
		return cfg_fail(
			a, l, "'%s': '%.60s' isn't an IPv6 address", l->argv[0], l->argv[1]);
	*(struct cfg_addr *)at = gw;
	return 0;
}

static int set_metric(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	uint32_t metric;
	int rc = cfg_word_u32(a, l, 1, 0, INT32_MAX, &metric);

	if (rc == 0)
		*(int32_t *)at = (int32_t)metric;
	return rc;
}

static int set_redirect(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const struct {
		const char *name;
		unsigned bit;
	} flags[] = {
		{ "def1", CFG_REDIRECT_DEF1 },
		{ "local", CFG_REDIRECT_LOCAL },
		{ "autolocal", CFG_REDIRECT_AUTOLOCAL },
		{ "bypass-dhcp", CFG_REDIRECT_BYPASS_DHCP },
		{ "bypass-dns", CFG_REDIRECT_BYPASS_DNS },
		{ "block-local", CFG_REDIRECT_BLOCK_LOCAL },
		{ "ipv6", CFG_REDIRECT_IPV6 },
		{ "!ipv4", CFG_REDIRECT_NO_IPV4 },
	};
	const size_t n = sizeof(flags) / sizeof(flags[0]);
	unsigned bits = strcmp(l->argv[0], "redirect-gateway") == 0 ? CFG_REDIRECT_GATEWAY
								    : CFG_REDIRECT_PRIVATE;

	for (unsigned w = 1; w < l->argc; w++) {
		size_t i = 0;

		while (i < n && strcmp(l->argv[w], flags[i].name) != 0)
			i++;
		if (i == n)
			return cfg_fail(a, l, "'%s': unknown flag '%.60s'", l->argv[0], l->argv[w]);
		bits |= flags[i].bit;
	}
	*(unsigned *)at |= bits;
	return 0;
}

static int dhcp_add(struct cfg_apply *a, const struct cfg_line *l, struct cfg_tunnel *t,
	const char *type, const char *value)
{
	int rc = cfg_mem_grow(a->mem, &t->dhcp, t->n_dhcp, CFG_DHCP_MAX, sizeof(*t->dhcp));

	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d of them", l->argv[0], CFG_DHCP_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	t->dhcp[t->n_dhcp++] = (struct cfg_dhcp_option){ .type = type, .value = value };
	return 0;
}

static int set_dhcp(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	const char *type = l->argv[1];
	const char *value = l->argc > 2 ? l->argv[2] : "";
	struct cfg_addr addr;

	if ((strcmp(type, "DNS") == 0 || strcmp(type, "DNS6") == 0) &&
		cfg_addr_parse(value, &addr) < 0)
		return cfg_fail(a, l, "'%s %s': '%.60s' isn't an address", l->argv[0], type, value);
	return dhcp_add(a, l, at, type, value);
}

// `dns server N address A...`, `dns server N resolve-domains D...`, `dns search-domains D...`:
// stored as the dhcp-option that means the same.
static int set_dns(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	const char *type = "DOMAIN-SEARCH";
	unsigned word = 2;
	uint32_t number;
	int rc = 0;

	if (strcmp(l->argv[1], "server") == 0) {
		if (l->argc < 5)
			return cfg_fail(
				a, l, "'dns server' takes a number, a setting and its value");
		rc = cfg_word_u32(a, l, 2, 0, 127, &number);
		if (rc < 0)
			return rc;
		word = 4;
		if (strcmp(l->argv[3], "address") == 0) {
			type = "DNS";
		} else if (strcmp(l->argv[3], "resolve-domains") == 0) {
			type = "DOMAIN-ROUTE";
		} else {
			cfg_remark(a, CFG_NOTE_IGNORED, l, "'dns server %u %.60s' has no effect",
				number, l->argv[3]);
			return 0;
		}
	} else if (strcmp(l->argv[1], "search-domains") != 0) {
		return cfg_fail(
			a, l, "'dns' takes server or search-domains, got '%.60s'", l->argv[1]);
	}
	for (; word < l->argc && rc == 0; word++)
		rc = dhcp_add(a, l, at, type, l->argv[word]);
	return rc;
}

static int set_keepalive(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tunnel *t = at;
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
	t->ping_s = interval;
	t->ping_restart_s = timeout;
	t->ping_exit_s = 0;
	return 0;
}

// ping-restart and ping-exit exclude each other; the later one counts.
static int set_ping_restart(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tunnel *t = at;
	int rc = cfg_set_u32(a, l, &t->ping_restart_s);

	if (rc == 0)
		t->ping_exit_s = 0;
	return rc;
}

static int set_ping_exit(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tunnel *t = at;
	int rc = cfg_set_u32(a, l, &t->ping_exit_s);

	if (rc == 0)
		t->ping_restart_s = 0;
	return rc;
}

static int set_inactive(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_tunnel *t = at;

	return cfg_inactive_words(a, l, &t->inactive_s, &t->inactive_bytes);
}

static int set_exit_notify(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	*(uint32_t *)at = 1;
	return l->argc > 1 ? cfg_set_u32(a, l, at) : 0;
}

int cfg_comp_lzo_parse(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "no", "yes", "adaptive", NULL };
	int i = l->argc > 1 ? cfg_word_choice(a, l, 1, choices) : 2;

	if (i < 0)
		return i;
	if (i > 0)
		cfg_remark(a, CFG_NOTE_WARNING, l,
			"'comp-lzo': nothing is compressed, and packets that the peer compresses "
			"can't be read");
	*(enum cfg_comp *)at = CFG_COMP_LZO_STUB;
	return 0;
}

int cfg_compress_parse(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const struct {
		const char *name;
		enum cfg_comp comp;
		bool real;
	} kinds[] = {
		{ "stub", CFG_COMP_STUB, false },
		{ "stub-v2", CFG_COMP_STUB_V2, false },
		{ "migrate", CFG_COMP_STUB, false },
		{ "lzo", CFG_COMP_LZO_STUB, true },
		{ "lz4", CFG_COMP_STUB, true },
		{ "lz4-v2", CFG_COMP_STUB_V2, true },
	};
	const char *word = l->argc > 1 ? l->argv[1] : "stub";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(word, kinds[i].name) != 0)
			continue;
		if (kinds[i].real)
			cfg_remark(a, CFG_NOTE_WARNING, l,
				"'compress': nothing is compressed, and packets that the peer "
				"compresses can't be read");
		*(enum cfg_comp *)at = kinds[i].comp;
		return 0;
	}
	return cfg_fail(a, l, "'compress': unknown algorithm '%.60s'", word);
}

#define TUN(field) offsetof(struct cfg_tunnel, field)

const struct cfg_option cfg_tunnel_options[] = {
	{ "topology", cfg_topology_parse, TUN(topology), 0, 0 },
	{ "ifconfig", set_ifconfig, 0, 0, 0 },
	{ "ifconfig-ipv6", set_ifconfig6, 0, 0, 0 },
	{ "tun-ipv6", cfg_set_none, 0, 0, 0 },
	{ "route", set_route, 0, 0, 0 },
	{ "route-ipv6", set_route6, 0, 0, 0 },
	{ "route-gateway", set_route_gateway, TUN(route_gateway), 0, 0 },
	{ "route-ipv6-gateway", set_route_gateway6, TUN(route_gateway6), 0, 0 },
	{ "route-metric", set_metric, TUN(route_metric), 0, 0 },
	{ "redirect-gateway", set_redirect, TUN(redirect), 0, 0 },
	{ "redirect-private", set_redirect, TUN(redirect), 0, 0 },
	{ "block-ipv6", cfg_set_flag, TUN(block_ipv6), 0, 0 },
	{ "dhcp-option", set_dhcp, 0, 0, 0 },
	{ "dns", set_dns, 0, 0, 0 },
	{ "keepalive", set_keepalive, 0, 0, 0 },
	{ "ping", cfg_set_u32, TUN(ping_s), 0, 86400 },
	{ "ping-restart", set_ping_restart, 0, 0, SECONDS_MAX },
	{ "ping-exit", set_ping_exit, 0, 0, SECONDS_MAX },
	{ "inactive", set_inactive, 0, 0, UINT64_MAX },
	{ "session-timeout", cfg_set_u32, TUN(session_timeout_s), 0, SECONDS_MAX },
	{ "sndbuf", cfg_set_u32, TUN(sndbuf), 0, BUFFER_MAX },
	{ "rcvbuf", cfg_set_u32, TUN(rcvbuf), 0, BUFFER_MAX },
	{ "explicit-exit-notify", set_exit_notify, TUN(explicit_exit_notify), 0, 60 },
	{ "comp-lzo", cfg_comp_lzo_parse, TUN(comp), 0, 0 },
	{ "compress", cfg_compress_parse, TUN(comp), 0, 0 },
	{ 0 },
};
