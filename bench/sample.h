// SPDX-License-Identifier: BSD-3-Clause
// Samples of one figure, and what is said of them: a median of those taken in quiet moments.
#pragma once

#include <stdbool.h>

#define PG_QUIET_MIN 8u // fewer quiet samples say less than all of them

struct pg_samples {
	double *value;
	bool *quiet;
	unsigned n;
	unsigned room;
};

// Median, least and greatest of the quiet samples, or of all when fewer than PG_QUIET_MIN were
// quiet.
struct pg_summary {
	double median;
	double min;
	double max;
	double p10;
	double p90;
	double all_median; // of all samples, noise included
	unsigned n; // samples that the others were taken from
	unsigned quiet; // samples between two quiet probes
	unsigned total;
};

// Add a sample; grows by itself. Returns 0 or -ENOMEM.
int pg_samples_add(struct pg_samples *s, double value, bool quiet);

// The samples stay as they are. All zero without samples.
struct pg_summary pg_samples_summary(const struct pg_samples *s);

// True when there are enough samples of a figure that wants n: a quarter of n were quiet, or the
// machine isn't going to be quiet.
bool pg_samples_enough(const struct pg_samples *s, unsigned n);

void pg_samples_done(struct pg_samples *s);
