// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/mac.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

// Looking an algorithm up costs more than a short packet; both are immutable once fetched and stay
// until the process ends.
static EVP_MAC *hmac_algorithm;
static EVP_CIPHER *ctr_algorithm;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch_algorithms(void)
{
	hmac_algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	ctr_algorithm = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
}

int ovpn_hmac(enum ovpn_digest digest, const uint8_t *key, size_t key_len,
	const struct ovpn_span *piece, unsigned n, uint8_t *out)
{
	static const uint8_t no_key[1];
	OSSL_PARAM params[2];
	EVP_MAC_CTX *ctx;
	size_t len = ovpn_digest_len(digest);
	int ok;

	if (len == 0)
		return -ENOTSUP;
	(void)pthread_once(&fetched, fetch_algorithms); // fails for a wrong argument only
	ctx = hmac_algorithm != NULL ? EVP_MAC_CTX_new(hmac_algorithm) : NULL;
	if (ctx == NULL)
		return -EIO;
	params[0] = OSSL_PARAM_construct_utf8_string(
		OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)ovpn_digest_name(digest), 0);
	params[1] = OSSL_PARAM_construct_end();
	// A NULL key would mean "the one before".
	ok = EVP_MAC_init(ctx, key_len > 0 ? key : no_key, key_len, params);
	for (unsigned i = 0; ok && i < n; i++) {
		if (piece[i].len > 0)
			ok = EVP_MAC_update(ctx, piece[i].data, piece[i].len);
	}
	ok = ok && EVP_MAC_final(ctx, out, &len, len);
	EVP_MAC_CTX_free(ctx);
	return ok ? 0 : -EIO;
}

int ovpn_aes256_ctr(
	const uint8_t key[32], const uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	int done = 0;
	int ok;

	if (len > INT_MAX)
		return -EIO;
	(void)pthread_once(&fetched, fetch_algorithms);
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL && ctr_algorithm != NULL;
	ok = ok && EVP_EncryptInit_ex2(ctx, ctr_algorithm, key, iv, NULL);
	ok = ok && (len == 0 || EVP_EncryptUpdate(ctx, out, &done, in, (int)len));
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -EIO;
}
