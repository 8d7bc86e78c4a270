// SPDX-License-Identifier: BSD-3-Clause
// What a bench prints: a short table for people, and a JSON file:
//   {"bench": NAME, "figures": [{"id", "value", "unit", "reference", "ratio", "n", "min", "max",
//    "p10", "p90", "quiet"}], "noise": {"probe_floor", "tsc_hz"}}
// value is a median; reference is the median of what was measured beside it in the same run, ratio
// the one by the other; both null without a reference.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "bench/sample.h"

struct pg_report {
	FILE *json; // NULL: none
	bool first;
};

struct pg_figure {
	const char *id;
	const char *unit;
	struct pg_summary summary;
	double reference; // 0: none
	double ratio; // 0: none
};

// Begin. path: of the JSON file, NULL for none. Returns 0 or -errno.
int pg_report_open(struct pg_report *r, const char *bench, const char *path);

void pg_report_add(struct pg_report *r, const struct pg_figure *f);

// Returns 0, or -EIO when the file could not be written.
int pg_report_close(struct pg_report *r);
