// SPDX-License-Identifier: BSD-3-Clause
// A file of client-config-dir as a struct.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/addr.h"
#include "config/lexer.h"
#include "config/limits.h"
#include "config/mem.h"
#include "config/report.h"

struct cfg_ccd {
	struct cfg_mem *mem;
	bool disable; // the client is refused
	struct cfg_addr ifconfig; // ifconfig-push: address, prefix from the netmask; or unset
	struct cfg_addr ifconfig_peer; // the other end, where no netmask was given; or unset
	const char *ifconfig_file; // where the last ifconfig-push stands
	unsigned ifconfig_line;
	struct cfg_addr ifconfig6; // ifconfig-ipv6-push; or unset
	struct cfg_addr ifconfig6_peer; // its second word; unset: the server's own address
	struct cfg_addr *iroutes; // networks behind the client, both families
	size_t n_iroutes;
	bool push_reset; // forget the server-wide pushes that aren't essential
	const char **push_remove; // prefixes of pushes to leave out
	size_t n_push_remove;
	const char **push;
	size_t n_push;
	struct cfg_limits limits; // of its session
};

// As cfg_server_parse. lines moves into the result on success.
int cfg_ccd_parse(struct cfg_lines *lines, struct cfg_notes *notes, struct cfg_ccd **ret_ccd,
	struct cfg_error *err);

// Read one file and parse it.
int cfg_ccd_load(
	const char *path, struct cfg_notes *notes, struct cfg_ccd **ret_ccd, struct cfg_error *err);

// Free. NULL is fine. Returns NULL.
struct cfg_ccd *cfg_ccd_free(struct cfg_ccd *ccd);
