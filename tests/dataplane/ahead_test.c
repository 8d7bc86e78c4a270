// SPDX-License-Identifier: BSD-3-Clause
// Several full bursts in one turn, the next of which is looked at ahead.
#include <string.h>

#include "dataplane/path.h"
#include "harness.h"
#include "tests/gtc.h"

#define OUTSIDE 0xcb007107u // 203.0.113.7

// While bursts are full, one turn takes several, and frames that nobody can guess the session of
// lie between the others.
GTC_TEST(ahead, full_bursts)
{
	enum { FRAMES = 4 * DP_BURST + 7, CLIENTS = 8 };
	static const uint8_t odd[][8] = { { 0xff, 0xff, 0xff, 0xff }, { 9u << 3, 0xff, 0xff, 0xfe },
		{ 9u << 3, 0, 0, 40 }, { 0 } };
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_client c[CLIENTS];
	unsigned good = 0;
	struct h_datagram d;

	for (unsigned k = 0; k < CLIENTS; k++)
		GTC_ASSERT_INT(h_install(h, k, NULL, &c[k]), 0);
	h_run(h);
	for (unsigned i = 0; i < FRAMES; i++) {
		unsigned k = i % CLIENTS;

		if (i % 5 == 4) {
			h_from(h, 0, &c[k], odd[i % 4], 1 + i % 8);
		} else {
			h_inner(inner, H_TUNNEL(k), OUTSIDE, 28 + good, false);
			h_from(h, 0, &c[k], wire, h_seal(&c[k], inner, 28 + good++, wire));
		}
		h_inner(inner, OUTSIDE, i % 7 == 0 ? OUTSIDE : H_TUNNEL(k), 28 + i, false);
		h_inner_in(h, 0, inner, 28 + i);
	}
	GTC_EXPECT_INT(dp_worker_iterate(h->core.worker[0]), 2 * 4 * DP_BURST);
	GTC_EXPECT_INT(dp_worker_iterate(h->core.worker[0]), 2 * 7);
	h_run(h);
	for (unsigned i = 0; i < good; i++) // in order
		GTC_ASSERT_INT(h_inner_out(h, got), 28 + i);
	GTC_EXPECT_INT(h_inner_out(h, got), 0);
	for (unsigned i = 0; i < FRAMES; i++) {
		if (i % 7 == 0)
			continue;
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_ASSERT_INT(h_open(&c[i % CLIENTS], &d, got), 28 + i);
	}
	GTC_EXPECT(!h_datagram_out(h, &d));
	h_destroy(h);
}
