// SPDX-License-Identifier: BSD-3-Clause
// IPv6 outside and inside: a session between families, fragments and extension headers, neighbour
// discovery, whose source is whose, sizes, hop limits.
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "dataplane/index_tunnel.h"
#include "harness.h"
#include "tests/gtc.h"

#define IP_LEN 40u
#define OUTER_LEN (14u + IP_LEN + 8u)

static const struct shm_addr server = { AF_INET6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
static const struct shm_addr roamer = { AF_INET6, { 0x20, 1, 0xd, 0xb8, 0xaa, [15] = 0x50 } };
static const struct shm_addr net = { AF_INET6, { 0xfd, [15] = 0 } };
static const struct shm_addr kernel = { AF_INET6, { 0xfd, [15] = 1 } };

static struct shm_addr tunnel6(uint32_t slot)
{
	struct shm_addr a = net;

	a.bytes[14] = 0x10;
	a.bytes[15] = (uint8_t)slot;
	return a;
}

// The harness's dataplane, with IPv6 on both sides.
static struct h *world(uint32_t flags)
{
	struct h *h = h_create(1, flags);
	struct dp_config *c = &h->config;

	c->listen[c->listens].addr = server;
	c->listen[c->listens++].port_be = rte_cpu_to_be_16(H_PORT);
	c->subnet[c->subnets].addr = net;
	c->subnet[c->subnets].prefix_len = 64;
	c->subnet[c->subnets++].server = kernel;
	dp_tunnel_index_free(c->tunnel);
	c->tunnel = dp_tunnel_index_create(c->subnet, c->subnets);
	GTC_EXPECT(c->tunnel != NULL);
	return h;
}

static void client(struct h *h, uint32_t slot, const struct h_client_opt *opt, struct h_client *c)
{
	struct shm_addr a = tunnel6(slot);

	GTC_EXPECT_INT(h_install(h, slot, opt, c), 0);
	h->core.session[slot].tunnel6 = a;
	GTC_EXPECT_INT(
		dp_tunnel_index_add(h->config.tunnel, h->core.dir, &a, slot, c->generation), 0);
}

static void put_ip6(uint8_t *p, const struct shm_addr *src, const struct shm_addr *dst,
	uint8_t proto, size_t payload)
{
	memset(p, 0, IP_LEN);
	p[0] = 0x60;
	p[4] = (uint8_t)(payload >> 8);
	p[5] = (uint8_t)payload;
	p[6] = proto;
	p[7] = 64;
	memcpy(p + 8, src->bytes, 16);
	memcpy(p + 24, dst->bytes, 16);
}

// An inner packet of UDP, len bytes in all.
static void inner(uint8_t *p, const struct shm_addr *src, const struct shm_addr *dst, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7);
	put_ip6(p, src, dst, IPPROTO_UDP, len - IP_LEN);
}

// UDP header and data from the roamer.
static size_t udp(uint8_t *p, const uint8_t *data, size_t len)
{
	const uint8_t head[8] = { 40, 1, H_PORT >> 8, H_PORT & 0xff, (uint8_t)((len + 8) >> 8),
		(uint8_t)(len + 8) };

	memcpy(p, head, 8);
	memcpy(p + 8, data, len);
	return len + 8;
}

// A frame from the roamer whose payload begins with what proto says.
static void frame_in(struct h *h, uint8_t proto, const uint8_t *payload, size_t len)
{
	uint8_t f[H_FRAME_MAX];

	memset(f, 2, 12);
	f[12] = 0x86;
	f[13] = 0xdd;
	put_ip6(f + 14, &roamer, &server, proto, len);
	memcpy(f + 14 + IP_LEN, payload, len);
	h_frame_in(h, 0, 0, f, 14 + IP_LEN + len);
}

static void outer6(struct h *h, const uint8_t *data, size_t len)
{
	uint8_t p[H_FRAME_MAX];

	frame_in(h, IPPROTO_UDP, p, udp(p, data, len));
}

// A frame of the kernel's to the tunnel.
static void from_kernel(struct h *h, const uint8_t *packet, size_t len)
{
	uint8_t f[H_FRAME_MAX];

	memcpy(f, h->core.tunnel_mac.addr_bytes, 6);
	memcpy(f + 6, h->core.port[1].peer_mac.addr_bytes, 6);
	f[12] = 0x86;
	f[13] = 0xdd;
	memcpy(f + 14, packet, len);
	h_frame_in(h, 1, 0, f, 14 + len);
}

