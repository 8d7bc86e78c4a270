// SPDX-License-Identifier: BSD-3-Clause
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "dataplane/index_tunnel.h"
#include "dataplane/sid_index.h"
#include "protocol/mobility.h"
#include "shm/session.h"
#include "tests/gtc.h"

#define DIE(what)                                                                                  \
	do {                                                                                       \
		fprintf(stderr, "harness: %s:%d: %s\n", __FILE__, __LINE__, what);                 \
		abort();                                                                           \
	} while (0)

static const uint8_t host_mac[6] = { 2, 0, 0, 0, 0, 9 };
static unsigned made;

void h_eal(void)
{
	static bool up;
	char prefix[40];
	char *argv[] = { "test", "--no-huge", "--no-pci", "--no-telemetry", "-m", "192", "-l", "0",
		"--log-level", "4", "--no-shconf", "--file-prefix", prefix, NULL };

	if (up)
		return;
	up = true;
	snprintf(prefix, sizeof(prefix), "dpt%d", getpid());
	if (rte_eal_init(13, argv) < 0)
		DIE("no EAL");
}

static struct rte_ring *ring(const char *what, unsigned port, unsigned worker)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "h%u_%s%u_%u", made, what, port, worker);
	r = rte_ring_create(name, 2048, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (r == NULL)
		DIE("no ring");
	return r;
}

static void make_port(struct h *h, unsigned p, uint16_t workers)
{
	struct rte_eth_conf conf = { 0 };
	char name[32];
	int id;

	for (unsigned i = 0; i < workers; i++) {
		h->rx[p][i] = ring("rx", p, i);
		h->tx[p][i] = ring("tx", p, i);
	}
	snprintf(name, sizeof(name), "h%u_p%u", made, p);
	id = rte_eth_from_rings(name, h->rx[p], workers, h->tx[p], workers, 0);
	if (id < 0 || rte_eth_dev_configure((uint16_t)id, workers, workers, &conf) < 0)
		DIE("no port");
	for (uint16_t i = 0; i < workers; i++) {
		if (rte_eth_rx_queue_setup((uint16_t)id, i, 64, 0, NULL, h->core.pool) < 0 ||
			rte_eth_tx_queue_setup((uint16_t)id, i, 64, 0, NULL) < 0)
			DIE("no queue");
	}
	if (rte_eth_dev_start((uint16_t)id) < 0)
		DIE("port doesn't start");
	h->core.port[p].id = (uint16_t)id;
	h->core.port[p].mtu = 1500;
	h->core.port[p].tx_workers = workers;
	h->core.port[p].mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, (uint8_t)(p + 1) } };
}

static void *zeroed(size_t align, size_t size)
{
	void *p = aligned_alloc(align, (size + align - 1) / align * align);

	if (p == NULL)
		DIE("no memory");
	memset(p, 0, (size + align - 1) / align * align);
	return p;
}

static void make_rings(struct h *h, uint16_t w)
{
	for (int kind = 0; kind < SHM_RING_KINDS; kind++) {
		uint32_t elem = shm_ring_elem_size((enum shm_ring_kind)kind);
		size_t size = shm_ring_bytes(256, elem);
		bool from_control = kind == SHM_RING_COMMAND || kind == SHM_RING_INJECT;

		h->ring_mem[w][kind] = zeroed(4096, size);
		if (shm_ring_attach(&h->rings[w].ring[kind], h->ring_mem[w][kind], size, 256, elem,
			    !from_control) < 0 ||
			shm_ring_attach(&h->ctl[w][kind], h->ring_mem[w][kind], size, 256, elem,
				from_control) < 0)
			DIE("no shared ring");
	}
	h->rings[w].ring[SHM_RING_COMMAND].wipe = true;
	h->rings[w].epoch = 1;
	atomic_store(&h->core.worker[w]->rings, &h->rings[w]);
}

static void set4(struct shm_addr *a, uint32_t addr)
{
	memset(a, 0, sizeof(*a));
	a->family = AF_INET;
	addr = rte_cpu_to_be_32(addr);
	memcpy(a->bytes, &addr, 4);
}

