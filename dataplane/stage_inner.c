// SPDX-License-Identifier: BSD-3-Clause
// Decrypted packets: keep-alive Pings and OCC messages end here, IP packets must come from an
// address of the session and go out of the inner port or to another session.
#include <string.h>
#include <sys/socket.h>

#include "dataplane/index_iroute.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/path.h"
#include "protocol/ping.h"

static bool is_multicast4(uint32_t addr_be)
{
	uint8_t first = (uint8_t)addr_be; // network order: the first byte is the low one here

	return first >= 224 || addr_be == 0; // multicast, reserved, broadcast, unspecified
}

// The session's own address, or one of a network behind it.
static bool source_ok(struct dp_worker *w, uint32_t slot, const struct shm_addr *own,
	uint16_t family, const uint8_t *src)
{
	struct shm_addr addr = { .family = family };
	size_t len = family == AF_INET ? 4 : 16;
	uint16_t generation;
	uint32_t found;

	if (likely(own->family == family && memcmp(own->bytes, src, len) == 0))
		return true;
	memcpy(addr.bytes, src, len);
	return dp_iroute_index_find(w->core->iroute, &addr, &found, &generation) == 0 &&
		found == slot && dp_live(w->core, slot, generation);
}

// A client that routes our outer address into its tunnel would send its datagrams round and
// round, one header thicker each time.
static inline bool recursive(const struct dp_worker *w, uint16_t family, const uint8_t *dst,
	uint8_t proto, const uint8_t *l4, uint16_t l4_len)
{
	uint16_t port_be;

	if (proto != IPPROTO_UDP || l4_len < 4)
		return false;
	memcpy(&port_be, l4 + 2, sizeof(port_be));
	if (family == AF_INET)
		return dp_is_listener4(w->config, dp_load32(dst), port_be);
	return dp_is_listener(w->config, family, dst, port_be);
}

// Count the time to live down where this is the router: not on the way to or from the local
// kernel, which does it itself, and not between neighbours. Returns false when it is used up.
static bool ttl_ok(struct rte_ipv4_hdr *ip)
{
	uint32_t sum;

	if (ip->time_to_live <= 1)
		return false;
	ip->time_to_live--;
	// Incremental update (RFC 1141): the high byte of a word went down by one.
	sum = (uint32_t)ip->hdr_checksum + RTE_BE16(0x0100);
	ip->hdr_checksum = (uint16_t)(sum + (sum >> 16));
	return true;
}

bool dp_ttl_down(struct dp_worker *w, struct rte_ipv4_hdr *ip, bool to_session)
{
	if (!to_session && w->inner.port->flags & DP_PORT_KERNEL_PEER)
		return true;
	if (w->config->tunnel != NULL &&
		dp_tunnel_index_same4(w->config->tunnel, ip->src_addr, ip->dst_addr))
		return true;
	return ttl_ok(ip);
}

// Both in the same subnet of tunnel addresses.
static bool on_link6(const struct dp_worker *w, const struct rte_ipv6_hdr *ip)
{
	struct shm_addr src = { .family = AF_INET6 }, dst = { .family = AF_INET6 };
	int net;

	if (w->config->tunnel == NULL)
		return false;
	memcpy(src.bytes, ip->src_addr, 16);
	memcpy(dst.bytes, ip->dst_addr, 16);
	net = dp_tunnel_index_subnet(w->config->tunnel, &src);
	return net >= 0 && net == dp_tunnel_index_subnet(w->config->tunnel, &dst);
}

bool dp_hops_down(struct dp_worker *w, struct rte_ipv6_hdr *ip, bool to_session)
{
	if (!to_session && w->inner.port->flags & DP_PORT_KERNEL_PEER)
		return true;
	if (on_link6(w, ip))
		return true;
	if (ip->hop_limits <= 1)
		return false;
	ip->hop_limits--;
	return true;
}

static void count_rx(struct shm_session *s, uint32_t len)
{
	dp_add64(&s->rx_packets, 1);
	dp_add64(&s->rx_bytes, len);
}

static void inner4(struct dp_worker *w, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	uint32_t len = rte_pktmbuf_pkt_len(m);
	uint16_t hdr_len = (ip->version_ihl & 0xf) * 4;
	uint16_t total = rte_be_to_cpu_16(ip->total_length);
	uint32_t slot = dp_meta(m)->slot, to;
	uint16_t generation = dp_meta(m)->generation, to_generation;
	struct shm_session *s = dp_session(w, slot);
	bool to_session;

	if (hdr_len < sizeof(*ip) || total < hdr_len || total > len) {
		dp_drop(w, m, DP_DROP_inner_bad_header);
		return;
	}
	if (unlikely(ip->src_addr != s->source4_be || ip->src_addr == 0) &&
		!source_ok(w, slot, &s->tunnel4, AF_INET, (const uint8_t *)&ip->src_addr)) {
		dp_drop(w, m, DP_DROP_inner_source);
		return;
	}
	if (is_multicast4(ip->dst_addr)) {
		dp_drop(w, m, DP_DROP_inner_multicast);
		return;
	}
	if (recursive(w, AF_INET, (const uint8_t *)&ip->dst_addr, ip->next_proto_id,
		    (const uint8_t *)ip + hdr_len, total - hdr_len)) {
		dp_drop(w, m, DP_DROP_inner_recursive);
		return;
	}
	if (total < len)
		rte_pktmbuf_trim(m, (uint16_t)(len - total));
	count_rx(s, total);
	to_session = w->config->flags & SHM_HELLO_CLIENT_TO_CLIENT &&
		dp_route4(w, ip->dst_addr, &to, &to_generation) == 0;
	if (!dp_ttl_down(w, ip, to_session)) {
		dp_icmp_error(w, m, 11, 0, 0, slot, generation);
		dp_drop(w, m, DP_DROP_inner_ttl);
		return;
	}
	if (s->mss4 != 0 && dp_mss_clamp4((uint8_t *)ip, total, s->mss4))
		dp_count(w, DP_COUNT_mss_clamped, 1);
	if (to_session)
		dp_to_session(w, m, to, to_generation, DP_META_COUNTED | DP_META_FROM_CLIENT);
	else if (total > w->inner.port->mtu &&
		(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) != 0) {
		dp_icmp_error(w, m, 3, 4, w->inner.port->mtu, slot, generation);
		dp_drop(w, m, DP_DROP_inner_too_big);
	} else
		dp_inner_send(w, m);
}

