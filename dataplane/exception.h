// SPDX-License-Identifier: BSD-3-Clause
// Mirrored TAP interfaces for ports that have no kernel interface of their own: what isn't ours
// goes to the kernel, what the kernel sends goes out. Main only.
#pragma once

#include <net/if.h>
#include <stdint.h>

#include "dataplane/dp.h"
#include "dataplane/loop.h"
#include "dataplane/port.h"

struct dp_worker;
struct dp_exception;

struct dp_mirror {
	struct dp_exception *owner;
	struct dp_watch watch; // fd -1: this port has none
	uint16_t port_index;
	char name[IFNAMSIZ];
};

struct dp_exception {
	struct dp_core *core;
	struct dp_loop *loop;
	struct dp_mirror mirror[DP_PORTS_MAX];
	uint64_t to_kernel; // frames
	uint64_t from_kernel;
	uint64_t lost; // frames that one side didn't take
};

// Make the interfaces that are needed, with the ports' MAC addresses, and bring them up; ports get
// their ifindex. Needs CAP_NET_ADMIN. A machine without TUN works without them, after one log
// line. Returns 0 or -errno.
int dp_exception_open(struct dp_exception *ex, struct dp_core *core, struct dp_loop *loop,
	struct dp_port_state *ports);

// Pass on what one worker has for the kernel. Returns the number of frames.
unsigned dp_exception_serve(struct dp_exception *ex, struct dp_worker *w);

// Close; the interfaces go with their descriptors.
void dp_exception_close(struct dp_exception *ex);
