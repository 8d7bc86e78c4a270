// SPDX-License-Identifier: BSD-3-Clause
// Text messages of the control channel, declared in push.h.
#include <errno.h>
#include <string.h>

#include "protocol/push.h"
#include "protocol/text.h"

static const char *const words[] = {
	[OVPN_MSG_UNKNOWN] = "UNKNOWN",
	[OVPN_MSG_AUTH_FAILED] = "AUTH_FAILED",
	[OVPN_MSG_PUSH_REQUEST] = OVPN_PUSH_REQUEST,
	[OVPN_MSG_PUSH_REPLY] = OVPN_PUSH_REPLY,
	[OVPN_MSG_PUSH_UPDATE] = OVPN_PUSH_UPDATE,
	[OVPN_MSG_RESTART] = "RESTART",
	[OVPN_MSG_HALT] = "HALT",
	[OVPN_MSG_INFO_PRE] = "INFO_PRE",
	[OVPN_MSG_INFO] = "INFO",
	[OVPN_MSG_CR_RESPONSE] = "CR_RESPONSE",
	[OVPN_MSG_AUTH_PENDING] = "AUTH_PENDING",
	[OVPN_MSG_EXIT] = "EXIT",
};

#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

// A run of text that is eaten from its front.
struct cursor {
	const char *s;
	size_t len;
};

static void skip(struct cursor *c, size_t n)
{
	c->s += n;
	c->len -= n;
}

static bool eat(struct cursor *c, const char *prefix)
{
	size_t n = strlen(prefix);

	if (c->len < n || memcmp(c->s, prefix, n) != 0)
		return false;
	skip(c, n);
	return true;
}

// Cut the piece in front of the next stop character, and eat both.
static struct cursor cut(struct cursor *c, char stop)
{
	const char *end = c->len > 0 ? memchr(c->s, stop, c->len) : NULL;
	struct cursor piece = { c->s, end != NULL ? (size_t)(end - c->s) : c->len };

	skip(c, end != NULL ? piece.len + 1 : piece.len);
	return piece;
}

int ovpn_message_next(
	const char *buf, size_t len, size_t *pos, const char **ret_text, size_t *ret_len)
{
	while (*pos < len) {
		const char *text = buf + *pos;
		size_t n = strnlen(text, len - *pos);

		*pos += n < len - *pos ? n + 1 : n;
		while (n > 0 && (text[n - 1] == '\r' || text[n - 1] == '\n'))
			n--;
		if (n == 0)
			continue;
		if (!ovpn_text_is_printable(text, n))
			return -EBADMSG;
		*ret_text = text;
		*ret_len = n;
		return 1;
	}
	return 0;
}

// "N" seconds behind a keyword, up to a day: longer waits are nonsense.
static bool parse_seconds(struct cursor c, uint32_t *ret_s)
{
	uint64_t value;

	if (ovpn_parse_u64(c.s, c.len, 86400, &value) < 0)
		return false;
	*ret_s = (uint32_t)value;
	return true;
}

static void parse_temp_flag(struct cursor flag, struct ovpn_message *m)
{
	if (eat(&flag, "backoff "))
		m->has_backoff = parse_seconds(flag, &m->backoff_s) || m->has_backoff;
	else if (ovpn_text_equal(flag.s, flag.len, "advance no"))
		m->advance = OVPN_ADVANCE_NO;
	else if (ovpn_text_equal(flag.s, flag.len, "advance remote"))
		m->advance = OVPN_ADVANCE_REMOTE;
	else if (ovpn_text_equal(flag.s, flag.len, "advance addr"))
		m->advance = OVPN_ADVANCE_ADDR;
}

// c: behind "AUTH_FAILED,".
static void parse_auth_failed(struct cursor *c, struct ovpn_message *m)
{
	if (ovpn_text_starts_with_word(c->s, c->len, "CRV1")) {
		m->auth_failed = OVPN_AUTH_FAILED_CHALLENGE;
		return;
	}
	if (ovpn_text_starts_with_word(c->s, c->len, "SESSION")) {
		m->auth_failed = OVPN_AUTH_FAILED_SESSION;
		skip(c, strlen("SESSION"));
	} else if (ovpn_text_starts_with_word(c->s, c->len, "TEMP")) {
		m->auth_failed = OVPN_AUTH_FAILED_TEMP;
		skip(c, strlen("TEMP"));
		if (eat(c, "[")) {
			struct cursor flags = cut(c, ']');

			while (flags.len > 0)
				parse_temp_flag(cut(&flags, ','), m);
		}
	} else {
		return;
	}
	(void)eat(c, ":"); // the reason may be absent
}

// c: behind "RESTART," or "HALT,".
static void parse_restart(struct cursor *c, struct ovpn_message *m)
{
	struct cursor flags;

	if (!eat(c, "["))
		return;
	flags = cut(c, ']');
	for (size_t i = 0; i < flags.len; i++) {
		if (flags.s[i] == 'P')
			m->preserve = true;
		else if (flags.s[i] == 'N')
			m->advance = OVPN_ADVANCE_REMOTE;
	}
}

static void parse_pending(struct cursor *c, struct ovpn_message *m)
{
	struct cursor rest = *c;

	while (rest.len > 0) {
		struct cursor word = cut(&rest, ',');

		if (eat(&word, "timeout "))
			m->has_timeout = parse_seconds(word, &m->timeout_s) || m->has_timeout;
	}
}

void ovpn_message_parse(const char *text, size_t len, struct ovpn_message *ret_message)
{
	struct ovpn_message m = { .type = OVPN_MSG_UNKNOWN };
	struct cursor c = { text, len };

	for (unsigned i = OVPN_MSG_UNKNOWN + 1; i < WORD_COUNT; i++) {
		size_t n = strlen(words[i]);

		if (len < n || memcmp(text, words[i], n) != 0 || (len > n && text[n] != ','))
			continue;
		m.type = (enum ovpn_message_type)i;
		skip(&c, len > n ? n + 1 : n);
		break;
	}
	switch (m.type) {
	case OVPN_MSG_AUTH_FAILED: parse_auth_failed(&c, &m); break;
	case OVPN_MSG_RESTART:
	case OVPN_MSG_HALT: parse_restart(&c, &m); break;
	case OVPN_MSG_AUTH_PENDING: parse_pending(&c, &m); break;
	default: break;
	}
	m.text = c.s;
	m.text_len = c.len;
	*ret_message = m;
}

const char *ovpn_message_name(enum ovpn_message_type type)
{
	return (unsigned)type < WORD_COUNT ? words[type] : words[OVPN_MSG_UNKNOWN];
}

int ovpn_message_build(const char *word, const char *text, char *buf, size_t size, size_t *ret_len)
{
	struct ovpn_text t;

	if (!ovpn_text_is_printable(word, strlen(word)) ||
		(text != NULL && !ovpn_text_is_printable(text, strlen(text))))
		return -EINVAL;
	ovpn_text_init(&t, buf, size);
	ovpn_text_add(&t, word);
	if (text != NULL) {
		ovpn_text_add(&t, ",");
		ovpn_text_add(&t, text);
	}
	if (t.full)
		return -ENOBUFS;
	*ret_len = t.len + 1;
	return 0;
}