// In pieces of 1,232 bytes, or the last first.
static void fragments(struct h *h, uint8_t id, const uint8_t *data, size_t len, bool backwards)
{
	uint8_t whole[H_FRAME_MAX], p[H_FRAME_MAX];
	size_t all = udp(whole, data, len);

	for (unsigned i = 0; i < 2; i++) {
		size_t off = (i == 0) == backwards ? 1232 : 0;
		size_t part = off == 0 ? 1232 : all - 1232;
		const uint8_t head[8] = { IPPROTO_UDP, 0, (uint8_t)(off >> 8),
			(uint8_t)(off | (off == 0)), 9, 9, 9, id };

		memcpy(p, head, 8);
		memcpy(p + 8, whole + off, part);
		frame_in(h, IPPROTO_FRAGMENT, p, 8 + part);
	}
}

// The next outer frame is one of IPv6 to the roamer with a good checksum. Its payload's length.
static size_t datagram(struct h *h, struct h_datagram *ret_d)
{
	struct h_frame f;
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(f.data + 14);

	if (!h_frame_out(h, 0, &f) || f.len < OUTER_LEN || ip->proto != IPPROTO_UDP)
		return 0;
	GTC_EXPECT_MEM(ip->src_addr, server.bytes, 16);
	GTC_EXPECT_MEM(ip->dst_addr, roamer.bytes, 16);
	GTC_EXPECT_INT(rte_ipv6_udptcp_cksum(ip, ip + 1), 0xffff); // summed with its own
	ret_d->len = (uint16_t)(f.len - OUTER_LEN);
	memcpy(ret_d->data, f.data + OUTER_LEN, ret_d->len);
	return ret_d->len;
}

// IPv4, then IPv6 by a reconfiguration Ping, one answer, data both ways, and back.
GTC_TEST(ipv6, between_families)
{
	struct h *h = world(SHM_HELLO_MOBILITY);
	const struct h_client_opt opt = { .dir_flags = SHM_DIR_MOBILITY };
	const struct shm_addr mine = tunnel6(1);
	uint8_t p[200], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d = { 0 };
	struct h_client c;

	client(h, 1, &opt, &c);
	outer6(h, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h->core.session[1].handovers, 1);
	GTC_ASSERT(datagram(h, &d) > 0);
	GTC_EXPECT_INT(h_open(&c, &d, got), 16); // a Ping
	GTC_EXPECT_INT(datagram(h, &d), 0);
	inner(p, &mine, &kernel, sizeof(p));
	outer6(h, wire, h_seal(&c, p, sizeof(p), wire));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), sizeof(p));
	GTC_EXPECT_MEM(got, p, sizeof(p));
	inner(p, &kernel, &mine, sizeof(p));
	from_kernel(h, p, sizeof(p));
	h_run(h);
	GTC_ASSERT(datagram(h, &d) > 0);
	GTC_EXPECT_INT(h_open(&c, &d, got), sizeof(p));
	GTC_EXPECT_MEM(got, p, sizeof(p));
	h_from(h, 0, &c, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT(h_expect_ping(h, &c, c.addr, c.port));
	GTC_EXPECT_INT(h->core.session[1].handovers, 2);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

GTC_TEST(ipv6, fragments_and_extensions)
{
	struct h *h = world(0);
	const struct shm_addr mine = tunnel6(1);
	uint8_t p[1500], wire[H_FRAME_MAX], ext[H_FRAME_MAX] = { IPPROTO_DSTOPTS, 0, 1, 4 };
	uint8_t got[H_FRAME_MAX];
	struct h_client c;
	struct h_frame f;
	size_t len;

	client(h, 1, NULL, &c);
	inner(p, &mine, &kernel, sizeof(p));
	for (unsigned i = 0; i < 2; i++) {
		len = h_seal(&c, p, sizeof(p), wire);
		fragments(h, (uint8_t)i, wire, len, i == 1);
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), sizeof(p));
		GTC_EXPECT_MEM(got, p, sizeof(p));
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_reassembled), 2);
	// Hop-by-hop and destination options, and an atomic fragment, in front of UDP.
	memcpy(ext + 8, (const uint8_t[]){ IPPROTO_FRAGMENT, 0, 1, 4, 0, 0, 0, 0, IPPROTO_UDP }, 9);
	len = h_seal(&c, p, 100, wire);
	p[4] = 0;
	p[5] = 60;
	len = h_seal(&c, p, 100, wire);
	frame_in(h, IPPROTO_HOPOPTS, ext, 24 + udp(ext + 24, wire, len));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 100);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	// A chain that ends nowhere is the kernel's.
	ext[1] = 200;
	frame_in(h, IPPROTO_HOPOPTS, ext, 64);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_not_ours), 1);
	// Full size down: two pieces with fragment headers.
	inner(p, &kernel, &mine, sizeof(p));
	from_kernel(h, p, sizeof(p));
	h_run(h);
	for (unsigned i = 0; i < 2; i++) {
		GTC_ASSERT(h_frame_out(h, 0, &f));
		GTC_EXPECT(f.len <= 1514);
		GTC_EXPECT_INT(f.data[14 + 6], IPPROTO_FRAGMENT);
		GTC_EXPECT_INT(f.data[14 + IP_LEN], IPPROTO_UDP);
		GTC_EXPECT_INT(f.data[14 + IP_LEN + 3] & 1, i == 0);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_frags_made), 2);
	h_destroy(h);
}

