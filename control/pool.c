// SPDX-License-Identifier: BSD-3-Clause
#include "control/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/hash.h"
#include "control/pool_private.h"

// The index of a client's address. Returns 0, or -ERANGE: outside the network, or one of its
// addresses that no client may have.
int ctl_pool_index(const struct ctl_pool *pool, const struct cfg_addr *addr, uint32_t *ret_index)
{
	uint64_t i;

	if (!cfg_addr_within(addr, &pool->network) ||
		cfg_addr_distance(&pool->network, addr, &i) < 0 || i >= pool->size)
		return -ERANGE;
	if (i == 0 || (i == pool->broadcast) || i == pool->server)
		return -ERANGE;
	*ret_index = (uint32_t)i;
	return 0;
}

struct cfg_addr ctl_pool_address(const struct ctl_pool *pool, uint32_t index)
{
	struct cfg_addr addr;

	(void)cfg_addr_add(&pool->network, index, &addr); // the index is within the network
	addr.prefix = pool->network.prefix;
	return addr;
}

static bool in_range(const struct ctl_pool *pool, uint32_t index)
{
	if (!pool->ranged || index < pool->first || index > pool->last)
		return false;
	return !pool->net30 || (index % 4 == 2 && index < pool->last);
}

// The name that an address is kept for, or NULL.
static const char *reserved_for(const struct ctl_pool *pool, uint32_t index)
{
	struct ctl_pool_reserve *r;

	HASH_FIND(hh, pool->reserves, &index, sizeof(index), r);
	return r != NULL ? r->name : NULL;
}

static bool may_have(const struct ctl_pool *pool, uint32_t index, const char *identity)
{
	const char *owner = reserved_for(pool, index);

	return owner == NULL || strcmp(owner, identity) == 0;
}

// ---- The queue of free addresses, longest free first ------------------------------------------

static void queue_append(struct ctl_pool *pool, uint32_t index)
{
	struct ctl_pool_entry *e = &pool->entries[index];

	e->prev = pool->tail;
	e->next = 0; // no client has index 0
	if (pool->tail != 0)
		pool->entries[pool->tail].next = index;
	else
		pool->head = index;
	pool->tail = index;
	e->queued = true;
}

static void queue_remove(struct ctl_pool *pool, uint32_t index)
{
	struct ctl_pool_entry *e = &pool->entries[index];

	if (!e->queued)
		return;
	if (e->prev != 0)
		pool->entries[e->prev].next = e->next;
	else
		pool->head = e->next;
	if (e->next != 0)
		pool->entries[e->next].prev = e->prev;
	else
		pool->tail = e->prev;
	e->queued = false;
}

// ---- Who had what -----------------------------------------------------------------------------

static bool same_name(const void *elem, const void *key)
{
	return strcmp(((const struct ctl_pool_entry *)elem)->name, key) == 0;
}

struct ctl_pool_entry *ctl_pool_memory(const struct ctl_pool *pool, const char *name)
{
	return ctl_set_find(&pool->memories, ctl_hash(name, strlen(name)), same_name, name);
}

static void memory_drop(struct ctl_pool *pool, struct ctl_pool_entry *e)
{
	ctl_set_del(&pool->memories, e, ctl_hash(e->name, strlen(e->name)));
}

// The name now belongs to that address; the one of before is forgotten.
static int entry_name(struct ctl_pool *pool, uint32_t index, const char *name)
{
	struct ctl_pool_entry *e = &pool->entries[index];
	char *copy;

	if (e->name != NULL && strcmp(e->name, name) == 0)
		return 0;
	copy = strdup(name);
	if (copy == NULL)
		return -ENOMEM;
	if (e->name != NULL && ctl_pool_memory(pool, e->name) == e)
		memory_drop(pool, e);
	free(e->name);
	e->name = copy;
	return 0;
}

// Remember that the name of an entry was there last. Without memory it isn't remembered, which
// costs nothing but stickiness.
static void memory_set(struct ctl_pool *pool, struct ctl_pool_entry *e)
{
	struct ctl_pool_entry *before;

	if (e->name[0] == '\0')
		return;
	before = ctl_pool_memory(pool, e->name);
	if (before == e)
		return;
	if (before != NULL)
		memory_drop(pool, before);
	pool->changed = true;
	(void)ctl_set_add(&pool->memories, e, ctl_hash(e->name, strlen(e->name)));
}

// ---- Public -----------------------------------------------------------------------------------

