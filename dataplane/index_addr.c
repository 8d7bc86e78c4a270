// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/index_addr.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_spinlock.h>

#include "dataplane/path.h"
#include "shm/session.h"

// A word: tag of the hash in the upper half, slot in the lower. Both zero bits of state are values
// that no slot has.
#define EMPTY 0ull // nothing was ever here: a search ends
#define TOMB 1ull // something was here: a search goes on
#define SLOT_BIAS 2u // slot 0 is stored as 2

struct dp_addr_index {
	uint32_t mask; // words - 1
	uint64_t seed;
	uint32_t used;
	rte_spinlock_t lock; // writers only
	_Atomic uint64_t word[];
};

struct dp_addr_index *dp_addr_index_create(uint32_t sessions, uint64_t seed)
{
	uint32_t words = 64;
	struct dp_addr_index *ix;

	while (words < sessions * 2u)
		words *= 2;
	ix = calloc(1, sizeof(*ix) + words * sizeof(ix->word[0]));
	if (ix == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	ix->mask = words - 1;
	ix->seed = seed;
	rte_spinlock_init(&ix->lock);
	return ix;
}

struct dp_addr_index *dp_addr_index_free(struct dp_addr_index *ix)
{
	free(ix);
	return NULL;
}

// Of everything that makes an address, with a secret in between: a client must not be able to
// choose ports that all land in one place.
static uint64_t hash_of(const struct dp_addr_index *ix, const struct shm_endpoint *ep)
{
	uint64_t part[5] = { 0 };
	uint64_t h = ix->seed;

	memcpy(part, ep->remote.bytes, 16);
	memcpy(part + 2, ep->local.bytes, 16);
	part[4] = (uint64_t)ep->remote_port_be << 32 | (uint64_t)ep->local_port_be << 16 |
		ep->remote.family;
	for (unsigned i = 0; i < 5; i++)
		h = dp_mix64(h ^ part[i]) + ix->seed;
	return h;
}

static uint64_t word_of(uint64_t hash, uint32_t slot)
{
	return (hash & 0xffffffff00000000ull) | (slot + SLOT_BIAS);
}

static uint32_t slot_of(uint64_t word)
{
	return (uint32_t)word - SLOT_BIAS;
}

static bool is_at(const struct shm_session *s, const struct shm_endpoint *ep)
{
	struct shm_endpoint at;

	return shm_endpoint_read(s, &at) == 0 &&
		memcmp(&at, ep, offsetof(struct shm_endpoint, next_hop)) == 0;
}

// Position of the entry whose session is at ep, or -1.
static int64_t search(const struct dp_addr_index *ix, const struct shm_session *sessions,
	const struct shm_endpoint *ep, uint64_t hash, uint32_t except)
{
	struct dp_addr_index *shared = (struct dp_addr_index *)(uintptr_t)ix; // loaded only

	for (uint32_t i = 0; i <= ix->mask; i++) {
		uint32_t at = ((uint32_t)hash + i) & ix->mask;
		uint64_t word = atomic_load_explicit(&shared->word[at], memory_order_acquire);

		if (word == EMPTY)
			return -1;
		if (word == TOMB || word >> 32 != hash >> 32 || slot_of(word) == except)
			continue;
		if (is_at(&sessions[slot_of(word)], ep))
			return at;
	}
	return -1;
}

uint32_t dp_addr_index_find(const struct dp_addr_index *ix, const struct shm_session *sessions,
	const struct shm_endpoint *ep)
{
	struct dp_addr_index *shared = (struct dp_addr_index *)(uintptr_t)ix; // loaded only
	int64_t at = search(ix, sessions, ep, hash_of(ix, ep), SHM_SLOT_NONE);
	uint64_t word;

	if (at < 0)
		return SHM_SLOT_NONE;
	word = atomic_load_explicit(&shared->word[at], memory_order_acquire);
	return word == EMPTY || word == TOMB ? SHM_SLOT_NONE : slot_of(word); // it may have left
}

// Position of exactly this word, or -1.
static int64_t search_word(const struct dp_addr_index *ix, uint64_t hash, uint64_t want)
{
	struct dp_addr_index *shared = (struct dp_addr_index *)(uintptr_t)ix; // loaded only

	for (uint32_t i = 0; i <= ix->mask; i++) {
		uint32_t at = ((uint32_t)hash + i) & ix->mask;
		uint64_t word = atomic_load_explicit(&shared->word[at], memory_order_relaxed);

		if (word == EMPTY)
			return -1;
		if (word == want)
			return at;
	}
	return -1;
}

// Take an entry out. If nothing follows it, no search has to go on beyond it, nor beyond the tombs
// in front of it: so tombs don't pile up.
static void clear(struct dp_addr_index *ix, uint32_t at)
{
	uint64_t next = atomic_load_explicit(&ix->word[(at + 1) & ix->mask], memory_order_relaxed);

	ix->used--;
	atomic_store_explicit(&ix->word[at], TOMB, memory_order_release);
	while (next == EMPTY && atomic_load_explicit(&ix->word[at], memory_order_relaxed) == TOMB) {
		atomic_store_explicit(&ix->word[at], EMPTY, memory_order_release);
		at = (at - 1) & ix->mask;
	}
}

static int put(struct dp_addr_index *ix, uint64_t hash, uint64_t word)
{
	for (uint32_t i = 0; i <= ix->mask; i++) {
		uint32_t at = ((uint32_t)hash + i) & ix->mask;
		uint64_t old = atomic_load_explicit(&ix->word[at], memory_order_relaxed);

		if (old != EMPTY && old != TOMB)
			continue;
		atomic_store_explicit(&ix->word[at], word, memory_order_release);
		ix->used++;
		return 0;
	}
	return -ENOSPC;
}

int dp_addr_index_add(struct dp_addr_index *ix, const struct shm_session *sessions,
	const struct shm_endpoint *ep, uint32_t slot, uint32_t *ret_other)
{
	uint64_t hash = hash_of(ix, ep);
	uint64_t word = word_of(hash, slot);
	uint32_t other = SHM_SLOT_NONE;
	int64_t at;
	int rc = 0;

	rte_spinlock_lock(&ix->lock);
	at = search(ix, sessions, ep, hash, slot);
	if (at >= 0) {
		other = slot_of(atomic_load_explicit(&ix->word[at], memory_order_relaxed));
		clear(ix, (uint32_t)at);
	}
	if (search_word(ix, hash, word) < 0)
		rc = put(ix, hash, word);
	rte_spinlock_unlock(&ix->lock);
	*ret_other = other;
	return rc;
}

void dp_addr_index_del(struct dp_addr_index *ix, const struct shm_endpoint *ep, uint32_t slot)
{
	uint64_t hash = hash_of(ix, ep);
	int64_t at;

	rte_spinlock_lock(&ix->lock);
	at = search_word(ix, hash, word_of(hash, slot));
	if (at >= 0)
		clear(ix, (uint32_t)at);
	rte_spinlock_unlock(&ix->lock);
}

uint32_t dp_addr_index_count(const struct dp_addr_index *ix)
{
	return ix->used;
}
