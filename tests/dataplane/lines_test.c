// SPDX-License-Identifier: BSD-3-Clause
// Two workers with steady traffic both ways, each in a thread of its own with its own stack, that
// pass a baton: one has its whole turn, then the other. A quarter of the sessions is received by
// one worker and transmitted by the other, as on a port whose RSS spreads the two directions
// differently. As an ordinary test it looks that all of it stays on the quick way: nothing handed
// over, dropped or lost. Under valgrind's lackey it is what lines.py records: the stores to mark[]
// say whose turn begins, and that it ends.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "harness.h"
#include "tests/gtc.h"

#define WORKERS 2u
#define CLIENTS H_SESSIONS
// Packets each way for every session in each turn: two full bursts of each port, of which the
// second is looked at ahead.
#define EACH 2u
#define WARM 2u // turns before those that count: lazy binding, first touches
#define TURNS 3u // that count
#define LEN 200u // bytes of an inner packet
#define STEP_MS 260u // between turns, so that the sweep visits some slots in each
#define HOUR_MS 3600000u // no Ping falls due, however slowly this runs
#define OUTSIDE 0xc0000263u

// What a worker does besides, so that the recording can be seen to find it.
enum offence {
	NONE,
	COUNT_TOGETHER, // both add to one counter
	COUNT_BESIDE, // each adds to its own, in one line
	HAND_OVER, // packets reach the worker that doesn't transmit for their session
	OFFENCES,
};

struct lab;

struct player {
	alignas(64) sem_t go;
	struct lab *lab;
	struct dp_worker *worker;
	struct player *next;
	pthread_t thread;
	uint16_t index;
	int lcore; // that the thread got
};

struct lab {
	struct player player[WORKERS];
	struct h *h;
	enum offence offence;
	struct h_client client[CLIENTS];
};

// [i]: worker i's turn begins; [WORKERS]: it is over; [WORKERS + 1]: the next offence.
#define OVER WORKERS
#define NEXT (WORKERS + 1)
static alignas(64) volatile uint64_t mark[NEXT + 1];
static alignas(64) volatile uint64_t counter[WORKERS];

static uint16_t rx_worker(uint32_t slot)
{
	return (uint16_t)(slot % WORKERS);
}

static uint16_t tx_worker(uint32_t slot)
{
	return (uint16_t)((slot + (slot / WORKERS % 4 == 3)) % WORKERS);
}

static void down(struct h *h, uint16_t worker, uint32_t slot)
{
	uint8_t inner[LEN];

	h_inner(inner, OUTSIDE, H_TUNNEL(slot), LEN, false);
	h_inner_in(h, worker, inner, LEN);
}

// What one turn of a worker finds in its queues.
static void feed(struct lab *l, uint16_t worker)
{
	uint8_t inner[LEN], wire[H_FRAME_MAX];

	for (uint32_t i = 0; i < EACH * CLIENTS; i++) {
		uint32_t slot = i % CLIENTS;
		struct h_client *c = &l->client[slot];
		bool astray = l->offence == HAND_OVER && i < WORKERS;

		if (rx_worker(slot) == worker) {
			h_inner(inner, H_TUNNEL(slot), OUTSIDE, LEN, false);
			h_from(l->h, worker, c, wire, h_seal(c, inner, LEN, wire));
		}
		if ((tx_worker(slot) ^ astray) == worker)
			down(l->h, worker, slot);
	}
}

static void turn(struct player *p)
{
	(void)dp_worker_iterate(p->worker);
	if (p->lab->offence == COUNT_TOGETHER)
		counter[0]++;
	else if (p->lab->offence == COUNT_BESIDE)
		counter[p->index]++;
}

static void *play(void *arg)
{
	struct player *p = arg;

	p->lcore = rte_thread_register() == 0 ? (int)rte_lcore_id() : -1;
	for (unsigned i = 0; i < WARM + TURNS; i++) {
		while (sem_wait(&p->go) < 0 && errno == EINTR)
			;
		p->worker->shift_ms += STEP_MS;
		feed(p->lab, p->index);
		if (i >= WARM)
			mark[p->index] = i;
		turn(p);
		if (i >= WARM)
			mark[OVER] = i;
		(void)sem_post(&p->next->go);
	}
	if (p->lcore >= 0)
		rte_thread_unregister();
	return NULL;
}

static unsigned take(struct h *h, unsigned port)
{
	struct h_frame f;
	unsigned n = 0;

	while (h_frame_out(h, port, &f))
		n++;
	return n;
}

