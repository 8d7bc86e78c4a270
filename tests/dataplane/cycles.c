// SPDX-License-Identifier: BSD-3-Clause
// Cycles of one worker per packet, from a receive ring to a transmit ring and with nothing else on
// the way. VISP_CYCLES_SESSIONS says how many sessions take turns. By hand, no test: figures depend
// on the machine and its neighbours, so the best of several samples is shown beside the median.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>

#include "harness.h"
#include "tests/gtc.h"

#define SAMPLES 41
#define BURSTS 16 // of DP_BURST packets a sample

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, size_t len, double *cycles)
{
	qsort(cycles, SAMPLES, sizeof(*cycles), by_value);
	printf("%-8s %5zu B  best %6.0f  median %6.0f cycles/packet\n", what, len, cycles[0],
		cycles[SAMPLES / 2]);
}

static void empty(struct h *h)
{
	struct h_frame f;

	while (h_frame_out(h, 0, &f) || h_frame_out(h, 1, &f))
		;
}

static double run(struct h *h, unsigned packets)
{
	uint64_t start = rte_rdtsc();

	for (unsigned i = 0; i < BURSTS; i++)
		(void)dp_worker_iterate(h->core.worker[0]);
	return (double)(rte_rdtsc() - start) / packets;
}

static void measure(struct h *h, struct h_client *c, unsigned clients, size_t len)
{
	double up[SAMPLES], down[SAMPLES];
	uint8_t inner[1500], wire[1600];
	unsigned n = 0;

	for (unsigned s = 0; s < SAMPLES; s++) {
		for (unsigned i = 0; i < BURSTS * DP_BURST; i++) {
			struct h_client *who = &c[n++ % clients];

			h_inner(inner, H_TUNNEL(who->slot), 0xc0000263u, len, false);
			h_from(h, 0, who, wire, h_seal(who, inner, len, wire));
		}
		up[s] = run(h, BURSTS * DP_BURST);
		empty(h);
		for (unsigned i = 0; i < BURSTS * DP_BURST; i++) {
			h_inner(inner, 0xc0000263u, H_TUNNEL(c[n++ % clients].slot), len, false);
			h_inner_in(h, 0, inner, len);
		}
		down[s] = run(h, BURSTS * DP_BURST);
		empty(h);
	}
	report("uplink", len, up);
	report("downlink", len, down);
}

GTC_TEST(cycles, one_worker)
{
	const char *more = getenv("VISP_CYCLES_SESSIONS");
	unsigned clients = more != NULL ? (unsigned)strtoul(more, NULL, 10) : 1;
	static const size_t sizes[] = { 64, 512, 1400 };
	struct h_client c[H_SESSIONS];
	struct h *h = h_create(1, 0);

	GTC_ASSERT(clients >= 1 && clients < H_SESSIONS);
	for (unsigned i = 0; i < clients; i++)
		GTC_ASSERT_INT(h_install(h, i, NULL, &c[i]), 0);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(h, c, clients, sizes[i]);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}
