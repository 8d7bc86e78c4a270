// SPDX-License-Identifier: BSD-3-Clause
#include "control/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <uthash.h>

#include "config/server.h"
#include "control/ccd.h"
#include "control/clock.h"
#include "control/crl.h"
#include "control/log.h"
#include "control/pool.h"
#include "control/pool_writer.h"

// Addresses of the IPv6 network that have an entry in the pool, and in the dataplane's index.
#define CTL_POOL6_MANAGED (2u * CFG_POOL6_MAX)

struct ctl_policy {
	const struct cfg_server *cfg;
	struct ctl_pool *pool; // NULL without `server`
	struct ctl_pool *pool6; // NULL without `server-ipv6`
	struct ctl_far *far; // fixed IPv6 addresses beyond the pool that are in use
	struct ctl_crl *crl; // NULL without crl-verify
	struct timespec crl_dir_time; // of crl-verify's folder, when it was looked at last
	struct ctl_pool_writer writer; // of the file of ifconfig-pool-persist
	uint64_t written_ms; // that file, monotonic
	bool complained; // that it can't be written
};

// An IPv6 address of ifconfig-ipv6-push beyond those that the pool has entries for.
struct ctl_far {
	uint8_t bytes[16];
	UT_hash_handle hh;
};

static void log_notes(struct cfg_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		ctl_log(notes->list[i].kind == CFG_NOTE_ERROR ? CTL_ERROR : CTL_WARN, "%s",
			notes->list[i].text);
	cfg_notes_done(notes);
}

// Why a client's directives can't be used, once.
static void log_wrong(struct cfg_notes *notes, int rc, const struct cfg_error *err)
{
	bool said = false;

	for (size_t i = 0; i < notes->n; i++)
		said |= notes->list[i].kind == CFG_NOTE_ERROR;
	log_notes(notes);
	if (rc < 0 && !said)
		ctl_log(CTL_WARN, "%s", err->text);
}

// ---- Life ------------------------------------------------------------------------------------

// In the IPv6 network, but beyond what the pool has entries for?
static bool is_far(const struct ctl_policy *p, const struct cfg_addr *addr)
{
	uint64_t distance;

	if (!cfg_addr_within(addr, &p->cfg->network6))
		return false;
	return cfg_addr_distance(&p->cfg->network6, addr, &distance) < 0 ||
		distance >= CTL_POOL6_MANAGED;
}

static int reserve(void *arg, const char *cn, const struct cfg_addr *addr)
{
	struct ctl_policy *p = arg;
	struct ctl_pool *pool = addr->family == AF_INET6 ? p->pool6 : p->pool;
	char text[CFG_ADDR_TEXT];

	if (pool == NULL || (addr->family == AF_INET6 && is_far(p, addr)))
		return 0; // said when the client comes; nobody else can get it
	if (ctl_pool_reserve(pool, addr, cn) == -ERANGE)
		ctl_log(CTL_WARN,
			"client-config-dir: address outside of the network client=%s address=%s",
			cn, cfg_addr_text(addr, false, text));
	return 0;
}

static int make_pool6(struct ctl_policy *p)
{
	const struct cfg_server *cfg = p->cfg;
	const struct ctl_pool_config config = { .network = cfg->network6,
		.server = cfg->address6,
		.first = cfg->pool6_first,
		.last = cfg->pool6_last,
		.limit = CTL_POOL6_MANAGED };

	if (cfg->network6.family == 0)
		return 0;
	p->pool6 = ctl_pool_create(&config);
	if (p->pool6 != NULL)
		return 0;
	ctl_log(CTL_ERROR, "server-ipv6: the addresses can't be managed error=\"%s\"",
		strerror(errno));
	return -errno;
}

