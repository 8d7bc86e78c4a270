// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/bytes.h"
#include "protocol/text.h"
#include "tests/gtc.h"

GTC_TEST(text, builder)
{
	struct ovpn_text t;
	size_t len = 99;
	char buf[8];

	ovpn_text_init(&t, buf, sizeof(buf));
	ovpn_text_add(&t, "abc");
	ovpn_text_add_u64(&t, 1234);
	GTC_EXPECT_INT(ovpn_text_done(&t, &len), 0);
	GTC_EXPECT_INT(len, 7);
	GTC_EXPECT_STR(buf, "abc1234");
	ovpn_text_add(&t, "");
	GTC_EXPECT_INT(ovpn_text_done(&t, NULL), 0);
	ovpn_text_add(&t, "x");
	GTC_EXPECT_INT(ovpn_text_done(&t, &len), -ENOBUFS);
	GTC_EXPECT_STR(buf, "abc1234"); // a piece that doesn't fit is left out whole
	ovpn_text_init(&t, NULL, 0);
	ovpn_text_add(&t, "");
	GTC_EXPECT_INT(ovpn_text_done(&t, &len), -ENOBUFS);
}

GTC_TEST(text, numbers)
{
	struct ovpn_text t;
	uint64_t value = 7;
	char buf[32];

	GTC_EXPECT_INT(ovpn_parse_u64("", 0, 10, &value), -EINVAL);
	GTC_EXPECT_INT(ovpn_parse_u64("1x", 2, 10, &value), -EINVAL);
	GTC_EXPECT_INT(ovpn_parse_u64("-1", 2, 10, &value), -EINVAL);
	GTC_EXPECT_INT(ovpn_parse_u64(" 1", 2, 10, &value), -EINVAL);
	GTC_EXPECT_INT(ovpn_parse_u64("11", 2, 10, &value), -ERANGE);
	GTC_EXPECT_INT(ovpn_parse_u64("18446744073709551616", 20, UINT64_MAX, &value), -ERANGE);
	GTC_EXPECT_INT(ovpn_parse_u64("99999999999999999999999", 23, UINT64_MAX, &value), -ERANGE);
	GTC_EXPECT_INT(ovpn_parse_u64("99999999999999999999999x", 24, UINT64_MAX, &value), -EINVAL);
	GTC_EXPECT_INT(value, 7);
	GTC_EXPECT_INT(ovpn_parse_u64("18446744073709551615", 20, UINT64_MAX, &value), 0);
	GTC_EXPECT(value == UINT64_MAX);
	GTC_EXPECT_INT(ovpn_parse_u64("0010", 4, 10, &value), 0);
	GTC_EXPECT_INT(value, 10);
	ovpn_text_init(&t, buf, sizeof(buf));
	ovpn_text_add_u64(&t, UINT64_MAX);
	ovpn_text_add_u64(&t, 0);
	GTC_EXPECT_STR(buf, "184467440737095516150");
}

GTC_TEST(text, comparisons)
{
	GTC_EXPECT(ovpn_text_equal("abc", 3, "abc"));
	GTC_EXPECT(!ovpn_text_equal("abc", 2, "abc"));
	GTC_EXPECT(!ovpn_text_equal("Abc", 3, "abc"));
	GTC_EXPECT(ovpn_text_equal(NULL, 0, ""));
	GTC_EXPECT(ovpn_text_equal_nocase("aBZ", 3, "AbZ"));
	GTC_EXPECT(!ovpn_text_equal_nocase("@[", 2, "`{")); // neighbours of the letters
	GTC_EXPECT(ovpn_text_starts_with_word("TEMP:x", 6, "TEMP"));
	GTC_EXPECT(ovpn_text_starts_with_word("TEMP", 4, "TEMP"));
	GTC_EXPECT(!ovpn_text_starts_with_word("TEMPO", 5, "TEMP"));
	GTC_EXPECT(!ovpn_text_starts_with_word("TEM", 3, "TEMP"));
	GTC_EXPECT(ovpn_text_is_printable(" ~", 2));
	GTC_EXPECT(!ovpn_text_is_printable("\x1f", 1));
	GTC_EXPECT(!ovpn_text_is_printable("\x7f", 1));
	GTC_EXPECT(!ovpn_text_is_printable("\x80", 1));
	GTC_EXPECT(!ovpn_text_is_printable("a\0b", 3));
}

GTC_TEST(bytes, big_endian)
{
	uint8_t buf[9] = { 0 };

	ovpn_put_be64(buf + 1, 0x0102030405060708ull);
	GTC_EXPECT_MEM(buf, "\0\1\2\3\4\5\6\7\10", 9);
	GTC_EXPECT_INT(ovpn_get_be64(buf + 1), 0x0102030405060708ll);
	GTC_EXPECT_INT(ovpn_get_be32(buf + 1), 0x01020304);
	GTC_EXPECT_INT(ovpn_get_be24(buf + 1), 0x010203);
	GTC_EXPECT_INT(ovpn_get_be16(buf + 1), 0x0102);
	ovpn_put_be32(buf, 0xFFFEFDFC);
	ovpn_put_be24(buf + 4, 0xABCDEF);
	ovpn_put_be16(buf + 7, 0x8001);
	GTC_EXPECT_MEM(buf, "\xff\xfe\xfd\xfc\xab\xcd\xef\x80\x01", 9);
}
