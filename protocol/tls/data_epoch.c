// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/data_epoch.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "protocol/tls/mac.h"

#define LABEL_PREFIX "ovpn "
#define LABEL_MAX 32u
#define AES_BLOCK 16u

// HKDF-Expand with SHA-256 (RFC 5869), as the label function of TLS 1.3 but with our prefix and
// without context; at most one block of output is ever wanted.
static int expand(const uint8_t *secret, const char *label, uint8_t *out, size_t len)
{
	uint8_t info[2 + 1 + sizeof(LABEL_PREFIX) + LABEL_MAX + 2];
	uint8_t block[OVPN_DIGEST_MAX];
	size_t label_len = sizeof(LABEL_PREFIX) - 1 + strlen(label);
	struct ovpn_span piece;
	size_t n = 0;
	int rc;

	ovpn_put_be16(info, (uint16_t)len);
	n = 2;
	info[n++] = (uint8_t)label_len;
	memcpy(info + n, LABEL_PREFIX, sizeof(LABEL_PREFIX) - 1);
	memcpy(info + n + sizeof(LABEL_PREFIX) - 1, label, strlen(label));
	n += label_len;
	info[n++] = 0; // no context
	info[n++] = 1; // number of the block
	piece = (struct ovpn_span){ info, n };
	rc = ovpn_hmac(OVPN_DIGEST_SHA256, secret, OVPN_EPOCH_SECRET_LEN, &piece, 1, block);
	if (rc == 0)
		memcpy(out, block, len);
	explicit_bzero(block, sizeof(block));
	return rc;
}

int ovpn_epoch_next(uint8_t secret[OVPN_EPOCH_SECRET_LEN])
{
	return expand(secret, "datakey upd", secret, OVPN_EPOCH_SECRET_LEN);
}

int ovpn_epoch_derive(const uint8_t secret[OVPN_EPOCH_SECRET_LEN], enum ovpn_cipher cipher,
	struct ovpn_epoch_key *ret_key)
{
	int rc;

	if (!ovpn_cipher_is_aead(cipher))
		return -ENOTSUP;
	rc = expand(secret, "data_key", ret_key->key, ovpn_cipher_info(cipher)->key_len);
	if (rc == 0)
		rc = expand(secret, "data_iv", ret_key->iv, sizeof(ret_key->iv));
	return rc;
}

static const EVP_CIPHER *evp_cipher(uint8_t cipher)
{
	switch (cipher) {
	case OVPN_CIPHER_AES_128_GCM: return EVP_aes_128_gcm();
	case OVPN_CIPHER_AES_192_GCM: return EVP_aes_192_gcm();
	case OVPN_CIPHER_AES_256_GCM: return EVP_aes_256_gcm();
	default: return EVP_chacha20_poly1305();
	}
}

static int key_context(
	EVP_CIPHER_CTX **ctx, uint8_t cipher, const struct ovpn_epoch_key *key, bool seal)
{
	if (*ctx == NULL)
		*ctx = EVP_CIPHER_CTX_new();
	if (*ctx == NULL ||
		!EVP_CipherInit_ex2(*ctx, evp_cipher(cipher), key->key, NULL, seal, NULL))
		return -EIO;
	return 0;
}

static bool used_up(uint8_t cipher, uint64_t usage)
{
	return cipher != OVPN_CIPHER_CHACHA20_POLY1305 && usage > OVPN_AEAD_USAGE_MAX;
}

static uint64_t usage_of(size_t len)
{
	return 1 + (len + AES_BLOCK - 1) / AES_BLOCK;
}

// ---- Sending -----------------------------------------------------------------------------------

static int seal_key(struct ovpn_epoch_seal *s)
{
	struct ovpn_epoch_key key;
	int rc = ovpn_epoch_derive(s->secret, (enum ovpn_cipher)s->cipher, &key);

	if (rc == 0)
		rc = key_context(&s->ctx, s->cipher, &key, true);
	if (rc == 0) {
		memcpy(s->iv, key.iv, sizeof(s->iv));
		s->counter = 0;
		s->usage = 0;
	}
	explicit_bzero(&key, sizeof(key));
	return rc;
}

