// SPDX-License-Identifier: BSD-3-Clause
#include "client/inner.h"

#include "protocol/bytes.h"

#define TCP_HEADER_MIN 20
#define TCP_FLAG_SYN 0x02
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_MSS 2
#define PROTO_TCP 6

// Correct a ones-complement checksum for a 16-bit word that changed (RFC 1624, equation 3). A word
// at an odd offset has its bytes swapped in the sum.
static void checksum_update(uint8_t *sum, uint16_t before, uint16_t after, bool odd)
{
	uint32_t s = (uint16_t)~ovpn_get_be16(sum);

	if (odd) {
		before = __builtin_bswap16(before);
		after = __builtin_bswap16(after);
	}
	s += (uint16_t)~before;
	s += after;
	s = (s & 0xFFFF) + (s >> 16);
	s = (s & 0xFFFF) + (s >> 16);
	ovpn_put_be16(sum, (uint16_t)~s);
}

static bool clamp_tcp(uint8_t *tcp, size_t len, unsigned mss)
{
	size_t header, at = TCP_HEADER_MIN;

	if (len < TCP_HEADER_MIN || (tcp[13] & TCP_FLAG_SYN) == 0)
		return false;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < TCP_HEADER_MIN || header > len)
		return false;
	while (at < header && tcp[at] != TCP_OPTION_END) {
		size_t size;

		if (tcp[at] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= header)
			return false;
		size = tcp[at + 1];
		if (size < 2 || at + size > header)
			return false;
		if (tcp[at] == TCP_OPTION_MSS && size == 4) {
			uint16_t old = ovpn_get_be16(tcp + at + 2);

			if (old <= mss)
				return false;
			ovpn_put_be16(tcp + at + 2, (uint16_t)mss);
			checksum_update(tcp + 16, old, (uint16_t)mss, (at & 1) != 0);
			return true;
		}
		at += size;
	}
	return false;
}

bool vc_mss_clamp(uint8_t *packet, size_t len, unsigned mss)
{
	if (mss == 0 || len < 20)
		return false;
	if (packet[0] >> 4 == 4) {
		size_t header = (size_t)(packet[0] & 15) * 4;

		// Only first fragments hold a TCP header.
		if (header < 20 || header > len || packet[9] != PROTO_TCP ||
			(ovpn_get_be16(packet + 6) & 0x1FFF) != 0)
			return false;
		return clamp_tcp(packet + header, len - header, mss);
	}
	if (packet[0] >> 4 == 6 && len >= 40 && packet[6] == PROTO_TCP && mss > 20)
		return clamp_tcp(packet + 40, len - 40, mss - 20);
	return false;
}

uint16_t vc_fragment_max(const struct cfg_remote *remote, bool outer_ipv6)
{
	uint32_t outer = outer_ipv6 ? 48 : 28;

	return (uint16_t)(remote->fragment_mtu ? remote->fragment - outer : remote->fragment);
}

unsigned vc_mss(
	const struct cfg_remote *remote, uint32_t tun_mtu, unsigned overhead, bool outer_ipv6)
{
	unsigned outer = outer_ipv6 ? 48 : 28;

	if (remote->mssfix == 0)
		return 0;
	if (remote->mssfix_fixed)
		return remote->mssfix;
	if (tun_mtu != 1500)
		return tun_mtu > 40 ? tun_mtu - 40 : 0;
	if (!remote->mssfix_mtu)
		outer = 0;
	if (remote->mssfix <= overhead + outer + 40)
		return 0;
	return remote->mssfix - (overhead + outer) - 40;
}
