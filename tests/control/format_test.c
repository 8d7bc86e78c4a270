// SPDX-License-Identifier: BSD-3-Clause
// Which data format each generation of clients gets.
#include "control/format.h"

#include <stdio.h>
#include <string.h>

#include "config/server.h"
#include "control/push_build.h"
#include "protocol/key_method2.h"
#include "tests/config/parse.h"
#include "tests/gtc.h"

#define HEAD "server 10.8.0.0 255.255.255.0\nca a\ncert b\nkey c\n"
#define V2 (CTL_PUSH_PEER_ID | CTL_PUSH_TLS_EKM | CTL_PUSH_CC_EXIT)
#define STUBS "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n"
#define OCC "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,"

static const struct {
	const char *what;
	const char *config; // behind HEAD
	const char *info; // NULL: no peer-info
	const char *options;
	const char *why; // part of the refusal; NULL: served
	unsigned agreed; // before
	unsigned after; // of the bits EPOCH, MOBILITY, LAZY
	struct ctl_format want;
} table[] = {
	{ "2.6 with its defaults", "", "IV_NCP=2\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\n" STUBS,
		OCC "auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_GCM, .push_cipher = true } },
	{ "2.7: epoch stays", "", "IV_NCP=2\nIV_CIPHERS=AES-256-GCM\n",
		OCC "auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2 | CTL_PUSH_EPOCH,
		CTL_PUSH_EPOCH, { .cipher = OVPN_CIPHER_AES_256_GCM, .push_cipher = true } },
	{ "2.7 with CBC: no epoch", "data-ciphers AES-256-CBC\n",
		"IV_NCP=2\nIV_CIPHERS=AES-256-CBC\n",
		OCC "auth SHA512,keysize 128,key-method 2,tls-client", NULL, V2 | CTL_PUSH_EPOCH, 0,
		{ .cipher = OVPN_CIPHER_AES_256_CBC,
			.digest = OVPN_DIGEST_SHA512,
			.push_cipher = true } },
	{ "2.4 without IV_CIPHERS", "", "IV_NCP=2\n",
		OCC "cipher BF-CBC,auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_GCM, .push_cipher = true } },
	{ "2.3, not negotiating, in data-ciphers", "data-ciphers AES-256-GCM:BF-CBC\n", NULL,
		OCC "cipher BF-CBC,auth SHA1,keysize 128,key-method 2,tls-client", NULL, 0, 0,
		{ .cipher = OVPN_CIPHER_BF_CBC, .digest = OVPN_DIGEST_SHA1 } },
	{ "2.3 with the fallback", "compat-mode 2.3\n", "IV_PROTO=2\n",
		OCC "cipher BF-CBC,auth SHA1,keysize 128,key-method 2,tls-client", NULL,
		CTL_PUSH_PEER_ID, 0, { .cipher = OVPN_CIPHER_BF_CBC, .digest = OVPN_DIGEST_SHA1 } },
	{ "2.3 that nobody asked for", "", NULL,
		OCC "cipher BF-CBC,auth SHA1,keysize 128,key-method 2,tls-client",
		"no shared cipher", 0, 0, { 0 } },
	{ "its own keysize", "data-ciphers BF-CBC\n", NULL,
		OCC "cipher BF-CBC,auth SHA1,keysize 256,key-method 2,tls-client", "keysize", 0, 0,
		{ 0 } },
	{ "2.3 built small, without options string",
		"data-ciphers-fallback AES-128-CBC\n"
		"auth SHA256\n",
		NULL, "V0 UNDEF", NULL, 0, 0,
		{ .cipher = OVPN_CIPHER_AES_128_CBC, .digest = OVPN_DIGEST_SHA256 } },
	{ "openvpn3 with CBC", "data-ciphers AES-256-CBC\n",
		"IV_NCP=2\nIV_CIPHERS=AES-128-CBC:AES-256-CBC:AES-256-GCM\n" STUBS,
		OCC "cipher BF-CBC,auth SHA256,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_CBC,
			.digest = OVPN_DIGEST_SHA256,
			.push_cipher = true } },
	{ "comp-lzo, stub-v2 known", "", "IV_CIPHERS=AES-256-GCM\n" STUBS,
		OCC "comp-lzo,auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_GCM,
			.compress = OVPN_COMPRESS_V2,
			.push_cipher = true,
			.push_compress = true } },
	{ "comp-lzo, only lzo known", "", "IV_CIPHERS=AES-256-GCM\nIV_LZO=1\n",
		OCC "comp-lzo,auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_GCM,
			.compress = OVPN_COMPRESS_BYTE,
			.push_cipher = true,
			.push_compress = true } },
	{ "comp-lzo of 2.3", "data-ciphers AES-256-CBC\n", NULL,
		OCC "comp-lzo,cipher AES-256-CBC,auth SHA1,keysize 256,key-method 2,tls-client",
		NULL, 0, 0,
		{ .cipher = OVPN_CIPHER_AES_256_CBC,
			.digest = OVPN_DIGEST_SHA1,
			.compress = OVPN_COMPRESS_BYTE,
			.push_compress = true } },
	{ "can't do without compression", "", "IV_CIPHERS=AES-256-GCM\nIV_LZ4=1\n",
		OCC "comp-lzo,auth SHA1,keysize 128,key-method 2,tls-client",
		"compression isn't offered", V2, 0, { 0 } },
	{ "the server's framing for who says nothing", "comp-lzo\ndata-ciphers-fallback BF-CBC\n",
		NULL, "V0 UNDEF", NULL, 0, 0,
		{ .cipher = OVPN_CIPHER_BF_CBC,
			.digest = OVPN_DIGEST_SHA1,
			.compress = OVPN_COMPRESS_BYTE } },
	{ "fragment", "fragment 1200 mtu\n", "IV_CIPHERS=AES-256-GCM\n",
		OCC "mtu-dynamic,auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_GCM, .fragment = 1172, .push_cipher = true } },
	{ "fragment, not here", "fragment 1200\n", "IV_CIPHERS=AES-256-GCM\n",
		OCC "auth SHA1,keysize 128,key-method 2,tls-client", NULL, V2, 0,
		{ .cipher = OVPN_CIPHER_AES_256_GCM, .push_cipher = true } },
	{ "auth none isn't what we asked for", "data-ciphers AES-256-CBC\n", NULL,
		"V4,dev-type tun,link-mtu 1537,tun-mtu 1500,proto UDPv4,cipher AES-256-CBC,"
		"auth [null-digest],keysize 256,key-method 2,tls-client",
		"auth none", 0, 0, { 0 } },
	{ "auth none, asked for: no moves", "data-ciphers AES-256-CBC\nauth none\n", NULL,
		"V4,dev-type tun,link-mtu 1537,tun-mtu 1500,proto UDPv4,cipher AES-256-CBC,"
		"auth [null-digest],keysize 256,key-method 2,tls-client",
		NULL, CTL_PUSH_MOBILITY, 0, { .cipher = OVPN_CIPHER_AES_256_CBC } },
	{ "neither", "data-ciphers none\nauth none\n", "IV_CIPHERS=none\n", "V0 UNDEF",
		"neither cipher nor digest", V2, 0, { 0 } },
	{ "tap", "", "IV_CIPHERS=AES-256-GCM\n", "V4,dev-type tap,link-mtu 1573", "dev tap", V2, 0,
		{ 0 } },
	{ "no-replay", "data-ciphers AES-128-CBC\n", NULL,
		OCC "cipher AES-128-CBC,auth SHA1,keysize 128,no-replay,tls-client", "no-replay", 0,
		0, { 0 } },
	{ "lazy with CBC", "data-ciphers AES-128-CBC\nmobility lazy\n", NULL,
		OCC "cipher AES-128-CBC,auth SHA1,keysize 128,tls-client", NULL, CTL_PUSH_MOBILITY,
		CTL_PUSH_MOBILITY | CTL_PUSH_LAZY,
		{ .cipher = OVPN_CIPHER_AES_128_CBC, .digest = OVPN_DIGEST_SHA1 } },
	{ "lazy with AEAD and no peer-id", "mobility lazy\n", "IV_CIPHERS=AES-256-GCM\n",
		OCC "auth SHA1,keysize 128,tls-client", NULL, CTL_PUSH_MOBILITY, CTL_PUSH_MOBILITY,
		{ .cipher = OVPN_CIPHER_AES_256_GCM, .push_cipher = true } },
	{ "lazy with a peer-id", "mobility lazy\n", "IV_CIPHERS=AES-256-GCM\n",
		OCC "auth SHA1,keysize 128,tls-client", NULL, V2 | CTL_PUSH_MOBILITY,
		CTL_PUSH_MOBILITY | CTL_PUSH_LAZY,
		{ .cipher = OVPN_CIPHER_AES_256_GCM, .push_cipher = true } },
};

