// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/push.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static struct ovpn_message parse(const char *text)
{
	struct ovpn_message m;

	ovpn_message_parse(text, strlen(text), &m);
	return m;
}

static bool text_is(const struct ovpn_message *m, const char *want)
{
	return m->text_len == strlen(want) && memcmp(m->text, want, m->text_len) == 0;
}

GTC_TEST(message, types)
{
	static const struct {
		const char *text;
		enum ovpn_message_type type;
		const char *rest;
	} table[] = {
		{ "PUSH_REQUEST", OVPN_MSG_PUSH_REQUEST, "" },
		{ "PUSH_REPLY,ping 3", OVPN_MSG_PUSH_REPLY, "ping 3" },
		{ "PUSH_UPDATE,-dns", OVPN_MSG_PUSH_UPDATE, "-dns" },
		{ "AUTH_FAILED", OVPN_MSG_AUTH_FAILED, "" },
		{ "AUTH_FAILED,no such user", OVPN_MSG_AUTH_FAILED, "no such user" },
		{ "INFO_PRE,OPEN_URL:x", OVPN_MSG_INFO_PRE, "OPEN_URL:x" },
		{ "INFO,x", OVPN_MSG_INFO, "x" },
		{ "CR_RESPONSE,YQ==", OVPN_MSG_CR_RESPONSE, "YQ==" },
		{ "EXIT", OVPN_MSG_EXIT, "" },
		{ "HALT", OVPN_MSG_HALT, "" },
		{ "RESTART", OVPN_MSG_RESTART, "" },
		{ "RESTARTED", OVPN_MSG_UNKNOWN, "RESTARTED" },
		{ "exit", OVPN_MSG_UNKNOWN, "exit" },
		{ "", OVPN_MSG_UNKNOWN, "" },
		{ "UNKNOWN", OVPN_MSG_UNKNOWN, "UNKNOWN" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct ovpn_message m = parse(table[i].text);

		GTC_EXPECT_INT(m.type, table[i].type);
		GTC_EXPECT(text_is(&m, table[i].rest));
	}
	GTC_EXPECT_STR(ovpn_message_name(OVPN_MSG_PUSH_REPLY), "PUSH_REPLY");
	GTC_EXPECT_STR(ovpn_message_name((enum ovpn_message_type)99), "UNKNOWN");
}

GTC_TEST(message, auth_failed)
{
	struct ovpn_message m = parse("AUTH_FAILED,SESSION:token expired");

	GTC_EXPECT_INT(m.auth_failed, OVPN_AUTH_FAILED_SESSION);
	GTC_EXPECT(text_is(&m, "token expired"));
	m = parse("AUTH_FAILED,TEMP[backoff 42,advance no]:later");
	GTC_EXPECT_INT(m.auth_failed, OVPN_AUTH_FAILED_TEMP);
	GTC_EXPECT(m.has_backoff);
	GTC_EXPECT_INT(m.backoff_s, 42);
	GTC_EXPECT_INT(m.advance, OVPN_ADVANCE_NO);
	GTC_EXPECT(text_is(&m, "later"));
	m = parse("AUTH_FAILED,TEMP[advance addr]");
	GTC_EXPECT_INT(m.advance, OVPN_ADVANCE_ADDR);
	GTC_EXPECT(text_is(&m, ""));
	m = parse("AUTH_FAILED,TEMP[advance remote,backoff x,backoff 99999999999]:r");
	GTC_EXPECT_INT(m.advance, OVPN_ADVANCE_REMOTE);
	GTC_EXPECT(!m.has_backoff);
	m = parse("AUTH_FAILED,TEMP[backoff 5");
	GTC_EXPECT_INT(m.backoff_s, 5); // an open bracket isn't worth losing the flag
	m = parse("AUTH_FAILED,TEMP");
	GTC_EXPECT_INT(m.auth_failed, OVPN_AUTH_FAILED_TEMP);
	m = parse("AUTH_FAILED,TEMPERATURE");
	GTC_EXPECT_INT(m.auth_failed, OVPN_AUTH_FAILED_PLAIN);
	GTC_EXPECT(text_is(&m, "TEMPERATURE"));
	m = parse("AUTH_FAILED,CRV1:R,E:id:dXNlcg==:PIN?");
	GTC_EXPECT_INT(m.auth_failed, OVPN_AUTH_FAILED_CHALLENGE);
	GTC_EXPECT(text_is(&m, "CRV1:R,E:id:dXNlcg==:PIN?"));
}

GTC_TEST(message, restart_and_pending)
{
	struct ovpn_message m = parse("RESTART,[P]maintenance");

	GTC_EXPECT(m.preserve);
	GTC_EXPECT_INT(m.advance, OVPN_ADVANCE_DEFAULT);
	GTC_EXPECT(text_is(&m, "maintenance"));
	m = parse("RESTART,[NP]");
	GTC_EXPECT(m.preserve);
	GTC_EXPECT_INT(m.advance, OVPN_ADVANCE_REMOTE);
	m = parse("RESTART,reason [P]");
	GTC_EXPECT(!m.preserve);
	GTC_EXPECT(text_is(&m, "reason [P]"));
	m = parse("AUTH_PENDING,timeout 30");
	GTC_EXPECT(m.has_timeout);
	GTC_EXPECT_INT(m.timeout_s, 30);
	m = parse("AUTH_PENDING,new-word,timeout 60");
	GTC_EXPECT_INT(m.timeout_s, 60);
	m = parse("AUTH_PENDING");
	GTC_EXPECT(!m.has_timeout);
}

GTC_TEST(message, records)
{
	static const char record[] = "EXIT\r\n\0\0\nPUSH_REQUEST\0INFO,\x1b[2J\0HALT";
	const char *text = NULL;
	size_t pos = 0;
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_message_next(record, sizeof(record) - 1, &pos, &text, &len), 1);
	GTC_EXPECT_INT(len, 4);
	GTC_EXPECT_MEM(text, "EXIT", 4);
	// A newline in front isn't printable, only at the end it is cut off.
	GTC_EXPECT_INT(ovpn_message_next(record, sizeof(record) - 1, &pos, &text, &len), -EBADMSG);
	GTC_EXPECT_INT(ovpn_message_next(record, sizeof(record) - 1, &pos, &text, &len), -EBADMSG);
	GTC_ASSERT_INT(ovpn_message_next(record, sizeof(record) - 1, &pos, &text, &len), 1);
	GTC_EXPECT_MEM(text, "HALT", 4); // without its NUL
	GTC_EXPECT_INT(ovpn_message_next(record, sizeof(record) - 1, &pos, &text, &len), 0);
	GTC_EXPECT_INT(pos, sizeof(record) - 1);
}

