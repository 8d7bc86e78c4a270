// SPDX-License-Identifier: BSD-3-Clause
// The way of ordinary packets, up and down, and everything that ends on it.
// Long because all cases share a client and the packets that it sends.
#include <limits.h>
#include <rte_arp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#include "harness.h"
#include "protocol/ping.h"
#include "tests/gtc.h"

#define OUTSIDE 0xcb007107u // 203.0.113.7

static const enum ovpn_cipher ciphers[] = { OVPN_CIPHER_AES_128_GCM, OVPN_CIPHER_AES_192_GCM,
	OVPN_CIPHER_AES_256_GCM, OVPN_CIPHER_CHACHA20_POLY1305 };

// Each cipher and both formats, up and down, every size that fits.
GTC_TEST(path, up_and_down)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];

	for (unsigned k = 0; k < 8; k++) {
		struct h_client_opt opt = { .cipher = ciphers[k / 2], .v1 = k % 2 };
		struct h_datagram d;
		struct h_client c;

		GTC_ASSERT_INT(h_install(h, k, &opt, &c), 0);
		for (size_t len = 20; len <= 1500; len += 37) {
			h_inner(inner, H_TUNNEL(k), OUTSIDE, len, false);
			h_from(h, 0, &c, wire, h_seal(&c, inner, len, wire));
			h_run(h);
			GTC_EXPECT_INT(h_inner_out(h, got), len);
			GTC_EXPECT_MEM(got, inner, len);

			h_inner(inner, OUTSIDE, H_TUNNEL(k), len, false);
			h_inner_in(h, 0, inner, len);
			h_run(h);
			GTC_ASSERT(h_datagram_out(h, &d));
			GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(c.addr, c.port));
			GTC_EXPECT_INT(h_open(&c, &d, got), len);
			GTC_EXPECT_MEM(got, inner, len);
		}
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// A burst of all ciphers and both formats at once.
GTC_TEST(path, mixed_burst)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	unsigned sent[8] = { 0 };
	struct h_client c[8];
	struct h_datagram d;

	for (unsigned k = 0; k < 8; k++) {
		struct h_client_opt opt = { .cipher = ciphers[k / 2], .v1 = k % 2 };

		GTC_ASSERT_INT(h_install(h, k, &opt, &c[k]), 0);
	}
	for (unsigned i = 0; i < 200; i++) {
		unsigned k = (i * 5) % 8;
		size_t len = 28 + (i * 53) % 1400;

		h_inner(inner, H_TUNNEL(k), OUTSIDE, len, false);
		h_from(h, 0, &c[k], wire, h_seal(&c[k], inner, len, wire));
		h_inner(inner, OUTSIDE, H_TUNNEL(k), len, false);
		h_inner_in(h, 0, inner, len);
	}
	h_run(h);
	// Order holds within a session: each client's packets come as it sent them.
	for (unsigned n = 0; n < 200; n++) {
		size_t len = h_inner_out(h, got);
		unsigned k = got[15] - (H_TUNNEL(0) & 0xff);

		GTC_ASSERT(len > 0 && k < 8);
		while ((sent[k] * 5) % 8 != k)
			sent[k]++;
		GTC_EXPECT_INT(len, 28 + (sent[k]++ * 53) % 1400);
	}
	for (unsigned i = 0; i < 200; i++) {
		unsigned k = (i * 5) % 8;

		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(h_open(&c[k], &d, got), 28 + (i * 53) % 1400);
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

GTC_TEST(path, tag_and_window)
{
	struct h *h = h_create(1, 0);
	uint8_t wire[H_FRAME_MAX], again[H_FRAME_MAX];
	struct h_client c;
	size_t len, old;

	GTC_ASSERT_INT(h_install(h, 3, NULL, &c), 0);
	old = h_ping(&c, again);
	h_from(h, 0, &c, again, old);
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 1);
	h_from(h, 0, &c, again, old); // the same bytes
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 1);
	len = h_ping(&c, wire);
	wire[len - 1] ^= 1;
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag), 1);
	// With an id that came before nobody looks at the tag; and the one above is still free.
	memcpy(wire, again, old);
	wire[old - 1] ^= 1;
	h_from(h, 0, &c, wire, old);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 2);
	c.next_id--;
	len = h_ping(&c, wire);
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	c.next_id += OVPN_REPLAY_BITS;
	len = h_ping(&c, wire);
	h_from(h, 0, &c, wire, len);
	h_run(h);
	h_from(h, 0, &c, again, old);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay_old), 1);
	// In one burst: out of order and twice.
	c.next_id = 5000;
	len = h_ping(&c, wire);
	old = h_ping(&c, again);
	h_from(h, 0, &c, again, old);
	h_from(h, 0, &c, wire, len);
	h_from(h, 0, &c, again, old);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 3);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 5);
	GTC_EXPECT_INT(atomic_load(&h->core.session[3].replays), 4);
	h_destroy(h);
}

