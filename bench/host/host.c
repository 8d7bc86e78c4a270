// SPDX-License-Identifier: BSD-3-Clause
#include "bench/host/host.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "dataplane/grace.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/link_rings.h"
#include "dataplane/sid_index.h"
#include "dataplane/worker.h"
#include "shm/table.h"

#define POOL_SIZE 32767u
#define MTU 1600u

struct pg_host {
	struct dp_core core;
	struct shm_table table;
	struct dp_grace grace;
	struct dp_config config;
	struct dp_rings rings[PG_HOST_WORKERS]; // workers' ends
	struct dp_rings control[PG_HOST_WORKERS]; // control's ends
	void *ring_memory;
	struct rte_ring *to[DP_PORTS_MAX][PG_HOST_WORKERS];
	struct rte_ring *from[DP_PORTS_MAX][PG_HOST_WORKERS];
	uint32_t acked;
	uint32_t refused;
	int32_t last_refusal;
};

static const uint32_t ring_entries[SHM_RING_KINDS] = {
	[SHM_RING_COMMAND] = 256,
	[SHM_RING_EVENT] = 4096,
	[SHM_RING_PUNT_NEW] = 64,
	[SHM_RING_PUNT_KNOWN] = 64,
	[SHM_RING_INJECT] = 64,
};

static unsigned hosts; // rings and ports have names of their own

static struct rte_ring *frames_ring(unsigned host, unsigned port, unsigned worker, const char *way)
{
	char name[RTE_RING_NAMESIZE];

