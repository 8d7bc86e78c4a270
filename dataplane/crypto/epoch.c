// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/crypto/epoch.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "dataplane/crypto/legacy_mb.h"

#define USAGE_MAX ((1ull << 36) - 1) // packets and blocks of 16 bytes under an AES key
#define SHA256_LEN 32u

static_assert(sizeof(struct gcm_key_data) <= DP_CRYPTO_IV_OFF, "an epoch's key fits");

// HKDF-Expand with SHA-256 and OpenVPN's labels, one block of output. OpenSSL allocates in it: at
// install, and when an epoch begins.
static void expand(const uint8_t *secret, const char *label, uint8_t *out, size_t len)
{
	uint8_t info[64];
	uint8_t block[SHA256_LEN];
	unsigned block_len = sizeof(block);
	size_t label_len = strlen(label);
	size_t n = 0;

	info[n++] = (uint8_t)(len >> 8);
	info[n++] = (uint8_t)len;
	info[n++] = (uint8_t)(label_len + 5);
	memcpy(info + n, "ovpn ", 5);
	memcpy(info + n + 5, label, label_len);
	n += 5 + label_len;
	info[n++] = 0; // no context
	info[n++] = 1; // number of the block
	memset(block, 0, sizeof(block));
	(void)HMAC(EVP_sha256(), secret, DP_EPOCH_SECRET_LEN, info, n, block, &block_len);
	memcpy(out, block, len);
	explicit_bzero(block, sizeof(block));
}

static void next_secret(uint8_t *secret)
{
	expand(secret, "datakey upd", secret, DP_EPOCH_SECRET_LEN);
}

static void derive(const uint8_t *secret, uint8_t cipher, uint8_t *key, uint8_t *iv)
{
	expand(secret, "data_key", key, ovpn_cipher_info((enum ovpn_cipher)cipher)->key_len);
	expand(secret, "data_iv", iv, OVPN_EPOCH_IV_LEN);
}

static void expand_key(IMB_MGR *mb, uint8_t cipher, const uint8_t *raw, const uint8_t *iv,
	struct dp_epoch_key *key)
{
	struct gcm_key_data *gcm = (struct gcm_key_data *)key->cell;

	switch (cipher) {
	case OVPN_CIPHER_AES_128_GCM: IMB_AES128_GCM_PRE(mb, raw, gcm); break;
	case OVPN_CIPHER_AES_192_GCM: IMB_AES192_GCM_PRE(mb, raw, gcm); break;
	case OVPN_CIPHER_AES_256_GCM: IMB_AES256_GCM_PRE(mb, raw, gcm); break;
	default: memcpy(key->cell, raw, 32); break;
	}
	memcpy(key->iv, iv, OVPN_EPOCH_IV_LEN);
}

static void *zeroed(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) / 64 * 64);

	return p != NULL ? memset(p, 0, size) : NULL;
}

static void tx_key(struct dp_legacy_crypto *c, struct dp_epoch_tx *tx)
{
	uint8_t raw[OVPN_KEY_MAX], iv[OVPN_EPOCH_IV_LEN];

	derive(tx->secret, tx->cipher, raw, iv);
	expand_key(dp_legacy_mb(c), tx->cipher, raw, iv, &tx->key);
	explicit_bzero(raw, sizeof(raw));
}

struct dp_epoch_tx *dp_epoch_tx_create(struct dp_legacy_crypto *c, uint8_t cipher,
	const uint8_t secret[DP_EPOCH_SECRET_LEN], uint16_t epoch)
{
	struct dp_epoch_tx *tx = dp_crypto_has(cipher) ? zeroed(sizeof(*tx)) : NULL;

	if (tx == NULL)
		return NULL;
	tx->cipher = cipher;
	tx->key.epoch = epoch;
	memcpy(tx->secret, secret, sizeof(tx->secret));
	for (uint16_t i = 1; i < epoch; i++)
		next_secret(tx->secret);
	tx_key(c, tx);
	return tx;
}

