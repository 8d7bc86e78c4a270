// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/load.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <rte_prefetch.h>

#define MOVER_STEP 7919u // a prime: neighbours in the table don't move together

static uint64_t random64(struct pg_load *l)
{
	// xorshift64*
	l->random ^= l->random >> 12;
	l->random ^= l->random << 25;
	l->random ^= l->random >> 27;
	return l->random * 2685821657736338717ull;
}

static uint32_t choose(struct pg_load *l)
{
	uint32_t n = l->fleet->n;
	double u;

	if (l->o.in_turn) {
		l->next_turn = (l->next_turn + 1) % n;
		return l->next_turn;
	}
	if (!l->o.zipf)
		return (uint32_t)((random64(l) >> 32) * n >> 32);
	// The k-th client gets about 1/k of the packets: the inverse of a logarithm.
	u = (double)(random64(l) >> 11) / 9007199254740992.0;
	return (uint32_t)(exp(u * log((double)n + 1)) - 1) % n;
}

static uint16_t size_of(struct pg_load *l)
{
	unsigned r;

	if (l->o.size != 0)
		return l->o.size;
	r = (unsigned)(random64(l) >> 32) % 12;
	if (r < 7)
		return 64;
	return r < 11 ? 576 : 1400;
}

// What nobody with the keys sent is as false at the hundredth time as at the first.
static int forge(struct pg_load *l)
{
	l->forged = calloc(PG_FORGED, sizeof(*l->forged));
	for (unsigned i = 0; l->forged != NULL && i < PG_FORGED; i++)
		l->forged[i].len = (uint16_t)pg_frame_hostile(l->fleet, i % PG_HOSTILE_KINDS,
			choose(l), size_of(l), random64(l), l->forged[i].frame);
	return l->forged == NULL ? -ENOMEM : 0;
}

int pg_load_init(
	struct pg_load *l, struct pg_fleet *fleet, const struct pg_load_options *o, bool moves)
{
	memset(l, 0, sizeof(*l));
	l->o = *o;
	l->fleet = fleet;
	l->random = 0x9e3779b97f4a7c15ull; // the same sequence in each run
	if (o->hostile > 0 && forge(l) < 0)
		return -ENOMEM;
	if (!moves)
		return 0;
	l->moved_tsc = calloc(fleet->n, sizeof(*l->moved_tsc));
	return l->moved_tsc == NULL ? -ENOMEM : 0;
}

void pg_load_done(struct pg_load *l)
{
	free(l->forged);
	l->forged = NULL;
	free(l->moved_tsc);
	l->moved_tsc = NULL;
}

void pg_load_clear(struct pg_load *l)
{
	l->moves = 0;
}

static void set_len(struct rte_mbuf *m, uint32_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

// Keep one frame of a burst for somebody who will send it again.
static void remember(struct pg_load *l, const struct rte_mbuf *m)
{
	unsigned i = l->replays++ % PG_REPLAYS;

	if (m->pkt_len > PG_LOAD_ROOM)
		return;
	l->replay[i].len = m->data_len;
	memcpy(l->replay[i].frame, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

void pg_load_good(struct pg_load *l, struct rte_mbuf **pkt, unsigned n, bool up, uint64_t tsc)
{
	struct dp_crypto_op op[PG_LOAD_BURST];
	uint32_t slot[PG_LOAD_BURST];

	for (unsigned i = 0; i < n; i++) {
		slot[i] = choose(l);
		rte_prefetch0(&l->fleet->client[slot[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t *frame = rte_pktmbuf_mtod(pkt[i], uint8_t *);
		uint16_t size = size_of(l);

		set_len(pkt[i],
			up ? pg_frame_up(l->fleet, slot[i], size, tsc, frame, &op[i])
			   : pg_frame_down(l->fleet, slot[i], size, tsc, frame));
		if (up && l->o.sealed)
			dp_crypto_prefetch(&op[i], false);
	}
	if (!up)
		return;
	if (l->o.sealed)
		(void)dp_crypto_seal(l->fleet->crypto, op, n); // the cipher is a known one
	if (l->o.hostile > 0)
		remember(l, pkt[0]);
}

unsigned pg_load_hostile_due(struct pg_load *l, unsigned n)
{
	unsigned due;

	l->hostile_due += l->o.hostile * n;
	due = (unsigned)l->hostile_due;
	if (due > PG_LOAD_BURST)
		due = PG_LOAD_BURST;
	l->hostile_due -= due;
	return due;
}

void pg_load_unsent(struct pg_load *l)
{
	l->replays -= l->replays > 0;
}

void pg_load_hostile(struct pg_load *l, struct rte_mbuf *m)
{
	unsigned i = l->hostile_kind++;
	const struct pg_kept *k = &l->forged[i % PG_FORGED];

	if (i % (PG_HOSTILE_KINDS + 1) == 0 && l->replays > 0)
		k = &l->replay[i / (PG_HOSTILE_KINDS + 1) %
			(l->replays < PG_REPLAYS ? l->replays : PG_REPLAYS)];
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), k->frame, k->len);
	set_len(m, k->len);
}

bool pg_load_move(struct pg_load *l, struct rte_mbuf *m, uint64_t tsc)
{
	struct dp_crypto_op op;
	uint32_t slot = l->next_mover, len;
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	l->next_mover = (l->next_mover + MOVER_STEP) % l->fleet->n;
	l->fleet->client[slot].moves++;
	l->moved_tsc[slot] = tsc;
	l->moves++;
	if (l->o.float_only)
		return false;
	len = pg_frame_ping(l->fleet, slot, frame, &op);
	(void)dp_crypto_seal(l->fleet->crypto, &op, 1); // the cipher is a known one
	set_len(m, pg_frame_reconf_end(slot, frame, len));
	return true;
}

uint32_t pg_load_frame(struct pg_load *l, bool up, uint8_t frame[PG_LOAD_ROOM])
{
	struct dp_crypto_op op;
	uint32_t len;

	if (!up)
		return pg_frame_down(l->fleet, choose(l), size_of(l), 0, frame);
	len = pg_frame_up(l->fleet, choose(l), size_of(l), 0, frame, &op);
	(void)dp_crypto_seal(l->fleet->crypto, &op, 1); // the cipher is a known one
	return len;
}
