// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>

#include "protocol/replay.h"
#include "tests/gtc.h"

#define LIMIT OVPN_REPLAY_BITS

GTC_TEST(replay, window)
{
	struct ovpn_replay win = { 0 };

	GTC_EXPECT_INT(ovpn_replay_accept(&win, 0), -EINVAL);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 1), 0);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 1), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 1 + LIMIT), 0);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 1), -ERANGE); // just outside
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 2), 0); // just inside
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 2), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, LIMIT), 0);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, LIMIT), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 1 + LIMIT), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 3 * LIMIT), 0); // jump over the whole window
	for (uint64_t id = 2 * LIMIT + 1; id < 3 * LIMIT; id++)
		GTC_EXPECT_INT(ovpn_replay_accept(&win, id), 0);
	for (uint64_t id = 2 * LIMIT + 1; id <= 3 * LIMIT; id++)
		GTC_EXPECT_INT(ovpn_replay_accept(&win, id), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, 2 * LIMIT), -ERANGE);
}

// Jumps of all lengths from all places within a word: what the window still covers is known, what
// it has left isn't, and what was passed may come.
GTC_TEST(replay, jumps)
{
	for (uint64_t first = 64; first < 128; first++) {
		for (uint64_t ahead = 1; ahead < LIMIT + 130; ahead++) {
			struct ovpn_replay win = { 0 };

			GTC_ASSERT_INT(ovpn_replay_accept(&win, first - 1), 0);
			GTC_ASSERT_INT(ovpn_replay_accept(&win, first), 0);
			GTC_ASSERT_INT(ovpn_replay_accept(&win, first + ahead), 0);
			GTC_ASSERT_INT(
				ovpn_replay_check(&win, first), ahead < LIMIT ? -EEXIST : -ERANGE);
			GTC_ASSERT_INT(ovpn_replay_check(&win, first - 1),
				ahead + 1 < LIMIT ? -EEXIST : -ERANGE);
			GTC_ASSERT_INT(ovpn_replay_check(&win, first - 2),
				ahead + 2 < LIMIT ? 0 : -ERANGE);
			if (ahead > 1)
				GTC_ASSERT_INT(ovpn_replay_check(&win, first + 1),
					ahead - 1 < LIMIT ? 0 : -ERANGE);
			GTC_ASSERT_INT(ovpn_replay_accept(&win, first + ahead), -EEXIST);
		}
	}
}

GTC_TEST(replay, check_changes_nothing)
{
	struct ovpn_replay win = { 0 };
	struct ovpn_replay before;

	GTC_EXPECT_INT(ovpn_replay_accept(&win, 100), 0);
	before = win;
	GTC_EXPECT_INT(ovpn_replay_check(&win, 0), -EINVAL);
	GTC_EXPECT_INT(ovpn_replay_check(&win, 100), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_check(&win, 99), 0);
	GTC_EXPECT_INT(ovpn_replay_check(&win, 101 + LIMIT), 0);
	GTC_EXPECT_MEM(&win, &before, sizeof(win));
}

// Accept an id; of the words that aren't top's only the announced one may change.
static void accept_announced(struct ovpn_replay *win, uint64_t id)
{
	const uint64_t *beside = ovpn_replay_beside(win, id);
	struct ovpn_replay before = *win;

	GTC_ASSERT_INT(ovpn_replay_accept(win, id), 0);
	for (unsigned i = 0; i < OVPN_REPLAY_WORDS; i++) {
		if (&win->word[i] != beside)
			GTC_ASSERT_INT(win->word[i], before.word[i]);
	}
}

GTC_TEST(replay, beside)
{
	struct ovpn_replay win = { 0 };

	for (uint64_t id = 1; id < 3 * LIMIT; id++) {
		if (id % 64 == 60)
			continue; // comes late
		GTC_EXPECT((ovpn_replay_beside(&win, id) == NULL) == (id % 64 != 0));
		accept_announced(&win, id);
		if (id > 64 && id % 64 == 6) {
			GTC_EXPECT(ovpn_replay_beside(&win, id - 10) != NULL);
			accept_announced(&win, id - 10);
		}
	}
}

GTC_TEST(replay, ends_of_the_number_range)
{
	struct ovpn_replay win = { 0 };

	GTC_EXPECT_INT(ovpn_replay_accept(&win, UINT32_MAX), 0);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, UINT64_MAX), 0);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, UINT64_MAX), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, UINT64_MAX - LIMIT + 1), 0);
	GTC_EXPECT_INT(ovpn_replay_accept(&win, UINT64_MAX - LIMIT), -ERANGE);
}

