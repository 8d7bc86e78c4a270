// SPDX-License-Identifier: BSD-3-Clause
// UDP address to slot, for sessions that send P_DATA_V1 and for peer-id 0xFFFFFF (D3).
//
// One open-addressing table for all workers, of 64-bit words (tag of the hash, slot). It holds no
// keys: a reader compares the endpoint of the candidate's session, which it needs next anyway, so
// an entry that a reader sees late is harmless and nothing has to be reclaimed. rte_hash would
// keep 40-byte keys and need a grace period for each move. Readers are lock-free; writers, at
// install, move and removal only, take a short spinlock.
#pragma once

#include <stdint.h>

#include "shm/layout.h"

struct dp_addr_index;

// Make a table for so many sessions. seed: random, so that a client can't choose collisions.
// Returns NULL with errno set. Main only.
struct dp_addr_index *dp_addr_index_create(uint32_t sessions, uint64_t seed);
struct dp_addr_index *dp_addr_index_free(struct dp_addr_index *ix);

// Slot whose session has exactly this remote and local address, or SHM_SLOT_NONE. Any thread.
uint32_t dp_addr_index_find(const struct dp_addr_index *ix, const struct shm_session *sessions,
	const struct shm_endpoint *ep);

// Map the address to slot, whose endpoint must already be published. Another slot's entry for the
// same address is replaced; *ret_other is that slot or SHM_SLOT_NONE. The slot's owner.
// Returns 0 or -ENOSPC.
int dp_addr_index_add(struct dp_addr_index *ix, const struct shm_session *sessions,
	const struct shm_endpoint *ep, uint32_t slot, uint32_t *ret_other);

// Forget that the address maps to slot; nothing happens if it doesn't. The slot's owner.
void dp_addr_index_del(struct dp_addr_index *ix, const struct shm_endpoint *ep, uint32_t slot);

// Entries in use, for tests and telemetry.
uint32_t dp_addr_index_count(const struct dp_addr_index *ix);