static int make_pool(struct ctl_policy *p)
{
	const struct cfg_server *cfg = p->cfg;
	const struct ctl_pool_config config = { .network = cfg->network,
		.server = cfg->address,
		.first = cfg->pool_first,
		.last = cfg->pool_last,
		.net30 = cfg->topology == CFG_TOPOLOGY_NET30 };
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	int rc = 0;

	if (cfg->network.family == 0)
		return 0;
	p->pool = ctl_pool_create(&config);
	if (p->pool == NULL) {
		rc = -errno;
		ctl_log(CTL_ERROR, "server: the addresses can't be managed error=\"%s\"",
			strerror(-rc));
		return rc;
	}
	rc = make_pool6(p);
	if (rc < 0)
		return rc;
	if (cfg->ccd != NULL)
		rc = ctl_ccd_fixed(cfg->ccd, reserve, p, &notes);
	log_notes(&notes);
	if (rc < 0) {
		ctl_log(CTL_ERROR, "client-config-dir can't be read path=%s error=\"%s\"", cfg->ccd,
			strerror(-rc));
		return rc;
	}
	if (cfg->pool_persist == NULL)
		return 0;
	rc = ctl_pool_read(p->pool, p->pool6, cfg->pool_persist, NULL, &err);
	if (rc < 0)
		ctl_log(CTL_ERROR, "%s", err.text);
	return rc;
}

static int make_crl(struct ctl_policy *p)
{
	char text[CTL_CRL_TEXT];

	if (!cfg_blob_set(&p->cfg->tls.crl))
		return 0;
	p->crl = ctl_crl_create(&p->cfg->tls.crl, (int64_t)ctl_wall_s(), text);
	if (p->crl != NULL)
		return 0;
	ctl_log(CTL_ERROR, "crl-verify: %s", text);
	return -EINVAL;
}

int ctl_policy_create(const struct cfg_server *cfg, struct ctl_policy **ret_policy)
{
	struct ctl_policy *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return -ENOMEM;
	p->cfg = cfg;
	p->written_ms = ctl_now_ms();
	rc = make_pool(p);
	if (rc == 0)
		rc = make_crl(p);
	if (rc < 0) {
		ctl_crl_free(p->crl);
		ctl_pool_free(p->pool);
		ctl_pool_free(p->pool6);
		free(p);
		return rc;
	}
	*ret_policy = p;
	return 0;
}

// What became of a writing.
static void persisted(struct ctl_policy *p, int rc)
{
	if (rc < 0)
		ctl_pool_unsaved(p->pool);
	if (rc < 0 && !p->complained)
		ctl_log(CTL_WARN, "addresses can't be written down path=%s error=\"%s\"",
			p->cfg->pool_persist, strerror(-rc));
	p->complained = rc < 0;
}

// See whether a writing is over; wait: until it is.
static void persist_end(struct ctl_policy *p, bool wait)
{
	int rc;

	if (ctl_pool_writer_end(&p->writer, wait, &rc))
		persisted(p, rc);
}

// Have the addresses written down, if they changed.
static void persist_begin(struct ctl_policy *p)
{
	char *text;
	size_t len;
	int rc;

	if (p->pool == NULL || p->cfg->pool_persist == NULL || p->cfg->pool_persist_s == 0 ||
		(!ctl_pool_changed(p->pool) && (p->pool6 == NULL || !ctl_pool_changed(p->pool6))))
		return;
	rc = ctl_pool_text(p->pool, p->pool6, &text, &len);
	if (rc == 0)
		rc = ctl_pool_writer_begin(&p->writer, p->cfg->pool_persist, text, len);
	if (rc < 0)
		persisted(p, rc);
}

struct ctl_policy *ctl_policy_free(struct ctl_policy *p)
{
	struct ctl_far *far, *next;

	if (p == NULL)
		return NULL;
	persist_end(p, true);
	persist_begin(p); // what changed since then
	persist_end(p, true);
	ctl_crl_free(p->crl);
	ctl_pool_free(p->pool);
	ctl_pool_free(p->pool6);
	HASH_ITER(hh, p->far, far, next)
	{
		HASH_DEL(p->far, far);
		free(far);
	}
	free(p);
	return NULL;
}

// ---- Grants ----------------------------------------------------------------------------------

static int read_ccd(struct ctl_policy *p, const char *cn, struct cfg_ccd **ret_ccd)
{
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	int rc = ctl_ccd_lookup(p->cfg->ccd, p->cfg->ccd_exclusive, cn, &notes, ret_ccd, &err);

	log_wrong(&notes, rc, &err);
	return rc;
}

