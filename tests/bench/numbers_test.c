// SPDX-License-Identifier: BSD-3-Clause
// What benches say of their samples: medians, quiet ones, percentiles.
#include "bench/pktgen/hdr.h"
#include "bench/sample.h"
#include "tests/gtc.h"

GTC_TEST(sample, few_quiet_ones_say_nothing)
{
	struct pg_samples s = { 0 };
	struct pg_summary r;

	for (int i = 1; i <= 9; i++)
		GTC_ASSERT_INT(pg_samples_add(&s, i, i == 9), 0);
	r = pg_samples_summary(&s);
	GTC_EXPECT_INT(r.median, 5);
	GTC_EXPECT_INT(r.n, 9);
	GTC_EXPECT_INT(r.quiet, 1);
	GTC_EXPECT_INT(r.min, 1);
	GTC_EXPECT_INT(r.max, 9);
	pg_samples_done(&s);
}

GTC_TEST(sample, quiet_ones_alone_count)
{
	struct pg_samples s = { 0 };
	struct pg_summary r;

	for (int i = 0; i < 30; i++)
		GTC_ASSERT_INT(pg_samples_add(&s, i % 3 == 0 ? 10 : 1000, i % 3 == 0), 0);
	r = pg_samples_summary(&s);
	GTC_EXPECT_INT(r.median, 10);
	GTC_EXPECT_INT(r.all_median, 1000);
	GTC_EXPECT_INT(r.n, 10);
	GTC_EXPECT_INT(r.total, 30);
	GTC_EXPECT_INT(r.max, 10);
	pg_samples_done(&s);
}

GTC_TEST(sample, none)
{
	struct pg_samples s = { 0 };
	struct pg_summary r = pg_samples_summary(&s);

	GTC_EXPECT_INT(r.n, 0);
	GTC_EXPECT(r.median == 0);
}

GTC_TEST(sample, patience_ends)
{
	struct pg_samples s = { 0 };
	unsigned n = 0;

	while (!pg_samples_enough(&s, 10) && n < 1000) {
		GTC_ASSERT_INT(pg_samples_add(&s, 1, false), 0);
		n++;
	}
	GTC_EXPECT_INT(n, 60);
	pg_samples_done(&s);
}

GTC_TEST(hdr, percentiles_within_a_64th)
{
	static struct pg_hdr h;

	pg_hdr_clear(&h);
	GTC_EXPECT_INT(pg_hdr_at(&h, 0.5), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		pg_hdr_add(&h, i * 10);
	GTC_EXPECT_INT(h.n, 100000);
	GTC_EXPECT_INT(h.max_ns, 1000000);
	GTC_EXPECT(pg_hdr_at(&h, 0.5) >= 500000 && pg_hdr_at(&h, 0.5) <= 500000 + 500000 / 64);
	GTC_EXPECT(pg_hdr_at(&h, 0.99) >= 990000 && pg_hdr_at(&h, 0.99) <= 1000000);
	GTC_EXPECT_INT(pg_hdr_at(&h, 1), 1000000);
}

GTC_TEST(hdr, small_and_huge_values)
{
	static struct pg_hdr h;

	pg_hdr_clear(&h);
	for (uint64_t i = 0; i < 64; i++)
		pg_hdr_add(&h, i);
	GTC_EXPECT_INT(pg_hdr_at(&h, 0), 0);
	GTC_EXPECT_INT(pg_hdr_at(&h, 0.5), 31); // exact below 64
	pg_hdr_add(&h, UINT64_MAX);
	GTC_EXPECT_INT(h.n, 65); // counted in the last bucket
	GTC_EXPECT(pg_hdr_at(&h, 1) > 1000000000);
}
