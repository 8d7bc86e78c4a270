// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/mac.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define BLOCK_MAX 128u // of SHA-512, the longest

// Looking an algorithm up costs more than a short packet. All are immutable once fetched and stay
// until the process ends; of two threads that fetch at once one wins.
static _Atomic(EVP_MD *) digest_algorithm[OVPN_DIGEST_COUNT];
static _Atomic(EVP_CIPHER *) ctr_algorithm;

static EVP_MD *get_digest(enum ovpn_digest digest)
{
	EVP_MD *md = atomic_load(&digest_algorithm[digest]);
	EVP_MD *other = NULL;

	if (md != NULL)
		return md;
	md = EVP_MD_fetch(NULL, ovpn_digest_name(digest), NULL);
	if (md == NULL || atomic_compare_exchange_strong(&digest_algorithm[digest], &other, md))
		return md;
	EVP_MD_free(md);
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

// The key, in front of the zeros that are there: hashed when it is longer than a block.
static bool fill_block(
	EVP_MD_CTX *ctx, const EVP_MD *md, const uint8_t *key, size_t key_len, uint8_t *block)
{
	if (key_len > (size_t)EVP_MD_get_block_size(md))
		return EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, key, key_len) &&
			EVP_DigestFinal_ex(ctx, block, NULL);
	if (key_len > 0)
		memcpy(block, key, key_len);
	return true;
}

static void turn_over(uint8_t *block, uint8_t with)
{
	for (unsigned i = 0; i < BLOCK_MAX; i++)
		block[i] ^= with;
}

// Two hashes in one context: libcrypto's EVP_MAC makes and copies three of them for each packet,
// and looks the digest up by its name. Source: RFC 2104.
int ovpn_hmac(enum ovpn_digest digest, const uint8_t *key, size_t key_len,
	const struct ovpn_span *piece, unsigned n, uint8_t *out)
{
	uint8_t block[BLOCK_MAX] = { 0 };
	size_t len = ovpn_digest_len(digest);
	size_t size;
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	bool ok;

	if (len == 0)
		return -ENOTSUP;
	md = get_digest(digest);
	ctx = EVP_MD_CTX_new();
	ok = md != NULL && ctx != NULL && EVP_MD_get_block_size(md) <= (int)BLOCK_MAX &&
		fill_block(ctx, md, key, key_len, block);
	size = ok ? (size_t)EVP_MD_get_block_size(md) : 0;
	turn_over(block, 0x36);
	ok = ok && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, block, size);
	for (unsigned i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, piece[i].data, piece[i].len);
	turn_over(block, 0x36 ^ 0x5c);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) && EVP_DigestInit_ex(ctx, md, NULL) &&
		EVP_DigestUpdate(ctx, block, size) && EVP_DigestUpdate(ctx, out, len) &&
		EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	explicit_bzero(block, sizeof(block));
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
