// SPDX-License-Identifier: BSD-3-Clause
#include "control/push_build.h"

#include <errno.h>
#include <stdio.h>

#include "config/ccd.h"
#include "config/server.h"
#include "protocol/peer_info.h"
#include "tests/gtc.h"

#define BASE "server 10.8.0.0 255.255.255.0\nca a\ncert b\nkey c\n"

static struct cfg_server *server(const char *more)
{
	struct cfg_server *cfg = NULL;
	struct cfg_lines lines;
	struct cfg_error err = { .text = "" };
	char text[8192];

	snprintf(text, sizeof(text), "%s%s", BASE, more);
	GTC_EXPECT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_text(&lines, "f", 1, text, strlen(text), &err), 0);
	GTC_EXPECT_INT(cfg_server_parse(&lines, CFG_LOAD_NO_FILES, NULL, &cfg, &err), 0);
	GTC_EXPECT_STR(err.text, "");
	cfg_lines_done(&lines);
	return cfg;
}

static struct cfg_ccd *ccd(const char *text)
{
	struct cfg_ccd *c = NULL;
	struct cfg_lines lines;
	struct cfg_error err;

	GTC_EXPECT_INT(cfg_lines_init(&lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_text(&lines, "f", 1, text, strlen(text), &err), 0);
	GTC_EXPECT_INT(cfg_ccd_parse(&lines, NULL, &c, &err), 0);
	cfg_lines_done(&lines);
	return c;
}

// All options with commas between them.
static const char *joined(const struct ctl_push_input *in)
{
	static char out[8192];
	struct ctl_push *push = NULL;
	const char *o;
	int rc = ctl_push_create(in, &push);

	out[0] = '\0';
	if (rc < 0)
		return strerrorname_np(-rc);
	for (size_t i = 0; (o = ctl_push_option(push, i)) != NULL; i++) {
		strcat(out, i > 0 ? "," : "");
		strcat(out, o);
	}
	ctl_push_free(push);
	return out;
}

#define IV_26 (2 + 4 + 8 + 16 + 64 + 128 + 256 + 512) // a client of 2.6

static unsigned agree(
	const struct cfg_server *cfg, uint32_t iv_proto, uint32_t mtu, uint32_t mobility)
{
	struct ovpn_peer_caps caps = { .iv_proto = iv_proto, .mtu = mtu, .mobility = mobility };

	return ctl_push_agree(cfg, &caps, ~0u & ~(unsigned)CTL_PUSH_EPOCH);
}

static struct ctl_push_input input(const struct cfg_server *cfg, unsigned agreed)
{
	struct ctl_push_input in = { .cfg = cfg, .agreed = agreed, .cipher = "AES-256-GCM" };

	GTC_EXPECT_INT(cfg_prefix_parse("10.8.0.2/24", &in.address), 0);
	return in;
}

// The example of protocol.md 8.4, byte for byte.
GTC_TEST(ctl_push, as_a_stock_server)
{
	struct cfg_server *cfg = server("keepalive 3 30\n");
	struct ctl_push_input in = input(cfg, agree(cfg, IV_26, 1600, 0));
	struct ovpn_push_build b;
	struct ctl_push *push = NULL;
	char buf[OVPN_PUSH_PART_MAX];
	size_t len;

	GTC_ASSERT_INT(ctl_push_create(&in, &push), 0);
	for (int again = 0; again < 2; again++) {
		ctl_push_start(push, &b);
		GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), 1);
		GTC_EXPECT_STR(buf,
			"PUSH_REPLY,route-gateway 10.8.0.1,topology subnet,ping 3,ping-restart 30,"
			"ifconfig 10.8.0.2 255.255.255.0,peer-id 0,cipher AES-256-GCM,"
			"protocol-flags cc-exit tls-ekm dyn-tls-crypt,tun-mtu 1500");
		GTC_EXPECT_INT(len, strlen(buf) + 1);
		GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), 0);
	}
	GTC_EXPECT(ctl_push_free(push) == NULL);
	cfg_server_free(cfg);
}

