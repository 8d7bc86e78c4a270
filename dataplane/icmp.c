// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors of the router that this dataplane is. Source: RFC 792, RFC 1191, RFC 1812 4.3.2; RFC
// 4443.
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_icmp.h>

#include "dataplane/path.h"
#include "protocol/bytes.h"

#define QUOTE_MAX 548u // of the offending packet: all of it up to 576 bytes (RFC 1812)
#define TTL 64
#define ICMP_UNREACHABLE 3
#define ICMP_FRAG_NEEDED 4
#define QUOTE6_MAX (1280u - 48u) // the error fits the smallest MTU of IPv6 (RFC 4443 2.4 c)
#define ICMP6_LEN 8u

// Errors of both families share one rate.
static bool take_token(struct dp_worker *w)
{
	if (w->now_ms - w->icmp_refill_ms >= 1000) {
		w->icmp_refill_ms = w->now_ms;
		w->icmp_tokens = DP_ICMP_PER_SECOND;
	}
	if (w->icmp_tokens == 0)
		return false;
	w->icmp_tokens--;
	return true;
}

// RFC 1812 4.3.2.7: never about an ICMP error, a later fragment, or a source that is nobody.
static bool allowed(struct dp_worker *w, const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint16_t hdr_len = (ip->version_ihl & 0xf) * 4;
	uint8_t first = (uint8_t)ip->src_addr;

	if (first == 0 || first == 127 || first >= 224)
		return false;
	if ((ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	if (ip->next_proto_id == IPPROTO_ICMP) {
		const uint8_t *type = (const uint8_t *)ip + hdr_len;

		if (hdr_len >= len || (*type != 0 && *type != 8))
			return false;
	}
	return take_token(w);
}

// Our address in the tunnel: the server's own, which the kernel behind the inner port has.
static uint32_t own_address(const struct dp_worker *w)
{
	uint32_t addr = 0;

	for (unsigned i = 0; i < w->config->subnets && addr == 0; i++) {
		if (w->config->subnet[i].server.family == AF_INET)
			memcpy(&addr, w->config->subnet[i].server.bytes, 4);
	}
	return addr;
}

void dp_icmp_error(struct dp_worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code,
	uint16_t mtu, uint32_t to_slot, uint16_t generation)
{
	const struct rte_ipv4_hdr *bad = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint32_t len = rte_pktmbuf_pkt_len(m);
	uint16_t quote = (uint16_t)(len < QUOTE_MAX ? len : QUOTE_MAX);
	uint32_t src = own_address(w);
	struct rte_ipv4_hdr *ip;
	struct rte_icmp_hdr *icmp;
	struct rte_mbuf *e;

	if (src == 0 || !allowed(w, bad, len))
		return;
	e = rte_pktmbuf_alloc(w->core->pool);
	if (e == NULL)
		return;
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_append(
		e, (uint16_t)(sizeof(*ip) + sizeof(*icmp) + quote));
	icmp = (struct rte_icmp_hdr *)(ip + 1);
	memset(ip, 0, sizeof(*ip) + sizeof(*icmp));
	memcpy(icmp + 1, bad, quote);
	icmp->icmp_type = type;
	icmp->icmp_code = code;
	if (type == ICMP_UNREACHABLE && code == ICMP_FRAG_NEEDED)
		icmp->icmp_seq_nb = rte_cpu_to_be_16(mtu);
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, sizeof(*icmp) + quote);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->type_of_service = 0xc0; // internetwork control, as RFC 1812 asks
	ip->total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(e));
	ip->packet_id = rte_cpu_to_be_16(w->ip_id++);
	ip->time_to_live = TTL;
	ip->next_proto_id = IPPROTO_ICMP;
	ip->src_addr = src;
	ip->dst_addr = bad->src_addr;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	dp_count(w, DP_COUNT_icmp_sent, 1);
	*dp_meta(e) = (struct dp_meta){ .origin = w->index };
	if (to_slot == SHM_SLOT_NONE)
		dp_inner_send(w, e);
	else
		dp_to_session(w, e, to_slot, generation, DP_META_COUNTED | DP_META_FROM_CLIENT);
}

// RFC 4443 2.4 e: never about an ICMPv6 error or a redirect, to nobody or to many, about a later
// fragment; "packet too big" alone may be about a multicast packet, but those end earlier.
static bool allowed6(struct dp_worker *w, const struct rte_ipv6_hdr *ip, uint32_t len)
{
	static const uint8_t nobody[16];
	const uint8_t *next = (const uint8_t *)(ip + 1);
	uint8_t proto = ip->proto;

	if (ip->src_addr[0] == 0xff || memcmp(ip->src_addr, nobody, 16) == 0 ||
		ip->dst_addr[0] == 0xff)
		return false;
	if (proto == IPPROTO_FRAGMENT && len >= sizeof(*ip) + 2 * ICMP6_LEN) {
		if (next[2] != 0 || (next[3] & 0xf8) != 0)
			return false;
		proto = next[0];
		next += ICMP6_LEN;
	}
	if (proto == IPPROTO_ICMPV6 &&
		((const uint8_t *)ip + len <= next || *next < 128 || *next == 137))
		return false;
	return take_token(w);
}

// As own_address(). A server without IPv6 of its own answers from a link-local address.
static void own_address6(const struct dp_worker *w, uint8_t ret_addr[16])
{
	static const uint8_t link_local[16] = { 0xfe, 0x80, [15] = 1 };

	memcpy(ret_addr, link_local, 16);
	for (unsigned i = 0; i < w->config->subnets; i++) {
		if (w->config->subnet[i].server.family == AF_INET6)
			memcpy(ret_addr, w->config->subnet[i].server.bytes, 16);
	}
}

void dp_icmp6_error(struct dp_worker *w, struct rte_mbuf *m, uint8_t type, uint8_t code,
	uint16_t mtu, uint32_t to_slot, uint16_t generation)
{
	const struct rte_ipv6_hdr *bad = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	uint32_t len = rte_pktmbuf_pkt_len(m);
	uint16_t quote = (uint16_t)(len < QUOTE6_MAX ? len : QUOTE6_MAX), sum;
	struct rte_ipv6_hdr *ip;
	struct rte_mbuf *e;
	uint8_t *icmp;

	if (!allowed6(w, bad, len))
		return;
	e = rte_pktmbuf_alloc(w->core->pool);
	if (e == NULL)
		return;
	ip = (struct rte_ipv6_hdr *)rte_pktmbuf_append(
		e, (uint16_t)(sizeof(*ip) + ICMP6_LEN + quote));
	icmp = (uint8_t *)(ip + 1);
	memset(ip, 0, sizeof(*ip) + ICMP6_LEN);
	memcpy(icmp + ICMP6_LEN, bad, quote);
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(ICMP6_LEN + quote));
	ip->proto = IPPROTO_ICMPV6;
	ip->hop_limits = TTL;
	own_address6(w, ip->src_addr);
	memcpy(ip->dst_addr, bad->src_addr, 16);
	icmp[0] = type;
	icmp[1] = code;
	if (type == DP_ICMP6_TOO_BIG)
		ovpn_put_be32(icmp + 4, mtu);
	sum = rte_ipv6_udptcp_cksum(ip, icmp);
	memcpy(icmp + 2, &sum, sizeof(sum));
	dp_count(w, DP_COUNT_icmp_sent, 1);
	*dp_meta(e) = (struct dp_meta){ .origin = w->index };
	if (to_slot == SHM_SLOT_NONE)
		dp_inner_send(w, e);
	else
		dp_to_session(w, e, to_slot, generation, DP_META_COUNTED | DP_META_FROM_CLIENT);
}
