// SPDX-License-Identifier: BSD-3-Clause
// A whole iteration of a worker over rings in memory. Each round takes, on equal packets and
// between the same probes: raw IPsec-MB calls with the dataplane's own expanded keys, passing the
// frames through the port's rings and nothing else, and the worker. What the worker adds to the
// two others is its own: parsing, look-up, replay, checks, headers, counters.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "bench/micro/micro.h"
#include "bench/noise.h"

#define N PG_MICRO_PACKETS
#define SESSIONS 1024u

struct lab {
	struct pg_host *host;
	struct pg_fleet fleet;
	struct pg_batch batch;
	IMB_MGR *mb;
	struct pg_samples raw, io, total, own, share;
};

// Direct calls on the payload of every packet of the batch.
static uint64_t time_raw(struct lab *l, bool up)
{
	aes_gcm_enc_dec_t call = up ? l->mb->gcm256_dec : l->mb->gcm256_enc;
	struct gcm_context_data ctx;
	uint8_t tag[16], nonce[12] = { 0 };
	uint64_t start = pg_tsc();

	for (unsigned i = 0; i < N; i++) {
		struct dp_crypto_op *o = &l->batch.op[i];

		memcpy(nonce, &o->packet_id, 4);
		call((const struct gcm_key_data *)pg_host_cell(l->host, l->batch.slot[i], up), &ctx,
			o->data, o->data, o->len, nonce, o->aad, 8, tag, sizeof(tag));
	}
	return pg_tsc() - start;
}

static void offer(struct lab *l, bool up)
{
	(void)rte_ring_sp_enqueue_bulk(
		pg_host_to(l->host, up, 0), (void **)l->batch.pkt, N, NULL); // it is empty
}

// Through both ports' rings in bursts, untouched.
static uint64_t time_io(struct lab *l, bool up)
{
	uint16_t in = pg_host_port(l->host, up), out = pg_host_port(l->host, !up);
	struct rte_mbuf *pkt[PG_MICRO_BATCH];
	uint64_t start;
	uint16_t n;

	offer(l, up);
	start = pg_tsc();
	while ((n = rte_eth_rx_burst(in, 0, pkt, PG_MICRO_BATCH)) > 0)
		(void)rte_eth_tx_burst(out, 0, pkt, n); // the ring holds them all
	return pg_tsc() - start;
}

static uint64_t time_worker(struct lab *l, bool up)
{
	struct dp_worker *w = pg_host_worker(l->host, 0);
	struct rte_ring *to = pg_host_to(l->host, up, 0);
	uint64_t start;

	offer(l, up);
	start = pg_tsc();
	while (!rte_ring_empty(to))
		(void)dp_worker_iterate(w);
	return pg_tsc() - start;
}

static void prepare(struct lab *l, bool up, uint16_t len)
{
	if (up) {
		pg_batch_up(&l->batch, &l->fleet, SESSIONS, len);
		return;
	}
	pg_batch_down(&l->batch, &l->fleet, SESSIONS, len);
	for (unsigned i = 0; i < N; i++) { // for the raw calls
		uint8_t *frame = rte_pktmbuf_mtod(l->batch.pkt[i], uint8_t *);

		l->batch.op[i] = (struct dp_crypto_op){
			.data = frame + 14, .len = len, .aad = frame, .packet_id = i + 1
		};
	}
}

static int keep(struct lab *l, uint64_t raw, uint64_t io, uint64_t total, bool quiet)
{
	double own = ((double)total - (double)raw - (double)io) / N;
	int rc = pg_samples_add(&l->raw, (double)raw / N, quiet);

	if (rc == 0)
		rc = pg_samples_add(&l->io, (double)io / N, quiet);
	if (rc == 0)
		rc = pg_samples_add(&l->total, (double)total / N, quiet);
	if (rc == 0)
		rc = pg_samples_add(&l->own, own, quiet);
	if (rc == 0)
		rc = pg_samples_add(&l->share, (double)raw / (double)total, quiet);
	return rc;
}

