// SPDX-License-Identifier: BSD-3-Clause
// Options of struct cfg_tls and struct cfg_wrap; private to config/.
#pragma once

#include "config/apply.h"
#include "config/tls.h"

extern const struct cfg_option cfg_tls_options[]; // base: struct cfg_tls
extern const struct cfg_option cfg_wrap_options[]; // base: struct cfg_wrap

// Values of what isn't said.
void cfg_tls_defaults(struct cfg_tls *tls);

// Checks across options, after the last one: who are we, whom do we trust. Errors are recorded.
void cfg_tls_finish(struct cfg_apply *a, const struct cfg_lines *lines, struct cfg_tls *tls);

// Put cd before relative file names. Returns 0 or -ENOMEM.
int cfg_tls_under(struct cfg_mem *mem, const char *cd, struct cfg_tls *tls);
int cfg_wrap_under(struct cfg_mem *mem, const char *cd, struct cfg_wrap *wrap);

// Can all files named be read? Errors are recorded.
void cfg_tls_check_files(struct cfg_apply *a, const struct cfg_tls *tls);
void cfg_wrap_check_files(struct cfg_apply *a, const struct cfg_wrap *wrap);
void cfg_blob_check_apply(struct cfg_apply *a, const struct cfg_blob *blob);
