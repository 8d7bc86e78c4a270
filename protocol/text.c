// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/text.h"

// The classes of <ctype.h> depend on the locale, and on signed characters being in range.
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word_char(char c)
{
	return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_';
}

void ovpn_text_init(struct ovpn_text *t, char *buf, size_t size)
{
	t->buf = buf;
	t->size = size;
	t->len = 0;
	t->full = size == 0;
	if (size > 0)
		buf[0] = '\0';
}

void ovpn_text_add_mem(struct ovpn_text *t, const char *s, size_t len)
{
	if (t->full)
		return;
	if (len >= t->size - t->len) {
		t->full = true;
		return;
	}
	if (len > 0)
		memcpy(t->buf + t->len, s, len);
	t->len += len;
	t->buf[t->len] = '\0';
}

void ovpn_text_add(struct ovpn_text *t, const char *s)
{
	ovpn_text_add_mem(t, s, strlen(s));
}

void ovpn_text_add_u64(struct ovpn_text *t, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	ovpn_text_add_mem(t, digits + at, sizeof(digits) - at);
}

int ovpn_text_done(const struct ovpn_text *t, size_t *ret_len)
{
	if (t->full)
		return -ENOBUFS;
	if (ret_len != NULL)
		*ret_len = t->len;
	return 0;
}

int ovpn_parse_u64(const char *s, size_t len, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool over = false;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit;

		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		digit = (uint64_t)(s[i] - '0');
		over |= value > (UINT64_MAX - digit) / 10;
		value = value * 10 + digit;
	}
	if (over || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

bool ovpn_text_equal(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && (len == 0 || memcmp(s, word, len) == 0);
}

bool ovpn_text_equal_nocase(const char *s, size_t len, const char *word)
{
	if (strlen(word) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (lower(s[i]) != lower(word[i]))
			return false;
	}
	return true;
}

bool ovpn_text_starts_with_word(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word);

	if (len < n || memcmp(s, word, n) != 0)
		return false;
	return len == n || !is_word_char(s[n]);
}

bool ovpn_text_is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	}
	return true;
}
