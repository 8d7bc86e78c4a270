// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/index_iroute.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_spinlock.h>

#define GROUPS_MAX 162 // 33 prefix lengths of IPv4 and 129 of IPv6

struct iroute {
	struct shm_addr addr;
	uint16_t generation;
	uint8_t prefix_len;
	uint32_t slot;
};

// Routes of one family and prefix length lie together, sorted by address.
struct group {
	uint16_t family;
	uint8_t prefix_len;
	uint16_t first;
	uint16_t n;
};

// Sorted by prefix length, longest first, then family and address.
struct copy {
	uint32_t n;
	uint32_t groups;
	struct group group[GROUPS_MAX];
	struct iroute route[DP_IROUTES_MAX];
};

struct dp_iroute_index {
	struct rte_rcu_qsbr *qsbr;
	_Atomic uint32_t active; // index of the copy that readers use
	rte_spinlock_t lock; // writers only
	uint64_t token; // of the last change: the idle copy may be read until it has passed
	struct copy copy[2];
};

struct dp_iroute_index *dp_iroute_index_create(struct rte_rcu_qsbr *qsbr)
{
	struct dp_iroute_index *ix = calloc(1, sizeof(*ix));

	if (ix == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	ix->qsbr = qsbr;
	rte_spinlock_init(&ix->lock);
	return ix;
}

struct dp_iroute_index *dp_iroute_index_free(struct dp_iroute_index *ix)
{
	free(ix);
	return NULL;
}

static void mask(struct shm_addr *a, uint8_t prefix_len)
{
	unsigned len = a->family == AF_INET ? 4 : 16;

	for (unsigned i = 0; i < sizeof(a->bytes); i++) {
		unsigned bit = i * 8;

		if (i >= len || bit >= prefix_len)
			a->bytes[i] = 0;
		else if (prefix_len - bit < 8)
			a->bytes[i] &= (uint8_t)(0xff00 >> (prefix_len - bit));
	}
}

static int compare(const struct iroute *a, const struct iroute *b)
{
	if (a->prefix_len != b->prefix_len)
		return a->prefix_len > b->prefix_len ? -1 : 1;
	return memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

static const struct iroute *search(
	const struct copy *c, const struct group *g, const struct shm_addr *addr)
{
	struct iroute want = { .addr = *addr, .prefix_len = g->prefix_len };
	unsigned low = g->first, high = low + g->n;

	mask(&want.addr, g->prefix_len);
	while (low < high) {
		unsigned mid = (low + high) / 2;
		int rc = compare(&want, &c->route[mid]);

		if (rc == 0)
			return &c->route[mid];
		if (rc < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

int dp_iroute_index_find(const struct dp_iroute_index *ix, const struct shm_addr *addr,
	uint32_t *ret_slot, uint16_t *ret_generation)
{
	struct dp_iroute_index *shared = (struct dp_iroute_index *)(uintptr_t)ix; // loaded only
	const struct copy *c =
		&ix->copy[atomic_load_explicit(&shared->active, memory_order_acquire)];

	for (uint32_t i = 0; i < c->groups; i++) {
		const struct iroute *r;

		if (c->group[i].family != addr->family)
			continue;
		r = search(c, &c->group[i], addr);
		if (r == NULL)
			continue;
		*ret_slot = r->slot;
		*ret_generation = r->generation;
		return 0;
	}
	return -ENOENT;
}

static void regroup(struct copy *c)
{
	c->groups = 0;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct iroute *r = &c->route[i];
		struct group *g = c->groups > 0 ? &c->group[c->groups - 1] : NULL;

		if (g == NULL || g->prefix_len != r->prefix_len || g->family != r->addr.family) {
			g = &c->group[c->groups++];
			*g = (struct group){ r->addr.family, r->prefix_len, (uint16_t)i, 0 };
		}
		g->n++;
	}
}

// Lock, and make the idle copy equal to the active one. NULL with nothing locked: readers may
// still be in it.
static struct copy *begin(struct dp_iroute_index *ix)
{
	uint32_t active;

	rte_spinlock_lock(&ix->lock);
	// Token 0 is from before the first change.
	if (ix->token != 0 && rte_rcu_qsbr_check(ix->qsbr, ix->token, false) == 0) {
		rte_spinlock_unlock(&ix->lock);
		return NULL;
	}
	active = atomic_load_explicit(&ix->active, memory_order_relaxed);
	ix->copy[!active] = ix->copy[active];
	return &ix->copy[!active];
}

static void end(struct dp_iroute_index *ix, struct copy *c, bool changed)
{
	if (changed) {
		regroup(c);
		atomic_store_explicit(&ix->active, (uint32_t)(c - ix->copy), memory_order_release);
		ix->token = rte_rcu_qsbr_start(ix->qsbr);
	}
	rte_spinlock_unlock(&ix->lock);
}

// First place whose route isn't before r.
static uint32_t place(const struct copy *c, const struct iroute *r)
{
	uint32_t i = 0;

	while (i < c->n && compare(&c->route[i], r) < 0)
		i++;
	return i;
}

static int make(const struct shm_addr *addr, uint8_t prefix_len, struct iroute *r)
{
	struct shm_addr masked = *addr;

	if (addr->family != AF_INET && addr->family != AF_INET6)
		return -EINVAL;
	if (prefix_len > (addr->family == AF_INET ? 32 : 128))
		return -EINVAL;
	mask(&masked, prefix_len);
	if (memcmp(&masked, addr, sizeof(masked)) != 0)
		return -EINVAL;
	*r = (struct iroute){ .addr = masked, .prefix_len = prefix_len };
	return 0;
}

int dp_iroute_index_add(struct dp_iroute_index *ix, const struct shm_addr *addr, uint8_t prefix_len,
	uint32_t slot, uint16_t generation)
{
	struct iroute r;
	struct copy *c;
	uint32_t at;
	int rc = make(addr, prefix_len, &r);

	if (rc < 0)
		return rc;
	r.slot = slot;
	r.generation = generation;
	c = begin(ix);
	if (c == NULL)
		return -EAGAIN;
	at = place(c, &r);
	if (at < c->n && compare(&c->route[at], &r) == 0) {
		if (c->route[at].slot != slot)
			rc = -EEXIST;
		else
			c->route[at] = r;
	} else if (c->n == DP_IROUTES_MAX) {
		rc = -ENOSPC;
	} else {
		memmove(&c->route[at + 1], &c->route[at], (c->n - at) * sizeof(r));
		c->route[at] = r;
		c->n++;
	}
	end(ix, c, rc == 0);
	return rc;
}

int dp_iroute_index_del(struct dp_iroute_index *ix, const struct shm_addr *addr, uint8_t prefix_len,
	uint32_t slot, uint16_t generation)
{
	struct iroute r;
	struct copy *c;
	uint32_t at;
	int rc = make(addr, prefix_len, &r);

	if (rc < 0)
		return rc;
	c = begin(ix);
	if (c == NULL)
		return -EAGAIN;
	at = place(c, &r);
	if (at == c->n || compare(&c->route[at], &r) != 0 || c->route[at].slot != slot ||
		c->route[at].generation != generation) {
		rc = -ENOENT;
	} else {
		c->n--;
		memmove(&c->route[at], &c->route[at + 1], (c->n - at) * sizeof(r));
	}
	end(ix, c, rc == 0);
	return rc;
}

int dp_iroute_index_del_slot(struct dp_iroute_index *ix, uint32_t slot)
{
	struct copy *c;
	uint32_t kept = 0;
	bool changed;

	// Nearly always there is none: looking needs no lock, as only this owner adds its own.
	c = &ix->copy[atomic_load_explicit(&ix->active, memory_order_acquire)];
	for (kept = 0; kept < c->n && c->route[kept].slot != slot; kept++)
		;
	if (kept == c->n)
		return 0;
	c = begin(ix);
	if (c == NULL)
		return -EAGAIN;
	kept = 0;
	for (uint32_t i = 0; i < c->n; i++) {
		if (c->route[i].slot != slot)
			c->route[kept++] = c->route[i];
	}
	changed = kept != c->n;
	c->n = kept;
	end(ix, c, changed);
	return 0;
}
