// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/peer_info.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

#define STOCK_CIPHERS "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305"

static const char stock[] = "IV_VER=2.6.14\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\nIV_NCP=2\n"
			    "IV_CIPHERS=" STOCK_CIPHERS "\nIV_PROTO=990\n"
			    "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n";

GTC_TEST(peer_info, stock_client)
{
	struct ovpn_peer_caps caps;

	ovpn_peer_info_caps(stock, strlen(stock), &caps);
	GTC_EXPECT_INT(caps.iv_proto,
		OVPN_IV_PROTO_DATA_V2 | OVPN_IV_PROTO_REQUEST_PUSH | OVPN_IV_PROTO_TLS_EKM |
			OVPN_IV_PROTO_AUTH_PENDING_KW | OVPN_IV_PROTO_DNS | OVPN_IV_PROTO_CC_EXIT |
			OVPN_IV_PROTO_AUTH_FAIL_TEMP | OVPN_IV_PROTO_DYN_TLS_CRYPT);
	GTC_EXPECT_INT(caps.ncp, 2);
	GTC_EXPECT_INT(caps.mtu, 1600);
	GTC_EXPECT_INT(caps.mobility, 0);
	GTC_EXPECT(caps.lzo_stub && caps.comp_stub_v2);
	GTC_EXPECT_INT(caps.ciphers_len, strlen(STOCK_CIPHERS));
	GTC_EXPECT_MEM(caps.ciphers, STOCK_CIPHERS, caps.ciphers_len);
}

GTC_TEST(peer_info, bad_lines_are_skipped)
{
	static const char info[] = "IV_A=1\n"
				   "no equals\n"
				   "=value\n"
				   "IV_=1\n"
				   "XX_A=1\n"
				   "IV_B-C=1\n"
				   "IV_ESC=\x1b[2J\n"
				   "\n"
				   "UV_EMPTY=\n"
				   "IV_EQ=a=b\r\n"
				   "IV_A=2\n"
				   "IV_LAST=9\0IV_HIDDEN=1\n";
	static const char *const want[] = { "UV_EMPTY", "IV_EQ", "IV_A", "IV_LAST" };
	struct ovpn_peer_var var;
	size_t pos = 0;

	GTC_ASSERT(ovpn_peer_info_next(info, sizeof(info), &pos, &var));
	for (unsigned i = 0; i < 4; i++) {
		GTC_ASSERT(ovpn_peer_info_next(info, sizeof(info), &pos, &var));
		GTC_EXPECT_INT(var.name_len, strlen(want[i]));
		GTC_EXPECT_MEM(var.name, want[i], var.name_len);
	}
	GTC_EXPECT(!ovpn_peer_info_next(info, sizeof(info), &pos, &var));
	GTC_EXPECT(ovpn_peer_info_find(info, sizeof(info), "IV_EQ", &var));
	GTC_EXPECT_INT(var.value_len, 3);
	GTC_EXPECT_MEM(var.value, "a=b", 3);
	GTC_EXPECT(!ovpn_peer_info_find(info, sizeof(info), "IV_HIDDEN", &var));
	GTC_EXPECT(!ovpn_peer_info_find(info, sizeof(info), "IV_", &var));
}

// The first of a name counts, also when it is no number or too large a one.
GTC_TEST(peer_info, repeated)
{
	static const char info[] = "IV_PROTO=2\nIV_PROTO=990\nIV_MTU=4294967296\nIV_MTU=1500\n"
				   "IV_NCP=x\nIV_NCP=2\nIV_COMP_STUB=2\nIV_COMP_STUB=1\n"
				   "IV_CIPHERS=none\nIV_CIPHERS=AES-256-GCM\n";
	struct ovpn_peer_caps caps;

	ovpn_peer_info_caps(info, strlen(info), &caps);
	GTC_EXPECT_INT(caps.iv_proto, 2);
	GTC_EXPECT_INT(caps.mtu, 0);
	GTC_EXPECT_INT(caps.ncp, 0);
	GTC_EXPECT(!caps.comp_stub && !caps.comp_stub_v2 && !caps.lzo);
	GTC_ASSERT(caps.ciphers_len == 4);
	GTC_EXPECT_MEM(caps.ciphers, "none", 4);
}

