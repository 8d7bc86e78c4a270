// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/drop.h"

#define X(name, text) [DP_DROP_##name] = #name,
const char *const dp_drop_name[DP_DROP_COUNT] = { DP_DROPS(X) };
#undef X

#define X(name, text) [DP_DROP_##name] = text,
const char *const dp_drop_text[DP_DROP_COUNT] = { DP_DROPS(X) };
#undef X

#define X(name, text) [DP_COUNT_##name] = #name,
const char *const dp_count_name[DP_COUNT_COUNT] = { DP_COUNTS(X) };
#undef X

#define X(name, text) [DP_COUNT_##name] = text,
const char *const dp_count_text[DP_COUNT_COUNT] = { DP_COUNTS(X) };
#undef X
