// SPDX-License-Identifier: BSD-3-Clause
// PUSH_REPLY in parts, on both sides. Messages in general are in message.c.
#include <errno.h>
#include <string.h>

#include "protocol/push.h"
#include "protocol/text.h"

#define MARK_MORE "," OVPN_PUSH_CONTINUATION " 2"
#define MARK_LAST "," OVPN_PUSH_CONTINUATION " 1"

void ovpn_push_collect_init(struct ovpn_push_collect *c, char *buf, size_t size)
{
	c->buf = buf;
	c->size = size;
	c->len = 0;
	c->complete = false;
}

static int collect_option(struct ovpn_push_collect *c, const char *option, size_t len)
{
	if (len == 0)
		return 0;
	if (len > OVPN_PUSH_OPTION_MAX)
		return -EMSGSIZE;
	if (len >= c->size - c->len)
		return -ENOBUFS;
	memcpy(c->buf + c->len, option, len);
	c->buf[c->len + len] = '\0';
	c->len += len + 1;
	return 0;
}

int ovpn_push_collect_add(struct ovpn_push_collect *c, const char *options, size_t len)
{
	bool more = false;
	size_t before;
	size_t at = 0;

	if (c->complete) {
		c->len = 0;
		c->complete = false;
	}
	before = c->len;
	if (!ovpn_text_is_printable(options, len))
		return -EBADMSG;
	while (at < len) {
		const char *option = options + at;
		const char *comma = memchr(option, ',', len - at);
		size_t n = comma != NULL ? (size_t)(comma - option) : len - at;
		int rc = 0;

		if (ovpn_text_equal(option, n, OVPN_PUSH_CONTINUATION " 2"))
			more = true;
		else if (!ovpn_text_equal(option, n, OVPN_PUSH_CONTINUATION " 1"))
			rc = collect_option(c, option, n);
		if (rc < 0) {
			c->len = before;
			return rc;
		}
		at += n + 1;
	}
	c->complete = !more;
	return !more;
}

const char *ovpn_push_collect_next(const struct ovpn_push_collect *c, const char *prev)
{
	const char *next = prev != NULL ? prev + strlen(prev) + 1 : c->buf;

	return next < c->buf + c->len ? next : NULL;
}

void ovpn_push_build_init(
	struct ovpn_push_build *b, const char *verb, const char *const *options, size_t count)
{
	b->verb = verb;
	b->options = options;
	b->count = count;
	b->next = 0;
	b->split = false;
	b->done = false;
}

int ovpn_push_build_next(struct ovpn_push_build *b, char *buf, size_t size, size_t *ret_len)
{
	const size_t limit = OVPN_PUSH_PART_MAX - OVPN_PUSH_RESERVED;
	struct ovpn_text t;
	size_t i;

	if (b->done)
		return 0;
	if (size < OVPN_PUSH_PART_MAX)
		return -ENOBUFS;
	ovpn_text_init(&t, buf, size);
	ovpn_text_add(&t, b->verb);
	for (i = b->next; i < b->count; i++) {
		const char *option = b->options[i];
		size_t len = strlen(option);

		if (len > OVPN_PUSH_OPTION_MAX)
			return -EMSGSIZE;
		if (strchr(option, ',') != NULL || !ovpn_text_is_printable(option, len))
			return -EINVAL;
		if (t.len + 1 + len > limit)
			break;
		ovpn_text_add(&t, ",");
		ovpn_text_add(&t, option);
	}
	if (i < b->count)
		ovpn_text_add(&t, MARK_MORE);
	else if (b->split)
		ovpn_text_add(&t, MARK_LAST);
	if (t.full)
		return -ENOBUFS;
	b->next = i;
	b->split = i < b->count;
	b->done = i == b->count;
	*ret_len = t.len + 1;
	return 1;
}
