// SPDX-License-Identifier: BSD-3-Clause
#include "control/slots.h"

#include <errno.h>

#include "tests/gtc.h"

GTC_TEST(slots, first_freed_is_first_used)
{
	struct ctl_slots s;
	uint32_t slot;

	GTC_ASSERT_INT(ctl_slots_init(&s, 3, 1000), 0);
	for (uint32_t i = 0; i < 3; i++)
		ctl_slots_put(&s, i, 0);
	for (uint32_t i = 0; i < 3; i++) {
		GTC_EXPECT_INT(ctl_slots_take(&s, 1000, &slot), 0);
		GTC_EXPECT_INT(slot, i);
	}
	GTC_EXPECT_INT(ctl_slots_take(&s, 1000, &slot), -ENOSPC);
	ctl_slots_put(&s, 2, 0);
	ctl_slots_put(&s, 0, 0);
	GTC_EXPECT_INT(ctl_slots_take(&s, 1000, &slot), 0);
	GTC_EXPECT_INT(slot, 2);
	GTC_EXPECT_INT(ctl_slots_take(&s, 1000, &slot), 0);
	GTC_EXPECT_INT(slot, 0);
	ctl_slots_done(&s);
}

GTC_TEST(slots, rests_after_removal)
{
	struct ctl_slots s;
	uint32_t slot;

	GTC_ASSERT_INT(ctl_slots_init(&s, 2, 5000), 0);
	ctl_slots_put(&s, 1, 5000 + CTL_SLOT_REST_MS);
	GTC_EXPECT_INT(ctl_slots_take(&s, 5000 + CTL_SLOT_REST_MS - 1, &slot), -EAGAIN);
	GTC_EXPECT_INT(ctl_slots_take(&s, 5000 + CTL_SLOT_REST_MS, &slot), 0);
	GTC_EXPECT_INT(slot, 1);
	ctl_slots_done(&s);
}

GTC_TEST(slots, never_used_goes_before_resting)
{
	struct ctl_slots s;
	uint32_t slot;

	GTC_ASSERT_INT(ctl_slots_init(&s, 3, 5000), 0);
	ctl_slots_put(&s, 0, 5000 + CTL_SLOT_REST_MS);
	ctl_slots_put_first(&s, 2);
	ctl_slots_put_first(&s, 1);
	ctl_slots_put_first(&s, 1); // one too many
	for (uint32_t i = 1; i < 3; i++) {
		GTC_EXPECT_INT(ctl_slots_take(&s, 5000, &slot), 0);
		GTC_EXPECT_INT(slot, i);
	}
	GTC_EXPECT_INT(ctl_slots_take(&s, 5000, &slot), -EAGAIN);
	GTC_EXPECT_INT(ctl_slots_take(&s, 5000 + CTL_SLOT_REST_MS, &slot), 0);
	GTC_EXPECT_INT(slot, 0);
	ctl_slots_done(&s);
}

GTC_TEST(slots, too_many_are_refused)
{
	struct ctl_slots s;
	uint32_t slot;

	GTC_ASSERT_INT(ctl_slots_init(&s, 1, 0), 0);
	ctl_slots_put(&s, 0, 0);
	ctl_slots_put(&s, 0, 0); // twice
	ctl_slots_put(&s, 7, 0); // outside
	GTC_EXPECT_INT(ctl_slots_take(&s, 0, &slot), 0);
	GTC_EXPECT_INT(ctl_slots_take(&s, 0, &slot), -ENOSPC);
	ctl_slots_done(&s);
}
