// SPDX-License-Identifier: BSD-3-Clause
// Packets are opened and sealed with Intel's multi-buffer library.
#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>

#include "dataplane/crypto/crypto.h"

#define TAG_LEN OVPN_AEAD_TAG_LEN
#define NONCE_AHEAD 2u // packets whose nonces are made

static_assert(sizeof(struct gcm_key_data) <= DP_CRYPTO_IV_OFF, "a cell holds key and implicit IV");
static_assert(DP_CRYPTO_IV_OFF + OVPN_IMPLICIT_IV_LEN <= DP_CRYPTO_CELL, "as above");

typedef aes_gcm_enc_dec_t gcm_fn;

struct dp_crypto {
	IMB_MGR *mb;
	uint32_t stamp;
	gcm_fn seal[OVPN_CIPHER_COUNT]; // direct calls of the CPU's own level; NULL: by jobs
	gcm_fn open[OVPN_CIPHER_COUNT];
	// Packets of ChaCha20-Poly1305 may be finished later than they are submitted: what the
	// library points to must outlive the loop.
	uint8_t nonce[DP_CRYPTO_OPS][OVPN_AEAD_NONCE_LEN];
	alignas(16) uint8_t tag[DP_CRYPTO_OPS][TAG_LEN];
};

static uint32_t stamp_of(const IMB_MGR *mb)
{
	uint32_t hash = 2166136261u;

	for (const char *s = imb_get_version_str(); *s != '\0'; s++)
		hash = (hash ^ (uint8_t)*s) * 16777619u;
	hash = (hash ^ mb->used_arch) * 16777619u;
	return hash == 0 ? 1 : hash; // 0 marks a cell that nobody has filled
}

struct dp_crypto *dp_crypto_create(void)
{
	struct dp_crypto *c = calloc(1, sizeof(*c));
	IMB_ARCH arch;

