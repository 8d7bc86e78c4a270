// SPDX-License-Identifier: BSD-3-Clause
// A picture of the kernel's routes and neighbours that workers read without locks: one open hash
// table, never changed once published. dp_next_hop() is declared in dp.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"

struct dp_core;
struct dp_next_hops;

#define DP_WANTED 64u // neighbours that workers may ask for at a time

// A route of the kernel's main table that leads out of one of our ports.
struct dp_route {
	struct shm_addr dst; // network address
	uint8_t prefix_len;
	uint32_t ifindex;
	uint32_t metric; // the lowest wins
	struct shm_addr gateway; // family 0: the destination itself is on the link
};

// A neighbour that can be sent to.
struct dp_neighbour {
	struct shm_addr addr;
	uint32_t ifindex;
	uint8_t mac[6];
	bool stale; // the kernel would ask again before trusting it for long
};

// Neighbours that workers miss: a place is 0 (free), 1 (being filled), 2 (for main). Outlives the
// pictures, which only point to it.
struct dp_wanted {
	int event_fd; // written when a place was filled
	struct {
		_Atomic uint32_t state;
		uint32_t ifindex;
		struct shm_addr addr;
	} place[DP_WANTED];
};

// Make a picture. Routes and neighbours are copied. Main only. Returns NULL with errno.
struct dp_next_hops *dp_next_hops_create(const struct dp_route *route, unsigned routes,
	const struct dp_neighbour *neighbour, unsigned neighbours, struct dp_wanted *wanted);

// Free it, after a grace period. For dp_grace_defer().
void dp_next_hops_free(void *hops);

// Call fn for each neighbour that was used since the last call and is stale. Main only.
void dp_next_hops_used(struct dp_next_hops *hops,
	void (*fn)(void *arg, uint32_t ifindex, const struct shm_addr *addr), void *arg);