// fe80::/10, or nobody yet: router solicitations, multicast listener reports and the like, which a
// client's kernel sends on every link. There is nobody on this one to hear them.
static bool link_local(const uint8_t *addr)
{
	static const uint8_t nobody[16];

	return (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80) || memcmp(addr, nobody, 16) == 0;
}

// Header, source and destination of IPv6 from a client. Returns DP_DROP_COUNT when it may go on.
static enum dp_drop check6(struct dp_worker *w, struct rte_mbuf *m, uint32_t total)
{
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	uint32_t slot = dp_meta(m)->slot;

	if (total > rte_pktmbuf_pkt_len(m))
		return DP_DROP_inner_bad_header;
	if (unlikely(link_local(ip->src_addr)))
		return DP_DROP_inner_link_local;
	if (!source_ok(w, slot, &dp_session(w, slot)->tunnel6, AF_INET6, ip->src_addr))
		return DP_DROP_inner_source;
	if (ip->dst_addr[0] == 0xff)
		return DP_DROP_inner_multicast;
	if (unlikely(link_local(ip->dst_addr)))
		return DP_DROP_inner_link_local;
	if (recursive(w, AF_INET6, ip->dst_addr, ip->proto, (const uint8_t *)(ip + 1),
		    (uint16_t)(total - sizeof(*ip))))
		return DP_DROP_inner_recursive;
	return DP_DROP_COUNT;
}

static void inner6(struct dp_worker *w, struct rte_mbuf *m)
{
	struct rte_ipv6_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *);
	uint32_t len = rte_pktmbuf_pkt_len(m);
	uint32_t total = rte_be_to_cpu_16(ip->payload_len) + (uint32_t)sizeof(*ip);
	uint32_t slot = dp_meta(m)->slot, to;
	uint16_t generation = dp_meta(m)->generation, to_generation;
	struct shm_session *s = dp_session(w, slot);
	enum dp_drop why = check6(w, m, total);
	bool to_session;

	if (unlikely(w->config->flags & SHM_HELLO_BLOCK_IPV6) && why == DP_DROP_COUNT) {
		dp_icmp6_error(w, m, DP_ICMP6_UNREACHABLE, 0, 0, slot, generation);
		why = DP_DROP_inner_blocked;
	}
	if (why != DP_DROP_COUNT) {
		dp_drop(w, m, why);
		return;
	}
	if (total < len)
		rte_pktmbuf_trim(m, (uint16_t)(len - total));
	count_rx(s, total);
	to_session = w->config->flags & SHM_HELLO_CLIENT_TO_CLIENT &&
		dp_route6(w, ip->dst_addr, &to, &to_generation) == 0;
	if (!dp_hops_down(w, ip, to_session)) {
		dp_icmp6_error(w, m, DP_ICMP6_TIME_EXCEEDED, 0, 0, slot, generation);
		dp_drop(w, m, DP_DROP_inner_ttl);
		return;
	}
	if (s->mss6 != 0 && dp_mss_clamp6((uint8_t *)ip, (uint16_t)total, s->mss6))
		dp_count(w, DP_COUNT_mss_clamped, 1);
	if (to_session) {
		dp_to_session(w, m, to, to_generation, DP_META_COUNTED | DP_META_FROM_CLIENT);
	} else if (total > w->inner.port->mtu) {
		dp_icmp6_error(w, m, DP_ICMP6_TOO_BIG, 0, w->inner.port->mtu, slot, generation);
		dp_drop(w, m, DP_DROP_inner_too_big);
	} else {
		dp_inner_send(w, m);
	}
}

void dp_stage_inner(struct dp_worker *w, struct dp_burst *in)
{
	for (uint16_t i = 0; i < in->n; i++) {
		struct rte_mbuf *m = in->pkt[i];

		switch (ovpn_payload_classify(
			rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_pkt_len(m))) {
		case OVPN_PAYLOAD_IP4: inner4(w, m); break;
		case OVPN_PAYLOAD_IP6: inner6(w, m); break;
		case OVPN_PAYLOAD_PING:
			dp_count(w, DP_COUNT_pings_received, 1);
			rte_pktmbuf_free(m);
			break;
		case OVPN_PAYLOAD_OCC: dp_occ(w, m); break;
		case OVPN_PAYLOAD_OTHER: dp_drop(w, m, DP_DROP_payload_unknown); break;
		}
	}
	in->n = 0;
}
