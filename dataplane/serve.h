// SPDX-License-Identifier: BSD-3-Clause
// What control says takes effect: addresses and subnets are published to the workers, sockets keep
// the kernel from answering for our UDP ports, the inner interface gets the server's address.
// Main only.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp.h"
#include "dataplane/grace.h"
#include "dataplane/port.h"
#include "shm/message.h"
#include "shm/table.h"

struct dp_xdp;

struct dp_bound;

struct dp_serve {
	struct dp_core *core;
	struct dp_grace *grace;
	struct dp_port_state *ports; // as core->port
	struct dp_xdp *xdp; // NULL: no port with a program of ours
	// Bound UDP sockets, so that the kernel sends no ICMP for datagrams that it sees too.
	struct dp_bound *bound;
	unsigned n_bound;
};

void dp_serve_init(struct dp_serve *serve, struct dp_core *core, struct dp_grace *grace,
	struct dp_port_state *ports, struct dp_xdp *xdp);

// Make a checked greeting effective. tunnel: the hello->tunnels addresses behind it. On failure
// everything is as before and err has a text for control. Returns 0, -EADDRINUSE (another program
// has one of the UDP ports), -ENOMEM.
int dp_serve_apply(struct dp_serve *serve, const struct shm_hello *hello,
	const struct shm_listen *tunnel, char *err, size_t err_size);

// Close the sockets; the configuration stays published until dp_serve_done().
void dp_serve_done(struct dp_serve *serve);
