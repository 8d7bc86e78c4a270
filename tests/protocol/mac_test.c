// SPDX-License-Identifier: BSD-3-Clause
// Our HMAC beside libcrypto's, for every digest and for keys around a block's length.
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "protocol/tls/mac.h"
#include "tests/gtc.h"

static void compare(enum ovpn_digest digest, const uint8_t *key, size_t key_len, size_t text_len)
{
	const EVP_MD *md = EVP_get_digestbyname(ovpn_digest_name(digest));
	uint8_t text[300];
	uint8_t ours[OVPN_DIGEST_MAX] = { 0 };
	uint8_t theirs[OVPN_DIGEST_MAX] = { 1 };
	size_t cut = text_len / 3;
	const struct ovpn_span piece[] = { { text, cut }, { text, 0 },
		{ text + cut, text_len - cut } };
	unsigned len = 0;

	memset(text, 0x5a, sizeof(text));
	text[0] = (uint8_t)key_len;
	GTC_ASSERT(md != NULL);
	GTC_EXPECT(HMAC(md, key, (int)key_len, text, text_len, theirs, &len) != NULL);
	GTC_EXPECT_INT(len, ovpn_digest_len(digest));
	GTC_EXPECT_INT(ovpn_hmac(digest, key, key_len, piece, 3, ours), 0);
	GTC_EXPECT_MEM(ours, theirs, len);
}

GTC_TEST(mac, hmac)
{
	static const size_t key_lens[] = { 0, 1, 20, 63, 64, 65, 127, 128, 129, 250 };
	static const size_t text_lens[] = { 0, 1, 17, 64, 300 };
	uint8_t key[250];
	uint8_t out[OVPN_DIGEST_MAX];

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 3);
	for (int d = OVPN_DIGEST_SHA1; d < OVPN_DIGEST_COUNT; d++) {
		for (unsigned k = 0; k < sizeof(key_lens) / sizeof(key_lens[0]); k++) {
			for (unsigned t = 0; t < sizeof(text_lens) / sizeof(text_lens[0]); t++)
				compare((enum ovpn_digest)d, key, key_lens[k], text_lens[t]);
		}
	}
	GTC_EXPECT_INT(ovpn_hmac(OVPN_DIGEST_NONE, key, 1, NULL, 0, out), -ENOTSUP);
}
