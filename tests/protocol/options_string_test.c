// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/options_string.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

// The strings of protocol.md 6.1 and the captures, with what they come from.
static const struct {
	struct ovpn_options options;
	const char *text;
} table[] = {
	{ { .cipher = OVPN_CIPHER_BF_CBC, .digest = OVPN_DIGEST_SHA1, .key_direction = -1 },
		"V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,keysize 128,"
		"key-method 2,tls-client" },
	{ { .cipher = OVPN_CIPHER_BF_CBC,
		  .digest = OVPN_DIGEST_SHA1,
		  .key_direction = 0,
		  .tls_auth = true,
		  .server = true },
		"V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,keydir 0,auth SHA1,"
		"keysize 128,tls-auth,key-method 2,tls-server" },
	{ { .cipher = OVPN_CIPHER_BF_CBC,
		  .digest = OVPN_DIGEST_SHA1,
		  .key_direction = -1,
		  .show_cipher = true,
		  .server = true },
		"V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,cipher BF-CBC,auth SHA1,"
		"keysize 128,key-method 2,tls-server" },
	{ { .cipher = OVPN_CIPHER_AES_256_CBC,
		  .digest = OVPN_DIGEST_SHA256,
		  .key_direction = -1,
		  .show_cipher = true },
		"V4,dev-type tun,link-mtu 1569,tun-mtu 1500,proto UDPv4,cipher AES-256-CBC,"
		"auth SHA256,keysize 256,key-method 2,tls-client" },
	{ { .cipher = OVPN_CIPHER_AES_256_CBC,
		  .digest = OVPN_DIGEST_SHA256,
		  .key_direction = -1,
		  .show_cipher = true,
		  .comp = true },
		"V4,dev-type tun,link-mtu 1570,tun-mtu 1500,proto UDPv4,comp-lzo,"
		"cipher AES-256-CBC,auth SHA256,keysize 256,key-method 2,tls-client" },
	{ { .cipher = OVPN_CIPHER_BF_CBC,
		  .digest = OVPN_DIGEST_SHA1,
		  .key_direction = -1,
		  .comp = true,
		  .comp_no_byte = true,
		  .server = true },
		"V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,comp-lzo,auth SHA1,"
		"keysize 128,key-method 2,tls-server" },
	{ { .cipher = OVPN_CIPHER_AES_256_GCM,
		  .digest = OVPN_DIGEST_SHA1,
		  .key_direction = -1,
		  .show_cipher = true },
		"V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,cipher AES-256-GCM,"
		"auth [null-digest],keysize 256,key-method 2,tls-client" },
	{ { .cipher = OVPN_CIPHER_BF_CBC,
		  .digest = OVPN_DIGEST_SHA1,
		  .key_direction = -1,
		  .fragment = true },
		"V4,dev-type tun,link-mtu 1545,tun-mtu 1500,proto UDPv4,mtu-dynamic,auth SHA1,"
		"keysize 128,key-method 2,tls-client" },
	{ { .cipher = OVPN_CIPHER_BF_CBC,
		  .digest = OVPN_DIGEST_SHA1,
		  .key_direction = -1,
		  .tap = true },
		"V4,dev-type tap,link-mtu 1573,tun-mtu 1500,proto UDPv4,auth SHA1,keysize 128,"
		"key-method 2,tls-client" },
};

GTC_TEST(options_string, strings)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char buf[OVPN_OPTIONS_MAX];
		size_t len = 0;

		GTC_EXPECT_INT(ovpn_options_build(&table[i].options, buf, sizeof(buf), &len), 0);
		GTC_EXPECT_STR(buf, table[i].text);
		GTC_EXPECT_INT(len, strlen(buf));
		GTC_EXPECT_INT(ovpn_options_build(&table[i].options, buf, len, &len), -ENOBUFS);
		GTC_EXPECT(ovpn_options_comp(table[i].text, strlen(table[i].text)) ==
			table[i].options.comp);
	}
}

GTC_TEST(options_string, link_mtu)
{
	struct ovpn_options o = { .digest = OVPN_DIGEST_SHA1, .key_direction = -1 };

	o.cipher = OVPN_CIPHER_CHACHA20_POLY1305;
	GTC_EXPECT_INT(ovpn_options_link_mtu(&o), 1534);
	o.cipher = OVPN_CIPHER_AES_256_CFB;
	GTC_EXPECT_INT(ovpn_options_link_mtu(&o), 1561);
	o.cipher = OVPN_CIPHER_AES_256_GCM;
	o.tun_mtu = 1400;
	GTC_EXPECT_INT(ovpn_options_link_mtu(&o), 1449);
}

GTC_TEST(options_string, cipher)
{
	const char *name = NULL;
	size_t len = 0;

	GTC_EXPECT(!ovpn_options_cipher("", 0, &name, &len));
	GTC_EXPECT(!ovpn_options_cipher("V4,cipher ", 10, &name, &len));
	GTC_EXPECT(!ovpn_options_cipher("V4,xcipher A", 12, &name, &len));
	GTC_EXPECT(!ovpn_options_cipher("V4,auth SHA1", 12, &name, &len));
	GTC_ASSERT(ovpn_options_cipher("V4,,cipher AES-256-CBC,auth SHA1", 32, &name, &len));
	GTC_EXPECT_INT(len, 11);
	GTC_EXPECT_MEM(name, "AES-256-CBC", 11);
	GTC_ASSERT(ovpn_options_cipher("cipher [null-cipher]", 20, &name, &len));
	GTC_EXPECT_INT(len, 4);
	GTC_EXPECT_MEM(name, "none", 4);
	GTC_EXPECT(!ovpn_options_cipher("V4\0,cipher A", 12, &name, &len)); // ends at the NUL
	GTC_EXPECT(ovpn_options_comp("V4,comp-lzo", 11));
	GTC_EXPECT(!ovpn_options_comp("V4,comp-lzo2", 12));
}

