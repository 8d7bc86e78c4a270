// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/ncp.h"
#include "tests/gtc.h"

static struct ovpn_ncp_list list_of(const char *s)
{
	struct ovpn_ncp_list list = { 0 };

	GTC_EXPECT_INT(ovpn_ncp_parse(s, strlen(s), UINT32_MAX, &list, NULL), 0);
	return list;
}

GTC_TEST(ncp, parse)
{
	struct ovpn_ncp_list list = { .count = 99 };
	char buf[OVPN_NCP_LIST_MAX + 1];
	size_t bad = 0;
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_ncp_parse("", 0, OVPN_CIPHERS_AEAD, &list, &bad), -EINVAL);
	GTC_EXPECT_INT(ovpn_ncp_parse(":", 1, OVPN_CIPHERS_AEAD, &list, &bad), -EINVAL);
	GTC_EXPECT_INT(ovpn_ncp_parse("AES-256-GCM:", 12, OVPN_CIPHERS_AEAD, &list, &bad), -EINVAL);
	GTC_EXPECT_INT(ovpn_ncp_parse("?", 1, OVPN_CIPHERS_AEAD, &list, &bad), -EINVAL);
	GTC_EXPECT_INT(
		ovpn_ncp_parse("AES-256-GCM:FOO", 15, OVPN_CIPHERS_AEAD, &list, &bad), -ENOENT);
	GTC_EXPECT_INT(bad, 12);
	GTC_EXPECT_INT(ovpn_ncp_parse("BF-CBC", 6, OVPN_CIPHERS_AEAD, &list, &bad), -ENOENT);
	GTC_EXPECT_INT(ovpn_ncp_parse("?BF-CBC", 7, OVPN_CIPHERS_AEAD, &list, &bad), -EINVAL);
	GTC_EXPECT_INT(list.count, 99);
	GTC_EXPECT_INT(
		ovpn_ncp_parse("?FOO:aes-128-gcm:DEFAULT", 24, OVPN_CIPHERS_AEAD, &list, &bad), 0);
	GTC_EXPECT_INT(ovpn_ncp_build(&list, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf, "AES-128-GCM:AES-256-GCM:CHACHA20-POLY1305");
	GTC_EXPECT_INT(len, strlen(buf));
	GTC_EXPECT_INT(ovpn_ncp_build(&list, buf, len, &len), -ENOBUFS);
	list = list_of(OVPN_NCP_DEFAULT);
	GTC_EXPECT_INT(ovpn_ncp_build(&list, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf, OVPN_NCP_DEFAULT);
}

GTC_TEST(ncp, longest_list)
{
	static const char all[] = "AES-128-GCM:AES-192-GCM:AES-256-GCM:CHACHA20-POLY1305:"
				  "AES-128-CBC:AES-192-CBC:AES-256-CBC:AES-128-CFB:AES-192-CFB:"
				  "AES-256-CFB:AES-128-OFB";
	struct ovpn_ncp_list list;

	GTC_EXPECT_INT(ovpn_ncp_parse(all, strlen(all), UINT32_MAX, &list, NULL), -EMSGSIZE);
}

// protocol.md 7.3, step by step. cipher OVPN_CIPHER_COUNT: refused.
static const struct {
	const char *ours;
	enum ovpn_cipher fallback;
	const char *peer_info;
	const char *options;
	enum ovpn_cipher cipher;
	bool push;
} server_table[] = {
	// Our order decides.
	{ "AES-256-GCM:AES-128-GCM", 0, "IV_CIPHERS=AES-128-GCM:AES-256-GCM\n", NULL,
		OVPN_CIPHER_AES_256_GCM, true },
	// IV_CIPHERS counts before IV_NCP, and makes the options string irrelevant.
	{ "AES-256-GCM:AES-128-GCM", 0, "IV_NCP=2\nIV_CIPHERS=AES-128-GCM\n", NULL,
		OVPN_CIPHER_AES_128_GCM, true },
	{ "BF-CBC", OVPN_CIPHER_BF_CBC, "IV_CIPHERS=AES-128-GCM\n", "V4,cipher BF-CBC",
		OVPN_CIPHER_COUNT, true },
	// IV_NCP=2 alone: the two AES-GCM, or what the options string says.
	{ "CHACHA20-POLY1305:AES-128-GCM", 0, "IV_NCP=2\n", NULL, OVPN_CIPHER_AES_128_GCM, true },
	{ "AES-256-CBC:AES-128-GCM", 0, "IV_NCP=2\n", "V4,cipher AES-256-CBC",
		OVPN_CIPHER_AES_256_CBC, true },
	{ "CHACHA20-POLY1305", OVPN_CIPHER_CHACHA20_POLY1305, "IV_NCP=2\n", NULL, OVPN_CIPHER_COUNT,
		true },
	// No negotiation: the client's own cipher if it is in our list, and nothing is pushed.
	{ "AES-256-GCM:AES-256-CBC", 0, "IV_PROTO=2\n", "V4,cipher AES-256-CBC,auth SHA1",
		OVPN_CIPHER_AES_256_CBC, false },
	{ "AES-256-GCM", OVPN_CIPHER_AES_256_GCM, NULL, "V4,cipher BF-CBC", OVPN_CIPHER_COUNT,
		false },
	{ "AES-256-GCM", OVPN_CIPHER_AES_256_GCM, NULL, "V4,cipher CAMELLIA-128-CBC",
		OVPN_CIPHER_COUNT, false },
	// It says nothing at all: the fallback, if there is one.
	{ "AES-256-GCM", OVPN_CIPHER_AES_256_CBC, NULL, "V4,auth SHA1", OVPN_CIPHER_AES_256_CBC,
		false },
	{ "AES-256-GCM", 0, NULL, NULL, OVPN_CIPHER_COUNT, false },
	// It names just the fallback.
	{ "AES-256-GCM", OVPN_CIPHER_BF_CBC, NULL, "V4,cipher BF-CBC", OVPN_CIPHER_BF_CBC, false },
	{ "AES-256-GCM", OVPN_CIPHER_BF_CBC, "IV_NCP=2\nIV_CIPHERS=BF-CBC\n", "V4,cipher BF-CBC",
		OVPN_CIPHER_COUNT, false },
	// No cipher at all, where both say so.
	{ "AES-256-GCM:none", 0, "IV_CIPHERS=none\n", NULL, OVPN_CIPHER_NONE, true },
	{ "none", 0, NULL, "V4,cipher [null-cipher]", OVPN_CIPHER_NONE, false },
	// Names are compared exactly.
	{ "AES-256-GCM", 0, "IV_CIPHERS=aes-256-gcm:AES-256-GCMX\n", NULL, OVPN_CIPHER_COUNT,
		true },
};

GTC_TEST(ncp, server)
{
	for (size_t i = 0; i < sizeof(server_table) / sizeof(server_table[0]); i++) {
		const char *info = server_table[i].peer_info;
		const char *options = server_table[i].options;
		struct ovpn_ncp_list ours = list_of(server_table[i].ours);
		struct ovpn_ncp_server in = {
			.ours = &ours,
			.has_fallback = server_table[i].fallback != 0,
			.fallback = server_table[i].fallback,
			.peer_info = info,
			.peer_info_len = info != NULL ? strlen(info) : 0,
			.options = options,
			.options_len = options != NULL ? strlen(options) : 0,
		};
		enum ovpn_cipher cipher = OVPN_CIPHER_COUNT;
		bool push = false;
		int rc = ovpn_ncp_select_server(&in, &cipher, &push);
		bool refused = server_table[i].cipher == OVPN_CIPHER_COUNT;

		GTC_EXPECT_INT(rc, refused ? -ENOKEY : 0);
		if (cipher != server_table[i].cipher)
			GTC_FAIL("row %zu: cipher %d, expected %d", i, (int)cipher,
				(int)server_table[i].cipher);
		if (!refused)
			GTC_EXPECT_INT(push, server_table[i].push);
	}
}

GTC_TEST(ncp, client)
{
	struct ovpn_ncp_list ours = list_of("AES-256-GCM:AES-128-GCM");
	struct ovpn_ncp_client in = { .ours = &ours };
	enum ovpn_cipher cipher = OVPN_CIPHER_COUNT;

	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), -ENOKEY);
	in.pushed = "AES-128-GCM";
	in.pushed_len = 11;
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), 0);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_AES_128_GCM);
	in.pushed = "AES-256-CBC";
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), -ENOKEY);
	in.has_fallback = true;
	in.fallback = OVPN_CIPHER_AES_256_CBC;
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), 0);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_AES_256_CBC);
	in.pushed = "none";
	in.pushed_len = 4;
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), -ENOKEY);
	in.has_fallback = false;
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), -ENOKEY);
	in.pushed = NULL;
	in.options = "V4,cipher AES-256-GCM";
	in.options_len = 21;
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), 0);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_AES_256_GCM);
	in.options = "V4,cipher BF-CBC,,,,,";
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), -ENOKEY);
	in.has_fallback = true;
	in.fallback = OVPN_CIPHER_BF_CBC;
	GTC_EXPECT_INT(ovpn_ncp_select_client(&in, &cipher), 0);
	GTC_EXPECT_INT(cipher, OVPN_CIPHER_BF_CBC);
}
