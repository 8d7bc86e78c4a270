// SPDX-License-Identifier: BSD-3-Clause
// What vispctl asks for: one line of JSON, {"command": "kick", "peer": "alice"}.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CTL_REQUEST_MAX 1024u // bytes of a line
#define CTL_REQUEST_PEER 80u

enum ctl_request_kind {
	CTL_REQUEST_STATUS, // totals and all sessions
	CTL_REQUEST_SHOW, // the sessions that `peer` names, in detail
	CTL_REQUEST_KICK, // end them
	CTL_REQUEST_COUNTERS, // totals alone
};

struct ctl_request {
	enum ctl_request_kind kind;
	char peer[CTL_REQUEST_PEER]; // common name, peer-id, session id or address; SHOW and KICK
	bool halt; // KICK: the client shall not come back by itself
};

// Parse one line without its newline. Returns 0; or -EINVAL with *ret_error, a constant sentence
// for whoever asked.
int ctl_request_parse(
	const char *line, size_t len, struct ctl_request *ret_request, const char **ret_error);
