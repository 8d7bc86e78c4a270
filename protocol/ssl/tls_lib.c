// SPDX-License-Identifier: BSD-3-Clause
// A library context of libcrypto for TLS connections, with fewer algorithms. Whenever OpenSSL 3.0
// reads a peer's certificate it looks at each decoder and each key type that its providers have,
// and makes a chain of them; and to find those it goes through every algorithm of any kind that the
// context has ever loaded. With all of the default provider's that takes longer than all signatures
// of the handshake. What TLS and certificates can use is a fifth of them.
#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "protocol/ssl/tls_private.h"

#define ALGORITHMS_MAX 32u // of one operation

// The default provider, loaded into a context of its own, does all the work; the provider below
// hands out its algorithms. Written once, before any connection exists.
static OSSL_PROVIDER *whole;
static OSSL_LIB_CTX *narrow; // NULL: could not be made, the usual context does

// What is kept of an operation; every other operation is whole.
struct kept {
	int operation;
	unsigned count; // of algorithms that the library this was written for has
	const char *const *names;
	OSSL_ALGORITHM list[ALGORITHMS_MAX + 1]; // ends with an empty one
};

// Public keys as certificates hold them.
static const char *const decoders[] = { "RSA", "RSA-PSS", "EC", "ED25519", "ED448", NULL };

// Keys that TLS makes, agrees on, signs with or has in a certificate.
static const char *const key_types[] = { "RSA", "RSA-PSS", "DH", "DHX", "EC", "X25519", "X448",
	"ED25519", "ED448", "HMAC", "HKDF", "TLS1-PRF", NULL };

// Those of all cipher suites that libssl knows, and no more.
static const char *const ciphers[] = { "NULL", "AES-128-CBC", "AES-256-CBC", "AES-128-GCM",
	"AES-256-GCM", "AES-128-CCM", "AES-256-CCM", "AES-128-CBC-HMAC-SHA1",
	"AES-256-CBC-HMAC-SHA1", "AES-128-CBC-HMAC-SHA256", "AES-256-CBC-HMAC-SHA256",
	"CAMELLIA-128-CBC", "CAMELLIA-256-CBC", "ARIA-128-GCM", "ARIA-256-GCM", "DES-EDE3-CBC",
	"ChaCha20-Poly1305", NULL };

// Of suites, of handshakes, and what a certificate may be signed with.
static const char *const digests[] = { "SHA1", "SHA2-224", "SHA2-256", "SHA2-384", "SHA2-512",
	"SHA2-512/224", "SHA2-512/256", "SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512", "SHAKE-128",
	"SHAKE-256", "MD5", "MD5-SHA1", "RIPEMD-160", NULL };

static const char *const macs[] = { "HMAC", NULL };
static const char *const kdfs[] = { "HKDF", "TLS13-KDF", "TLS1-PRF", NULL };
static const char *const signatures[] = { "RSA", "ECDSA", "ED25519", "ED448", NULL };
static const char *const exchanges[] = { "DH", "ECDH", "X25519", "X448", "HKDF", "TLS1-PRF", NULL };

static struct kept kept[] = {
	{ OSSL_OP_DECODER, 5, decoders, { { 0 } } },
	{ OSSL_OP_KEYMGMT, 12, key_types, { { 0 } } },
	{ OSSL_OP_CIPHER, 17, ciphers, { { 0 } } },
	{ OSSL_OP_DIGEST, 16, digests, { { 0 } } },
	{ OSSL_OP_MAC, 1, macs, { { 0 } } },
	{ OSSL_OP_KDF, 3, kdfs, { { 0 } } },
	{ OSSL_OP_SIGNATURE, 4, signatures, { { 0 } } },
	{ OSSL_OP_KEYEXCH, 6, exchanges, { { 0 } } },
};

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

static bool wanted(const struct kept *k, const OSSL_ALGORITHM *a)
{
	if (k->operation == OSSL_OP_DECODER &&
		(strstr(a->property_definition, "input=der") == NULL ||
			strstr(a->property_definition, "structure=SubjectPublicKeyInfo") == NULL))
		return false;
	return named(a, k->names);
}

// Copy those of an operation that are wanted. Returns how many.
static unsigned copy(struct kept *k)
{
	int no_cache = 0;
	const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(whole, k->operation, &no_cache);
	unsigned n = 0;

	for (; a != NULL && a->algorithm_names != NULL && n < ALGORITHMS_MAX; a++) {
		if (wanted(k, a))
			k->list[n++] = *a;
	}
	return n;
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *ret_no_cache)
{
	(void)provctx; // the default provider's, which it knows itself
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (kept[i].operation == operation) {
			*ret_no_cache = 0;
			return kept[i].list;
		}
	}
	return OSSL_PROVIDER_query_operation(whole, operation, ret_no_cache);
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
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (copy(&kept[i]) != kept[i].count)
			return false;
	}
	return true;
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
