// SPDX-License-Identifier: BSD-3-Clause
// UDP ports of static-key tunnels, thousands of them: found by their number, at a cost that doesn't
// grow with them. Immutable once made; part of a struct dp_config.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/message.h"

struct dp_tunnel_ports {
	uint16_t n;
	uint16_t addrs;
	uint16_t of_port[65536]; // by port in network order: index in listen, plus 1; 0: none
	struct shm_addr *addr; // those of listen, each once
	struct shm_listen listen[];
};

// Make a table of n addresses, no two of which have the same port (the later one is left out).
// Returns NULL and errno.
struct dp_tunnel_ports *dp_tunnel_ports_create(const struct shm_listen *listen, uint16_t n);

// NULL is fine. Returns NULL.
struct dp_tunnel_ports *dp_tunnel_ports_free(struct dp_tunnel_ports *ports);

// Is it the UDP address of a tunnel? addr: 4 or 16 bytes. Any thread.
bool dp_tunnel_ports_has(
	const struct dp_tunnel_ports *ports, uint16_t family, const void *addr, uint16_t port_be);

// Has any tunnel that address? For fragments, whose port isn't known. Any thread.
bool dp_tunnel_ports_at(const struct dp_tunnel_ports *ports, uint16_t family, const void *addr);
