// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "tests/gtc.h"

#define DRAWS 1000
#define SLACK_MS 5000u // the test may be interrupted between two looks at the clock

// Draw many times when the next renegotiation is due: all within the bounds, and all over them.
static void draw(uint32_t max_s, uint32_t min_s, uint64_t low_ms, uint64_t high_ms)
{
	struct cfg_server cfg = { .tls = { .reneg_sec = max_s, .reneg_sec_min = min_s } };
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	struct ctl_peer *peer = calloc(1, sizeof(*peer));
	uint64_t least = UINT64_MAX, most = 0;

	GTC_ASSERT(ctl != NULL && peer != NULL);
	ctl->cfg = &cfg;
	for (int i = 0; i < DRAWS; i++) {
		uint64_t now = ctl_now_ms(), in;

		// Other keys of one session as well as first keys of other sessions.
		if (i % 2 == 0)
			peer->age++;
		else
			memcpy(peer->ch.own_sid, &i, sizeof(i));
		ctl_rekey_plan(ctl, peer);
		in = peer->reneg_ms - now;
		least = in < least ? in : least;
		most = in > most ? in : most;
	}
	GTC_EXPECT(least >= low_ms);
	GTC_EXPECT(most <= high_ms + SLACK_MS);
	// Of 1,000 even draws some lie in the first and in the last tenth (but for 1e-45).
	GTC_EXPECT(least < low_ms + (high_ms - low_ms) / 10 + SLACK_MS);
	GTC_EXPECT(most > high_ms - (high_ms - low_ms) / 10);
	free(peer);
	free(ctl);
}

GTC_TEST(rekey, interval_is_drawn_within_its_bounds)
{
	draw(3600, 3600, 3240000, 3600000); // one value alone: a tenth less at most
	draw(3600, 1800, 1800000, 3600000);
	draw(100000, 1, 1000, 100000000);
}

GTC_TEST(rekey, never_without_reneg_sec)
{
	struct cfg_server cfg = { 0 };
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	struct ctl_peer *peer = calloc(1, sizeof(*peer));

	GTC_ASSERT(ctl != NULL && peer != NULL);
	ctl->cfg = &cfg;
	ctl_rekey_plan(ctl, peer);
	GTC_EXPECT(peer->reneg_ms == CTL_NEVER);
	free(peer);
	free(ctl);
}
