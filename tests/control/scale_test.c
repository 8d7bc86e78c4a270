// SPDX-License-Identifier: BSD-3-Clause
// What is done for one session must not look at all of them.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/ctl.h"
#include "control/peer.h"
#include "tests/gtc.h"

#define MANY 100000u

static unsigned answered;

static void on_done(struct ctl *ctl, struct ctl_peer *peer, const struct shm_cmd *cmd, int status)
{
	(void)ctl;
	(void)cmd;
	(void)status;
	answered += peer != NULL;
}

static double cpu_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts); // cannot fail
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct ctl_peer *make_peer(struct ctl *ctl, uint32_t slot)
{
	struct shm_endpoint e = { .remote.family = 2, .remote_port_be = (uint16_t)slot };
	struct ctl_peer *peer;

	memcpy(e.remote.bytes, &slot, sizeof(slot));
	peer = ctl_peer_create(ctl, &e);
	if (peer != NULL && ctl_table_add(&ctl->table, peer) == 0) {
		peer->slot = slot;
		ctl_table_set_slot(&ctl->table, slot, peer);
		return peer;
	}
	free(peer);
	return NULL;
}

// All sessions end at the same time, as when the server's uplink was dead: each has commands under
// way, and the dataplane is away. With a walk over all commands for each this takes a minute.
GTC_TEST(scale, sessions_end_together)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	struct shm_cmd cmd = { .kind = SHM_CMD_KEY_DROP };
	double begin;

	GTC_ASSERT(ctl != NULL);
	GTC_ASSERT(ctl_table_resize(&ctl->table, MANY) == 0);
	for (cmd.slot = 0; cmd.slot < MANY; cmd.slot++) {
		struct ctl_peer *peer = make_peer(ctl, cmd.slot);

		GTC_ASSERT(peer != NULL);
		ctl_peer_activate(ctl, peer);
		GTC_ASSERT(ctl_command_send(ctl, &cmd, 0, peer, on_done) == 0);
		GTC_ASSERT(ctl_command_send(ctl, &cmd, 0, peer, on_done) == 0);
	}
	answered = 0;
	begin = cpu_s();
	for (uint32_t slot = 1; slot < MANY; slot++)
		ctl_peer_drop(ctl, ctl->table.by_slot[slot]);
	ctl_peer_reap(ctl);
	ctl_command_tick(ctl);
	GTC_EXPECT(cpu_s() - begin < 3);
	GTC_EXPECT_INT(ctl->table.live, 1);
	GTC_EXPECT_INT(ctl->commands.count, 2 * MANY);
	// The commands go on; only who is still there hears of them.
	ctl_command_fail_all(ctl);
	GTC_EXPECT_INT(answered, 2);
	GTC_EXPECT_INT(ctl->commands.count, 0);
	GTC_EXPECT(ctl->commands.unsent == NULL);
	ctl_peer_drop(ctl, ctl->table.by_slot[0]);
	ctl_peer_reap(ctl);
	GTC_EXPECT_INT(ctl->table.peers, 0);
	ctl_table_done(&ctl->table);
	free(ctl);
}

// A handshake that is to take over a session and the session know of each other, whoever ends.
GTC_TEST(scale, heirs)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	struct ctl_peer *old, *heir;

	GTC_ASSERT(ctl != NULL);
	GTC_ASSERT(ctl_table_resize(&ctl->table, 4) == 0);
	for (int who = 0; who < 2; who++) {
		old = make_peer(ctl, 0);
		heir = make_peer(ctl, 1);
		GTC_ASSERT(old != NULL && heir != NULL);
		heir->nego = calloc(1, sizeof(*heir->nego));
		GTC_ASSERT(heir->nego != NULL);
		heir->nego->peer = heir;
		heir->nego->takes_over = old;
		old->heir = heir;
		ctl_peer_drop(ctl, who == 0 ? old : heir);
		if (who == 0) {
			GTC_EXPECT(heir->nego->takes_over == NULL);
			GTC_EXPECT_INT(heir->state, CTL_PEER_CLOSING);
			GTC_EXPECT_INT(heir->slot, SHM_SLOT_NONE);
			ctl->table.by_slot[1] = NULL;
			ctl->table.live--;
		} else {
			GTC_EXPECT(old->heir == NULL);
		}
		ctl_peer_drop(ctl, who == 0 ? heir : old);
		ctl_peer_reap(ctl);
		GTC_EXPECT_INT(ctl->table.peers, 0);
	}
	ctl_nego_spares_free(ctl);
	ctl_table_done(&ctl->table);
	free(ctl);
}
