// SPDX-License-Identifier: BSD-3-Clause
// Events to control, whose ring is full at times.
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "dataplane/path.h"
#include "dataplane/wake.h"
#include "harness.h"
#include "tests/gtc.h"

#define OUTSIDE 0xc0000263u

// A control that is slow to take its events gets all acknowledgements, whatever else happens.
GTC_TEST(events, acknowledgements_keep_their_places)
{
	struct h *h = h_create(1, 0);
	struct dp_worker *w = h->core.worker[0];
	uint8_t inner[60];
	struct h_client c;
	struct shm_event ev;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	for (uint32_t left = 0; left < 5; left++) {
		struct shm_ring *ring = &w->ctl->ring[SHM_RING_EVENT];
		struct shm_cmd cmd = { .kind = SHM_CMD_KEY,
			.seq = 1000 + left,
			.slot = 1,
			.generation = c.generation };
		struct shm_cmd drop = {
			.kind = SHM_CMD_KEY_DROP, .slot = 1, .generation = c.generation
		};
		unsigned acks = 0, switches = 0;
		int rc;

		GTC_ASSERT_INT(h_cmd(h, 0, &drop), 0);
		h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(1), 60, false));
		h_run(h); // it finds that nothing is left to send with
		cmd.key.age = left + 2;
		cmd.key.cipher = OVPN_CIPHER_AES_256_GCM;
		cmd.key.digest = OVPN_DIGEST_NONE;
		memset(&cmd.key.rx, 1, sizeof(cmd.key.rx));
		memset(&cmd.key.tx, 2, sizeof(cmd.key.tx));
		while (h_event(h, 0, &ev))
			;
		while (shm_ring_reserve(ring, left, &rc) != NULL)
			dp_event(w, SHM_EVENT_TIMEOUT, 1, 0, NULL, NULL);
		GTC_ASSERT_INT(shm_ring_put(&h->ctl[0][SHM_RING_COMMAND], &cmd, sizeof(cmd)), 0);
		h_run(h); // as far as there is room
		for (unsigned turns = 0; turns < 2; turns++) {
			while (shm_ring_get(&h->ctl[0][SHM_RING_EVENT], &ev, sizeof(ev)) > 0) {
				acks += ev.kind == SHM_EVENT_ACK && ev.seq == cmd.seq &&
					ev.status == 0;
				switches += ev.kind == SHM_EVENT_TX_SWITCHED;
			}
			h_run(h);
		}
		GTC_EXPECT_INT(acks, 1);
		GTC_EXPECT_INT(switches, 1);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_events_lost), 0);
	h_destroy(h);
}

// How often an eventfd was written since it was last asked.
static uint64_t written(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static void lose(struct dp_worker *w)
{
	dp_event(w, SHM_EVENT_TIMEOUT, 1, 0, NULL, NULL);
}

// Workers that sleep wake a control that sleeps themselves: soon, and once for all that it has to
// hear.
GTC_TEST(events, a_worker_wakes_control)
{
	struct h *h = h_create(1, 0);
	struct dp_worker *w = h->core.worker[0];
	_Atomic uint32_t sleeps = 0;
	uint64_t end;
	int fd = dp_wake_open();

	GTC_ASSERT(fd >= 0);
	h_run(h);
	w->ctl->control_sleeps = &sleeps;
	w->ctl->control_fd = fd;
	h->core.adaptive = true;
	lose(w);
	dp_worker_sleep(w); // its work is in the ring of a control that is awake
	GTC_EXPECT_INT(written(fd), 0);
	atomic_store(&sleeps, 1);
	lose(w);
	lose(w);
	GTC_EXPECT_INT(written(fd), 0);
	dp_worker_sleep(w);
	GTC_EXPECT_INT(written(fd), 1);
	GTC_EXPECT_INT(atomic_load(&sleeps), 0);
	dp_worker_sleep(w);
	GTC_EXPECT_INT(written(fd), 0);

	// A worker that doesn't come to sleep tells it all the same.
	atomic_store(&sleeps, 1);
	lose(w);
	(void)dp_worker_iterate(w);
	end = rte_rdtsc() + w->tsc_hz / 1000000 * DP_CONTROL_WAKE_US;
	while (rte_rdtsc() < end)
		;
	(void)dp_worker_iterate(w);
	GTC_EXPECT_INT(written(fd), 1);
	GTC_EXPECT_INT(atomic_load(&w->main_attention), 0);

	// Those that poll leave it to main.
	h->core.adaptive = false;
	atomic_store(&sleeps, 1);
	lose(w);
	(void)dp_worker_iterate(w);
	GTC_EXPECT_INT(written(fd), 0);
	GTC_EXPECT_INT(atomic_load(&w->main_attention), 1);
	(void)close(fd);
	h_destroy(h);
}
