// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/cipher.h"
#include "tests/gtc.h"

GTC_TEST(cipher, every_name_is_found_again)
{
	for (unsigned c = 0; c < OVPN_CIPHER_COUNT; c++) {
		const struct ovpn_cipher_info *ci = ovpn_cipher_info((enum ovpn_cipher)c);
		enum ovpn_cipher found = OVPN_CIPHER_COUNT;

		GTC_ASSERT(ci->name != NULL);
		GTC_EXPECT(strlen(ci->name) < OVPN_CIPHER_NAME_MAX);
		GTC_EXPECT(ci->key_len <= OVPN_KEY_MAX);
		GTC_EXPECT_INT(ovpn_cipher_by_name(ci->name, strlen(ci->name), &found), 0);
		GTC_EXPECT_INT(found, c);
		GTC_EXPECT(
			ovpn_cipher_is_aead((enum ovpn_cipher)c) == (ci->mode == OVPN_MODE_AEAD));
		GTC_EXPECT(ovpn_cipher_is_aead((enum ovpn_cipher)c) ==
			((OVPN_CIPHERS_AEAD >> c & 1) != 0));
	}
	for (unsigned d = 0; d < OVPN_DIGEST_COUNT; d++) {
		const char *name = ovpn_digest_name((enum ovpn_digest)d);
		enum ovpn_digest found = OVPN_DIGEST_COUNT;

		GTC_EXPECT_INT(ovpn_digest_by_name(name, strlen(name), &found), 0);
		GTC_EXPECT_INT(found, d);
		GTC_EXPECT(ovpn_digest_len((enum ovpn_digest)d) <= OVPN_DIGEST_MAX);
	}
}

GTC_TEST(cipher, names)
{
	enum ovpn_cipher cipher = OVPN_CIPHER_COUNT;
	enum ovpn_digest digest = OVPN_DIGEST_COUNT;

	GTC_EXPECT_INT(ovpn_cipher_by_name("aes-256-gcm", 11, &cipher), 0);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_AES_256_GCM);
	GTC_EXPECT_INT(ovpn_cipher_by_name("AES-256-GCMx", 12, &cipher), -ENOENT);
	GTC_EXPECT_INT(ovpn_cipher_by_name("AES-256-GC", 10, &cipher), -ENOENT);
	GTC_EXPECT_INT(ovpn_cipher_by_name("", 0, &cipher), -ENOENT);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_AES_256_GCM); // untouched by failures
	GTC_EXPECT_INT(ovpn_cipher_by_name("[null-cipher]", 13, &cipher), 0);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_NONE);
	GTC_EXPECT_INT(ovpn_digest_by_name("sha512", 6, &digest), 0);
	GTC_EXPECT_INT(ovpn_digest_len(digest), 64);
	GTC_EXPECT_INT(ovpn_digest_by_name("[null-digest]", 13, &digest), 0);
	GTC_EXPECT_INT(digest, OVPN_DIGEST_NONE);
	GTC_EXPECT_INT(ovpn_digest_by_name("SHA3", 4, &digest), -ENOENT);
	GTC_EXPECT_STR(ovpn_cipher_info(OVPN_CIPHER_COUNT)->name, "none");
	GTC_EXPECT_STR(ovpn_digest_name(OVPN_DIGEST_COUNT), "none");
	GTC_EXPECT_INT(ovpn_digest_len(OVPN_DIGEST_COUNT), 0);
}