GTC_TEST(peer_info, longest_line)
{
	char info[300];
	struct ovpn_peer_var var;
	size_t pos = 0;

	memset(info, 'x', sizeof(info));
	memcpy(info, "IV_LONG=", 8);
	GTC_EXPECT(ovpn_peer_info_next(info, OVPN_PEER_INFO_LINE_MAX, &pos, &var));
	pos = 0;
	GTC_EXPECT(!ovpn_peer_info_next(info, OVPN_PEER_INFO_LINE_MAX + 1, &pos, &var));
	GTC_EXPECT_INT(pos, OVPN_PEER_INFO_LINE_MAX + 1);
}

GTC_TEST(peer_info, mobility_and_nonsense)
{
	static const char mobile[] = "IV_MOBILITY=1\nIV_PROTO=99999999999\nIV_NCP=-2\n";
	struct ovpn_peer_caps caps;

	ovpn_peer_info_caps(mobile, strlen(mobile), &caps);
	GTC_EXPECT_INT(caps.mobility, 1);
	GTC_EXPECT_INT(caps.iv_proto, 0);
	GTC_EXPECT_INT(caps.ncp, 0);
	GTC_EXPECT(caps.ciphers == NULL);
	ovpn_peer_info_caps("", 0, &caps);
	GTC_EXPECT_INT(caps.mobility, 0);
	ovpn_peer_info_caps("IV_MOBILITY=0\n", 14, &caps);
	GTC_EXPECT_INT(caps.mobility, 0);
}

// Take the captured text apart and put it together again.
GTC_TEST(peer_info, vectors)
{
	unsigned seen = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		const json_t *message;
		size_t i;

		json_array_foreach(json_object_get(v->json, "control_messages"), i, message)
		{
			const char *info = vec_str(message, "peer_info_text");
			struct ovpn_peer_var var;
			struct ovpn_text t;
			char again[1024];
			size_t pos = 0;

			ovpn_text_init(&t, again, sizeof(again));
			while (ovpn_peer_info_next(info, strlen(info), &pos, &var)) {
				char var_name[256] = { 0 };
				char value[256] = { 0 };

				memcpy(var_name, var.name, var.name_len);
				memcpy(value, var.value, var.value_len);
				ovpn_peer_info_add(&t, var_name, value);
				seen++;
			}
			GTC_EXPECT_INT(ovpn_text_done(&t, NULL), 0);
			GTC_EXPECT_STR(again, info);
		}
		vec_free(v);
	}
	GTC_EXPECT(seen > 200);
}

GTC_TEST(peer_info, build_refuses)
{
	char value[OVPN_PEER_INFO_LINE_MAX + 1];
	struct ovpn_text t;
	char buf[1024];

	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	ovpn_text_init(&t, buf, sizeof(buf));
	ovpn_peer_info_add_u64(&t, "IV_PROTO", 990);
	GTC_EXPECT_STR(buf, "IV_PROTO=990\n");
	ovpn_peer_info_add(&t, "BAD", "1");
	GTC_EXPECT_INT(ovpn_text_done(&t, NULL), -ENOBUFS);
	ovpn_text_init(&t, buf, sizeof(buf));
	ovpn_peer_info_add(&t, "IV_A", "1\nIV_B=2");
	GTC_EXPECT_INT(ovpn_text_done(&t, NULL), -ENOBUFS);
	ovpn_text_init(&t, buf, sizeof(buf));
	ovpn_peer_info_add(&t, "IV_A", value);
	GTC_EXPECT_INT(ovpn_text_done(&t, NULL), -ENOBUFS);
}
