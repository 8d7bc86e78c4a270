// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>

#include "protocol/push.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

// Collect what one PUSH_REPLY message carries.
static int collect(struct ovpn_push_collect *c, const char *text)
{
	struct ovpn_message m;

	ovpn_message_parse(text, strlen(text), &m);
	GTC_EXPECT_INT(m.type, OVPN_MSG_PUSH_REPLY);
	return ovpn_push_collect_add(c, m.text, m.text_len);
}

GTC_TEST(push, collect)
{
	struct ovpn_push_collect c;
	const char *option;
	char buf[64];

	ovpn_push_collect_init(&c, buf, sizeof(buf));
	GTC_EXPECT(ovpn_push_collect_next(&c, NULL) == NULL);
	GTC_EXPECT_INT(collect(&c, "PUSH_REPLY,ping 3,,route 1,push-continuation 2"), 0);
	GTC_EXPECT(!c.complete);
	GTC_EXPECT_INT(collect(&c, "PUSH_REPLY,peer-id 0,push-continuation 1"), 1);
	GTC_EXPECT(c.complete);
	option = ovpn_push_collect_next(&c, NULL);
	GTC_EXPECT_STR(option, "ping 3");
	option = ovpn_push_collect_next(&c, option);
	GTC_EXPECT_STR(option, "route 1");
	option = ovpn_push_collect_next(&c, option);
	GTC_EXPECT_STR(option, "peer-id 0");
	GTC_EXPECT(ovpn_push_collect_next(&c, option) == NULL);
	// A reply after a complete one is a new set, also an empty one.
	GTC_EXPECT_INT(collect(&c, "PUSH_REPLY"), 1);
	GTC_EXPECT(ovpn_push_collect_next(&c, NULL) == NULL);
}

GTC_TEST(push, collect_refuses)
{
	struct ovpn_push_collect c;
	char option[OVPN_PUSH_OPTION_MAX + 2];
	char buf[300];

	memset(option, 'x', sizeof(option));
	ovpn_push_collect_init(&c, buf, sizeof(buf));
	GTC_EXPECT_INT(ovpn_push_collect_add(&c, option, OVPN_PUSH_OPTION_MAX + 1), -EMSGSIZE);
	GTC_EXPECT_INT(ovpn_push_collect_add(&c, "a,b\x01", 4), -EBADMSG);
	GTC_EXPECT_INT(c.len, 0);
	GTC_EXPECT_INT(ovpn_push_collect_add(&c, option, OVPN_PUSH_OPTION_MAX), 1);
	ovpn_push_collect_init(&c, buf, 5);
	GTC_EXPECT_INT(ovpn_push_collect_add(&c, "ab,cd,push-continuation 2", 25), -ENOBUFS);
	GTC_EXPECT_INT(c.len, 0); // nothing of the part is kept
	GTC_EXPECT_INT(ovpn_push_collect_add(&c, "abcd", 4), 1);
	GTC_EXPECT_STR(ovpn_push_collect_next(&c, NULL), "abcd");
}

GTC_TEST(push, build_refuses)
{
	static const char *const comma[] = { "a,b" };
	static const char *const newline[] = { "a\nb" };
	char option[OVPN_PUSH_OPTION_MAX + 2];
	const char *const longer[] = { option };
	struct ovpn_push_build b;
	char buf[OVPN_PUSH_PART_MAX];
	size_t len = 0;

	ovpn_push_build_init(&b, OVPN_PUSH_REPLY, comma, 1);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), -EINVAL);
	ovpn_push_build_init(&b, OVPN_PUSH_REPLY, newline, 1);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), -EINVAL);
	memset(option, 'x', sizeof(option));
	option[sizeof(option) - 1] = '\0';
	ovpn_push_build_init(&b, OVPN_PUSH_REPLY, longer, 1);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), -EMSGSIZE);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf) - 1, &len), -ENOBUFS);
	option[OVPN_PUSH_OPTION_MAX] = '\0';
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), 1);
	GTC_EXPECT_INT(len, 11 + OVPN_PUSH_OPTION_MAX + 1);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), 0);
}

