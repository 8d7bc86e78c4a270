// SPDX-License-Identifier: BSD-3-Clause
// The helper process at work: what its programs' answers wait for, and what they don't.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/server.h"
#include "control/hook_helper.h"
#include "control/hook_msg.h"
#include "tests/config/parse.h"

#define DEFERRED (3 * CTL_HOOK_PROGRAMS)
#define ANSWER_MS 20000 // generous: programs are started one after the other, perhaps under load

struct fixture {
	char dir[64];
	char program[96];
	struct cfg_server *cfg;
	int fd;
	pid_t pid;
};

// A program that lets alice in, defers everybody else, and decides on bob's when a file is there.
static bool write_program(struct fixture *f)
{
	FILE *file;

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/visp-hook-XXXXXX");
	if (mkdtemp(f->dir) == NULL || chmod(f->dir, 01777) < 0)
		return false;
	(void)snprintf(f->program, sizeof(f->program), "%s/check", f->dir);
	file = fopen(f->program, "w");
	if (file == NULL)
		return false;
	(void)fprintf(file,
		"#!/bin/sh\n[ \"$username\" = alice ] && exit 0\n"
		"[ \"$username\" = bob ] && printf 1 >\"$auth_control_file\"\n"
		"[ \"$script_type\" = user-pass-verify ] && exit 2\n"
		"if [ \"$script_type\" = learn-address ]; then\n"
		"	[ \"$*\" = \"$want\" ]; exit\n"
		"fi\n"
		"if [ \"$script_type\" = client-disconnect ]; then\n"
		"	[ $# = 0 ] && [ -z \"$client_connect_config_file\" ]; exit\n"
		"fi\n"
		"[ \"$1\" = \"$client_connect_config_file\" ] || exit 9\n"
		"printf '%%b' \"$text\" >\"$1\"\n"
		"printf %%s \"$verdict\" >\"$client_connect_deferred_file\"\n"
		"if [ -n \"$later\" ]; then\n"
		"	{ sleep 0.2; printf %%s \"$later\" >\"$client_connect_deferred_file\"; } "
		"&\n"
		"fi\n"
		"exit \"${status:-0}\"\n");
	return fclose(file) == 0 && chmod(f->program, 0755) == 0;
}

static bool begin(struct fixture *f)
{
	struct cfg_error err = { 0 };
	char text[1024];

	if (!GTC_EXPECT(write_program(f)))
		return false;
	(void)snprintf(text, sizeof(text),
		"server 10.8.0.0 255.255.255.0\nca ca\ncert cert\nkey key\ndh none\n"
		"script-security 3\nauth-user-pass-verify %s via-env\ntmp-dir %s\n"
		"client-connect %s\nclient-disconnect %s\nlearn-address %s\n",
		f->program, f->dir, f->program, f->program, f->program);
	if (!GTC_EXPECT_INT(PARSE_TEXT(cfg_server_parse, text, NULL, &f->cfg, &err), 0)) {
		GTC_FAIL("%s", err.text);
		return false;
	}
	return GTC_EXPECT_INT(ctl_hook_fork(f->cfg, false, &f->fd, &f->pid), 0);
}

static void end(struct fixture *f)
{
	int status;

	(void)close(f->fd); // which ends the helper
	(void)waitpid(f->pid, &status, 0);
	f->cfg = cfg_server_free(f->cfg);
	(void)unlink(f->program);
	if (rmdir(f->dir) < 0)
		GTC_FAIL("temporary files are left in %s", f->dir);
}

static bool ask(struct fixture *f, uint64_t id, const char *user)
{
	static uint8_t buf[CTL_HOOK_MESSAGE_MAX];
	struct ctl_hook_message m = { .what = CTL_HOOK_USER,
		.id = id,
		.timeout_ms = 60000,
		.n_args = 2,
		.n_env = 2,
		.args = { user, "secret" } };
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };
	char name[64];
	size_t len;

	(void)snprintf(name, sizeof(name), "username=%s", user);
	m.env[0] = name;
	m.env[1] = "password=secret";
	return GTC_EXPECT_INT(ctl_hook_build(&m, buf, sizeof(buf), &len), 0) &&
		GTC_EXPECT_INT(poll(&p, 1, ANSWER_MS), 1) &&
		GTC_EXPECT_INT(send(f->fd, buf, len, MSG_NOSIGNAL), (ssize_t)len);
}

// The next answer is that one's, and it is yes.
static bool is_let_in(struct fixture *f, uint64_t id)
{
	static uint8_t buf[CTL_HOOK_MESSAGE_MAX];
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	struct ctl_hook_message m;
	ssize_t n;

	if (!GTC_EXPECT_INT(poll(&p, 1, ANSWER_MS), 1))
		return false;
	n = recv(f->fd, buf, sizeof(buf), 0);
	return GTC_EXPECT(n > 0) && GTC_EXPECT_INT(ctl_hook_parse_answer(buf, (size_t)n, &m), 0) &&
		GTC_EXPECT_INT(m.id, id) && GTC_EXPECT_INT(m.what, CTL_HOOK_OK);
}

