// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/ssl/tls_parsed.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 8u // bytes of the signature that choose the set

struct entry {
	X509 *cert;
	uint8_t *der; // all bytes of it: what is found is what is equal
	size_t len;
};

struct set {
	struct entry way[OVPN_TLS_PARSED_WAYS];
	unsigned next; // the one that is replaced next
};

struct ovpn_tls_parsed {
	pthread_mutex_t lock; // around the entries
	struct set set[OVPN_TLS_PARSED_SETS];
	atomic_uint_fast64_t hits;
};

static _Thread_local struct ovpn_tls_parsed *in_use;

struct ovpn_tls_parsed *ovpn_tls_parsed_create(void)
{
	struct ovpn_tls_parsed *parsed = calloc(1, sizeof(*parsed));

	if (parsed == NULL || pthread_mutex_init(&parsed->lock, NULL) != 0) {
		free(parsed);
		return NULL;
	}
	return parsed;
}

static void drop(struct entry *e)
{
	X509_free(e->cert); // NULL is fine
	OPENSSL_free(e->der);
}

struct ovpn_tls_parsed *ovpn_tls_parsed_free(struct ovpn_tls_parsed *parsed)
{
	if (parsed == NULL)
		return NULL;
	for (unsigned i = 0; i < OVPN_TLS_PARSED_SETS * OVPN_TLS_PARSED_WAYS; i++)
		drop(&parsed->set[i / OVPN_TLS_PARSED_WAYS].way[i % OVPN_TLS_PARSED_WAYS]);
	(void)pthread_mutex_destroy(&parsed->lock); // nobody holds it
	free(parsed);
	return NULL;
}

static struct set *set_of(struct ovpn_tls_parsed *parsed, const uint8_t *der, size_t len)
{
	uint64_t tail;

	memcpy(&tail, der + len - TAIL, TAIL);
	return &parsed->set[(tail * 0x9e3779b97f4a7c15u >> 32) % OVPN_TLS_PARSED_SETS];
}

static struct entry *entry_of(struct set *set, const uint8_t *der, size_t len)
{
	for (unsigned i = 0; i < OVPN_TLS_PARSED_WAYS; i++) {
		struct entry *e = &set->way[i];

		if (e->cert != NULL && e->len == len && memcmp(e->der, der, len) == 0)
			return e;
	}
	return NULL;
}

// The certificate of these bytes, counted for the caller, or NULL.
static X509 *find(struct ovpn_tls_parsed *parsed, const uint8_t *der, size_t len)
{
	const struct entry *e;
	X509 *cert = NULL;

	(void)pthread_mutex_lock(&parsed->lock); // fails for a broken mutex only
	e = entry_of(set_of(parsed, der, len), der, len);
	if (e != NULL && X509_up_ref(e->cert) == 1)
		cert = e->cert;
	(void)pthread_mutex_unlock(&parsed->lock);
	if (cert != NULL)
		(void)atomic_fetch_add(&parsed->hits, 1); // the old count is of no use
	return cert;
}

static void add(struct ovpn_tls_parsed *parsed, X509 *cert)
{
	struct entry fresh = { .cert = cert };
	struct entry old, *e;
	struct set *set;
	int len = i2d_X509(cert, &fresh.der);

	if (len < (int)TAIL || X509_up_ref(cert) != 1) {
		OPENSSL_free(fresh.der);
		return;
	}
	fresh.len = (size_t)len;
	set = set_of(parsed, fresh.der, fresh.len);
	(void)pthread_mutex_lock(&parsed->lock); // fails for a broken mutex only
	e = entry_of(set, fresh.der, fresh.len);
	if (e == NULL)
		e = &set->way[set->next++ % OVPN_TLS_PARSED_WAYS];
	old = *e;
	*e = fresh;
	(void)pthread_mutex_unlock(&parsed->lock);
	drop(&old);
}

static bool holds(const STACK_OF(X509) * chain, const X509 *cert)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (X509_cmp(sk_X509_value(chain, i), cert) == 0)
			return true;
	}
	return false;
}

void ovpn_tls_parsed_add(struct ovpn_tls_parsed *parsed, const STACK_OF(X509) * shown,
	const STACK_OF(X509) * verified)
{
	for (int i = 0; i < sk_X509_num(shown); i++) {
		X509 *cert = sk_X509_value(shown, i);

		if (holds(verified, cert))
			add(parsed, cert);
	}
}

void ovpn_tls_parsed_use(struct ovpn_tls_parsed *parsed)
{
	in_use = parsed;
}

uint64_t ovpn_tls_parsed_hits(const struct ovpn_tls_parsed *parsed)
{
	return atomic_load(&parsed->hits);
}

// ---- In front of libcrypto -------------------------------------------------------------------

typedef X509 *d2i_fn(X509 **a, const unsigned char **in, long len);

static d2i_fn *next;

static void find_next(void)
{
	void *at = dlsym(RTLD_NEXT, "d2i_X509");

	memcpy(&next, &at, sizeof(next)); // POSIX wants it to fit, ISO C knows no cast for it
}

// As libcrypto's: *in moves behind the certificate, *a is replaced. Any thread.
// Source: d2i_X509(3).
X509 *d2i_X509(X509 **a, const unsigned char **in, long len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	X509 *known = NULL;

	if (in_use != NULL && a != NULL && len >= (long)TAIL)
		known = find(in_use, *in, (size_t)len);
	if (known != NULL) {
		X509_free(*a);
		*a = known;
		*in += len;
		return known;
	}
	(void)pthread_once(&once, find_next); // fails for a broken control variable only
	return next != NULL ? next(a, in, len) : NULL;
}
