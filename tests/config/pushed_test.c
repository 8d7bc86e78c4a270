// SPDX-License-Identifier: BSD-3-Clause
#include "config/pushed.h"

#include <errno.h>
#include <sys/socket.h>

#include "tests/config/parse.h"

static struct cfg_client *profile(const char *more)
{
	char text[512] = "client\nremote a\nca a\nroute 172.16.0.0 255.240.0.0\n";
	struct cfg_client *cfg = NULL;
	struct cfg_error err;

	strcat(text, more);
	GTC_EXPECT_INT(PARSE_TEXT(cfg_client_parse, text, NULL, &cfg, &err), 0);
	return cfg;
}

GTC_TEST(cfg_pushed, stock_reply)
{
	static const char *const options[] = { "route-gateway 10.8.0.1", "topology subnet",
		"ping 3", "ping-restart 30", "route 10.0.0.0 255.0.0.0", "redirect-gateway def1",
		"dhcp-option DNS 10.8.0.1", "ifconfig 10.8.0.2 255.255.255.0", "peer-id 0",
		"cipher AES-256-GCM", "protocol-flags cc-exit tls-ekm dyn-tls-crypt",
		"tun-mtu 1500", "mobility 1 lazy" };
	struct cfg_client *cfg = profile("");
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	struct cfg_pushed p;
	char buf[CFG_ADDR_TEXT];

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, options[i], &notes), 0);
	GTC_EXPECT_INT(notes.n, 0);
	GTC_EXPECT_INT(cfg_pushed_finish(&p, &err), 0);
	GTC_EXPECT_STR(cfg_addr_text(&p.tunnel.ifconfig, true, buf), "10.8.0.2/24");
	GTC_EXPECT_STR(cfg_addr_text(&p.tunnel.route_gateway, false, buf), "10.8.0.1");
	GTC_EXPECT_INT(p.tunnel.ping_s, 3);
	GTC_EXPECT_INT(p.tunnel.ping_restart_s, 30);
	GTC_EXPECT_INT(p.tunnel.n_routes, 2);
	GTC_EXPECT_INT(p.tunnel.n_dhcp, 1);
	GTC_EXPECT_INT(p.peer_id, 0);
	GTC_EXPECT_STR(p.cipher, "AES-256-GCM");
	GTC_EXPECT_INT(p.protocol_flags, CFG_PF_CC_EXIT | CFG_PF_TLS_EKM | CFG_PF_DYN_TLS_CRYPT);
	GTC_EXPECT(p.mobility && p.mobility_lazy);
	GTC_EXPECT_INT(p.n_applied, 13);
	GTC_EXPECT_INT(cfg->tunnel.n_routes, 1); // the profile itself stays as it was
	cfg_pushed_done(&p);
	cfg_client_free(cfg);
}

GTC_TEST(cfg_pushed, net30)
{
	struct cfg_client *cfg = profile("");
	struct cfg_error err;
	struct cfg_pushed p;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
	GTC_EXPECT_INT(cfg_pushed_finish(&p, &err), -EINVAL);
	GTC_EXPECT_STR(err.text, "PUSH_REPLY: no 'ifconfig', so there is no address to use");
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "ifconfig 10.8.0.6 10.8.0.5", NULL), 0);
	GTC_EXPECT_INT(cfg_pushed_finish(&p, &err), 0);
	GTC_EXPECT_INT(p.tunnel.ifconfig_peer.bytes[3], 5);
	GTC_EXPECT_INT(p.tunnel.ifconfig.prefix, 32);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "topology subnet", NULL), 0);
	GTC_EXPECT_INT(cfg_pushed_finish(&p, &err), -EINVAL);
	GTC_EXPECT_STR(err.text,
		"PUSH_REPLY: 'ifconfig': 10.8.0.5 isn't a netmask, as 'topology subnet' needs");
	cfg_pushed_done(&p);
	cfg_client_free(cfg);
}

GTC_TEST(cfg_pushed, bad_options)
{
	struct cfg_client *cfg = profile("");
	struct cfg_notes notes = { 0 };
	struct cfg_pushed p;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "frobnicate 1", &notes), -ENOENT);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "ca /etc/passwd", &notes), -ENOENT);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "up /bin/sh", &notes), -ENOENT);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "ping x", &notes), -EINVAL);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "ping", &notes), -EINVAL);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "route \"10.0.0.0", &notes), -EINVAL);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "peer-id 16777216", &notes), -EINVAL);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "mobility 2", &notes), -EINVAL);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "protocol-flags cc-exit warp", &notes), -EPERM);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "cipher RC5-CBC", &notes), -EPERM);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "", &notes), 0);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "register-dns", &notes), 0);
	GTC_EXPECT_INT(notes.n, 11);
	GTC_EXPECT_STR(notes.list[0].text,
		"pushed option: 'frobnicate' isn't an option that a server may set");
	GTC_EXPECT_INT(p.n_applied, 1);
	GTC_EXPECT_INT(p.n_unknown, 10);
	GTC_EXPECT_INT(p.peer_id, CFG_PEER_ID_NONE);
	cfg_notes_done(&notes);
	cfg_pushed_done(&p);
	cfg_client_free(cfg);
}

GTC_TEST(cfg_pushed, filters)
{
	struct cfg_client *cfg = profile("pull-filter accept \"route 10.1.\"\n"
					 "pull-filter ignore \"route \"\n"
					 "pull-filter reject dhcp-option\n");
	struct cfg_pushed p;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "route 10.1.0.0 255.255.0.0", NULL), 0);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "route 10.2.0.0 255.255.0.0", NULL), 1);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "dhcp-option DNS 1.1.1.1", NULL), -EPERM);
	GTC_EXPECT_INT(p.tunnel.n_routes, 2);
	cfg_pushed_done(&p);
	cfg_client_free(cfg);

	cfg = profile("route-nopull\n");
	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "redirect-gateway def1", NULL), 1);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "dhcp-option DNS 1.1.1.1", NULL), 1);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "ping 10", NULL), 0);
	cfg_pushed_done(&p);
	cfg_client_free(cfg);
}

// More options than the limit end the connection instead of filling the memory.
GTC_TEST(cfg_pushed, limit)
{
	struct cfg_client *cfg = profile("");
	struct cfg_pushed p;
	int rc = 0;

	GTC_ASSERT(cfg != NULL);
	GTC_ASSERT_INT(cfg_pushed_init(&p, cfg), 0);
	for (int i = 0; i < CFG_PUSHED_MAX && rc == 0; i++)
		rc = cfg_pushed_apply(&p, cfg, "route 10.0.0.0 255.0.0.0", NULL);
	GTC_EXPECT_INT(rc, 0);
	GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, "route 10.0.0.0 255.0.0.0", NULL), -EPERM);
	cfg_pushed_done(&p);
	cfg_client_free(cfg);
}
