// SPDX-License-Identifier: BSD-3-Clause
#include "config/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/server_apply.h"
#include "config/static_key.h"

static void defaults(struct cfg_server *cfg)
{
	cfg_tls_defaults(&cfg->tls);
	cfg->tls.reneg_sec_min = cfg->tls.reneg_sec - cfg->tls.reneg_sec / 10;
	cfg->dataplane_socket = CFG_DATAPLANE_SOCKET;
	cfg->control_socket = CFG_CONTROL_SOCKET;
	cfg->topology = CFG_TOPOLOGY_SUBNET;
	cfg->pool_persist_s = 600;
	cfg->max_clients = CFG_MAX_CLIENTS_DEFAULT;
	cfg->max_routes_per_client = 256;
	cfg->connect_freq_initial_n = 100;
	cfg->connect_freq_initial_s = 10;
	cfg->tun_mtu = 1500;
	cfg->mssfix = CFG_MSSFIX_DEFAULT;
	cfg->mssfix_mtu = true;
	cfg->mobility = CFG_MOBILITY_AGGRESSIVE;
	cfg->status_s = 60;
	cfg->status_version = 1;
	cfg->verb = 1;
	cfg->auth.script_security = 1;
	cfg->auth.tmp_dir = "/tmp";
}

// The addresses that `server` gives, unless other lines said more.
static void addresses_finish(struct cfg_server_parse *p, const struct cfg_lines *lines)
{
	struct cfg_server *cfg = p->cfg;
	struct cfg_addr last;

	if (cfg->network.family == AF_UNSPEC && cfg->address.family != AF_UNSPEC)
		cfg->network = cfg_addr_network(&cfg->address);
	if (cfg->network.family == AF_UNSPEC) {
		(void)cfg_fail_file(&p->a, lines, "no 'server' line, so clients get no addresses");
		return;
	}
	// The parser has refused networks of less than four addresses, so nothing here overflows.
	if (cfg->address.family == AF_UNSPEC) {
		(void)cfg_addr_add(&cfg->network, 1, &cfg->address);
		cfg->address.prefix = cfg->network.prefix;
	}
	if (cfg->pool_first.family == AF_UNSPEC && !p->nopool) {
		// OpenVPN keeps the first and the last four addresses out of point-to-point pools.
		uint64_t below = cfg->topology == CFG_TOPOLOGY_SUBNET ? 2 : 4;
		uint64_t above = cfg->topology == CFG_TOPOLOGY_SUBNET ? 1 : 4;
		uint64_t size;

		last = cfg_addr_last(&cfg->network);
		(void)cfg_addr_distance(&cfg->network, &last, &size);
		if (size < below + above) {
			(void)cfg_fail(&p->a, p->topology_line,
				"'topology %s' needs a network of at least 16 addresses, for a "
				"pool",
				p->topology_line->argv[1]);
			return;
		}
		(void)cfg_addr_add(&cfg->network, below, &cfg->pool_first);
		(void)cfg_addr_add(&cfg->network, size - above, &cfg->pool_last);
	}
	if (cfg->pool_first.family != AF_UNSPEC &&
		(!cfg_addr_within(&cfg->pool_first, &cfg->network) ||
			!cfg_addr_within(&cfg->pool_last, &cfg->network)))
		(void)cfg_fail_file(
			&p->a, lines, "'ifconfig-pool' lies outside the tunnel's network");
}