// Against a model that remembers everything, with jumps of all sizes.
GTC_TEST(replay, against_a_model)
{
	enum { IDS = 200000 };
	static bool seen[IDS];
	struct ovpn_replay win = { 0 };
	uint32_t seed = 7;
	uint32_t top = 0;

	for (unsigned i = 0; i < 400000; i++) {
		uint32_t id;
		int want;

		seed = seed * 1664525u + 1013904223u;
		id = top + (seed >> 8) % (i % 1000 == 0 ? 5000 : 12);
		if (seed >> 31)
			id = top > 2300 ? top - (seed >> 8) % 2300 : top;
		if (id >= IDS)
			break;
		if (id == 0)
			want = -EINVAL;
		else if (id <= top && top - id >= LIMIT)
			want = -ERANGE;
		else
			want = seen[id] ? -EEXIST : 0;
		GTC_ASSERT_INT(ovpn_replay_check(&win, id), want);
		GTC_ASSERT_INT(ovpn_replay_accept(&win, id), want);
		if (want == 0)
			seen[id] = true;
		if (want == 0 && id > top)
			top = id;
	}
	GTC_EXPECT(top > IDS / 4);
}

GTC_TEST(replay, long_form)
{
	struct ovpn_replay_long win = { 0 };

	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 0), -EINVAL);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 5), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 5), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 3), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 3), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 999, 6), -ERANGE);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 68), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 5), -EEXIST); // last one inside
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 4), -ERANGE);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 500), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 437), 0);
	// A later time opens a new window, whatever the id.
	GTC_EXPECT_INT(ovpn_replay_long_check(&win, 1001, 1), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1001, 1), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1001, 1), -EEXIST);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1000, 501), -ERANGE);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1001, UINT32_MAX), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 1001, UINT32_MAX), -EEXIST);
}

// A jump by exactly the width of the window leaves nothing of the old one.
GTC_TEST(replay, long_form_jumps)
{
	for (uint32_t ahead = 1; ahead < 130; ahead++) {
		struct ovpn_replay_long win = { 0 };

		for (uint32_t id = 1; id <= 64; id++)
			GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 7, id), 0);
		GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 7, 64 + ahead), 0);
		for (uint32_t id = 65; id < 64 + ahead; id++)
			GTC_EXPECT_INT(ovpn_replay_long_check(&win, 7, id),
				id + 64 <= 64 + ahead ? -ERANGE : 0);
		for (uint32_t id = 1; id <= 64; id++)
			GTC_EXPECT_INT(ovpn_replay_long_check(&win, 7, id),
				id <= ahead ? -ERANGE : -EEXIST);
	}
}

GTC_TEST(replay, long_form_before_1970)
{
	struct ovpn_replay_long win = { 0 };

	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 0, 1), 0);
	GTC_EXPECT_INT(ovpn_replay_long_accept(&win, 0, 1), -EEXIST);
}

GTC_TEST(replay, sender)
{
	struct ovpn_replay_send s;
	uint32_t time = 0;
	uint32_t id = 0;

	ovpn_replay_send_init(&s, 0, 1);
	ovpn_replay_send_next(&s, 1000, &time, &id);
	GTC_EXPECT_INT(time, 1000);
	GTC_EXPECT_INT(id, 1);
	ovpn_replay_send_next(&s, 2000, &time, &id);
	GTC_EXPECT_INT(time, 1000); // constant
	GTC_EXPECT_INT(id, 2);
	s.next = UINT32_MAX;
	ovpn_replay_send_next(&s, 2000, &time, &id);
	GTC_EXPECT_INT(id, UINT32_MAX);
	ovpn_replay_send_next(&s, 2000, &time, &id);
	GTC_EXPECT_INT(time, 2000);
	GTC_EXPECT_INT(id, 1);
	// The clock went back since: the time must grow all the same.
	s.next = 0;
	ovpn_replay_send_next(&s, 10, &time, &id);
	GTC_EXPECT_INT(time, 2001);
	GTC_EXPECT_INT(id, 1);
	ovpn_replay_send_init(&s, 5000, 0x0F000001);
	ovpn_replay_send_next(&s, 10, &time, &id);
	GTC_EXPECT_INT(time, 5000);
	GTC_EXPECT_INT(id, 0x0F000001);
}
