// SPDX-License-Identifier: BSD-3-Clause
#include "client/inner.h"

#include "protocol/bytes.h"
#include "tests/gtc.h"

// The sum over TCP header and pseudo header; 0xFFFF when the checksum in it is right.
static uint16_t tcp_sum(const uint8_t *ip)
{
	uint32_t s = 6 + 24;

	for (unsigned i = 12; i < 20 + 24; i += 2)
		s += ovpn_get_be16(ip + i);
	while (s >> 16 != 0)
		s = (s & 0xFFFF) + (s >> 16);
	return (uint16_t)s;
}

// IPv4, TCP SYN with an MSS option (at an odd offset behind a NOP if shift) and a right checksum.
static void syn(uint8_t *p, uint16_t mss, bool shift)
{
	uint8_t *tcp = p + 20, *option = tcp + 20 + (shift ? 1 : 0);

	memset(p, 0, 64);
	p[0] = 0x45;
	p[9] = 6;
	memcpy(p + 12, "\x0a\x08\x00\x02\x0a\x08\x00\x01", 8);
	tcp[12] = shift ? 0x70 : 0x60;
	tcp[13] = 0x02;
	if (shift)
		tcp[20] = 1;
	option[0] = 2;
	option[1] = 4;
	ovpn_put_be16(option + 2, mss);
	if (!shift)
		ovpn_put_be16(tcp + 16, (uint16_t)~tcp_sum(p));
}

GTC_TEST(inner, clamps_a_syn)
{
	uint8_t p[64];

	syn(p, 1460, false);
	GTC_EXPECT_INT(tcp_sum(p), 0xFFFF);
	GTC_EXPECT(vc_mss_clamp(p, 44, 1400));
	GTC_EXPECT_INT(ovpn_get_be16(p + 42), 1400);
	GTC_EXPECT_INT(tcp_sum(p), 0xFFFF);
	GTC_EXPECT(!vc_mss_clamp(p, 44, 1400)); // low enough now
}

GTC_TEST(inner, leaves_the_rest)
{
	uint8_t p[64];

	syn(p, 1460, false);
	GTC_EXPECT(!vc_mss_clamp(p, 44, 0));
	for (size_t len = 0; len < 44; len++)
		GTC_EXPECT(!vc_mss_clamp(p, len, 1400));
	p[33] = 0x10; // no SYN
	GTC_EXPECT(!vc_mss_clamp(p, 44, 1400));
	syn(p, 1460, false);
	p[7] = 1; // a later fragment
	GTC_EXPECT(!vc_mss_clamp(p, 44, 1400));
	syn(p, 1460, false);
	p[9] = 17; // UDP
	GTC_EXPECT(!vc_mss_clamp(p, 44, 1400));
	syn(p, 1460, false);
	p[41] = 1; // an option of impossible length
	GTC_EXPECT(!vc_mss_clamp(p, 44, 1400));
	syn(p, 1460, true);
	GTC_EXPECT(vc_mss_clamp(p, 48, 1400));
	GTC_EXPECT_INT(ovpn_get_be16(p + 43), 1400);
}

// Protocol.md 9.10 has the figures of stock peers.
GTC_TEST(inner, mss_of_stock_clients)
{
	struct cfg_remote r = { .mssfix = 1492, .mssfix_mtu = true };

	GTC_EXPECT_INT(vc_mss(&r, 1500, 24, false), 1400);
	GTC_EXPECT_INT(vc_mss(&r, 1500, 21, false), 1403);
	GTC_EXPECT_INT(vc_mss(&r, 1500, 24, true), 1380);
	GTC_EXPECT_INT(vc_mss(&r, 1400, 24, false), 1360);
	r.mssfix_mtu = false;
	r.mssfix = 1300;
	GTC_EXPECT_INT(vc_mss(&r, 1500, 24, false), 1236);
	r.mssfix_fixed = true;
	GTC_EXPECT_INT(vc_mss(&r, 1500, 24, false), 1300);
	r.mssfix = 0;
	GTC_EXPECT_INT(vc_mss(&r, 1500, 24, false), 0);
	r.mssfix_fixed = false;
	r.mssfix = 30;
	GTC_EXPECT_INT(vc_mss(&r, 1500, 24, false), 0);
}
