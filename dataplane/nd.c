// SPDX-License-Identifier: BSD-3-Clause
// Neighbour discovery on the inner port: what arp.c does for IPv4. Source: RFC
// 4861 4.3, 4.4, 7.1.1, 7.2.4.
#include <netinet/in.h>
#include <string.h>

#include "dataplane/path.h"

#define SOLICIT 135
#define ADVERTISE 136
#define HOPS 255 // anything else has crossed a router
#define MESSAGE_LEN 24u // of both, without options
#define OPTION_LEN 8u // link-layer address of Ethernet
#define OPTION_TARGET 2
#define FLAG_SOLICITED 0x40
#define FLAG_OVERRIDE 0x20

// Is it a solicitation in good order? Options behind it don't matter.
static bool is_solicit(const struct rte_ipv6_hdr *ip)
{
	const uint8_t *icmp = (const uint8_t *)(ip + 1);

	return ip->proto == IPPROTO_ICMPV6 && ip->hop_limits == HOPS &&
		rte_be_to_cpu_16(ip->payload_len) >= MESSAGE_LEN && icmp[0] == SOLICIT &&
		icmp[1] == 0 && icmp[8] != 0xff;
}

// The answer in the solicitation's buffer. mac: where tunnel addresses live.
static void advertise(struct rte_mbuf *m, const struct rte_ether_addr *mac)
{
	static const uint8_t nobody[16], all_nodes[16] = { 0xff, 2, [15] = 1 };
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(eth + 1);
	uint8_t *icmp = (uint8_t *)(ip + 1), *option = icmp + MESSAGE_LEN;
	// Somebody who has no address yet asks whether this one is free.
	bool probing = memcmp(ip->src_addr, nobody, 16) == 0;
	uint16_t sum;

	memcpy(ip->dst_addr, probing ? all_nodes : ip->src_addr, 16);
	memcpy(ip->src_addr, icmp + 8, 16);
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
	ip->payload_len = rte_cpu_to_be_16(MESSAGE_LEN + OPTION_LEN);
	memset(icmp, 0, 8);
	icmp[0] = ADVERTISE;
	icmp[4] = probing ? FLAG_OVERRIDE : FLAG_SOLICITED | FLAG_OVERRIDE;
	option[0] = OPTION_TARGET;
	option[1] = OPTION_LEN / 8;
	memcpy(option + 2, mac, RTE_ETHER_ADDR_LEN);
	sum = rte_ipv6_udptcp_cksum(ip, icmp);
	memcpy(icmp + 2, &sum, sizeof(sum));
	eth->dst_addr = eth->src_addr;
	eth->src_addr = *mac;
}

bool dp_nd(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)(eth + 1);
	uint32_t slot, have = rte_pktmbuf_pkt_len(m);
	const uint32_t need = sizeof(*eth) + sizeof(*ip) + MESSAGE_LEN + OPTION_LEN;
	uint16_t generation;

	// As for ARP: only addresses that a session has.
	if (!is_solicit(ip) || dp_route6(w, (const uint8_t *)(ip + 1) + 8, &slot, &generation) < 0)
		return false;
	w->inner_peer = eth->src_addr;
	if (have > need)
		rte_pktmbuf_trim(m, (uint16_t)(have - need));
	else if (have < need && rte_pktmbuf_append(m, (uint16_t)(need - have)) == NULL)
		return false;
	advertise(m, wp->port->flags & DP_PORT_KERNEL_PEER ? &w->core->tunnel_mac : &wp->port->mac);
	dp_count(w, DP_COUNT_nd_answered, 1);
	dp_port_send(w, wp, m);
	return true;
}
