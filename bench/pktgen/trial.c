// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "bench/host/host.h"
#include "bench/noise.h"

#define DRAIN_S 0.25 // silence after which nothing more will come
#define POLL_EVERY 64u // turns between looks at the workers' events
#define OPEN_EVERY 8u // every so many downlink packets one is decrypted, for its stamp
#define WARM_UP_S 3.0
#define SEARCH_STEPS 10u
#define SEARCH_TRIES 3u // of a step
#define GREET_EVERY_S 0.002
#define ASK_AGAIN 3u // times, sessions that seem to be lost

struct state {
	struct pg_ends *e;
	struct pg_load *l;
	struct pg_result *r;
	struct pg_watch watch;
	struct rte_mbuf *ping; // of a client that moved, while the port is full
	double ns_per_cycle;
	uint64_t last_rx; // TSC
	uint64_t silence; // longest, in TSC cycles
	uint64_t next_greeting; // TSC; while the dataplane is gone
	unsigned turns;
	unsigned opened;
	bool up_next;
	bool restarts;
};

static void latency(struct state *s, uint64_t sent_tsc)
{
	uint64_t now = pg_tsc();

	pg_hdr_add(&s->r->latency,
		now > sent_tsc ? (uint64_t)((double)(now - sent_tsc) * s->ns_per_cycle) : 0);
}

// Plaintext that the dataplane let out.
static void from_inner(struct state *s, struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct pg_stamp stamp;
	struct pg_client *c;

	if (s->e->forwarder) {
		s->r->up.received++;
		s->r->up.bytes += m->pkt_len > PG_UP_HEAD ? m->pkt_len - PG_UP_HEAD : 0;
		return;
	}
	if (m->pkt_len < 14 || pg_stamp_read(frame + 14, m->pkt_len - 14, &stamp) < 0 ||
		stamp.slot >= s->l->fleet->n)
		return; // ARP and the like
	c = &s->l->fleet->client[stamp.slot];
	s->r->up.received++;
	s->r->up.bytes += m->pkt_len - 14;
	c->restarts = s->r->restarts;
	if (stamp.seq <= c->up_seen)
		s->r->up.reordered++;
	else
		c->up_seen = stamp.seq;
	latency(s, stamp.tsc);
}

static void answered(struct state *s, uint32_t slot)
{
	uint64_t *moved = s->l->moved_tsc;

	if (moved == NULL || moved[slot] == 0)
		return;
	pg_hdr_add(&s->r->outage, (uint64_t)((double)(pg_tsc() - moved[slot]) * s->ns_per_cycle));
	moved[slot] = 0;
	s->r->answered++;
}

// Datagrams to clients.
static void from_outer(struct state *s, struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct pg_stamp stamp;
	struct pg_outer o;
	struct pg_client *c;

	if (pg_outer_read(s->l->fleet, frame, m->pkt_len, &o) < 0)
		return;
	if (o.current)
		answered(s, o.slot);
	if (o.plain_len <= 16) // a Ping
		return;
	c = &s->l->fleet->client[o.slot];
	s->r->down.received++;
	s->r->down.bytes += o.plain_len;
	s->r->down.to_old += !o.current;
	c->restarts = s->r->restarts;
	s->r->repeated += o.packet_id == c->down_seen;
	if (o.packet_id <= c->down_seen)
		s->r->down.reordered++;
	else
		c->down_seen = o.packet_id;
	if (s->opened++ % OPEN_EVERY != 0)
		return;
	if (pg_outer_open(s->l->fleet, frame, &o) < 0 ||
		pg_stamp_read(o.plain, o.plain_len, &stamp) < 0)
		s->r->bad++;
	else
		latency(s, stamp.tsc);
}

// A client's line is on its way before its packet is looked at: of a million clients none is in a
// cache.
static void ask_for_clients(struct state *s, struct rte_mbuf **pkt, unsigned n, bool inner)
{
	const struct pg_fleet *f = s->l->fleet;

	for (unsigned i = 0; i < n && !s->e->forwarder; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(pkt[i], const uint8_t *);
		uint32_t slot = 0;

		if (pkt[i]->data_len >= PG_UP_HEAD)
			slot = inner ? pg_slot_in_stamp(frame + 14) : pg_slot_in_head(frame);
		if (slot < f->n)
			rte_prefetch0(&f->client[slot]);
	}
}

