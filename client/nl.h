// SPDX-License-Identifier: BSD-3-Clause
// Requests to the kernel's NETLINK_ROUTE: addresses, routes, rules, and the question which path a
// packet would take. Each call sends one request and waits for its answer (microseconds: the
// kernel answers within the system call).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/path.h"
#include "config/addr.h"

struct mnl_socket;

// One request socket. Event loop only.
struct vc_nl {
	struct mnl_socket *sock; // NULL: closed
	uint32_t seq;
};

// A route of ours.
struct vc_route {
	struct cfg_addr dst; // network; prefix 0 is the default route
	struct cfg_addr gateway; // AF_UNSPEC: on the link
	struct cfg_addr source; // preferred source, or AF_UNSPEC
	int ifindex; // 0: none
	uint32_t table;
	uint32_t metric; // 0: not given
	uint8_t type; // RTN_UNICAST, RTN_UNREACHABLE, RTN_THROW (the rules go on behind this table)
};

// A routing rule of ours.
struct vc_rule {
	uint16_t family;
	uint32_t priority;
	uint32_t table;
	uint32_t mark; // with mask: packets with this mark ...
	uint32_t mask; // 0: any packet
	bool invert; // ... or those without it
	int suppress; // suppress_prefixlength; -1: none
	struct cfg_addr dst; // AF_UNSPEC: any
};

// Returns 0 or -errno.
int vc_nl_open(struct vc_nl *nl);
void vc_nl_close(struct vc_nl *nl);

// Set a link up with an MTU in bytes and a queue of packets. Returns 0 or -errno.
int vc_nl_link_up(struct vc_nl *nl, int ifindex, uint32_t mtu, uint32_t txqlen);

// Interface flags (IFF_*). Returns 0 or -errno.
int vc_nl_link_flags(struct vc_nl *nl, int ifindex, uint32_t *ret_flags);

// Give a link an address with its prefix; peer is the other end of a point-to-point link, or
// AF_UNSPEC. Returns 0 or -errno (-EEXIST when it is there already).
int vc_nl_addr_add(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *local, const struct cfg_addr *peer);
int vc_nl_addr_del(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *local, const struct cfg_addr *peer);

// Add (or replace) and delete a route. Returns 0 or -errno.
int vc_nl_route_add(struct vc_nl *nl, const struct vc_route *route);
int vc_nl_route_del(struct vc_nl *nl, const struct vc_route *route);

// Add and delete a rule. Returns 0 or -errno.
int vc_nl_rule_add(struct vc_nl *nl, const struct vc_rule *rule);
int vc_nl_rule_del(struct vc_nl *nl, const struct vc_rule *rule);

// Delete every rule of both families whose priority is in first..last, and every route of a table;
// for what a killed client left. Returns how many were deleted.
int vc_nl_rules_flush(struct vc_nl *nl, uint32_t first, uint32_t last);
int vc_nl_table_flush(struct vc_nl *nl, uint32_t table);

// Ask for the path of a marked packet to dst. oif, src: 0 and NULL, or to ask whether a path over
// that link and from that address still works.
// Returns 0, -ENETUNREACH, -EHOSTUNREACH, -EINVAL (src isn't ours any more) or another -errno.
int vc_nl_path(struct vc_nl *nl, const struct cfg_addr *dst, uint32_t mark, int oif,
	const struct cfg_addr *src, struct vc_path *ret_path);

// Link-layer address of a neighbour as the kernel knows it now.
// Returns 0, or -ENOENT when it has none.
int vc_nl_neighbour(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *addr, uint8_t ret_mac[VC_MAC_LEN]);
