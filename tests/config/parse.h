// SPDX-License-Identifier: BSD-3-Clause
// Parse a text as a configuration, for tests.
#pragma once

#include <string.h>

#include "config/lexer.h"
#include "tests/gtc.h"

// Calls PARSE (cfg_server_parse, ...) for a text named "f" without looking at files. Evaluates to
// its result.
#define PARSE_TEXT(PARSE, text, notes, ret_cfg, err)                                               \
	({                                                                                         \
		struct cfg_lines lines_;                                                           \
		int rc_ = cfg_lines_init(&lines_);                                                 \
		if (rc_ == 0)                                                                      \
			rc_ = cfg_lines_add_text(&lines_, "f", 1, text, strlen(text), err);        \
		if (rc_ == 0)                                                                      \
			rc_ = PARSE(&lines_, CFG_LOAD_NO_FILES, notes, ret_cfg, err);              \
		cfg_lines_done(&lines_);                                                           \
		rc_;                                                                               \
	})