static unsigned receive(struct state *s)
{
	struct rte_mbuf *pkt[PG_LOAD_BURST];
	uint16_t n = rte_eth_rx_burst(s->e->inner, 0, pkt, PG_LOAD_BURST);
	unsigned total = n;

	ask_for_clients(s, pkt, n, true);
	for (uint16_t i = 0; i < n; i++)
		from_inner(s, pkt[i]);
	rte_pktmbuf_free_bulk(pkt, n);
	n = rte_eth_rx_burst(s->e->outer, 0, pkt, PG_LOAD_BURST);
	ask_for_clients(s, pkt, n, false);
	for (uint16_t i = 0; i < n; i++)
		from_outer(s, pkt[i]);
	rte_pktmbuf_free_bulk(pkt, n);
	total += n;
	if (total > 0) {
		uint64_t now = pg_tsc();

		s->silence = RTE_MAX(s->silence, now - s->last_rx);
		s->last_rx = now;
	}
	return total;
}

// The dataplane has gone: greet its successor as soon as there is one. Returns true while there is
// none.
static bool replaced(struct state *s)
{
	if (!s->restarts || !pg_control_alone(s->e->control))
		return false;
	if (pg_tsc() < s->next_greeting)
		return true;
	if (pg_control_again(s->e->control) == 0) {
		s->r->restarts++;
		return false;
	}
	s->next_greeting = pg_tsc() + (uint64_t)(pg_tsc_hz() * GREET_EVERY_S);
	return true;
}

// What else has to be done in each turn: the workers' part where they are ours.
static void others(struct state *s)
{
	if (s->e->host != NULL) {
		struct dp_core *core = pg_host_core(s->e->host);

		for (uint16_t i = 0; i < core->workers; i++) {
			uint64_t start = pg_tsc();

			if (dp_worker_iterate(core->worker[i]) > 0)
				s->watch.host_cycles += pg_tsc() - start;
		}
	}
	if (++s->turns % POLL_EVERY != 0)
		return;
	if (s->e->host != NULL)
		(void)pg_host_turn(s->e->host); // nothing was asked for
	if (s->e->control != NULL && !replaced(s))
		(void)pg_control_poll(s->e->control); // counted by the answers
}

// Send frames; those that the port didn't take are freed. Returns how many it took.
static unsigned transmit(uint16_t port, struct rte_mbuf **pkt, unsigned n)
{
	uint16_t sent = rte_eth_tx_burst(port, 0, pkt, (uint16_t)n);

	if (sent < n)
		rte_pktmbuf_free_bulk(pkt + sent, n - sent);
	return sent;
}

// Send n good frames with what is due of hostile ones between them, so that a full port refuses
// both alike. Returns how many good ones it took.
static unsigned transmit_mixed(struct state *s, struct rte_mbuf **good, unsigned n)
{
	struct rte_mbuf *bad[PG_LOAD_BURST], *all[2 * PG_LOAD_BURST];
	unsigned due = pg_load_hostile_due(s->l, n), g = 0, b = 0, total = 0, sent;
	bool is_good[2 * PG_LOAD_BURST];

	if (due > 0 && rte_pktmbuf_alloc_bulk(s->e->pool, bad, due) != 0)
		due = 0;
	for (unsigned i = 0; i < due; i++)
		pg_load_hostile(s->l, bad[i]);
	while (g < n || b < due) {
		is_good[total] = b == due || (g < n && g * due <= b * n);
		all[total] = is_good[total] ? good[g] : bad[b];
		g += is_good[total];
		b += !is_good[total];
		total++;
	}
	sent = transmit(s->e->outer, all, total);
	for (unsigned i = g = 0; i < sent; i++)
		g += is_good[i];
	s->r->hostile += sent - g;
	if (g == 0)
		pg_load_unsent(s->l);
	return g;
}