// Fill the keys ahead from index `from` on.
static void prepare(struct dp_epoch_rx *rx, unsigned from)
{
	for (unsigned i = from; i < DP_EPOCH_AHEAD; i++) {
		derive(rx->secret, rx->cipher, rx->ahead[i].key, rx->ahead[i].iv);
		next_secret(rx->secret);
	}
}

struct dp_epoch_rx *dp_epoch_rx_create(struct dp_legacy_crypto *c, uint8_t cipher,
	const uint8_t secret[DP_EPOCH_SECRET_LEN], uint16_t epoch)
{
	struct dp_epoch_rx *rx = dp_crypto_has(cipher) ? zeroed(sizeof(*rx)) : NULL;
	uint8_t raw[OVPN_KEY_MAX], iv[OVPN_EPOCH_IV_LEN];

	if (rx == NULL)
		return NULL;
	rx->cipher = cipher;
	rx->current.epoch = epoch;
	memcpy(rx->secret, secret, sizeof(rx->secret));
	for (uint16_t i = 1; i < epoch; i++)
		next_secret(rx->secret);
	derive(rx->secret, cipher, raw, iv);
	expand_key(dp_legacy_mb(c), cipher, raw, iv, &rx->current);
	explicit_bzero(raw, sizeof(raw));
	next_secret(rx->secret);
	prepare(rx, 0);
	return rx;
}

void dp_epoch_tx_free(struct dp_epoch_tx *tx)
{
	if (tx == NULL)
		return;
	explicit_bzero(tx, sizeof(*tx));
	free(tx);
}

void dp_epoch_rx_free(struct dp_epoch_rx *rx)
{
	if (rx == NULL)
		return;
	explicit_bzero(rx, sizeof(*rx));
	free(rx);
}

static bool used_up(uint8_t cipher, uint64_t usage)
{
	return cipher != OVPN_CIPHER_CHACHA20_POLY1305 && usage > USAGE_MAX;
}

static uint64_t usage_of(uint16_t len)
{
	return 1 + (len + 15u) / 16u;
}

uint64_t dp_epoch_draw(
	struct dp_legacy_crypto *c, struct dp_epoch_tx *tx, uint64_t next, uint16_t len)
{
	uint16_t epoch = tx->key.epoch;
	uint16_t want = atomic_load_explicit(&tx->want, memory_order_relaxed);
	bool over = next >> OVPN_EPOCH_COUNTER_BITS != epoch || // the counter ran out
		used_up(tx->cipher, tx->usage + usage_of(len));

	if (over && epoch == UINT16_MAX)
		return 0;
	if (over && want <= epoch)
		want = (uint16_t)(epoch + 1);
	if (want > epoch) {
		for (; tx->key.epoch < want; tx->key.epoch++)
			next_secret(tx->secret);
		tx_key(c, tx);
		tx->usage = 0;
		next = (uint64_t)want << OVPN_EPOCH_COUNTER_BITS | 1;
	}
	tx->usage += usage_of(len);
	return next;
}

// One AEAD packet in place; the tag is left in `tag`.
static void crypt(IMB_MGR *mb, uint8_t cipher, const struct dp_epoch_key *key, uint8_t *head,
	uint64_t id, uint16_t len, bool seal, uint8_t *tag)
{
	const struct gcm_key_data *gcm = (const struct gcm_key_data *)key->cell;
	uint8_t *text = head + OVPN_DATA_EPOCH_HEAD;
	uint8_t nonce[OVPN_AEAD_NONCE_LEN];
	struct gcm_context_data ctx;
	aes_gcm_enc_dec_t fn = NULL;

	ovpn_data_nonce_epoch(nonce, id, key->iv);
	switch (cipher) {
	case OVPN_CIPHER_AES_128_GCM: fn = seal ? mb->gcm128_enc : mb->gcm128_dec; break;
	case OVPN_CIPHER_AES_192_GCM: fn = seal ? mb->gcm192_enc : mb->gcm192_dec; break;
	case OVPN_CIPHER_AES_256_GCM: fn = seal ? mb->gcm256_enc : mb->gcm256_dec; break;
	default: break;
	}
	if (fn != NULL)
		fn(gcm, &ctx, text, text, len, nonce, head, OVPN_DATA_EPOCH_HEAD, tag,
			OVPN_AEAD_TAG_LEN);
	else
		dp_legacy_chacha(
			mb, key->cell, nonce, head, OVPN_DATA_EPOCH_HEAD, text, len, seal, tag);
}

