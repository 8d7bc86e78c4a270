// SPDX-License-Identifier: BSD-3-Clause
#include "control/hook_msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MAGIC 0x4b4f4f48u

struct head {
	uint32_t magic;
	uint32_t what;
	uint64_t id;
	uint32_t timeout_ms;
	uint16_t n_args;
	uint16_t n_env;
};

struct writer {
	uint8_t *buf;
	size_t size;
	size_t len;
	bool full;
};

static void add(struct writer *w, const char *text)
{
	size_t n = strlen(text) + 1;

	if (w->size - w->len < n) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->len, text, n);
	w->len += n;
}

int ctl_hook_build(const struct ctl_hook_message *m, uint8_t *buf, size_t size, size_t *ret_len)
{
	const struct head head = { .magic = MAGIC,
		.what = m->what,
		.id = m->id,
		.timeout_ms = m->timeout_ms,
		.n_args = (uint16_t)m->n_args,
		.n_env = (uint16_t)m->n_env };
	struct writer w = { .buf = buf, .size = size, .len = sizeof(head) };

	if (size < sizeof(head) || m->n_args > CTL_HOOK_ARGS_MAX || m->n_env > CTL_HOOK_ENV_MAX)
		return -ENOBUFS;
	memcpy(buf, &head, sizeof(head));
	for (uint32_t i = 0; i < m->n_args; i++)
		add(&w, m->args[i]);
	for (uint32_t i = 0; i < m->n_env; i++)
		add(&w, m->env[i]);
	if (w.full)
		return -ENOBUFS;
	*ret_len = w.len;
	return 0;
}

static int take_strings(const char **pos, const char *end, const char **ret_strings, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const char *nul = *pos < end ? memchr(*pos, '\0', (size_t)(end - *pos)) : NULL;

		if (nul == NULL)
			return -EBADMSG;
		ret_strings[i] = *pos;
		*pos = nul + 1;
	}
	return 0;
}

static int parse(const uint8_t *buf, size_t len, struct ctl_hook_message *m)
{
	const char *pos = (const char *)buf + sizeof(struct head);
	const char *end = (const char *)buf + len;
	struct head head;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, buf, sizeof(head));
	if (head.magic != MAGIC || head.n_args > CTL_HOOK_ARGS_MAX || head.n_env > CTL_HOOK_ENV_MAX)
		return -EBADMSG;
	m->what = head.what;
	m->id = head.id;
	m->timeout_ms = head.timeout_ms;
	m->n_args = head.n_args;
	m->n_env = head.n_env;
	if (take_strings(&pos, end, m->args, m->n_args) < 0 ||
		take_strings(&pos, end, m->env, m->n_env) < 0 || pos != end)
		return -EBADMSG;
	m->env[m->n_env] = NULL;
	return 0;
}

static bool variable_ok(const char *text)
{
	static const char chars[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	size_t n = strspn(text, chars);

	return n > 0 && text[n] == '=' && strncmp(text, "LD_", 3) != 0;
}

int ctl_hook_parse_request(const uint8_t *buf, size_t len, struct ctl_hook_message *ret_m)
{
	static const uint8_t args[CTL_HOOK_KIND_END] = {
		[CTL_HOOK_USER] = 2,
		[CTL_HOOK_PAM] = 4,
		[CTL_HOOK_TLS_VERIFY] = 2,
		[CTL_HOOK_LEARN] = 3,
	};

	if (parse(buf, len, ret_m) < 0)
		return -EBADMSG;
	if (ret_m->what == 0 || ret_m->what >= CTL_HOOK_KIND_END ||
		ret_m->n_args != args[ret_m->what] || ret_m->timeout_ms > CTL_HOOK_TIMEOUT_MAX_MS)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret_m->n_env; i++) {
		if (!variable_ok(ret_m->env[i]))
			return -EBADMSG;
	}
	return 0;
}

// Replace what isn't printable ASCII, for the client and the log. A newline at the end goes.
static void clean(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			*text = '_';
	}
}

int ctl_hook_parse_answer(uint8_t *buf, size_t len, struct ctl_hook_message *ret_m)
{
	static const uint8_t args[CTL_HOOK_RESULT_END] = {
		[CTL_HOOK_REFUSED] = 1,
		[CTL_HOOK_ERROR] = 1,
		[CTL_HOOK_PENDING] = 3,
		[CTL_HOOK_CONFIG] = 1,
	};

	if (parse(buf, len, ret_m) < 0)
		return -EBADMSG;
	if (ret_m->what == 0 || ret_m->what >= CTL_HOOK_RESULT_END ||
		ret_m->n_args != args[ret_m->what] || ret_m->n_env != 0)
		return -EBADMSG;
	if (ret_m->what == CTL_HOOK_CONFIG)
		return strlen(ret_m->args[0]) < CTL_HOOK_CONFIG_MAX ? 0 : -EBADMSG;
	for (uint32_t i = 0; i < ret_m->n_args; i++)
		clean((char *)(uintptr_t)ret_m->args[i]); // in buf, which we may write
	return 0;
}