// IPv6 addresses inside the tunnel: what `server-ipv6` gives, unless other lines said more.
static void addresses6_finish(struct cfg_server_parse *p, const struct cfg_lines *lines)
{
	struct cfg_server *cfg = p->cfg;
	struct cfg_addr last;
	uint64_t size = UINT64_MAX, from = 0;

	if (cfg->network6.family == AF_UNSPEC && cfg->address6.family != AF_UNSPEC)
		cfg->network6 = cfg_addr_network(&cfg->address6);
	if (cfg->network6.family == AF_UNSPEC) {
		if (p->pool6_line != NULL)
			(void)cfg_fail(&p->a, p->pool6_line,
				"'ifconfig-ipv6-pool' needs 'server-ipv6' or 'ifconfig-ipv6'");
		return;
	}
	if (cfg->address6.family == AF_UNSPEC) {
		(void)cfg_addr_add(&cfg->network6, 1, &cfg->address6);
		cfg->address6.prefix = cfg->network6.prefix;
	}
	if (!cfg_addr_within(&cfg->address6, &cfg->network6)) {
		(void)cfg_fail_file(
			&p->a, lines, "'ifconfig-ipv6' lies outside the tunnel's IPv6 network");
		return;
	}
	// Without `nopool`, and with a pool that is named, clients get leases; the first one as
	// stock servers give it.
	if (cfg->pool6_first.family == AF_UNSPEC) {
		if (p->nopool)
			return;
		(void)cfg_addr_add(
			&cfg->network6, cfg->network6.prefix < 112 ? 0x1000 : 2, &cfg->pool6_first);
	} else {
		struct cfg_addr first = cfg_addr_network(&cfg->pool6_first);

		if (cfg_addr_equal(&first, &cfg->pool6_first))
			(void)cfg_addr_add(&first, 1, &cfg->pool6_first);
		cfg->pool6_first.prefix = 128;
	}
	if (!cfg_addr_within(&cfg->pool6_first, &cfg->network6)) {
		(void)cfg_fail(&p->a, p->pool6_line,
			"'ifconfig-ipv6-pool' lies outside the tunnel's IPv6 network");
		return;
	}
	last = cfg_addr_last(&cfg->network6);
	(void)cfg_addr_distance(&cfg->pool6_first, &last, &size);
	(void)cfg_addr_distance(&cfg->network6, &cfg->pool6_first, &from);
	if (from >= CFG_POOL6_MAX) {
		(void)cfg_fail(&p->a, p->pool6_line,
			"'ifconfig-ipv6-pool' must begin within the first %u addresses of the "
			"network",
			CFG_POOL6_MAX);
		return;
	}
	if (size >= CFG_POOL6_MAX)
		size = CFG_POOL6_MAX - 1;
	(void)cfg_addr_add(&cfg->pool6_first, size, &cfg->pool6_last);
}

// An address and the transport word that counts for it: which families are served?
static void listen_finish(struct cfg_server_parse *p, const struct cfg_lines *lines,
	struct cfg_listen listen, size_t said)
{
	static const uint16_t order[] = { AF_INET, AF_INET6 }; // IPv4 is looked for first
	bool own = said < CFG_LISTENS_MAX && p->listen_said[said];
	uint16_t family = own ? p->listen_family[said] : p->family;
	struct cfg_server *cfg = p->cfg;
	bool any = listen.addr.family == AF_UNSPEC;

	if (!any && own && family != AF_UNSPEC && listen.addr.family != family) {
		(void)cfg_fail(&p->a, p->listen_line[said], "'%s': %.60s isn't an IPv%c address",
			p->listen_line[said]->argv[0], p->listen_line[said]->argv[1],
			family == AF_INET ? '4' : '6');
		return;
	}
	// As with stock servers "udp6" takes IPv4 along unless `bind ipv6only` says no.
	if (any && family == AF_INET6 && !p->ipv6only)
		family = AF_UNSPEC;
	for (size_t i = 0; i < 2; i++) {
		if (any ? family != AF_UNSPEC && family != order[i]
			: listen.addr.family != order[i])
			continue;
		if (any)
			listen.addr = (struct cfg_addr){ .family = order[i] };
		if (cfg_mem_grow(cfg->mem, &cfg->listens, cfg->n_listens, CFG_LISTENS_MAX,
			    sizeof(listen)) < 0) {
			(void)cfg_fail_file(&p->a, lines, "more than %d addresses to serve on",
				CFG_LISTENS_MAX);
			return;
		}
		cfg->listens[cfg->n_listens++] = listen;
	}
}

// One listening address per `local` and `listen`, or all addresses on `port`.
static void listens_finish(struct cfg_server_parse *p, const struct cfg_lines *lines)
{
	struct cfg_server *cfg = p->cfg;
	uint16_t port = p->port != 0 ? p->port : CFG_PORT_DEFAULT;
	struct cfg_listen *said = cfg->listens;
	size_t n = cfg->n_listens;

	cfg->listens = NULL;
	cfg->n_listens = 0;
	if (n == 0)
		listen_finish(p, lines, (struct cfg_listen){ .port = port }, CFG_LISTENS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (said[i].port == 0)
			said[i].port = port;
		listen_finish(p, lines, said[i], i);
	}
}

// Check what needs more than one directive.
static void finish(struct cfg_server_parse *p, const struct cfg_lines *lines)
{
	struct cfg_server *cfg = p->cfg;

	addresses_finish(p, lines);
	addresses6_finish(p, lines);
	listens_finish(p, lines);
	cfg_tls_finish(&p->a, lines, &cfg->tls);
	cfg_auth_finish(&p->a, lines, cfg);
	if (cfg_blob_set(&cfg->tls.secret))
		(void)cfg_fail_file(&p->a, lines,
			"'secret' makes a tunnel to a single peer: put it into a file of its own "
			"with "
			"its ifconfig and lport, and name that with 'tunnel'");
	if (cfg->ccd_exclusive && cfg->ccd == NULL)
		(void)cfg_fail_file(&p->a, lines, "'ccd-exclusive' needs 'client-config-dir'");
}

