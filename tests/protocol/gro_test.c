// SPDX-License-Identifier: BSD-3-Clause
// Packets of the server are joined for the device: cutting what was written must give the very
// packets that came, in the order of each flow, and what doesn't belong together stays apart.
#include "protocol/gro.h"

#include "protocol/cut.h"
#include "tests/gtc.h"
#include "tests/protocol/flow.h"

#define MANY 200

// What came, what was written, and what cutting that gives.
static uint8_t in[MANY][1600], joined[70000], piece[2000];
static size_t in_len[MANY];
static uint8_t out[MANY][1600];
static size_t out_len[MANY];
static unsigned n_in, n_out, n_writes;

static void collect(uint8_t *p, size_t len)
{
	GTC_ASSERT(n_out < MANY && len <= sizeof(out[0]));
	memcpy(out[n_out], p, len);
	out_len[n_out++] = len;
}

static void on_write(void *arg, const struct virtio_net_hdr *vnet, struct iovec *iov, unsigned n,
	unsigned packets)
{
	struct ovpn_cut cut;
	size_t len = 0;
	unsigned pieces = 0;

	(void)arg;
	n_writes++;
	GTC_EXPECT_INT(packets, n);
	for (unsigned i = 1; i <= n; i++) {
		memcpy(joined + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		GTC_EXPECT_INT(vnet->flags, 0); // the kernel checks the checksums itself
		collect(joined, len);
		return;
	}
	GTC_ASSERT_INT(ovpn_cut_begin(vnet, joined, len, &cut), 1);
	while ((len = ovpn_cut_next(&cut, piece)) > 0) {
		collect(piece, len);
		pieces++;
	}
	GTC_EXPECT_INT(pieces, packets);
}

static struct ovpn_gro gro;

static void begin(void)
{
	memset(&gro, 0, sizeof(gro));
	gro.write = on_write;
	gro.tcp = true;
	gro.udp = true;
	n_in = 0;
	n_out = 0;
	n_writes = 0;
}

static uint8_t copies[MANY][1600];

static void add(const uint8_t *p, size_t len)
{
	memcpy(in[n_in], p, len);
	in_len[n_in] = len;
	memcpy(copies[n_in], p, len); // joining changes the packets
	ovpn_gro_add(&gro, copies[n_in++], len);
}

static void add_flow(const struct flow_packet *f)
{
	uint8_t p[1600];

	add(p, flow_make(p, f, false));
}

// All that came came out, the same bytes; in the order of coming if there is one flow.
static void end(unsigned writes)
{
	ovpn_gro_flush(&gro);
	GTC_EXPECT_INT(n_writes, writes);
	GTC_ASSERT_INT(n_out, n_in);
	for (unsigned i = 0; i < n_in; i++) {
		GTC_ASSERT_INT(out_len[i], in_len[i]);
		GTC_EXPECT_MEM(out[i], in[i], in_len[i]);
	}
}

static struct flow_packet tcp_packet(bool ip6)
{
	return (struct flow_packet){ .ip6 = ip6,
		.tcp = true,
		.host = 2,
		.port = 443,
		.id = 0xFFFE,
		.df = true,
		.seq = 0xFFFFF000u,
		.ack = 9,
		.window = 300,
		.flags = 0x10,
		.options = 12,
		.payload = 1300 };
}

static void next(struct flow_packet *f)
{
	f->seq += (uint32_t)f->payload;
	f->id++;
}

GTC_TEST(gro, joins_a_stream)
{
	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		struct flow_packet f = tcp_packet(ip6);

		begin();
		for (unsigned i = 0; i < 30; i++, next(&f))
			add_flow(&f);
		f.payload = 77; // a shorter one ends it
		add_flow(&f);
		end(1);
	}
}

GTC_TEST(gro, stops_at_the_kernels_limits)
{
	struct flow_packet f = tcp_packet(false);

	begin();
	for (unsigned i = 0; i < 60; i++, next(&f))
		add_flow(&f);
	end(2); // 65535 bytes
	f = tcp_packet(true);
	f.payload = 100;
	begin();
	for (unsigned i = 0; i < 130; i++, next(&f))
		add_flow(&f);
	end(3); // 64 packets
}

GTC_TEST(gro, joins_datagrams)
{
	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		struct flow_packet f = {
			.ip6 = ip6, .host = 2, .port = 53, .id = 5, .payload = 1201
		};

		begin();
		for (unsigned i = 0; i < 20; i++, next(&f))
			add_flow(&f);
		f.payload = 3;
		add_flow(&f);
		f.payload = 1201; // behind a shorter one something new begins
		f.seq += 3;
		f.id++;
		add_flow(&f);
		end(2);
	}
}

// Each of these differs from its predecessor in one thing that cutting could not give back.
GTC_TEST(gro, keeps_apart_what_differs)
{
	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		for (unsigned what = 0; what < 15; what++) {
			struct flow_packet f = tcp_packet(ip6);
			uint8_t p[1600];
			uint8_t *head = p + (ip6 ? 40 : 20);
			size_t len;

			begin();
			add_flow(&f);
			next(&f);
			switch (what) {
			case 0: f.seq++; break;
			case 1: f.seq -= 1300; break; // the same again
			case 2: f.ack++; break;
			case 3: f.window++; break;
			case 4: f.options = 16; break;
			case 5: f.flags = 0x11; break; // FIN
			case 6: f.flags = 0x30; break; // URG
			case 7: f.flags = 0x50; break; // ECE
			case 8: f.flags = 0x14; break; // RST
			case 9: f.payload = 1301; break;
			case 10: f.payload = 0; break;
			default: break;
			}
			len = flow_make(p, &f, false);
			switch (what) {
			case 11:
				head[25] ^= 1;
				break; // an option's byte; the checksum is wrong, too
			case 12: p[len - 1] ^= 1; break; // checksum
			case 13: p[ip6 ? 1 : 8] ^= 0x10; break; // class; time to live and its sum
			case 14: head[12] |= 1; break; // reserved bits
			default: break;
			}
			add(p, len);
			end(2);
		}
	}
}