GTC_TEST(message, build)
{
	char buf[16];
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_message_build("EXIT", NULL, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(len, 5);
	GTC_EXPECT_INT(ovpn_message_build("RESTART", "[P]", buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf, "RESTART,[P]");
	GTC_EXPECT_INT(len, 12);
	GTC_EXPECT_INT(ovpn_message_build("RESTART", "[P]", buf, 11, &len), -ENOBUFS);
	GTC_EXPECT_INT(ovpn_message_build("INFO", "a\nb", buf, sizeof(buf), &len), -EINVAL);
}

GTC_TEST(message, vectors)
{
	unsigned seen = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		const json_t *message;
		size_t i;

		json_array_foreach(json_object_get(v->json, "control_messages"), i, message)
		{
			const json_t *record = json_object_get(message, "text");
			size_t size = json_string_length(record);
			const char *text = NULL;
			struct ovpn_message m = { 0 };
			size_t pos = 0;
			size_t len = 0;

			if (record == NULL)
				continue;
			GTC_ASSERT_INT(ovpn_message_next(
					       json_string_value(record), size, &pos, &text, &len),
				1);
			GTC_EXPECT_INT(len, strlen(json_string_value(record)));
			ovpn_message_parse(text, len, &m);
			GTC_EXPECT(m.type != OVPN_MSG_UNKNOWN);
			GTC_EXPECT_INT(ovpn_message_next(
					       json_string_value(record), size, &pos, &text, &len),
				0);
			seen++;
		}
		vec_free(v);
	}
	GTC_EXPECT(seen > 40);
}
