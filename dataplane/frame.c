// SPDX-License-Identifier: BSD-3-Clause
// Outer frames: addresses of those that came, headers of those that go.
#include <string.h>
#include <sys/socket.h>

#include <rte_ether.h>

#include "dataplane/index_tunnel.h"
#include "dataplane/path.h"
#include "shm/session.h"

#define OUTER_TTL 64
#define UDP_HDR sizeof(struct rte_udp_hdr)

uint64_t dp_prefix_hash(const struct rte_mbuf *m)
{
	const struct dp_meta *meta = (const struct dp_meta *)rte_mbuf_to_priv((struct rte_mbuf *)m);
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3_off);
	uint64_t x = 0;

	if (meta->flags & DP_META_IP6)
		memcpy(&x, l3 + offsetof(struct rte_ipv6_hdr, src_addr), 7);
	else
		memcpy(&x, l3 + offsetof(struct rte_ipv4_hdr, src_addr), 3);
	return dp_mix64(x + (meta->flags & DP_META_IP6));
}

bool dp_bucket_take(struct dp_bucket *b, uint64_t now_ms, uint32_t rate, uint32_t burst)
{
	uint32_t passed = (uint32_t)now_ms - b->filled_ms;
	uint64_t tokens = b->tokens + (uint64_t)passed * rate;

	if (tokens > (uint64_t)burst * 1000)
		tokens = (uint64_t)burst * 1000;
	b->filled_ms = (uint32_t)now_ms;
	if (tokens < 1000) {
		b->tokens = (uint32_t)tokens;
		return false;
	}
	b->tokens = (uint32_t)tokens - 1000;
	return true;
}

void dp_frame_endpoint(struct rte_mbuf *m, struct shm_endpoint *ret_ep)
{
	const struct dp_meta *meta = dp_meta(m);
	const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3_off);
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, meta->l4_off);

	memset(ret_ep, 0, sizeof(*ret_ep));
	if (meta->flags & DP_META_IP6) {
		ret_ep->remote.family = AF_INET6;
		ret_ep->local.family = AF_INET6;
		memcpy(ret_ep->remote.bytes, l3 + 8, 16);
		memcpy(ret_ep->local.bytes, l3 + 24, 16);
	} else {
		ret_ep->remote.family = AF_INET;
		ret_ep->local.family = AF_INET;
		memcpy(ret_ep->remote.bytes, l3 + 12, 4);
		memcpy(ret_ep->local.bytes, l3 + 16, 4);
	}
	ret_ep->remote_port_be = udp->src_port;
	ret_ep->local_port_be = udp->dst_port;
	memcpy(ret_ep->next_hop, rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->src_addr.addr_bytes,
		RTE_ETHER_ADDR_LEN);
}

bool dp_is_listener(
	const struct dp_config *config, uint16_t family, const void *addr, uint16_t port_be)
{
	static const uint8_t any[16];
	size_t len = family == AF_INET ? 4 : 16;

	for (unsigned i = 0; i < config->listens; i++) {
		const struct shm_listen *l = &config->listen[i];

		if (l->port_be != port_be || l->addr.family != family)
			continue;
		if (memcmp(l->addr.bytes, addr, len) == 0 || memcmp(l->addr.bytes, any, len) == 0)
			return true;
	}
	return config->ports != NULL && dp_tunnel_ports_has(config->ports, family, addr, port_be);
}

bool dp_endpoint_allowed(struct dp_worker *w, const struct shm_endpoint *ep)
{
	const struct dp_config *config = w->config;

	if (shm_endpoint_check(ep) < 0)
		return false;
	// Not ourselves: neither the address that the packet was sent to, nor one of our UDP
	// addresses, nor an address inside the tunnel.
	if (memcmp(&ep->remote, &ep->local, sizeof(ep->remote)) == 0)
		return false;
	for (unsigned i = 0; i < config->listens; i++) {
		if (memcmp(&config->listen[i].addr, &ep->remote, sizeof(ep->remote)) == 0)
			return false;
	}
	if (config->ports != NULL &&
		dp_tunnel_ports_at(config->ports, ep->remote.family, ep->remote.bytes))
		return false;
	return config->tunnel == NULL || dp_tunnel_index_subnet(config->tunnel, &ep->remote) < 0;
}

static void put_udp(struct rte_mbuf *m, const struct shm_endpoint *ep)
{
	uint16_t len = (uint16_t)(rte_pktmbuf_pkt_len(m) + UDP_HDR);
	struct rte_udp_hdr *udp = dp_prepend(m, UDP_HDR);

	udp->src_port = ep->local_port_be;
	udp->dst_port = ep->remote_port_be;
	udp->dgram_len = rte_cpu_to_be_16(len);
	udp->dgram_cksum = 0;
}

static void put_ip4(
	struct dp_worker *w, struct rte_mbuf *m, const struct shm_endpoint *ep, bool full_checksum)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod(m, struct rte_udp_hdr *);
	struct rte_ipv4_hdr *ip = dp_prepend(m, sizeof(*ip));

	memset(ip, 0, sizeof(*ip));
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)rte_pktmbuf_pkt_len(m));
	ip->packet_id =
		rte_cpu_to_be_16(w->ip_id++); // DF is clear: paths may cut it, as stock does
	ip->time_to_live = OUTER_TTL;
	ip->next_proto_id = IPPROTO_UDP;
	memcpy(&ip->src_addr, ep->local.bytes, 4);
	memcpy(&ip->dst_addr, ep->remote.bytes, 4);
	// Zero is legal over IPv4, and data packets carry a tag; what control sends is summed.
	if (full_checksum)
		udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void put_ip6(struct rte_mbuf *m, const struct shm_endpoint *ep)
{
	struct rte_udp_hdr *udp = rte_pktmbuf_mtod(m, struct rte_udp_hdr *);
	struct rte_ipv6_hdr *ip = dp_prepend(m, sizeof(*ip));

	memset(ip, 0, sizeof(*ip));
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
	ip->payload_len = udp->dgram_len;
	ip->proto = IPPROTO_UDP;
	ip->hop_limits = OUTER_TTL;
	memcpy(ip->src_addr, ep->local.bytes, 16);
	memcpy(ip->dst_addr, ep->remote.bytes, 16);
	udp->dgram_cksum = rte_ipv6_udptcp_cksum(ip, udp);
}

