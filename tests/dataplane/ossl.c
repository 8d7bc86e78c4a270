// SPDX-License-Identifier: BSD-3-Clause
#include "ossl.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

static const EVP_CIPHER *evp(enum ovpn_cipher cipher)
{
	switch (cipher) {
	case OVPN_CIPHER_AES_128_GCM: return EVP_aes_128_gcm();
	case OVPN_CIPHER_AES_192_GCM: return EVP_aes_192_gcm();
	case OVPN_CIPHER_AES_256_GCM: return EVP_aes_256_gcm();
	case OVPN_CIPHER_CHACHA20_POLY1305: return EVP_chacha20_poly1305();
	default: return NULL;
	}
}

size_t ossl_seal(enum ovpn_cipher cipher, const uint8_t *key, const uint8_t *iv, bool v1,
	uint8_t key_id, uint32_t peer_id, uint32_t packet_id, const uint8_t *plain, size_t len,
	uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *p = out, *aad = out, *tag;
	uint8_t nonce[12];
	int n;

	*p++ = (uint8_t)((v1 ? 6 : 9) << 3 | key_id);
	if (v1) {
		aad = p;
	} else {
		*p++ = (uint8_t)(peer_id >> 16);
		*p++ = (uint8_t)(peer_id >> 8);
		*p++ = (uint8_t)peer_id;
	}
	for (int i = 0; i < 4; i++)
		*p++ = nonce[i] = (uint8_t)(packet_id >> (24 - 8 * i));
	memcpy(nonce + 4, iv, 8);
	tag = p;
	p += 16;
	EVP_EncryptInit_ex(ctx, evp(cipher), NULL, key, nonce);
	EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)(tag - aad));
	EVP_EncryptUpdate(ctx, p, &n, plain, (int)len);
	EVP_EncryptFinal_ex(ctx, p + n, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag);
	EVP_CIPHER_CTX_free(ctx);
	return (size_t)(p - out) + len;
}

int ossl_open(enum ovpn_cipher cipher, const uint8_t *key, const uint8_t *iv, const uint8_t *packet,
	size_t len, uint8_t *plain)
{
	bool v1 = packet[0] >> 3 == 6;
	const uint8_t *aad = v1 ? packet + 1 : packet;
	const uint8_t *tag = packet + (v1 ? 5 : 8), *ct = tag + 16;
	int ct_len = (int)(packet + len - ct), n, end, ok;
	EVP_CIPHER_CTX *ctx;
	uint8_t nonce[12];

	if (ct_len < 1)
		return -1;
	memcpy(nonce, tag - 4, 4);
	memcpy(nonce + 4, iv, 8);
	ctx = EVP_CIPHER_CTX_new();
	EVP_DecryptInit_ex(ctx, evp(cipher), NULL, key, nonce);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, (void *)(uintptr_t)tag);
	EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)(tag - aad));
	EVP_DecryptUpdate(ctx, plain, &n, ct, ct_len);
	ok = EVP_DecryptFinal_ex(ctx, plain + n, &end);
	EVP_CIPHER_CTX_free(ctx);
	return ok == 1 ? n + end : -1;
}
