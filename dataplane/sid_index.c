// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/sid_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_ring_elem.h>

#include "dataplane/dp.h"
#include "dataplane/grace.h"
#include "dataplane/worker.h"

#define KINDS 2
#define SERVE_MAX 256u // requests of one worker at a time

struct dp_sid_index {
	struct rte_hash *hash[KINDS];
	struct dp_grace *grace;
	uint64_t refused;
};

// A place in a table that may be used again after a grace period.
struct dp_sid_place {
	struct rte_hash *hash;
	int32_t position;
};

// Clients choose their ids, so the hash has a secret seed.
static struct rte_hash *make_hash(const char *name, uint32_t sessions)
{
	struct rte_hash_parameters p = {
		.name = name,
		// Inserts fail from 98 % fill, and ids of sessions that end stay for a while.
		.entries = sessions * 2 < 64 ? 64 : sessions * 2,
		.key_len = SHM_SID_LEN,
		.hash_func = rte_jhash,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	if (getrandom(&p.hash_func_init_val, sizeof(p.hash_func_init_val), 0) < 0)
		return NULL;
	return rte_hash_create(&p);
}

struct dp_sid_index *dp_sid_index_create(const struct dp_core *core, struct dp_grace *grace)
{
	static unsigned made; // names of hashes are global in EAL
	struct dp_sid_index *ix = calloc(1, sizeof(*ix));
	char name[RTE_HASH_NAMESIZE];

	if (ix == NULL)
		return NULL;
	ix->grace = grace;
	for (int kind = 0; kind < KINDS; kind++) {
		(void)snprintf(name, sizeof(name), "dp_sid_%u", made++); // always fits
		ix->hash[kind] = make_hash(name, core->sessions);
		if (ix->hash[kind] == NULL) {
			dp_sid_index_free(ix);
			errno = ENOMEM;
			return NULL;
		}
	}
	return ix;
}

struct dp_sid_index *dp_sid_index_free(struct dp_sid_index *ix)
{
	if (ix == NULL)
		return NULL;
	for (int kind = 0; kind < KINDS; kind++)
		rte_hash_free(ix->hash[kind]); // NULL is fine
	free(ix);
	return NULL;
}

// Slot and generation as the pointer-sized value of an entry.
static void *pack(uint32_t slot, uint16_t generation)
{
	return (void *)((uintptr_t)generation << 32 | slot);
}

static void unpack(const void *value, uint32_t *ret_slot, uint16_t *ret_generation)
{
	*ret_slot = (uint32_t)(uintptr_t)value;
	*ret_generation = (uint16_t)((uintptr_t)value >> 32);
}

int dp_sid_find(const struct dp_core *core, enum dp_sid_kind kind, const uint8_t sid[SHM_SID_LEN],
	uint32_t *ret_slot, uint16_t *ret_generation)
{
	void *value;

	if (rte_hash_lookup_data(core->sid->hash[kind], sid, &value) < 0)
		return -ENOENT;
	unpack(value, ret_slot, ret_generation);
	return 0;
}

static bool is_live(const struct dp_core *core, uint32_t slot, uint16_t generation)
{
	struct shm_dir *d = &core->dir[slot];

	return atomic_load_explicit(&d->state, memory_order_acquire) == SHM_STATE_LIVE &&
		atomic_load_explicit(&d->generation, memory_order_relaxed) == generation;
}

int dp_sid_add(struct dp_core *core, enum dp_sid_kind kind, const uint8_t sid[SHM_SID_LEN],
	uint32_t slot, uint16_t generation)
{
	struct rte_hash *hash = core->sid->hash[kind];
	uint16_t other_generation;
	uint32_t other;

	if (slot >= core->sessions)
		return -ERANGE;
	if (dp_sid_find(core, kind, sid, &other, &other_generation) == 0 && other != slot &&
		is_live(core, other, other_generation)) {
		core->sid->refused++;
		return -EEXIST; // the older session keeps it (protocol.md 13.2)
	}
	return rte_hash_add_key_data(hash, sid, pack(slot, generation));
}

static void free_place(void *arg)
{
	struct dp_sid_place *place = arg;

	(void)rte_hash_free_key_with_position(place->hash, place->position); // it was deleted
	free(place);
}

int dp_sid_del(struct dp_core *core, enum dp_sid_kind kind, const uint8_t sid[SHM_SID_LEN],
	uint32_t slot, uint16_t generation)
{
	struct rte_hash *hash = core->sid->hash[kind];
	uint16_t other_generation;
	struct dp_sid_place *place;
	uint32_t other;

	if (dp_sid_find(core, kind, sid, &other, &other_generation) < 0)
		return -ENOENT;
	if (other != slot || other_generation != generation)
		return -ENOENT; // it went to another session meanwhile
	place = malloc(sizeof(*place));
	if (place == NULL)
		return -ENOMEM;
	*place = (struct dp_sid_place){ .hash = hash, .position = rte_hash_del_key(hash, sid) };
	if (place->position < 0) {
		free(place);
		return -ENOENT;
	}
	dp_grace_defer(core->sid->grace, free_place, place);
	return 0;
}

unsigned dp_sid_index_serve(struct dp_core *core, struct dp_worker *w)
{
	struct dp_main_msg msg;
	unsigned n = 0;

	while (n < SERVE_MAX && rte_ring_sc_dequeue_elem(w->to_main, &msg, sizeof(msg)) == 0) {
		n++;
		if (msg.sid_kind >= KINDS)
			continue;
		// Refusals are counted in the index; an id that is already gone needs nothing.
		if (msg.kind == DP_MAIN_SID_ADD)
			(void)dp_sid_add(core, msg.sid_kind, msg.sid, msg.slot, msg.generation);
		else if (msg.kind == DP_MAIN_SID_DEL)
			(void)dp_sid_del(core, msg.sid_kind, msg.sid, msg.slot, msg.generation);
	}
	return n;
}

uint32_t dp_sid_index_count(const struct dp_sid_index *ix)
{
	int32_t n = rte_hash_count(ix->hash[DP_SID_SERVER]);

	return n < 0 ? 0 : (uint32_t)n;
}

uint64_t dp_sid_index_refused(const struct dp_sid_index *ix)
{
	return ix->refused;
}
