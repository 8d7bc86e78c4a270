// SPDX-License-Identifier: BSD-3-Clause
// What the number of sessions costs: 64-byte packets of many sessions against those of one, over
// the same rings in the same rounds; and how fast sessions are made.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "bench/noise.h"

#define N PG_MICRO_PACKETS
#define INSTALL_STEP 64u // sessions of one sample: their commands fit the ring
#define WARM_ROUNDS 256u // before any counts: of 10,240 sessions each has come 25 times then

struct lab {
	struct pg_host *host;
	struct pg_fleet fleet;
	struct pg_batch batch;
	struct pg_samples one, many, ratio, install;
	struct pg_samples keys_one, keys_many; // decryption alone
};

static int install_step(struct lab *l, uint32_t first)
{
	struct dp_worker *w = pg_host_worker(l->host, 0);
	uint64_t done = pg_host_count(l->host, 0, DP_COUNT_commands) + INSTALL_STEP * 2;
	struct shm_cmd cmd;
	uint64_t start;
	double cycles;
	bool quiet;

	for (uint32_t slot = first; slot < first + INSTALL_STEP; slot++) {
		pg_fleet_install(&l->fleet, slot, &cmd);
		(void)pg_host_command(l->host, 0, &cmd); // there is room
		pg_fleet_key(&l->fleet, slot, &cmd);
		(void)pg_host_command(l->host, 0, &cmd);
	}
	quiet = pg_noise_quiet(pg_noise_probe());
	start = pg_tsc();
	for (unsigned i = 0; i < INSTALL_STEP * 4; i++) {
		(void)dp_worker_iterate(w);
		if (pg_host_count(l->host, 0, DP_COUNT_commands) >= done)
			break;
	}
	cycles = (double)(pg_tsc() - start) / INSTALL_STEP;
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	if (pg_host_turn(l->host) > 0 || pg_host_count(l->host, 0, DP_COUNT_commands) < done)
		return -EIO;
	return pg_samples_add(&l->install, pg_tsc_hz() / cycles, quiet);
}

static int install_all(struct lab *l, uint32_t sessions)
{
	int rc = 0;

	for (uint32_t i = 0; i < sessions && rc == 0; i += INSTALL_STEP)
		rc = install_step(l, i);
	return rc;
}

// Cycles a packet of uniformly chosen sessions, ports included.
static int time_packets(struct lab *l, uint32_t sessions, bool up, uint16_t len, double *ret_cycles)
{
	struct rte_ring *to = pg_host_to(l->host, up, 0);
	struct rte_ring *from = pg_host_from(l->host, !up, 0);
	uint64_t start;

	if (up)
		pg_batch_up(&l->batch, &l->fleet, sessions, len);
	else
		pg_batch_down(&l->batch, &l->fleet, sessions, len);
	(void)rte_ring_sp_enqueue_bulk(to, (void **)l->batch.pkt, N, NULL); // it is empty
	start = pg_tsc();
	while (!rte_ring_empty(to))
		(void)dp_worker_iterate(pg_host_worker(l->host, 0));
	*ret_cycles = (double)(pg_tsc() - start) / N;
	(void)pg_host_turn(l->host); // nothing was asked for
	if (pg_batch_drain(&l->batch, from, N) == 0)
		return 0;
	pg_host_print_drops(l->host);
	return -EIO;
}

// Cycles a packet of decryption alone, with the dataplane's own keys in its own way: what their
// lines cost a program that does nothing else.
static double time_keys(struct lab *l, uint32_t sessions, uint16_t len)
{
	uint64_t start;

	pg_batch_up(&l->batch, &l->fleet, sessions, len);
	for (unsigned i = 0; i < N; i++)
		l->batch.op[i].cell = pg_host_cell(l->host, l->batch.slot[i], true);
	start = pg_tsc();
	for (unsigned i = 0; i < N; i += PG_MICRO_BATCH) {
		for (unsigned k = 0; k < PG_MICRO_BATCH; k++)
			dp_crypto_prefetch(&l->batch.op[i + k], false);
		(void)dp_crypto_open(l->fleet.crypto, &l->batch.op[i], PG_MICRO_BATCH);
	}
	return (double)(pg_tsc() - start) / N;
}

static int add_keys(struct lab *l, uint32_t sessions, uint16_t len)
{
	bool quiet = pg_noise_quiet(pg_noise_probe());
	double one = time_keys(l, 1, len), many = time_keys(l, sessions, len);
	int rc;

	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	rc = pg_samples_add(&l->keys_one, one, quiet);
	return rc < 0 ? rc : pg_samples_add(&l->keys_many, many, quiet);
}

