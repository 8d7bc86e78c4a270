// SPDX-License-Identifier: BSD-3-Clause
// Frames of a port: datagrams of clients to our UDP addresses, plaintext for tunnel addresses, or
// neither. Everything that reads an outer header for the first time is here.
#include <netinet/in.h>
#include <sys/socket.h>

#include "dataplane/path.h"

#define ETH_LEN sizeof(struct rte_ether_hdr)
#define UDP_LEN sizeof(struct rte_udp_hdr)
#define EXTENSIONS_MAX 4u // headers between IPv6 and UDP

enum verdict {
	OURS, // a datagram to one of our UDP addresses, meta is filled
	FRAGMENT, // a piece of something that may be
	OTHER, // not for the outer path
	BAD, // dropped
};

#define INNER_AHEAD 16u // packets to clients whose sessions are on their way
#define AHEAD 8u // buffers whose descriptor is on its way, their frame half as many

static enum verdict bad(struct dp_worker *w, struct rte_mbuf *m, enum dp_drop why)
{
	dp_drop(w, m, why);
	return BAD;
}

// UDP header at l4_off with room bytes up to the end of the IP packet.
static enum verdict parse_udp(struct dp_worker *w, struct rte_mbuf *m, uint16_t family,
	const void *dst, uint16_t l4_off, uint16_t room)
{
	struct dp_meta *meta = dp_meta(m);
	const struct rte_udp_hdr *udp;
	uint16_t len;

	if (room < UDP_LEN)
		return OTHER; // the kernel's to complain about
	udp = rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, l4_off);
	if (!dp_is_listener(w->config, family, dst, udp->dst_port))
		return OTHER;
	len = rte_be_to_cpu_16(udp->dgram_len);
	if (len < UDP_LEN || len > room)
		return bad(w, m, DP_DROP_bad_udp_length);
	if (len == UDP_LEN)
		return bad(w, m, DP_DROP_empty_datagram);
	meta->l4_off = l4_off;
	meta->data_off = l4_off + UDP_LEN;
	meta->data_len = len - UDP_LEN;
	return OURS;
}

static enum verdict parse_ip4(struct dp_worker *w, struct rte_mbuf *m, uint32_t frame_len)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, ETH_LEN);
	uint16_t hdr_len, total, frag;
	enum verdict v;

	if (frame_len < ETH_LEN + sizeof(*ip))
		return bad(w, m, DP_DROP_short_frame);
	if (ip->next_proto_id != IPPROTO_UDP)
		return OTHER;
	hdr_len = (ip->version_ihl & 0xf) * 4;
	total = rte_be_to_cpu_16(ip->total_length);
	if (ip->version_ihl >> 4 != 4 || hdr_len < sizeof(*ip) || total < hdr_len ||
		total > frame_len - ETH_LEN)
		return bad(w, m, DP_DROP_bad_ip_header);
	dp_meta(m)->l3_off = ETH_LEN;
	frag = rte_be_to_cpu_16(ip->fragment_offset);
	if ((frag & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return FRAGMENT;
	v = parse_udp(w, m, AF_INET, &ip->dst_addr, (uint16_t)(ETH_LEN + hdr_len), total - hdr_len);
	// The sum of a good header with its checksum is zero; only what is ours gets checked.
	if (v == OURS && rte_raw_cksum(ip, hdr_len) != 0xffff)
		return bad(w, m, DP_DROP_bad_ip_checksum);
	return v;
}

// Header behind IPv6's own and those that may lie in front of UDP. The chain is left when it isn't
// understood, which makes the packet the kernel's.
struct chain {
	uint16_t off; // from the frame's start
	uint8_t proto; // UDP, fragment header, or what ended the walk
};

static struct chain walk6(struct rte_mbuf *m, uint16_t end, uint8_t proto)
{
	struct chain c = { .off = ETH_LEN + sizeof(struct rte_ipv6_hdr), .proto = proto };

	for (unsigned i = 0; i < EXTENSIONS_MAX && c.off + 8u <= end; i++) {
		const uint8_t *h = rte_pktmbuf_mtod_offset(m, const uint8_t *, c.off);

		// Atomic fragments are whole datagrams (RFC 6946).
		if (c.proto == IPPROTO_FRAGMENT && (h[2] | (h[3] & ~6u)) == 0) {
			c.off += 8;
		} else if (c.proto == IPPROTO_HOPOPTS || c.proto == IPPROTO_DSTOPTS ||
			(c.proto == IPPROTO_ROUTING && h[3] == 0)) {
			if (c.off + (h[1] + 1u) * 8 > end)
				break;
			c.off += (h[1] + 1u) * 8;
		} else {
			break;
		}
		c.proto = h[0];
	}
	return c;
}

// Take extension headers out, so that the rest of the path sees UDP behind IPv6.
static void strip6(struct rte_mbuf *m, struct chain c)
{
	uint16_t n = c.off - ETH_LEN - sizeof(struct rte_ipv6_hdr);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv6_hdr *ip;

	memmove(frame + n, frame, ETH_LEN + sizeof(*ip));
	rte_pktmbuf_adj(m, n);
	ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv6_hdr *, ETH_LEN);
	ip->proto = c.proto;
	ip->payload_len = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->payload_len) - n);
}

