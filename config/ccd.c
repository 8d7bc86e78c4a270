// SPDX-License-Identifier: BSD-3-Clause
#include "config/ccd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "config/apply.h"
#include "config/option_tables.h"
#include "config/push_check.h"

#define IROUTES_MAX 65536
#define PUSH_MAX 1024

static int set_ifconfig(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_ccd *ccd = at;
	struct cfg_addr addr, peer = { 0 };

	// A netmask in topology subnet, the other end's address in net30 and p2p.
	if (cfg_network_parse(l->argv[1], l->argv[2], &addr) < 0 &&
		(cfg_addr_parse(l->argv[1], &addr) < 0 || cfg_addr_parse(l->argv[2], &peer) < 0 ||
			peer.family != AF_INET))
		addr.family = AF_UNSPEC;
	if (addr.family != AF_INET || addr.prefix == 0)
		return cfg_fail(a, l,
			"'ifconfig-push': '%.60s %.60s' isn't an address and its "
			"netmask or other end",
			l->argv[1], l->argv[2]);
	ccd->ifconfig = addr;
	ccd->ifconfig_peer = peer;
	ccd->ifconfig_file = l->file;
	ccd->ifconfig_line = l->line;
	return 0;
}

static int set_ifconfig6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_addr addr, peer = { 0 };
	struct cfg_ccd *ccd = at;

	if (cfg_prefix_parse(l->argv[1], &addr) < 0 || addr.family != AF_INET6)
		return cfg_fail(a, l,
			"'ifconfig-ipv6-push': '%.60s' isn't an IPv6 address and its "
			"prefix length",
			l->argv[1]);
	if (l->argc > 2 && (cfg_addr_parse(l->argv[2], &peer) < 0 || peer.family != AF_INET6))
		return cfg_fail(
			a, l, "'ifconfig-ipv6-push': '%.60s' isn't an IPv6 address", l->argv[2]);
	ccd->ifconfig6 = addr;
	ccd->ifconfig6_peer = peer;
	return 0;
}

static int iroute_add(struct cfg_apply *a, const struct cfg_line *l, struct cfg_ccd *ccd,
	const struct cfg_addr *net)
{
	struct cfg_addr first = cfg_addr_network(net);
	int rc;

	if (!cfg_addr_equal(&first, net))
		return cfg_fail(a, l, "'%s': %.60s isn't the first address of that network",
			l->argv[0], l->argv[1]);
	rc = cfg_mem_grow(a->mem, &ccd->iroutes, ccd->n_iroutes, IROUTES_MAX, sizeof(*net));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d networks", l->argv[0], IROUTES_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	ccd->iroutes[ccd->n_iroutes++] = *net;
	return 0;
}

static int set_iroute(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_addr net;
	int rc = l->argc > 2 ? cfg_network_parse(l->argv[1], l->argv[2], &net)
			     : cfg_addr_parse(l->argv[1], &net);

	if (rc < 0 || net.family != AF_INET)
		return cfg_fail(a, l, "'iroute': '%.60s %.60s' isn't an IPv4 network", l->argv[1],
			l->argc > 2 ? l->argv[2] : "");
	return iroute_add(a, l, at, &net);
}

static int set_iroute6(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_addr net;

	if (cfg_prefix_parse(l->argv[1], &net) < 0 || net.family != AF_INET6)
		return cfg_fail(a, l,
			"'iroute-ipv6': '%.60s' isn't an IPv6 network and its prefix length",
			l->argv[1]);
	return iroute_add(a, l, at, &net);
}

static int list_add(struct cfg_apply *a, const struct cfg_line *l, const char ***list, size_t *n)
{
	int rc = cfg_mem_grow(a->mem, list, *n, PUSH_MAX, sizeof(**list));

	if (rc == -E2BIG)
		return cfg_fail(a, l, "'%s': more than %d options", l->argv[0], PUSH_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	(*list)[(*n)++] = l->argv[1];
	return 0;
}

static int set_push(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_ccd *ccd = at;
	int rc = cfg_push_check(a, l);

	return rc < 0 ? rc : list_add(a, l, &ccd->push, &ccd->n_push);
}

static int set_push_remove(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_ccd *ccd = at;

	return list_add(a, l, &ccd->push_remove, &ccd->n_push_remove);
}

#define CCD(f) offsetof(struct cfg_ccd, f)

const struct cfg_option cfg_ccd_options[] = {
	{ "disable", cfg_set_flag, CCD(disable), 0, 0 },
	{ "ifconfig-push", set_ifconfig, 0, 0, 0 },
	{ "ifconfig-ipv6-push", set_ifconfig6, 0, 0, 0 },
	{ "iroute", set_iroute, 0, 0, 0 },
	{ "iroute-ipv6", set_iroute6, 0, 0, 0 },
	{ "push-reset", cfg_set_flag, CCD(push_reset), 0, 0 },
	{ "push-remove", set_push_remove, 0, 0, 0 },
	{ "push", set_push, 0, 0, 0 },
	{ "inactive", cfg_inactive_parse, CCD(limits), 0, UINT64_MAX },
	{ "session-timeout", cfg_session_timeout_parse, CCD(limits), 0, 0 },
	{ 0 },
};

int cfg_ccd_parse(struct cfg_lines *lines, struct cfg_notes *notes, struct cfg_ccd **ret_ccd,
	struct cfg_error *err)
{
	struct cfg_ccd *ccd = cfg_mem_alloc(lines->mem, sizeof(*ccd));
	struct cfg_apply a = {
		.where = CFG_CCD,
		.mem = lines->mem,
		.targets = { { cfg_ccd_options, ccd } },
		.notes = notes,
		.err = err,
	};
	int rc;

	if (ccd == NULL) {
		cfg_error_set(err, "configuration", 0, "out of memory");
		return -ENOMEM;
	}
	ccd->mem = lines->mem;
	rc = cfg_apply_lines(&a, lines);
	if (rc < 0)
		return rc;
	*lines = (struct cfg_lines){ 0 };
	*ret_ccd = ccd;
	return 0;
}

int cfg_ccd_load(
	const char *path, struct cfg_notes *notes, struct cfg_ccd **ret_ccd, struct cfg_error *err)
{
	struct cfg_lines lines;
	int rc = cfg_lines_init(&lines);

	if (rc == 0)
		rc = cfg_lines_add_file(&lines, path, err);
	if (rc == 0)
		rc = cfg_ccd_parse(&lines, notes, ret_ccd, err);
	cfg_lines_done(&lines);
	return rc;
}

struct cfg_ccd *cfg_ccd_free(struct cfg_ccd *ccd)
{
	if (ccd != NULL)
		cfg_mem_free(ccd->mem);
	return NULL;
}
