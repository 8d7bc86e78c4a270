// SPDX-License-Identifier: BSD-3-Clause
// The kernel's main routing table, as far as it leads out of our interfaces. Main only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/next_hop.h"

struct nlmsghdr;

struct dp_routes {
	struct dp_route *list;
	unsigned n;
	unsigned cap;
	uint32_t ifindex[2]; // our interfaces, 0: none
};

// Append the route of one RTM_NEWROUTE message if it concerns us. Returns true when it was
// appended.
bool dp_route_apply(struct dp_routes *all, const struct nlmsghdr *nlh);

void dp_route_clear(struct dp_routes *all);
void dp_route_done(struct dp_routes *all);
