// SPDX-License-Identifier: BSD-3-Clause
// A profile for tests: a minimal one plus the lines of the test.
#pragma once

#include "config/client.h"
#include "tests/gtc.h"

// Returns NULL (and the test has failed) when the profile doesn't parse.
static inline struct cfg_client *profile(const char *lines)
{
	static const char base[] = "client\ndev tun\nproto udp\nremote 198.51.100.1 1194\nnobind\n"
				   "ca ca.crt\ncert a.crt\nkey a.key\nremote-cert-tls server\n";
	struct cfg_client *cfg = NULL;
	struct cfg_error err = { 0 };
	struct cfg_lines list;

	if (cfg_lines_init(&list) < 0)
		return NULL;
	if (cfg_lines_add_text(&list, "base", 1, base, sizeof(base) - 1, &err) < 0 ||
		cfg_lines_add_text(&list, "test", 1, lines, strlen(lines), &err) < 0 ||
		cfg_client_parse(&list, CFG_LOAD_NO_FILES, NULL, &cfg, &err) < 0)
		GTC_FAIL("profile: %s", err.text);
	cfg_lines_done(&list);
	return cfg;
}