void dp_epoch_seal(
	struct dp_legacy_crypto *c, const struct dp_epoch_tx *tx, uint8_t *head, uint16_t len)
{
	uint64_t id = ovpn_get_be64(head + OVPN_HDR_V2_LEN);
	alignas(16) uint8_t tag[OVPN_AEAD_TAG_LEN];

	crypt(dp_legacy_mb(c), tx->cipher, &tx->key, head, id, len, true, tag);
	memcpy(head + OVPN_DATA_EPOCH_HEAD + len, tag, sizeof(tag));
}

static bool tag_equal(const uint8_t *a, const uint8_t *b)
{
	uint8_t diff = 0;

	for (unsigned i = 0; i < OVPN_AEAD_TAG_LEN; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

// The key of index n ahead, already expanded, becomes the current one.
static void promote(struct dp_epoch_rx *rx, unsigned n, const struct dp_epoch_key *key)
{
	rx->previous = rx->current;
	rx->current = *key;
	rx->usage = 0;
	memmove(rx->ahead, rx->ahead + n + 1, (DP_EPOCH_AHEAD - n - 1) * sizeof(rx->ahead[0]));
	prepare(rx, DP_EPOCH_AHEAD - n - 1);
}

int dp_epoch_open(struct dp_legacy_crypto *c, struct dp_epoch_rx *rx, uint8_t *dgram, uint16_t len,
	uint64_t *ret_id)
{
	const struct dp_epoch_key *key = &rx->current;
	alignas(16) uint8_t tag[OVPN_AEAD_TAG_LEN];
	struct dp_epoch_key trial;
	uint16_t text_len;
	uint16_t epoch;
	unsigned n = 0;
	uint64_t id;

	if (len <= OVPN_DATA_EPOCH_OVERHEAD)
		return -EINVAL;
	text_len = (uint16_t)(len - OVPN_DATA_EPOCH_OVERHEAD);
	id = ovpn_get_be64(dgram + OVPN_HDR_V2_LEN);
	epoch = (uint16_t)(id >> OVPN_EPOCH_COUNTER_BITS);
	if ((id & DP_EPOCH_COUNTER_MAX) == 0)
		return -EINVAL;
	if (epoch > rx->current.epoch) {
		n = epoch - rx->current.epoch - 1u;
		if (n >= DP_EPOCH_AHEAD)
			return -ENOKEY;
		expand_key(dp_legacy_mb(c), rx->cipher, rx->ahead[n].key, rx->ahead[n].iv, &trial);
		trial.epoch = epoch;
		key = &trial;
	} else if (epoch < rx->current.epoch) {
		key = &rx->previous;
	}
	if (key->epoch != epoch || epoch == 0)
		return -ENOKEY;
	crypt(dp_legacy_mb(c), rx->cipher, key, dgram, id, text_len, false, tag);
	if (!tag_equal(tag, dgram + len - OVPN_AEAD_TAG_LEN))
		return -EBADMSG;
	if (key == &trial) {
		promote(rx, n, &trial);
		explicit_bzero(&trial, sizeof(trial));
	}
	rx->usage += usage_of(text_len);
	*ret_id = id;
	return 0;
}

uint16_t dp_epoch_want(const struct dp_epoch_rx *rx)
{
	bool over = used_up(rx->cipher, rx->usage) && rx->current.epoch < UINT16_MAX;

	return (uint16_t)(rx->current.epoch + over);
}
