// SPDX-License-Identifier: BSD-3-Clause
// MSS clamp: a TCP SYN that crosses the tunnel announces at most what fits. Source: protocol.md
// 9.10; RFC 9293 section 3.7.1, RFC 1624 for the checksum.
#include <string.h>

#include <rte_tcp.h>

#include "dataplane/path.h"
#include "protocol/bytes.h"

#define OPT_END 0
#define OPT_NOP 1
#define OPT_MSS 2
#define OPT_MSS_LEN 4

// Replace a 16-bit word at an even or odd offset of a TCP header and mend its checksum.
static void replace16(struct rte_tcp_hdr *tcp, uint8_t *at, uint16_t value)
{
	uint16_t old = ovpn_get_be16(at);
	uint32_t sum;

	ovpn_put_be16(at, value);
	if (((uintptr_t)at - (uintptr_t)tcp) & 1) { // odd: its bytes count with swapped weights
		old = (uint16_t)(old << 8 | old >> 8);
		value = (uint16_t)(value << 8 | value >> 8);
	}
	sum = (uint16_t)~rte_be_to_cpu_16(tcp->cksum) + (uint32_t)(uint16_t)~old + value;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	tcp->cksum = rte_cpu_to_be_16((uint16_t)~sum);
}

static bool clamp(uint8_t *p, uint16_t len, uint16_t mss)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)p;
	uint16_t hdr_len, i = sizeof(*tcp);

	if (len < sizeof(*tcp) || (tcp->tcp_flags & RTE_TCP_SYN_FLAG) == 0)
		return false;
	hdr_len = (tcp->data_off >> 4) * 4;
	if (hdr_len < sizeof(*tcp) || hdr_len > len)
		return false;
	while (i < hdr_len && p[i] != OPT_END) {
		if (p[i] == OPT_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= hdr_len || p[i + 1] < 2 || i + p[i + 1] > hdr_len)
			return false; // malformed: the receiver's to refuse
		if (p[i] == OPT_MSS && p[i + 1] == OPT_MSS_LEN) {
			if (ovpn_get_be16(p + i + 2) <= mss)
				return false;
			replace16(tcp, p + i + 2, mss);
			return true;
		}
		i += p[i + 1];
	}
	return false;
}

bool dp_mss_clamp4(uint8_t *p, uint16_t len, uint16_t mss)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)p;
	uint16_t hdr_len = (ip->version_ihl & 0xf) * 4;

	if (ip->next_proto_id != IPPROTO_TCP || hdr_len > len ||
		(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	return clamp(p + hdr_len, len - hdr_len, mss);
}

bool dp_mss_clamp6(uint8_t *p, uint16_t len, uint16_t mss)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)p;

	if (len < sizeof(*ip) || ip->proto != IPPROTO_TCP)
		return false;
	return clamp(p + sizeof(*ip), (uint16_t)(len - sizeof(*ip)), mss);
}
