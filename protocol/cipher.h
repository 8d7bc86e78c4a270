// SPDX-License-Identifier: BSD-3-Clause
// Names, numbers and lengths of the data channel's ciphers and digests.
//
// The numbers are part of the shared-memory layout and never change their meaning.
// Source: protocol.md 5.5, 7.3, 9.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ovpn_cipher {
	OVPN_CIPHER_NONE = 0, // no cipher: also the value of a field that isn't set
	OVPN_CIPHER_AES_128_GCM = 1,
	OVPN_CIPHER_AES_192_GCM = 2,
	OVPN_CIPHER_AES_256_GCM = 3,
	OVPN_CIPHER_CHACHA20_POLY1305 = 4,
	OVPN_CIPHER_AES_128_CBC = 5,
	OVPN_CIPHER_AES_192_CBC = 6,
	OVPN_CIPHER_AES_256_CBC = 7,
	OVPN_CIPHER_AES_128_CFB = 8,
	OVPN_CIPHER_AES_192_CFB = 9,
	OVPN_CIPHER_AES_256_CFB = 10,
	OVPN_CIPHER_AES_128_OFB = 11,
	OVPN_CIPHER_AES_192_OFB = 12,
	OVPN_CIPHER_AES_256_OFB = 13,
	OVPN_CIPHER_BF_CBC = 14,
	OVPN_CIPHER_BF_CFB = 15,
	OVPN_CIPHER_BF_OFB = 16,
	OVPN_CIPHER_DES_EDE3_CBC = 17,
	OVPN_CIPHER_CAST5_CBC = 18,
	OVPN_CIPHER_CAMELLIA_128_CBC = 19,
	OVPN_CIPHER_CAMELLIA_192_CBC = 20,
	OVPN_CIPHER_CAMELLIA_256_CBC = 21,
	OVPN_CIPHER_COUNT
};

// Masks are 1u << enum ovpn_cipher. These four need no digest; every other cipher, none included,
// goes with an HMAC (protocol/tls/data_legacy.h).
#define OVPN_CIPHERS_AEAD                                                                          \
	(1u << OVPN_CIPHER_AES_128_GCM | 1u << OVPN_CIPHER_AES_192_GCM |                           \
		1u << OVPN_CIPHER_AES_256_GCM | 1u << OVPN_CIPHER_CHACHA20_POLY1305)

#define OVPN_CIPHERS_LEGACY (((1u << OVPN_CIPHER_COUNT) - 1) & ~OVPN_CIPHERS_AEAD)

enum ovpn_cipher_mode {
	OVPN_MODE_NONE,
	OVPN_MODE_AEAD,
	OVPN_MODE_CBC,
	OVPN_MODE_CFB,
	OVPN_MODE_OFB,
};

enum ovpn_digest {
	OVPN_DIGEST_NONE = 0,
	OVPN_DIGEST_SHA1 = 1,
	OVPN_DIGEST_SHA256 = 2,
	OVPN_DIGEST_SHA384 = 3,
	OVPN_DIGEST_SHA512 = 4,
	OVPN_DIGEST_MD5 = 5,
	OVPN_DIGEST_SHA224 = 6,
	OVPN_DIGEST_COUNT
};

#define OVPN_AEAD_TAG_LEN 16u
#define OVPN_AEAD_NONCE_LEN 12u
#define OVPN_KEY_MAX 32u // longest cipher key, bytes
#define OVPN_DIGEST_MAX 64u // longest digest and HMAC key, bytes
#define OVPN_CIPHER_NAME_MAX 32u // longest name and its NUL, with room

// What is constant of a cipher. Lengths in bytes.
struct ovpn_cipher_info {
	const char *name; // as on the wire, "AES-256-GCM"; "none" for OVPN_CIPHER_NONE
	uint8_t mode; // enum ovpn_cipher_mode
	uint8_t key_len;
	uint8_t iv_len; // nonce of AEAD
	uint8_t block_len; // of CBC; 1 for stream ciphers and AEAD on the wire
	uint8_t mtu_block; // block size that the options string counts (protocol.md 6.2)
};

// Table entry of a cipher; that of OVPN_CIPHER_NONE for values outside the enum.
const struct ovpn_cipher_info *ovpn_cipher_info(enum ovpn_cipher cipher);

// Bytes after which a key with this cipher has to be renewed where nobody set a limit: 64 MiB with
// blocks of 64 bits (Sweet32), 0: no such limit. Source: protocol.md 9.7.
uint64_t ovpn_cipher_reneg_bytes(enum ovpn_cipher cipher);

// Cipher by its name, ignoring case; "none" and "[null-cipher]" are OVPN_CIPHER_NONE.
// Returns 0, or -ENOENT when the name is unknown.
int ovpn_cipher_by_name(const char *name, size_t len, enum ovpn_cipher *ret_cipher);

// True for the AEAD ciphers.
static inline bool ovpn_cipher_is_aead(enum ovpn_cipher cipher)
{
	return cipher >= OVPN_CIPHER_AES_128_GCM && cipher <= OVPN_CIPHER_CHACHA20_POLY1305;
}

// Name ("SHA256", "none") and length in bytes of a digest, which is also that of its HMAC key;
// "none" and 0 outside the enum.
const char *ovpn_digest_name(enum ovpn_digest digest);
unsigned ovpn_digest_len(enum ovpn_digest digest);

// Digest by its name, ignoring case; "none" and "[null-digest]" are OVPN_DIGEST_NONE.
// Returns 0, or -ENOENT when the name is unknown.
int ovpn_digest_by_name(const char *name, size_t len, enum ovpn_digest *ret_digest);
