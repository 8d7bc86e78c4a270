// SPDX-License-Identifier: BSD-3-Clause
// visp-microbench: figures of one thread, without a network. scripts/bench runs it.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "bench/noise.h"

#define EAL_MB 256u
#define LEARN_MS 300u

static const char usage_text[] =
	"usage: visp-microbench NAME [OPTION...]\n"
	"\n"
	"  crypto      raw IPsec-MB calls and the layer above them, per cipher and size\n"
	"  pipeline    a worker's whole iteration without its crypto: cycles a packet\n"
	"  dataplane   the same with its crypto, over rings: packets a second, share of raw "
	"crypto\n"
	"  sessions    many sessions against one; sessions installed a second\n"
	"  handover    what a handover costs both workers together\n"
	"  noise       probes for noise and nothing else, a line of JSON\n"
	"  idle        packets both ways and nothing timed, to be run under valgrind\n"
	"\n"
	"  --json FILE     write the figures\n"
	"  --rounds N      samples of each figure (default 200)\n"
	"  --sessions N    sessions of `sessions` and `idle` (default 10240, 64)\n"
	"  --cpu N         run there\n"
	"  --no-mobility   mobility off\n"
	"  --help, --version\n";

static const struct option long_options[] = {
	{ "json", required_argument, NULL, 'j' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "sessions", required_argument, NULL, 's' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "no-mobility", no_argument, NULL, 'm' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

// How quiet this CPU is. The least of many probes is what a quiet moment looks like here.
static int noise(struct pg_micro *m)
{
	struct pg_samples s = { 0 };
	struct pg_summary sum;
	int rc = 0;

	for (unsigned i = 0; i < m->rounds * 20 && rc == 0; i++)
		rc = pg_samples_add(&s, pg_noise_probe(), false);
	sum = pg_samples_summary(&s);
	printf("{\"floor\": %.4f, \"median\": %.4f, \"p90\": %.4f, \"n\": %u}\n", pg_noise_floor(),
		sum.median, sum.p90, sum.total);
	pg_samples_done(&s);
	return rc;
}

static const struct {
	const char *name;
	int (*run)(struct pg_micro *m);
	bool eal;
	bool timed;
	uint32_t sessions;
} benches[] = {
	{ "crypto", pg_micro_crypto, false, true, 0 },
	{ "pipeline", pg_micro_pipeline, true, true, 0 },
	{ "dataplane", pg_micro_dataplane, true, true, 0 },
	{ "sessions", pg_micro_sessions, true, true, 10240 },
	{ "handover", pg_micro_handover, true, true, 0 },
	{ "noise", noise, false, false, 0 },
	{ "idle", pg_micro_idle, true, false, 64 },
};
#define BENCHES (sizeof(benches) / sizeof(benches[0]))

struct args {
	struct pg_micro m;
	const char *json;
	int cpu;
};

// Take one option. Returns 0, or the exit status to end with plus one.
static int take(struct args *a, int c)
{
	unsigned long n = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;

	switch (c) {
	case 'j': a->json = optarg; return 0;
	case 'r': a->m.rounds = n > 100000 ? 0 : (unsigned)n; break;
	case 's':
		// Sessions are installed in steps of 64.
		a->m.sessions = n > SHM_SESSIONS_MAX || n % 64 != 0 ? 0 : (uint32_t)n;
		if (a->m.sessions == 0) {
			(void)fprintf(stderr,
				"visp-microbench: --sessions wants a multiple of 64 "
				"up to 1048576\n");
			return 3;
		}
		break;
	case 'c': a->cpu = (int)n; break;
	case 'm': a->m.mobility = false; break;
	case 'h': (void)fputs(usage_text, stdout); return 1;
	case 'V': puts("visp-microbench " VISP_VERSION); return 1;
	default: (void)fputs(usage_text, stderr); return 3;
	}
	return 0;
}

static int run(struct args *a, unsigned i)
{
	int rc = pg_pin(a->cpu);

	if (rc < 0)
		return rc;
	if (benches[i].eal) {
		rc = pg_eal_start(EAL_MB, benches[i].timed); // valgrind knows no huge pages
		if (rc < 0)
			return rc;
	}
	if (!benches[i].timed)
		return benches[i].run(&a->m);
	(void)pg_noise_learn(LEARN_MS);
	rc = pg_report_open(&a->m.report, benches[i].name, a->json);
	if (rc < 0)
		return rc;
	rc = benches[i].run(&a->m);
	return rc < 0 ? rc : pg_report_close(&a->m.report);
}

int main(int argc, char **argv)
{
	struct args a = { .m = { .rounds = 200, .mobility = true }, .cpu = -1 };
	const char *name;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		rc = take(&a, c);
		if (rc != 0)
			return rc - 1;
	}
	name = optind + 1 == argc ? argv[optind] : "";
	for (unsigned i = 0; i < BENCHES; i++) {
		if (strcmp(name, benches[i].name) != 0)
			continue;
		if (a.m.sessions == 0)
			a.m.sessions = benches[i].sessions;
		rc = a.m.rounds > 0 ? run(&a, i) : -EINVAL;
		if (rc < 0)
			(void)fprintf(stderr, "visp-microbench: %s: %s\n", name, strerror(-rc));
		return rc < 0 ? 1 : 0;
	}
	(void)fputs(usage_text, stderr);
	return 2;
}
