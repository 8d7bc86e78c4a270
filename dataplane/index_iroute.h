// SPDX-License-Identifier: BSD-3-Clause
// Networks behind clients (iroute): longest prefix to slot. Few and seldom changed, so a sorted
// copy for readers and one to build the next in; rte_fib of DPDK 22.11 allocates while routes are
// added and knows no RCU.
#pragma once

#include <stdint.h>

#include <rte_rcu_qsbr.h>

#include "shm/layout.h"

#define DP_IROUTES_MAX 4096u

struct dp_iroute_index;

// Returns NULL with errno set. Main only.
struct dp_iroute_index *dp_iroute_index_create(struct rte_rcu_qsbr *qsbr);
struct dp_iroute_index *dp_iroute_index_free(struct dp_iroute_index *ix);

// Longest match. Any worker. Returns 0 or -ENOENT.
int dp_iroute_index_find(const struct dp_iroute_index *ix, const struct shm_addr *addr,
	uint32_t *ret_slot, uint16_t *ret_generation);

// Add or remove a network of a slot. Any worker, under a short lock.
// Returns 0; -EAGAIN while readers may still use the copy that would be written: try again in the
// next iteration; -EEXIST when another slot has it, -ENOENT, -ENOSPC, -EINVAL (host bits set).
int dp_iroute_index_add(struct dp_iroute_index *ix, const struct shm_addr *addr, uint8_t prefix_len,
	uint32_t slot, uint16_t generation);
int dp_iroute_index_del(struct dp_iroute_index *ix, const struct shm_addr *addr, uint8_t prefix_len,
	uint32_t slot, uint16_t generation);

// Remove all networks of a slot. Returns 0 or -EAGAIN.
int dp_iroute_index_del_slot(struct dp_iroute_index *ix, uint32_t slot);