static void send_good(struct state *s, unsigned n)
{
	unsigned both = PG_UP | PG_DOWN;
	struct rte_mbuf *pkt[PG_LOAD_BURST];
	struct pg_way *way;
	unsigned sent;
	bool up;

	up = s->l->o.direction == both ? s->up_next : s->l->o.direction == PG_UP;
	s->up_next = !s->up_next;
	way = up ? &s->r->up : &s->r->down;
	if (n == 0 || rte_pktmbuf_alloc_bulk(s->e->pool, pkt, n) != 0) {
		way->refused += n;
		return;
	}
	pg_load_good(s->l, pkt, n, up, pg_tsc());
	if (up && s->l->o.hostile > 0)
		sent = transmit_mixed(s, pkt, n);
	else
		sent = transmit(up ? s->e->outer : s->e->inner, pkt, n);
	way->sent += sent;
	way->refused += n - sent;
}

// A client's Ping waits until its port takes it; nothing else is sent meanwhile, so that it stays
// in front of the client's later packets.
static void send_ping(struct state *s)
{
	if (s->ping != NULL && rte_eth_tx_burst(s->e->outer, 0, &s->ping, 1) == 1)
		s->ping = NULL;
}

// Returns false when there was no buffer for it.
static bool move_one(struct state *s)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->e->pool);

	if (m == NULL)
		return false;
	if (pg_load_move(s->l, m, pg_tsc()))
		s->ping = m;
	else
		rte_pktmbuf_free(m);
	send_ping(s);
	s->r->held += s->ping != NULL;
	return true;
}

static void drain(struct state *s)
{
	uint64_t patience = (uint64_t)(pg_tsc_hz() * DRAIN_S);

	s->last_rx = pg_tsc();
	while (pg_tsc() - s->last_rx < patience) {
		others(s);
		(void)receive(s);
	}
}

int pg_trial_warm_up(struct pg_ends *e, struct pg_load *l)
{
	struct pg_result *r = calloc(1, sizeof(*r));
	struct state s = { .e = e, .l = l, .r = r, .ns_per_cycle = 1e9 / pg_tsc_hz() };
	uint64_t end = pg_tsc() + (uint64_t)(pg_tsc_hz() * WARM_UP_S);
	uint64_t next = 0;
	int rc = -ETIMEDOUT;

	if (r == NULL)
		return -ENOMEM;
	while (pg_tsc() < end && rc < 0) {
		struct rte_mbuf *m = NULL;

		if (pg_tsc() > next && (m = rte_pktmbuf_alloc(e->pool)) != NULL) {
			pg_load_good(l, &m, 1, false, pg_tsc());
			(void)transmit(e->inner, &m, 1); // repeated until one arrives
			next = pg_tsc() + (uint64_t)(pg_tsc_hz() / 100);
		}
		others(&s);
		(void)receive(&s);
		if (r->down.received > 0)
			rc = 0;
	}
	drain(&s);
	free(r);
	return rc;
}

static void progress(const struct state *s, const struct pg_trial *t, double passed)
{
	(void)fprintf(stderr, "\r%5.1f of %.0f s: up %lu of %lu, down %lu of %lu \033[K", passed,
		t->seconds, (unsigned long)s->r->up.received, (unsigned long)s->r->up.sent,
		(unsigned long)s->r->down.received, (unsigned long)s->r->down.sent);
}

// Send and receive until the time is over.
static void offer(struct state *s, const struct pg_trial *t)
{
	double hz = pg_tsc_hz(), shown = 0, passed = 0;
	uint64_t start = pg_tsc(), moved = 0, sent = 0;

	while (passed < t->seconds) {
		unsigned n = PG_LOAD_BURST;
		uint64_t now = pg_tsc();

		passed = (double)(now - start) / hz;
		pg_watch_turn(&s->watch, now);
		if (t->pps > 0) {
			uint64_t due = (uint64_t)(passed * t->pps);

			n = due > sent + PG_LOAD_BURST ? PG_LOAD_BURST : (unsigned)(due - sent);
		}
		send_ping(s);
		if (s->ping == NULL) {
			if (n > 0)
				send_good(s, n);
			sent += n;
			if ((double)moved < passed * t->moves_per_second)
				moved += move_one(s);
		}
		others(s);
		(void)receive(s);
		if (t->progress && passed - shown > 0.5) {
			progress(s, t, passed);
			shown = passed;
		}
	}
	s->r->seconds = passed;
	rte_pktmbuf_free(s->ping); // its client has moved without an answer
	s->ping = NULL;
	if (t->progress)
		(void)fprintf(stderr, "\r\033[K");
}

