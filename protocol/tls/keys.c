// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/keys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/tls/mac.h"

#define MASTER_LABEL "OpenVPN master secret"
#define EXPANSION_LABEL "OpenVPN key expansion"
#define LABEL_LEN (sizeof(MASTER_LABEL) - 1)
#define MASTER_SIZE 48
#define SEED_MAX (LABEL_LEN + 32 + 32 + 8 + 8)

// P_hash of RFC 2246 section 5, its output xor-ed into out.
static int p_hash_xor(enum ovpn_digest digest, const uint8_t *secret, size_t secret_len,
	const uint8_t *seed, size_t seed_len, uint8_t *out, size_t len)
{
	uint8_t a[OVPN_DIGEST_MAX];
	uint8_t block[OVPN_DIGEST_MAX];
	size_t size = ovpn_digest_len(digest);
	struct ovpn_span piece[2] = { { seed, seed_len }, { seed, seed_len } };
	int rc = ovpn_hmac(digest, secret, secret_len, piece, 1, a); // A(1)

	for (size_t done = 0; rc == 0 && done < len; done += size) {
		size_t n = len - done < size ? len - done : size;

		piece[0] = (struct ovpn_span){ a, size };
		rc = ovpn_hmac(digest, secret, secret_len, piece, 2, block);
		if (rc == 0)
			rc = ovpn_hmac(digest, secret, secret_len, piece, 1, a);
		for (size_t i = 0; rc == 0 && i < n; i++)
			out[done + i] ^= block[i];
	}
	explicit_bzero(a, sizeof(a));
	explicit_bzero(block, sizeof(block));
	return rc;
}

int ovpn_tls1_prf(const uint8_t *secret, size_t secret_len, const uint8_t *seed, size_t seed_len,
	uint8_t *out, size_t len)
{
	size_t half = (secret_len + 1) / 2; // the halves share a byte when the length is odd
	int rc;

	if (secret_len == 0)
		return -EINVAL;
	memset(out, 0, len);
	rc = p_hash_xor(OVPN_DIGEST_MD5, secret, half, seed, seed_len, out, len);
	if (rc == 0)
		rc = p_hash_xor(OVPN_DIGEST_SHA1, secret + secret_len - half, half, seed, seed_len,
			out, len);
	if (rc < 0)
		explicit_bzero(out, len);
	return rc;
}

static size_t append(uint8_t *seed, size_t len, const void *bytes, size_t n)
{
	memcpy(seed + len, bytes, n);
	return len + n;
}

int ovpn_prf_derive(const struct ovpn_prf_input *in, uint8_t ret_material[OVPN_KEY_MATERIAL_SIZE])
{
	uint8_t master[MASTER_SIZE];
	uint8_t seed[SEED_MAX];
	size_t n;
	int rc;

	n = append(seed, 0, MASTER_LABEL, LABEL_LEN);
	n = append(seed, n, in->client_random1, sizeof(in->client_random1));
	n = append(seed, n, in->server_random1, sizeof(in->server_random1));
	rc = ovpn_tls1_prf(in->pre_master, sizeof(in->pre_master), seed, n, master, sizeof(master));
	if (rc == 0) {
		n = append(seed, 0, EXPANSION_LABEL, LABEL_LEN);
		n = append(seed, n, in->client_random2, sizeof(in->client_random2));
		n = append(seed, n, in->server_random2, sizeof(in->server_random2));
		n = append(seed, n, in->client_sid, sizeof(in->client_sid));
		n = append(seed, n, in->server_sid, sizeof(in->server_sid));
		rc = ovpn_tls1_prf(
			master, sizeof(master), seed, n, ret_material, OVPN_KEY_MATERIAL_SIZE);
	}
	explicit_bzero(master, sizeof(master));
	explicit_bzero(seed, sizeof(seed));
	return rc;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= bytes[i];
	return any == 0;
}

int ovpn_data_keys_cut(const uint8_t material[OVPN_KEY_MATERIAL_SIZE], enum ovpn_cipher cipher,
	struct ovpn_data_keys *ret_keys)
{
	const size_t half = OVPN_KEY_MATERIAL_SIZE / 2;
	size_t key_len = ovpn_cipher_info(cipher)->key_len;

	if (key_len > 0 && (all_zero(material, key_len) || all_zero(material + half, key_len)))
		return -EKEYREJECTED;
	ret_keys->cipher = (uint8_t)cipher;
	for (size_t d = 0; d < 2; d++) {
		struct ovpn_direction_key *dir = &ret_keys->dir[d];

		memcpy(dir->cipher_key, material + d * half, sizeof(dir->cipher_key));
		memcpy(dir->hmac_key, material + d * half + sizeof(dir->cipher_key),
			sizeof(dir->hmac_key));
	}
	return 0;
}

void ovpn_data_keys_wipe(struct ovpn_data_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

void ovpn_prf_input_wipe(struct ovpn_prf_input *in)
{
	explicit_bzero(in, sizeof(*in));
}

void ovpn_dynamic_key(const uint8_t exported[OVPN_STATIC_KEY_SIZE],
	const struct ovpn_static_key *base, struct ovpn_static_key *ret_key)
{
	for (size_t i = 0; i < OVPN_STATIC_KEY_SIZE; i++)
		ret_key->bytes[i] = exported[i] ^ (base != NULL ? base->bytes[i] : 0);
}