GTC_TEST(ipv6, sources_by_name)
{
	struct h *h = world(0);
	const struct shm_addr mine = tunnel6(1), other = tunnel6(2);
	const struct shm_addr link = { AF_INET6, { 0xfe, 0x80, [15] = 9 } };
	const struct shm_addr all = { AF_INET6, { 0xff, 2, [15] = 2 } };
	const struct shm_addr nobody = { .family = AF_INET6 };
	uint8_t p[100], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_client c, d;
	const struct {
		const struct shm_addr *src, *dst;
		enum dp_drop why;
	} bad[] = { { &other, &kernel, DP_DROP_inner_source },
		{ &server, &kernel, DP_DROP_inner_source },
		{ &link, &all, DP_DROP_inner_link_local },
		{ &nobody, &all, DP_DROP_inner_link_local },
		{ &mine, &all, DP_DROP_inner_multicast },
		{ &mine, &link, DP_DROP_inner_link_local } };

	client(h, 1, NULL, &c);
	client(h, 2, NULL, &d);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = h_drops(h, bad[i].why);

		inner(p, bad[i].src, bad[i].dst, sizeof(p));
		h_from(h, 0, &c, wire, h_seal(&c, p, sizeof(p), wire));
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, bad[i].why), before + 1);
		GTC_EXPECT_INT(h_inner_out(h, got), 0);
	}
	h_destroy(h);
}

GTC_TEST(ipv6, errors)
{
	struct h *h = world(SHM_HELLO_BLOCK_IPV6);
	const struct h_client_opt opt = { .tun_mtu = 1400 };
	const struct shm_addr mine = tunnel6(1);
	uint8_t p[1500], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d = { 0 };
	struct h_client c;

	client(h, 1, &opt, &c);
	// Too big for the client's interface: the sender is told, with as much as 1,280 bytes hold.
	inner(p, &kernel, &mine, 1500);
	from_kernel(h, p, 1500);
	h_run(h);
	GTC_ASSERT_INT(h_inner_out(h, got), 1280);
	GTC_EXPECT_INT(got[IP_LEN], 2);
	GTC_EXPECT_INT(got[IP_LEN + 6] << 8 | got[IP_LEN + 7], 1400);
	GTC_EXPECT_MEM(got + 8, kernel.bytes, 16); // from the server's own address
	GTC_EXPECT_MEM(got + IP_LEN + 8, p, 1280 - IP_LEN - 8);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_too_big), 1);
	// block-ipv6: no route.
	inner(p, &mine, &kernel, 100);
	h_from(h, 0, &c, wire, h_seal(&c, p, 100, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_blocked), 1);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_ASSERT_INT(h_open(&c, &d, got), IP_LEN + 8 + 100);
	GTC_EXPECT_INT(got[IP_LEN], 1);
	GTC_EXPECT_MEM(got + 24, mine.bytes, 16);
	// Never about an error.
	inner(p, &mine, &kernel, 100);
	p[6] = IPPROTO_ICMPV6;
	p[IP_LEN] = 3;
	h_from(h, 0, &c, wire, h_seal(&c, p, 100, wire));
	h_run(h);
	GTC_EXPECT(!h_datagram_out(h, &d));
	h_destroy(h);
}

