// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/mac.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdatomic.h>

// Looking an algorithm up costs more than a short packet. Both are immutable once fetched and stay
// until the process ends; of two threads that fetch at once one wins.
static _Atomic(EVP_MAC *) hmac_algorithm;
static _Atomic(EVP_CIPHER *) ctr_algorithm;

static EVP_MAC *get_hmac(void)
{
	EVP_MAC *mac = atomic_load(&hmac_algorithm);
	EVP_MAC *other = NULL;

	if (mac != NULL)
		return mac;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (mac == NULL || atomic_compare_exchange_strong(&hmac_algorithm, &other, mac))
		return mac;
	EVP_MAC_free(mac);
	return other;
}

static EVP_CIPHER *get_ctr(void)
{
	EVP_CIPHER *cipher = atomic_load(&ctr_algorithm);
	EVP_CIPHER *other = NULL;

	if (cipher != NULL)
		return cipher;
	cipher = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
	if (cipher == NULL || atomic_compare_exchange_strong(&ctr_algorithm, &other, cipher))
		return cipher;
	EVP_CIPHER_free(cipher);
	return other;
}

int ovpn_hmac(enum ovpn_digest digest, const uint8_t *key, size_t key_len,
	const struct ovpn_span *piece, unsigned n, uint8_t *out)
{
	static const uint8_t no_key[1];
	OSSL_PARAM params[2];
	EVP_MAC *mac = get_hmac();
	EVP_MAC_CTX *ctx;
	size_t len = ovpn_digest_len(digest);
	int ok;

	if (len == 0)
		return -ENOTSUP;
	ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
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
	EVP_CIPHER *cipher = get_ctr();
	EVP_CIPHER_CTX *ctx;
	int done = 0;
	int ok;

	if (len > INT_MAX)
		return -EIO;
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx != NULL && cipher != NULL;
	ok = ok && EVP_EncryptInit_ex2(ctx, cipher, key, iv, NULL);
	ok = ok && (len == 0 || EVP_EncryptUpdate(ctx, out, &done, in, (int)len));
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -EIO;
}
