// SPDX-License-Identifier: BSD-3-Clause
// Static keys through whole workers: found by their port, without opcode and session.
#include <errno.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <string.h>

#include "dataplane/tunnel_ports.h"
#include "legacy_client.h"
#include "protocol/ping.h"
#include "tests/gtc.h"

#define STATIC_PORT 1195

// Beside the clients' port those of many tunnels, STATIC_PORT and on; made once and never freed.
static struct h *static_world(void)
{
	static struct shm_listen tunnel[SHM_TUNNELS_MAX];
	static struct dp_tunnel_ports *ports;
	struct h *h = h_create(2, 0);

	for (uint16_t i = 0; i < SHM_TUNNELS_MAX; i++) {
		tunnel[i] = h->config.listen[0];
		tunnel[i].port_be = rte_cpu_to_be_16(STATIC_PORT + i);
	}
	if (ports == NULL)
		ports = dp_tunnel_ports_create(tunnel, SHM_TUNNELS_MAX);
	h->config.ports = ports;
	h->config.listen[1] = tunnel[0]; // not in the list (listens is 1): what the harness expects
	return h;
}

// To the port of the static key.
static void to_static(struct h *h, uint32_t addr, uint16_t port, const uint8_t *data, size_t len)
{
	uint8_t frame[H_FRAME_MAX + 64];
	void *p;

	// The harness sends to the one port that it knows: take its frame and write another.
	h_outer(h, 0, addr, port, data, len);
	GTC_ASSERT_INT(rte_ring_dequeue(h->rx[0][0], &p), 0);
	memcpy(frame, rte_pktmbuf_mtod((struct rte_mbuf *)p, uint8_t *), 42 + len);
	rte_pktmbuf_free(p);
	frame[14 + 20 + 2] = STATIC_PORT >> 8;
	frame[14 + 20 + 3] = STATIC_PORT & 0xff;
	frame[14 + 20 + 6] = frame[14 + 20 + 7] = 0; // no checksum
	h_frame_in(h, 0, 0, frame, 42 + len);
}

GTC_TEST(static_key, up_and_down)
{
	static const unsigned some[] = { 0, 2, 6, 13, 18, 20 };

	for (unsigned i = 0; i < 6; i++) {
		struct h_client_opt opt = { .dir_flags = SHM_DIR_STATIC,
			.local_port = STATIC_PORT,
			.compress = (uint8_t)(i % 3) };
		uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
		struct h *h = static_world();
		struct h_datagram d;
		uint64_t id = 0;
		struct lc l;

		lc_install(h, 5, &lc_families[some[i]], opt, &l);
		for (size_t len = 28; len < 1500; len += 97) {
			h_inner(inner, H_TUNNEL(5), LC_OUTSIDE, len, false);
			to_static(h, l.c.addr, l.c.port, wire, lc_seal(&l, inner, len, wire));
			h_run(h);
			GTC_EXPECT_INT(h_inner_out(h, got), len);
			GTC_EXPECT_MEM(got, inner, len);
			h_inner(inner, LC_OUTSIDE, H_TUNNEL(5), len, false);
			h_inner_in(h, 0, inner, len);
			h_run(h);
			GTC_ASSERT(h_datagram_out(h, &d));
			GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, &id), len);
			GTC_EXPECT_INT(id >> 32, LC_NET_TIME);
		}
		GTC_EXPECT_INT(h_all_drops(h), 0);
		// Without `float` nobody may come from elsewhere.
		to_static(h, LC_NEW_PLACE, 5000, wire, lc_ping(&l, wire));
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_v1_unknown_source), 1);
		GTC_EXPECT_INT(h_remove(h, &l.c), 0);
		to_static(h, l.c.addr, l.c.port, wire, lc_ping(&l, wire));
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 0);
		lc_done(&l);
		h_destroy(h);
	}
}

GTC_TEST(static_key, hostile)
{
	struct h_client_opt opt = { .dir_flags = SHM_DIR_STATIC, .local_port = STATIC_PORT };
	struct h *h = static_world();
	uint8_t wire[H_FRAME_MAX];
	struct lc l;
	size_t len;

	lc_install(h, 5, &lc_families[0], opt, &l);
	len = lc_ping(&l, wire);
	for (size_t at = 0; at < len; at++) { // each byte changed, each length
		wire[at] ^= 0x10;
		to_static(h, l.c.addr, l.c.port, wire, len);
		wire[at] ^= 0x10;
		h_run(h);
		to_static(h, l.c.addr, l.c.port, wire, at);
		h_run(h);
	}
	GTC_EXPECT_INT(h_all_drops(h), 2 * len);
	for (int i = 0; i < 2; i++) { // once, and replayed
		to_static(h, l.c.addr, l.c.port, wire, len);
		h_run(h);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 1);
	lc_done(&l);
	h_destroy(h);
}

GTC_TEST(static_key, float)
{
	struct h_client_opt opt = { .dir_flags = SHM_DIR_STATIC | SHM_DIR_MOBILITY,
		.local_port = STATIC_PORT,
		.no_remote = true,
		.ping_ms = LC_PING_MS };
	uint8_t wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h *h = static_world();
	struct h_datagram d;
	struct lc l, other;

	lc_install(h, 5, &lc_families[0], opt, &l);
	h_pass(h, LC_PING_MS + 1000); // a Ping to nobody
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT(h_drops(h, DP_DROP_no_peer) > 0);
	to_static(h, LC_NEW_PLACE, 5000, wire, lc_ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 5), H_AT(LC_NEW_PLACE, 5000));
	h_pass(h, LC_PING_MS + 1000);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(LC_NEW_PLACE, 5000));
	GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, NULL), OVPN_PING_LEN);
	to_static(h, LC_NEW_PLACE + 1, 5001, wire, lc_ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 5), H_AT(LC_NEW_PLACE + 1, 5001));
	// One tunnel a port.
	opt.legacy = true;
	opt.cipher = OVPN_CIPHER_AES_128_CBC;
	opt.digest = OVPN_DIGEST_SHA1;
	opt.dir_flags |= SHM_DIR_LEGACY;
	GTC_EXPECT_INT(h_install(h, 6, &opt, &other.c), -EEXIST);
	lc_done(&l);
	h_destroy(h);
}
