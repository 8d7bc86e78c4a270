// SPDX-License-Identifier: BSD-3-Clause
// Workers as real threads that sleep when idle, while clients move from queue to queue, traffic
// flows both ways, keys are replaced, and other sessions come and go. Whatever the threads do to
// each other: nothing is lost that isn't counted, and no client sees an id twice.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "dataplane/sid_index.h"
#include "harness.h"
#include "protocol/ping.h"
#include "tests/gtc.h"

#define WORKERS 3u
#define CLIENTS 6u
#define ROUNDS 3000u
#define OUTSIDE 0xc0000263u

static void nap(void)
{
	struct timespec t = { .tv_nsec = 50000 };

	nanosleep(&t, NULL);
}

// What main does for workers that run by themselves.
static void serve(struct h *h)
{
	for (uint16_t i = 0; i < WORKERS; i++)
		dp_sid_index_serve(&h->core, h->core.worker[i]);
	dp_grace_poll(&h->grace);
}

// A command to whoever owns the slot, as control does it: ask again when it was given away.
static int command(struct h *h, struct shm_cmd *cmd, uint16_t worker)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		struct shm_event ev = { 0 };

		cmd->seq = ++h->seq;
		if (shm_ring_put(&h->ctl[worker][SHM_RING_COMMAND], cmd, sizeof(*cmd)) < 0)
			return -ENOSPC;
		dp_worker_wake(h->core.worker[worker]);
		while (ev.kind != SHM_EVENT_ACK || ev.seq != cmd->seq) {
			serve(h);
			if (shm_ring_get(&h->ctl[worker][SHM_RING_EVENT], &ev, sizeof(ev)) <= 0)
				nap();
		}
		if (ev.status != -EAGAIN)
			return ev.status;
		worker = atomic_load(&h->core.dir[cmd->slot].owner);
	}
	return -EAGAIN;
}

static void *work(void *worker)
{
	(void)dp_worker_run(worker);
	return NULL;
}

struct tally {
	uint64_t ups, downs, pings, wrong;
	uint8_t seen[CLIENTS][1 << 16]; // packet-ids of the server, per client; of one key
};

static void take_down(struct h *h, struct h_client *c, struct tally *t)
{
	struct h_datagram d;
	uint8_t plain[H_FRAME_MAX];

	while (h_datagram_out(h, &d)) {
		uint32_t slot = (uint32_t)d.data[1] << 16 | (uint32_t)d.data[2] << 8 | d.data[3];
		uint32_t id = (uint32_t)d.data[6] << 8 | d.data[7];
		int len;

		if (slot >= CLIENTS)
			continue; // of a session that comes and goes
		len = h_open(&c[slot], &d, plain);
		t->wrong += len < 0 || t->seen[slot][id] != 0;
		t->seen[slot][id] = 1;
		t->downs += len > (int)OVPN_PING_LEN;
		t->pings += len == (int)OVPN_PING_LEN;
	}
}

static void take_up(struct h *h, struct tally *t)
{
	uint8_t packet[H_FRAME_MAX];

	while (h_inner_out(h, packet) > 0)
		t->ups++;
}

static bool room(struct h *h)
{
	for (unsigned p = 0; p < 2; p++) {
		for (unsigned i = 0; i < WORKERS; i++) {
			if (rte_ring_count(h->rx[p][i]) > 256 || rte_ring_count(h->tx[p][i]) > 1024)
				return false;
		}
	}
	return true;
}

static void install_and_remove(struct h *h, unsigned round)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_INSTALL, .slot = 20 + round % 8 };
	struct shm_session *pattern = &h->core.session[0];

	cmd.generation = (uint16_t)(atomic_load(&h->core.dir[cmd.slot].generation) + 1);
	cmd.install.endpoint = pattern->endpoint[0];
	cmd.install.tunnel4 = pattern->tunnel4;
	cmd.install.tunnel4.bytes[3] = (uint8_t)(100 + round % 8);
	memset(cmd.install.server_sid, 1 + (int)(round % 100), 8);
	memset(cmd.install.client_sid, 101 + (int)(round % 100), 8);
	cmd.install.tun_mtu = 1500;
	cmd.install.dir_flags = round % 2 ? SHM_DIR_DATA_V1 : 0;
	cmd.install.endpoint.remote_port_be = (uint16_t)(round + 1);
	GTC_EXPECT_INT(command(h, &cmd, (uint16_t)(round % WORKERS)), 0);
	cmd.kind = SHM_CMD_REMOVE;
	GTC_EXPECT_INT(command(h, &cmd, (uint16_t)(round % WORKERS)), 0);
}

