// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/index_tunnel.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "protocol/bytes.h"

// Entry: generation << 32 | slot + 1; 0: nobody.
struct net {
	struct shm_subnet subnet;
	uint32_t net4; // host order; of IPv6, with mask 0, a number that no masked address equals
	uint32_t mask4;
	uint32_t hosts; // entries
	_Atomic uint64_t *entry;
};

struct dp_tunnel_index {
	uint16_t n;
	struct net net[SHM_SUBNETS_MAX];
};

static uint64_t word_of(uint32_t slot, uint16_t generation)
{
	return (uint64_t)generation << 32 | (slot + 1);
}

static int net_init(struct net *net, const struct shm_subnet *subnet)
{
	unsigned bits = (subnet->addr.family == AF_INET ? 32u : 128u) - subnet->prefix_len;

	net->subnet = *subnet;
	net->hosts = bits >= 21 ? DP_TUNNEL_HOSTS : 1u << bits;
	net->net4 = UINT32_MAX;
	if (subnet->addr.family == AF_INET) {
		net->net4 = ovpn_get_be32(subnet->addr.bytes);
		net->mask4 = bits >= 32 ? 0 : ~0u << bits;
	}
	net->entry = calloc(net->hosts, sizeof(*net->entry));
	return net->entry == NULL ? -ENOMEM : 0;
}

struct dp_tunnel_index *dp_tunnel_index_create(const struct shm_subnet *subnet, uint16_t n)
{
	struct dp_tunnel_index *ix = calloc(1, sizeof(*ix));

	if (ix == NULL || n > SHM_SUBNETS_MAX) {
		errno = ix == NULL ? ENOMEM : EINVAL;
		return dp_tunnel_index_free(ix);
	}
	for (uint16_t i = 0; i < n; i++) {
		if (net_init(&ix->net[i], &subnet[i]) < 0) {
			errno = ENOMEM;
			return dp_tunnel_index_free(ix);
		}
		ix->n++;
	}
	return ix;
}

struct dp_tunnel_index *dp_tunnel_index_free(struct dp_tunnel_index *ix)
{
	if (ix == NULL)
		return NULL;
	for (uint16_t i = 0; i < SHM_SUBNETS_MAX; i++)
		free(ix->net[i].entry);
	free(ix);
	return NULL;
}

static bool in_subnet(const struct shm_subnet *s, const struct shm_addr *a)
{
	unsigned bytes = s->prefix_len / 8, rest = s->prefix_len % 8;

	if (a->family != s->addr.family || memcmp(a->bytes, s->addr.bytes, bytes) != 0)
		return false;
	return rest == 0 || ((a->bytes[bytes] ^ s->addr.bytes[bytes]) & (0xff00 >> rest)) == 0;
}

// Number of the host in its subnet, UINT32_MAX when it has no entry.
static uint32_t host_of(const struct net *net, const struct shm_addr *a)
{
	uint64_t host;

	if (a->family == AF_INET) {
		host = ovpn_get_be32(a->bytes) - net->net4;
	} else {
		// The upper half is the subnet's unless that is wider than its interface part.
		if (memcmp(a->bytes, net->subnet.addr.bytes, 8) != 0)
			return UINT32_MAX;
		host = ovpn_get_be64(a->bytes + 8) - ovpn_get_be64(net->subnet.addr.bytes + 8);
	}
	return host < net->hosts ? (uint32_t)host : UINT32_MAX;
}

int dp_tunnel_index_subnet(const struct dp_tunnel_index *ix, const struct shm_addr *addr)
{
	for (uint16_t i = 0; i < ix->n; i++) {
		if (in_subnet(&ix->net[i].subnet, addr))
			return i;
	}
	return -1;
}

bool dp_tunnel_index_same4(const struct dp_tunnel_index *ix, uint32_t a_be, uint32_t b_be)
{
	uint32_t a = __builtin_bswap32(a_be), b = __builtin_bswap32(b_be);

	for (uint16_t i = 0; i < ix->n; i++) {
		const struct net *net = &ix->net[i];
		bool has_a = (a & net->mask4) == net->net4;
		bool has_b = (b & net->mask4) == net->net4;

		if (has_a || has_b)
			return has_a && has_b;
	}
	return false;
}

static _Atomic uint64_t *entry_of(const struct dp_tunnel_index *ix, const struct shm_addr *addr)
{
	int i = dp_tunnel_index_subnet(ix, addr);
	uint32_t host;

	if (i < 0)
		return NULL;
	host = host_of(&ix->net[i], addr);
	return host == UINT32_MAX ? NULL : &ix->net[i].entry[host];
}

