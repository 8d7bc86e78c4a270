// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/next_hop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rte_hash_crc.h>

#include "dataplane/dp.h"
#include "dataplane/wake.h"

#define PREFIXES 129

enum entry_kind { ENTRY_FREE = 0, ENTRY_ROUTE = 1, ENTRY_NEIGHBOUR = 2 };

struct key {
	struct shm_addr addr;
	uint8_t kind; // enum entry_kind
	uint8_t prefix_len; // routes
	uint32_t ifindex; // neighbours
};
static_assert(sizeof(struct key) == 24, "no holes: keys are compared by memcmp");

struct entry {
	struct key key;
	uint32_t ifindex;
	uint32_t metric;
	struct shm_addr gateway;
	uint8_t mac[6];
	bool stale;
	_Atomic uint8_t used; // workers set it, once
};

struct dp_next_hops {
	struct dp_wanted *wanted;
	uint32_t mask;
	uint8_t prefixes[2][PREFIXES + 1]; // lengths that occur, longest first, 0xff ends
	struct entry entry[];
};

static uint32_t hash_key(const struct key *k)
{
	return rte_hash_crc(k, sizeof(*k), 0x56495350);
}

// The entry of a key, or the free place where it belongs.
static struct entry *probe(struct dp_next_hops *h, const struct key *k)
{
	uint32_t i = hash_key(k) & h->mask;

	while (h->entry[i].key.kind != ENTRY_FREE && memcmp(&h->entry[i].key, k, sizeof(*k)) != 0)
		i = (i + 1) & h->mask;
	return &h->entry[i];
}

static struct entry *find(const struct dp_next_hops *h, const struct key *k)
{
	// `used` is the one field that lookups write, which is why the table isn't const.
	struct entry *e = probe((struct dp_next_hops *)(uintptr_t)h, k);

	return e->key.kind == ENTRY_FREE ? NULL : e;
}

static unsigned family_index(const struct shm_addr *a)
{
	return a->family == AF_INET ? 0 : 1;
}

static void mask_addr(struct shm_addr *a, unsigned prefix_len)
{
	unsigned bytes = a->family == AF_INET ? 4 : 16;

	for (unsigned i = 0; i < bytes; i++) {
		unsigned bits = prefix_len > i * 8 ? prefix_len - i * 8 : 0;

		if (bits < 8)
			a->bytes[i] &= (uint8_t)(0xff00 >> bits);
	}
}

static void add_route(struct dp_next_hops *h, const struct dp_route *r, bool seen[2][PREFIXES])
{
	struct key k = { .addr = r->dst, .kind = ENTRY_ROUTE, .prefix_len = r->prefix_len };
	struct entry *e;

	if (r->prefix_len >= PREFIXES)
		return;
	mask_addr(&k.addr, r->prefix_len);
	e = probe(h, &k);
	if (e->key.kind != ENTRY_FREE && e->metric <= r->metric)
		return;
	e->key = k;
	e->ifindex = r->ifindex;
	e->metric = r->metric;
	e->gateway = r->gateway;
	seen[family_index(&r->dst)][r->prefix_len] = true;
}

static void add_neighbour(struct dp_next_hops *h, const struct dp_neighbour *n)
{
	struct key k = { .addr = n->addr, .kind = ENTRY_NEIGHBOUR, .ifindex = n->ifindex };
	struct entry *e = probe(h, &k);

	e->key = k;
	memcpy(e->mac, n->mac, sizeof(e->mac));
	e->stale = n->stale;
}

struct dp_next_hops *dp_next_hops_create(const struct dp_route *route, unsigned routes,
	const struct dp_neighbour *neighbour, unsigned neighbours, struct dp_wanted *wanted)
{
	bool seen[2][PREFIXES] = { 0 };
	struct dp_next_hops *h;
	uint32_t size = 64;

	while (size < 2 * ((size_t)routes + neighbours))
		size *= 2;
	h = calloc(1, sizeof(*h) + size * sizeof(h->entry[0]));
	if (h == NULL)
		return NULL;
	h->mask = size - 1;
	h->wanted = wanted;
	for (unsigned i = 0; i < routes; i++)
		add_route(h, &route[i], seen);
	for (unsigned i = 0; i < neighbours; i++)
		add_neighbour(h, &neighbour[i]);
	for (unsigned f = 0; f < 2; f++) {
		unsigned n = 0;

		for (int len = PREFIXES - 1; len >= 0; len--) {
			if (seen[f][len])
				h->prefixes[f][n++] = (uint8_t)len;
		}
		h->prefixes[f][n] = 0xff;
	}
	return h;
}

void dp_next_hops_free(void *hops)
{
	free(hops);
}

// Longest match: one look-up for each prefix length that occurs, of which there are few.
static const struct entry *find_route(const struct dp_next_hops *h, const struct shm_addr *dst)
{
	const uint8_t *len = h->prefixes[family_index(dst)];
	struct key k = { .addr = *dst, .kind = ENTRY_ROUTE };
	const struct entry *e;

	for (; *len != 0xff; len++) {
		k.prefix_len = *len;
		mask_addr(&k.addr, *len);
		e = find(h, &k);
		if (e != NULL)
			return e;
	}
	return NULL;
}

// Ask main to have the kernel resolve a neighbour. Each address has one place, so many packets to
// a silent neighbour make one request; main frees the place some time after.
static void want(struct dp_wanted *wanted, uint32_t ifindex, const struct shm_addr *addr)
{
	uint32_t i = rte_hash_crc(addr, sizeof(*addr), ifindex) % DP_WANTED;
	uint32_t is_free = 0;

	if (wanted == NULL || !atomic_compare_exchange_strong(&wanted->place[i].state, &is_free, 1))
		return;
	wanted->place[i].ifindex = ifindex;
	wanted->place[i].addr = *addr;
	atomic_store_explicit(&wanted->place[i].state, 2, memory_order_release);
	dp_wake_fd(wanted->event_fd);
}

int dp_next_hop(const struct dp_core *core, const struct shm_addr *dst, uint8_t ret_mac[6])
{
	struct dp_next_hops *h = atomic_load_explicit(
		&((struct dp_core *)(uintptr_t)core)->next_hops, memory_order_acquire);
	const struct entry *route;
	struct entry *neighbour;
	struct key k = { .kind = ENTRY_NEIGHBOUR };

	if (h == NULL)
		return -ENOENT;
	route = find_route(h, dst);
	if (route == NULL)
		return -ENOENT;
	k.addr = route->gateway.family != 0 ? route->gateway : *dst;
	k.ifindex = route->ifindex;
	neighbour = find(h, &k);
	if (neighbour == NULL) {
		want(h->wanted, k.ifindex, &k.addr);
		return -ENOENT;
	}
	if (neighbour->stale && atomic_load_explicit(&neighbour->used, memory_order_relaxed) == 0)
		atomic_store_explicit(&neighbour->used, 1, memory_order_relaxed);
	memcpy(ret_mac, neighbour->mac, 6);
	return 0;
}

void dp_next_hops_used(struct dp_next_hops *hops,
	void (*fn)(void *arg, uint32_t ifindex, const struct shm_addr *addr), void *arg)
{
	for (uint32_t i = 0; i <= hops->mask; i++) {
		struct entry *e = &hops->entry[i];

		if (e->key.kind == ENTRY_NEIGHBOUR && e->stale &&
			atomic_exchange_explicit(&e->used, 0, memory_order_relaxed) != 0)
			fn(arg, e->key.ifindex, &e->key.addr);
	}
}
