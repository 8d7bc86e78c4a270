// SPDX-License-Identifier: BSD-3-Clause
// The kernel's neighbour table, as far as it concerns our interfaces. Main only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/next_hop.h"

struct nlmsghdr;

struct dp_neighbours {
	struct dp_neighbour *list;
	unsigned n;
	unsigned cap;
};

// Take one RTM_NEWNEIGH or RTM_DELNEIGH message in. Returns true when the list changed.
bool dp_neigh_apply(struct dp_neighbours *all, const struct nlmsghdr *nlh);

void dp_neigh_clear(struct dp_neighbours *all);
void dp_neigh_done(struct dp_neighbours *all);