// A header between IPv6's and UDP's, len bytes of both together.
static enum verdict extended6(struct dp_worker *w, struct rte_mbuf *m, uint16_t len)
{
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, ETH_LEN);
	uint16_t end = ETH_LEN + sizeof(*ip) + len;
	struct chain c = walk6(m, end, ip->proto);
	uint16_t port_be;

	if (c.proto == IPPROTO_FRAGMENT && c.off + 8u <= end) {
		dp_meta(m)->l4_off = c.off;
		return FRAGMENT;
	}
	if (c.proto != IPPROTO_UDP || c.off + UDP_LEN > end)
		return OTHER;
	memcpy(&port_be, rte_pktmbuf_mtod_offset(m, const uint8_t *, c.off + 2), sizeof(port_be));
	if (!dp_is_listener(w->config, AF_INET6, ip->dst_addr, port_be))
		return OTHER;
	strip6(m, c);
	return parse_udp(w, m, AF_INET6,
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, ETH_LEN)->dst_addr,
		ETH_LEN + sizeof(*ip), end - c.off);
}

static enum verdict parse_ip6(struct dp_worker *w, struct rte_mbuf *m, uint32_t frame_len)
{
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, ETH_LEN);
	uint16_t len;

	if (frame_len < ETH_LEN + sizeof(*ip))
		return bad(w, m, DP_DROP_short_frame);
	len = rte_be_to_cpu_16(ip->payload_len);
	if (len > frame_len - ETH_LEN - sizeof(*ip))
		return bad(w, m, DP_DROP_bad_ip_header);
	dp_meta(m)->l3_off = ETH_LEN;
	dp_meta(m)->flags = DP_META_IP6;
	if (unlikely(ip->proto != IPPROTO_UDP))
		return extended6(w, m, len);
	return parse_udp(w, m, AF_INET6, ip->dst_addr, ETH_LEN + sizeof(*ip), len);
}

// A fragment is ours if its address is; which port it is for shows when all are there.
static bool is_our_address(const struct dp_worker *w, struct rte_mbuf *m)
{
	bool ip6 = dp_meta(m)->flags & DP_META_IP6;
	uint16_t family = ip6 ? AF_INET6 : AF_INET;
	const uint8_t *dst = rte_pktmbuf_mtod_offset(m, const uint8_t *,
		ETH_LEN +
			(ip6 ? offsetof(struct rte_ipv6_hdr, dst_addr)
			     : offsetof(struct rte_ipv4_hdr, dst_addr)));

	for (unsigned i = 0; i < w->config->listens; i++) {
		if (dp_is_listener(w->config, family, dst, w->config->listen[i].port_be))
			return true;
	}
	return w->config->ports != NULL && dp_tunnel_ports_at(w->config->ports, family, dst);
}

static void meta_reset(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);

	*meta = (struct dp_meta){ .slot = SHM_SLOT_NONE, .origin = w->index };
}

static enum verdict parse_frame(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	uint32_t len = rte_pktmbuf_pkt_len(m);

	if ((wp->port->flags & DP_PORT_OUTER) == 0 || w->config == NULL)
		return OTHER;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return parse_ip4(w, m, len);
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		return parse_ip6(w, m, len);
	return OTHER;
}

// What every frame has to be before anybody looks into it. False: dropped.
static inline bool frame_ok(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	const struct dp_port *port = wp->port;
	const struct rte_ether_hdr *eth;

	if (unlikely(m->nb_segs > 1) && rte_pktmbuf_linearize(m) < 0) {
		dp_drop(w, m, DP_DROP_multi_segment);
		return false;
	}
	if (rte_pktmbuf_pkt_len(m) < ETH_LEN) {
		dp_drop(w, m, DP_DROP_short_frame);
		return false;
	}
	if (likely((port->flags & (DP_PORT_ECHO | DP_PORT_CHECK_MAC)) == 0))
		return true;
	eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	if (port->flags & DP_PORT_ECHO && rte_is_same_ether_addr(&eth->src_addr, &port->mac)) {
		dp_drop(w, m, DP_DROP_own_echo);
		return false;
	}
	if (port->flags & DP_PORT_CHECK_MAC && rte_is_unicast_ether_addr(&eth->dst_addr) &&
		!rte_is_same_ether_addr(&eth->dst_addr, &port->mac) &&
		!rte_is_same_ether_addr(&eth->dst_addr, &w->core->tunnel_mac)) {
		dp_drop(w, m, DP_DROP_not_our_mac);
		return false;
	}
	return true;
}