static void send_with_mac(
	struct dp_worker *w, struct rte_mbuf *m, const struct rte_ether_addr *mac, bool ip6)
{
	dp_put_eth(m, mac, &w->outer.port->mac, ip6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	dp_port_send(w, &w->outer, m);
}

// IPv6, or the frame may have to be cut, or is to have a UDP checksum over IPv4.
static void send_whole(struct dp_worker *w, struct rte_mbuf *m, const struct shm_endpoint *ep,
	const struct rte_ether_addr *mac, bool full_checksum)
{
	bool ip6 = ep->remote.family == AF_INET6;
	struct rte_mbuf *piece[DP_FRAGS_MAX];
	unsigned n;

	put_udp(m, ep);
	if (ip6)
		put_ip6(m, ep);
	else
		put_ip4(w, m, ep, full_checksum);
	if (rte_pktmbuf_pkt_len(m) <= w->outer.port->mtu) {
		send_with_mac(w, m, mac, ip6);
		return;
	}
	n = ip6 ? dp_frag6(w, m, w->outer.port->mtu, piece, DP_FRAGS_MAX)
		: dp_frag4(w, m, w->outer.port->mtu, piece, DP_FRAGS_MAX);
	for (unsigned i = 0; i < n; i++)
		send_with_mac(w, piece[i], mac, ip6);
}

#define HEADS4 (RTE_ETHER_HDR_LEN + sizeof(struct rte_ipv4_hdr) + UDP_HDR)

// All headers of a whole datagram over IPv4 at once; after P_DATA_V1 they lie at an odd address.
// The header's sum is made of the numbers that are being written: nothing is read back.
static inline void put_heads4(struct dp_worker *w, struct rte_mbuf *m,
	const struct shm_endpoint *ep, const struct rte_ether_addr *mac)
{
	uint32_t src = dp_load32(ep->local.bytes), dst = dp_load32(ep->remote.bytes);
	uint16_t udp_len = rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_pkt_len(m) + UDP_HDR));
	uint8_t *p = dp_prepend(m, HEADS4);
	struct {
		uint16_t total_be;
		uint16_t id_be;
		uint16_t fragment_be;
		uint16_t ttl_proto_be;
	} ip = {
		.total_be =
			rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_pkt_len(m) - RTE_ETHER_HDR_LEN)),
		.id_be = rte_cpu_to_be_16(
			w->ip_id++), // DF is clear: paths may cut it, as stock does
		.ttl_proto_be = RTE_BE16(OUTER_TTL << 8 | IPPROTO_UDP),
	};
	uint32_t ports = (uint32_t)ep->remote_port_be << 16 | ep->local_port_be;
	uint32_t sum = RTE_BE16(RTE_IPV4_VHL_DEF << 8) + ip.total_be + ip.id_be + ip.ttl_proto_be +
		(src & 0xffff) + (src >> 16) + (dst & 0xffff) + (dst >> 16);
	uint32_t udp_tail = udp_len; // and no checksum: legal over IPv4, and packets carry a tag
	uint32_t first = RTE_BE16(RTE_ETHER_TYPE_IPV4) | RTE_BE16(RTE_IPV4_VHL_DEF << 8) << 16;
	uint16_t check;

	sum = (sum & 0xffff) + (sum >> 16);
	check = (uint16_t) ~(sum + (sum >> 16));
	memcpy(p, mac, RTE_ETHER_ADDR_LEN);
	memcpy(p + 6, &w->outer.port->mac, RTE_ETHER_ADDR_LEN);
	memcpy(p + 12, &first, 4);
	memcpy(p + 16, &ip, 8);
	memcpy(p + 24, &check, 2);
	memcpy(p + 26, &src, 4);
	memcpy(p + 30, &dst, 4);
	memcpy(p + 34, &ports, 4);
	memcpy(p + 38, &udp_tail, 4);
}

void dp_frame_send(
	struct dp_worker *w, struct rte_mbuf *m, const struct shm_endpoint *ep, bool full_checksum)
{
	struct rte_ether_addr mac;

	if (!dp_has_next_hops(w->core) || dp_next_hop(w->core, &ep->remote, mac.addr_bytes) < 0)
		memcpy(&mac, ep->next_hop, sizeof(mac));
	if (unlikely(rte_is_zero_ether_addr(&mac))) {
		dp_drop(w, m, DP_DROP_outer_no_next_hop);
		return;
	}
	if (unlikely(full_checksum || ep->remote.family == AF_INET6) ||
		rte_pktmbuf_pkt_len(m) + HEADS4 - RTE_ETHER_HDR_LEN > w->outer.port->mtu) {
		send_whole(w, m, ep, &mac, full_checksum);
	} else {
		put_heads4(w, m, ep, &mac);
		dp_port_send(w, &w->outer, m);
	}
}
