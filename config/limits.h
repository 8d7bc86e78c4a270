// SPDX-License-Identifier: BSD-3-Clause
// How long a client's session may last on the server: `inactive` and `session-timeout`, in
// server.conf for all and in a file of client-config-dir for one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cfg_apply;
struct cfg_line;

struct cfg_limits {
	bool inactive_set; // was said, also if that was 0
	bool session_set;
	uint32_t inactive_s; // 0: may be idle for ever
	uint64_t inactive_bytes; // less than that in inactive_s is idle; 0: as 1
	uint32_t session_s; // 0: no end
};

// SECONDS [BYTES] behind the directive's name. Returns 0 or -EINVAL, recorded.
int cfg_inactive_words(
	struct cfg_apply *a, const struct cfg_line *l, uint32_t *ret_seconds, uint64_t *ret_bytes);

// Setters of both directives; at: struct cfg_limits.
int cfg_inactive_parse(struct cfg_apply *a, const struct cfg_line *l, void *at);
int cfg_session_timeout_parse(struct cfg_apply *a, const struct cfg_line *l, void *at);

// What holds for one client: its own limits where its file names them, else those of all.
// own: NULL without a file.
struct cfg_limits cfg_limits_of(const struct cfg_limits *all, const struct cfg_limits *own);