// Let the downlink of a session settle on the worker where its packets arrive.
static void settle(struct lab *l, uint32_t slot)
{
	l->h->core.worker[0]->shift_ms += 200; // owners change once in 100 ms
	l->h->core.worker[1]->shift_ms += 200;
	for (unsigned i = 0; i < 80; i++) {
		down(l->h, tx_worker(slot), slot);
		if (i % 16 == 15)
			h_run(l->h);
	}
	GTC_EXPECT_INT(take(l->h, 0), 80);
	GTC_EXPECT_INT(atomic_load(&l->h->core.dir[slot].owner), rx_worker(slot));
	GTC_EXPECT_INT(atomic_load(&l->h->core.dir[slot].tx_owner), tx_worker(slot));
}

static void name(const char *what, unsigned i, const volatile void *at, size_t size)
{
	printf("range %s%u %lx %zx\n", what, i, (unsigned long)at, size);
}

// What lies where, for lines.py.
static void say(struct lab *l)
{
	const struct dp_core *core = &l->h->core;
	char line[512];
	FILE *f = fopen("/proc/self/maps", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		printf("map %s", line);
	if (f != NULL)
		(void)fclose(f); // it was only read
	name("core", 0, core, sizeof(*core));
	name("dir", 0, core->dir, H_SESSIONS * sizeof(struct shm_dir));
	name("session", 0, core->session, H_SESSIONS * sizeof(struct shm_session));
	name("keys", 0, core->keys, H_SESSIONS * sizeof(struct shm_keys));
	name("config", 0, &l->h->config, sizeof(l->h->config));
	name("counter", 0, counter, sizeof(counter));
	for (unsigned i = 0; i < WORKERS; i++) {
		name("worker", i, core->worker[i], sizeof(struct dp_worker));
		name("handoff_to_", i, core->worker[i]->handoff_in[i ^ 1],
			rte_ring_get_memsize(DP_HANDOFF_ENTRIES));
	}
	for (unsigned i = 0; i <= NEXT; i++)
		printf("mark %u %lx\n", i, (unsigned long)&mark[i]);
	(void)fflush(stdout); // a reader waits for it
}

static void players_run(struct lab *l)
{
	for (uint16_t i = 0; i < WORKERS; i++) {
		struct player *p = &l->player[i];

		p->lab = l;
		p->index = i;
		p->worker = l->h->core.worker[i];
		p->next = &l->player[(i + 1u) % WORKERS];
		GTC_ASSERT_INT(sem_init(&p->go, 0, 0), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		GTC_ASSERT_INT(pthread_create(&l->player[i].thread, NULL, play, &l->player[i]), 0);
	(void)sem_post(&l->player[0].go);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(l->player[i].thread, NULL);
	GTC_EXPECT(l->player[0].lcore >= 0 && l->player[1].lcore >= 0);
	GTC_EXPECT(l->player[0].lcore != l->player[1].lcore);
	for (unsigned i = 0; i < WORKERS; i++)
		(void)sem_destroy(&l->player[i].go);
}

static struct lab *lab_create(void)
{
	struct lab *l = aligned_alloc(64, (sizeof(*l) + 63) / 64 * 64);

	if (l == NULL)
		return NULL;
	memset(l, 0, sizeof(*l));
	l->h = h_create(WORKERS, SHM_HELLO_MOBILITY);
	for (uint32_t slot = 0; slot < CLIENTS; slot++) {
		struct h_client_opt opt = {
			.worker = rx_worker(slot), .ping_ms = HOUR_MS, .timeout_ms = HOUR_MS
		};

		GTC_EXPECT_INT(h_install(l->h, slot, &opt, &l->client[slot]), 0);
		if (tx_worker(slot) != rx_worker(slot))
			settle(l, slot);
	}
	return l;
}

static void phase(struct lab *l, enum offence offence)
{
	uint64_t handed = h_count(l->h, DP_COUNT_handoff_out);

	l->offence = offence;
	mark[NEXT] = offence;
	players_run(l);
	handed = h_count(l->h, DP_COUNT_handoff_out) - handed;
	GTC_EXPECT_INT(handed, offence == HAND_OVER ? WORKERS * (WARM + TURNS) : 0);
	h_run(l->h);
	GTC_EXPECT_INT(take(l->h, 0), EACH * CLIENTS * (WARM + TURNS));
	GTC_EXPECT_INT(take(l->h, 1), EACH * CLIENTS * (WARM + TURNS));
	GTC_EXPECT_INT(h_all_drops(l->h), 0);
}

GTC_TEST(lines, in_turn)
{
	struct lab *l = lab_create();

	GTC_ASSERT(l != NULL);
	say(l);
	for (unsigned i = 0; i < OFFENCES; i++)
		phase(l, (enum offence)i);
	h_destroy(l->h);
	free(l);
}
