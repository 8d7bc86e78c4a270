// SPDX-License-Identifier: BSD-3-Clause
// What a handover costs the server: clients that were worker A's move to addresses whose packets
// reach worker B. Both workers run in turn in this thread until every answer has left, so the
// cycles of both are counted. All of it is in: B's look-up, the hand-off, A's decryption, the new
// endpoint, the event for control, ownership for B, the Ping that answers.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "bench/noise.h"

#define CLIENTS 512u // all move in each round
// Frames at once: fewer than a full burst, so that the limit on unproven packets of a loaded worker
// doesn't bind.
#define CHUNK 16u
#define PAUSE_MS 1100u // limits of moves and of changes of owner are full again

struct lab {
	struct pg_host *host;
	struct pg_fleet fleet;
	struct pg_batch batch;
	struct pg_samples move, single, ping;
	unsigned at; // worker whose queue the clients' packets reach
};

static void frames(struct lab *l, bool reconf)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct rte_mbuf *m = l->batch.pkt[i];
		uint32_t len;

		rte_pktmbuf_reset(m);
		if (reconf)
			l->fleet.client[i].moves++;
		len = pg_frame_ping(&l->fleet, i, rte_pktmbuf_mtod(m, uint8_t *), &l->batch.op[i]);
		m->data_len = (uint16_t)len;
		m->pkt_len = len;
	}
	pg_batch_seal(&l->batch, &l->fleet, CLIENTS);
	for (unsigned i = 0; i < CLIENTS && reconf; i++) {
		struct rte_mbuf *m = l->batch.pkt[i];
		uint32_t len = pg_frame_reconf_end(i, rte_pktmbuf_mtod(m, uint8_t *), m->pkt_len);

		m->data_len = (uint16_t)len;
		m->pkt_len = len;
	}
}

static uint64_t handovers(struct lab *l)
{
	return pg_host_count(l->host, 0, DP_COUNT_handovers) +
		pg_host_count(l->host, 1, DP_COUNT_handovers);
}

static uint64_t answers(struct lab *l)
{
	return pg_host_count(l->host, 0, DP_COUNT_answers_sent) +
		pg_host_count(l->host, 1, DP_COUNT_answers_sent);
}

// Both workers in turn until nothing is left to do.
static void run(struct lab *l)
{
	unsigned n;

	do {
		n = dp_worker_iterate(pg_host_worker(l->host, l->at));
		n += dp_worker_iterate(pg_host_worker(l->host, l->at ^ 1));
	} while (n > 0);
}

static void take_back(struct lab *l)
{
	void *m;

	for (unsigned i = 0; i < 2; i++) {
		while (rte_ring_sc_dequeue(pg_host_from(l->host, true, i), &m) == 0)
			rte_pktmbuf_free(m);
	}
}

// The packets of a round are the worker's from here on; new buffers take their place.
static uint64_t time_run(struct lab *l)
{
	struct rte_ring *to = pg_host_to(l->host, true, l->at);
	uint64_t start = pg_tsc();

	for (unsigned i = 0; i < CLIENTS; i += CHUNK) {
		(void)rte_ring_sp_enqueue_bulk(
			to, (void **)&l->batch.pkt[i], CHUNK, NULL); // it is empty
		run(l);
	}
	return pg_tsc() - start;
}

// Frames of all clients to the queue l->at. Returns cycles a client.
static int step(struct lab *l, bool reconf, double *ret_cycles)
{
	frames(l, reconf);
	*ret_cycles = (double)time_run(l) / CLIENTS;
	(void)pg_host_turn(l->host); // events of the moves
	take_back(l);
	return rte_pktmbuf_alloc_bulk(pg_host_pool(l->host), l->batch.pkt, CLIENTS) == 0 ? 0
											 : -ENOMEM;
}

// One round: all move to the other worker's queue, then all send an ordinary Ping from there.
// same: the queue stays the same, only the address changes.
static int round_of(struct lab *l, bool same)
{
	double us = pg_tsc_hz() / 1e6, moved = 0, pinged = 0;
	uint64_t before = handovers(l), answered = answers(l);
	bool quiet;
	int rc;

	pg_host_pass_ms(l->host, PAUSE_MS);
	if (!same)
		l->at ^= 1;
	quiet = pg_noise_quiet(pg_noise_probe());
	rc = step(l, true, &moved);
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	if (rc < 0)
		return rc;
	if (handovers(l) - before != CLIENTS || answers(l) - answered != CLIENTS) {
		(void)fprintf(stderr, "%lu of %u clients moved, %lu were answered\n",
			(unsigned long)(handovers(l) - before), CLIENTS,
			(unsigned long)(answers(l) - answered));
		pg_host_print_drops(l->host);
		return -EIO;
	}
	rc = step(l, false, &pinged);
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	if (rc == 0)
		rc = pg_samples_add(same ? &l->single : &l->move, moved / us, quiet);
	return rc < 0 ? rc : pg_samples_add(&l->ping, pinged / us, quiet);
}

static int lab_init(struct lab *l)
{
	struct pg_host_options o = { .sessions = 1024, .workers = 2, .mobility = true };
	int rc = pg_fleet_create(&l->fleet, o.sessions, OVPN_CIPHER_AES_256_GCM);

	if (rc < 0)
		return rc;
	l->host = pg_host_create(&o);
	if (l->host == NULL)
		return -errno;
	rc = pg_batch_init(&l->batch, pg_host_pool(l->host));
	if (rc == 0)
		rc = pg_host_install(l->host, &l->fleet, 0, o.sessions);
	run(l);
	return rc;
}

static void report(struct pg_micro *m, struct lab *l)
{
	struct pg_figure f = { .id = "handover.ping_us", .unit = "us" };

	f.summary = pg_samples_summary(&l->ping);
	pg_report_add(&m->report, &f);
	f.reference = f.summary.median;
	f.id = "handover.one_shard_us";
	f.summary = pg_samples_summary(&l->single);
	f.ratio = f.summary.median / f.reference;
	pg_report_add(&m->report, &f);
	f.id = "handover.cost_us";
	f.summary = pg_samples_summary(&l->move);
	f.ratio = f.summary.median / f.reference;
	pg_report_add(&m->report, &f);
}

int pg_micro_handover(struct pg_micro *m)
{
	struct lab *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? lab_init(l) : -ENOMEM;

	for (unsigned i = 0; rc == 0 && !pg_samples_enough(&l->move, m->rounds); i++)
		rc = round_of(l, i % 2 == 0);
	if (rc == 0)
		report(m, l);
	if (l == NULL)
		return rc;
	pg_samples_done(&l->move);
	pg_samples_done(&l->single);
	pg_samples_done(&l->ping);
	if (l->host != NULL)
		pg_batch_done(&l->batch);
	l->host = pg_host_free(l->host);
	pg_fleet_done(&l->fleet);
	free(l);
	return rc;
}