static const char *refusal(int rc)
{
	switch (rc) {
	case -EACCES: return "this client is disabled";
	case -ENOSPC: return "no free address is left";
	case -EADDRINUSE: return "the tunnel address of this client is in use";
	case -ERANGE: return "the tunnel address of this client is outside of the network";
	default: return "the configuration of this client can't be read";
	}
}

static int get_address(struct ctl_policy *p, const char *cn, const struct shm_addr *wanted,
	const struct cfg_ccd *ccd, struct cfg_addr *ret_addr)
{
	struct cfg_addr addr = p->cfg->network;
	int rc;

	if (wanted != NULL) {
		addr.family = wanted->family;
		memcpy(addr.bytes, wanted->bytes, sizeof(addr.bytes));
	} else if (ccd != NULL && ccd->ifconfig.family != 0) {
		memcpy(addr.bytes, ccd->ifconfig.bytes, sizeof(addr.bytes));
	} else {
		return ctl_pool_lease(p->pool, cn, ret_addr);
	}
	rc = ctl_pool_take(p->pool, cn, &addr);
	if (rc == 0)
		*ret_addr = addr;
	else if (wanted == NULL)
		ctl_log(CTL_WARN, "%s:%u: 'ifconfig-push': %s client=%s", ccd->ifconfig_file,
			ccd->ifconfig_line, refusal(rc), cn);
	return rc;
}

// ifconfig-push must be written as the topology wants it. Returns 0 or -EINVAL.
static int check_fixed(const struct ctl_policy *p, const char *cn, const struct cfg_ccd *ccd)
{
	bool subnet = p->cfg->topology == CFG_TOPOLOGY_SUBNET;

	if (ccd == NULL || ccd->ifconfig.family == 0 || subnet == (ccd->ifconfig_peer.family == 0))
		return 0;
	ctl_log(CTL_WARN, "%s:%u: 'ifconfig-push' needs %s client=%s", ccd->ifconfig_file,
		ccd->ifconfig_line,
		subnet ? "a netmask, as the topology is subnet"
		       : "the address of the other end, as the topology isn't subnet",
		cn);
	return -EINVAL;
}

// The other end of a point-to-point tunnel: as the client's file says, the neighbour in its four
// addresses, or the server.
static struct cfg_addr other_end(
	const struct cfg_server *cfg, const struct cfg_ccd *ccd, const struct cfg_addr *address)
{
	struct cfg_addr peer = *address;
	unsigned place = peer.bytes[3] % 4;

	if (ccd != NULL && ccd->ifconfig_peer.family != 0 &&
		cfg_addr_equal(&ccd->ifconfig, address))
		return ccd->ifconfig_peer;
	if (cfg->topology == CFG_TOPOLOGY_P2P || place == 0 || place == 3)
		return cfg->address;
	peer.bytes[3] ^= 3; // the second and the third of the four are each other's
	return peer;
}

struct cfg_addr ctl_policy_other_end(const struct ctl_policy *p, const struct ctl_grant *grant)
{
	return other_end(p->cfg, grant->ccd, &grant->address);
}

static int far_take(struct ctl_policy *p, const struct cfg_addr *addr)
{
	struct ctl_far *far;

	HASH_FIND(hh, p->far, addr->bytes, sizeof(addr->bytes), far);
	if (far != NULL)
		return -EADDRINUSE;
	far = calloc(1, sizeof(*far));
	if (far == NULL)
		return -ENOMEM;
	memcpy(far->bytes, addr->bytes, sizeof(far->bytes));
	HASH_ADD(hh, p->far, bytes, sizeof(far->bytes), far);
	return 0;
}

static void far_release(struct ctl_policy *p, const struct cfg_addr *addr)
{
	struct ctl_far *far;

	HASH_FIND(hh, p->far, addr->bytes, sizeof(addr->bytes), far);
	if (far == NULL)
		return;
	HASH_DEL(p->far, far);
	free(far);
}

