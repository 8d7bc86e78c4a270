// SPDX-License-Identifier: BSD-3-Clause
// One frame or packet through a worker that has a session: as a frame of the outer port, of the
// inner port, or as the plaintext of an authentic packet. The first byte says which, the second
// lies in the flags of the ports. Nothing is sent: the ports have no queues.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>

#include "dataplane/grace.h"
#include "dataplane/index_addr.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/path.h"
#include "dataplane/sid_index.h"
#include "shm/session.h"

#define SESSIONS 4

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

static struct dp_core core;
static struct dp_config config;
static struct dp_grace grace;

// What hangs below EAL's own memory looks lost to the leak checker; that buffers come back shows in
// the pool, which is small.
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void set4(struct shm_addr *a, uint8_t b0, uint8_t b1, uint8_t b2, uint8_t b3)
{
	*a = (struct shm_addr){ .family = AF_INET, .bytes = { b0, b1, b2, b3 } };
}

static void *zeroed(size_t size)
{
	void *p = aligned_alloc(128, (size + 127) / 128 * 128);

	if (p == NULL)
		abort();
	return memset(p, 0, size);
}

static void make_session(uint32_t slot, uint8_t flags)
{
	struct shm_session *s = &core.session[slot];
	uint32_t other;

	set4(&s->endpoint[0].remote, 198, 51, 100, (uint8_t)slot);
	set4(&s->endpoint[0].local, 192, 0, 2, 1);
	s->endpoint[0].remote_port_be = RTE_BE16(4000);
	s->endpoint[0].local_port_be = RTE_BE16(1194);
	s->endpoint[0].next_hop[5] = 1;
	memset(s->server_sid, 0x41 + (int)slot, SHM_SID_LEN);
	set4(&s->tunnel4, 10, 8, 0, (uint8_t)(2 + slot));
	shm_session_set_tunnel4(s, &s->tunnel4);
	s->tun_mtu = 1400;
	s->mss4 = s->mss6 = 1300;
	atomic_store(&s->tx_plan, 0xff);
	atomic_store(&s->tx_slot, 0xff);
	atomic_store(&core.dir[slot].flags, flags);
	atomic_store(&core.dir[slot].state, SHM_STATE_LIVE);
	(void)dp_tunnel_index_add(config.tunnel, core.dir, &s->tunnel4, slot, 0);
	(void)dp_sid_add(&core, DP_SID_SERVER, s->server_sid, slot, 0);
	if (flags & SHM_DIR_DATA_V1)
		(void)dp_addr_index_add(core.addr, core.session, &s->endpoint[0], slot, &other);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char prefix[40];
	char *eal[] = { "fuzz", "--no-huge", "--no-pci", "--no-telemetry", "-m", "64", "-l", "0",
		"--log-level", "4", "--no-shconf", "--file-prefix", prefix, NULL };

	(void)argc;
	(void)argv;
	(void)snprintf(prefix, sizeof(prefix), "dpfuzz%d", getpid());
	if (rte_eal_init(13, eal) < 0)
		abort();
	core.sessions = SESSIONS;
	core.dir = zeroed(SESSIONS * sizeof(struct shm_dir));
	core.session = zeroed(SESSIONS * sizeof(struct shm_session));
	core.keys = zeroed(SESSIONS * sizeof(struct shm_keys));
	core.workers = 1;
	core.ports = 2;
	core.main_fd = -1;
	core.port[0] = (struct dp_port){ .mtu = 1500, .mac = { { 2, 0, 0, 0, 0, 1 } } };
	core.port[1] = (struct dp_port){ .mtu = 1200, .mac = { { 2, 0, 0, 0, 0, 2 } } };
	core.port[1].peer_mac = core.port[1].mac;
	core.pool = rte_pktmbuf_pool_create("fuzz", 1023, 0, sizeof(struct dp_meta),
		DP_FRAME_MAX + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (core.pool == NULL || dp_core_init(&core) < 0)
		abort();
	dp_grace_init(&grace, core.qsbr);
	core.sid = dp_sid_index_create(&core, &grace);
	config.flags = SHM_HELLO_MOBILITY | SHM_HELLO_CLIENT_TO_CLIENT;
	config.listens = config.subnets = 1;
	set4(&config.listen[0].addr, 192, 0, 2, 1);
	config.listen[0].port_be = RTE_BE16(1194);
	set4(&config.subnet[0].addr, 10, 8, 0, 0);
	config.subnet[0].prefix_len = 24;
	set4(&config.subnet[0].server, 10, 8, 0, 1);
	config.occ_len = 5;
	memcpy(config.occ, "V4,x", 5);
	config.tunnel = dp_tunnel_index_create(config.subnet, 1);
	if (core.sid == NULL || config.tunnel == NULL)
		abort();
	atomic_store(&core.config, &config);
	make_session(0, 0);
	make_session(1, SHM_DIR_DATA_V1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_worker *w = core.worker[0];
	struct dp_burst one = { .n = 1 };
	struct rte_mbuf *m;

	if (size < 3 || size > 1600)
		return 0;
	core.port[0].flags = DP_PORT_OUTER | (data[1] & DP_PORT_ECHO) |
		(data[1] & DP_PORT_CHECK_MAC) | DP_PORT_KERNEL_SEES;
	core.port[1].flags = DP_PORT_INNER | DP_PORT_KERNEL_SEES | (data[1] & DP_PORT_KERNEL_PEER);
	m = rte_pktmbuf_alloc(core.pool);
	if (m == NULL)
		abort(); // an earlier input leaked
	w->shift_ms += 100; // so that limits refill and fragments time out
	(void)dp_worker_iterate(w);
	memcpy(rte_pktmbuf_append(m, (uint16_t)(size - 2)), data + 2, size - 2);
	switch (data[0] % 3) {
	case 0: dp_stage_classify(w, &w->outer, &m, 1); break;
	case 1: dp_stage_classify(w, &w->inner, &m, 1); break;
	default:
		*dp_meta(m) = (struct dp_meta){ .slot = data[0] / 3 % 2 };
		one.pkt[0] = m;
		dp_stage_inner(w, &one);
		break;
	}
	dp_stage_decrypt(w);
	dp_stage_recover(w);
	(void)dp_worker_iterate(w);
	return 0;
}