struct ctl_pool *ctl_pool_create(const struct ctl_pool_config *config)
{
	struct cfg_addr last = cfg_addr_last(&config->network);
	uint32_t limit = config->limit != 0 ? config->limit : CTL_POOL_MAX;
	struct ctl_pool *pool;
	uint64_t broadcast, value;

	errno = EINVAL;
	if (cfg_addr_bits(&config->network) < config->network.prefix + 2u)
		return NULL;
	pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		return NULL;
	pool->network = cfg_addr_network(&config->network);
	// A network larger than what is managed: the rest isn't used.
	if (cfg_addr_distance(&pool->network, &last, &broadcast) < 0 || broadcast >= limit) {
		broadcast = UINT64_MAX;
		pool->size = limit;
	} else {
		pool->size = (uint32_t)broadcast + 1;
	}
	// Only IPv4 has a broadcast address.
	pool->broadcast = pool->network.family == AF_INET ? broadcast : UINT64_MAX;
	pool->net30 = config->net30;
	pool->server = UINT64_MAX;
	if (cfg_addr_within(&config->server, &pool->network))
		(void)cfg_addr_distance(&pool->network, &config->server, &pool->server);
	if (config->first.family != AF_UNSPEC) {
		pool->ranged = true;
		if (!cfg_addr_within(&config->first, &pool->network) ||
			cfg_addr_distance(&pool->network, &config->first, &value) < 0 ||
			value >= pool->size)
			goto free_pool;
		pool->first = (uint32_t)value;
		if (!cfg_addr_within(&config->last, &pool->network) ||
			cfg_addr_distance(&pool->network, &config->last, &value) < 0 ||
			value < pool->first)
			goto free_pool;
		pool->last = value < pool->size ? (uint32_t)value : pool->size - 1;
		pool->fresh = pool->first;
	}
	// Untouched pages of a large network cost nothing.
	pool->entries = calloc(pool->size, sizeof(*pool->entries));
	if (pool->entries != NULL)
		return pool;
	errno = ENOMEM;
	free(pool);
	return NULL;

free_pool:
	free(pool);
	errno = EINVAL;
	return NULL;
}

struct ctl_pool *ctl_pool_free(struct ctl_pool *pool)
{
	struct ctl_pool_reserve *r, *next_r;

	if (pool == NULL)
		return NULL;
	ctl_set_done(&pool->memories);
	HASH_ITER(hh, pool->reserves, r, next_r)
	{
		HASH_DEL(pool->reserves, r);
		free(r->name);
		free(r);
	}
	// Names lie only where an address was ever used.
	for (uint32_t i = 0; i < pool->touched; i++)
		free(pool->entries[i].name);
	free(pool->entries);
	free(pool);
	return NULL;
}

int ctl_pool_reserve(struct ctl_pool *pool, const struct cfg_addr *addr, const char *identity)
{
	struct ctl_pool_reserve *r;
	uint32_t index;
	char *name;
	int rc = ctl_pool_index(pool, addr, &index);

	if (rc < 0)
		return rc;
	name = strdup(identity);
	if (name == NULL)
		return -ENOMEM;
	HASH_FIND(hh, pool->reserves, &index, sizeof(index), r);
	if (r == NULL) {
		r = calloc(1, sizeof(*r));
		if (r == NULL) {
			free(name);
			return -ENOMEM;
		}
		r->index = index;
		HASH_ADD(hh, pool->reserves, index, sizeof(r->index), r);
	}
	free(r->name);
	r->name = name;
	return 0;
}

// Mark an address as in use. Returns 0 or -ENOMEM.
static int entry_use(
	struct ctl_pool *pool, uint32_t index, const char *identity, enum ctl_pool_state state)
{
	int rc;

	if (index >= pool->touched)
		pool->touched = index + 1;
	rc = entry_name(pool, index, identity);
	if (rc < 0)
		return rc;
	queue_remove(pool, index);
	pool->entries[index].state = state;
	memory_set(pool, &pool->entries[index]);
	if (state == CTL_POOL_LEASED)
		pool->leased++;
	else
		pool->fixed++;
	return 0;
}

static bool is_free(const struct ctl_pool *pool, uint32_t index)
{
	return pool->entries[index].state <= CTL_POOL_FREE;
}

