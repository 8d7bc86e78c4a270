// SPDX-License-Identifier: BSD-3-Clause
// ARP on the inner port: the kernel behind it takes tunnel addresses for neighbours and asks.
#include <rte_arp.h>
#include <string.h>

#include "dataplane/path.h"

bool dp_arp(struct dp_worker *w, struct dp_worker_port *wp, struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(eth + 1);
	struct rte_ether_addr ours;
	uint16_t generation;
	uint32_t slot, sip, tip;

	if (rte_pktmbuf_pkt_len(m) < sizeof(*eth) + sizeof(*arp))
		return false;
	if (arp->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) ||
		arp->arp_protocol != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST))
		return false;
	memcpy(&tip, &arp->arp_data.arp_tip, 4);
	memcpy(&sip, &arp->arp_data.arp_sip, 4);
	// Only addresses that a session has: for others the asker is told "unreachable" by its own
	// resolution, at once and for free.
	if (dp_route4(w, tip, &slot, &generation) < 0)
		return false;
	ours = wp->port->flags & DP_PORT_KERNEL_PEER ? w->core->tunnel_mac : wp->port->mac;
	w->inner_peer = arp->arp_data.arp_sha;
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REPLY);
	arp->arp_data.arp_tha = arp->arp_data.arp_sha;
	arp->arp_data.arp_sha = ours;
	memcpy(&arp->arp_data.arp_tip, &sip, 4);
	memcpy(&arp->arp_data.arp_sip, &tip, 4);
	eth->dst_addr = eth->src_addr;
	eth->src_addr = ours;
	dp_count(w, DP_COUNT_arp_answered, 1);
	dp_port_send(w, wp, m);
	return true;
}