GTC_TEST(ctl_push, only_what_was_announced)
{
	struct cfg_server *cfg = server("push \"route 10.0.0.0 255.0.0.0\"\n");
	struct ctl_push_input in = input(cfg, agree(cfg, 0, 0, 0));

	in.cipher = NULL; // no peer-info at all
	GTC_EXPECT_STR(joined(&in),
		"route 10.0.0.0 255.0.0.0,route-gateway 10.8.0.1,"
		"topology subnet,ifconfig 10.8.0.2 255.255.255.0");
	in = input(cfg, agree(cfg, 2, 0, 0)); // 2.4
	in.peer_id = 77;
	GTC_EXPECT_STR(joined(&in),
		"route 10.0.0.0 255.0.0.0,route-gateway 10.8.0.1,"
		"topology subnet,ifconfig 10.8.0.2 255.255.255.0,peer-id 77,"
		"cipher AES-256-GCM");
	in = input(cfg, agree(cfg, 2 + 8 + 512, 0, 1)); // exporter, but no protocol-flags
	GTC_EXPECT_STR(joined(&in),
		"route 10.0.0.0 255.0.0.0,route-gateway 10.8.0.1,"
		"topology subnet,ifconfig 10.8.0.2 255.255.255.0,peer-id 0,"
		"cipher AES-256-GCM,key-derivation tls-ekm,mobility 1");
	cfg_server_free(cfg);
}

GTC_TEST(ctl_push, point_to_point)
{
	struct cfg_server *cfg = server("topology net30\npush \"route 10.0.0.0 255.0.0.0\"\n");
	struct ctl_push_input in = input(cfg, 0);

	GTC_EXPECT_INT(cfg_addr_parse("10.8.0.6", &in.address), 0);
	GTC_EXPECT_INT(cfg_addr_parse("10.8.0.5", &in.peer), 0);
	GTC_EXPECT_STR(joined(&in),
		"route 10.0.0.0 255.0.0.0,route 10.8.0.1,topology net30,"
		"ifconfig 10.8.0.6 10.8.0.5,cipher AES-256-GCM");
	cfg_server_free(cfg);
	cfg = server("topology p2p\n");
	in.cfg = cfg;
	GTC_EXPECT_INT(cfg_addr_parse("10.8.0.1", &in.peer), 0);
	GTC_EXPECT_STR(joined(&in), "topology p2p,ifconfig 10.8.0.6 10.8.0.1,cipher AES-256-GCM");
	cfg_server_free(cfg);
	cfg = server("topology p2p\nclient-to-client\n");
	in.cfg = cfg;
	GTC_EXPECT_STR(joined(&in),
		"route 10.8.0.0 255.255.255.0,topology p2p,ifconfig 10.8.0.6 10.8.0.1,"
		"cipher AES-256-GCM");
	cfg_server_free(cfg);
}

GTC_TEST(ctl_push, agreement)
{
	struct ovpn_peer_caps caps = { .iv_proto = 8094, .mtu = 1600, .mobility = 1 };
	struct cfg_server *cfg = server("");
	struct cfg_server *off = server("mobility off\n");
	struct cfg_server *lazy = server("mobility lazy\n");
	struct ctl_push_input in;

	GTC_EXPECT_INT(ctl_push_agree(cfg, &caps, ~0u),
		CTL_PUSH_PEER_ID | CTL_PUSH_CC_EXIT | CTL_PUSH_TLS_EKM | CTL_PUSH_DYN_TLS_CRYPT |
			CTL_PUSH_EPOCH | CTL_PUSH_MOBILITY | CTL_PUSH_TUN_MTU);
	GTC_EXPECT_INT(ctl_push_agree(off, &caps, CTL_PUSH_MOBILITY), 0);
	GTC_EXPECT_INT(
		ctl_push_agree(cfg, &caps, CTL_PUSH_EPOCH | CTL_PUSH_CC_EXIT), CTL_PUSH_CC_EXIT);
	GTC_EXPECT_INT(ctl_push_agree(cfg, &caps, CTL_PUSH_DYN_TLS_CRYPT), 0);
	// The epoch format: with all that it needs, and to those who said so.
	for (uint32_t bit = 2; bit <= OVPN_IV_PROTO_EPOCH; bit <<= 1) {
		const uint32_t needed = OVPN_IV_PROTO_DATA_V2 | OVPN_IV_PROTO_TLS_EKM |
			OVPN_IV_PROTO_CC_EXIT | OVPN_IV_PROTO_EPOCH;

		caps.iv_proto = 8094u & ~bit;
		GTC_EXPECT_INT((ctl_push_agree(cfg, &caps, ~0u) & CTL_PUSH_EPOCH) != 0,
			(needed & bit) == 0);
	}
	caps.iv_proto = 8094;
	caps.mobility = 0;
	GTC_EXPECT_INT(ctl_push_agree(lazy, &caps, CTL_PUSH_MOBILITY), 0);
	in = input(lazy, CTL_PUSH_MOBILITY | CTL_PUSH_LAZY);
	in.cipher = NULL;
	in.compress = "compress stub-v2";
	GTC_EXPECT_STR(joined(&in),
		"route-gateway 10.8.0.1,topology subnet,"
		"ifconfig 10.8.0.2 255.255.255.0,compress stub-v2,mobility 1 lazy");
	cfg_server_free(cfg);
	cfg_server_free(off);
	cfg_server_free(lazy);
}

