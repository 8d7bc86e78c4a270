// SPDX-License-Identifier: BSD-3-Clause
// One frame or packet through a worker that has sessions of every kind: as a frame of the outer
// port, of the inner port, or as the plaintext of an authentic packet. The first byte says which,
// the second lies in the flags of the ports. Nothing is sent: the ports have no queues. What has
// neither cipher nor HMAC here has none so that what lies behind them is reached.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>

#include "dataplane/command.h"
#include "dataplane/grace.h"
#include "dataplane/index_addr.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "dataplane/sid_index.h"
#include "dataplane/tunnel_ports.h"
#include "shm/session.h"

// Slots: what each session is.
enum {
	PLAIN, // AEAD in P_DATA_V2
	PLAIN_V1, // AEAD in P_DATA_V1
	OVER_IPV6, // AEAD, from an IPv6 address
	CBC, // P_DATA_V1, session id in the IV; its second key has no HMAC
	FRAMED, // compression byte and fragments, without cipher
	EPOCH, // the epoch format
	STATIC, // a static key without cipher, whose peer may come from anywhere
	STATIC_CBC, // a static key, with a compression byte, whose peer stays where it is
	SESSIONS
};

#define CLIENTS_PORT 1194
#define STATIC_PORT 1200 // of slot STATIC, and on

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

// 2001:db8:NET::HOST.
static void set6(struct shm_addr *a, uint8_t net, uint8_t host)
{
	*a = (struct shm_addr){ .family = AF_INET6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, 0, net } };
	a->bytes[15] = host;
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
	if (slot == OVER_IPV6) {
		set6(&s->endpoint[0].remote, 1, (uint8_t)slot);
		set6(&s->endpoint[0].local, 0, 1);
	}
	s->endpoint[0].remote_port_be = RTE_BE16(4000);
	s->endpoint[0].local_port_be = RTE_BE16(CLIENTS_PORT);
	if (slot >= STATIC)
		s->endpoint[0].local_port_be =
			rte_cpu_to_be_16((uint16_t)(STATIC_PORT + slot - STATIC));
	s->endpoint[0].next_hop[5] = 1;
	memset(s->server_sid, 0x41 + (int)slot, SHM_SID_LEN);
	set4(&s->tunnel4, 10, 8, 0, (uint8_t)(2 + slot));
	shm_session_set_tunnel4(s, &s->tunnel4);
	set6(&s->tunnel6, 8, (uint8_t)(2 + slot));
	s->tun_mtu = 1400;
	s->mss4 = s->mss6 = 1300;
	atomic_store(&s->tx_plan, 0xff);
	atomic_store(&s->tx_slot, 0xff);
	atomic_store(&core.dir[slot].flags, flags);
	atomic_store(&core.dir[slot].state, SHM_STATE_LIVE);
	(void)dp_tunnel_index_add(config.tunnel, core.dir, &s->tunnel4, slot, 0);
	(void)dp_tunnel_index_add(config.tunnel, core.dir, &s->tunnel6, slot, 0);
	(void)dp_sid_add(&core, DP_SID_SERVER, s->server_sid, slot, 0);
	if (flags & SHM_DIR_DATA_V1)
		(void)dp_addr_index_add(core.addr, core.session, &s->endpoint[0], slot, &other);
	if ((flags & SHM_DIR_STATIC) &&
		dp_legacy_port_add(&core, slot, s->endpoint[0].local_port_be) < 0)
		abort();
}

// A key in key slot `which` with that key-id, to open and to seal with.
static void make_key(uint32_t slot, uint8_t which, enum ovpn_cipher cipher, enum ovpn_digest digest)
{
	struct shm_session *s = &core.session[slot];
	struct shm_key_slot *k = &core.keys[slot].key[which];
	uint8_t flags = atomic_load(&core.dir[slot].flags);
	struct shm_cmd_key cmd = { .cipher = (uint8_t)cipher, .net_time = 1 };

	memset(&k->rx_raw, 0x11 + (int)slot, sizeof(k->rx_raw));
	memset(&k->tx_raw, 0x21 + (int)slot, sizeof(k->tx_raw));
	k->cipher = (uint8_t)cipher;
	k->digest = (uint8_t)digest;
	k->key_id = which;
	k->flags = flags & (SHM_DIR_EPOCH | SHM_DIR_STATIC);
	if (dp_key_expand(core.worker[0], k, 1, 1) < 0)
		abort();
	k->used = 1;
	s->rx_key[which] = (struct shm_rx_key){
		.age = which + 1u, .key_id = which, .cipher = k->cipher, .digest = k->digest
	};
	s->tx_key[which] = (struct shm_tx_key){
		.age = which + 1u, .key_id = which, .cipher = k->cipher, .digest = k->digest
	};
	atomic_store(&s->tx_key[which].next, dp_legacy_first_id(flags, &cmd));
	if ((flags & SHM_DIR_LEGACY) && which == 0)
		dp_legacy_shape(&core, slot, k->cipher, k->digest);
	atomic_store(&s->rx_key[which].installed, 1);
	atomic_store(&s->tx_plan, which);
	atomic_store(&s->tx_slot, which);
}

