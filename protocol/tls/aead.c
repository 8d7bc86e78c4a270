// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/aead.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#define PACKET_ID_LEN 4

static const EVP_CIPHER *evp_cipher(uint8_t cipher)
{
	switch (cipher) {
	case OVPN_CIPHER_AES_128_GCM: return EVP_aes_128_gcm();
	case OVPN_CIPHER_AES_192_GCM: return EVP_aes_192_gcm();
	case OVPN_CIPHER_AES_256_GCM: return EVP_aes_256_gcm();
	case OVPN_CIPHER_CHACHA20_POLY1305: return EVP_chacha20_poly1305();
	default: return NULL;
	}
}

int ovpn_aead_init(struct ovpn_aead *aead, const struct ovpn_data_keys *keys,
	enum ovpn_key_direction direction, bool seal)
{
	const struct ovpn_direction_key *dir = &keys->dir[direction];
	const EVP_CIPHER *cipher = evp_cipher(keys->cipher);
	EVP_CIPHER_CTX *ctx;

	if (cipher == NULL)
		return -ENOTSUP;
	ctx = EVP_CIPHER_CTX_new();
	if (ctx == NULL || !EVP_CipherInit_ex2(ctx, cipher, dir->cipher_key, NULL, seal, NULL)) {
		EVP_CIPHER_CTX_free(ctx);
		return -EIO;
	}
	aead->ctx = ctx;
	aead->seal = seal;
	memcpy(aead->implicit_iv, dir->hmac_key, sizeof(aead->implicit_iv));
	return 0;
}

void ovpn_aead_done(struct ovpn_aead *aead)
{
	EVP_CIPHER_CTX_free(aead->ctx); // wipes the key schedule
	explicit_bzero(aead, sizeof(*aead));
}

// Set the nonce (the packet-id as on the wire, the implicit IV) and the additional data.
static bool begin(
	struct ovpn_aead *aead, const uint8_t *packet_id_be, const uint8_t *aad, int aad_len)
{
	uint8_t nonce[OVPN_AEAD_NONCE_LEN];
	int n;

	memcpy(nonce, packet_id_be, PACKET_ID_LEN);
	memcpy(nonce + PACKET_ID_LEN, aead->implicit_iv, sizeof(aead->implicit_iv));
	return EVP_CipherInit_ex2(aead->ctx, NULL, NULL, nonce, -1, NULL) &&
		EVP_CipherUpdate(aead->ctx, NULL, &n, aad, aad_len);
}

int ovpn_aead_seal(struct ovpn_aead *aead, const uint8_t *header, size_t header_len,
	uint32_t packet_id, const uint8_t *plain, size_t len, uint8_t *out, size_t *ret_len)
{
	uint8_t *id = out + header_len;
	uint8_t *tag = id + PACKET_ID_LEN;
	uint8_t *text = tag + OVPN_AEAD_TAG_LEN;
	int n;

	if (header_len != OVPN_HDR_V1_LEN && header_len != OVPN_HDR_V2_LEN)
		return -EINVAL;
	if (len == 0 || len > INT_MAX || packet_id == 0 || !aead->seal)
		return -EINVAL;
	memmove(out, header, header_len);
	ovpn_put_be32(id, packet_id);
	// V2 authenticates the header too, V1 the packet-id alone.
	if (header_len == OVPN_HDR_V2_LEN ? !begin(aead, id, out, OVPN_DATA_V2_HEAD)
					  : !begin(aead, id, id, PACKET_ID_LEN))
		return -EIO;
	if (!EVP_CipherUpdate(aead->ctx, text, &n, plain, (int)len) ||
		!EVP_CipherFinal_ex(aead->ctx, text + n, &n) ||
		!EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_GET_TAG, OVPN_AEAD_TAG_LEN, tag))
		return -EIO;
	*ret_len = header_len + PACKET_ID_LEN + OVPN_AEAD_TAG_LEN + len;
	return 0;
}

int ovpn_aead_open(struct ovpn_aead *aead, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint32_t *ret_packet_id)
{
	uint8_t tag[OVPN_AEAD_TAG_LEN];
	struct ovpn_hdr hdr;
	const uint8_t *id;
	size_t overhead;
	int n;

	if (aead->seal || len > INT_MAX || ovpn_hdr_parse(dgram, len, &hdr) < 0)
		return -EINVAL;
	overhead = hdr.len + PACKET_ID_LEN + OVPN_AEAD_TAG_LEN;
	if (!ovpn_opcode_is_data(hdr.opcode) || len <= overhead)
		return -EINVAL;
	id = dgram + hdr.len;
	memcpy(tag, id + PACKET_ID_LEN, sizeof(tag)); // libcrypto wants it writable
	if (hdr.opcode == OVPN_P_DATA_V2 ? !begin(aead, id, dgram, OVPN_DATA_V2_HEAD)
					 : !begin(aead, id, id, PACKET_ID_LEN))
		return -EIO;
	if (!EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_SET_TAG, OVPN_AEAD_TAG_LEN, tag))
		return -EIO;
	if (!EVP_CipherUpdate(aead->ctx, plain, &n, dgram + overhead, (int)(len - overhead)) ||
		!EVP_CipherFinal_ex(aead->ctx, plain + n, &n))
		return -EBADMSG;
	*ret_packet_id = ovpn_get_be32(id);
	*ret_len = len - overhead;
	return 0;
}