GTC_TEST(ctl_push, per_client)
{
	struct cfg_server *cfg = server("keepalive 10 60\n"
					"push \"route 10.1.0.0 255.255.0.0\"\n"
					"push \"route 10.2.0.0 255.255.0.0\"\n"
					"push \"redirect-gateway def1\"\n");
	struct cfg_ccd *remove =
		ccd("push-remove \"route 10.2\"\npush \"dhcp-option DNS 1.1.1.1\"\n");
	struct cfg_ccd *reset = ccd("push-reset\npush \"ping 20\"\n");
	struct ctl_push_input in = input(cfg, 0);

	in.cipher = NULL;
	in.ccd = remove;
	GTC_EXPECT_STR(joined(&in),
		"route 10.1.0.0 255.255.0.0,redirect-gateway def1,route-gateway 10.8.0.1,"
		"topology subnet,ping 10,ping-restart 60,dhcp-option DNS 1.1.1.1,"
		"ifconfig 10.8.0.2 255.255.255.0");
	in.ccd = reset;
	GTC_EXPECT_STR(joined(&in),
		"route-gateway 10.8.0.1,topology subnet,ping-restart 60,ping 20,"
		"ifconfig 10.8.0.2 255.255.255.0");
	cfg_ccd_free(remove);
	cfg_ccd_free(reset);
	cfg_server_free(cfg);
}

// What the operator pushes himself isn't said twice.
GTC_TEST(ctl_push, operator_wins)
{
	struct cfg_server *cfg = server("push \"route-gateway 10.8.0.9\"\n");
	struct ctl_push_input in = input(cfg, 0);

	in.cipher = NULL;
	GTC_EXPECT_STR(joined(&in),
		"route-gateway 10.8.0.9,topology subnet,"
		"ifconfig 10.8.0.2 255.255.255.0");
	cfg_server_free(cfg);
}

GTC_TEST(ctl_push, in_parts)
{
	char text[8192] = "";
	struct cfg_server *cfg;
	struct ctl_push_input in;
	struct ovpn_push_build b;
	struct ctl_push *push = NULL;
	char buf[OVPN_PUSH_PART_MAX];
	unsigned parts = 0, routes = 0;
	size_t len;

	for (int i = 0; i < 60; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"push \"route 10.%d.0.0 255.255.0.0\"\n", i);
	cfg = server(text);
	in = input(cfg, agree(cfg, IV_26, 1600, 1));
	GTC_ASSERT_INT(ctl_push_create(&in, &push), 0);
	ctl_push_start(push, &b);
	while (ovpn_push_build_next(&b, buf, sizeof(buf), &len) == 1) {
		parts++;
		for (const char *p = buf; (p = strstr(p, ",route 10.")) != NULL; p++)
			routes++;
	}
	GTC_EXPECT_INT(parts, 2);
	GTC_EXPECT_INT(routes, 60);
	GTC_EXPECT(strstr(buf, ",push-continuation 1") != NULL);
	ctl_push_free(push);
	cfg_server_free(cfg);
}
