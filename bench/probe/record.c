// SPDX-License-Identifier: BSD-3-Clause
#include "bench/probe/record.h"

#include <errno.h>
#include <stdbool.h>

// Lost probes that were sent between two moments.
static unsigned lost_between(
	const uint64_t *sent_ns, const uint8_t *seen, uint32_t count, uint64_t from, uint64_t to)
{
	unsigned lost = 0;

	for (uint32_t i = 0; i < count; i++)
		lost += sent_ns[i] >= from && sent_ns[i] < to && !seen[i];
	return lost;
}

void pg_record_losses(struct pg_record *r, unsigned *ret_lost_up, unsigned *ret_lost_down)
{
	for (unsigned i = 0; i < r->handovers; i++) {
		struct pg_handover *h = &r->handover[i];
		uint64_t end = i + 1 < r->handovers ? r->handover[i + 1].left_ns : UINT64_MAX;

		h->lost_up = lost_between(r->up_sent_ns, r->up_seen, r->up_count, h->left_ns, end);
		h->lost_down =
			lost_between(r->down_sent_ns, r->down_seen, r->down_count, h->left_ns, end);
	}
	*ret_lost_up = lost_between(r->up_sent_ns, r->up_seen, r->up_count, 0, UINT64_MAX);
	*ret_lost_down = lost_between(r->down_sent_ns, r->down_seen, r->down_count, 0, UINT64_MAX);
}

// A time after the address was up in milliseconds; null or "-" when it never came.
static void print_after(FILE *out, const struct pg_handover *h, uint64_t ns, const char *never)
{
	if (ns == 0)
		(void)fputs(never, out);
	else
		(void)fprintf(out, "%.3f", (double)(int64_t)(ns - h->up_ns) / 1e6);
}

void pg_record_line(const struct pg_record *r, unsigned n, FILE *out)
{
	const struct pg_handover *h = &r->handover[n];

	(void)fprintf(out, "handover %u %s %s ", n + 1, h->from, h->to);
	print_after(out, h, h->data_ns, "-");
	(void)fputc(' ', out);
	print_after(out, h, h->inner_ns, "-");
	(void)fprintf(out, " %u\n", h->answers);
	(void)fflush(out);
}

static void write_handover(FILE *out, const struct pg_handover *h, bool last)
{
	(void)fprintf(
		out, "    {\"from\": \"%s\", \"to\": \"%s\", \"outage_ms\": ", h->from, h->to);
	print_after(out, h, h->data_ns, "null");
	(void)fputs(", \"sent_ms\": ", out);
	print_after(out, h, h->sent_ns, "null");
	(void)fputs(", \"inner_ms\": ", out);
	print_after(out, h, h->inner_ns, "null");
	(void)fprintf(out,
		", \"lost_up\": %u, \"lost_down\": %u, \"answers\": %u, \"asks\": %u}%s\n",
		h->lost_up, h->lost_down, h->answers, h->asks, last ? "" : ",");
}

int pg_record_json(struct pg_record *r, const char *path)
{
	FILE *out = fopen(path, "we");
	unsigned lost_up, lost_down;
	int rc;

	if (out == NULL)
		return -errno;
	pg_record_losses(r, &lost_up, &lost_down);
	(void)fputs("{\n  \"handovers\": [\n", out);
	for (unsigned i = 0; i < r->handovers; i++)
		write_handover(out, &r->handover[i], i + 1 == r->handovers);
	(void)fprintf(out,
		"  ],\n  \"handshakes\": %u,\n"
		"  \"probes\": {\"up\": %u, \"down\": %u, \"lost_up\": %u, \"lost_down\": %u},\n"
		"  \"tcp\": {\"up_bytes\": %llu, \"down_bytes\": %llu, \"stalled_ms\": %.1f, "
		"\"intact\": %s}\n}\n",
		r->handshakes, r->up_count, r->down_count, lost_up, lost_down,
		(unsigned long long)r->tcp_up_bytes, (unsigned long long)r->tcp_down_bytes,
		(double)r->tcp_stalled_ns / 1e6, r->tcp_bad ? "false" : "true");
	rc = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0 && rc == 0)
		rc = -errno;
	return rc;
}