// What can't be a data packet, each with its reason.
GTC_TEST(path, malformed)
{
	struct h *h = h_create(1, 0);
	struct h_client_opt v1 = { .v1 = true };
	uint8_t wire[H_FRAME_MAX];
	struct h_client c, d;
	size_t len;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	GTC_ASSERT_INT(h_install(h, 2, &v1, &d), 0);
	h_from(h, 0, &c, wire, 0);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_empty_datagram), 1);
	len = h_ping(&c, wire);
	for (size_t cut = 4; cut <= 24; cut++)
		h_from(h, 0, &c, wire, cut);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_truncated), 21);
	h_from(h, 0, &c, wire, 2); // no whole peer-id
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_truncated), 22);
	wire[0] = 12 << 3;
	h_from(h, 0, &c, wire, len);
	wire[0] = 1 << 3;
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_opcode), 2);
	wire[0] = 9 << 3;
	wire[1] = 0x10; // peer-id beyond the table
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_peer_id_range), 1);
	wire[1] = 0;
	wire[3] = 33; // nobody
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_session), 1);
	wire[3] = 2; // sends the other format
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_wrong_format), 1);
	wire[3] = 1;
	wire[0] = 9 << 3 | 5; // no such key
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_key), 1);
	wire[0] = 9 << 3;
	memset(wire + 4, 0, 4);
	h_from(h, 0, &c, wire, len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_packet_id_zero), 1);
	GTC_EXPECT_INT(h_all_drops(h), 30);
	h_destroy(h);
}

// Headers of outer frames.
GTC_TEST(path, outer_headers)
{
	struct h *h = h_create(1, 0);
	uint8_t wire[H_FRAME_MAX], frame[H_FRAME_MAX];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct rte_mbuf *m;
	struct h_client c;
	void *p = NULL;
	size_t len;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	len = h_ping(&c, wire);
	h_from(h, 0, &c, wire, len);
	GTC_ASSERT_INT(rte_ring_dequeue(h->rx[0][0], &p), 0);
	m = p;
	len = rte_pktmbuf_pkt_len(m);
	memcpy(frame, rte_pktmbuf_mtod(m, uint8_t *), len);
	rte_pktmbuf_free(m);

	ip->hdr_checksum ^= 1;
	h_frame_in(h, 0, 0, frame, len);
	ip->hdr_checksum ^= 1;
	udp->dgram_len = rte_cpu_to_be_16(1000);
	h_frame_in(h, 0, 0, frame, len);
	udp->dgram_len = RTE_BE16(7);
	h_frame_in(h, 0, 0, frame, len);
	udp->dgram_len = RTE_BE16(48);
	ip->total_length = RTE_BE16(1500);
	h_frame_in(h, 0, 0, frame, len);
	ip->total_length = RTE_BE16(19);
	h_frame_in(h, 0, 0, frame, len);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(len - 14));
	ip->version_ihl = 0x44;
	h_frame_in(h, 0, 0, frame, len);
	ip->version_ihl = 0x45;
	udp->dst_port = RTE_BE16(53);
	h_frame_in(h, 0, 0, frame, len);
	udp->dst_port = RTE_BE16(H_PORT);
	memcpy(frame + 6, h->core.port[0].mac.addr_bytes, 6);
	h_frame_in(h, 0, 0, frame, len);
	h_frame_in(h, 0, 0, frame, 20);
	frame[6] ^= 4;
	h_frame_in(h, 0, 0, frame, 20);
	h_frame_in(h, 0, 0, frame, 5);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_ip_checksum), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_udp_length), 2);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_ip_header), 3);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_not_ours), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_own_echo), 2);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_short_frame), 2);
	GTC_EXPECT_INT(h_all_drops(h), 11);
	h_frame_in(h, 0, 0, frame, len); // and the good one
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 1);
	h_destroy(h);
}