// Sessions of which nothing came since the restart: their packets may have been lost on the way, so
// each sends one more, at the rate of the trial.
static void ask_again(struct state *s, const struct pg_trial *t)
{
	uint64_t pause = t->pps > 0 ? (uint64_t)(pg_tsc_hz() / t->pps) : 0;
	uint32_t n = s->l->fleet->n;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t next = pg_tsc() + pause;

		if (s->l->fleet->client[i].restarts == s->r->restarts)
			continue;
		s->l->next_turn = (i + n - 1) % n;
		send_good(s, 1);
		do {
			others(s);
			(void)receive(s);
		} while (pg_tsc() < next);
	}
	drain(s);
}

static uint32_t going_on(const struct state *s)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->l->fleet->n; i++)
		count += s->l->fleet->client[i].restarts == s->r->restarts;
	return count;
}

int pg_trial_run(struct pg_ends *e, struct pg_load *l, const struct pg_trial *t,
	struct pg_result *ret_result)
{
	struct state s = { .e = e, .l = l, .r = ret_result, .ns_per_cycle = 1e9 / pg_tsc_hz() };

	memset(ret_result, 0, sizeof(*ret_result));
	pg_load_clear(l);
	ret_result->offered = t->pps;
	s.restarts = t->restarts;
	pg_watch_begin(&s.watch, e->telemetry_fd, e->host);
	s.last_rx = pg_tsc();
	offer(&s, t);
	ret_result->silence_ms = (double)s.silence * s.ns_per_cycle / 1e6;
	drain(&s);
	pg_watch_end(&s.watch, &ret_result->seen);
	if (ret_result->restarts > 0)
		ret_result->after = going_on(&s);
	for (unsigned i = 0; i < ASK_AGAIN && l->o.in_turn && ret_result->restarts > 0 &&
		ret_result->after < l->fleet->n;
		i++) {
		ask_again(&s, t);
		ret_result->after = going_on(&s);
	}
	ret_result->moves = l->moves;
	return 0;
}

double pg_result_loss(const struct pg_result *r)
{
	double wanted = (double)(r->up.sent + r->up.refused + r->down.sent + r->down.refused);
	double came = (double)(r->up.received + r->down.received);

	return wanted == 0 ? 0 : 1 - came / wanted;
}

// Did the generator offer what it should have?
static bool kept_pace(const struct pg_result *r)
{
	double did = (double)(r->up.sent + r->up.refused + r->down.sent + r->down.refused);

	return did >= 0.99 * r->offered * r->seconds;
}

// A trial in which the generator did not offer its rate, as it had to wait for its CPU, says
// nothing: it is repeated.
static void offer_rate(struct pg_ends *e, struct pg_load *l, const struct pg_trial *t,
	struct pg_result *ret_result)
{
	unsigned tries = 0;

	do
		(void)pg_trial_run(e, l, t, ret_result);
	while (!kept_pace(ret_result) && ++tries < SEARCH_TRIES);
}

int pg_trial_search(struct pg_ends *e, struct pg_load *l, const struct pg_trial *t, double loss,
	struct pg_result *ret_result)
{
	struct pg_trial one = *t;
	struct pg_result *r = malloc(sizeof(*r));
	double low = 0, high;

	if (r == NULL)
		return -ENOMEM;
	one.pps = 0;
	(void)pg_trial_run(e, l, &one, r);
	high = (double)(r->up.received + r->down.received) / r->seconds * 1.2;
	*ret_result = *r;
	for (unsigned i = 0; i < SEARCH_STEPS && high - low > high / 100; i++) {
		one.pps = (low + high) / 2;
		offer_rate(e, l, &one, r);
		if (t->progress)
			(void)fprintf(
				stderr, "%.0f packets/s: loss %.6f\n", one.pps, pg_result_loss(r));
		if (pg_result_loss(r) <= loss && kept_pace(r)) {
			low = one.pps;
			*ret_result = *r;
		} else {
			high = one.pps;
		}
	}
	free(r);
	return low > 0 ? 0 : -ENODATA;
}