	if (c == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	c->mb = alloc_mb_mgr(0);
	if (c->mb == NULL) {
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	init_mb_mgr_auto(c->mb, &arch);
	if (arch == IMB_ARCH_NONE || imb_get_errno(c->mb) != 0) {
		dp_crypto_free(c);
		errno = ENOTSUP;
		return NULL;
	}
	c->stamp = stamp_of(c->mb);
	c->seal[OVPN_CIPHER_AES_128_GCM] = c->mb->gcm128_enc;
	c->seal[OVPN_CIPHER_AES_192_GCM] = c->mb->gcm192_enc;
	c->seal[OVPN_CIPHER_AES_256_GCM] = c->mb->gcm256_enc;
	c->open[OVPN_CIPHER_AES_128_GCM] = c->mb->gcm128_dec;
	c->open[OVPN_CIPHER_AES_192_GCM] = c->mb->gcm192_dec;
	c->open[OVPN_CIPHER_AES_256_GCM] = c->mb->gcm256_dec;
	return c;
}

struct dp_crypto *dp_crypto_free(struct dp_crypto *c)
{
	if (c == NULL)
		return NULL;
	free_mb_mgr(c->mb);
	explicit_bzero(c, sizeof(*c));
	free(c);
	return NULL;
}

uint32_t dp_crypto_stamp(const struct dp_crypto *c)
{
	return c->stamp;
}

bool dp_crypto_has(uint8_t cipher)
{
	return cipher < OVPN_CIPHER_COUNT && (OVPN_CIPHERS_AEAD >> cipher & 1) != 0;
}

static bool all_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

int dp_crypto_expand(
	struct dp_crypto *c, uint8_t cipher, const uint8_t *key, const uint8_t *iv, uint8_t *cell)
{
	struct gcm_key_data *gcm = (struct gcm_key_data *)cell;

	if (!dp_crypto_has(cipher))
		return -EINVAL;
	if (all_zero(key, ovpn_cipher_info(cipher)->key_len))
		return -EINVAL;
	memset(cell, 0, DP_CRYPTO_CELL);
	switch (cipher) {
	case OVPN_CIPHER_AES_128_GCM: IMB_AES128_GCM_PRE(c->mb, key, gcm); break;
	case OVPN_CIPHER_AES_192_GCM: IMB_AES192_GCM_PRE(c->mb, key, gcm); break;
	case OVPN_CIPHER_AES_256_GCM: IMB_AES256_GCM_PRE(c->mb, key, gcm); break;
	default: memcpy(cell, key, 32); break; // ChaCha20 expands nothing
	}
	memcpy(cell + DP_CRYPTO_IV_OFF, iv, OVPN_IMPLICIT_IV_LEN);
	return 0;
}

// Compare tags without a branch or an early end that would tell how much of one was right.
static bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t a0, a1, b0, b1;

	memcpy(&a0, a, 8);
	memcpy(&a1, a + 8, 8);
	memcpy(&b0, b, 8);
	memcpy(&b1, b + 8, 8);
	return ((a0 ^ b0) | (a1 ^ b1)) == 0;
}

static void chacha_submit(struct dp_crypto *c, struct dp_crypto_op *op, unsigned i, uint8_t *tag,
	IMB_CIPHER_DIRECTION dir)
{
	IMB_JOB *job = IMB_GET_NEXT_JOB(c->mb);

	while (job == NULL) { // the library's queue is full: finish the oldest
		(void)IMB_FLUSH_JOB(c->mb);
		job = IMB_GET_NEXT_JOB(c->mb);
	}
	job->enc_keys = op->cell;
	job->dec_keys = op->cell;
	job->key_len_in_bytes = 32;
	job->src = op->data;
	job->dst = op->data;
	job->cipher_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = op->len;
	job->iv = c->nonce[i];
	job->iv_len_in_bytes = OVPN_AEAD_NONCE_LEN;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = TAG_LEN;
	job->u.CHACHA20_POLY1305.aad = op->aad;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = op->aad_len;
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->cipher_direction = dir;
	job->chain_order = dir == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	(void)IMB_SUBMIT_JOB_NOCHECK(c->mb); // its tag says when it was finished
}

static void flush(struct dp_crypto *c)
{
	while (IMB_FLUSH_JOB(c->mb) != NULL)
		;
}

// Nonces are made a little ahead: the library reads one in a single load, which would have to wait
// for the two stores if they had only just been made.
static inline void make_nonce(struct dp_crypto *c, const struct dp_crypto_op *op, unsigned i)
{
	ovpn_data_nonce(c->nonce[i], op->packet_id, op->cell + DP_CRYPTO_IV_OFF);
}

// One body for both directions; gcm is indexed by cipher and NULL for ChaCha20-Poly1305. Tags go
// into the packets (seal) or to c->tag (open). Returns true when jobs have to be flushed.
static inline bool run(struct dp_crypto *c, struct dp_crypto_op *op, unsigned n, const gcm_fn *gcm,
	IMB_CIPHER_DIRECTION dir)
{
	struct gcm_context_data ctx;
	bool jobs = false;

	for (unsigned i = 0; i < n && i < NONCE_AHEAD; i++)
		make_nonce(c, &op[i], i);
	for (unsigned i = 0; i < n; i++) {
		struct dp_crypto_op *o = &op[i];
		uint8_t *tag = dir == IMB_DIR_ENCRYPT ? o->tag : c->tag[i];

		if (i + DP_CRYPTO_NEAR < n)
			dp_crypto_prefetch(&op[i + DP_CRYPTO_NEAR], true);
		if (i + NONCE_AHEAD < n)
			make_nonce(c, &op[i + NONCE_AHEAD], i + NONCE_AHEAD);
		o->ok = dp_crypto_has(o->cipher);
		if (!o->ok)
			continue;
		if (gcm[o->cipher] != NULL) {
			gcm[o->cipher]((const struct gcm_key_data *)o->cell, &ctx, o->data, o->data,
				o->len, c->nonce[i], o->aad, o->aad_len, tag, TAG_LEN);
			continue;
		}
		chacha_submit(c, o, i, tag, dir);
		jobs = true;
	}
	return jobs;
}

unsigned dp_crypto_seal(struct dp_crypto *c, struct dp_crypto_op *op, unsigned n)
{
	unsigned ok = 0;

	if (run(c, op, n, c->seal, IMB_DIR_ENCRYPT))
		flush(c);
	for (unsigned i = 0; i < n; i++)
		ok += op[i].ok;
	return ok;
}

unsigned dp_crypto_open(struct dp_crypto *c, struct dp_crypto_op *op, unsigned n)
{
	unsigned ok = 0;

	if (run(c, op, n, c->open, IMB_DIR_DECRYPT))
		flush(c);
	for (unsigned i = 0; i < n; i++) {
		op[i].ok = op[i].ok && tag_equal(op[i].tag, c->tag[i]);
		ok += op[i].ok;
	}
	return ok;
}