// What an authentic packet may carry.
GTC_TEST(path, inner_checks)
{
	static const struct {
		uint32_t src, dst;
		enum dp_drop why;
	} table[] = {
		{ H_TUNNEL(2), OUTSIDE, DP_DROP_inner_source }, // another client's
		{ OUTSIDE, H_KERNEL, DP_DROP_inner_source },
		{ H_TUNNEL(1), 0xe0000001, DP_DROP_inner_multicast },
		{ H_TUNNEL(1), 0xffffffff, DP_DROP_inner_multicast },
		{ H_TUNNEL(1), 0, DP_DROP_inner_multicast },
	};
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX];
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t before = h_drops(h, table[i].why);

		h_inner(inner, table[i].src, table[i].dst, 60, false);
		h_from(h, 0, &c, wire, h_seal(&c, inner, 60, wire));
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, table[i].why), before + 1);
	}
	// Our own outer address and port: a route into the tunnel that eats itself.
	h_inner(inner, H_TUNNEL(1), H_SERVER, 60, false);
	inner[22] = H_PORT >> 8;
	inner[23] = H_PORT & 0xff;
	h_from(h, 0, &c, wire, h_seal(&c, inner, 60, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_recursive), 1);
	// Lengths that lie.
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 60, false);
	inner[3] = 61;
	h_from(h, 0, &c, wire, h_seal(&c, inner, 60, wire));
	inner[3] = 19;
	h_from(h, 0, &c, wire, h_seal(&c, inner, 60, wire));
	inner[0] = 0x44;
	h_from(h, 0, &c, wire, h_seal(&c, inner, 60, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_bad_header), 3);
	memset(inner, 0x77, 60);
	h_from(h, 0, &c, wire, h_seal(&c, inner, 60, wire));
	h_from(h, 0, &c, wire, h_seal(&c, inner, 1, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_payload_unknown), 2);
	GTC_EXPECT_INT(h_inner_out(h, inner), 0);
	h_destroy(h);
}

GTC_TEST(path, client_to_client)
{
	struct h *h = h_create(1, SHM_HELLO_CLIENT_TO_CLIENT);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_client a, b;
	struct h_datagram d;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, &(struct h_client_opt){ .v1 = true }, &b), 0);
	h_inner(inner, H_TUNNEL(1), H_TUNNEL(2), 500, false);
	h_from(h, 0, &a, wire, h_seal(&a, inner, 500, wire));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(b.addr, b.port));
	GTC_EXPECT_INT(h_open(&b, &d, got), 500);
	GTC_EXPECT_MEM(got, inner, 500); // neighbours on one link: nobody counts TTL down
	GTC_EXPECT_INT(h_inner_out(h, got), 0);
	h_destroy(h);

	// Not configured: the kernel decides.
	h = h_create(1, 0);
	GTC_ASSERT_INT(h_install(h, 1, NULL, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, NULL, &b), 0);
	h_from(h, 0, &a, wire, h_seal(&a, inner, 500, wire));
	h_run(h);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_inner_out(h, got), 500);
	h_destroy(h);
}

GTC_TEST(path, arp)
{
	struct h *h = h_create(1, 0);
	uint8_t frame[60] = { 0 };
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(frame + 14);
	struct h_client c;
	struct h_frame f;

	GTC_ASSERT_INT(h_install(h, 4, NULL, &c), 0);
	memset(frame, 0xff, 6);
	frame[11] = 0x42;
	frame[12] = 8;
	frame[13] = 6;
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(0x0800);
	arp->arp_hlen = 6;
	arp->arp_plen = 4;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST);
	arp->arp_data.arp_sha.addr_bytes[5] = 0x42;
	arp->arp_data.arp_sip = rte_cpu_to_be_32(H_KERNEL);
	arp->arp_data.arp_tip = rte_cpu_to_be_32(H_TUNNEL(4));
	h_frame_in(h, 1, 0, frame, sizeof(frame));
	h_run(h);
	GTC_ASSERT(h_frame_out(h, 1, &f));
	arp = (struct rte_arp_hdr *)(f.data + 14);
	GTC_EXPECT_INT(f.data[5], 0x42);
	GTC_EXPECT_INT(arp->arp_opcode, RTE_BE16(RTE_ARP_OP_REPLY));
	GTC_EXPECT_INT(rte_be_to_cpu_32(arp->arp_data.arp_sip), H_TUNNEL(4));
	GTC_EXPECT_INT(rte_be_to_cpu_32(arp->arp_data.arp_tip), H_KERNEL);
	GTC_EXPECT_MEM(&arp->arp_data.arp_sha, &h->core.tunnel_mac, 6);
	// Nobody's address, the server's own: silence.
	arp = (struct rte_arp_hdr *)(frame + 14);
	arp->arp_data.arp_tip = rte_cpu_to_be_32(H_TUNNEL(5));
	h_frame_in(h, 1, 0, frame, sizeof(frame));
	arp->arp_data.arp_tip = rte_cpu_to_be_32(H_KERNEL);
	h_frame_in(h, 1, 0, frame, sizeof(frame));
	h_run(h);
	GTC_EXPECT(!h_frame_out(h, 1, &f));
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_not_ip), 2);
	h_destroy(h);
}

