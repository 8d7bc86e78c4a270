// SPDX-License-Identifier: BSD-3-Clause
// The options of server.conf; private to config/.
#pragma once

#include "config/apply.h"
#include "config/server.h"
#include "config/tls_apply.h"
#include "config/tunnel_apply.h"

// A struct cfg_server in the making.
struct cfg_server_parse {
	struct cfg_apply a; // first: setters get from it to the rest
	struct cfg_server *cfg;
	uint16_t port; // `port` or `lport`; 0: not said
	bool nopool; // `server ... nopool`
	uint16_t family; // of `proto`, for listeners without address: AF_UNSPEC is both
	bool ipv6only; // `bind ipv6only`
	uint16_t listen_family[CFG_LISTENS_MAX]; // of a listener's own transport word
	bool listen_said[CFG_LISTENS_MAX]; // it has one
	const struct cfg_line *listen_line[CFG_LISTENS_MAX];
	const struct cfg_line *pool6_line;
	const struct cfg_line *topology_line;
	const struct cfg_line *ccd_line;
	const struct cfg_line **tunnel_lines; // `tunnel`
	size_t n_tunnel_lines;
};

extern const struct cfg_option cfg_server_options[]; // base: struct cfg_server
extern const struct cfg_option cfg_auth_options[]; // base: struct cfg_auth

// Checks across options, after the last one. Errors are recorded.
void cfg_auth_finish(struct cfg_apply *a, const struct cfg_lines *lines, struct cfg_server *cfg);

// Are the programs and files there? Errors are recorded.
void cfg_auth_check_files(
	struct cfg_apply *a, const struct cfg_lines *lines, const struct cfg_auth *auth);
