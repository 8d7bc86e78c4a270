// SPDX-License-Identifier: BSD-3-Clause
// Hands each C test that GTC_TEST registered to Google Test.
#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/gtc.h"

namespace
{

struct Entry {
	const char *suite;
	const char *name;
	const char *file;
	int line;
	void (*fn)(void);
};

// A function-local static: constructors of C files run in any order.
std::vector<Entry> &entries()
{
	static std::vector<Entry> list;
	return list;
}

class CTest : public testing::Test
{
      public:
	explicit CTest(void (*fn)(void)) : fn_(fn)
	{
	}
	void TestBody() override
	{
		fn_();
	}

      private:
	void (*fn_)(void);
};

std::string hex(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = static_cast<const unsigned char *>(data);
	std::string out;

	for (size_t i = 0; i < len; i++) {
		out += digits[p[i] >> 4];
		out += digits[p[i] & 15];
	}
	return out;
}

} // namespace

extern "C" void gtc_register(
	const char *suite, const char *name, const char *file, int line, void (*fn)(void))
{
	entries().push_back({ suite, name, file, line, fn });
}

extern "C" bool gtc_fail(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	std::vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ADD_FAILURE_AT(file, line) << text;
	return false;
}

extern "C" void gtc_skip(const char *file, int line, const char *why)
{
	GTEST_MESSAGE_AT_(file, line, why, testing::TestPartResult::kSkip);
}

extern "C" bool gtc_check_mem(
	const char *file, int line, const char *expr, const void *got, const void *want, size_t len)
{
	if (memcmp(got, want, len) == 0)
		return true;
	ADD_FAILURE_AT(file, line)
		<< expr << "\n  got      " << hex(got, len) << "\n  expected " << hex(want, len);
	return false;
}

extern "C" bool gtc_check_str(
	const char *file, int line, const char *expr, const char *got, const char *want)
{
	if (got != nullptr && strcmp(got, want) == 0)
		return true;
	ADD_FAILURE_AT(file, line)
		<< expr << "\n  got      " << (got ? got : "(null)") << "\n  expected " << want;
	return false;
}

int main(int argc, char **argv)
{
	testing::InitGoogleTest(&argc, argv);
	for (const Entry &e : entries()) {
		void (*fn)(void) = e.fn;
		testing::RegisterTest(e.suite, e.name, nullptr, nullptr, e.file, e.line,
			[fn]() -> testing::Test * { return new CTest(fn); });
	}
	return RUN_ALL_TESTS();
}