static void make_config(struct h *h, uint32_t flags)
{
	struct dp_config *c = &h->config;

	c->flags = flags;
	c->listens = 1;
	set4(&c->listen[0].addr, H_SERVER);
	c->listen[0].port_be = rte_cpu_to_be_16(H_PORT);
	c->subnets = 1;
	set4(&c->subnet[0].addr, 0x0a080000);
	c->subnet[0].prefix_len = 24;
	set4(&c->subnet[0].server, H_KERNEL);
	c->tun_mtu = 1500;
	c->occ_len = (uint16_t)snprintf(c->occ, sizeof(c->occ), "V4,dev-type tun") + 1u;
	c->tunnel = dp_tunnel_index_create(c->subnet, 1);
	if (c->tunnel == NULL)
		DIE("no tunnel index");
	atomic_store(&h->core.config, c);
}

struct h *h_create(uint16_t workers, uint32_t config_flags)
{
	struct h *h = zeroed(64, sizeof(*h));
	char name[32];

	h_eal();
	made++;
	h->core.sessions = H_SESSIONS;
	h->core.dir = zeroed(64, H_SESSIONS * sizeof(struct shm_dir));
	h->core.session = zeroed(128, H_SESSIONS * sizeof(struct shm_session));
	h->core.keys = zeroed(64, H_SESSIONS * sizeof(struct shm_keys));
	h->core.workers = workers;
	h->core.ports = 2;
	h->core.main_fd = -1;
	snprintf(name, sizeof(name), "h%u_pool", made);
	h->core.pool = rte_pktmbuf_pool_create(name, 8191, 0, sizeof(struct dp_meta),
		DP_FRAME_MAX + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (h->core.pool == NULL)
		DIE("no pool");
	make_port(h, 0, workers);
	make_port(h, 1, workers);
	h->core.port[0].flags = DP_PORT_OUTER | DP_PORT_ECHO | DP_PORT_KERNEL_SEES;
	h->core.port[1].flags = DP_PORT_INNER | DP_PORT_KERNEL_PEER;
	h->core.port[1].peer_mac = h->core.port[1].mac;
	if (dp_core_init(&h->core) < 0)
		DIE("dp_core_init");
	dp_grace_init(&h->grace, h->core.qsbr);
	h->core.sid = dp_sid_index_create(&h->core, &h->grace);
	if (h->core.sid == NULL)
		DIE("no session-id index");
	for (uint16_t i = 0; i < workers; i++) {
		h->core.worker[i]->outer.rxq = h->core.worker[i]->outer.txq = i;
		h->core.worker[i]->inner.rxq = h->core.worker[i]->inner.txq = i;
		make_rings(h, i);
	}
	make_config(h, config_flags);
	return h;
}

static void drain(struct rte_ring *r)
{
	void *m;

	while (rte_ring_dequeue(r, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(r);
}

void h_destroy(struct h *h)
{
	// Every buffer must have come back, or been dropped, or wait in a ring that is emptied
	// here.
	for (uint16_t i = 0; i < h->core.workers; i++)
		rte_rcu_qsbr_thread_offline(h->core.qsbr, i);
	dp_grace_drain(&h->grace);
	for (unsigned p = 0; p < h->core.ports; p++) {
		rte_eth_dev_stop(h->core.port[p].id);
		rte_eth_dev_close(h->core.port[p].id);
		for (unsigned i = 0; i < h->core.workers; i++) {
			drain(h->rx[p][i]);
			drain(h->tx[p][i]);
		}
	}
	for (uint16_t i = 0; i < h->core.workers; i++) {
		for (int kind = 0; kind < SHM_RING_KINDS; kind++)
			free(h->ring_mem[i][kind]);
	}
	dp_sid_index_free(h->core.sid);
	dp_core_done(&h->core);
	dp_tunnel_index_free(h->config.tunnel);
	GTC_EXPECT_INT(rte_mempool_in_use_count(h->core.pool), 0); // no buffer leaked
	rte_mempool_free(h->core.pool);
	free(h->core.dir);
	free(h->core.session);
	free(h->core.keys);
	free(h);
}

void h_run(struct h *h)
{
	unsigned moved, quiet = 0;

	// A few turns beyond the last that did something: grace periods need quiescent states.
	for (unsigned turn = 0; quiet < 4; turn++) {
		moved = 0;
		for (uint16_t i = 0; i < h->core.workers; i++) {
			moved += dp_worker_iterate(h->core.worker[i]);
			moved += dp_sid_index_serve(&h->core, h->core.worker[i]);
			moved += h->core.worker[i]->pending_n;
		}
		dp_grace_poll(&h->grace);
		quiet = moved == 0 ? quiet + 1 : 0;
		if (turn > 1000000)
			DIE("never quiet");
	}
}

void h_pass(struct h *h, uint64_t ms)
{
	for (uint16_t i = 0; i < h->core.workers; i++)
		h->core.worker[i]->shift_ms += ms;
	h_run(h);
}

int h_cmd(struct h *h, uint16_t worker, struct shm_cmd *cmd)
{
	struct shm_event ev;

	cmd->seq = ++h->seq;
	if (shm_ring_put(&h->ctl[worker][SHM_RING_COMMAND], cmd, sizeof(*cmd)) < 0)
		DIE("command ring");
	h_run(h);
	while (shm_ring_get(&h->ctl[worker][SHM_RING_EVENT], &ev, sizeof(ev)) > 0) {
		if (ev.kind == SHM_EVENT_ACK && ev.seq == cmd->seq)
			return ev.status;
	}
	return -ETIMEDOUT;
}

static void random_key(struct shm_raw_key *k, uint8_t seed)
{
	for (unsigned i = 0; i < sizeof(k->cipher_key); i++) {
		k->cipher_key[i] = (uint8_t)(seed * 31 + i * 7 + 1);
		k->hmac_key[i] = (uint8_t)(seed * 17 + i * 3 + 2);
	}
}

int h_key(struct h *h, struct h_client *c, uint8_t which, uint8_t key_id, uint32_t age,
	uint32_t tx_delay_ms)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_KEY, .slot = c->slot, .generation = c->generation };
	struct shm_raw_key c2s, s2c;
	int rc;

	random_key(&c2s, (uint8_t)(c->slot * 8 + age * 2));
	random_key(&s2c, (uint8_t)(c->slot * 8 + age * 2 + 1));
	cmd.key = (struct shm_cmd_key){ .which = which,
		.key_id = key_id,
		.cipher = (uint8_t)c->cipher,
		.digest = (uint8_t)c->digest,
		.net_time = c->net_time,
		.age = age,
		.tx_delay_ms = tx_delay_ms,
		.rx = c2s,
		.tx = s2c };
	rc = h_cmd(h, atomic_load(&h->core.dir[c->slot].owner), &cmd);
	if (rc == 0) {
		c->c2s = c2s;
		c->s2c = s2c;
		c->key_id = key_id;
		c->next_id = 1;
	}
	return rc;
}

int h_install(struct h *h, uint32_t slot, const struct h_client_opt *opt, struct h_client *ret_c)
{
	static const struct h_client_opt none;
	struct shm_cmd cmd = { .kind = SHM_CMD_INSTALL, .slot = slot };
	struct h_client *c = ret_c;
	int rc;

	if (opt == NULL)
		opt = &none;
	memset(c, 0, sizeof(*c));
	c->slot = slot;
	c->generation = (uint16_t)(atomic_load(&h->core.dir[slot].generation) + 1);
	c->cipher = opt->cipher || opt->legacy ? opt->cipher : OVPN_CIPHER_AES_256_GCM;
	c->digest = opt->digest;
	c->net_time = opt->net_time;
	c->v1 = opt->v1;
	c->addr = opt->addr ? opt->addr : 0xc6336401u + slot;
	c->port = opt->port ? opt->port : (uint16_t)(40000 + slot);
	for (unsigned i = 0; i < 8; i++) {
		c->sid[i] = (uint8_t)(0x50 + slot + i);
		c->client_sid[i] = (uint8_t)(0xa0 + slot + i);
	}
	cmd.generation = c->generation;
	set4(&cmd.install.endpoint.remote, c->addr);
	set4(&cmd.install.endpoint.local, H_SERVER);
	cmd.install.endpoint.remote_port_be = rte_cpu_to_be_16(c->port);
	cmd.install.endpoint.local_port_be = rte_cpu_to_be_16(H_PORT);
	if (opt->local_port != 0)
		cmd.install.endpoint.local_port_be = rte_cpu_to_be_16(opt->local_port);
	if (opt->no_remote) {
		memset(&cmd.install.endpoint.remote, 0, sizeof(cmd.install.endpoint.remote));
		cmd.install.endpoint.remote_port_be = 0;
	}
	cmd.install.compress = opt->compress;
	cmd.install.fragment_max = opt->fragment_max;
	memcpy(cmd.install.endpoint.next_hop, host_mac, 6);
	memcpy(cmd.install.server_sid, c->sid, 8);
	memcpy(cmd.install.client_sid, c->client_sid, 8);
	set4(&cmd.install.tunnel4, H_TUNNEL(slot));
	cmd.install.mss4 = opt->mss4;
	cmd.install.tun_mtu = opt->tun_mtu ? opt->tun_mtu : 1500;
	cmd.install.ping_interval_ms = opt->ping_ms;
	cmd.install.timeout_ms = opt->timeout_ms;
	cmd.install.dir_flags = (uint8_t)(opt->dir_flags | (c->v1 ? SHM_DIR_DATA_V1 : 0));
	snprintf(cmd.install.name, sizeof(cmd.install.name), "client-%u", slot);
	rc = h_cmd(h, opt->worker, &cmd);
	return rc < 0 ? rc : h_key(h, c, 0, 0, 1, 0);
}

int h_remove(struct h *h, struct h_client *c)
{
	struct shm_cmd cmd = {
		.kind = SHM_CMD_REMOVE, .slot = c->slot, .generation = c->generation
	};

	uint16_t owner = atomic_load(&h->core.dir[c->slot].owner);

	return h_cmd(h, owner < h->core.workers ? owner : 0, &cmd);
}

bool h_event(struct h *h, uint16_t worker, struct shm_event *ret_ev)
{
	while (shm_ring_get(&h->ctl[worker][SHM_RING_EVENT], ret_ev, sizeof(*ret_ev)) > 0) {
		if (ret_ev->kind != SHM_EVENT_ACK)
			return true;
	}
	return false;
}

size_t h_seal(struct h_client *c, const uint8_t *plain, size_t len, uint8_t *out)
{
	return ossl_seal(c->cipher, c->c2s.cipher_key, c->c2s.hmac_key, c->v1, c->key_id, c->slot,
		c->next_id++, plain, len, out);
}

size_t h_ping(struct h_client *c, uint8_t *out)
{
	uint8_t ping[OVPN_PING_LEN];

	ovpn_ping_put(ping);
	return h_seal(c, ping, sizeof(ping), out);
}

size_t h_reconf(struct h_client *c, uint8_t *out)
{
	size_t len = h_ping(c, out);

	memcpy(out + len, c->sid, 8);
	return len + 8;
}

size_t h_inner(uint8_t *out, uint32_t src, uint32_t dst, size_t len, bool df)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)out;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	memset(out, 0, len);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)len);
	ip->packet_id = rte_cpu_to_be_16(77);
	ip->fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->src_addr = rte_cpu_to_be_32(src);
	ip->dst_addr = rte_cpu_to_be_32(dst);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	if (len >= 28) {
		udp->src_port = RTE_BE16(1000);
		udp->dst_port = RTE_BE16(2000);
		udp->dgram_len = rte_cpu_to_be_16((uint16_t)(len - 20));
	}
	for (size_t i = 28; i < len; i++)
		out[i] = (uint8_t)i;
	return len;
}

