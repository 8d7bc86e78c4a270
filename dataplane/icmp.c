// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors of the router that this dataplane is. Source: RFC 792, RFC 1191, RFC 1812 4.3.2.
#include <string.h>
#include <sys/socket.h>

#include <rte_icmp.h>

#include "dataplane/path.h"

#define QUOTE_MAX 548u // of the offending packet: all of it up to 576 bytes (RFC 1812)
#define TTL 64
#define ICMP_UNREACHABLE 3
#define ICMP_FRAG_NEEDED 4

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
	if (w->now_ms - w->icmp_refill_ms >= 1000) {
		w->icmp_refill_ms = w->now_ms;
		w->icmp_tokens = DP_ICMP_PER_SECOND;
	}
	if (w->icmp_tokens == 0)
		return false;
	w->icmp_tokens--;
	return true;
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