static uint16_t mss_of(const uint8_t *packet)
{
	return (uint16_t)(packet[42] << 8 | packet[43]);
}

// A SYN with an MSS option at an even place; its checksum must come out right.
static size_t syn(uint8_t *p, uint32_t src, uint32_t dst, uint16_t mss)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

	h_inner(p, src, dst, 44, true);
	ip->next_proto_id = IPPROTO_TCP;
	memset(tcp, 0, 24);
	tcp->data_off = 6 << 4;
	tcp->tcp_flags = RTE_TCP_SYN_FLAG;
	p[40] = 2;
	p[41] = 4;
	p[42] = (uint8_t)(mss >> 8);
	p[43] = (uint8_t)mss;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
	return 44;
}

static bool tcp_sum_ok(uint8_t *p)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(p + 20);
	uint16_t had = tcp->cksum;

	tcp->cksum = 0;
	return rte_ipv4_udptcp_cksum((struct rte_ipv4_hdr *)p, tcp) == had;
}

GTC_TEST(path, mss_both_ways)
{
	struct h *h = h_create(1, 0);
	struct h_client_opt opt = { .mss4 = 1400 };
	uint8_t p[H_FRAME_MAX], wire[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	for (uint16_t mss = 1200; mss <= 1460; mss += 65) {
		uint16_t want = mss < 1400 ? mss : 1400;

		h_from(h, 0, &c, wire, h_seal(&c, p, syn(p, H_TUNNEL(1), OUTSIDE, mss), wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, p), 44);
		GTC_EXPECT_INT(mss_of(p), want);
		GTC_EXPECT(tcp_sum_ok(p));
		h_inner_in(h, 0, p, syn(p, OUTSIDE, H_TUNNEL(1), mss));
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(h_open(&c, &d, p), 44);
		GTC_EXPECT_INT(mss_of(p), want);
		GTC_EXPECT(tcp_sum_ok(p));
	}
	h_destroy(h);
}

// Keep-alive: Pings after silence of ours, time-outs after silence of theirs.
GTC_TEST(path, sweep)
{
	struct h *h = h_create(1, 0);
	struct h_client_opt opt = { .ping_ms = 10000, .timeout_ms = 60000 };
	uint8_t wire[H_FRAME_MAX];
	struct h_datagram d;
	struct shm_event ev;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	while (h_event(h, 0, &ev))
		;
	h_pass(h, 8000);
	GTC_EXPECT(!h_datagram_out(h, &d));
	h_pass(h, 3000);
	h_pass(h, 1000);
	h_expect_ping(h, &c, c.addr, c.port);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_sent), 1);
	for (unsigned i = 0; i < 50; i++)
		h_pass(h, 1000);
	GTC_ASSERT(h_event(h, 0, &ev));
	GTC_EXPECT_INT(ev.kind, SHM_EVENT_TIMEOUT);
	GTC_EXPECT_INT(ev.slot, 1);
	GTC_EXPECT(!h_event(h, 0, &ev));
	for (unsigned i = 0; i < 50; i++)
		h_pass(h, 1000);
	GTC_EXPECT(!h_event(h, 0, &ev)); // not again before another time-out
	h_from(h, 0, &c, wire, h_ping(&c, wire));
	for (unsigned i = 0; i < 50; i++)
		h_pass(h, 1000);
	GTC_EXPECT(!h_event(h, 0, &ev)); // it was heard of
	GTC_EXPECT(h_count(h, DP_COUNT_pings_sent) >= 13 && h_count(h, DP_COUNT_pings_sent) <= 16);
	h_destroy(h);
}