void h_frame_in(struct h *h, unsigned port, uint16_t worker, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(h->core.pool);

	if (m == NULL || rte_pktmbuf_append(m, (uint16_t)len) == NULL)
		DIE("no buffer");
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), frame, len);
	if (rte_ring_enqueue(h->rx[port][worker], m) < 0)
		DIE("receive ring full");
}

static void put_eth(uint8_t *frame, const uint8_t *dst, uint16_t type)
{
	memcpy(frame, dst, 6);
	memcpy(frame + 6, host_mac, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
}

void h_outer(
	struct h *h, uint16_t worker, uint32_t addr, uint16_t port, const uint8_t *data, size_t len)
{
	uint8_t frame[H_FRAME_MAX + 64];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	put_eth(frame, h->core.port[0].mac.addr_bytes, 0x0800);
	h_inner((uint8_t *)ip, addr, H_SERVER, 28, false);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(28 + len));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	udp->src_port = rte_cpu_to_be_16(port);
	udp->dst_port = RTE_BE16(H_PORT);
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(8 + len));
	udp->dgram_cksum = 0;
	memcpy(udp + 1, data, len);
	h_frame_in(h, 0, worker, frame, 42 + len);
}

void h_from(struct h *h, uint16_t worker, const struct h_client *c, const uint8_t *data, size_t len)
{
	h_outer(h, worker, c->addr, c->port, data, len);
}