// No key may be without both cipher and HMAC, save here.
static void strip_hmac(uint32_t slot)
{
	struct dp_legacy_cell *cell = (struct dp_legacy_cell *)core.keys[slot].key[0].rx_cell;

	cell->digest = OVPN_DIGEST_NONE;
	cell->digest_len = 0;
	core.session[slot].rx_key[0].digest = OVPN_DIGEST_NONE;
}

static void make_sessions(void)
{
	make_session(PLAIN, 0);
	make_session(PLAIN_V1, SHM_DIR_DATA_V1);
	make_session(OVER_IPV6, 0);
	make_key(OVER_IPV6, 0, OVPN_CIPHER_AES_256_GCM, OVPN_DIGEST_NONE);
	make_session(CBC, SHM_DIR_DATA_V1 | SHM_DIR_LEGACY | SHM_DIR_LAZY);
	make_key(CBC, 0, OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA1);
	make_key(CBC, 1, OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_NONE);
	core.session[FRAMED].compress = OVPN_COMPRESS_BYTE;
	core.session[FRAMED].fragment_max = 600;
	make_session(FRAMED, SHM_DIR_LEGACY);
	make_key(FRAMED, 0, OVPN_CIPHER_NONE, OVPN_DIGEST_SHA1);
	strip_hmac(FRAMED);
	make_session(EPOCH, SHM_DIR_LEGACY | SHM_DIR_EPOCH);
	make_key(EPOCH, 0, OVPN_CIPHER_AES_256_GCM, OVPN_DIGEST_NONE);
	make_session(STATIC, SHM_DIR_LEGACY | SHM_DIR_STATIC | SHM_DIR_MOBILITY);
	make_key(STATIC, 0, OVPN_CIPHER_NONE, OVPN_DIGEST_SHA1);
	strip_hmac(STATIC);
	core.session[STATIC_CBC].compress = OVPN_COMPRESS_BYTE;
	make_session(STATIC_CBC, SHM_DIR_LEGACY | SHM_DIR_STATIC);
	make_key(STATIC_CBC, 0, OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_NONE);
}

// Packet-ids that were seen are forgotten, or the first input with a high one would be the last.
static void forget_ids(void)
{
	for (uint32_t slot = 0; slot < SESSIONS; slot++)
		memset(core.session[slot].window, 0, sizeof(core.session[slot].window));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct shm_listen tunnel[SESSIONS - STATIC];
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
	config.listens = config.subnets = 2;
	set4(&config.listen[0].addr, 192, 0, 2, 1);
	config.listen[0].port_be = RTE_BE16(CLIENTS_PORT);
	set6(&config.listen[1].addr, 0, 1);
	config.listen[1].port_be = RTE_BE16(CLIENTS_PORT);
	for (unsigned i = 0; i < SESSIONS - STATIC; i++) {
		tunnel[i] = config.listen[0];
		tunnel[i].port_be = rte_cpu_to_be_16((uint16_t)(STATIC_PORT + i));
	}
	config.ports = dp_tunnel_ports_create(tunnel, SESSIONS - STATIC);
	set4(&config.subnet[0].addr, 10, 8, 0, 0);
	config.subnet[0].prefix_len = 24;
	set4(&config.subnet[0].server, 10, 8, 0, 1);
	set6(&config.subnet[1].addr, 8, 0);
	config.subnet[1].prefix_len = 112;
	set6(&config.subnet[1].server, 8, 1);
	config.occ_len = 5;
	memcpy(config.occ, "V4,x", 5);
	config.tunnel = dp_tunnel_index_create(config.subnet, 2);
	if (core.sid == NULL || config.tunnel == NULL || config.ports == NULL)
		abort();
	atomic_store(&core.config, &config);
	make_sessions();
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
	forget_ids();
	memcpy(rte_pktmbuf_append(m, (uint16_t)(size - 2)), data + 2, size - 2);
	switch (data[0] % 3) {
	case 0: dp_stage_classify(w, &w->outer, &m, 1); break;
	case 1: dp_stage_classify(w, &w->inner, &m, 1); break;
	default:
		*dp_meta(m) = (struct dp_meta){ .slot = data[0] / 3 % SESSIONS };
		one.pkt[0] = m;
		dp_stage_inner(w, &one);
		break;
	}
	dp_stage_decrypt(w);
	dp_stage_recover(w);
	(void)dp_worker_iterate(w);
	return 0;
}
