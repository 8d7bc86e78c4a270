// SPDX-License-Identifier: BSD-3-Clause
// What pool.c and pool_file.c share.
#pragma once

#include <uthash.h>

#include "control/pool.h"
#include "control/set.h"

enum ctl_pool_state {
	CTL_POOL_NEVER, // nobody ever had it
	CTL_POOL_FREE, // somebody had it
	CTL_POOL_LEASED,
	CTL_POOL_FIXED, // taken by name
};

// One address of the network; all zero at first. The index is its distance from the network's
// first address, so 0 is nobody's and serves as "none".
struct ctl_pool_entry {
	char *name; // who has it, or had it last
	uint32_t next, prev; // queue of free addresses
	uint8_t state; // enum ctl_pool_state
	bool queued;
};

// An address that is set aside.
struct ctl_pool_reserve {
	uint32_t index;
	char *name;
	UT_hash_handle hh;
};

struct ctl_pool {
	struct cfg_addr network;
	uint32_t size; // addresses managed
	uint64_t broadcast; // index; UINT64_MAX: none
	uint64_t server; // index; UINT64_MAX: outside
	bool ranged; // first..last may be leased
	bool net30; // of these only the third of each four
	uint32_t first, last;
	uint32_t fresh; // below it nothing is left that nobody ever had
	uint32_t head, tail; // queue of free addresses
	uint32_t touched; // entries from here on are still zero
	uint32_t leased, fixed;
	struct ctl_pool_entry *entries;
	struct ctl_set memories; // for each name the entry of the address that it had last
	struct ctl_pool_reserve *reserves;
	bool changed; // since the last write of the file
};

// The entry that remembers where a name was last, or NULL.
struct ctl_pool_entry *ctl_pool_memory(const struct ctl_pool *pool, const char *name);

int ctl_pool_index(const struct ctl_pool *pool, const struct cfg_addr *addr, uint32_t *ret_index);
struct cfg_addr ctl_pool_address(const struct ctl_pool *pool, uint32_t index);

// From the file: the address is free, and the name had it. Returns 0, -ERANGE when it isn't one of
// the range, or name or address are known already, -ENOMEM.
int ctl_pool_remember(struct ctl_pool *pool, const char *name, const struct cfg_addr *addr);
