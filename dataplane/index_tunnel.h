// SPDX-License-Identifier: BSD-3-Clause
// Tunnel address to slot: a direct index for the addresses of the subnets in control's greeting,
// one 64-bit word (generation, slot) each.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"
#include "shm/message.h"

// Addresses of one subnet that are indexed, from its network address on. In larger subnets (IPv6)
// sessions with other addresses are found as networks of one address (index_iroute).
#define DP_TUNNEL_HOSTS (1u << 21)

struct dp_tunnel_index;

// Make an empty index for n <= SHM_SUBNETS_MAX checked subnets. Returns NULL with errno set.
// Main only.
struct dp_tunnel_index *dp_tunnel_index_create(const struct shm_subnet *subnet, uint16_t n);
struct dp_tunnel_index *dp_tunnel_index_free(struct dp_tunnel_index *ix);

// Fill a new index from the live sessions; workers may change it meanwhile. Main only, after the
// index was published (a session installed in between is then entered by one or the other).
void dp_tunnel_index_fill(struct dp_tunnel_index *ix, const struct shm_dir *dir,
	const struct shm_session *session, uint32_t sessions);

// Slot and generation of a tunnel address. Any thread. Returns 0, or -ENOENT: in no subnet, the
// server's own, or nobody's. The caller compares the generation with the directory's.
int dp_tunnel_index_find(const struct dp_tunnel_index *ix, const struct shm_addr *addr,
	uint32_t *ret_slot, uint16_t *ret_generation);

// Ask for the entry of an IPv4 tunnel address, network order, that dp_tunnel_index_find4() will
// read.
void dp_tunnel_index_fetch4(const struct dp_tunnel_index *ix, uint32_t addr_be);

// The same for IPv4, address in network byte order: the hot path.
int dp_tunnel_index_find4(const struct dp_tunnel_index *ix, uint32_t addr_be, uint32_t *ret_slot,
	uint16_t *ret_generation);

// True when both IPv4 addresses, in network byte order, are in the same subnet: on one link, as
// stock clients see it. The hot path.
bool dp_tunnel_index_same4(const struct dp_tunnel_index *ix, uint32_t a_be, uint32_t b_be);

// Number of the subnet that the address is in, -1 if none.
int dp_tunnel_index_subnet(const struct dp_tunnel_index *ix, const struct shm_addr *addr);

// Enter or remove (if it is still that one) an address. The slot's owner. Returns 0 (an IPv6
// address behind the index isn't entered, which is no error), -ENOENT when the address is in no
// subnet or is the server's own, -EEXIST when it belongs to another slot whose generation is still
// the directory's.
int dp_tunnel_index_add(struct dp_tunnel_index *ix, const struct shm_dir *dir,
	const struct shm_addr *addr, uint32_t slot, uint16_t generation);
void dp_tunnel_index_del(struct dp_tunnel_index *ix, const struct shm_addr *addr, uint32_t slot,
	uint16_t generation);
