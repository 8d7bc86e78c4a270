// SPDX-License-Identifier: BSD-3-Clause
// Application data of a TLS record: split into messages, each taken apart, pushed options collected
// and written again.
#include <stdlib.h>
#include <string.h>

#include "protocol/push.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

// What was collected can be sent, and arrives as the same set.
static void send_again(const struct ovpn_push_collect *c)
{
	static const char *options[4096];
	static char again[8192];
	struct ovpn_push_collect back;
	struct ovpn_push_build b;
	char part[OVPN_PUSH_PART_MAX];
	size_t count = 0;
	size_t len = 0;
	int rc = 0;

	for (const char *o = NULL; (o = ovpn_push_collect_next(c, o)) != NULL;) {
		check(strlen(o) <= OVPN_PUSH_OPTION_MAX && count < 4096);
		options[count++] = o;
	}
	ovpn_push_collect_init(&back, again, sizeof(again));
	ovpn_push_build_init(&b, OVPN_PUSH_REPLY, options, count);
	while (ovpn_push_build_next(&b, part, sizeof(part), &len) == 1) {
		struct ovpn_message m;

		check(rc == 0 && len <= sizeof(part) && part[len - 1] == '\0');
		ovpn_message_parse(part, len - 1, &m);
		check(m.type == OVPN_MSG_PUSH_REPLY);
		rc = ovpn_push_collect_add(&back, m.text, m.text_len);
	}
	check(rc == 1 && back.len == c->len && memcmp(back.buf, c->buf, c->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buf[4096];
	struct ovpn_push_collect c;
	const char *text;
	size_t pos = 0;
	size_t len;
	int rc;

	ovpn_push_collect_init(&c, buf, sizeof(buf));
	while ((rc = ovpn_message_next((const char *)data, size, &pos, &text, &len)) != 0) {
		struct ovpn_message m;

		check(pos <= size);
		if (rc < 0)
			continue;
		ovpn_message_parse(text, len, &m);
		check(m.text >= text && m.text + m.text_len == text + len);
		if (m.type == OVPN_MSG_PUSH_REPLY &&
			ovpn_push_collect_add(&c, m.text, m.text_len) == 1)
			send_again(&c);
	}
	return 0;
}