static int unpack(uint64_t word, uint32_t *ret_slot, uint16_t *ret_generation)
{
	if (word == 0)
		return -ENOENT;
	*ret_slot = (uint32_t)word - 1;
	*ret_generation = (uint16_t)(word >> 32);
	return 0;
}

int dp_tunnel_index_find(const struct dp_tunnel_index *ix, const struct shm_addr *addr,
	uint32_t *ret_slot, uint16_t *ret_generation)
{
	_Atomic uint64_t *e = entry_of(ix, addr);

	if (e == NULL)
		return -ENOENT;
	return unpack(atomic_load_explicit(e, memory_order_acquire), ret_slot, ret_generation);
}

// Entry of an IPv4 address, NULL when no subnet has one for it.
static inline _Atomic uint64_t *entry4(const struct dp_tunnel_index *ix, uint32_t addr_be)
{
	uint32_t addr = __builtin_bswap32(addr_be);

	for (uint16_t i = 0; i < ix->n; i++) {
		const struct net *net = &ix->net[i];

		if ((addr & net->mask4) == net->net4)
			return addr - net->net4 < net->hosts ? &net->entry[addr - net->net4] : NULL;
	}
	return NULL;
}

void dp_tunnel_index_fetch4(const struct dp_tunnel_index *ix, uint32_t addr_be)
{
	const _Atomic uint64_t *entry = entry4(ix, addr_be);

	if (entry != NULL)
		__asm__ volatile("prefetcht0 %0" : : "m"(*entry));
}

int dp_tunnel_index_find4(const struct dp_tunnel_index *ix, uint32_t addr_be, uint32_t *ret_slot,
	uint16_t *ret_generation)
{
	_Atomic uint64_t *entry = entry4(ix, addr_be);

	if (entry == NULL)
		return -ENOENT;
	return unpack(atomic_load_explicit(entry, memory_order_acquire), ret_slot, ret_generation);
}

static bool is_server(const struct dp_tunnel_index *ix, const struct shm_addr *addr)
{
	for (uint16_t i = 0; i < ix->n; i++) {
		if (memcmp(&ix->net[i].subnet.server, addr, sizeof(*addr)) == 0)
			return true;
	}
	return false;
}

int dp_tunnel_index_add(struct dp_tunnel_index *ix, const struct shm_dir *dir,
	const struct shm_addr *addr, uint32_t slot, uint16_t generation)
{
	_Atomic uint64_t *e = entry_of(ix, addr);
	uint64_t want = word_of(slot, generation);
	uint64_t old;

	if (is_server(ix, addr))
		return -ENOENT;
	if (e == NULL) // in a subnet that is larger than its index: control adds an iroute
		return addr->family == AF_INET6 && dp_tunnel_index_subnet(ix, addr) >= 0 ? 0
											 : -ENOENT;
	old = atomic_load_explicit(e, memory_order_acquire);
	do {
		uint16_t g;
		uint32_t other;

		if (unpack(old, &other, &g) == 0 && other != slot) {
			struct shm_dir *d = (struct shm_dir *)(uintptr_t)&dir[other]; // loaded only

			if (atomic_load_explicit(&d->state, memory_order_acquire) ==
					SHM_STATE_LIVE &&
				atomic_load_explicit(&d->generation, memory_order_relaxed) == g)
				return -EEXIST;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		e, &old, want, memory_order_acq_rel, memory_order_acquire));
	return 0;
}

void dp_tunnel_index_del(
	struct dp_tunnel_index *ix, const struct shm_addr *addr, uint32_t slot, uint16_t generation)
{
	_Atomic uint64_t *e = entry_of(ix, addr);
	uint64_t old = word_of(slot, generation);

	if (e != NULL) // somebody else's entry stays
		(void)atomic_compare_exchange_strong(e, &old, 0);
}

void dp_tunnel_index_fill(struct dp_tunnel_index *ix, const struct shm_dir *dir,
	const struct shm_session *session, uint32_t sessions)
{
	for (uint32_t slot = 0; slot < sessions; slot++) {
		struct shm_dir *d = (struct shm_dir *)(uintptr_t)&dir[slot]; // loaded only
		uint16_t generation;

		if (atomic_load_explicit(&d->state, memory_order_acquire) != SHM_STATE_LIVE)
			continue;
		generation = atomic_load_explicit(&d->generation, memory_order_relaxed);
		// An address outside the new subnets simply has no entry any more.
		if (session[slot].tunnel4.family != 0)
			(void)dp_tunnel_index_add(
				ix, dir, &session[slot].tunnel4, slot, generation);
		if (session[slot].tunnel6.family != 0)
			(void)dp_tunnel_index_add(
				ix, dir, &session[slot].tunnel6, slot, generation);
	}
}
