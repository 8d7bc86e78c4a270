// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/crypto/legacy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "dataplane/crypto/legacy_mb.h"
#include "dataplane/crypto/ossl.h"

#define HASH_BLOCK_MAX 128u
#define RANDOM_BYTES 4096u

struct dp_legacy_crypto {
	IMB_MGR *mb;
	EVP_CIPHER_CTX *random_ctx; // AES-256-CTR under a key that was drawn at the start
	uint32_t random_left;
	uint8_t random[RANDOM_BYTES];
	alignas(64) uint8_t tag[DP_LEGACY_OPS][OVPN_DIGEST_MAX];
};

struct dp_legacy_crypto *dp_legacy_crypto_free(struct dp_legacy_crypto *c)
{
	if (c == NULL)
		return NULL;
	if (c->mb != NULL)
		free_mb_mgr(c->mb);
	EVP_CIPHER_CTX_free(c->random_ctx);
	explicit_bzero(c, sizeof(*c));
	free(c);
	return NULL;
}

static int random_init(struct dp_legacy_crypto *c)
{
	uint8_t key[32], iv[16];
	int ok;

	c->random_ctx = EVP_CIPHER_CTX_new();
	ok = c->random_ctx != NULL && RAND_bytes(key, sizeof(key)) == 1 &&
		RAND_bytes(iv, sizeof(iv)) == 1 &&
		EVP_EncryptInit_ex(c->random_ctx, EVP_aes_256_ctr(), NULL, key, iv);
	explicit_bzero(key, sizeof(key));
	return ok ? 0 : -EIO;
}

struct dp_legacy_crypto *dp_legacy_crypto_create(void)
{
	struct dp_legacy_crypto *c = aligned_alloc(64, (sizeof(*c) + 63) / 64 * 64);
	IMB_ARCH arch = IMB_ARCH_NONE;

	if (c == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->mb = alloc_mb_mgr(0);
	if (c->mb != NULL)
		init_mb_mgr_auto(c->mb, &arch);
	if (arch == IMB_ARCH_NONE || imb_get_errno(c->mb) != 0 || random_init(c) < 0) {
		(void)dp_legacy_crypto_free(c);
		errno = ENOTSUP;
		return NULL;
	}
	dp_ossl_load();
	return c;
}

void dp_legacy_random(struct dp_legacy_crypto *c, uint8_t *buf, size_t len)
{
	int n = 0;

	if (c->random_left < len) {
		memset(c->random, 0, sizeof(c->random));
		// A cipher that was keyed once can't fail; if it did, the packet would go out under
		// an IV of zeros, which is still an IV.
		(void)EVP_EncryptUpdate(
			c->random_ctx, c->random, &n, c->random, (int)sizeof(c->random));
		c->random_left = RANDOM_BYTES;
	}
	c->random_left -= (uint32_t)len;
	memcpy(buf, c->random + c->random_left, len);
	explicit_bzero(c->random + c->random_left, len);
}

static bool by_mb(uint8_t cipher)
{
	return cipher == OVPN_CIPHER_AES_128_CBC || cipher == OVPN_CIPHER_AES_192_CBC ||
		cipher == OVPN_CIPHER_AES_256_CBC;
}

bool dp_legacy_has(const struct dp_legacy_crypto *c, uint8_t cipher, uint8_t digest)
{
	(void)c; // the algorithms are the process's
	if (cipher >= OVPN_CIPHER_COUNT || digest >= OVPN_DIGEST_COUNT ||
		ovpn_cipher_is_aead((enum ovpn_cipher)cipher))
		return false;
	if (cipher == OVPN_CIPHER_NONE)
		return digest != OVPN_DIGEST_NONE;
	return by_mb(cipher) || dp_ossl_cipher(cipher) != NULL;
}

static void one_block(IMB_MGR *mb, uint8_t digest, const uint8_t *block, uint8_t *state)
{
	switch (digest) {
	case OVPN_DIGEST_SHA1: IMB_SHA1_ONE_BLOCK(mb, block, state); break;
	case OVPN_DIGEST_SHA224: IMB_SHA224_ONE_BLOCK(mb, block, state); break;
	case OVPN_DIGEST_SHA256: IMB_SHA256_ONE_BLOCK(mb, block, state); break;
	case OVPN_DIGEST_SHA384: IMB_SHA384_ONE_BLOCK(mb, block, state); break;
	case OVPN_DIGEST_SHA512: IMB_SHA512_ONE_BLOCK(mb, block, state); break;
	default: IMB_MD5_ONE_BLOCK(mb, block, state); break;
	}
}

static IMB_HASH_ALG hash_alg(uint8_t digest)
{
	switch (digest) {
	case OVPN_DIGEST_SHA1: return IMB_AUTH_HMAC_SHA_1;
	case OVPN_DIGEST_SHA224: return IMB_AUTH_HMAC_SHA_224;
	case OVPN_DIGEST_SHA256: return IMB_AUTH_HMAC_SHA_256;
	case OVPN_DIGEST_SHA384: return IMB_AUTH_HMAC_SHA_384;
	case OVPN_DIGEST_SHA512: return IMB_AUTH_HMAC_SHA_512;
	case OVPN_DIGEST_MD5: return IMB_AUTH_MD5; // the library's name for HMAC-MD5
	default: return IMB_AUTH_NULL;
	}
}

// The key of an HMAC is as long as its digest (protocol.md 5.5).
static void expand_hmac(struct dp_legacy_crypto *c, const uint8_t *key, struct dp_legacy_cell *cell)
{
	bool wide = cell->digest == OVPN_DIGEST_SHA384 || cell->digest == OVPN_DIGEST_SHA512;
	uint8_t block[HASH_BLOCK_MAX];
	size_t size = wide ? 128 : 64;

	for (size_t i = 0; i < size; i++)
		block[i] = (i < cell->digest_len ? key[i] : 0) ^ 0x36;
	one_block(c->mb, cell->digest, block, cell->ipad);
	for (size_t i = 0; i < size; i++)
		block[i] ^= 0x36 ^ 0x5c;
	one_block(c->mb, cell->digest, block, cell->opad);
	explicit_bzero(block, sizeof(block));
}

int dp_legacy_expand(struct dp_legacy_crypto *c, uint8_t cipher, uint8_t digest,
	const uint8_t *cipher_key, const uint8_t *hmac_key, bool seal, struct dp_legacy_cell *cell)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info((enum ovpn_cipher)cipher);
	uint8_t any = cipher == OVPN_CIPHER_NONE;

