// SPDX-License-Identifier: BSD-3-Clause
// Frames on their way out: transmit buffers, plaintext out of the inner port, the kernel's share.
#include <string.h>
#include <sys/socket.h>

#include <rte_ethdev.h>

#include "dataplane/path.h"

void dp_port_flush(struct dp_worker *w, struct dp_worker_port *wp)
{
	bool outer = wp == &w->outer;
	uint64_t bytes = wp->tx_bytes;
	uint16_t sent;

	if (wp->tx_n == 0)
		return;
	sent = rte_eth_tx_burst(wp->port->id, (uint16_t)wp->txq, wp->tx, wp->tx_n);
	for (uint16_t i = sent; i < wp->tx_n; i++) {
		bytes -= rte_pktmbuf_pkt_len(wp->tx[i]);
		dp_drop(w, wp->tx[i], DP_DROP_tx_full);
	}
	dp_count(w, outer ? DP_COUNT_outer_tx_packets : DP_COUNT_inner_tx_packets, sent);
	dp_count(w, outer ? DP_COUNT_outer_tx_bytes : DP_COUNT_inner_tx_bytes, bytes);
	wp->tx_n = 0;
	wp->tx_bytes = 0;
}

void dp_port_send(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	if (unlikely(wp->txq < 0)) {
		if (wp->tx_peer == w->index || wp->tx_peer >= w->core->workers) {
			dp_drop(w, m, DP_DROP_no_tx_queue);
			return;
		}
		dp_meta(m)->flags = wp == &w->inner ? DP_META_FRAME_INNER : 0;
		dp_meta(m)->hops = 0;
		dp_handoff(w, wp->tx_peer, m, DP_HANDOFF_FRAME);
		return;
	}
	wp->tx_bytes += rte_pktmbuf_pkt_len(m); // counted here, while the buffer is at hand
	wp->tx[wp->tx_n++] = m;
	if (wp->tx_n == DP_BURST)
		dp_port_flush(w, wp);
}

void dp_kernel_send(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	if (wp->port->flags & (DP_PORT_KERNEL_SEES | DP_PORT_KERNEL_PEER) || w->to_kernel == NULL) {
		dp_drop(w, m, DP_DROP_not_ours);
		return;
	}
	dp_meta(m)->port_index = (uint8_t)(wp->port - w->core->port);
	if (rte_ring_sp_enqueue(w->to_kernel, m) < 0) {
		dp_drop(w, m, DP_DROP_kernel_ring_full);
		return;
	}
	w->tell_main = true;
	dp_count(w, DP_COUNT_to_kernel, 1);
}

// What the kernel's tables say of an inner packet's way. Returns 0 or -ENOENT.
static int next_hop(struct dp_worker *w, const uint8_t *ip, bool ip6, struct rte_ether_addr *mac)
{
	struct shm_addr dst = { .family = ip6 ? AF_INET6 : AF_INET };

	memcpy(dst.bytes, ip + (ip6 ? 24 : 16), ip6 ? 16 : 4);
	return dp_next_hop(w->core, &dst, mac->addr_bytes);
}

// MAC address for an inner packet: of the kernel behind the port, of the route's next hop, or of
// whoever last sent something to a tunnel address.
static inline bool inner_mac(
	struct dp_worker *w, const uint8_t *ip, bool ip6, struct rte_ether_addr *mac)
{
	const struct dp_port *port = w->inner.port;

	if (port->flags & DP_PORT_KERNEL_PEER) {
		*mac = port->peer_mac;
		return !rte_is_zero_ether_addr(mac);
	}
	if (dp_has_next_hops(w->core) && next_hop(w, ip, ip6, mac) == 0)
		return true;
	*mac = w->inner_peer;
	if (rte_is_zero_ether_addr(mac))
		*mac = port->peer_mac;
	return !rte_is_zero_ether_addr(mac);
}

static inline void send_with_mac(struct dp_worker *w, struct rte_mbuf *m,
	const struct rte_ether_addr *mac, uint16_t ether_type)
{
	// The kernel's own interface has the port's address on a TAP port: a frame "from itself"
	// would be dropped there.
	dp_put_eth(m, mac,
		w->inner.port->flags & DP_PORT_KERNEL_PEER ? &w->core->tunnel_mac
							   : &w->inner.port->mac,
		ether_type);
	dp_port_send(w, &w->inner, m);
}

// Longer than the port takes.
static void send_in_pieces(
	struct dp_worker *w, struct rte_mbuf *m, const struct rte_ether_addr *mac, bool ip6)
{
	struct rte_mbuf *piece[DP_FRAGS_MAX];
	unsigned n;

	if (ip6) {
		dp_drop(w, m, DP_DROP_inner_too_big);
		return;
	}
	n = dp_frag4(w, m, w->inner.port->mtu, piece, DP_FRAGS_MAX);
	for (unsigned i = 0; i < n; i++)
		send_with_mac(w, piece[i], mac, RTE_ETHER_TYPE_IPV4);
}

void dp_inner_send(struct dp_worker *w, struct rte_mbuf *m)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	bool ip6 = p[0] >> 4 == 6;
	struct rte_ether_addr mac;

	if (!inner_mac(w, p, ip6, &mac)) {
		dp_drop(w, m, DP_DROP_inner_no_next_hop);
		return;
	}
	if (likely(rte_pktmbuf_pkt_len(m) <= w->inner.port->mtu))
		send_with_mac(w, m, &mac, ip6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	else
		send_in_pieces(w, m, &mac, ip6);
}
