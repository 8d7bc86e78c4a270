// SPDX-License-Identifier: BSD-3-Clause
#include "control/log.h"

#include "control/hash.h"
#include "tests/gtc.h"

GTC_TEST(log, limit_counts_what_it_leaves_out)
{
	struct ctl_limit limit = { 0 };
	uint32_t suppressed = 99;

	for (unsigned i = 0; i < 10; i++)
		GTC_EXPECT(ctl_limit_pass(&limit, 1000 + i, &suppressed));
	GTC_EXPECT_INT(suppressed, 0);
	for (unsigned i = 0; i < 25; i++)
		GTC_EXPECT(!ctl_limit_pass(&limit, 2000, &suppressed));
	GTC_EXPECT(ctl_limit_pass(&limit, 11000, &suppressed));
	GTC_EXPECT_INT(suppressed, 25);
	GTC_EXPECT(ctl_limit_pass(&limit, 11001, &suppressed));
	GTC_EXPECT_INT(suppressed, 0);
}

GTC_TEST(log, words_are_one_word)
{
	char buf[8];

	GTC_EXPECT_STR(ctl_log_word("a b=\"c\"\n", buf, sizeof(buf)), "a_b__c_");
	GTC_EXPECT_STR(ctl_log_word("", buf, sizeof(buf)), "");
	GTC_EXPECT_STR(ctl_log_word("longer than that", buf, sizeof(buf)), "longer_");
}

GTC_TEST(hash, depends_on_every_byte_and_length)
{
	uint8_t key[28] = { 0 };
	unsigned base = ctl_hash(key, sizeof(key));

	GTC_EXPECT(ctl_hash(key, 27) != base);
	for (unsigned i = 0; i < sizeof(key); i++) {
		key[i] ^= 1;
		GTC_EXPECT(ctl_hash(key, sizeof(key)) != base);
		key[i] ^= 1;
	}
	GTC_EXPECT_INT(ctl_hash(key, sizeof(key)), base);
}
