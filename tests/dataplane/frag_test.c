// SPDX-License-Identifier: BSD-3-Clause
// Fragments and sizes: stock clients with tun-mtu 1500 on a path of 1,500 bytes, packets too big
// for the tunnel, and sources that send fragments to no end.
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_udp.h>

#include "harness.h"
#include "tests/gtc.h"

#define OUTSIDE 0xc0000263u

// Cut a datagram of a client in two or more fragments and put them into the queue in this order.
static void fragments(struct h *h, const struct h_client *c, uint16_t id, const uint8_t *data,
	size_t len, size_t cut, const unsigned *order, unsigned n)
{
	uint8_t payload[2048], frame[2048];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);

	payload[0] = (uint8_t)(c->port >> 8);
	payload[1] = (uint8_t)c->port;
	payload[2] = H_PORT >> 8;
	payload[3] = H_PORT & 0xff;
	payload[4] = (uint8_t)((len + 8) >> 8);
	payload[5] = (uint8_t)(len + 8);
	payload[6] = payload[7] = 0;
	memcpy(payload + 8, data, len);
	len += 8;
	for (unsigned i = 0; i < n; i++) {
		size_t off = order[i] * cut;
		size_t part = len - off < cut ? len - off : cut;

		memset(frame, 2, 12);
		frame[12] = 8;
		frame[13] = 0;
		h_inner((uint8_t *)ip, c->addr, H_SERVER, 28, false);
		ip->packet_id = rte_cpu_to_be_16(id);
		ip->total_length = rte_cpu_to_be_16((uint16_t)(20 + part));
		ip->fragment_offset =
			rte_cpu_to_be_16((uint16_t)(off / 8 | (off + part < len ? 0x2000 : 0)));
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		memcpy(ip + 1, payload + off, part);
		h_frame_in(h, 0, 0, frame, 34 + part);
	}
}

// 1,472-byte pings both ways: 1,500 bytes inside, 1,552 outside.
GTC_TEST(frag, full_size_both_ways)
{
	static const unsigned orders[][3] = { { 0, 1 }, { 1, 0 } };
	static const unsigned three[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } };
	struct h *h = h_create(1, 0);
	uint8_t inner[1500], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client c;
	uint16_t id = 1;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 1500, true);
	for (unsigned i = 0; i < 2; i++) {
		size_t len = h_seal(&c, inner, 1500, wire);

		fragments(h, &c, id++, wire, len, 1480, orders[i], 2);
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 1500);
		GTC_EXPECT_MEM(got, inner, 1500);
	}
	for (unsigned i = 0; i < 4; i++) {
		size_t len = h_seal(&c, inner, 1500, wire);

		fragments(h, &c, id++, wire, len, 600, three[i], 3);
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 1500);
		GTC_EXPECT_MEM(got, inner, 1500);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_reassembled), 6);
	h_inner(inner, OUTSIDE, H_TUNNEL(1), 1500, true);
	h_inner_in(h, 0, inner, 1500);
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d)); // put together again
	GTC_EXPECT_INT(d.len, 1524);
	GTC_EXPECT_INT(h_open(&c, &d, got), 1500);
	GTC_EXPECT_MEM(got, inner, 1500);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_frags_made), 2);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// Reassembled on the worker that addresses alone chose, handed to the owner.
GTC_TEST(frag, owner_elsewhere)
{
	struct h *h = h_create(2, 0);
	struct h_client_opt opt = { .worker = 1 };
	uint8_t inner[1500], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	static const unsigned order[] = { 0, 1 };
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 1500, false);
	fragments(h, &c, 7, wire, h_seal(&c, inner, 1500, wire), 1480, order, 2);
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 1500);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

GTC_TEST(frag, refused)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[1500], wire[H_FRAME_MAX];
	static const unsigned twice[] = { 0, 0 }, first[] = { 0 }, order[] = { 0, 1 };
	struct h_client c;
	size_t len;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 1500, false);
	len = h_seal(&c, inner, 1500, wire);
	fragments(h, &c, 1, wire, len, 1480, twice, 2); // overlap: all of it is refused
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_frag_malformed), 2);
	fragments(h, &c, 2, wire, len, 1480, first, 1);
	h_run(h);
	h_pass(h, 2600);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_frag_timeout), 1);
	// A source that never finishes: its oldest make room, and a good one still gets through.
	for (uint16_t id = 10; id < 1010; id++) {
		fragments(h, &c, id, wire, len, 1480, first, 1);
		if (id % 16 == 0)
			h_run(h);
	}
	fragments(h, &c, 2000, wire, len, 1480, order, 2);
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, inner), 1500);
	GTC_EXPECT(h_drops(h, DP_DROP_frag_evicted) >= 990);
	h_pass(h, 2600);
	GTC_EXPECT_INT(h_all_drops(h), 2 + 1 + 1000);
	h_destroy(h);
}

// Bigger than the client's tunnel interface.
GTC_TEST(frag, too_big_inside)
{
	struct h *h = h_create(1, SHM_HELLO_CLIENT_TO_CLIENT);
	struct h_client_opt opt = { .tun_mtu = 1400 };
	uint8_t inner[1500], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client c, e;
	size_t total = 0;
	int len;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	GTC_ASSERT_INT(h_install(h, 2, NULL, &e), 0);
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(1), 1500, true));
	h_run(h);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_too_big), 1);
	GTC_EXPECT_INT(h_inner_out(h, got), 576); // fragmentation needed, to the host
	GTC_EXPECT_INT(got[20], 3);
	GTC_EXPECT_INT(got[21], 4);
	GTC_EXPECT_INT(got[26] << 8 | got[27], 1400);
	GTC_EXPECT_INT(rte_raw_cksum(got, 20), 0xffff);
	// Without "don't fragment" it is cut.
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(1), 1500, false));
	h_run(h);
	while (h_datagram_out(h, &d)) {
		len = h_open(&c, &d, got);
		GTC_EXPECT(len > 20 && len <= 1400);
		GTC_EXPECT_INT(rte_raw_cksum(got, 20), 0xffff);
		total += (size_t)len - 20;
	}
	GTC_EXPECT_INT(total, 1480);
	// From another client: it is told, through its own session.
	h_from(h, 0, &e, wire,
		h_seal(&e, inner, h_inner(inner, H_TUNNEL(2), H_TUNNEL(1), 1450, true), wire));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_open(&e, &d, got), 576);
	GTC_EXPECT_INT(got[20], 3);
	h_destroy(h);
}