int ovpn_epoch_seal_init(struct ovpn_epoch_seal *s, enum ovpn_cipher cipher,
	const uint8_t secret[OVPN_EPOCH_SECRET_LEN])
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->cipher = (uint8_t)cipher;
	s->epoch = 1;
	memcpy(s->secret, secret, sizeof(s->secret));
	rc = seal_key(s);
	if (rc < 0)
		ovpn_epoch_seal_done(s);
	return rc;
}

void ovpn_epoch_seal_done(struct ovpn_epoch_seal *s)
{
	EVP_CIPHER_CTX_free(s->ctx);
	explicit_bzero(s, sizeof(*s));
}

int ovpn_epoch_seal_raise(struct ovpn_epoch_seal *s, uint16_t epoch)
{
	int rc = 0;

	if (epoch <= s->epoch)
		return 0;
	while (rc == 0 && s->epoch < epoch) {
		rc = ovpn_epoch_next(s->secret);
		s->epoch++;
	}
	return rc == 0 ? seal_key(s) : rc;
}

int ovpn_epoch_seal(struct ovpn_epoch_seal *s, const uint8_t header[OVPN_HDR_V2_LEN],
	const uint8_t *plain, size_t len, uint8_t *out, size_t *ret_len)
{
	uint8_t nonce[OVPN_AEAD_NONCE_LEN];
	uint64_t id;
	int n, end;

	if (len == 0 || len > INT_MAX / 2)
		return -EINVAL;
	if (used_up(s->cipher, s->usage + usage_of(len)) || s->counter == OVPN_EPOCH_COUNTER_MAX) {
		int rc = s->epoch == UINT16_MAX ? -EOVERFLOW
						: ovpn_epoch_seal_raise(s, s->epoch + 1);

		if (rc < 0)
			return rc;
	}
	id = ovpn_epoch_id(s->epoch, ++s->counter);
	s->usage += usage_of(len);
	memmove(out, header, OVPN_HDR_V2_LEN);
	ovpn_put_be64(out + OVPN_HDR_V2_LEN, id);
	ovpn_data_nonce_epoch(nonce, id, s->iv);
	if (!EVP_CipherInit_ex2(s->ctx, NULL, NULL, nonce, -1, NULL) ||
		!EVP_CipherUpdate(s->ctx, NULL, &n, out, OVPN_DATA_EPOCH_HEAD) ||
		!EVP_CipherUpdate(s->ctx, out + OVPN_DATA_EPOCH_HEAD, &n, plain, (int)len) ||
		!EVP_CipherFinal_ex(s->ctx, out + OVPN_DATA_EPOCH_HEAD + n, &end) ||
		!EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, OVPN_AEAD_TAG_LEN,
			out + OVPN_DATA_EPOCH_HEAD + len))
		return -EIO;
	*ret_len = len + OVPN_DATA_EPOCH_OVERHEAD;
	return 0;
}

// ---- Receiving ---------------------------------------------------------------------------------

// Fill the keys ahead from index `from` on; o->secret is that of the first one to make.
static int prepare(struct ovpn_epoch_open *o, unsigned from)
{
	int rc = 0;

	for (unsigned i = from; rc == 0 && i < OVPN_EPOCH_AHEAD; i++) {
		rc = ovpn_epoch_derive(o->secret, (enum ovpn_cipher)o->cipher, &o->ahead[i]);
		if (rc == 0)
			rc = ovpn_epoch_next(o->secret);
	}
	return rc;
}

int ovpn_epoch_open_init(struct ovpn_epoch_open *o, enum ovpn_cipher cipher,
	const uint8_t secret[OVPN_EPOCH_SECRET_LEN])
{
	struct ovpn_epoch_key key;
	int rc;

	memset(o, 0, sizeof(*o));
	o->cipher = (uint8_t)cipher;
	memcpy(o->secret, secret, sizeof(o->secret));
	rc = ovpn_epoch_derive(o->secret, cipher, &key);
	if (rc == 0)
		rc = key_context(&o->current.ctx, o->cipher, &key, false);
	if (rc == 0)
		rc = ovpn_epoch_next(o->secret);
	if (rc == 0)
		rc = prepare(o, 0);
	o->current.epoch = 1;
	if (rc == 0)
		memcpy(o->current.iv, key.iv, sizeof(key.iv));
	else
		ovpn_epoch_open_done(o);
	explicit_bzero(&key, sizeof(key));
	return rc;
}

