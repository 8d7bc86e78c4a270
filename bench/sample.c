// SPDX-License-Identifier: BSD-3-Clause
#include "bench/sample.h"

#include <errno.h>
#include <stdlib.h>

#define PATIENCE 6u // times as many samples as wanted, while few are quiet

int pg_samples_add(struct pg_samples *s, double value, bool quiet)
{
	if (s->n == s->room) {
		unsigned room = s->room == 0 ? 64 : s->room * 2;
		double *v = realloc(s->value, room * sizeof(*v));
		bool *q;

		if (v == NULL)
			return -ENOMEM;
		s->value = v;
		q = realloc(s->quiet, room * sizeof(*q));
		if (q == NULL)
			return -ENOMEM;
		s->quiet = q;
		s->room = room;
	}
	s->value[s->n] = value;
	s->quiet[s->n++] = quiet;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *v, unsigned n)
{
	return n % 2 != 0 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct pg_summary pg_samples_summary(const struct pg_samples *s)
{
	struct pg_summary r = { .total = s->n };
	double *v = calloc(s->n + 1, sizeof(*v));

	if (v == NULL || s->n == 0) {
		free(v);
		return r;
	}
	for (unsigned i = 0; i < s->n; i++)
		v[i] = s->value[i];
	qsort(v, s->n, sizeof(*v), by_value);
	r.all_median = median(v, s->n);
	r.n = s->n;
	for (unsigned i = 0; i < s->n; i++)
		r.quiet += s->quiet[i];
	if (r.quiet >= PG_QUIET_MIN) {
		r.n = 0;
		for (unsigned i = 0; i < s->n; i++) {
			if (s->quiet[i])
				v[r.n++] = s->value[i];
		}
		qsort(v, r.n, sizeof(*v), by_value);
	}
	r.median = median(v, r.n);
	r.min = v[0];
	r.max = v[r.n - 1];
	r.p10 = v[r.n / 10];
	r.p90 = v[(r.n * 9 + 9) / 10 - 1];
	free(v);
	return r;
}

bool pg_samples_enough(const struct pg_samples *s, unsigned n)
{
	unsigned quiet = 0;

	if (s->n < n)
		return false;
	for (unsigned i = 0; i < s->n; i++)
		quiet += s->quiet[i];
	return quiet >= PG_QUIET_MIN + n / 4 || s->n >= n * PATIENCE;
}

void pg_samples_done(struct pg_samples *s)
{
	free(s->value);
	free(s->quiet);
	*s = (struct pg_samples){ 0 };
}