void h_inner_in(struct h *h, uint16_t worker, const uint8_t *packet, size_t len)
{
	uint8_t frame[H_FRAME_MAX + 64];

	put_eth(frame, h->core.tunnel_mac.addr_bytes, 0x0800);
	memcpy(frame + 14, packet, len);
	h_frame_in(h, h->core.ports - 1u, worker, frame, 14 + len);
}

bool h_frame_out(struct h *h, unsigned port, struct h_frame *ret_f)
{
	for (uint16_t i = 0; i < h->core.workers; i++) {
		void *p;
		struct rte_mbuf *m;

		if (rte_ring_dequeue(h->tx[port][i], &p) < 0)
			continue;
		m = p;
		ret_f->worker = i;
		ret_f->len = (uint16_t)rte_pktmbuf_pkt_len(m);
		memcpy(ret_f->data, rte_pktmbuf_mtod(m, uint8_t *), ret_f->len);
		rte_pktmbuf_free(m);
		return true;
	}
	return false;
}

bool h_datagram_out(struct h *h, struct h_datagram *ret_d)
{
	uint8_t whole[4096];
	size_t total = 0;
	struct h_frame f;

	while (h_frame_out(h, 0, &f)) {
		const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(f.data + 14);
		uint16_t frag = rte_be_to_cpu_16(ip->fragment_offset);
		size_t off = (size_t)(frag & RTE_IPV4_HDR_OFFSET_MASK) * 8;
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)whole;

		GTC_EXPECT(f.len <= 1514);
		GTC_EXPECT_INT(rte_be_to_cpu_16(ip->total_length), f.len - 14);
		GTC_EXPECT_INT(rte_raw_cksum(ip, 20), 0xffff);
		GTC_EXPECT_MEM(f.data, host_mac, 6);
		GTC_EXPECT_INT(rte_be_to_cpu_32(ip->src_addr), H_SERVER);
		memcpy(whole + off, ip + 1, f.len - 34u);
		total += f.len - 34u;
		if (frag & RTE_IPV4_HDR_MF_FLAG)
			continue;
		GTC_EXPECT_INT(rte_be_to_cpu_16(udp->dgram_len), total);
		GTC_EXPECT(udp->src_port == h->config.listen[0].port_be ||
			udp->src_port == h->config.listen[1].port_be);
		ret_d->addr = rte_be_to_cpu_32(ip->dst_addr);
		ret_d->port = rte_be_to_cpu_16(udp->dst_port);
		ret_d->worker = f.worker;
		ret_d->len = (uint16_t)(total - 8);
		memcpy(ret_d->data, udp + 1, total - 8);
		return true;
	}
	return false;
}

