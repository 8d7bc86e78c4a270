// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/hook_msg.h"
#include "control/token.h"
#include "tests/gtc.h"

static const struct ctl_token_rules rules = {
	.key = { 1, 2, 3 }, .lifetime_s = 1000, .renewal_s = 100
};

static enum ctl_token_state check(const char *text, const char *user, uint64_t now_s)
{
	struct ctl_token token;

	return ctl_token_check(&rules, text, user, NULL, now_s, &token);
}

GTC_TEST(token, ages)
{
	struct ctl_token token;
	char text[CTL_TOKEN_TEXT];

	GTC_ASSERT_INT(ctl_token_begin(&token, 5000), 0);
	GTC_ASSERT_INT(ctl_token_write(&rules, &token, "alice", 5050, text), 0);
	GTC_EXPECT_INT(check(text, "alice", 5050), CTL_TOKEN_GOOD);
	GTC_EXPECT_INT(check(text, "alice", 5249), CTL_TOKEN_GOOD);
	GTC_EXPECT_INT(check(text, "alice", 5250), CTL_TOKEN_EXPIRED); // twice the renewal
	GTC_EXPECT_INT(check(text, "alice", 5049), CTL_TOKEN_EXPIRED); // of the future
	GTC_ASSERT_INT(ctl_token_write(&rules, &token, "alice", 5990, text), 0);
	GTC_EXPECT_INT(check(text, "alice", 6000), CTL_TOKEN_GOOD);
	GTC_EXPECT_INT(check(text, "alice", 6001), CTL_TOKEN_EXPIRED); // its lifetime
	GTC_ASSERT_INT(ctl_token_write(&rules, &token, "alice", 4999, text), 0);
	GTC_EXPECT_INT(check(text, "alice", 5000), CTL_TOKEN_EXPIRED); // older than its beginning
}

GTC_TEST(token, belongs_to_one_user_key_and_session)
{
	struct ctl_token_rules other = rules;
	struct ctl_token token, second, found;
	char text[CTL_TOKEN_TEXT];

	GTC_ASSERT_INT(ctl_token_begin(&token, 5000), 0);
	GTC_ASSERT_INT(ctl_token_begin(&second, 5000), 0);
	GTC_ASSERT_INT(ctl_token_write(&rules, &token, "alice", 5000, text), 0);
	GTC_EXPECT_INT(check(text, "bob", 5000), CTL_TOKEN_INVALID);
	other.key[31] ^= 1;
	GTC_EXPECT_INT(
		ctl_token_check(&other, text, "alice", NULL, 5000, &found), CTL_TOKEN_INVALID);
	GTC_EXPECT_INT(
		ctl_token_check(&rules, text, "alice", &second, 5000, &found), CTL_TOKEN_INVALID);
	GTC_EXPECT_INT(
		ctl_token_check(&rules, text, "alice", &token, 5000, &found), CTL_TOKEN_GOOD);
	GTC_EXPECT_INT(memcmp(found.session, token.session, sizeof(found.session)), 0);
	GTC_EXPECT_INT((int)found.initial_s, 5000);
	GTC_EXPECT_INT(check("a password", "alice", 5000), CTL_TOKEN_NONE);
	GTC_EXPECT_INT(check("SESS_ID_AT_", "alice", 5000), CTL_TOKEN_INVALID);
	text[20] ^= 1;
	GTC_EXPECT_INT(check(text, "alice", 5000), CTL_TOKEN_INVALID);
	strcat(text, "=");
	GTC_EXPECT_INT(check(text, "alice", 5000), CTL_TOKEN_INVALID);
}

GTC_TEST(token, of_nobody)
{
	struct ctl_token token, found;
	char text[CTL_TOKEN_TEXT];

	GTC_ASSERT_INT(ctl_token_begin(&token, 5000), 0);
	GTC_ASSERT_INT(ctl_token_write(&rules, &token, "", 5000, text), 0);
	GTC_EXPECT_INT(ctl_token_check(&rules, text, "alice", NULL, 5000, &found), CTL_TOKEN_GOOD);
	GTC_EXPECT_INT(found.no_user, 1);
}

