// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "bench/micro/micro.h"

const uint16_t pg_sizes[PG_SIZES] = { 64, 256, 512, 1024, 1400 };

int pg_batch_init(struct pg_batch *b, struct rte_mempool *pool)
{
	memset(b, 0, sizeof(*b));
	b->random = 88172645463325252ull;
	return rte_pktmbuf_alloc_bulk(pool, b->pkt, PG_MICRO_PACKETS) == 0 ? 0 : -ENOMEM;
}

void pg_batch_done(struct pg_batch *b)
{
	for (unsigned i = 0; i < PG_MICRO_PACKETS; i++) {
		rte_pktmbuf_free(b->pkt[i]);
		b->pkt[i] = NULL;
	}
}

uint32_t pg_batch_random(struct pg_batch *b, uint32_t n)
{
	// xorshift64
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (uint32_t)((b->random >> 32) * n >> 32);
}

static uint8_t *fresh(struct rte_mbuf *m)
{
	rte_pktmbuf_reset(m);
	return rte_pktmbuf_mtod(m, uint8_t *);
}

static void set_len(struct rte_mbuf *m, uint32_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

void pg_batch_seal(struct pg_batch *b, struct pg_fleet *f, unsigned n)
{
	for (unsigned i = 0; i < n; i += DP_CRYPTO_OPS) {
		unsigned k = n - i < DP_CRYPTO_OPS ? n - i : DP_CRYPTO_OPS;

		(void)dp_crypto_seal(f->crypto, &b->op[i], k); // the cipher is a known one
	}
}

void pg_batch_up(struct pg_batch *b, struct pg_fleet *f, uint32_t sessions, uint16_t inner_len)
{
	for (unsigned i = 0; i < PG_MICRO_PACKETS; i++) {
		uint8_t *frame = fresh(b->pkt[i]);

		b->slot[i] = pg_batch_random(b, sessions);
		set_len(b->pkt[i], pg_frame_up(f, b->slot[i], inner_len, 0, frame, &b->op[i]));
	}
	pg_batch_seal(b, f, PG_MICRO_PACKETS);
}

void pg_batch_down(struct pg_batch *b, struct pg_fleet *f, uint32_t sessions, uint16_t inner_len)
{
	for (unsigned i = 0; i < PG_MICRO_PACKETS; i++) {
		uint8_t *frame = fresh(b->pkt[i]);

		b->slot[i] = pg_batch_random(b, sessions);
		set_len(b->pkt[i], pg_frame_down(f, b->slot[i], inner_len, 0, frame));
	}
}

unsigned pg_batch_drain(struct pg_batch *b, struct rte_ring *from, unsigned n)
{
	void *m;
	unsigned got = 0;

	while (rte_ring_sc_dequeue(from, &m) == 0) {
		if (got < n)
			b->pkt[got++] = m;
		else
			rte_pktmbuf_free(m);
	}
	return n - got;
}
