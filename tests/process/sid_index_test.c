// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/sid_index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dataplane/dp.h"
#include "dataplane/eal.h"
#include "dataplane/grace.h"
#include "tests/gtc.h"

#define SESSIONS 512u

static struct shm_dir dir[SESSIONS];
static struct dp_core core;
static struct dp_grace grace;

static void remove_folder(void)
{
	dp_eal_remove_files(rte_eal_get_runtime_dir());
}

static bool setup(void)
{
	static char *argv[] = { "test", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"-m", "64", "--lcores=0", "--log-level=error", "--file-prefix=sidindextest", NULL };
	static bool up;

	if (!up && rte_eal_init(10, argv) < 0)
		return false;
	if (!up) {
		(void)atexit(remove_folder); // else EAL leaves its folder behind
		core.qsbr = aligned_alloc(64, (rte_rcu_qsbr_get_memsize(1) + 63) & ~(size_t)63);
		if (core.qsbr == NULL || rte_rcu_qsbr_init(core.qsbr, 1) != 0)
			return false;
	}
	up = true;
	memset(dir, 0, sizeof(dir));
	core.dir = dir;
	core.sessions = SESSIONS;
	dp_grace_init(&grace, core.qsbr);
	core.sid = dp_sid_index_create(&core, &grace);
	return core.sid != NULL;
}

static void teardown(void)
{
	dp_grace_drain(&grace);
	core.sid = dp_sid_index_free(core.sid);
}

static void make_live(uint32_t slot, uint16_t generation)
{
	dir[slot].generation = generation;
	dir[slot].state = SHM_STATE_LIVE;
}

static const uint8_t a[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

GTC_TEST(sid_index, add_find_del)
{
	uint16_t generation = 0;
	uint32_t slot = 0;

	GTC_ASSERT(setup());
	make_live(5, 3);
	GTC_EXPECT_INT(dp_sid_find(&core, DP_SID_SERVER, a, &slot, &generation), -ENOENT);
	GTC_ASSERT_INT(dp_sid_add(&core, DP_SID_SERVER, a, 5, 3), 0);
	GTC_ASSERT_INT(dp_sid_find(&core, DP_SID_SERVER, a, &slot, &generation), 0);
	GTC_EXPECT_INT(slot, 5);
	GTC_EXPECT_INT(generation, 3);
	GTC_EXPECT_INT(dp_sid_find(&core, DP_SID_CLIENT, a, &slot, &generation), -ENOENT);
	GTC_EXPECT_INT(dp_sid_del(&core, DP_SID_SERVER, a, 5, 2), -ENOENT); // an older session's
	GTC_EXPECT_INT(dp_sid_del(&core, DP_SID_SERVER, a, 5, 3), 0);
	GTC_EXPECT_INT(dp_sid_find(&core, DP_SID_SERVER, a, &slot, &generation), -ENOENT);
	GTC_EXPECT_INT(dp_sid_add(&core, DP_SID_SERVER, a, SESSIONS, 1), -ERANGE);
	teardown();
}

// protocol.md 13.2: whoever has an id and lives keeps it; a dead one gives way.
GTC_TEST(sid_index, older_living_session_keeps_its_id)
{
	uint16_t generation = 0;
	uint32_t slot = 0;

	GTC_ASSERT(setup());
	make_live(1, 1);
	make_live(2, 1);
	GTC_ASSERT_INT(dp_sid_add(&core, DP_SID_SERVER, a, 1, 1), 0);
	GTC_EXPECT_INT(dp_sid_add(&core, DP_SID_SERVER, a, 2, 1), -EEXIST);
	GTC_EXPECT_INT(dp_sid_index_refused(core.sid), 1);
	GTC_ASSERT_INT(dp_sid_find(&core, DP_SID_SERVER, a, &slot, &generation), 0);
	GTC_EXPECT_INT(slot, 1);
	GTC_EXPECT_INT(dp_sid_add(&core, DP_SID_SERVER, a, 1, 1), 0); // its own, again
	dir[1].state = SHM_STATE_DYING;
	GTC_EXPECT_INT(dp_sid_add(&core, DP_SID_SERVER, a, 2, 1), 0);
	GTC_ASSERT_INT(dp_sid_find(&core, DP_SID_SERVER, a, &slot, &generation), 0);
	GTC_EXPECT_INT(slot, 2);
	GTC_EXPECT_INT(dp_sid_del(&core, DP_SID_SERVER, a, 1, 1), -ENOENT);
	teardown();
}

// Places of deleted ids come back after a grace period: the index never fills by turnover.
GTC_TEST(sid_index, turnover)
{
	uint8_t sid[8] = { 0 };
	uint16_t generation;
	uint32_t slot;

	GTC_ASSERT(setup());
	for (uint32_t i = 0; i < 20 * SESSIONS; i++) {
		memcpy(sid, &i, sizeof(i));
		make_live(i % SESSIONS, 1);
		if (!GTC_EXPECT_INT(dp_sid_add(&core, DP_SID_CLIENT, sid, i % SESSIONS, 1), 0))
			break;
		if (i < SESSIONS)
			continue;
		uint32_t old = i - SESSIONS;

		memcpy(sid, &old, sizeof(old));
		GTC_EXPECT_INT(dp_sid_find(&core, DP_SID_CLIENT, sid, &slot, &generation), 0);
		if (!GTC_EXPECT_INT(dp_sid_del(&core, DP_SID_CLIENT, sid, old % SESSIONS, 1), 0))
			break;
		(void)dp_grace_poll(&grace);
	}
	teardown();
}