// The IPv6 address; a server with only fixed ones gives none to the others.
static int get_address6(struct ctl_policy *p, const char *cn, const struct shm_addr *wanted,
	const struct cfg_ccd *ccd, struct ctl_grant *g)
{
	struct cfg_addr addr = p->cfg->network6;
	int rc;

	if (wanted != NULL) {
		if (wanted->family == 0)
			return 0; // connected before the server had IPv6
		memcpy(addr.bytes, wanted->bytes, sizeof(addr.bytes));
	} else if (ccd != NULL && ccd->ifconfig6.family != 0) {
		memcpy(addr.bytes, ccd->ifconfig6.bytes, sizeof(addr.bytes));
	} else if (p->cfg->pool6_first.family == 0) {
		return 0;
	} else {
		return ctl_pool_lease(p->pool6, cn, &g->address6);
	}
	g->far6 = is_far(p, &addr);
	rc = g->far6 ? far_take(p, &addr) : ctl_pool_take(p->pool6, cn, &addr);
	if (rc == 0)
		g->address6 = addr;
	return rc;
}

struct shm_addr ctl_policy_tunnel(const struct cfg_addr *addr)
{
	struct shm_addr out = { .family = addr->family };

	memcpy(out.bytes, addr->bytes, sizeof(out.bytes));
	return out;
}

int ctl_policy_grant(struct ctl_policy *p, const char *cn, const struct shm_addr *wanted,
	const struct shm_addr *wanted6, struct ctl_grant **ret_grant, const char **ret_text)
{
	struct ctl_grant *g = calloc(1, sizeof(*g));
	int rc = g != NULL ? 0 : -ENOMEM;

	if (rc == 0)
		rc = read_ccd(p, cn, &g->ccd);
	if (rc == 0)
		rc = check_fixed(p, cn, g->ccd);
	if (rc == 0 && p->pool != NULL)
		rc = get_address(p, cn, wanted, g->ccd, &g->address);
	if (rc == 0 && p->pool6 != NULL)
		rc = get_address6(p, cn, wanted6, g->ccd, g);
	if (rc < 0) {
		*ret_text = refusal(rc);
		(void)ctl_grant_free(p, g);
		return rc;
	}
	*ret_grant = g;
	return 0;
}

static void release6(struct ctl_policy *p, const struct ctl_grant *g)
{
	if (p->pool6 == NULL || g->address6.family == 0)
		return;
	if (g->far6)
		far_release(p, &g->address6);
	else
		ctl_pool_release(p->pool6, &g->address6);
}

// Change to the addresses that ccd fixes, where they are others.
static int change_addresses(
	struct ctl_policy *p, const char *cn, const struct cfg_ccd *ccd, struct ctl_grant *g)
{
	struct ctl_grant new_grant = { .address = g->address };
	bool change = p->pool != NULL && ccd->ifconfig.family != 0 &&
		!cfg_addr_equal(&ccd->ifconfig, &g->address);
	bool change6 = p->pool6 != NULL && ccd->ifconfig6.family != 0 &&
		!cfg_addr_equal(&ccd->ifconfig6, &g->address6);
	int rc = change ? get_address(p, cn, NULL, ccd, &new_grant.address) : 0;

	if (rc < 0)
		return rc;
	rc = change6 ? get_address6(p, cn, NULL, ccd, &new_grant) : 0;
	if (rc < 0) {
		if (change)
			ctl_pool_release(p->pool, &new_grant.address);
		return rc;
	}
	if (change && g->address.family != 0)
		ctl_pool_release(p->pool, &g->address);
	g->address = new_grant.address;
	if (!change6)
		return 0;
	release6(p, g);
	g->address6 = new_grant.address6;
	g->far6 = new_grant.far6;
	return 0;
}

int ctl_policy_extend(
	struct ctl_policy *p, const char *cn, const char *text, bool keep, struct ctl_grant *g)
{
	struct cfg_notes notes = { 0 };
	struct cfg_ccd *ccd = NULL;
	struct cfg_error err;
	int rc = ctl_ccd_extend(p->cfg->ccd, cn, text, &notes, &ccd, &err);