static int round_of(struct lab *l, uint32_t sessions, bool up, uint16_t len)
{
	double one, many;
	bool quiet = pg_noise_quiet(pg_noise_probe());
	int rc = time_packets(l, 1, up, len, &one);

	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	if (rc == 0)
		rc = time_packets(l, sessions, up, len, &many);
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	if (rc == 0)
		rc = pg_samples_add(&l->one, one, quiet);
	if (rc == 0)
		rc = pg_samples_add(&l->many, many, quiet);
	return rc < 0 ? rc : pg_samples_add(&l->ratio, one / many, quiet);
}

static int lab_init(struct lab *l, const struct pg_micro *m)
{
	struct pg_host_options o = {
		.sessions = m->sessions, .workers = 1, .mobility = m->mobility
	};
	int rc = pg_fleet_create(&l->fleet, m->sessions, OVPN_CIPHER_AES_256_GCM);

	if (rc < 0)
		return rc;
	l->host = pg_host_create(&o);
	if (l->host == NULL)
		return -errno;
	rc = pg_batch_init(&l->batch, pg_host_pool(l->host));
	return rc < 0 ? rc : install_all(l, m->sessions);
}

static void report_keys(struct pg_micro *m, struct lab *l, uint16_t len)
{
	char id[64];
	struct pg_figure keys = { .id = id, .unit = "cycles" };

	keys.summary = pg_samples_summary(&l->keys_many);
	keys.reference = pg_samples_summary(&l->keys_one).median;
	keys.ratio = keys.summary.median / keys.reference;
	(void)snprintf(id, sizeof(id), "sessions.keys.%u.%u.cycles", len, m->sessions);
	pg_report_add(&m->report, &keys);
}

static void report(struct pg_micro *m, struct lab *l, bool up, uint16_t len)
{
	const char *way = up ? "ring" : "down";
	char id[64];
	struct pg_figure one = { .id = id, .unit = "cycles" };
	struct pg_figure many = { .id = id, .unit = "cycles" };
	struct pg_figure ratio = { .id = id, .unit = "of one" };

	one.summary = pg_samples_summary(&l->one);
	many.summary = pg_samples_summary(&l->many);
	many.reference = one.summary.median;
	many.ratio = many.summary.median / many.reference;
	ratio.summary = pg_samples_summary(&l->ratio);
	(void)snprintf(id, sizeof(id), "sessions.%s.%u.1.cycles", way, len);
	pg_report_add(&m->report, &one);
	(void)snprintf(id, sizeof(id), "sessions.%s.%u.%u.cycles", way, len, m->sessions);
	pg_report_add(&m->report, &many);
	if (m->sessions == 10240 && len == 64 && up)
		(void)snprintf(id, sizeof(id), "sessions.10k.ratio");
	else
		(void)snprintf(id, sizeof(id), "sessions.%s.%u.%u.ratio", way, len, m->sessions);
	pg_report_add(&m->report, &ratio);
}

// Both directions of one size; of decryption the crypto alone as well.
static int measure(struct pg_micro *m, struct lab *l, uint16_t len)
{
	int rc = 0;

	l->keys_one.n = l->keys_many.n = 0;
	for (unsigned way = 0; way < 2 && rc == 0; way++) {
		bool up = way == 0;

		for (unsigned i = 0; i < WARM_ROUNDS && rc == 0; i++)
			rc = round_of(l, m->sessions, up, len);
		l->one.n = l->many.n = l->ratio.n = 0;
		while (rc == 0 && !pg_samples_enough(&l->ratio, m->rounds)) {
			rc = round_of(l, m->sessions, up, len);
			if (rc == 0 && up)
				rc = add_keys(l, m->sessions, len);
		}
		if (rc == 0 && up)
			report_keys(m, l, len);
		if (rc == 0)
			report(m, l, up, len);
	}
	return rc;
}

int pg_micro_sessions(struct pg_micro *m)
{
	static const uint16_t sizes[] = { 64, 512 };
	struct lab *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? lab_init(l, m) : -ENOMEM;

	if (rc == 0) {
		struct pg_figure f = { .id = "sessions.install_rate", .unit = "1/s" };

		f.summary = pg_samples_summary(&l->install);
		pg_report_add(&m->report, &f);
	}
	for (unsigned s = 0; s < 2 && rc == 0; s++)
		rc = measure(m, l, sizes[s]);
	if (l == NULL)
		return rc;
	pg_samples_done(&l->one);
	pg_samples_done(&l->many);
	pg_samples_done(&l->ratio);
	pg_samples_done(&l->install);
	pg_samples_done(&l->keys_one);
	pg_samples_done(&l->keys_many);
	if (l->host != NULL)
		pg_batch_done(&l->batch);
	l->host = pg_host_free(l->host);
	pg_fleet_done(&l->fleet);
	free(l);
	return rc;
}
