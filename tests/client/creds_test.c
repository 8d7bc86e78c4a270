// SPDX-License-Identifier: BSD-3-Clause
#include "client/creds.h"

#include <errno.h>
#include <string.h>

#include "tests/gtc.h"

static int parse(const char *text, struct vc_challenge *ret)
{
	return vc_challenge_parse(text, strlen(text), ret);
}

GTC_TEST(creds, challenge)
{
	struct vc_challenge c;

	GTC_ASSERT_INT(
		parse("CRV1:R,E:Om01u7Fh4LrGBS7uh0SWmzwabUiGiW6l:Y3Ix:Please enter: a PIN", &c), 0);
	GTC_EXPECT(c.echo && c.response);
	GTC_EXPECT_STR(c.state, "Om01u7Fh4LrGBS7uh0SWmzwabUiGiW6l");
	GTC_EXPECT_STR(c.user, "cr1");
	GTC_EXPECT_STR(c.question, "Please enter: a PIN");
	GTC_ASSERT_INT(parse("CRV1::s:Y3I=:", &c), 0);
	GTC_EXPECT(!c.echo && !c.response);
	GTC_EXPECT_STR(c.user, "cr");
	GTC_EXPECT_STR(c.question, "");
}

GTC_TEST(creds, malformed_challenges)
{
	static const char *const bad[] = { "", "CRV1", "CRV1:", "CRV1:R:s", "CRV1:R:s:Y3Ix",
		"CRV1:R:s:Y3I:q", "CRV1:R:s:****:q", "CRV1:R:s:Y3Ix:q\n", "CRV2:R:s:Y3Ix:q" };
	struct vc_challenge c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		GTC_EXPECT_INT(parse(bad[i], &c), -EBADMSG);
}
