// SPDX-License-Identifier: BSD-3-Clause
// What a profile makes the client say.
#include "client/hello.h"

#include "protocol/peer_info.h"
#include "tests/client/profile.h"

static void expect_var(const char *info, size_t len, const char *name, const char *want)
{
	struct ovpn_peer_var var;

	if (!ovpn_peer_info_find(info, len, name, &var)) {
		GTC_EXPECT(want == NULL);
		return;
	}
	GTC_EXPECT(want != NULL && strlen(want) == var.value_len &&
		memcmp(want, var.value, var.value_len) == 0);
}

GTC_TEST(hello, options_of_stock_clients)
{
	struct cfg_client *cfg = profile("");
	char buf[512];
	size_t len;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(vc_hello_options(cfg, &cfg->remotes[0], buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf,
		"V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,"
		"keysize 128,key-method 2,tls-client");
	(void)cfg_client_free(cfg);
}

GTC_TEST(hello, options_with_cipher_and_digest)
{
	struct cfg_client *cfg = profile("cipher AES-256-GCM\n");
	char buf[512];
	size_t len;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(vc_hello_options(cfg, &cfg->remotes[0], buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf,
		"V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,"
		"cipher AES-256-GCM,auth [null-digest],keysize 256,key-method 2,"
		"tls-client");
	(void)cfg_client_free(cfg);
}

GTC_TEST(hello, peer_info)
{
	struct cfg_client *cfg = profile("");
	struct ovpn_peer_caps caps;
	char buf[VC_PEER_INFO_MAX];
	size_t len;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(vc_hello_peer_info(cfg, buf, sizeof(buf), &len), 0);
	ovpn_peer_info_caps(buf, len, &caps);
	GTC_EXPECT((caps.iv_proto & OVPN_IV_PROTO_DATA_V2) != 0);
	GTC_EXPECT((caps.iv_proto & OVPN_IV_PROTO_DYN_TLS_CRYPT) != 0);
	GTC_EXPECT((caps.iv_proto & OVPN_IV_PROTO_EPOCH) == 0);
	GTC_EXPECT_INT(caps.mobility, 1);
	GTC_EXPECT_INT(caps.ncp, 2);
	GTC_EXPECT_INT(caps.mtu, 1600);
	expect_var(buf, len, "IV_CIPHERS", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305");
	expect_var(buf, len, "IV_PLAT", "linux");
	(void)cfg_client_free(cfg);
}

GTC_TEST(hello, epoch_is_offered_when_asked_for)
{
	struct cfg_client *cfg = profile("data-format epoch\n");
	char buf[VC_PEER_INFO_MAX];
	struct ovpn_peer_caps caps;
	size_t len;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(vc_hello_peer_info(cfg, buf, sizeof(buf), &len), 0);
	ovpn_peer_info_caps(buf, len, &caps);
	GTC_EXPECT((caps.iv_proto & OVPN_IV_PROTO_EPOCH) != 0);
	GTC_EXPECT((caps.iv_proto & OVPN_IV_PROTO_TLS_EKM) != 0);
	(void)cfg_client_free(cfg);
}

GTC_TEST(hello, old_format_and_no_mobility)
{
	struct cfg_client *cfg = profile("data-format v1\nmobility off\n"
					 "data-ciphers CHACHA20-POLY1305\n");
	char buf[VC_PEER_INFO_MAX];
	size_t len;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(vc_hello_peer_info(cfg, buf, sizeof(buf), &len), 0);
	expect_var(buf, len, "IV_PROTO", NULL);
	expect_var(buf, len, "IV_MOBILITY", NULL);
	expect_var(buf, len, "IV_NCP", NULL);
	expect_var(buf, len, "IV_CIPHERS", "CHACHA20-POLY1305");
	(void)cfg_client_free(cfg);
}

GTC_TEST(hello, user_variables)
{
	struct cfg_client *cfg = profile("push-peer-info\nsetenv UV_ASSET 4711\n");
	char buf[VC_PEER_INFO_MAX];
	size_t len;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(vc_hello_peer_info(cfg, buf, sizeof(buf), &len), 0);
	expect_var(buf, len, "UV_ASSET", "4711");
	(void)cfg_client_free(cfg);
}
