// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/ssl/tls_cache.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ovpn_tls_cache {
	pthread_mutex_t lock; // around the entries
	struct ovpn_tls_known *entry[OVPN_TLS_CACHE_ENTRIES];
	atomic_uint_fast64_t hits;
};

static void free_known(struct ovpn_tls_known *known)
{
	if (known == NULL)
		return;
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
	for (unsigned i = 0; i < OVPN_TLS_CACHE_ENTRIES; i++)
		free_known(cache->entry[i]);
	(void)pthread_mutex_destroy(&cache->lock); // nobody holds it
	free(cache);
	return NULL;
}

static bool hash_add(EVP_MD_CTX *md, const X509 *cert)
{
	uint8_t one[32];

	return X509_digest(cert, EVP_sha256(), one, NULL) && EVP_DigestUpdate(md, one, sizeof(one));
}

bool ovpn_tls_cache_key(
	const X509 *leaf, const STACK_OF(X509) * others, uint8_t ret_key[OVPN_TLS_CACHE_KEY])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) && hash_add(md, leaf);

	for (int i = 0; ok && i < sk_X509_num(others); i++)
		ok = hash_add(md, sk_X509_value(others, i));
	ok = ok && EVP_DigestFinal_ex(md, ret_key, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

static struct ovpn_tls_known **place_of(
	struct ovpn_tls_cache *cache, const uint8_t key[OVPN_TLS_CACHE_KEY])
{
	return &cache->entry[(key[0] | key[1] << 8) % OVPN_TLS_CACHE_ENTRIES];
}

STACK_OF(X509) *
	ovpn_tls_cache_find(struct ovpn_tls_cache *cache, const uint8_t key[OVPN_TLS_CACHE_KEY],
		uint64_t crl_serial, int64_t now_s)
{
	STACK_OF(X509) *chain = NULL;
	const struct ovpn_tls_known *known;

	(void)pthread_mutex_lock(&cache->lock); // fails for a broken mutex only
	known = *place_of(cache, key);
	if (known != NULL && memcmp(known->key, key, OVPN_TLS_CACHE_KEY) == 0 &&
		known->crl_serial == crl_serial && now_s >= known->from_s &&
		now_s <= known->until_s)
		chain = X509_chain_up_ref(known->chain);
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

static void bound(struct ovpn_tls_known *known, const STACK_OF(X509_CRL) * crls, int64_t now_s)
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

void ovpn_tls_cache_add(struct ovpn_tls_cache *cache, const uint8_t key[OVPN_TLS_CACHE_KEY],
	uint64_t crl_serial, const STACK_OF(X509) * chain, const STACK_OF(X509_CRL) * crls,
	int64_t now_s)
{
	struct ovpn_tls_known *known = calloc(1, sizeof(*known));
	struct ovpn_tls_known **place = place_of(cache, key);
	struct ovpn_tls_known *old;

	if (known == NULL)
		return;
	memcpy(known->key, key, sizeof(known->key));
	known->crl_serial = crl_serial;
	known->chain = X509_chain_up_ref((STACK_OF(X509) *)(uintptr_t)chain); // only counts
	if (known->chain == NULL) {
		free(known);
		return;
	}
	bound(known, crls, now_s);
	(void)pthread_mutex_lock(&cache->lock); // fails for a broken mutex only
	old = *place;
	*place = known;
	(void)pthread_mutex_unlock(&cache->lock);
	free_known(old);
}

uint64_t ovpn_tls_cache_hits(const struct ovpn_tls_cache *cache)
{
	return atomic_load(&cache->hits);
}
