// SPDX-License-Identifier: BSD-3-Clause
// The table of all directives: names, arities, where each is allowed, and what becomes of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where a directive may stand.
enum cfg_where {
	CFG_SERVER = 1u << 0, // server.conf
	CFG_CLIENT = 1u << 1, // an .ovpn profile
	CFG_DATAPLANE = 1u << 2, // dataplane.conf
	CFG_PUSHED = 1u << 3, // an option in PUSH_REPLY
	CFG_CCD = 1u << 4, // a file of client-config-dir
	CFG_CONNECTION = 1u << 5, // inside <connection>
};
#define CFG_WHERE_COUNT 6

enum cfg_status {
	CFG_NOWHERE, // not allowed there
	CFG_WORKS,
	CFG_IGNORED, // accepted without effect
	CFG_REFUSED,
};

struct cfg_directive {
	const char *name;
	uint8_t min_args; // words after the name
	uint8_t max_args;
	uint8_t works; // masks of enum cfg_where; a place is in one of them at most
	uint8_t ignored;
	uint8_t refused;
	bool inline_ok; // <name> ... </name> may replace the file name
	const char *args; // shape of the arguments, for people
	const char *help; // one sentence
	const char *why; // why it is ignored or refused, and what to use instead; or NULL
};

// Row number i, or NULL behind the last. A name may have several rows, for different places.
const struct cfg_directive *cfg_directive_at(size_t i);

// The row of name for a place, or NULL.
const struct cfg_directive *cfg_directive_find(const char *name, enum cfg_where where);

// What becomes of a directive there.
enum cfg_status cfg_directive_status(const struct cfg_directive *d, enum cfg_where where);

// Places where name is known, as a mask of enum cfg_where (0: nowhere).
unsigned cfg_directive_places(const char *name);

// The known name for that place that is nearest to a misspelt one, or NULL when none is near.
const char *cfg_directive_nearest(const char *name, enum cfg_where where);

// "server.conf", "a client profile", ... for one place.
const char *cfg_where_name(enum cfg_where where);
