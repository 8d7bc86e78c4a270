// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/cipher.h"
#include "protocol/text.h"

// Columns: name, mode, key, IV, block on the wire, block that the options string counts. Stream
// modes count the block of the cipher; AES-GCM counts that of AES, ChaCha20-Poly1305 counts 1.
static const struct ovpn_cipher_info ciphers[OVPN_CIPHER_COUNT] = {
	[OVPN_CIPHER_NONE] = { "none", OVPN_MODE_NONE, 0, 0, 1, 0 },
	[OVPN_CIPHER_AES_128_GCM] = { "AES-128-GCM", OVPN_MODE_AEAD, 16, 12, 1, 16 },
	[OVPN_CIPHER_AES_192_GCM] = { "AES-192-GCM", OVPN_MODE_AEAD, 24, 12, 1, 16 },
	[OVPN_CIPHER_AES_256_GCM] = { "AES-256-GCM", OVPN_MODE_AEAD, 32, 12, 1, 16 },
	[OVPN_CIPHER_CHACHA20_POLY1305] = { "CHACHA20-POLY1305", OVPN_MODE_AEAD, 32, 12, 1, 1 },
	[OVPN_CIPHER_AES_128_CBC] = { "AES-128-CBC", OVPN_MODE_CBC, 16, 16, 16, 16 },
	[OVPN_CIPHER_AES_192_CBC] = { "AES-192-CBC", OVPN_MODE_CBC, 24, 16, 16, 16 },
	[OVPN_CIPHER_AES_256_CBC] = { "AES-256-CBC", OVPN_MODE_CBC, 32, 16, 16, 16 },
	[OVPN_CIPHER_AES_128_CFB] = { "AES-128-CFB", OVPN_MODE_CFB, 16, 16, 1, 16 },
	[OVPN_CIPHER_AES_192_CFB] = { "AES-192-CFB", OVPN_MODE_CFB, 24, 16, 1, 16 },
	[OVPN_CIPHER_AES_256_CFB] = { "AES-256-CFB", OVPN_MODE_CFB, 32, 16, 1, 16 },
	[OVPN_CIPHER_AES_128_OFB] = { "AES-128-OFB", OVPN_MODE_OFB, 16, 16, 1, 16 },
	[OVPN_CIPHER_AES_192_OFB] = { "AES-192-OFB", OVPN_MODE_OFB, 24, 16, 1, 16 },
	[OVPN_CIPHER_AES_256_OFB] = { "AES-256-OFB", OVPN_MODE_OFB, 32, 16, 1, 16 },
	[OVPN_CIPHER_BF_CBC] = { "BF-CBC", OVPN_MODE_CBC, 16, 8, 8, 8 },
	[OVPN_CIPHER_BF_CFB] = { "BF-CFB", OVPN_MODE_CFB, 16, 8, 1, 8 },
	[OVPN_CIPHER_BF_OFB] = { "BF-OFB", OVPN_MODE_OFB, 16, 8, 1, 8 },
	[OVPN_CIPHER_DES_EDE3_CBC] = { "DES-EDE3-CBC", OVPN_MODE_CBC, 24, 8, 8, 8 },
	[OVPN_CIPHER_CAST5_CBC] = { "CAST5-CBC", OVPN_MODE_CBC, 16, 8, 8, 8 },
	[OVPN_CIPHER_CAMELLIA_128_CBC] = { "CAMELLIA-128-CBC", OVPN_MODE_CBC, 16, 16, 16, 16 },
	[OVPN_CIPHER_CAMELLIA_192_CBC] = { "CAMELLIA-192-CBC", OVPN_MODE_CBC, 24, 16, 16, 16 },
	[OVPN_CIPHER_CAMELLIA_256_CBC] = { "CAMELLIA-256-CBC", OVPN_MODE_CBC, 32, 16, 16, 16 },
};

static const struct {
	const char *name;
	unsigned len; // bytes
} digests[OVPN_DIGEST_COUNT] = {
	[OVPN_DIGEST_NONE] = { "none", 0 },
	[OVPN_DIGEST_SHA1] = { "SHA1", 20 },
	[OVPN_DIGEST_SHA256] = { "SHA256", 32 },
	[OVPN_DIGEST_SHA384] = { "SHA384", 48 },
	[OVPN_DIGEST_SHA512] = { "SHA512", 64 },
	[OVPN_DIGEST_MD5] = { "MD5", 16 },
	[OVPN_DIGEST_SHA224] = { "SHA224", 28 },
};

const struct ovpn_cipher_info *ovpn_cipher_info(enum ovpn_cipher cipher)
{
	if ((unsigned)cipher >= OVPN_CIPHER_COUNT)
		return &ciphers[OVPN_CIPHER_NONE];
	return &ciphers[cipher];
}

uint64_t ovpn_cipher_reneg_bytes(enum ovpn_cipher cipher)
{
	return ovpn_cipher_info(cipher)->iv_len == 8 ? 64ull << 20 : 0;
}

int ovpn_cipher_by_name(const char *name, size_t len, enum ovpn_cipher *ret_cipher)
{
	if (ovpn_text_equal(name, len, "[null-cipher]")) {
		*ret_cipher = OVPN_CIPHER_NONE;
		return 0;
	}
	for (unsigned c = 0; c < OVPN_CIPHER_COUNT; c++) {
		if (ovpn_text_equal_nocase(name, len, ciphers[c].name)) {
			*ret_cipher = (enum ovpn_cipher)c;
			return 0;
		}
	}
	return -ENOENT;
}

const char *ovpn_digest_name(enum ovpn_digest digest)
{
	return (unsigned)digest < OVPN_DIGEST_COUNT ? digests[digest].name : "none";
}

unsigned ovpn_digest_len(enum ovpn_digest digest)
{
	return (unsigned)digest < OVPN_DIGEST_COUNT ? digests[digest].len : 0;
}

int ovpn_digest_by_name(const char *name, size_t len, enum ovpn_digest *ret_digest)
{
	if (ovpn_text_equal(name, len, "[null-digest]")) {
		*ret_digest = OVPN_DIGEST_NONE;
		return 0;
	}
	for (unsigned d = 0; d < OVPN_DIGEST_COUNT; d++) {
		if (ovpn_text_equal_nocase(name, len, digests[d].name)) {
			*ret_digest = (enum ovpn_digest)d;
			return 0;
		}
	}
	return -ENOENT;
}
