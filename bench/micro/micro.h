// SPDX-License-Identifier: BSD-3-Clause
// The micro benches: what one thread does, in TSC cycles, beside a reference taken in the same
// round.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <intel-ipsec-mb.h>

#include "bench/host/host.h"
#include "bench/report.h"

#define PG_MICRO_PACKETS 512u // of a sample: they and their keys fit the second level cache
#define PG_MICRO_BATCH 32u
#define PG_SIZES 5u
extern const uint16_t pg_sizes[PG_SIZES]; // bytes of the inner packet

struct pg_micro {
	struct pg_report report;
	unsigned rounds; // samples of each figure
	bool mobility;
	uint32_t sessions; // of the bench `sessions`, of `idle`
};

// Packets of one sample, kept over all rounds: what the worker sends comes back.
struct pg_batch {
	struct rte_mbuf *pkt[PG_MICRO_PACKETS];
	struct dp_crypto_op op[PG_MICRO_PACKETS];
	uint32_t slot[PG_MICRO_PACKETS];
	uint64_t random;
};

// Take buffers from the pool. Returns 0 or -ENOMEM.
int pg_batch_init(struct pg_batch *b, struct rte_mempool *pool);
void pg_batch_done(struct pg_batch *b);

// Fill the batch with fresh frames of clients chosen uniformly from the first `sessions`: data
// packets of the clients, or plaintext for them. Each has its next packet-id.
void pg_batch_up(struct pg_batch *b, struct pg_fleet *f, uint32_t sessions, uint16_t inner_len);
void pg_batch_down(struct pg_batch *b, struct pg_fleet *f, uint32_t sessions, uint16_t inner_len);
// Encrypt what pg_batch_up() or a caller prepared.
void pg_batch_seal(struct pg_batch *b, struct pg_fleet *f, unsigned n);

// Take back n frames, from a ring; others in it (Pings) are freed. Returns those that were missing.
unsigned pg_batch_drain(struct pg_batch *b, struct rte_ring *from, unsigned n);

// A number below n, the same sequence in each run.
uint32_t pg_batch_random(struct pg_batch *b, uint32_t n);

int pg_micro_crypto(struct pg_micro *m);
int pg_micro_pipeline(struct pg_micro *m);
int pg_micro_dataplane(struct pg_micro *m);
int pg_micro_sessions(struct pg_micro *m);
int pg_micro_handover(struct pg_micro *m);
int pg_micro_idle(struct pg_micro *m);