static void check_row(size_t i, const struct cfg_server *cfg)
{
	struct ovpn_ncp_list ciphers;
	struct ovpn_km2 km = { 0 };
	struct ctl_format f = { 0 };
	unsigned agreed = table[i].agreed;
	const char *why;

	GTC_ASSERT_INT(ovpn_ncp_parse(cfg->tls.data_ciphers, strlen(cfg->tls.data_ciphers),
			       UINT32_MAX, &ciphers, NULL),
		0);
	km.options.data = (const uint8_t *)table[i].options;
	km.options.len = strlen(table[i].options);
	if (table[i].info != NULL) {
		km.peer_info.data = (const uint8_t *)table[i].info;
		km.peer_info.len = strlen(table[i].info);
	}
	why = ctl_format_decide(cfg, &ciphers, &km, false, &agreed, &f);
	if ((why == NULL) != (table[i].why == NULL) ||
		(why != NULL && strstr(why, table[i].why) == NULL))
		GTC_FAIL("%s: says %s", table[i].what, why != NULL ? why : "nothing");
	if (table[i].why != NULL)
		return;
	if (f.cipher != table[i].want.cipher || f.digest != table[i].want.digest ||
		f.compress != table[i].want.compress || f.fragment != table[i].want.fragment ||
		f.push_cipher != table[i].want.push_cipher ||
		f.push_compress != table[i].want.push_compress)
		GTC_FAIL("%s: cipher %u digest %u compress %u fragment %u push %d %d",
			table[i].what, f.cipher, f.digest, f.compress, f.fragment, f.push_cipher,
			f.push_compress);
	if ((agreed & (CTL_PUSH_EPOCH | CTL_PUSH_MOBILITY | CTL_PUSH_LAZY)) != table[i].after)
		GTC_FAIL("%s: agreed %x", table[i].what, agreed);
}

GTC_TEST(ctl_format, generations)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[1024];
		struct cfg_server *cfg = NULL;
		struct cfg_error err = { .text = "" };

		snprintf(text, sizeof(text), HEAD "%s", table[i].config);
		GTC_EXPECT_INT(PARSE_TEXT(cfg_server_parse, text, NULL, &cfg, &err), 0);
		GTC_EXPECT_STR(err.text, "");
		if (cfg != NULL)
			check_row(i, cfg);
		cfg_server_free(cfg);
	}
}

GTC_TEST(ctl_format, reneg_bytes)
{
	struct cfg_server cfg = { 0 };

	GTC_EXPECT_INT(ctl_format_reneg_bytes(&cfg, OVPN_CIPHER_AES_256_CBC), 0);
	GTC_EXPECT_INT(ctl_format_reneg_bytes(&cfg, OVPN_CIPHER_BF_CBC), 64 << 20);
	cfg.tls.reneg_bytes = 1000;
	GTC_EXPECT_INT(ctl_format_reneg_bytes(&cfg, OVPN_CIPHER_BF_CBC), 1000);
}
