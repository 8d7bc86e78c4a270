// SPDX-License-Identifier: BSD-3-Clause
// What the workers of one dataplane share, made and freed by main.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "dataplane/command.h"
#include "dataplane/index_addr.h"
#include "dataplane/index_iroute.h"
#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "dataplane/wake.h"

// Rings have names that must differ between cores of one process (tests have several).
static unsigned cores;

static struct rte_ring *ring_of(
	unsigned core, const char *what, unsigned a, unsigned b, uint32_t entries, uint32_t elem)
{
	char name[RTE_RING_NAMESIZE];

	(void)snprintf(name, sizeof(name), "dp%u_%s_%u_%u", core, what, a, b);
	return rte_ring_create_elem(
		name, elem, entries, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

// Frames that nobody took are freed with their ring.
static void ring_free(struct rte_ring *r)
{
	void *m;

	if (r == NULL)
		return;
	while (rte_ring_sc_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

static void worker_free(struct dp_worker *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++)
		ring_free(w->handoff_in[i]);
	ring_free(w->to_kernel);
	ring_free(w->from_kernel);
	rte_ring_free(w->to_main);
	(void)dp_frag_table_free(w->frags);
	(void)dp_crypto_free(w->crypto);
	(void)dp_legacy_free(w->legacy);
	if (w->event_fd >= 0)
		(void)close(w->event_fd);
	explicit_bzero(w->pending, sizeof(w->pending));
	rte_free(w);
}

static int worker_rings(struct dp_worker *w, unsigned core)
{
	w->to_main =
		ring_of(core, "main", w->index, 0, DP_MAIN_ENTRIES, sizeof(struct dp_main_msg));
	w->to_kernel = ring_of(core, "tok", w->index, 0, DP_KERNEL_ENTRIES, sizeof(void *));
	w->from_kernel = ring_of(core, "fromk", w->index, 0, DP_KERNEL_ENTRIES, sizeof(void *));
	if (w->to_main == NULL || w->to_kernel == NULL || w->from_kernel == NULL)
		return -rte_errno;
	for (unsigned i = 0; i < w->core->workers; i++) {
		if (i == w->index)
			continue;
		w->handoff_in[i] =
			ring_of(core, "ho", w->index, i, DP_HANDOFF_ENTRIES, sizeof(void *));
		if (w->handoff_in[i] == NULL)
			return -rte_errno;
	}
	return 0;
}

static void worker_ports(struct dp_worker *w)
{
	struct dp_core *core = w->core;

	w->outer.port = &core->port[0];
	w->inner.port = &core->port[core->ports - 1];
	w->outer.rxq = w->outer.txq = -1;
	w->inner.rxq = w->inner.txq = -1;
	w->outer.rx_fd = w->inner.rx_fd = -1;
}

static int worker_create(struct dp_core *core, uint16_t index, unsigned n)
{
	struct dp_worker *w = rte_zmalloc("dp_worker", sizeof(*w), RTE_CACHE_LINE_SIZE);
	struct timespec ts;
	int rc;

	if (w == NULL)
		return -ENOMEM;
	core->worker[index] = w; // dp_core_done() frees what is there
	w->core = core;
	w->index = index;
	worker_ports(w);
	w->event_fd = dp_wake_open();
	if (w->event_fd < 0)
		return w->event_fd;
	w->crypto = dp_crypto_create();
	if (w->crypto == NULL)
		return -errno;
	w->legacy = dp_legacy_create();
	w->frags = dp_frag_table_create();
	if (w->frags == NULL || w->legacy == NULL)
		return -ENOMEM;
	rc = worker_rings(w, n);
	if (rc < 0)
		return rc;
	w->tsc_hz = rte_get_tsc_hz();
	w->tsc_base = rte_rdtsc();
	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // can't fail for this clock
	w->ms_base = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	w->now_ms = w->ms_base;
	w->sweep_ms = w->now_ms;
	w->ip_id = (uint16_t)rte_rand();
	return 0;
}

// Of our own kind, different from the port's in more than one bit, stable over restarts.
static void make_tunnel_mac(struct dp_core *core)
{
	struct rte_ether_addr *mac = &core->tunnel_mac;

	*mac = core->port[core->ports - 1].mac;
	mac->addr_bytes[0] = (uint8_t)((mac->addr_bytes[0] | 2) & ~1);
	mac->addr_bytes[4] ^= 0x56;
	mac->addr_bytes[5] ^= 0x80;
}

static int make_qsbr(struct dp_core *core)
{
	size_t size = rte_rcu_qsbr_get_memsize(core->workers);

	core->qsbr = rte_zmalloc("dp_qsbr", size, RTE_CACHE_LINE_SIZE);
	if (core->qsbr == NULL)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(core->qsbr, core->workers) != 0)
		return -EINVAL;
	for (uint16_t i = 0; i < core->workers; i++)
		(void)rte_rcu_qsbr_thread_register(core->qsbr, i); // offline until it runs
	return 0;
}

int dp_core_init(struct dp_core *core)
{
	unsigned n = cores++;
	int rc;

	if (core->workers == 0 || core->workers > SHM_WORKERS_MAX || core->ports == 0 ||
		core->ports > DP_PORTS_MAX)
		return -EINVAL;
	memset(core->worker, 0, sizeof(core->worker));
	rc = make_qsbr(core);
	if (rc < 0)
		goto fail;
	rc = -ENOMEM;
	core->addr = dp_addr_index_create(core->sessions, rte_rand());
	core->iroute = dp_iroute_index_create(core->qsbr);
	core->legacy = dp_legacy_core_create();
	if (core->addr == NULL || core->iroute == NULL || core->legacy == NULL)
		goto fail;
	for (uint16_t i = 0; i < core->workers; i++) {
		rc = worker_create(core, i, n);
		if (rc < 0)
			goto fail;
	}
	make_tunnel_mac(core);
	return 0;

fail:
	dp_core_done(core);
	return rc;
}

void dp_core_done(struct dp_core *core)
{
	for (uint16_t i = 0; i < SHM_WORKERS_MAX; i++) {
		worker_free(core->worker[i]);
		core->worker[i] = NULL;
	}
	dp_keys_forget(core);
	dp_legacy_core_free(core->legacy);
	core->legacy = NULL;
	core->addr = dp_addr_index_free(core->addr);
	core->iroute = dp_iroute_index_free(core->iroute);
	rte_free(core->qsbr);
	core->qsbr = NULL;
}