static int paths_under(struct cfg_server *cfg)
{
	const char **paths[] = { &cfg->pool_persist, &cfg->ccd, &cfg->status, &cfg->log,
		&cfg->writepid, &cfg->auth.tmp_dir };
	struct cfg_command *programs[] = { &cfg->auth.verify_user, &cfg->auth.tls_verify,
		&cfg->auth.client_connect, &cfg->auth.client_disconnect, &cfg->auth.learn_address };

	if (cfg->cd == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (*paths[i] == NULL)
			continue;
		*paths[i] = cfg_path_under(cfg->mem, cfg->cd, *paths[i]);
		if (*paths[i] == NULL)
			return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (programs[i]->argv[0] == NULL)
			continue;
		programs[i]->argv[0] = cfg_path_under(cfg->mem, cfg->cd, programs[i]->argv[0]);
		if (programs[i]->argv[0] == NULL)
			return -ENOMEM;
	}
	if (cfg->auth.token_secret.path != NULL) {
		cfg->auth.token_secret.path =
			cfg_path_under(cfg->mem, cfg->cd, cfg->auth.token_secret.path);
		if (cfg->auth.token_secret.path == NULL)
			return -ENOMEM;
	}
	return cfg_tls_under(cfg->mem, cfg->cd, &cfg->tls);
}

static void files_check(struct cfg_server_parse *p, const struct cfg_lines *lines)
{
	struct cfg_server *cfg = p->cfg;

	cfg_auth_check_files(&p->a, lines, &cfg->auth);
	cfg_tls_check_files(&p->a, &cfg->tls);
	if (cfg->ccd != NULL && access(cfg->ccd, R_OK | X_OK) < 0)
		(void)cfg_fail(&p->a, p->ccd_line, "'client-config-dir': can't read '%.300s': %s",
			cfg->ccd, strerror(errno));
}

static void tunnels_free(struct cfg_server *cfg)
{
	for (size_t i = 0; i < cfg->n_tunnels; i++)
		(void)cfg_client_free(cfg->tunnels[i]);
	cfg->n_tunnels = 0;
}

int cfg_server_parse(struct cfg_lines *lines, unsigned flags, struct cfg_notes *notes,
	struct cfg_server **ret_cfg, struct cfg_error *err)
{
	struct cfg_server *cfg = cfg_mem_alloc(lines->mem, sizeof(*cfg));
	struct cfg_server_parse p = { .cfg = cfg };
	int rc;

	if (cfg == NULL) {
		cfg_error_set(err, "configuration", 0, "out of memory");
		return -ENOMEM;
	}
	cfg->mem = lines->mem;
	cfg->file = lines->file;
	p.a = (struct cfg_apply){
		.where = CFG_SERVER,
		.mem = cfg->mem,
		.targets = { { cfg_server_options, cfg }, { cfg_tls_options, &cfg->tls },
			{ cfg_wrap_options, &cfg->tls.wrap }, { cfg_auth_options, &cfg->auth } },
		.notes = notes,
		.err = err,
	};
	defaults(cfg);
	(void)cfg_apply_lines(&p.a, lines); // goes on, to find what else is wrong
	finish(&p, lines);
	rc = paths_under(cfg);
	if (rc < 0) {
		cfg_error_set(err, "configuration", 0, "out of memory");
		return rc;
	}
	if ((flags & CFG_LOAD_NO_FILES) == 0) {
		files_check(&p, lines);
		cfg_tunnels_load(&p);
		cfg_tunnels_finish(&p);
	}
	if (p.a.rc < 0) {
		tunnels_free(cfg);
		return p.a.rc;
	}
	*lines = (struct cfg_lines){ 0 };
	*ret_cfg = cfg;
	return 0;
}

int cfg_server_load(const char *path, struct cfg_notes *notes, struct cfg_server **ret_cfg,
	struct cfg_error *err)
{
	struct cfg_lines lines;
	int rc = cfg_lines_init(&lines);

	if (rc == 0)
		rc = cfg_lines_add_file(&lines, path, err);
	if (rc == 0)
		rc = cfg_server_parse(&lines, 0, notes, ret_cfg, err);
	cfg_lines_done(&lines);
	return rc;
}

struct cfg_server *cfg_server_free(struct cfg_server *cfg)
{
	// The struct itself lies in its arena.
	if (cfg != NULL) {
		tunnels_free(cfg);
		cfg_mem_free(cfg->mem);
	}
	return NULL;
}
