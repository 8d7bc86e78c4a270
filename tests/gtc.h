// SPDX-License-Identifier: BSD-3-Clause
// A thin C face of Google Test: tests are C, gtc_main.cc alone is C++.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

// Register a test; called by the constructors that GTC_TEST makes, before main().
void gtc_register(
	const char *suite, const char *name, const char *file, int line, void (*fn)(void));

// Record a failure of the running test; printf-like message. Returns false, so that checks can
// be used as conditions.
bool gtc_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// Skip the running test with a reason (shown as SKIPPED).
void gtc_skip(const char *file, int line, const char *why);

bool gtc_check_mem(const char *file, int line, const char *expr, const void *got, const void *want,
	size_t len);
bool gtc_check_str(const char *file, int line, const char *expr, const char *got, const char *want);

#define GTC_TEST(suite, name)                                                                      \
	static void suite##_##name##_gtc(void);                                                    \
	__attribute__((constructor)) static void suite##_##name##_gtc_reg(void)                    \
	{                                                                                          \
		gtc_register(#suite, #name, __FILE__, __LINE__, suite##_##name##_gtc);             \
	}                                                                                          \
	static void suite##_##name##_gtc(void)

#define GTC_EXPECT(cond) ((cond) ? true : gtc_fail(__FILE__, __LINE__, "expected: %s", #cond))
#define GTC_ASSERT(cond)                                                                           \
	do {                                                                                       \
		if (!GTC_EXPECT(cond))                                                             \
			return;                                                                    \
	} while (0)
// Integers of any kind up to 64 bits: got first, wanted second.
#define GTC_EXPECT_INT(got, want)                                                                  \
	({                                                                                         \
		long long gtc_got_ = (long long)(got);                                             \
		long long gtc_want_ = (long long)(want);                                           \
		gtc_got_ == gtc_want_ ||                                                           \
			gtc_fail(__FILE__, __LINE__, "%s: got %lld, expected %lld", #got,          \
				gtc_got_, gtc_want_);                                              \
	})
#define GTC_ASSERT_INT(got, want)                                                                  \
	do {                                                                                       \
		if (!GTC_EXPECT_INT(got, want))                                                    \
			return;                                                                    \
	} while (0)
#define GTC_EXPECT_MEM(got, want, len) gtc_check_mem(__FILE__, __LINE__, #got, got, want, len)
#define GTC_EXPECT_STR(got, want) gtc_check_str(__FILE__, __LINE__, #got, got, want)
#define GTC_FAIL(...) gtc_fail(__FILE__, __LINE__, __VA_ARGS__)
#define GTC_SKIP(why)                                                                              \
	do {                                                                                       \
		gtc_skip(__FILE__, __LINE__, why);                                                 \
		return;                                                                            \
	} while (0)

#ifdef __cplusplus
}
#endif
