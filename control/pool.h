// SPDX-License-Identifier: BSD-3-Clause
// Tunnel addresses of clients: leases that stick to an identity, fixed ones of
// ifconfig-push, and the file of ifconfig-pool-persist. Event loop only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/addr.h"
#include "config/report.h"

struct ctl_pool;

#define CTL_POOL_MAX (1u << 24) // addresses of one network that are managed

struct ctl_pool_config {
	struct cfg_addr network; // 10.8.0.0/24
	struct cfg_addr server; // never given away
	struct cfg_addr first; // range for leases; AF_UNSPEC: only fixed addresses
	struct cfg_addr last;
	bool net30; // lease only the third of each four addresses; the second is its other end
	uint32_t limit; // addresses that are managed at most; 0: CTL_POOL_MAX
};

struct ctl_pool_stats {
	uint32_t size; // addresses of the range that may be leased
	uint32_t leased; // of these, in use
	uint32_t fixed; // in use by ctl_pool_take, wherever they lie
	uint32_t reserved; // in the range, but kept for somebody
};

// A new pool. Returns NULL with errno: EINVAL for a range outside the network, a network of less
// than four addresses; ENOMEM.
struct ctl_pool *ctl_pool_create(const struct ctl_pool_config *config);

// NULL is fine. Returns NULL.
struct ctl_pool *ctl_pool_free(struct ctl_pool *pool);

// Keep an address for an identity (ifconfig-push in its client-config-dir file), so that nobody
// else gets it as a lease. Call again to change the owner.
// Returns 0, -ERANGE outside the network or not a client's address, -ENOMEM.
int ctl_pool_reserve(struct ctl_pool *pool, const struct cfg_addr *addr, const char *identity);

// Lease an address: the one that the identity had last, if it is free; else one that nobody ever
// had; else the one that has been free for the longest time.
//
// ret_addr has the network's prefix. Returns 0, -ENOSPC when the pool is exhausted, -ENOMEM.
int ctl_pool_lease(struct ctl_pool *pool, const char *identity, struct cfg_addr *ret_addr);

// Take one certain address: ifconfig-push, or a session adopted from an earlier process.
// Returns 0, -EADDRINUSE when somebody has it, -ERANGE outside the network, -ENOMEM.
int ctl_pool_take(struct ctl_pool *pool, const char *identity, const struct cfg_addr *addr);

// Give an address back. One that isn't in use is no error.
void ctl_pool_release(struct ctl_pool *pool, const struct cfg_addr *addr);

// Who has the address now? NULL: nobody. Valid until the next change of the pool.
const char *ctl_pool_holder(const struct ctl_pool *pool, const struct cfg_addr *addr);

// Numbers for the operator.
void ctl_pool_stats(const struct ctl_pool *pool, struct ctl_pool_stats *ret_stats);

// Read "NAME,ADDRESS,ADDRESS6" lines as memories of who had which address; either address may be
// missing. Blank lines and those that begin with # or ; are skipped, addresses outside the range
// too (*ret_skipped counts them; may be NULL). A missing file is an empty one. pool6: NULL without
// IPv6, whose addresses are then skipped silently.
// Returns 0, -EINVAL with err naming file and line, or the errno of the file.
int ctl_pool_read(struct ctl_pool *pool, struct ctl_pool *pool6, const char *path,
	unsigned *ret_skipped, struct cfg_error *err);

// Has anything changed that ctl_pool_text would say otherwise than the last time?
bool ctl_pool_changed(const struct ctl_pool *pool);

// The last text didn't reach its file: count as changed.
void ctl_pool_unsaved(struct ctl_pool *pool);

// All memories and leases as the text of a file, which the caller frees. From then on the pools
// count as unchanged. pool6: NULL without IPv6. Returns 0 or -ENOMEM.
int ctl_pool_text(struct ctl_pool *pool, struct ctl_pool *pool6, char **ret_text, size_t *ret_len);

// Write a text: a new file beside the old one that replaces it as a whole, once it lies on the
// disk. Waits for the disk. Any thread; one at a time for each path. Returns 0 or a negative errno.
int ctl_pool_store(const char *path, const char *text, size_t len);