	(void)snprintf(name, sizeof(name), "pg%u_%u_%u_%s", host, port, worker, way);
	return rte_ring_create(name, PG_HOST_FRAMES, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

// A net_ring port with one queue a worker.
static int open_port(struct pg_host *h, unsigned host, unsigned i)
{
	struct rte_eth_conf conf = { 0 };
	char name[32];
	int id;

	for (unsigned w = 0; w < h->core.workers; w++) {
		h->to[i][w] = frames_ring(host, i, w, "to");
		h->from[i][w] = frames_ring(host, i, w, "from");
		if (h->to[i][w] == NULL || h->from[i][w] == NULL)
			return -rte_errno;
	}
	(void)snprintf(name, sizeof(name), "net_ring_pg%u_%u", host, i);
	id = rte_eth_from_rings(name, h->to[i], h->core.workers, h->from[i], h->core.workers, 0);
	if (id < 0)
		return -rte_errno;
	if (rte_eth_dev_configure((uint16_t)id, h->core.workers, h->core.workers, &conf) < 0)
		return -EIO;
	for (uint16_t w = 0; w < h->core.workers; w++) {
		if (rte_eth_rx_queue_setup((uint16_t)id, w, 512, 0, NULL, h->core.pool) < 0 ||
			rte_eth_tx_queue_setup((uint16_t)id, w, 512, 0, NULL) < 0)
			return -EIO;
	}
	if (rte_eth_dev_start((uint16_t)id) < 0)
		return -EIO;
	h->core.port[i] = (struct dp_port){
		.id = (uint16_t)id,
		.mtu = MTU,
		.flags = i == 0 ? DP_PORT_OUTER : DP_PORT_INNER,
		.tx_workers = h->core.workers,
		.mac.addr_bytes = { 2, 0x56, 0, 0, 0, (uint8_t)(i == 0 ? 1 : 3) },
		.peer_mac.addr_bytes = { 2, 0x56, 0, 0, 0, 2 },
	};
	return 0;
}

static int make_rings(struct pg_host *h)
{
	size_t bytes = shm_rings_bytes(h->core.workers, ring_entries);

	h->ring_memory = aligned_alloc(SHM_RING_PAGE, bytes);
	if (h->ring_memory == NULL)
		return -ENOMEM;
	memset(h->ring_memory, 0, bytes);
	for (uint16_t w = 0; w < h->core.workers; w++) {
		for (int kind = 0; kind < SHM_RING_KINDS; kind++) {
			size_t at = shm_rings_offset(w, kind, ring_entries);
			uint8_t *mem = (uint8_t *)h->ring_memory + at;
			bool to_control = kind != SHM_RING_COMMAND && kind != SHM_RING_INJECT;
			int rc = shm_ring_attach(&h->rings[w].ring[kind], mem, bytes - at,
				ring_entries[kind], shm_ring_elem_size(kind), to_control);

			if (rc == 0)
				rc = shm_ring_attach(&h->control[w].ring[kind], mem, bytes - at,
					ring_entries[kind], shm_ring_elem_size(kind), !to_control);
			if (rc < 0)
				return rc;
		}
		h->rings[w].ring[SHM_RING_COMMAND].wipe = true; // as in the real one
		h->rings[w].epoch = 1;
	}
	return 0;
}

static int make_config(struct pg_host *h, bool mobility)
{
	struct shm_hello hello;

	pg_fleet_hello(mobility, &hello);
	h->config.flags = hello.flags;
	h->config.listens = hello.listens;
	h->config.subnets = hello.subnets;
	h->config.tun_mtu = hello.tun_mtu;
	memcpy(h->config.listen, hello.listen, sizeof(h->config.listen));
	memcpy(h->config.subnet, hello.subnet, sizeof(h->config.subnet));
	h->config.tunnel = dp_tunnel_index_create(h->config.subnet, h->config.subnets);
	return h->config.tunnel == NULL ? -errno : 0;
}

static int build(struct pg_host *h, const struct pg_host_options *o)
{
	unsigned host = hosts++;
	char name[32];
	int rc = shm_table_create(o->sessions, SHM_PAGES_AUTO, &h->table);

	if (rc == 0)
		rc = shm_table_populate(&h->table, NULL, NULL);
	if (rc < 0)
		return rc;
	h->core.dir = h->table.dir;
	h->core.session = h->table.session;
	h->core.keys = h->table.keys;
	h->core.sessions = h->table.sessions;
	h->core.workers = o->workers;
	h->core.ports = DP_PORTS_MAX;
	h->core.main_fd = -1;
	(void)snprintf(name, sizeof(name), "pg_frames%u", host);
	h->core.pool = rte_pktmbuf_pool_create(name, POOL_SIZE, 256, sizeof(struct dp_meta),
		RTE_PKTMBUF_HEADROOM + DP_FRAME_MAX, SOCKET_ID_ANY);
	if (h->core.pool == NULL)
		return -rte_errno;
	for (unsigned i = 0; i < DP_PORTS_MAX && rc == 0; i++)
		rc = open_port(h, host, i);
	if (rc == 0)
		rc = dp_core_init(&h->core);
	if (rc < 0)
		return rc;
	dp_grace_init(&h->grace, h->core.qsbr);
	h->core.sid = dp_sid_index_create(&h->core, &h->grace);
	if (h->core.sid == NULL)
		return -errno;
	rc = make_rings(h);
	if (rc == 0)
		rc = make_config(h, o->mobility);
	return rc;
}

static void publish(struct pg_host *h)
{
	for (uint16_t i = 0; i < h->core.workers; i++) {
		struct dp_worker *w = h->core.worker[i];

		w->outer.port = &h->core.port[0];
		w->inner.port = &h->core.port[1];
		w->outer.rxq = w->outer.txq = i;
		w->inner.rxq = w->inner.txq = i;
		atomic_store_explicit(&w->rings, &h->rings[i], memory_order_release);
	}
	atomic_store_explicit(&h->core.config, &h->config, memory_order_release);
}

struct pg_host *pg_host_create(const struct pg_host_options *options)
{
	struct pg_host *h = aligned_alloc(alignof(struct pg_host), sizeof(*h));
	int rc;

	if (h == NULL)
		return NULL;
	memset(h, 0, sizeof(*h));
	h->table.sessions_fd = h->table.keys_fd = -1;
	rc = build(h, options);
	if (rc < 0) {
		pg_host_free(h);
		errno = -rc;
		return NULL;
	}
	publish(h);
	printf("Table of %u sessions in %s pages.\n", h->table.sessions,
		h->table.huge ? "huge" : "ordinary");
	return h;
}

struct pg_host *pg_host_free(struct pg_host *h)
{
	if (h == NULL)
		return NULL;
	if (h->core.qsbr != NULL) {
		for (uint16_t i = 0; i < h->core.workers; i++)
			rte_rcu_qsbr_thread_offline(h->core.qsbr, i); // nobody iterates any more
		dp_grace_drain(&h->grace);
		h->core.sid = dp_sid_index_free(h->core.sid);
		dp_core_done(&h->core);
	}
	for (unsigned i = 0; i < DP_PORTS_MAX; i++) {
		(void)rte_eth_dev_stop(h->core.port[i].id); // a ring port can't fail
		(void)rte_eth_dev_close(h->core.port[i].id);
		for (unsigned w = 0; w < PG_HOST_WORKERS; w++) {
			rte_ring_free(h->to[i][w]);
			rte_ring_free(h->from[i][w]);
		}
	}
	(void)dp_tunnel_index_free(h->config.tunnel);
	rte_mempool_free(h->core.pool);
	free(h->ring_memory);
	shm_table_done(&h->table);
	free(h);
	return NULL;
}

struct dp_core *pg_host_core(struct pg_host *h)
{
	return &h->core;
}

struct dp_worker *pg_host_worker(struct pg_host *h, unsigned i)
{
	return h->core.worker[i];
}

struct rte_mempool *pg_host_pool(struct pg_host *h)
{
	return h->core.pool;
}

struct rte_ring *pg_host_to(struct pg_host *h, bool outer, unsigned worker)
{
	return h->to[outer ? 0 : 1][worker];
}

struct rte_ring *pg_host_from(struct pg_host *h, bool outer, unsigned worker)
{
	return h->from[outer ? 0 : 1][worker];
}

uint16_t pg_host_port(struct pg_host *h, bool outer)
{
	return h->core.port[outer ? 0 : 1].id;
}

int pg_host_far_end(struct pg_host *h, bool outer)
{
	unsigned i = outer ? 0 : 1;
	struct rte_eth_conf conf = { 0 };
	char name[32];
	int id;

	(void)snprintf(name, sizeof(name), "net_ring_far%u_%u", hosts, i);
	id = rte_eth_from_rings(name, h->from[i], h->core.workers, h->to[i], h->core.workers, 0);
	if (id < 0)
		return -rte_errno;
	if (rte_eth_dev_configure((uint16_t)id, h->core.workers, h->core.workers, &conf) < 0)
		return -EIO;
	for (uint16_t w = 0; w < h->core.workers; w++) {
		if (rte_eth_rx_queue_setup((uint16_t)id, w, 512, 0, NULL, h->core.pool) < 0 ||
			rte_eth_tx_queue_setup((uint16_t)id, w, 512, 0, NULL) < 0)
			return -EIO;
	}
	return rte_eth_dev_start((uint16_t)id) < 0 ? -EIO : id;
}

unsigned pg_host_turn(struct pg_host *h)
{
	uint32_t before = h->refused;
	struct shm_event ev;

	for (uint16_t i = 0; i < h->core.workers; i++) {
		(void)dp_sid_index_serve(&h->core, h->core.worker[i]);
		atomic_store_explicit(&h->core.worker[i]->main_attention, 0, memory_order_relaxed);
		while (shm_ring_get(&h->control[i].ring[SHM_RING_EVENT], &ev, sizeof(ev)) > 0) {
			if (ev.kind != SHM_EVENT_ACK)
				continue;
			h->acked++;
			if (ev.status != 0) {
				h->refused++;
				h->last_refusal = ev.status;
			}
		}
	}
	(void)dp_grace_poll(&h->grace);
	return h->refused - before;
}

int pg_host_command(struct pg_host *h, unsigned worker, const struct shm_cmd *cmd)
{
	return shm_ring_put(&h->control[worker].ring[SHM_RING_COMMAND], cmd, sizeof(*cmd));
}

int pg_host_install(struct pg_host *h, const struct pg_fleet *f, uint32_t first, uint32_t n)
{
	struct shm_cmd cmd;
	uint32_t slot = first, wanted = h->acked + 2 * n;
	bool key = false;

	while (h->acked < wanted) {
		while (slot < first + n) {
			if (key)
				pg_fleet_key(f, slot, &cmd);
			else
				pg_fleet_install(f, slot, &cmd);
			if (pg_host_command(h, 0, &cmd) < 0)
				break;
			slot += key;
			key = !key;
		}
		(void)dp_worker_iterate(h->core.worker[0]);
		if (pg_host_turn(h) > 0) {
			(void)fprintf(
				stderr, "a session was refused: %s\n", strerror(-h->last_refusal));
			return -EIO;
		}
	}
	return 0;
}

void pg_host_pass_ms(struct pg_host *h, uint64_t ms)
{
	for (uint16_t i = 0; i < h->core.workers; i++)
		h->core.worker[i]->shift_ms += ms;
}

uint64_t pg_host_count(struct pg_host *h, unsigned worker, enum dp_count what)
{
	return h->core.worker[worker]->count[what];
}

uint64_t pg_host_drops(struct pg_host *h, enum dp_drop why)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < h->core.workers; i++)
		sum += h->core.worker[i]->drop[why];
	return sum;
}

void pg_host_print_drops(struct pg_host *h)
{
	for (uint16_t i = 0; i < h->core.workers; i++) {
		for (unsigned d = 0; d < DP_DROP_COUNT; d++) {
			uint64_t n = h->core.worker[i]->drop[d];

			if (n > 0)
				(void)fprintf(stderr, "worker %u dropped %lu: %s\n", i,
					(unsigned long)n, dp_drop_text[d]);
		}
	}
}

const uint8_t *pg_host_cell(struct pg_host *h, uint32_t slot, bool up)
{
	const struct shm_key_slot *k = &h->core.keys[slot].key[0];

	return up ? k->rx_cell : k->tx_cell;
}
