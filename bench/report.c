// SPDX-License-Identifier: BSD-3-Clause
#include "bench/report.h"

#include <errno.h>

#include "bench/noise.h"

int pg_report_open(struct pg_report *r, const char *bench, const char *path)
{
	*r = (struct pg_report){ .first = true };
	if (path != NULL) {
		r->json = fopen(path, "we");
		if (r->json == NULL)
			return -errno;
		(void)fprintf(r->json, "{\"bench\": \"%s\", \"figures\": [", bench);
	}
	printf("%-38s %10s %-8s %10s %7s  %s\n", bench, "median", "", "reference", "ratio",
		"p10 - p90 (quiet of all samples)");
	return 0;
}

static void json_number(FILE *f, const char *key, double v)
{
	if (v == 0)
		(void)fprintf(f, "\"%s\": null, ", key);
	else
		(void)fprintf(f, "\"%s\": %.6g, ", key, v);
}

void pg_report_add(struct pg_report *r, const struct pg_figure *f)
{
	const struct pg_summary *s = &f->summary;

	printf("%-38s %10.4g %-8s ", f->id, s->median, f->unit);
	if (f->reference != 0)
		printf("%10.4g ", f->reference);
	else
		printf("%10s ", "");
	if (f->ratio != 0)
		printf("%7.3f", f->ratio);
	else
		printf("%7s", "");
	printf("  %.4g - %.4g (%u of %u)\n", s->p10, s->p90, s->quiet, s->total);
	(void)fflush(stdout); // progress
	if (r->json == NULL)
		return;
	(void)fprintf(r->json, "%s\n  {\"id\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", ",
		r->first ? "" : ",", f->id, s->median, f->unit);
	json_number(r->json, "reference", f->reference);
	json_number(r->json, "ratio", f->ratio);
	(void)fprintf(r->json,
		"\"n\": %u, \"min\": %.6g, \"max\": %.6g, \"p10\": %.6g, \"p90\": %.6g, "
		"\"quiet\": %u}",
		s->n, s->min, s->max, s->p10, s->p90, s->quiet);
	r->first = false;
}

int pg_report_close(struct pg_report *r)
{
	FILE *f = r->json;
	bool bad;

	printf("noise: quietest probe %.3f TSC cycles an addition, TSC %.1f MHz\n",
		pg_noise_floor(), pg_tsc_hz() / 1e6);
	r->json = NULL;
	if (f == NULL)
		return 0;
	(void)fprintf(f, "\n], \"noise\": {\"probe_floor\": %.4f, \"tsc_hz\": %.0f}}\n",
		pg_noise_floor(), pg_tsc_hz());
	bad = ferror(f) != 0;
	if (fclose(f) != 0)
		bad = true;
	return bad ? -EIO : 0;
}
