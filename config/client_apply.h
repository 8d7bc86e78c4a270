// SPDX-License-Identifier: BSD-3-Clause
// The options of client profiles; private to config/.
#pragma once

#include "config/apply.h"
#include "config/client.h"
#include "config/tls_apply.h"
#include "config/tunnel_apply.h"

// Settings of one remote in the making.
struct cfg_remote_parse {
	struct cfg_remote r;
	bool tcp; // `proto tcp`: passed over
	bool bound; // local, lport or bind was said
	bool mssfix; // with a number
	const char *port_word; // port of the `remote` line; or NULL
	const char *proto_word; // transport of the `remote` line; or NULL
	const struct cfg_line *proto_line; // `proto`
	uint16_t rport; // of remotes that name none
};

// A struct cfg_client in the making.
struct cfg_client_parse {
	struct cfg_apply a; // first: setters get from it to the rest
	struct cfg_client *cfg;
	struct cfg_remote_parse def; // what the profile says for all remotes
	const struct cfg_line **pending; // `remote` lines and <connection> blocks
	size_t n_pending;
	bool tunnel; // CFG_LOAD_TUNNEL
};

extern const struct cfg_option cfg_client_options[]; // base: struct cfg_client
extern const struct cfg_option cfg_remote_options[]; // base: struct cfg_remote_parse

// Turn the pending lines into cfg->remotes. Errors are recorded.
void cfg_remotes_finish(struct cfg_client_parse *p, const struct cfg_lines *lines);
