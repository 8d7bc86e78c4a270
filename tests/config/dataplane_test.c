// SPDX-License-Identifier: BSD-3-Clause
#include "config/dataplane.h"

#include <errno.h>
#include <sys/socket.h>

#include "config/ccd.h"
#include "config/server.h"
#include "tests/config/parse.h"

#define BASE "outer net_af_packet0,iface=e\ninner net_tap0,iface=visp0\n"

GTC_TEST(cfg_dataplane, defaults)
{
	struct cfg_dataplane *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(PARSE_TEXT(cfg_dataplane_parse, BASE, NULL, &cfg, &err), 0);
	GTC_EXPECT_STR(cfg->socket, "/run/visp/dataplane.sock");
	GTC_EXPECT_STR(cfg->outer, "net_af_packet0,iface=e");
	GTC_EXPECT_STR(cfg->inner, "net_tap0,iface=visp0");
	GTC_EXPECT_INT(cfg->n_workers, 0);
	GTC_EXPECT_INT(cfg->sessions, 4096);
	GTC_EXPECT_INT(cfg->hugepages, CFG_HUGEPAGES_AUTO);
	GTC_EXPECT_INT(cfg->idle, CFG_IDLE_AUTO);
	GTC_EXPECT_INT(cfg->outer_queues, 0);
	GTC_EXPECT(cfg->control_user == NULL && cfg->drop_privileges == NULL);
	cfg_dataplane_free(cfg);
}

GTC_TEST(cfg_dataplane, everything)
{
	struct cfg_dataplane *cfg = NULL;
	struct cfg_error err;

	GTC_ASSERT_INT(
		PARSE_TEXT(cfg_dataplane_parse,
			BASE "socket /tmp/s\nworkers 1-3,7\nsessions 1048576\nhugepages off\n"
			     "idle adaptive\nouter-queues 4\ncontrol-user visp\n"
			     "drop-privileges nobody\nverb 4\n",
			NULL, &cfg, &err),
		0);
	GTC_ASSERT_INT(cfg->n_workers, 4);
	GTC_EXPECT_INT(cfg->workers[2], 3);
	GTC_EXPECT_INT(cfg->workers[3], 7);
	GTC_EXPECT_INT(cfg->sessions, 1u << 20);
	GTC_EXPECT_INT(cfg->hugepages, CFG_HUGEPAGES_OFF);
	GTC_EXPECT_INT(cfg->idle, CFG_IDLE_ADAPTIVE);
	GTC_EXPECT_INT(cfg->outer_queues, 4);
	GTC_EXPECT_STR(cfg->control_user, "visp");
	cfg_dataplane_free(cfg);
}

static void error_is(const char *text, const char *want)
{
	struct cfg_dataplane *cfg = NULL;
	struct cfg_error err = { .text = "" };

	GTC_EXPECT(PARSE_TEXT(cfg_dataplane_parse, text, NULL, &cfg, &err) < 0);
	GTC_EXPECT_STR(err.text, want);
	cfg_dataplane_free(cfg);
}

GTC_TEST(cfg_dataplane, errors)
{
	error_is("outer x\n", "f: no 'inner' port");
	error_is("inner x\n", "f: no 'outer' port");
	error_is(BASE "workers 3-1\n",
		"f:3: 'workers' takes lcores from 0 to 127, as 1-3,5, got '3-1'");
	error_is(BASE "workers 1,,2\n",
		"f:3: 'workers' takes lcores from 0 to 127, as 1-3,5, got '1,,2'");
	error_is(BASE "workers 128\n",
		"f:3: 'workers' takes lcores from 0 to 127, as 1-3,5, got '128'");
	error_is(BASE "workers 1-2,2\n", "f:3: 'workers' names lcore 2 twice");
	error_is(BASE "workers 0-100\n", "f:3: 'workers' names more than 64 lcores");
	error_is(BASE "sessions 0\n", "f:3: 'sessions' takes a number from 1 to 1048576, got '0'");
	error_is(BASE "idle never\n", "f:3: 'idle' takes one of auto, poll, adaptive, got 'never'");
	error_is(BASE "port 1194\n",
		"f:3: 'port' isn't allowed in dataplane.conf; it belongs in server.conf");
	error_is(BASE "session 5\n", "f:3: unknown directive 'session'; did you mean 'sessions'?");
}

static int ccd_parse(const char *text, struct cfg_ccd **ret_ccd, struct cfg_error *err)
{
	struct cfg_lines lines;
	int rc = cfg_lines_init(&lines);

	if (rc == 0)
		rc = cfg_lines_add_text(&lines, "f", 1, text, strlen(text), err);
	if (rc == 0)
		rc = cfg_ccd_parse(&lines, NULL, ret_ccd, err);
	cfg_lines_done(&lines);
	return rc;
}

GTC_TEST(cfg_ccd, everything)
{
	const struct cfg_limits all = { .inactive_s = 5, .session_s = 7 };
	struct cfg_limits limits;
	struct cfg_ccd *ccd = NULL;
	struct cfg_error err;
	char buf[CFG_ADDR_TEXT];

	GTC_ASSERT_INT(
		ccd_parse("ifconfig-push 10.8.0.77 255.255.255.0\n"
			  "iroute 192.168.5.0 255.255.255.0\niroute 192.168.6.1\n"
			  "push \"route 10.0.0.0 255.0.0.0\"\npush-remove route\npush-reset\n"
			  "inactive 60 1000\nsession-timeout 0\n",
			&ccd, &err),
		0);
	GTC_EXPECT_STR(cfg_addr_text(&ccd->ifconfig, true, buf), "10.8.0.77/24");
	GTC_ASSERT_INT(ccd->n_iroutes, 2);
	GTC_EXPECT_STR(cfg_addr_text(&ccd->iroutes[0], true, buf), "192.168.5.0/24");
	GTC_EXPECT_STR(cfg_addr_text(&ccd->iroutes[1], true, buf), "192.168.6.1/32");
	GTC_ASSERT_INT(ccd->n_push, 1);
	GTC_ASSERT_INT(ccd->n_push_remove, 1);
	GTC_EXPECT(ccd->push_reset && !ccd->disable);
	limits = cfg_limits_of(&all, &ccd->limits);
	GTC_EXPECT_INT(limits.inactive_s, 60);
	GTC_EXPECT_INT(limits.inactive_bytes, 1000);
	GTC_EXPECT_INT(limits.session_s, 0);
	cfg_ccd_free(ccd);
	GTC_ASSERT_INT(ccd_parse("", &ccd, &err), 0); // an empty file is a file
	limits = cfg_limits_of(&all, &ccd->limits);
	GTC_EXPECT_INT(limits.inactive_s, 5);
	GTC_EXPECT_INT(limits.session_s, 7);
	cfg_ccd_free(ccd);
	GTC_EXPECT_INT(ccd_parse("disable\nserver 10.0.0.0 255.0.0.0\n", &ccd, &err), -EINVAL);
	GTC_EXPECT_STR(err.text,
		"f:2: 'server' isn't allowed in a client-config-dir file; it "
		"belongs in server.conf");
	GTC_EXPECT_INT(ccd_parse("inactive soon\n", &ccd, &err), -EINVAL);
	GTC_EXPECT_INT(ccd_parse("inactive 5 few\n", &ccd, &err), -EINVAL);
	GTC_EXPECT_INT(ccd_parse("iroute 192.168.5.1 255.255.255.0\n", &ccd, &err), -EINVAL);
	GTC_EXPECT_STR(
		err.text, "f:1: 'iroute': 192.168.5.1 isn't the first address of that network");
}