	if (!dp_legacy_has(c, cipher, digest))
		return -EINVAL;
	for (unsigned i = 0; i < ci->key_len; i++)
		any |= cipher_key[i];
	if (any == 0)
		return -EINVAL;
	memset(cell, 0, sizeof(*cell));
	cell->mode = ci->mode;
	cell->key_len = ci->key_len;
	cell->iv_len = ci->iv_len;
	cell->block_len = ci->block_len;
	cell->digest = digest;
	cell->digest_len = (uint8_t)ovpn_digest_len((enum ovpn_digest)digest);
	if (digest != OVPN_DIGEST_NONE)
		expand_hmac(c, hmac_key, cell);
	switch (cipher) {
	case OVPN_CIPHER_NONE: return 0;
	case OVPN_CIPHER_AES_128_CBC:
		IMB_AES_KEYEXP_128(c->mb, cipher_key, cell->enc, cell->dec);
		return 0;
	case OVPN_CIPHER_AES_192_CBC:
		IMB_AES_KEYEXP_192(c->mb, cipher_key, cell->enc, cell->dec);
		return 0;
	case OVPN_CIPHER_AES_256_CBC:
		IMB_AES_KEYEXP_256(c->mb, cipher_key, cell->enc, cell->dec);
		return 0;
	default: break;
	}
	cell->ctx = dp_ossl_context(cipher, cipher_key, seal);
	if (cell->ctx != NULL)
		return 0;
	dp_legacy_cell_done(cell);
	return -EIO;
}

void dp_legacy_cell_done(struct dp_legacy_cell *cell)
{
	EVP_CIPHER_CTX_free(cell->ctx);
	explicit_bzero(cell, sizeof(*cell));
}

static IMB_JOB *next_job(IMB_MGR *mb)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(mb);

	while (job == NULL) { // the library's queue is full: finish the oldest
		(void)IMB_FLUSH_JOB(mb);
		job = IMB_GET_NEXT_JOB(mb);
	}
	return job;
}

static void flush(IMB_MGR *mb)
{
	while (IMB_FLUSH_JOB(mb) != NULL)
		;
}

static void put_hash(IMB_JOB *job, const struct dp_legacy_op *op, uint8_t *tag)
{
	const struct dp_legacy_cell *cell = op->cell;

	job->hash_alg = hash_alg(cell->digest);
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = (uint64_t)(op->text - op->iv) + op->text_len;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = cell->digest_len;
	job->u.HMAC._hashed_auth_key_xor_ipad = cell->ipad;
	job->u.HMAC._hashed_auth_key_xor_opad = cell->opad;
}

