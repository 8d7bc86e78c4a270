// SPDX-License-Identifier: BSD-3-Clause
#include "config/number.h"

#include <errno.h>
#include <sys/socket.h>

#include "config/addr.h"
#include "tests/gtc.h"

GTC_TEST(cfg_number, accepted)
{
	uint64_t v = 7;

	GTC_EXPECT_INT(cfg_u64("0", 0, 10, &v), 0);
	GTC_EXPECT_INT(v, 0);
	GTC_EXPECT_INT(cfg_u64("0010", 0, 10, &v), 0);
	GTC_EXPECT_INT(v, 10);
	GTC_EXPECT_INT(cfg_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
	GTC_EXPECT(v == UINT64_MAX);
}

GTC_TEST(cfg_number, refused)
{
	uint64_t v = 7;
	uint32_t w = 7;
	uint16_t x = 7;

	GTC_EXPECT_INT(cfg_u64("", 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64(NULL, 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64("-1", 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64("+1", 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64(" 1", 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64("1k", 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64("0x1", 0, 10, &v), -EINVAL);
	GTC_EXPECT_INT(cfg_u64("11", 0, 10, &v), -ERANGE);
	GTC_EXPECT_INT(cfg_u64("1", 2, 10, &v), -ERANGE);
	GTC_EXPECT_INT(cfg_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	GTC_EXPECT_INT(cfg_u64("99999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	GTC_EXPECT_INT(cfg_u32("4294967296", 0, UINT32_MAX, &w), -ERANGE);
	GTC_EXPECT_INT(cfg_u16("65536", 0, UINT16_MAX, &x), -ERANGE);
	GTC_EXPECT(v == 7 && w == 7 && x == 7); // untouched by failures
}

static void text_is(const struct cfg_addr *a, const char *want)
{
	char buf[CFG_ADDR_TEXT];

	GTC_EXPECT_STR(cfg_addr_text(a, true, buf), want);
}

GTC_TEST(cfg_addr, parse)
{
	struct cfg_addr a;
	uint8_t bits;

	GTC_EXPECT_INT(cfg_addr_parse("10.8.0.1", &a), 0);
	text_is(&a, "10.8.0.1/32");
	GTC_EXPECT_INT(cfg_addr_parse("2001:db8::1", &a), 0);
	text_is(&a, "2001:db8::1/128");
	GTC_EXPECT_INT(cfg_addr_parse("10.8.0", &a), -EINVAL);
	GTC_EXPECT_INT(cfg_addr_parse("example.org", &a), -EINVAL);
	GTC_EXPECT_INT(cfg_prefix_parse("10.8.0.0/16", &a), 0);
	text_is(&a, "10.8.0.0/16");
	GTC_EXPECT_INT(cfg_prefix_parse("2001:db8::/64", &a), 0);
	text_is(&a, "2001:db8::/64");
	GTC_EXPECT_INT(cfg_prefix_parse("10.8.0.0/33", &a), -EINVAL);
	GTC_EXPECT_INT(cfg_prefix_parse("10.8.0.0/", &a), -EINVAL);
	GTC_EXPECT_INT(cfg_netmask_parse("255.255.255.0", &bits), 0);
	GTC_EXPECT_INT(bits, 24);
	GTC_EXPECT_INT(cfg_netmask_parse("0.0.0.0", &bits), 0);
	GTC_EXPECT_INT(bits, 0);
	GTC_EXPECT_INT(cfg_netmask_parse("255.255.255.255", &bits), 0);
	GTC_EXPECT_INT(bits, 32);
	GTC_EXPECT_INT(cfg_netmask_parse("255.0.255.0", &bits), -EINVAL);
	GTC_EXPECT_INT(cfg_netmask_parse("10.8.0.1", &bits), -EINVAL);
}

GTC_TEST(cfg_addr, arithmetic)
{
	struct cfg_addr net, a, b;
	uint64_t d;

	GTC_EXPECT_INT(cfg_network_parse("10.8.3.7", "255.255.252.0", &net), 0);
	a = cfg_addr_network(&net);
	text_is(&a, "10.8.0.0/22");
	b = cfg_addr_last(&net);
	text_is(&b, "10.8.3.255/22");
	GTC_EXPECT_INT(cfg_addr_distance(&a, &b, &d), 0);
	GTC_EXPECT_INT(d, 1023);
	GTC_EXPECT_INT(cfg_addr_distance(&b, &a, &d), -ERANGE);
	GTC_EXPECT_INT(cfg_addr_add(&a, 256, &b), 0);
	text_is(&b, "10.8.1.0/32");
	b = cfg_addr_netmask(&net);
	text_is(&b, "255.255.252.0/32");
	GTC_EXPECT_INT(cfg_addr_parse("255.255.255.255", &a), 0);
	GTC_EXPECT_INT(cfg_addr_add(&a, 1, &b), -ERANGE);
	GTC_EXPECT_INT(cfg_addr_add(&a, 1ull << 32, &b), -ERANGE);
	GTC_EXPECT_INT(cfg_addr_parse("2001:db8::ffff:ffff:ffff:ffff", &a), 0);
	GTC_EXPECT_INT(cfg_addr_add(&a, 1, &b), 0);
	text_is(&b, "2001:db8:0:1::/128");
	GTC_EXPECT_INT(cfg_addr_distance(&a, &b, &d), 0);
	GTC_EXPECT_INT(d, 1);
	GTC_EXPECT_INT(cfg_addr_parse("::", &a), 0);
	GTC_EXPECT_INT(cfg_addr_distance(&a, &b, &d), -ERANGE); // more than 64 bits
}

GTC_TEST(cfg_addr, relations)
{
	struct cfg_addr net, in, out, six, wide;

	GTC_EXPECT_INT(cfg_prefix_parse("10.8.0.0/24", &net), 0);
	GTC_EXPECT_INT(cfg_addr_parse("10.8.0.9", &in), 0);
	GTC_EXPECT_INT(cfg_addr_parse("10.8.1.9", &out), 0);
	GTC_EXPECT_INT(cfg_addr_parse("::1", &six), 0);
	GTC_EXPECT_INT(cfg_prefix_parse("10.0.0.0/8", &wide), 0);
	GTC_EXPECT(cfg_addr_within(&in, &net));
	GTC_EXPECT(!cfg_addr_within(&out, &net));
	GTC_EXPECT(!cfg_addr_within(&six, &net));
	GTC_EXPECT(cfg_addr_overlap(&net, &wide));
	GTC_EXPECT(cfg_addr_overlap(&wide, &net));
	GTC_EXPECT(!cfg_addr_overlap(&out, &net));
	GTC_EXPECT(!cfg_addr_equal(&in, &out));
}