GTC_TEST(threads, moves_under_traffic)
{
	struct h *h = h_create(WORKERS, SHM_HELLO_MOBILITY);
	struct tally *t = calloc(1, sizeof(*t));
	uint8_t inner[200], wire[H_FRAME_MAX];
	uint64_t sent_up = 0, sent_down = 0, reconfs = 0, lost;
	uint16_t at[CLIENTS] = { 0 };
	uint64_t began_tsc = rte_rdtsc(), busy;
	pthread_t thread[WORKERS];
	struct h_client c[CLIENTS];

	GTC_ASSERT(t != NULL);
	for (uint32_t i = 0; i < CLIENTS; i++)
		GTC_ASSERT_INT(h_install(h, i, NULL, &c[i]), 0);
	h->core.adaptive = true;
	for (unsigned i = 0; i < WORKERS; i++) {
		rte_rcu_qsbr_thread_offline(h->core.qsbr, i);
		h->core.worker[i]->online = false;
	}
	for (unsigned i = 0; i < WORKERS; i++)
		GTC_ASSERT_INT(pthread_create(&thread[i], NULL, work, h->core.worker[i]), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t i = round % CLIENTS;

		if (round % 97 == 0) { // another hotspot, another queue
			c[i].addr += 256;
			at[i] = (uint16_t)((at[i] + 1) % WORKERS);
			h_from(h, at[i], &c[i], wire, h_reconf(&c[i], wire));
			reconfs++;
		}
		for (unsigned n = 0; n < 4; n++) {
			h_inner(inner, H_TUNNEL(i), OUTSIDE, 100, false);
			h_from(h, at[i], &c[i], wire, h_seal(&c[i], inner, 100, wire));
			h_inner(inner, OUTSIDE, H_TUNNEL(i), 100, false);
			h_inner_in(h, (uint16_t)((round / 300 + i) % WORKERS), inner, 100);
			sent_up++;
			sent_down++;
		}
		if (round % 50 == 0)
			install_and_remove(h, round);
		serve(h);
		do {
			take_down(h, c, t);
			take_up(h, t);
		} while (!room(h));
	}
	// Every packet has come out or was counted: wait for that, not for a time.
	for (unsigned i = 0; i < 100000; i++) {
		take_down(h, c, t);
		take_up(h, t);
		lost = h_all_drops(h);
		if (t->ups + t->downs + t->pings + lost >= sent_up + sent_down + reconfs)
			break;
		serve(h);
		nap();
	}
	atomic_store(&h->core.stop, true);
	for (unsigned i = 0; i < WORKERS; i++) {
		dp_worker_wake(h->core.worker[i]);
		pthread_join(thread[i], NULL);
	}
	take_down(h, c, t);
	take_up(h, t);
	lost = h_all_drops(h);
	GTC_EXPECT_INT(t->wrong, 0);
	GTC_EXPECT_INT(t->ups + t->downs + t->pings + lost, sent_up + sent_down + reconfs);
	// A hand-off may put a packet behind more than a window of others, never much more.
	GTC_EXPECT(lost * 100 <= sent_up + sent_down);
	GTC_EXPECT(t->pings >= reconfs - lost);
	GTC_EXPECT(h_count(h, DP_COUNT_owner_given) > 0);
	GTC_EXPECT(h_count(h, DP_COUNT_sleeps) > 0);
	// Turns with work took time, a packet at least a cycle; those without took the rest.
	busy = h_count(h, DP_COUNT_busy_cycles);
	GTC_EXPECT(busy > sent_up + sent_down);
	GTC_EXPECT(busy < WORKERS * (rte_rdtsc() - began_tsc));
	if (lost > 0) {
		for (int why = 0; why < DP_DROP_COUNT; why++) {
			if (h_drops(h, (enum dp_drop)why) > 0)
				printf("%s %llu\n", dp_drop_name[why],
					(unsigned long long)h_drops(h, (enum dp_drop)why));
		}
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		GTC_EXPECT_INT(h_endpoint(h, i), H_AT(c[i].addr, c[i].port));
	free(t);
	h_destroy(h);
}