static int round_of(struct lab *l, bool up, uint16_t len)
{
	struct rte_ring *from = pg_host_from(l->host, !up, 0);
	uint64_t raw, io, total;
	bool quiet;

	prepare(l, up, len);
	quiet = pg_noise_quiet(pg_noise_probe());
	raw = time_raw(l, up);
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	prepare(l, up, len);
	io = time_io(l, up);
	(void)pg_batch_drain(&l->batch, from, N);
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	total = time_worker(l, up);
	quiet = pg_noise_quiet(pg_noise_probe()) && quiet;
	(void)pg_host_turn(l->host); // nothing was asked for
	if (pg_batch_drain(&l->batch, from, N) != 0) {
		(void)fprintf(stderr, "packets were lost in the worker\n");
		pg_host_print_drops(l->host);
		return -EIO;
	}
	return keep(l, raw, io, total, quiet);
}

static int lab_init(struct lab *l, struct pg_micro *m, uint32_t sessions)
{
	struct pg_host_options o = { .sessions = sessions, .workers = 1, .mobility = m->mobility };
	int rc;

	memset(l, 0, sizeof(*l));
	l->mb = alloc_mb_mgr(0);
	if (l->mb == NULL)
		return -ENOMEM;
	init_mb_mgr_auto(l->mb, NULL);
	rc = pg_fleet_create(&l->fleet, sessions, OVPN_CIPHER_AES_256_GCM);
	if (rc < 0)
		return rc;
	l->host = pg_host_create(&o);
	if (l->host == NULL)
		return -errno;
	rc = pg_batch_init(&l->batch, pg_host_pool(l->host));
	return rc < 0 ? rc : pg_host_install(l->host, &l->fleet, 0, sessions);
}

static void lab_done(struct lab *l)
{
	pg_samples_done(&l->raw);
	pg_samples_done(&l->io);
	pg_samples_done(&l->total);
	pg_samples_done(&l->own);
	pg_samples_done(&l->share);
	if (l->host != NULL)
		pg_batch_done(&l->batch);
	l->host = pg_host_free(l->host);
	pg_fleet_done(&l->fleet);
	if (l->mb != NULL)
		free_mb_mgr(l->mb);
	free(l);
}

static int measure(struct pg_micro *m, struct lab *l, bool up, uint16_t len)
{
	int rc = 0;

	l->raw.n = l->io.n = l->total.n = l->own.n = l->share.n = 0;
	for (unsigned i = 0; i < 4 && rc == 0; i++) // caches and tables become warm
		rc = round_of(l, up, len);
	l->raw.n = l->io.n = l->total.n = l->own.n = l->share.n = 0;
	while (rc == 0 && !pg_samples_enough(&l->own, m->rounds))
		rc = round_of(l, up, len);
	return rc;
}

static void report_size(struct pg_micro *m, struct lab *l, const char *way, uint16_t len)
{
	char id[64];
	struct pg_figure f = { .id = id, .unit = "cycles" };

	f.summary = pg_samples_summary(&l->raw);
	(void)snprintf(id, sizeof(id), "pipeline.%s.%u.raw", way, len);
	pg_report_add(&m->report, &f);
	f.summary = pg_samples_summary(&l->io);
	(void)snprintf(id, sizeof(id), "pipeline.%s.%u.io", way, len);
	pg_report_add(&m->report, &f);
	f.summary = pg_samples_summary(&l->total);
	f.reference = pg_samples_summary(&l->raw).median;
	f.ratio = f.summary.median / f.reference;
	(void)snprintf(id, sizeof(id), "pipeline.%s.%u.total", way, len);
	pg_report_add(&m->report, &f);
	f.summary = pg_samples_summary(&l->own);
	f.reference = f.ratio = 0;
	(void)snprintf(id, sizeof(id), "pipeline.%s.%u.own_cycles", way, len);
	pg_report_add(&m->report, &f);
}

