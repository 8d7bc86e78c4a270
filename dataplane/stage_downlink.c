// SPDX-License-Identifier: BSD-3-Clause
// Frames of the inner port: plaintext for a session goes to the worker that sends for it.
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/index_iroute.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/path.h"

#define ETH_LEN sizeof(struct rte_ether_hdr)

int dp_route4(struct dp_worker *w, uint32_t addr_be, uint32_t *ret_slot, uint16_t *ret_generation)
{
	struct shm_addr addr = { .family = AF_INET };

	if (w->config->tunnel != NULL &&
		dp_tunnel_index_find4(w->config->tunnel, addr_be, ret_slot, ret_generation) == 0 &&
		dp_live(w->core, *ret_slot, *ret_generation))
		return 0;
	memcpy(addr.bytes, &addr_be, 4);
	if (dp_iroute_index_find(w->core->iroute, &addr, ret_slot, ret_generation) == 0 &&
		dp_live(w->core, *ret_slot, *ret_generation))
		return 0;
	return -ENOENT;
}

int dp_route6(
	struct dp_worker *w, const uint8_t addr[16], uint32_t *ret_slot, uint16_t *ret_generation)
{
	struct shm_addr a = { .family = AF_INET6 };

	memcpy(a.bytes, addr, 16);
	if (w->config->tunnel != NULL &&
		dp_tunnel_index_find(w->config->tunnel, &a, ret_slot, ret_generation) == 0 &&
		dp_live(w->core, *ret_slot, *ret_generation))
		return 0;
	if (dp_iroute_index_find(w->core->iroute, &a, ret_slot, ret_generation) == 0 &&
		dp_live(w->core, *ret_slot, *ret_generation))
		return 0;
	return -ENOENT;
}

void dp_to_session(
	struct dp_worker *w, struct rte_mbuf *m, uint32_t slot, uint16_t generation, uint16_t flags)
{
	struct dp_meta *meta = dp_meta(m);
	uint16_t owner = dp_tx_owner(w->core, slot);

	meta->slot = slot;
	meta->generation = generation;
	meta->flags = flags;
	meta->hops = 0;
	dp_prefetch_tx(w, slot);
	if (likely(owner == w->index))
		dp_down(w, m);
	else
		dp_handoff(w, owner, m, DP_HANDOFF_TX);
}

// Nobody's tunnel address: the kernel's business, where it hasn't seen the frame already.
static void not_for_session(
	struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m, enum dp_drop why)
{
	if (wp->port->flags & DP_PORT_KERNEL_PEER)
		dp_drop(w, m, why);
	else
		dp_kernel_send(w, wp, m);
}

static void downlink4(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	uint32_t room = rte_pktmbuf_pkt_len(m) - (uint32_t)ETH_LEN;
	uint16_t hdr_len, total, generation;
	uint32_t slot;

	if (room < sizeof(*ip)) {
		dp_drop(w, m, DP_DROP_short_frame);
		return;
	}
	hdr_len = (ip->version_ihl & 0xf) * 4;
	total = rte_be_to_cpu_16(ip->total_length);
	if (ip->version_ihl >> 4 != 4 || hdr_len < sizeof(*ip) || total < hdr_len || total > room) {
		dp_drop(w, m, DP_DROP_inner_bad_header);
		return;
	}
	if (dp_route4(w, ip->dst_addr, &slot, &generation) < 0) {
		not_for_session(w, wp, m,
			rte_is_multicast_ether_addr(&eth->dst_addr) ? DP_DROP_inner_multicast
								    : DP_DROP_inner_no_session);
		return;
	}
	w->inner_peer = eth->src_addr;
	rte_pktmbuf_trim(m, (uint16_t)(room - total)); // padding of short frames
	rte_pktmbuf_adj(m, ETH_LEN);
	if (!dp_ttl_down(w, ip, false)) {
		dp_icmp_error(w, m, 11, 0, 0, SHM_SLOT_NONE, 0);
		dp_drop(w, m, DP_DROP_inner_ttl);
		return;
	}
	dp_to_session(w, m, slot, generation, DP_META_COUNTED);
}

static void downlink6(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(eth + 1);
	uint32_t room = rte_pktmbuf_pkt_len(m) - (uint32_t)ETH_LEN;
	uint16_t generation;
	uint32_t slot, total;

	if (room < sizeof(*ip)) {
		dp_drop(w, m, DP_DROP_short_frame);
		return;
	}
	total = rte_be_to_cpu_16(ip->payload_len) + (uint32_t)sizeof(*ip);
	if ((ip->vtc_flow & RTE_BE32(0xf0000000)) != RTE_BE32(0x60000000) || total > room) {
		dp_drop(w, m, DP_DROP_inner_bad_header);
		return;
	}
	if (unlikely(ip->proto == IPPROTO_ICMPV6) && dp_nd(w, wp, m))
		return;
	if (dp_route6(w, ip->dst_addr, &slot, &generation) < 0) {
		not_for_session(w, wp, m,
			rte_is_multicast_ether_addr(&eth->dst_addr) ? DP_DROP_inner_multicast
								    : DP_DROP_inner_no_session);
		return;
	}
	w->inner_peer = eth->src_addr;
	rte_pktmbuf_trim(m, (uint16_t)(room - total));
	rte_pktmbuf_adj(m, ETH_LEN);
	if (!dp_hops_down(w, ip, false)) {
		dp_icmp6_error(w, m, DP_ICMP6_TIME_EXCEEDED, 0, 0, SHM_SLOT_NONE, 0);
		dp_drop(w, m, DP_DROP_inner_ttl);
		return;
	}
	dp_to_session(w, m, slot, generation, DP_META_COUNTED);
}

// Destination of a frame if it is plain IPv4, else 0, which is nobody's.
static inline uint32_t destination4(struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);

	if (m->data_len < ETH_LEN + sizeof(*ip) || eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return 0;
	return ip->dst_addr;
}

void dp_guess_slots(
	struct dp_worker *w, struct rte_mbuf **pkt, uint16_t n, uint32_t ret_slot[DP_BURST])
{
	const struct dp_tunnel_index *ix = w->config != NULL ? w->config->tunnel : NULL;
	uint32_t addr_be[DP_BURST];
	uint16_t generation;

	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkt[i], void *));
	for (uint16_t i = 0; i < n && ix != NULL; i++) {
		addr_be[i] = destination4(pkt[i]);
		dp_tunnel_index_fetch4(ix, addr_be[i]);
	}
	for (uint16_t i = 0; i < n; i++) {
		if (ix == NULL ||
			dp_tunnel_index_find4(ix, addr_be[i], &ret_slot[i], &generation) < 0)
			ret_slot[i] = SHM_SLOT_NONE;
	}
}

void dp_downlink(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	if (w->config == NULL) {
		not_for_session(w, wp, m, DP_DROP_no_control);
		return;
	}
	switch (eth->ether_type) {
	case RTE_BE16(RTE_ETHER_TYPE_IPV4): downlink4(w, wp, m); return;
	case RTE_BE16(RTE_ETHER_TYPE_IPV6): downlink6(w, wp, m); return;
	case RTE_BE16(RTE_ETHER_TYPE_ARP):
		if (dp_arp(w, wp, m))
			return;
		break;
	default: break;
	}
	not_for_session(w, wp, m, DP_DROP_inner_not_ip);
}
