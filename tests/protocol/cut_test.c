// SPDX-License-Identifier: BSD-3-Clause
// Large packets of the device are cut: lengths, numbers, flags and checksums of every piece.
#include "protocol/cut.h"

#include <errno.h>

#include "protocol/checksum.h"
#include "tests/gtc.h"
#include "tests/protocol/flow.h"

static uint8_t packet[70000], piece[70000], want[70000];

static struct virtio_net_hdr vnet_of(const struct flow_packet *f, size_t size)
{
	struct virtio_net_hdr v = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_size = (uint16_t)size,
		.csum_start = f->ip6 ? 40 : 20,
		.csum_offset = f->tcp ? 16 : 6 };

	v.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	if (f->tcp)
		v.gso_type = f->ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	return v;
}

// Cut a packet of so many bytes into pieces of size and compare each with the packet that a sender
// without offloads would have made.
static void check_cut(struct flow_packet f, size_t total, size_t size)
{
	struct virtio_net_hdr vnet = vnet_of(&f, size);
	struct ovpn_cut cut;
	size_t len, at = 0;
	uint8_t flags = f.flags;

	f.payload = total;
	len = flow_make(packet, &f, true);
	GTC_ASSERT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), 1);
	for (unsigned n = 0; at < total; n++) {
		size_t now = total - at < size ? total - at : size;

		len = ovpn_cut_next(&cut, piece);
		f.payload = now;
		f.flags = flags;
		if (at + now < total)
			f.flags &= (uint8_t)~0x09; // FIN and PSH stay with the last
		if (at > 0)
			f.flags &= (uint8_t)~0x80; // CWR stays with the first
		GTC_ASSERT_INT(len, flow_make(want, &f, false));
		GTC_EXPECT_MEM(piece, want, len);
		GTC_EXPECT(flow_right(piece, len));
		GTC_EXPECT(len <= ovpn_cut_piece(&cut));
		f.id++;
		f.seq += (uint32_t)now;
		at += now;
	}
	GTC_EXPECT_INT(ovpn_cut_next(&cut, piece), 0);
}

GTC_TEST(cut, tcp)
{
	static const size_t totals[] = { 1, 2, 1363, 1364, 1365, 2726, 4001, 65000 };

	for (unsigned i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
		for (unsigned ip6 = 0; ip6 < 2; ip6++) {
			struct flow_packet f = { .ip6 = ip6,
				.tcp = true,
				.host = 5,
				.port = 40000,
				.id = 0xFFF0,
				.df = true,
				.seq = 0xFFFFFF00u,
				.ack = 77,
				.window = 500,
				.flags = 0x98 + ip6, // CWR, ACK, PSH, and FIN
				.options = 12 };

			check_cut(f, totals[i], 1364);
			check_cut(f, totals[i], 1363); // payloads of odd length
		}
	}
}

// The pattern of a UDP packet's payload runs on from piece to piece by seq.
GTC_TEST(cut, udp)
{
	for (unsigned ip6 = 0; ip6 < 2; ip6++) {
		struct flow_packet f = { .ip6 = ip6, .host = 9, .port = 53, .id = 7 };

		check_cut(f, 1200 * 50, 1200);
		check_cut(f, 1201 * 3 + 1, 1201);
		check_cut(f, 7, 1200);
	}
}

// A packet as it is, whose checksum was left to the device.
GTC_TEST(cut, checksum_alone)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		for (size_t payload = 0; payload < 70; payload++) {
			struct flow_packet f = { .ip6 = kind & 1,
				.tcp = kind & 2,
				.host = 1,
				.port = (uint16_t)payload,
				.flags = 0x10,
				.payload = payload };
			struct virtio_net_hdr vnet = vnet_of(&f, 0);
			size_t len = flow_make(packet, &f, true);
			struct ovpn_cut cut;

			vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
			GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), 0);
			GTC_EXPECT(flow_right(packet, len));
		}
	}
}

GTC_TEST(cut, nothing_to_do)
{
	struct virtio_net_hdr vnet = { 0 };
	struct flow_packet f = { .payload = 10 };
	size_t len = flow_make(packet, &f, false);
	struct ovpn_cut cut;

	memcpy(want, packet, len);
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), 0);
	GTC_EXPECT_MEM(packet, want, len);
}

GTC_TEST(cut, contradictions)
{
	struct flow_packet f = { .tcp = true, .flags = 0x10, .payload = 3000 };
	struct virtio_net_hdr good = vnet_of(&f, 1000), vnet;
	size_t len = flow_make(packet, &f, true);
	struct ovpn_cut cut;

	GTC_EXPECT_INT(ovpn_cut_begin(&good, packet, len, &cut), 1);
	vnet = good;
	vnet.gso_size = 0;
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), -EBADMSG);
	vnet = good;
	vnet.flags = 0;
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), -EBADMSG);
	vnet = good;
	vnet.csum_start = 24;
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), -EBADMSG);
	vnet = good;
	vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), -EBADMSG);
	vnet.gso_type = 3; // UFO: never asked for
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), -EPROTO);
	GTC_EXPECT_INT(ovpn_cut_begin(&good, packet, 40, &cut), -EBADMSG); // headers alone
	GTC_EXPECT_INT(ovpn_cut_begin(&good, packet, 0, &cut), -EBADMSG);
	packet[20 + 12] = 0xF0; // TCP header longer than the packet, and shorter than any
	GTC_EXPECT_INT(ovpn_cut_begin(&good, packet, 70, &cut), -EBADMSG);
	packet[20 + 12] = 0x40;
	GTC_EXPECT_INT(ovpn_cut_begin(&good, packet, len, &cut), -EBADMSG);
	vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = 65000
	};
	GTC_EXPECT_INT(ovpn_cut_begin(&vnet, packet, len, &cut), -EBADMSG);
}

GTC_TEST(checksum, agrees_with_the_rfc)
{
	for (size_t i = 0; i < 400; i++)
		packet[i] = (uint8_t)(i * 31 + (i / 7) * 5 + 0x80);
	for (size_t off = 0; off < 4; off++) {
		for (size_t len = 0; len < 300; len++) {
			uint16_t got = ovpn_sum_fold(ovpn_sum_add(0, packet + off, len));
			uint16_t expect = flow_sum(0, packet + off, len);
			uint8_t bytes[2];

			memcpy(bytes, &got, 2);
			GTC_EXPECT_INT(bytes[0] << 8 | bytes[1], expect);
		}
	}
	memset(packet, 0xFF, 65536);
	GTC_EXPECT_INT(ovpn_sum_fold(ovpn_sum_add(UINT32_MAX, packet, 65536)), UINT16_MAX);
}