GTC_TEST(gro, other_addresses_and_ports)
{
	struct flow_packet f = tcp_packet(false), g = f;

	g.host = 3;
	begin();
	add_flow(&f);
	add_flow(&g);
	g.host = 2;
	g.port = 80;
	add_flow(&g);
	g = tcp_packet(true);
	add_flow(&g);
	g.tcp = false;
	g.options = 0;
	add_flow(&g);
	end(5);
}

// Two streams come mixed: each is joined by itself.
GTC_TEST(gro, streams_side_by_side)
{
	struct flow_packet f = tcp_packet(false), g = tcp_packet(true);

	begin();
	for (unsigned i = 0; i < 10; i++, next(&f), next(&g)) {
		add_flow(&f);
		add_flow(&g);
	}
	ovpn_gro_flush(&gro);
	GTC_EXPECT_INT(n_writes, 2);
	GTC_EXPECT_INT(n_out, 20);
	for (unsigned i = 0; i < 10 && n_out == 20; i++) {
		GTC_EXPECT_MEM(out[i], in[2 * i], in_len[2 * i]);
		GTC_EXPECT_MEM(out[10 + i], in[2 * i + 1], in_len[2 * i + 1]);
	}
}

// More streams than are kept: nothing is lost, and the order of each stays.
GTC_TEST(gro, many_streams)
{
	uint32_t seen[20] = { 0 };

	begin();
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned s = 0; s < 20; s++) {
			struct flow_packet f = tcp_packet(false);

			f.port = (uint16_t)(1000 + s);
			f.seq = 1000 + 100 * round;
			f.payload = 100;
			add_flow(&f);
		}
	}
	ovpn_gro_flush(&gro);
	GTC_ASSERT_INT(n_out, 100);
	for (unsigned i = 0; i < n_out; i++) {
		unsigned s = (unsigned)(out[i][20] << 8 | out[i][21]) - 1000;
		uint32_t seq = (uint32_t)(out[i][26] << 8 | out[i][27]);

		GTC_ASSERT(s < 20);
		GTC_EXPECT(flow_right(out[i], out_len[i]));
		GTC_EXPECT(seq > seen[s]);
		seen[s] = seq;
	}
}

// What ends a burst (PSH) is the last of its joined packet, and keeps its flag.
GTC_TEST(gro, push_ends_a_packet)
{
	struct flow_packet f = tcp_packet(false);

	begin();
	for (unsigned i = 0; i < 6; i++, next(&f)) {
		f.flags = i == 2 ? 0x18 : 0x10;
		add_flow(&f);
	}
	end(2);
}

// A pure acknowledgement passes what is joined of other flows, but nothing of its own.
GTC_TEST(gro, acknowledgement_keeps_its_place)
{
	struct flow_packet f = tcp_packet(false), ack;

	begin();
	add_flow(&f);
	next(&f);
	add_flow(&f);
	next(&f);
	ack = f;
	ack.payload = 0;
	add_flow(&ack);
	add_flow(&f);
	end(3);
}

// Where fragmenting is allowed the ids are somebody's key to put fragments together again.
GTC_TEST(gro, ids_count_where_fragments_may_be)
{
	struct flow_packet f = { .host = 2, .port = 53, .id = 5, .payload = 500 };

	begin();
	add_flow(&f);
	f.id = 9;
	add_flow(&f);
	end(2);
	begin();
	f.df = true;
	f.id = 0;
	add_flow(&f);
	add_flow(&f);
	ovpn_gro_flush(&gro);
	GTC_EXPECT_INT(n_writes, 1); // their ids mean nothing
}

GTC_TEST(gro, fragments_and_strangers)
{
	struct flow_packet f = tcp_packet(false);
	uint8_t p[1600];
	size_t len;

	begin();
	add_flow(&f);
	next(&f);
	add_flow(&f);
	next(&f);
	len = flow_make(p, &f, false);
	p[6] = 0x20; // more fragments
	add(p, len);
	add(p, 10); // hardly a header
	p[0] = 0x46; // with options
	add(p, len);
	p[0] = 0x45;
	p[6] = 0x40;
	add(p, len - 1); // lengths disagree
	p[9] = 1; // ICMP
	add(p, len);
	end(6);
}

GTC_TEST(gro, without_the_kernels_help)
{
	struct flow_packet f = tcp_packet(false);

	begin();
	gro.tcp = false;
	add_flow(&f);
	next(&f);
	add_flow(&f);
	end(2);
}

// A datagram without a checksum has none that could vouch for it.
GTC_TEST(gro, datagrams_without_checksum)
{
	struct flow_packet f = { .host = 2, .port = 53, .id = 5, .payload = 500 };
	uint8_t p[1600];

	begin();
	for (unsigned i = 0; i < 3; i++, next(&f)) {
		size_t len = flow_make(p, &f, false);

		p[26] = 0;
		p[27] = 0;
		add(p, len);
	}
	end(3);
}