GTC_TEST(push, empty_reply)
{
	struct ovpn_push_build b;
	char buf[OVPN_PUSH_PART_MAX];
	size_t len = 0;

	ovpn_push_build_init(&b, OVPN_PUSH_REPLY, NULL, 0);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), 1);
	GTC_EXPECT_STR(buf, "PUSH_REPLY");
	GTC_EXPECT_INT(len, 11);
	GTC_EXPECT_INT(ovpn_push_build_next(&b, buf, sizeof(buf), &len), 0);
}

// Whatever the lengths of the options: no part is too long, and what is collected from the parts
// is what went in.
GTC_TEST(push, split_and_collect)
{
	enum { COUNT = 60 };
	static char text[COUNT][OVPN_PUSH_OPTION_MAX + 1];
	static char buf[32768];
	const char *options[COUNT];

	for (unsigned step = 1; step < 40; step++) {
		struct ovpn_push_collect c;
		struct ovpn_push_build b;
		char part[OVPN_PUSH_PART_MAX];
		const char *option = NULL;
		size_t len = 0;
		int rc = 0;

		for (unsigned i = 0; i < COUNT; i++) {
			memset(text[i], 'a' + (int)(i % 26), sizeof(text[i]));
			text[i][1 + (i * step) % OVPN_PUSH_OPTION_MAX] = '\0';
			options[i] = text[i];
		}
		ovpn_push_collect_init(&c, buf, sizeof(buf));
		ovpn_push_build_init(&b, OVPN_PUSH_REPLY, options, COUNT);
		while (ovpn_push_build_next(&b, part, sizeof(part), &len) == 1) {
			GTC_EXPECT_INT(rc, 0); // the parts before weren't the last
			GTC_EXPECT_INT(len, strlen(part) + 1);
			GTC_EXPECT(len <= 961);
			rc = collect(&c, part);
		}
		GTC_EXPECT_INT(rc, 1);
		for (unsigned i = 0; i < COUNT; i++) {
			option = ovpn_push_collect_next(&c, option);
			GTC_ASSERT(option != NULL);
			GTC_EXPECT_STR(option, options[i]);
		}
		GTC_EXPECT(ovpn_push_collect_next(&c, option) == NULL);
	}
}

// The captured replies: collected, then built again byte for byte, in as many parts.
GTC_TEST(push, vectors)
{
	unsigned sets = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		static char buf[65536];
		const char *options[256];
		char again[OVPN_PUSH_PART_MAX];
		struct vec *v = vec_load(*name);
		struct ovpn_push_collect c;
		struct ovpn_push_build b;
		const json_t *message;
		const json_t *parts[8];
		size_t part_count = 0;
		size_t count = 0;
		size_t len = 0;
		size_t i;

		ovpn_push_collect_init(&c, buf, sizeof(buf));
		json_array_foreach(json_object_get(v->json, "control_messages"), i, message)
		{
			const char *text = vec_str(message, "text");

			if (strncmp(text, "PUSH_REPLY", 10) != 0 || c.complete)
				continue;
			GTC_EXPECT(collect(&c, text) >= 0);
			GTC_ASSERT(part_count < 8);
			parts[part_count++] = json_object_get(message, "text");
		}
		if (part_count > 0)
			GTC_EXPECT(c.complete);
		for (const char *o = NULL; (o = ovpn_push_collect_next(&c, o)) != NULL;) {
			GTC_ASSERT(count < 256);
			options[count++] = o;
		}
		ovpn_push_build_init(&b, OVPN_PUSH_REPLY, options, count);
		for (i = 0; i < part_count; i++) {
			GTC_ASSERT_INT(ovpn_push_build_next(&b, again, sizeof(again), &len), 1);
			GTC_ASSERT_INT(len, json_string_length(parts[i]));
			GTC_EXPECT_STR(again, json_string_value(parts[i]));
		}
		if (part_count > 0) {
			GTC_EXPECT_INT(ovpn_push_build_next(&b, again, sizeof(again), &len), 0);
			sets++;
		}
		vec_free(v);
	}
	GTC_EXPECT(sets > 25);
}
