// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "bench/noise.h"

#define PCAP_MAGIC 0xa1b2c3d4u // microseconds
#define PCAP_ETHERNET 1u

static const struct {
	const char *name;
	double share;
} points[] = {
	{ "p50", 0.5 },
	{ "p90", 0.9 },
	{ "p99", 0.99 },
	{ "p99_9", 0.999 },
	{ "p99_99", 0.9999 },
};
#define POINTS (sizeof(points) / sizeof(points[0]))

static void print_way(const char *name, const struct pg_way *w, double seconds)
{
	if (w->sent + w->refused == 0)
		return;
	printf("%-5s %9.0f packets/s  %7.3f Gbit/s  sent %lu, lost %ld, refused by the port %lu, "
	       "reordered %lu, to an old address %lu\n",
		name, (double)w->received / seconds, (double)w->bytes * 8 / seconds / 1e9,
		(unsigned long)w->sent, (long)(w->sent - w->received), (unsigned long)w->refused,
		(unsigned long)w->reordered, (unsigned long)w->to_old);
}

static void print_times(const char *name, const struct pg_hdr *h)
{
	if (h->n == 0)
		return;
	printf("%s in us:", name);
	for (unsigned i = 0; i < POINTS; i++)
		printf(" %s %.1f", points[i].name, (double)pg_hdr_at(h, points[i].share) / 1000);
	printf(" max %.1f (%lu values)\n", (double)h->max_ns / 1000, (unsigned long)h->n);
}

// TSC cycles a packet of turns that found work.
static double cost(const struct pg_work *w)
{
	return w->packets > 0 ? (double)w->cycles / (double)w->packets : 0;
}

static struct pg_work all_work(const struct pg_seen *s)
{
	struct pg_work sum = { 0 };

	for (unsigned i = 0; i < s->workers; i++) {
		sum.cycles += s->work[i].cycles;
		sum.packets += s->work[i].packets;
	}
	return sum;
}

static void print_work(const struct pg_seen *s)
{
	struct pg_work all = all_work(s);

	if (all.packets == 0)
		return;
	printf("workers: %.0f TSC cycles a packet", cost(&all));
	for (unsigned i = 0; i < s->workers; i++)
		printf("%s worker %u: %.0f, %.1f packets a turn", i == 0 ? ";" : ",", i,
			cost(&s->work[i]),
			(double)s->work[i].packets /
				(double)(s->work[i].busy_turns > 0 ? s->work[i].busy_turns : 1));
	printf("\n");
}

static void print_drops(const struct pg_seen *s)
{
	for (unsigned i = 0; s->drops_told && i < DP_DROP_COUNT; i++) {
		if (s->drops[i] > 0)
			printf("dropped by the dataplane: %lu, %s\n", (unsigned long)s->drops[i],
				dp_drop_text[i]);
	}
}

void pg_result_print(const struct pg_result *r, const struct pg_about *about)
{
	if (about->install_per_second > 0)
		printf("%u sessions installed, %.0f a second\n", about->sessions,
			about->install_per_second);
	if (about->search_loss >= 0)
		printf("highest rate with a loss of at most %g: %.0f packets/s\n",
			about->search_loss, r->offered);
	print_way("up", &r->up, r->seconds);
	print_way("down", &r->down, r->seconds);
	print_times("latency", &r->latency);
	if (r->moves > 0)
		printf("%lu handovers, %lu answered; %lu had to wait for room in the port\n",
			(unsigned long)r->moves, (unsigned long)r->answered,
			(unsigned long)r->held);
	print_times("outage", &r->outage);
	if (r->hostile > 0)
		printf("%lu hostile frames\n", (unsigned long)r->hostile);
	if (r->bad > 0)
		printf("%lu packets did not decrypt\n", (unsigned long)r->bad);
	if (r->restarts > 0)
		printf("%u restarts; longest silence %.1f ms; %u sessions go on; %lu packet-ids "
		       "twice\n",
			r->restarts, r->silence_ms, r->after, (unsigned long)r->repeated);
	print_work(&r->seen);
	print_drops(&r->seen);
	if (r->seen.probes > 0)
		printf("noise: TSC cycles an addition: median %.3f, nine of ten below %.3f, least "
		       "%.3f (%s), paused %.1f ms\n",
			r->seen.probe_median, r->seen.probe_p90, r->seen.probe_floor,
			pg_noise_quiet(r->seen.probe_p90) ? "quiet" : "not quiet",
			r->seen.paused_ms);
}

static void json_way(FILE *f, const char *name, const struct pg_way *w, double seconds)
{
	(void)fprintf(f,
		"  \"%s\": {\"sent\": %lu, \"received\": %lu, \"refused\": %lu, \"reordered\": "
		"%lu, "
		"\"to_old\": %lu, \"pps\": %.0f, \"gbit_s\": %.6f},\n",
		name, (unsigned long)w->sent, (unsigned long)w->received, (unsigned long)w->refused,
		(unsigned long)w->reordered, (unsigned long)w->to_old,
		(double)w->received / seconds, (double)w->bytes * 8 / seconds / 1e9);
}