GTC_TEST(ipv6, neighbours)
{
	struct h *h = world(0);
	const struct shm_addr mine = tunnel6(1), nobody = tunnel6(9);
	const struct shm_addr many = { AF_INET6,
		{ 0xff, 2, [11] = 1, [12] = 0xff, [14] = 0x10, [15] = 1 } };
	uint8_t p[IP_LEN + 32];
	struct rte_ipv6_hdr *ip;
	struct h_client c;
	struct h_frame f;
	uint16_t sum;

	client(h, 1, NULL, &c);
	for (unsigned i = 0; i < 2; i++) {
		put_ip6(p, &kernel, &many, IPPROTO_ICMPV6, 32);
		p[7] = 255;
		memset(p + IP_LEN, 0, 32);
		p[IP_LEN] = 135;
		memcpy(p + IP_LEN + 8, i == 0 ? mine.bytes : nobody.bytes, 16);
		p[IP_LEN + 24] = 1;
		p[IP_LEN + 25] = 1;
		sum = rte_ipv6_udptcp_cksum((struct rte_ipv6_hdr *)p, p + IP_LEN);
		memcpy(p + IP_LEN + 2, &sum, 2);
		from_kernel(h, p, sizeof(p));
		h_run(h);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_nd_answered), 1);
	GTC_ASSERT(h_frame_out(h, 1, &f));
	GTC_EXPECT_INT(f.len, 14 + sizeof(p));
	ip = (struct rte_ipv6_hdr *)(f.data + 14);
	GTC_EXPECT_MEM(ip->src_addr, mine.bytes, 16);
	GTC_EXPECT_MEM(ip->dst_addr, kernel.bytes, 16);
	GTC_EXPECT_INT(f.data[14 + IP_LEN], 136);
	GTC_EXPECT_INT(rte_ipv6_udptcp_cksum(ip, ip + 1), 0); // of anything but UDP
	GTC_EXPECT(!h_frame_out(h, 1, &f));
	h_destroy(h);
}

GTC_TEST(ipv6, hop_limit_and_mss)
{
	struct h *h = world(SHM_HELLO_CLIENT_TO_CLIENT);
	const struct shm_addr mine = tunnel6(1), other = tunnel6(2);
	const struct shm_addr far = { AF_INET6, { 0x20, 1, [15] = 7 } };
	uint8_t p[64], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram out = { 0 };
	struct h_client c, d;

	client(h, 1, NULL, &c);
	client(h, 2, NULL, &d);
	h->core.session[1].mss6 = 1300;
	// Between two clients of one network no hop is counted; the MSS is lowered on the way.
	inner(p, &mine, &other, sizeof(p));
	p[6] = IPPROTO_TCP;
	p[7] = 1;
	memset(p + IP_LEN, 0, 24);
	p[IP_LEN + 12] = 6 << 4;
	p[IP_LEN + 13] = 2; // SYN
	memcpy(p + IP_LEN + 20, (const uint8_t[]){ 2, 4, 0x05, 0xa0 }, 4);
	h_from(h, 0, &c, wire, h_seal(&c, p, sizeof(p), wire));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &out));
	GTC_ASSERT_INT(h_open(&d, &out, got), sizeof(p));
	GTC_EXPECT_INT(got[7], 1);
	GTC_EXPECT_INT(got[IP_LEN + 22] << 8 | got[IP_LEN + 23], 1300);
	// A router does count, and says when it was the last one.
	h->core.port[1].flags = DP_PORT_INNER;
	inner(p, &mine, &far, sizeof(p));
	p[7] = 1;
	h_from(h, 0, &c, wire, h_seal(&c, p, sizeof(p), wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_inner_ttl), 1);
	GTC_ASSERT(h_datagram_out(h, &out));
	GTC_ASSERT(h_open(&c, &out, got) > (int)IP_LEN);
	GTC_EXPECT_INT(got[IP_LEN], 3);
	h_destroy(h);
}
