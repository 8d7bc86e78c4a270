// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/key_method2.h"

#define KM2_METHOD 2u

// What is left of the message.
struct reader {
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->left < len)
		return NULL;
	r->at += len;
	r->left -= len;
	return at;
}

// A string with its length in front; the end of the message counts as an absent one.
static int take_string(struct reader *r, struct ovpn_span *ret_span)
{
	const uint8_t *field;
	size_t len;

	ret_span->data = NULL;
	ret_span->len = 0;
	if (r->left == 0)
		return 0;
	field = take(r, 2);
	if (field == NULL)
		return -EBADMSG;
	len = ovpn_get_be16(field);
	if (len == 0)
		return 0;
	field = take(r, len);
	if (field == NULL)
		return -EBADMSG;
	// Receivers overwrite the last byte with a NUL, whatever it was.
	ret_span->data = field;
	ret_span->len = strnlen((const char *)field, len - 1);
	return 0;
}

int ovpn_km2_parse(const uint8_t *buf, size_t len, bool from_client, struct ovpn_km2 *ret_km2)
{
	struct reader r = { buf, len };
	struct ovpn_km2 m = { 0 };
	const uint8_t *head;

	if (len > OVPN_KM2_MAX)
		return -EMSGSIZE;
	head = take(&r, 5);
	if (head == NULL)
		return -EBADMSG;
	if (ovpn_get_be32(head) != 0 || (head[4] & 0x0f) != KM2_METHOD)
		return -EPROTO;
	if (from_client)
		m.pre_master = take(&r, OVPN_KM2_PRE_MASTER_LEN);
	m.random1 = take(&r, OVPN_KM2_RANDOM_LEN);
	m.random2 = take(&r, OVPN_KM2_RANDOM_LEN);
	// After one take that failed a shorter one may succeed: each is checked.
	if ((from_client && m.pre_master == NULL) || m.random1 == NULL || m.random2 == NULL)
		return -EBADMSG;
	if (r.left == 0 || take_string(&r, &m.options) < 0 || take_string(&r, &m.username) < 0 ||
		take_string(&r, &m.password) < 0 || take_string(&r, &m.peer_info) < 0)
		return -EBADMSG;
	if (m.options.len > OVPN_KM2_OPTIONS_MAX)
		return -EMSGSIZE;
	m.too_long = m.username.len > OVPN_KM2_TOKEN_MAX || m.password.len > OVPN_KM2_TOKEN_MAX;
	*ret_km2 = m;
	return 0;
}

static size_t string_size(const struct ovpn_span *s)
{
	return 2 + (s->data != NULL ? s->len + 1 : 0);
}

static uint8_t *put_string(uint8_t *at, const struct ovpn_span *s)
{
	if (s->data == NULL) {
		ovpn_put_be16(at, 0);
		return at + 2;
	}
	ovpn_put_be16(at, (uint16_t)(s->len + 1));
	memcpy(at + 2, s->data, s->len);
	at[2 + s->len] = 0;
	return at + 3 + s->len;
}

static bool string_is_bad(const struct ovpn_span *s)
{
	return s->data != NULL && s->len > 0 && memchr(s->data, 0, s->len) != NULL;
}

int ovpn_km2_build(
	const struct ovpn_km2 *m, bool from_client, uint8_t *buf, size_t size, size_t *ret_len)
{
	const struct ovpn_span *strings[] = { &m->options, &m->username, &m->password,
		&m->peer_info };
	size_t need = 5 + (from_client ? OVPN_KM2_PRE_MASTER_LEN : 0) + 2 * OVPN_KM2_RANDOM_LEN;
	uint8_t *at = buf;

	if ((from_client && m->pre_master == NULL) || m->random1 == NULL || m->random2 == NULL)
		return -EINVAL;
	if (m->options.len > OVPN_KM2_OPTIONS_MAX || m->username.len > OVPN_KM2_TOKEN_MAX ||
		m->password.len > OVPN_KM2_TOKEN_MAX || m->peer_info.len > OVPN_KM2_MAX)
		return -EMSGSIZE;
	for (unsigned i = 0; i < 4; i++) {
		if (string_is_bad(strings[i]))
			return -EINVAL;
		need += string_size(strings[i]);
	}
	if (need > OVPN_KM2_MAX)
		return -EMSGSIZE;
	if (need > size)
		return -ENOBUFS;
	ovpn_put_be32(at, 0);
	at[4] = KM2_METHOD;
	at += 5;
	if (from_client) {
		memcpy(at, m->pre_master, OVPN_KM2_PRE_MASTER_LEN);
		at += OVPN_KM2_PRE_MASTER_LEN;
	}
	memcpy(at, m->random1, OVPN_KM2_RANDOM_LEN);
	memcpy(at + OVPN_KM2_RANDOM_LEN, m->random2, OVPN_KM2_RANDOM_LEN);
	at += 2 * OVPN_KM2_RANDOM_LEN;
	for (unsigned i = 0; i < 4; i++)
		at = put_string(at, strings[i]);
	*ret_len = need;
	return 0;
}
