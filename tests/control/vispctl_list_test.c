// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/vispctl_list.h"
#include "tests/gtc.h"

struct seen {
	char text[512];
	int stop_at; // value that the reader doesn't want; 0: none
	int n;
};

static int on_value(void *arg, bool totals, const char *text, size_t len)
{
	struct seen *s = arg;
	size_t at = strlen(s->text);

	(void)snprintf(
		s->text + at, sizeof(s->text) - at, "%s%.*s|", totals ? "T" : "S", (int)len, text);
	return ++s->n == s->stop_at ? -EIO : 0;
}

// All at once, then byte by byte: the same.
static int feed(const char *answer, struct seen *seen, char *ret_outer, bool *ret_done)
{
	static struct vispctl_list l;
	struct seen again = { .stop_at = seen->stop_at };
	int rc, rc2 = 0;

	vispctl_list_init(&l, on_value, &again);
	for (size_t i = 0; i < strlen(answer) && rc2 == 0; i++)
		rc2 = vispctl_list_feed(&l, answer + i, 1);
	vispctl_list_init(&l, on_value, seen);
	rc = vispctl_list_feed(&l, answer, strlen(answer));
	GTC_EXPECT_INT(rc, rc2);
	GTC_EXPECT_STR(seen->text, again.text);
	(void)snprintf(ret_outer, sizeof(l.outer), "%.*s", (int)l.outer_len, l.outer);
	*ret_done = l.done;
	return rc;
}

GTC_TEST(vispctl_list, values)
{
	static const struct {
		const char *answer;
		int rc;
		const char *values, *outer;
		bool done;
	} cases[] = {
		{ "{\"totals\":{\"a\":1},\"sessions\":[{\"n\":\"x\"},{\"n\":\"y\"}]}\n", 0,
			"T{\"a\":1}|S{\"n\":\"x\"}|S{\"n\":\"y\"}|",
			"{\"totals\":{},\"sessions\":[]}", true },
		{ "{\"totals\":{\"c\":{\"d\":[1]}},\"sessions\":[]}", 0, "T{\"c\":{\"d\":[1]}}|",
			"{\"totals\":{},\"sessions\":[]}", true },
		// Brackets and quotes in texts, lists in sessions.
		{ "{\"sessions\":[{\"n\":\"}]\\\"{\",\"f\":[\"a\",\"b\"]}]}", 0,
			"S{\"n\":\"}]\\\"{\",\"f\":[\"a\",\"b\"]}|", "{\"sessions\":[]}", true },
		{ "{\"error\":\"no such }\"}", 0, "", "{\"error\":\"no such }\"}", true },
		{ "{\"totals\":{\"a\":1},\"sessions\":[{\"n\"", 0, "T{\"a\":1}|",
			"{\"totals\":{},\"sessions\":[", false },
		{ "[{}]", -EPROTO, "", "", false },
		{ "hello", -EPROTO, "", "", false },
		{ "{\"sessions\":[1]}", -EPROTO, "", "{\"sessions\":[", false },
		{ "{\"sessions\":[\"a\"]}", -EPROTO, "", "{\"sessions\":[", false },
		{ "{\"sessions\":[[]]}", -EPROTO, "", "{\"sessions\":[", false },
		{ "{\"sessions\":[}", -EPROTO, "", "{\"sessions\":[", false },
		{ "}", -EPROTO, "", "", false },
	};
	char outer[1024];
	bool done;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen seen = { .stop_at = 0 };

		GTC_EXPECT_INT(feed(cases[i].answer, &seen, outer, &done), cases[i].rc);
		GTC_EXPECT_STR(seen.text, cases[i].values);
		GTC_EXPECT_STR(outer, cases[i].outer);
		GTC_EXPECT(done == cases[i].done);
	}
}

GTC_TEST(vispctl_list, ends)
{
	struct seen seen = { .stop_at = 2 };
	char outer[1024];
	bool done;

	GTC_EXPECT_INT(
		feed("{\"sessions\":[{\"n\":1},{\"n\":2},{\"n\":3}]}", &seen, outer, &done), -EIO);
	GTC_EXPECT_INT(seen.n, 2);
}

GTC_TEST(vispctl_list, limits)
{
	static struct vispctl_list l;
	static char x[VISPCTL_VALUE_MAX];
	struct seen seen = { .stop_at = 0 };
	const char begin[] = "{\"sessions\":[{\"n\":\"";

	memset(x, 'x', sizeof(x));
	vispctl_list_init(&l, on_value, &seen);
	GTC_EXPECT_INT(vispctl_list_feed(&l, begin, strlen(begin)), 0);
	GTC_EXPECT_INT(
		vispctl_list_feed(&l, x, sizeof(x)), -EMSGSIZE); // a session that is too long
	vispctl_list_init(&l, on_value, &seen);
	GTC_EXPECT_INT(vispctl_list_feed(&l, "{\"", 2), 0);
	GTC_EXPECT_INT(vispctl_list_feed(&l, x, 2000), -EMSGSIZE); // a name that is too long
}