// With keepalive 1 3 a client of whole seconds is content with silence of two, no more. Whenever
// our last packet went out, the next Ping comes within one and a half, and a slice of the sweep.
GTC_TEST(path, sweep_in_time)
{
	struct h *h = h_create(1, 0);
	struct h_client_opt opt = { .ping_ms = 1000, .timeout_ms = 60000 };
	uint8_t p[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client c;
	unsigned least = UINT_MAX, most = 0;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	for (unsigned phase = 0; phase < 20; phase++) {
		unsigned silence = 0, pings = 0;

		for (unsigned i = 0; i <= phase; i++)
			h_pass(h, 50);
		h_inner_in(h, 0, p, h_inner(p, OUTSIDE, H_TUNNEL(1), 100, false));
		h_run(h);
		while (h_datagram_out(h, &d))
			;
		while (pings < 5) {
			h_pass(h, 50);
			silence += 50;
			GTC_ASSERT(silence < 3000);
			if (!h_datagram_out(h, &d))
				continue;
			least = silence < least ? silence : least;
			most = silence > most ? silence : most;
			silence = 0;
			pings++;
		}
	}
	GTC_EXPECT(least >= 450);
	GTC_EXPECT(most > 1000 && most <= 1700);
	h_destroy(h);
}

static size_t occ(struct h_client *c, uint8_t op, uint16_t size, uint8_t *wire)
{
	struct ovpn_occ q = { .op = op, .load_size = size };
	uint8_t plain[64];
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_occ_build(&q, plain, sizeof(plain), &len), 0);
	return h_seal(c, plain, len, wire);
}

GTC_TEST(path, occ)
{
	struct h *h = h_create(1, 0);
	uint8_t wire[H_FRAME_MAX], plain[H_FRAME_MAX];
	struct ovpn_occ a;
	struct h_datagram d;
	struct shm_event ev;
	struct h_client c;
	int len;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	while (h_event(h, 0, &ev))
		;
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_REQUEST, 0, wire));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	len = h_open(&c, &d, plain);
	GTC_ASSERT_INT(ovpn_occ_parse(plain, (size_t)len, &a), 0);
	GTC_EXPECT_INT(a.op, OVPN_OCC_REPLY);
	GTC_EXPECT_MEM(a.options.data, "V4,dev-type tun", 15);
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_MTU_LOAD_REQUEST, 600, wire));
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_REQUEST, 0, wire)); // the third in a second
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT(d.len >= 590 && d.len <= 600);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_drops(h, DP_DROP_occ_limit), 1);
	h_pass(h, 1100);
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_MTU_LOAD_REQUEST, 65000, wire));
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_MTU_REQUEST, 0, wire));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT(d.len <= 1250);
	GTC_ASSERT(h_datagram_out(h, &d));
	len = h_open(&c, &d, plain);
	GTC_ASSERT_INT(ovpn_occ_parse(plain, (size_t)len, &a), 0);
	GTC_EXPECT_INT(a.op, OVPN_OCC_MTU_REPLY);
	GTC_EXPECT(!h_event(h, 0, &ev));
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_EXIT, 0, wire));
	h_run(h);
	GTC_ASSERT(h_event(h, 0, &ev));
	GTC_EXPECT_INT(ev.kind, SHM_EVENT_EXIT);
	// Answers and fillers of ours don't come back to us.
	h_from(h, 0, &c, wire, occ(&c, OVPN_OCC_MTU_REPLY, 0, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_occ_malformed), 1);
	h_destroy(h);
}

// Where the inner port doesn't lead to the kernel, the dataplane is the router that counts down.
GTC_TEST(path, time_to_live)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)inner;
	struct h_datagram d;
	struct h_client c;

	h->core.port[1].flags &= (uint16_t)~DP_PORT_KERNEL_PEER;
	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 100, false);
	h_from(h, 0, &c, wire, h_seal(&c, inner, 100, wire));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 100);
	GTC_EXPECT_INT(got[8], 63);
	GTC_EXPECT_INT(rte_raw_cksum(got, 20), 0xffff);
	ip->time_to_live = 1;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	h_from(h, 0, &c, wire, h_seal(&c, inner, 100, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_ttl), 1);
	GTC_EXPECT_INT(h_inner_out(h, got), 0);
	GTC_ASSERT(h_datagram_out(h, &d)); // time exceeded, from the server's tunnel address
	GTC_EXPECT_INT(h_open(&c, &d, got), 20 + 8 + 100);
	ip = (struct rte_ipv4_hdr *)got;
	GTC_EXPECT_INT(rte_be_to_cpu_32(ip->src_addr), H_KERNEL);
	GTC_EXPECT_INT(rte_be_to_cpu_32(ip->dst_addr), H_TUNNEL(1));
	GTC_EXPECT_INT(got[20], 11);
	GTC_EXPECT_INT(rte_raw_cksum(got + 20, 108), 0xffff);
	h_destroy(h);
}
