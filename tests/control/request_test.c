// SPDX-License-Identifier: BSD-3-Clause
#include "control/request.h"

#include <errno.h>

#include "tests/gtc.h"

static int parse(const char *line, struct ctl_request *r)
{
	const char *error = "unset";
	int rc = ctl_request_parse(line, strlen(line), r, &error);

	GTC_EXPECT((rc == 0) == (error == NULL));
	return rc;
}

GTC_TEST(request, commands)
{
	struct ctl_request r;

	GTC_EXPECT_INT(parse("{\"command\":\"status\"}", &r), 0);
	GTC_EXPECT_INT(r.kind, CTL_REQUEST_STATUS);
	GTC_EXPECT_INT(parse("{\"command\":\"counters\",\"unknown\":[1,2]}", &r), 0);
	GTC_EXPECT_INT(r.kind, CTL_REQUEST_COUNTERS);
	GTC_EXPECT_INT(parse("{\"command\":\"kick\",\"peer\":\"alice\",\"halt\":true}", &r), 0);
	GTC_EXPECT_INT(r.kind, CTL_REQUEST_KICK);
	GTC_EXPECT_STR(r.peer, "alice");
	GTC_EXPECT(r.halt);
	GTC_EXPECT_INT(parse("{\"command\":\"show\",\"peer\":\"10.8.0.2\"}", &r), 0);
	GTC_EXPECT_INT(r.kind, CTL_REQUEST_SHOW);
	GTC_EXPECT(!r.halt);
}

GTC_TEST(request, refused)
{
	struct ctl_request r = { .kind = CTL_REQUEST_SHOW };
	char line[200];

	GTC_EXPECT_INT(parse("", &r), -EINVAL);
	GTC_EXPECT_INT(parse("status", &r), -EINVAL);
	GTC_EXPECT_INT(parse("[\"status\"]", &r), -EINVAL);
	GTC_EXPECT_INT(parse("{}", &r), -EINVAL);
	GTC_EXPECT_INT(parse("{\"command\":7}", &r), -EINVAL);
	GTC_EXPECT_INT(parse("{\"command\":\"halt\"}", &r), -EINVAL);
	GTC_EXPECT_INT(parse("{\"command\":\"kick\"}", &r), -EINVAL);
	GTC_EXPECT_INT(parse("{\"command\":\"kick\",\"peer\":\"\"}", &r), -EINVAL);
	GTC_EXPECT_INT(parse("{\"command\":\"kick\",\"peer\":3}", &r), -EINVAL);
	memset(line, 'a', sizeof(line));
	memcpy(line, "{\"command\":\"kick\",\"peer\":\"", 26);
	memcpy(line + sizeof(line) - 3, "\"}", 3);
	GTC_EXPECT_INT(parse(line, &r), -EINVAL);
	GTC_EXPECT_INT(r.kind, CTL_REQUEST_SHOW); // never touched on failure
}