// The plain case in one go: a datagram to one of our addresses over IPv4, whole, without options
// and without a fault. Fills meta. False says nothing: whatever it is, parse_frame() finds out.
static inline bool is_plain(struct dp_worker *w, struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ether_hdr *eth = (const struct rte_ether_hdr *)frame;
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(frame + ETH_LEN);
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	struct dp_meta *meta = dp_meta(m);
	uint32_t len = rte_pktmbuf_pkt_len(m), total, payload;

	if (len < ETH_LEN + sizeof(*ip) + UDP_LEN ||
		eth->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		ip->version_ihl != RTE_IPV4_VHL_DEF || ip->next_proto_id != IPPROTO_UDP ||
		(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) !=
			0)
		return false;
	total = rte_be_to_cpu_16(ip->total_length);
	payload = rte_be_to_cpu_16(udp->dgram_len);
	if (total > len - ETH_LEN || payload <= UDP_LEN || payload + sizeof(*ip) > total)
		return false;
	if (!dp_is_listener4(w->config, ip->dst_addr, udp->dst_port) || dp_ip4_sum(ip) != 0xffff)
		return false;
	meta->l3_off = ETH_LEN;
	meta->l4_off = ETH_LEN + sizeof(*ip);
	meta->data_off = ETH_LEN + sizeof(*ip) + UDP_LEN;
	meta->data_len = (uint16_t)(payload - UDP_LEN);
	return true;
}

// If this is a P_DATA_V2 packet, its session is wanted soon. Nothing is judged here.
static inline void prefetch_session(struct dp_worker *w, struct rte_mbuf *m)
{
	const struct dp_meta *meta = dp_meta(m);
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->data_off);
	uint32_t slot;

	if (meta->data_len < OVPN_HDR_V2_LEN || ovpn_opcode_of(p[0]) != OVPN_P_DATA_V2)
		return;
	slot = ovpn_get_be24(p + 1);
	if (likely(slot < w->core->sessions))
		dp_fetch_rx(w, slot);
}

static void not_outer(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	if (wp->port->flags & DP_PORT_INNER)
		dp_downlink(w, &w->inner, m);
	else
		dp_kernel_send(w, wp, m);
}

// Reassemble. Returns the whole datagram, parsed and ours, or NULL.
static struct rte_mbuf *whole(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	bool ip6 = dp_meta(m)->flags & DP_META_IP6;
	enum verdict v;

	if (!is_our_address(w, m)) {
		not_outer(w, wp, m);
		return NULL;
	}
	m = ip6 ? dp_frag_add6(w, m, ETH_LEN, dp_meta(m)->l4_off) : dp_frag_add(w, m, ETH_LEN);
	if (m == NULL)
		return NULL;
	meta_reset(w, m);
	v = ip6 ? parse_ip6(w, m, rte_pktmbuf_pkt_len(m)) : parse_ip4(w, m, rte_pktmbuf_pkt_len(m));
	dp_meta(m)->flags |= DP_META_REASSEMBLED;
	switch (v) {
	case OURS: return m;
	case BAD: return NULL;
	default: dp_drop(w, m, DP_DROP_not_ours); return NULL; // the kernel has had its fragments
	}
}

void dp_stage_classify(
	struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf **pkt, uint16_t n)
{
	bool outer = (wp->port->flags & DP_PORT_OUTER) != 0 && w->config != NULL;
	bool inner = (wp->port->flags & (DP_PORT_OUTER | DP_PORT_INNER)) == DP_PORT_INNER;
	uint32_t guess[DP_BURST];
	struct dp_burst ours;

	ours.n = 0;
	if (inner && !w->ahead.tx_asked) {
		dp_guess_slots(w, pkt, n, guess);
		for (uint16_t i = 0; i < n && i < INNER_AHEAD; i++)
			dp_fetch_tx(w, guess[i]);
	}
	for (uint16_t i = 0; i < n && i < AHEAD; i++)
		rte_prefetch0(pkt[i]);
	for (uint16_t i = 0; i < n && i < AHEAD / 2; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkt[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkt[i];

		if (i + AHEAD < n)
			rte_prefetch0(pkt[i + AHEAD]);
		if (i + AHEAD / 2 < n) {
			rte_prefetch0(rte_pktmbuf_mtod(pkt[i + AHEAD / 2], void *));
			rte_prefetch0(dp_meta(pkt[i + AHEAD / 2]));
		}
		if (inner && !w->ahead.tx_asked && i + INNER_AHEAD < n)
			dp_fetch_tx(w, guess[i + INNER_AHEAD]);
		meta_reset(w, m);
		if (!frame_ok(w, wp, m))
			continue;
		if (outer && likely(is_plain(w, m))) {
			if (!w->ahead.rx_asked)
				prefetch_session(w, m);
			dp_burst_push(&ours, m);
			continue;
		}
		switch (parse_frame(w, wp, m)) {
		case OURS: dp_burst_push(&ours, m); break;
		case FRAGMENT:
			m = whole(w, wp, m);
			if (m != NULL)
				dp_burst_push(&ours, m);
			break;
		case OTHER: not_outer(w, wp, m); break;
		case BAD: break;
		}
	}
	if (ours.n > 0)
		dp_stage_lookup(w, &ours);
}