	log_wrong(&notes, rc, &err);
	if (rc < 0)
		return rc;
	rc = check_fixed(p, cn, ccd);
	if (rc == 0 && !keep)
		rc = change_addresses(p, cn, ccd, g);
	if (rc < 0) {
		cfg_ccd_free(ccd);
		return rc;
	}
	cfg_ccd_free(g->ccd);
	g->ccd = ccd;
	return 0;
}

struct ctl_grant *ctl_grant_free(struct ctl_policy *p, struct ctl_grant *g)
{
	if (g == NULL)
		return NULL;
	if (p->pool != NULL && g->address.family != 0)
		ctl_pool_release(p->pool, &g->address);
	release6(p, g);
	cfg_ccd_free(g->ccd);
	free(g);
	return NULL;
}

int ctl_policy_push(struct ctl_policy *p, const struct ctl_grant *grant,
	const struct ctl_push_facts *facts, ctl_push_write_fn *write, void *arg)
{
	const struct ctl_push_input in = { .cfg = p->cfg,
		.ccd = grant->ccd,
		.agreed = facts->agreed,
		.address = grant->address,
		.peer = other_end(p->cfg, grant->ccd, &grant->address),
		.auth_token = facts->auth_token,
		.address6 = grant->address6,
		.peer_id = facts->peer_id,
		.cipher = facts->cipher,
		.compress = facts->compress };
	struct ovpn_push_build build;
	struct ctl_push *push;
	char part[OVPN_PUSH_PART_MAX];
	size_t len;
	int rc = ctl_push_create(&in, &push);

	if (rc < 0)
		return rc;
	ctl_push_start(push, &build);
	while ((rc = ovpn_push_build_next(&build, part, sizeof(part), &len)) > 0) {
		rc = write(arg, part, len);
		if (rc < 0)
			break;
	}
	ctl_push_free(push);
	return rc;
}

// ---- Time ------------------------------------------------------------------------------------

// A file more or less in the folder of revoked serial numbers?
static bool crl_dir_changed(struct ctl_policy *p)
{
	struct stat st;

	if (p->cfg->tls.crl_dir == NULL || stat(p->cfg->tls.crl_dir, &st) < 0 ||
		(st.st_mtim.tv_sec == p->crl_dir_time.tv_sec &&
			st.st_mtim.tv_nsec == p->crl_dir_time.tv_nsec))
		return false;
	p->crl_dir_time = st.st_mtim;
	return true;
}

static void persist_tick(struct ctl_policy *p, uint64_t now_ms)
{
	persist_end(p, false);
	// A disk that is slower than the interval gets the next text when it is done with this one.
	if (p->cfg->pool_persist_s == 0 || p->writer.busy ||
		now_ms - p->written_ms < (uint64_t)p->cfg->pool_persist_s * 1000)
		return;
	p->written_ms = now_ms;
	persist_begin(p);
}

bool ctl_policy_tick(struct ctl_policy *p, struct ovpn_tls_ctx *tls_ctx, uint64_t now_ms)
{
	enum ctl_crl_result result = CTL_CRL_SAME;
	char text[CTL_CRL_TEXT];

	persist_tick(p, now_ms);
	if (crl_dir_changed(p))
		return true;
	if (p->crl != NULL)
		result = ctl_crl_poll(p->crl, tls_ctx, (int64_t)ctl_wall_s(), text);
	if (result == CTL_CRL_LOADED)
		ctl_log(CTL_INFO, "crl-verify: %s", text);
	else if (result == CTL_CRL_KEPT)
		ctl_log(CTL_ERROR, "crl-verify: %s", text);
	return result == CTL_CRL_LOADED;
}

bool ctl_policy_revoked(const struct ctl_policy *p, const char *serial)
{
	if (serial[0] == '\0')
		return false;
	return (p->crl != NULL && ctl_crl_revoked(p->crl, serial)) ||
		(p->cfg->tls.crl_dir != NULL && ctl_crl_dir_revoked(p->cfg->tls.crl_dir, serial));
}
