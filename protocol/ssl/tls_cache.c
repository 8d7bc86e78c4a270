// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/ssl/tls_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TAIL 8 // bytes of the leaf's signature that choose the set

// One verified chain; its certificates are counted here.
struct known {
	STACK_OF(X509) * shown; // leaf first
	STACK_OF(X509) * chain; // leaf first, up to the CA
	uint64_t crl_serial; // of the CRLs that it was checked against; 0: none
	int64_t from_s; // unix time, first and last second at which it may be used
	int64_t until_s;
	struct ovpn_tls_peer peer;
};

struct ovpn_tls_cache {
	pthread_mutex_t lock; // around the entries
	struct known *entry[OVPN_TLS_CACHE_SETS][OVPN_TLS_CACHE_WAYS];
	atomic_uint_fast64_t hits;
};

static void free_known(struct known *known)
{
	if (known == NULL)
		return;
	sk_X509_pop_free(known->shown, X509_free);
	sk_X509_pop_free(known->chain, X509_free);
	free(known);
}

struct ovpn_tls_cache *ovpn_tls_cache_create(void)
{
	struct ovpn_tls_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
		free(cache);
		return NULL;
	}
	return cache;
}

struct ovpn_tls_cache *ovpn_tls_cache_free(struct ovpn_tls_cache *cache)
{
	if (cache == NULL)
		return NULL;
	for (unsigned i = 0; i < OVPN_TLS_CACHE_SETS * OVPN_TLS_CACHE_WAYS; i++)
		free_known(cache->entry[i / OVPN_TLS_CACHE_WAYS][i % OVPN_TLS_CACHE_WAYS]);
	(void)pthread_mutex_destroy(&cache->lock); // nobody holds it
	free(cache);
	return NULL;
}

static struct known **set_of(struct ovpn_tls_cache *cache, const X509 *leaf)
{
	const ASN1_BIT_STRING *signature = NULL;
	uint64_t tail = 0;

	X509_get0_signature(&signature, NULL, leaf);
	if (signature != NULL && signature->length >= TAIL)
		memcpy(&tail, signature->data + signature->length - TAIL, TAIL);
	return cache->entry[(tail * 0x9e3779b97f4a7c15u >> 32) % OVPN_TLS_CACHE_SETS];
}

// Is this what was shown then? X509_cmp compares hashes and all that is signed; the same object is
// the same.
static bool same(const struct known *known, const struct ovpn_tls_shown *shown)
{
	int n = shown->others != NULL ? sk_X509_num(shown->others) : 0;

	if (sk_X509_num(known->shown) != n + 1 ||
		X509_cmp(sk_X509_value(known->shown, 0), shown->leaf) != 0)
		return false;
	for (int i = 0; i < n; i++) {
		if (X509_cmp(sk_X509_value(known->shown, i + 1), sk_X509_value(shown->others, i)) !=
			0)
			return false;
	}
	return true;
}

STACK_OF(X509) *
	ovpn_tls_cache_find(struct ovpn_tls_cache *cache, const struct ovpn_tls_shown *shown,
		uint64_t crl_serial, int64_t now_s, struct ovpn_tls_peer *ret_peer)
{
	struct known *const *set = set_of(cache, shown->leaf);
	STACK_OF(X509) *chain = NULL;

	(void)pthread_mutex_lock(&cache->lock); // fails for a broken mutex only
	for (unsigned i = 0; i < OVPN_TLS_CACHE_WAYS && chain == NULL; i++) {
		const struct known *known = set[i];

		if (known == NULL || known->crl_serial != crl_serial || now_s < known->from_s ||
			now_s > known->until_s || !same(known, shown))
			continue;
		chain = X509_chain_up_ref(known->chain);
		*ret_peer = known->peer;
	}
	(void)pthread_mutex_unlock(&cache->lock);
	if (chain != NULL)
		(void)atomic_fetch_add(&cache->hits, 1); // the old count is of no use
	return chain;
}

// Unix time of an ASN.1 one; `otherwise` when it can't be read, so that nothing is cached by it.
static int64_t seconds(const ASN1_TIME *t, int64_t otherwise)
{
	struct tm tm;

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : otherwise;
}

static void bound(struct known *known, const STACK_OF(X509_CRL) * crls, int64_t now_s)
{
	known->from_s = now_s;
	known->until_s = now_s + OVPN_TLS_CACHE_S;
	for (int i = 0; i < sk_X509_num(known->chain); i++) {
		const X509 *cert = sk_X509_value(known->chain, i);
		int64_t until = seconds(X509_get0_notAfter(cert), now_s - 1);

		if (until < known->until_s)
			known->until_s = until;
	}
	for (int i = 0; crls != NULL && i < sk_X509_CRL_num(crls); i++) {
		const ASN1_TIME *next = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(crls, i));
		int64_t until = next != NULL ? seconds(next, now_s - 1) : known->until_s;

		if (until < known->until_s)
			known->until_s = until;
	}
}

static STACK_OF(X509) * keep_shown(const struct ovpn_tls_shown *shown)
{
	STACK_OF(X509) *kept = sk_X509_new_null();
	int n = shown->others != NULL ? sk_X509_num(shown->others) : 0;

	for (int i = -1; kept != NULL && i < n; i++) {
		X509 *cert = i < 0 ? (X509 *)(uintptr_t)shown->leaf // only counts
				   : sk_X509_value(shown->others, i);

		if (sk_X509_push(kept, cert) > 0 && X509_up_ref(cert) == 1)
			continue;
		sk_X509_pop_free(kept, X509_free);
		kept = NULL;
	}
	return kept;
}

// Where a new chain goes: to an empty place, that of the same peer, or of what ends first.
static struct known **place_for(struct known **set, const struct ovpn_tls_shown *shown)
{
	struct known **place = &set[0];

	for (unsigned i = 0; i < OVPN_TLS_CACHE_WAYS; i++) {
		if (set[i] == NULL || same(set[i], shown))
			return &set[i];
		if (set[i]->until_s < (*place)->until_s)
			place = &set[i];
	}
	return place;
}

void ovpn_tls_cache_add(struct ovpn_tls_cache *cache, const struct ovpn_tls_shown *shown,
	uint64_t crl_serial, const STACK_OF(X509) * chain, const STACK_OF(X509_CRL) * crls,
	int64_t now_s, const struct ovpn_tls_peer *peer)
{
	struct known *known = calloc(1, sizeof(*known));
	struct known **place, *old;

	if (known == NULL)
		return;
	known->crl_serial = crl_serial;
	known->shown = keep_shown(shown);
	known->chain = X509_chain_up_ref((STACK_OF(X509) *)(uintptr_t)chain); // only counts
	known->peer = *peer;
	if (known->shown == NULL || known->chain == NULL) {
		free_known(known);
		return;
	}
	bound(known, crls, now_s);
	(void)pthread_mutex_lock(&cache->lock); // fails for a broken mutex only
	place = place_for(set_of(cache, shown->leaf), shown);
	old = *place;
	*place = known;
	(void)pthread_mutex_unlock(&cache->lock);
	free_known(old);
}

uint64_t ovpn_tls_cache_hits(const struct ovpn_tls_cache *cache)
{
	return atomic_load(&cache->hits);
}