void ovpn_epoch_open_done(struct ovpn_epoch_open *o)
{
	EVP_CIPHER_CTX_free(o->current.ctx);
	EVP_CIPHER_CTX_free(o->previous.ctx);
	EVP_CIPHER_CTX_free(o->trial);
	explicit_bzero(o, sizeof(*o));
}

// The key of index n ahead becomes the current one: its context is the one that was tried.
static int promote(struct ovpn_epoch_open *o, unsigned n)
{
	EVP_CIPHER_CTX *spare = o->previous.ctx;
	uint16_t epoch = (uint16_t)(o->current.epoch + 1 + n);

	o->previous = o->current;
	memset(&o->current, 0, sizeof(o->current));
	o->current.ctx = o->trial;
	o->trial = spare;
	o->current.epoch = epoch;
	memcpy(o->current.iv, o->ahead[n].iv, sizeof(o->current.iv));
	memmove(o->ahead, o->ahead + n + 1, (OVPN_EPOCH_AHEAD - n - 1) * sizeof(o->ahead[0]));
	return prepare(o, OVPN_EPOCH_AHEAD - n - 1);
}

static int open_with(EVP_CIPHER_CTX *ctx, const uint8_t *iv, uint64_t id, const uint8_t *dgram,
	size_t len, uint8_t *plain)
{
	size_t text_len = len - OVPN_DATA_EPOCH_OVERHEAD;
	uint8_t nonce[OVPN_AEAD_NONCE_LEN];
	uint8_t tag[OVPN_AEAD_TAG_LEN];
	int n, end;

	memcpy(tag, dgram + len - sizeof(tag), sizeof(tag)); // libcrypto wants it writable
	ovpn_data_nonce_epoch(nonce, id, iv);
	if (!EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) ||
		!EVP_CipherUpdate(ctx, NULL, &n, dgram, OVPN_DATA_EPOCH_HEAD) ||
		!EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag))
		return -EIO;
	if (!EVP_CipherUpdate(ctx, plain, &n, dgram + OVPN_DATA_EPOCH_HEAD, (int)text_len) ||
		!EVP_CipherFinal_ex(ctx, plain + n, &end))
		return -EBADMSG;
	return 0;
}

int ovpn_epoch_open(struct ovpn_epoch_open *o, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint64_t *ret_id)
{
	struct ovpn_epoch_rx *rx = &o->current;
	unsigned n = 0;
	uint64_t id;
	uint16_t epoch;
	int rc;

	if (len <= OVPN_DATA_EPOCH_OVERHEAD || len > INT_MAX / 2 ||
		ovpn_opcode_of(dgram[0]) != OVPN_P_DATA_V2)
		return -EINVAL;
	id = ovpn_get_be64(dgram + OVPN_HDR_V2_LEN);
	epoch = (uint16_t)(id >> OVPN_EPOCH_COUNTER_BITS);
	if ((id & OVPN_EPOCH_COUNTER_MAX) == 0)
		return -EINVAL;
	if (epoch > o->current.epoch) {
		n = epoch - o->current.epoch - 1u;
		if (n >= OVPN_EPOCH_AHEAD)
			return -ENOKEY;
		rc = key_context(&o->trial, o->cipher, &o->ahead[n], false);
		if (rc == 0)
			rc = open_with(o->trial, o->ahead[n].iv, id, dgram, len, plain);
		if (rc == 0)
			rc = promote(o, n);
	} else {
		if (epoch != o->current.epoch)
			rx = &o->previous;
		if (rx->ctx == NULL || rx->epoch != epoch)
			return -ENOKEY;
		rc = open_with(rx->ctx, rx->iv, id, dgram, len, plain);
	}
	if (rc < 0)
		return rc;
	rc = ovpn_replay_accept(&rx->window, id & OVPN_EPOCH_COUNTER_MAX);
	if (rc < 0)
		return rc;
	rx->usage += usage_of(len - OVPN_DATA_EPOCH_OVERHEAD);
	*ret_len = len - OVPN_DATA_EPOCH_OVERHEAD;
	*ret_id = id;
	return 0;
}

bool ovpn_epoch_open_used_up(const struct ovpn_epoch_open *o)
{
	return used_up(o->cipher, o->current.usage);
}