// The figure of a direction is that of its worst size.
static int direction(struct pg_micro *m, struct lab *l, bool up)
{
	const char *way = up ? "decrypt" : "encrypt";
	char id[64];
	struct pg_figure worst = { .id = id, .unit = "cycles" };

	for (unsigned i = 0; i < PG_SIZES; i++) {
		int rc = measure(m, l, up, pg_sizes[i]);
		struct pg_summary own;

		if (rc < 0)
			return rc;
		report_size(m, l, way, pg_sizes[i]);
		own = pg_samples_summary(&l->own);
		if (i == 0 || own.median > worst.summary.median) {
			worst.summary = own;
			worst.reference = pg_samples_summary(&l->raw).median;
		}
	}
	(void)snprintf(id, sizeof(id), "pipeline.%s.own_cycles", way);
	worst.ratio = worst.summary.median / worst.reference;
	pg_report_add(&m->report, &worst);
	return 0;
}

int pg_micro_pipeline(struct pg_micro *m)
{
	struct lab *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? lab_init(l, m, SESSIONS) : -ENOMEM;

	if (rc == 0)
		rc = direction(m, l, true);
	if (rc == 0)
		rc = direction(m, l, false);
	if (l != NULL)
		lab_done(l);
	return rc;
}

int pg_micro_dataplane(struct pg_micro *m)
{
	struct lab *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? lab_init(l, m, SESSIONS) : -ENOMEM;

	for (unsigned i = 0; i < PG_SIZES && rc == 0; i++) {
		char id[64];
		struct pg_figure f = { .id = id, .unit = "Mpps" };
		double hz = pg_tsc_hz() / 1e6;

		rc = measure(m, l, true, pg_sizes[i]);
		if (rc < 0)
			break;
		f.summary = pg_samples_summary(&l->total);
		f.summary = (struct pg_summary){
			.median = hz / f.summary.median,
			.min = hz / f.summary.max,
			.max = hz / f.summary.min,
			.p10 = hz / f.summary.p90,
			.p90 = hz / f.summary.p10,
			.n = f.summary.n,
			.quiet = f.summary.quiet,
			.total = f.summary.total,
		};
		f.reference = hz / pg_samples_summary(&l->raw).median;
		f.ratio = f.summary.median / f.reference;
		(void)snprintf(id, sizeof(id), "dataplane.ring.%u.rate", pg_sizes[i]);
		pg_report_add(&m->report, &f);
		f = (struct pg_figure){ .id = id, .unit = "of raw" };
		f.summary = pg_samples_summary(&l->share);
		(void)snprintf(id, sizeof(id), "dataplane.ring.%u.share", pg_sizes[i]);
		pg_report_add(&m->report, &f);
	}
	if (l != NULL)
		lab_done(l);
	return rc;
}

// For valgrind: a fixed number of packets through the worker, both ways, and nothing timed.
int pg_micro_idle(struct pg_micro *m)
{
	struct lab *l = calloc(1, sizeof(*l));
	int rc = l != NULL ? lab_init(l, m, m->sessions) : -ENOMEM;

	for (unsigned i = 0; i < m->rounds * 2 && rc == 0; i++) {
		bool up = i % 2 == 0;

		if (up)
			pg_batch_up(&l->batch, &l->fleet, m->sessions, 512);
		else
			pg_batch_down(&l->batch, &l->fleet, m->sessions, 512);
		(void)time_worker(l, up);
		(void)pg_host_turn(l->host); // nothing was asked for
		if (pg_batch_drain(&l->batch, pg_host_from(l->host, !up, 0), N) != 0)
			rc = -EIO;
	}
	if (rc == 0)
		printf("packets: %u\n", m->rounds * 2 * N);
	if (l != NULL)
		lab_done(l);
	return rc;
}