static void put_cipher(IMB_JOB *job, const struct dp_legacy_op *op, bool encrypt)
{
	const struct dp_legacy_cell *cell = op->cell;

	job->cipher_mode = IMB_CIPHER_CBC;
	job->enc_keys = cell->enc;
	job->dec_keys = cell->dec;
	job->key_len_in_bytes = cell->key_len;
	job->iv = op->iv;
	job->iv_len_in_bytes = cell->iv_len;
	job->cipher_start_src_offset_in_bytes = (uint64_t)(op->text - op->iv);
	job->msg_len_to_cipher_in_bytes = op->text_len;
	job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
}

// A job over iv and text that does nothing yet.
static IMB_JOB *empty_job(IMB_MGR *mb, const struct dp_legacy_op *op)
{
	IMB_JOB *job = next_job(mb);

	job->src = op->iv;
	job->dst = op->text;
	job->cipher_mode = IMB_CIPHER_NULL;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->hash_alg = IMB_AUTH_NULL;
	job->chain_order = IMB_ORDER_CIPHER_HASH;
	job->cipher_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = 0;
	return job;
}

IMB_MGR *dp_legacy_mb(struct dp_legacy_crypto *c)
{
	return c->mb;
}

void dp_legacy_chacha(IMB_MGR *mb, const uint8_t *key, const uint8_t *nonce, const uint8_t *aad,
	uint8_t aad_len, uint8_t *text, uint16_t len, bool seal, uint8_t *tag)
{
	IMB_JOB *job = next_job(mb);

	job->enc_keys = key;
	job->dec_keys = key;
	job->key_len_in_bytes = 32;
	job->src = text;
	job->dst = text;
	job->cipher_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = len;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = len;
	job->iv = nonce;
	job->iv_len_in_bytes = OVPN_AEAD_NONCE_LEN;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = OVPN_AEAD_TAG_LEN;
	job->u.CHACHA20_POLY1305.aad = aad;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = aad_len;
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	(void)IMB_SUBMIT_JOB_NOCHECK(mb);
	flush(mb);
}

unsigned dp_legacy_seal(struct dp_legacy_crypto *c, struct dp_legacy_op *op, unsigned n)
{
	unsigned ok = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct dp_legacy_cell *cell = op[i].cell;
		bool cbc = cell->mode == OVPN_MODE_CBC && cell->ctx == NULL;
		IMB_JOB *job;

		op[i].ok = cell->ctx == NULL ||
			dp_ossl_crypt(cell->ctx, op[i].iv, op[i].text, op[i].text_len);
		if (!op[i].ok || (!cbc && cell->digest_len == 0))
			continue;
		job = empty_job(c->mb, &op[i]);
		if (cbc)
			put_cipher(job, &op[i], true);
		if (cell->digest_len > 0)
			put_hash(job, &op[i], c->tag[i]);
		(void)IMB_SUBMIT_JOB_NOCHECK(c->mb);
	}
	flush(c->mb);
	for (unsigned i = 0; i < n; i++) {
		if (!op[i].ok)
			continue;
		memcpy(op[i].mac, c->tag[i], op[i].cell->digest_len);
		ok++;
	}
	return ok;
}

// Compare in a time that doesn't depend on the bytes.
static bool equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

unsigned dp_legacy_open(struct dp_legacy_crypto *c, struct dp_legacy_op *op, unsigned n)
{
	unsigned ok = 0;

	for (unsigned i = 0; i < n; i++) {
		IMB_JOB *job;

		if (op[i].cell->digest_len == 0)
			continue;
		job = empty_job(c->mb, &op[i]);
		job->chain_order = IMB_ORDER_HASH_CIPHER;
		put_hash(job, &op[i], c->tag[i]);
		(void)IMB_SUBMIT_JOB_NOCHECK(c->mb);
	}
	flush(c->mb);
	for (unsigned i = 0; i < n; i++) {
		const struct dp_legacy_cell *cell = op[i].cell;

		op[i].ok = equal(op[i].mac, c->tag[i], cell->digest_len);
		if (!op[i].ok)
			continue;
		if (cell->ctx != NULL) {
			op[i].ok = dp_ossl_crypt(cell->ctx, op[i].iv, op[i].text, op[i].text_len);
		} else if (cell->mode == OVPN_MODE_CBC) {
			put_cipher(empty_job(c->mb, &op[i]), &op[i], false);
			(void)IMB_SUBMIT_JOB_NOCHECK(c->mb);
		}
		ok += op[i].ok;
	}
	flush(c->mb);
	return ok;
}