static void json_times(FILE *f, const char *name, const struct pg_hdr *h)
{
	(void)fprintf(f, "  \"%s\": {\"n\": %lu", name, (unsigned long)h->n);
	for (unsigned i = 0; i < POINTS; i++)
		(void)fprintf(f, ", \"%s\": %.3f", points[i].name,
			(double)pg_hdr_at(h, points[i].share) / 1000);
	(void)fprintf(f, ", \"max\": %.3f},\n", (double)h->max_ns / 1000);
}

// Reasons for which nothing was dropped are left out.
static void json_drops(FILE *f, const struct pg_seen *s)
{
	const char *comma = "";

	(void)fprintf(f, "  \"drops\": %s", s->drops_told ? "{" : "null,\n");
	for (unsigned i = 0; s->drops_told && i < DP_DROP_COUNT; i++) {
		if (s->drops[i] == 0)
			continue;
		(void)fprintf(
			f, "%s\"%s\": %lu", comma, dp_drop_name[i], (unsigned long)s->drops[i]);
		comma = ", ";
	}
	(void)fprintf(f, "%s", s->drops_told ? "},\n" : "");
}

// What nobody told is null.
static void json_seen(FILE *f, const struct pg_seen *s)
{
	struct pg_work all = all_work(s);

	if (all.packets > 0)
		(void)fprintf(f, "  \"worker_cycles\": %lu, \"cycles_per_packet\": %.2f,\n",
			(unsigned long)all.cycles, cost(&all));
	else
		(void)fprintf(f, "  \"worker_cycles\": null, \"cycles_per_packet\": null,\n");
	(void)fprintf(f, "  \"workers\": [");
	for (unsigned i = 0; i < s->workers; i++)
		(void)fprintf(f,
			"%s{\"busy_cycles\": %lu, \"packets\": %lu, \"cycles_per_packet\": "
			"%.2f, \"turns\": %lu, \"busy_turns\": %lu}",
			i > 0 ? ", " : "", (unsigned long)s->work[i].cycles,
			(unsigned long)s->work[i].packets, cost(&s->work[i]),
			(unsigned long)s->work[i].turns, (unsigned long)s->work[i].busy_turns);
	(void)fprintf(f,
		"],\n  \"noise\": {\"floor\": %.4f, \"median\": %.4f, \"p90\": %.4f, \"n\": %u, "
		"\"paused_ms\": %.3f},\n",
		s->probe_floor, s->probe_median, s->probe_p90, s->probes, s->paused_ms);
}

int pg_result_json(const struct pg_result *r, const struct pg_about *about, const char *path)
{
	FILE *f = fopen(path, "we");
	bool bad;

	if (f == NULL)
		return -errno;
	(void)fprintf(f, "{\n  \"bench\": \"pktgen\", \"sessions\": %u, \"size\": %u,\n",
		about->sessions, about->size);
	(void)fprintf(f,
		"  \"seconds\": %.6f, \"offered_pps\": %.0f, \"loss\": %.9f, \"search_loss\": "
		"%g,\n",
		r->seconds, r->offered, pg_result_loss(r), about->search_loss);
	json_way(f, "up", &r->up, r->seconds);
	json_way(f, "down", &r->down, r->seconds);
	json_times(f, "latency_us", &r->latency);
	json_times(f, "outage_us", &r->outage);
	json_seen(f, &r->seen);
	json_drops(f, &r->seen);
	(void)fprintf(f,
		"  \"restarts\": %u, \"silence_ms\": %.3f, \"after\": %u, \"repeated\": %lu,\n"
		"  \"handovers\": %lu, \"answered\": %lu, \"held\": %lu, \"hostile\": %lu, "
		"\"bad\": %lu,\n"
		"  \"install_per_second\": %.0f\n}\n",
		r->restarts, r->silence_ms, r->after, (unsigned long)r->repeated,
		(unsigned long)r->moves, (unsigned long)r->answered, (unsigned long)r->held,
		(unsigned long)r->hostile, (unsigned long)r->bad, about->install_per_second);
	bad = ferror(f) != 0;
	if (fclose(f) != 0)
		bad = true;
	return bad ? -EIO : 0;
}

int pg_write_pcap(struct pg_load *l, uint32_t n, const char *path)
{
	const uint32_t head[6] = { PCAP_MAGIC, 2 | 4u << 16, 0, 0, 65535, PCAP_ETHERNET };
	uint8_t frame[PG_LOAD_ROOM];
	FILE *f = fopen(path, "we");
	bool bad;

	if (f == NULL)
		return -errno;
	(void)fwrite(head, sizeof(head), 1, f); // errors show at the end
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = pg_load_frame(l, l->o.direction == PG_UP, frame);
		uint32_t packet[4] = { i / 1000000, i % 1000000, len, len };

		(void)fwrite(packet, sizeof(packet), 1, f);
		(void)fwrite(frame, len, 1, f);
	}
	bad = ferror(f) != 0;
	if (fclose(f) != 0)
		bad = true;
	return bad ? -EIO : 0;
}