size_t h_inner_out(struct h *h, uint8_t *out)
{
	struct h_frame f;

	if (!h_frame_out(h, h->core.ports - 1u, &f))
		return 0;
	GTC_EXPECT_MEM(f.data, h->core.port[h->core.ports - 1].peer_mac.addr_bytes, 6);
	memcpy(out, f.data + 14, f.len - 14u);
	return f.len - 14u;
}

int h_open(const struct h_client *c, const struct h_datagram *d, uint8_t *plain)
{
	return ossl_open(c->cipher, c->s2c.cipher_key, c->s2c.hmac_key, d->data, d->len, plain);
}

bool h_expect_ping(struct h *h, const struct h_client *c, uint32_t addr, uint16_t port)
{
	uint8_t plain[H_FRAME_MAX];
	struct h_datagram d;
	int len;

	if (!GTC_EXPECT(h_datagram_out(h, &d)))
		return false;
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(addr, port));
	len = h_open(c, &d, plain);
	GTC_EXPECT_INT(len, OVPN_PING_LEN);
	return GTC_EXPECT(len > 0 && ovpn_is_ping(plain, (size_t)len));
}

uint64_t h_drops(struct h *h, enum dp_drop why)
{
	uint64_t n = 0;

	for (uint16_t i = 0; i < h->core.workers; i++)
		n += h->core.worker[i]->drop[why];
	return n;
}

uint64_t h_all_drops(struct h *h)
{
	uint64_t n = 0;

	for (int why = 0; why < DP_DROP_COUNT; why++)
		n += h_drops(h, (enum dp_drop)why);
	return n;
}

uint64_t h_count(struct h *h, enum dp_count what)
{
	uint64_t n = 0;

	for (uint16_t i = 0; i < h->core.workers; i++)
		n += h->core.worker[i]->count[what];
	return n;
}

uint64_t h_endpoint(struct h *h, uint32_t slot)
{
	struct shm_endpoint ep;
	uint32_t addr;

	if (shm_endpoint_read(&h->core.session[slot], &ep) < 0)
		return 0;
	memcpy(&addr, ep.remote.bytes, 4);
	return H_AT(rte_be_to_cpu_32(addr), rte_be_to_cpu_16(ep.remote_port_be));
}
