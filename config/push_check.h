// SPDX-License-Identifier: BSD-3-Clause
// Is the argument of `push` fit to be sent? Private to config/.
#pragma once

#include "config/apply.h"

// Check l->argv[1]: printable, no comma, at most 255 characters, a known option with the right
// number of words (unknown ones give a warning, as clients may know more than we do).
// Returns 0 or -EINVAL, recorded.
int cfg_push_check(struct cfg_apply *a, const struct cfg_line *l);