GTC_TEST(options_string, mismatch)
{
	const char *theirs = table[3].text; // AES-256-CBC, SHA256, client
	const char *ours = table[1].text; // default, tls-auth, server
	const char *item = NULL;
	size_t pos = 0;
	size_t len = 0;

	GTC_ASSERT(ovpn_options_mismatch(theirs, strlen(theirs), ours, &pos, &item, &len));
	GTC_EXPECT_INT(len, 11);
	GTC_EXPECT_MEM(item, "auth SHA256", 11);
	GTC_ASSERT(ovpn_options_mismatch(theirs, strlen(theirs), ours, &pos, &item, &len));
	GTC_EXPECT_MEM(item, "keysize 256", 11);
	GTC_EXPECT(!ovpn_options_mismatch(theirs, strlen(theirs), ours, &pos, &item, &len));
	pos = 0;
	GTC_EXPECT(!ovpn_options_mismatch(
		table[0].text, strlen(table[0].text), ours, &pos, &item, &len));
}

// What a server learns, from strings that were seen on the wire (protocol.md 6.1).
GTC_TEST(options, learn)
{
	static const char old[] =
		"V4,dev-type tun,link-mtu 1570,tun-mtu 1500,proto UDPv4,comp-lzo,"
		"cipher AES-256-CBC,auth SHA256,keysize 256,key-method 2,tls-client";
	static const char gcm[] = "V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,"
				  "cipher AES-256-GCM,auth [null-digest],keysize 256,key-method 2,"
				  "tls-client";
	static const char chacha[] = "V4,dev-type tun,link-mtu 1534,tun-mtu 1500,proto UDPv4,"
				     "auth [null-digest],keysize 256,key-method 2,tls-client";
	static const char bare[] = "V4,dev-type tap,link-mtu 1521,tun-mtu 1500,proto UDPv4,"
				   "mtu-dynamic,auth [null-digest],keysize 128,no-replay,"
				   "key-method 2,tls-client";
	struct ovpn_options_facts f;

	ovpn_options_learn(old, strlen(old), &f);
	GTC_EXPECT(f.usable && f.comp && !f.fragment && !f.tap && !f.no_replay);
	GTC_EXPECT(f.has_cipher && f.has_digest);
	GTC_EXPECT_INT(f.cipher, OVPN_CIPHER_AES_256_CBC);
	GTC_EXPECT_INT(f.digest, OVPN_DIGEST_SHA256);
	GTC_EXPECT_INT(f.key_bits, 256);
	// The digest of a client whose nominal cipher is AEAD isn't said.
	ovpn_options_learn(gcm, strlen(gcm), &f);
	GTC_EXPECT(f.usable && !f.has_digest);
	ovpn_options_learn(chacha, strlen(chacha), &f);
	GTC_EXPECT(f.usable && !f.has_digest && !f.has_cipher);
	ovpn_options_learn(bare, strlen(bare), &f);
	GTC_EXPECT(f.tap && f.fragment && f.no_replay && f.has_digest);
	GTC_EXPECT_INT(f.digest, OVPN_DIGEST_NONE);
	ovpn_options_learn("V0 UNDEF", 8, &f);
	GTC_EXPECT(!f.usable && !f.has_cipher);
}

GTC_TEST(options, answer)
{
	static const char theirs[] =
		"V4,dev-type tun,link-mtu 1570,tun-mtu 1400,proto UDPv4,comp-lzo,mtu-dynamic,"
		"keydir 1,cipher BF-CBC,auth SHA1,keysize 128,tls-auth,key-method 2,tls-client,"
		"up /bin/sh";
	char buf[OVPN_OPTIONS_MAX];
	size_t len;

	GTC_ASSERT_INT(ovpn_options_answer(theirs, strlen(theirs), 0, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf,
		"V4,dev-type tun,link-mtu 1570,tun-mtu 1400,proto UDPv4,comp-lzo,mtu-dynamic,"
		"keydir 0,cipher BF-CBC,auth SHA1,keysize 128,tls-auth,key-method 2,tls-server");
	GTC_EXPECT_INT(len, strlen(buf));
	GTC_ASSERT_INT(
		ovpn_options_answer(theirs, strlen(theirs), 1500, buf, sizeof(buf), &len), 0);
	GTC_EXPECT(strstr(buf, ",tun-mtu 1500,") != NULL);
	GTC_EXPECT_INT(ovpn_options_answer("V0 UNDEF", 8, 0, buf, sizeof(buf), &len), -EINVAL);
	GTC_EXPECT_INT(ovpn_options_answer(theirs, strlen(theirs), 0, buf, 40, &len), -ENOBUFS);
}