// An address for a lease. Returns its index, or 0 when there is none.
static uint32_t lease_find(struct ctl_pool *pool, const char *identity)
{
	const struct ctl_pool_entry *last = ctl_pool_memory(pool, identity);
	uint32_t at = last != NULL ? (uint32_t)(last - pool->entries) : 0;

	if (last != NULL && in_range(pool, at) && is_free(pool, at) && may_have(pool, at, identity))
		return at;
	for (; pool->ranged && pool->fresh <= pool->last; pool->fresh++) {
		uint32_t i = pool->fresh;

		if (i == 0 || i == pool->broadcast || i == pool->server || !in_range(pool, i))
			continue;
		if (pool->entries[i].state == CTL_POOL_NEVER && may_have(pool, i, identity))
			return i;
		// Set aside for somebody else, who takes it by name: not passed by for good.
	}
	while (pool->head != 0) {
		uint32_t i = pool->head;

		if (may_have(pool, i, identity))
			return i;
		queue_remove(
			pool, i); // set aside since it was released; it comes back by name only
	}
	return 0;
}

int ctl_pool_lease(struct ctl_pool *pool, const char *identity, struct cfg_addr *ret_addr)
{
	uint32_t index = lease_find(pool, identity);
	int rc;

	if (index == 0)
		return -ENOSPC;
	rc = entry_use(pool, index, identity, CTL_POOL_LEASED);
	if (rc == 0)
		*ret_addr = ctl_pool_address(pool, index);
	return rc;
}

int ctl_pool_take(struct ctl_pool *pool, const char *identity, const struct cfg_addr *addr)
{
	uint32_t index;
	int rc = ctl_pool_index(pool, addr, &index);

	if (rc < 0)
		return rc;
	if (!is_free(pool, index))
		return -EADDRINUSE;
	return entry_use(pool, index, identity,
		in_range(pool, index) && reserved_for(pool, index) == NULL ? CTL_POOL_LEASED
									   : CTL_POOL_FIXED);
}

void ctl_pool_release(struct ctl_pool *pool, const struct cfg_addr *addr)
{
	struct ctl_pool_entry *e;
	uint32_t index;

	if (ctl_pool_index(pool, addr, &index) < 0 || is_free(pool, index))
		return;
	e = &pool->entries[index];
	if (e->state == CTL_POOL_LEASED)
		pool->leased--;
	else
		pool->fixed--;
	e->state = CTL_POOL_FREE;
	if (in_range(pool, index) && reserved_for(pool, index) == NULL)
		queue_append(pool, index);
	// With several sessions of one name the one that ends last is remembered.
	memory_set(pool, e);
}

const char *ctl_pool_holder(const struct ctl_pool *pool, const struct cfg_addr *addr)
{
	uint32_t index;

	if (ctl_pool_index(pool, addr, &index) < 0 || is_free(pool, index))
		return NULL;
	return pool->entries[index].name;
}

void ctl_pool_stats(const struct ctl_pool *pool, struct ctl_pool_stats *ret_stats)
{
	struct ctl_pool_stats s = { .leased = pool->leased, .fixed = pool->fixed };
	const struct ctl_pool_reserve *r;

	for (r = pool->reserves; r != NULL; r = r->hh.next)
		s.reserved += in_range(pool, r->index);
	if (pool->ranged && pool->net30) {
		// Those below last that are 2 modulo 4, less those below first.
		s.size = (pool->last + 1) / 4 - (pool->first + 1) / 4 - s.reserved;
		s.size -= pool->server <= UINT32_MAX && in_range(pool, (uint32_t)pool->server);
	} else if (pool->ranged) {
		s.size = pool->last - pool->first + 1 - s.reserved;
		s.size -= pool->first == 0;
		s.size -= pool->broadcast <= pool->last && pool->broadcast >= pool->first;
		s.size -= pool->server <= pool->last && pool->server >= pool->first;
	}
	*ret_stats = s;
}

// From the file: the address is free, and the name had it. Not if either is known already.
int ctl_pool_remember(struct ctl_pool *pool, const char *name, const struct cfg_addr *addr)
{
	uint32_t index;
	int rc = ctl_pool_index(pool, addr, &index);

	if (rc < 0)
		return rc;
	if (!in_range(pool, index) || pool->entries[index].state != CTL_POOL_NEVER ||
		ctl_pool_memory(pool, name) != NULL)
		return -ERANGE;
	if (index >= pool->touched)
		pool->touched = index + 1;
	rc = entry_name(pool, index, name);
	if (rc < 0)
		return rc;
	pool->entries[index].state = CTL_POOL_FREE;
	queue_append(pool, index);
	memory_set(pool, &pool->entries[index]);
	return 0;
}