// Many log-ins whose programs have ended and which nobody decides: the next one is served.
GTC_TEST(hook, deferred_answers_delay_nobody)
{
	struct fixture f = { 0 };

	GTC_ASSERT(begin(&f));
	for (uint64_t i = 0; i < DEFERRED; i++) {
		if (!ask(&f, 1000 + i, "carol"))
			break;
	}
	if (ask(&f, 1, "alice"))
		(void)is_let_in(&f, 1);
	if (ask(&f, 2, "bob")) // deferred and decided
		(void)is_let_in(&f, 2);
	end(&f);
}

static uint8_t buffer[CTL_HOOK_MESSAGE_MAX];

// Ask what is to be asked of a session. Returns the answer; what is 0 when there is none.
static struct ctl_hook_message told(struct fixture *f, struct ctl_hook_message m)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	struct ctl_hook_message got = { 0 };
	size_t len;
	ssize_t n;

	m.id = 7;
	m.timeout_ms = ANSWER_MS;
	while (m.env[m.n_env] != NULL)
		m.n_env++;
	if (!GTC_EXPECT_INT(ctl_hook_build(&m, buffer, sizeof(buffer), &len), 0) ||
		!GTC_EXPECT_INT(send(f->fd, buffer, len, MSG_NOSIGNAL), (ssize_t)len) ||
		!GTC_EXPECT_INT(poll(&p, 1, ANSWER_MS), 1))
		return got;
	n = recv(f->fd, buffer, sizeof(buffer), 0);
	GTC_EXPECT(n > 0);
	GTC_EXPECT_INT(ctl_hook_parse_answer(buffer, (size_t)n, &got), 0);
	return got;
}

#define CONNECT(...)                                                                               \
	told(&f, (struct ctl_hook_message){ .what = CTL_HOOK_CONNECT, .env = { __VA_ARGS__ } })

GTC_TEST(hook, client_connect)
{
	static char large[CTL_HOOK_CONFIG_MAX + 8];
	struct ctl_hook_message got;
	struct fixture f = { 0 };

	GTC_ASSERT(begin(&f));
	got = CONNECT("text=push-reset\\ndisable\\n");
	GTC_EXPECT_INT(got.what, CTL_HOOK_CONFIG);
	GTC_EXPECT_STR(got.args[0], "push-reset\ndisable\n"); // as it is
	got = CONNECT("a=b");
	GTC_EXPECT_INT(got.what, CTL_HOOK_CONFIG);
	GTC_EXPECT_STR(got.args[0], "");
	GTC_EXPECT_INT(CONNECT("verdict=1").what, CTL_HOOK_CONFIG);
	GTC_EXPECT_INT(CONNECT("verdict=0").what, CTL_HOOK_REFUSED);
	GTC_EXPECT_INT(CONNECT("verdict=9").what, CTL_HOOK_ERROR);
	GTC_EXPECT_INT(CONNECT("status=1").what, CTL_HOOK_REFUSED);
	GTC_EXPECT_INT(CONNECT("status=2").what, CTL_HOOK_REFUSED);
	got = CONNECT("verdict=2", "later=1", "text=disable");
	GTC_EXPECT_INT(got.what, CTL_HOOK_CONFIG);
	GTC_EXPECT_STR(got.args[0], "disable");
	GTC_EXPECT_INT(CONNECT("verdict=2", "later=0").what, CTL_HOOK_REFUSED);
	memset(large, '#', sizeof(large) - 1);
	memcpy(large, "text=", 5);
	GTC_EXPECT_INT(CONNECT(large).what, CTL_HOOK_ERROR); // too much
	GTC_EXPECT_INT(CONNECT("text=a\\0000b").what, CTL_HOOK_ERROR); // a NUL
	end(&f);
}

GTC_TEST(hook, session_ends_and_addresses)
{
	struct fixture f = { 0 };
	struct ctl_hook_message m = { .what = CTL_HOOK_LEARN,
		.n_args = 3,
		.args = { "add", "10.8.0.2", "the name" },
		.env = { "want=add 10.8.0.2 the name" } };

	GTC_ASSERT(begin(&f));
	GTC_EXPECT_INT(told(&f, m).what, CTL_HOOK_OK);
	m.env[0] = "want=something else";
	GTC_EXPECT_INT(told(&f, m).what, CTL_HOOK_REFUSED);
	m.args[0] = "delete";
	m.env[0] = "want=delete 10.8.0.2";
	GTC_EXPECT_INT(told(&f, m).what, CTL_HOOK_OK);
	m = (struct ctl_hook_message){ .what = CTL_HOOK_DISCONNECT };
	GTC_EXPECT_INT(told(&f, m).what, CTL_HOOK_OK);
	end(&f);
}