// The shape of what `openvpn --genkey auth-token` makes.
GTC_TEST(token, key_file)
{
	static const char begin[] = "-----BEGIN OpenVPN auth-token server key-----\n";
	static const char end[] = "-----END OpenVPN auth-token server key-----\n";
	uint8_t key[CTL_TOKEN_KEY];
	char text[512], line[200];

	memset(line, 'A', sizeof(line));
	(void)snprintf(text, sizeof(text), "%s%.86sAQ%.83s=\n%s", begin, line, line, end);
	GTC_ASSERT_INT(ctl_token_key_parse(text, strlen(text), key), 0);
	GTC_EXPECT_INT(key[0], 0);
	GTC_EXPECT_INT(key[1], 16);
	(void)snprintf(text, sizeof(text), "%s%.86sAQ%.83s\n%s", begin, line, line, end);
	GTC_EXPECT_INT(ctl_token_key_parse(text, strlen(text), key), -EINVAL); // 171 characters
	(void)snprintf(text, sizeof(text), "%s%.88s\n%s", begin, line, end);
	GTC_EXPECT_INT(ctl_token_key_parse(text, strlen(text), key), -EINVAL);
	GTC_EXPECT_INT(ctl_token_key_parse("", 0, key), -EINVAL);
}

GTC_TEST(hook_message, round_trip)
{
	const struct ctl_hook_message m = { .what = CTL_HOOK_USER,
		.id = 7,
		.timeout_ms = 1000,
		.n_args = 2,
		.n_env = 1,
		.args = { "alice", "secret" },
		.env = { "A=b" } };
	struct ctl_hook_message got;
	uint8_t buf[256];
	size_t len;

	GTC_ASSERT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(ctl_hook_build(&m, buf, len - 1, &len), -ENOBUFS);
	GTC_ASSERT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0);
	GTC_ASSERT_INT(ctl_hook_parse_request(buf, len, &got), 0);
	GTC_EXPECT_STR(got.args[1], "secret");
	GTC_EXPECT_STR(got.env[0], "A=b");
	GTC_EXPECT_INT(ctl_hook_parse_request(buf, len - 1, &got), -EBADMSG);
	GTC_EXPECT_INT(ctl_hook_parse_answer(buf, len, &got), -EBADMSG); // it is a request
}

GTC_TEST(hook_message, variables_of_the_loader_are_refused)
{
	struct ctl_hook_message m = { .what = CTL_HOOK_TLS_VERIFY,
		.n_args = 2,
		.n_env = 1,
		.args = { "0", "CN=alice" },
		.env = { "A_b1=c" } };
	static const char *const bad[] = { "LD_PRELOAD=x", "=x", "A", "A-B=c" };
	struct ctl_hook_message got;
	uint8_t buf[256];
	size_t len;

	GTC_ASSERT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(ctl_hook_parse_request(buf, len, &got), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		m.env[0] = bad[i];
		GTC_ASSERT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0);
		GTC_EXPECT_INT(ctl_hook_parse_request(buf, len, &got), -EBADMSG);
	}
}

GTC_TEST(hook_message, answers_are_printable)
{
	const struct ctl_hook_message m = {
		.what = CTL_HOOK_REFUSED, .n_args = 1, .args = { "no\x01way\r\n" }
	};
	struct ctl_hook_message got;
	uint8_t buf[256];
	size_t len;

	GTC_ASSERT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0);
	GTC_ASSERT_INT(ctl_hook_parse_answer(buf, len, &got), 0);
	GTC_EXPECT_STR(got.args[0], "no_way");
}

GTC_TEST(hook_message, answers_have_the_strings_of_their_result)
{
	static const uint32_t args[CTL_HOOK_RESULT_END] = { [CTL_HOOK_REFUSED] = 1,
		[CTL_HOOK_ERROR] = 1,
		[CTL_HOOK_PENDING] = 3,
		[CTL_HOOK_CONFIG] = 1 };
	struct ctl_hook_message m = { .args = { "60", "openurl", "text", "more" } };
	struct ctl_hook_message got;
	uint8_t buf[256];
	size_t len;

	for (m.what = 0; m.what <= CTL_HOOK_RESULT_END; m.what++) {
		for (m.n_args = 0; m.n_args <= 4; m.n_args++) {
			bool good = m.what != 0 && m.what < CTL_HOOK_RESULT_END &&
				m.n_args == args[m.what];

			GTC_ASSERT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0);
			GTC_EXPECT_INT(ctl_hook_parse_answer(buf, len, &got), good ? 0 : -EBADMSG);
		}
	}
}
