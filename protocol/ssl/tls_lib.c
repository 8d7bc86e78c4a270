// SPDX-License-Identifier: BSD-3-Clause
// A library context of libcrypto for TLS connections, with fewer decoders. OpenSSL 3.0 looks at
// each decoder and each key type that its providers have, and makes a chain of them, whenever it
// reads a peer's certificate: with all of the default provider's that takes longer than all
// signatures of the handshake. What a certificate can hold needs a handful of them.
#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "protocol/ssl/tls_private.h"

#define DECODERS_MAX 16u
#define KEY_TYPES_MAX 32u

// The default provider, loaded into a context of its own, does all the work; the provider below
// hands out its algorithms. Written once, before any connection exists.
static OSSL_PROVIDER *whole;
static OSSL_ALGORITHM decoders[DECODERS_MAX + 1]; // ends with an empty one, like the next
static OSSL_ALGORITHM key_types[KEY_TYPES_MAX + 1];
static OSSL_LIB_CTX *narrow; // NULL: could not be made, the usual context does

// Is the algorithm's first name, before its aliases, in the list?
static bool named(const OSSL_ALGORITHM *a, const char *const *names)
{
	size_t len = strcspn(a->algorithm_names, ":");

	for (; *names != NULL; names++) {
		if (len == strlen(*names) && memcmp(a->algorithm_names, *names, len) == 0)
			return true;
	}
	return false;
}

// Decoders of public keys as certificates hold them.
static bool wanted_decoder(const OSSL_ALGORITHM *a)
{
	static const char *const names[] = { "RSA", "RSA-PSS", "EC", "ED25519", "ED448", NULL };

	return strstr(a->property_definition, "input=der") != NULL &&
		strstr(a->property_definition, "structure=SubjectPublicKeyInfo") != NULL &&
		named(a, names);
}

// Keys that TLS makes, agrees on, signs with or has in a certificate.
static bool wanted_key_type(const OSSL_ALGORITHM *a)
{
	static const char *const names[] = { "RSA", "RSA-PSS", "DH", "DHX", "EC", "X25519", "X448",
		"ED25519", "ED448", "HMAC", "HKDF", "TLS1-PRF", NULL };

	return named(a, names);
}

// Copy those of an operation that are wanted. Returns how many.
static unsigned copy(
	int operation, bool (*wanted)(const OSSL_ALGORITHM *a), OSSL_ALGORITHM *to, unsigned room)
{
	int no_cache = 0;
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(whole, operation, &no_cache);
	unsigned n = 0;

	for (; a != NULL && a->algorithm_names != NULL && n < room; a++) {
		if (wanted(a))
			to[n++] = *a;
	}
	return n;
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *ret_no_cache)
{
	(void)provctx; // the default provider's, which it knows itself
	if (operation != OSSL_OP_DECODER && operation != OSSL_OP_KEYMGMT)
		return OSSL_PROVIDER_query_operation(whole, operation, ret_no_cache);
	*ret_no_cache = 0;
	return operation == OSSL_OP_DECODER ? decoders : key_types;
}

static int capabilities(void *provctx, const char *capability, OSSL_CALLBACK *cb, void *arg)
{
	(void)provctx;
	return OSSL_PROVIDER_get_capabilities(whole, capability, cb, arg);
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
	void **ret_provctx)
{
	static const OSSL_DISPATCH functions[] = {
		{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query },
		{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities },
		{ 0, NULL },
	};

	(void)handle;
	(void)in; // the default provider has the core functions of its own context
	*out = functions;
	*ret_provctx = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

// Fill the lists. Returns false when the default provider isn't as expected.
static bool choose(void)
{
	return copy(OSSL_OP_DECODER, wanted_decoder, decoders, DECODERS_MAX) == 5 &&
		copy(OSSL_OP_KEYMGMT, wanted_key_type, key_types, KEY_TYPES_MAX) == 12;
}

static void make(void)
{
	OSSL_LIB_CTX *own, *ctx;

	// Who wants FIPS says so in openssl.cnf, which rules the usual context only.
	if (EVP_default_properties_is_fips_enabled(NULL))
		return;
	own = OSSL_LIB_CTX_new();
	ctx = OSSL_LIB_CTX_new();

	whole = own != NULL ? OSSL_PROVIDER_load(own, "default") : NULL;
	if (whole != NULL && choose() && ctx != NULL &&
		OSSL_PROVIDER_add_builtin(ctx, "visp", start) == 1 &&
		OSSL_PROVIDER_load(ctx, "visp") != NULL) {
		narrow = ctx;
		return;
	}
	OSSL_LIB_CTX_free(ctx); // NULL is fine for all three
	(void)OSSL_PROVIDER_unload(whole);
	OSSL_LIB_CTX_free(own);
}

OSSL_LIB_CTX *ovpn_tls_lib(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make); // fails for a broken control variable only
	return narrow;
}
