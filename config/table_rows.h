// SPDX-License-Identifier: BSD-3-Clause
// Shorthand for the rows of the directive table; private to directive*.c.
#pragma once

#include "config/directive.h"

#define S CFG_SERVER
#define C CFG_CLIENT
#define N CFG_CONNECTION
#define P CFG_PUSHED
#define D CFG_CCD
#define L CFG_DATAPLANE
#define MANY 23

// A directive that works / has no effect / is refused in the places of `where`.
#define WORKS(where, name_, min, max, args_, help_)                                                \
	{                                                                                          \
		.name = name_, .min_args = min, .max_args = max, .works = where, .args = args_,    \
		.help = help_                                                                      \
	}
// As WORKS, and the file may be given inline.
#define EMBED(where, name_, min, max, args_, help_)                                                \
	{                                                                                          \
		.name = name_, .min_args = min, .max_args = max, .works = where, .args = args_,    \
		.help = help_, .inline_ok = true                                                   \
	}
#define NOEFF(where, name_, min, max, args_, why_)                                                 \
	{                                                                                          \
		.name = name_, .min_args = min, .max_args = max, .ignored = where, .args = args_,  \
		.why = why_                                                                        \
	}
#define WRONG(where, name_, why_)                                                                  \
	{                                                                                          \
		.name = name_, .min_args = 0, .max_args = MANY, .refused = where, .why = why_,     \
		.inline_ok = true                                                                  \
	}

extern const struct cfg_directive cfg_rows_tunnel[];
extern const size_t cfg_rows_tunnel_n;
extern const struct cfg_directive cfg_rows_tls[];
extern const size_t cfg_rows_tls_n;
extern const struct cfg_directive cfg_rows_daemon[];
extern const size_t cfg_rows_daemon_n;
