// SPDX-License-Identifier: BSD-3-Clause
// What we learn from the kernel over netlink: routes, neighbours, links; read at start, followed
// by events, published to the workers as a picture (next_hop.h). Main only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/dp.h"
#include "dataplane/grace.h"
#include "dataplane/loop.h"
#include "dataplane/neigh.h"
#include "dataplane/next_hop.h"
#include "dataplane/route.h"

struct mnl_socket;

struct dp_kernel {
	struct dp_core *core;
	struct dp_grace *grace;
	struct dp_loop *loop;
	struct mnl_socket *events;
	struct mnl_socket *dumps;
	struct dp_watch event_watch;
	struct dp_watch wanted_watch;
	struct dp_routes routes;
	struct dp_neighbours neighbours;
	struct dp_wanted wanted;
	bool routes_dirty; // read them all again
	bool neighbours_dirty; // the same
	bool changed; // the picture is out of date
	bool links_changed; // an interface went up or down
	uint64_t changed_ns; // since when
	uint64_t forget_ns; // when places of `wanted` are freed next
	uint64_t refresh_ns; // when stale neighbours are looked at next
	uint32_t seq;
	uint64_t pictures; // published so far
};

// Open the sockets, read everything and publish the first picture. ifindex: interfaces that stand
// for our ports, 0 for none. Returns 0 or -errno, after logging why.
int dp_kernel_open(struct dp_kernel *k, struct dp_core *core, struct dp_grace *grace,
	struct dp_loop *loop, const uint32_t ifindex[2]);

// Once a turn of main: publish what changed, at most every 2 ms. Returns nanoseconds until it wants
// to be called again, UINT64_MAX for "no need".
uint64_t dp_kernel_turn(struct dp_kernel *k, uint64_t now_ns);

// An interface went up or down since the last call.
bool dp_kernel_links_changed(struct dp_kernel *k);

// Close; the last picture is freed, so no worker may run any more.
void dp_kernel_close(struct dp_kernel *k);
