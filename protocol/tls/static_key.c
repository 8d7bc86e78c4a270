// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/static_key.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define STATIC_LABEL "OpenVPN Static key V1"
#define SERVER_LABEL "OpenVPN tls-crypt-v2 server key"
#define CLIENT_LABEL "OpenVPN tls-crypt-v2 client key"
#define TOKEN_LABEL "OpenVPN auth-token server key"

// A text read line by line.
struct scan {
	const char *next; // first character that wasn't read yet
	const char *end;
	unsigned line; // number of the line read last, from 1
};

// The line read last, without white space at its ends.
struct line {
	const char *text;
	size_t len;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool scan_line(struct scan *s, struct line *ret_line)
{
	const char *start = s->next;
	const char *stop;

	if (start >= s->end)
		return false;
	stop = memchr(start, '\n', (size_t)(s->end - start));
	s->next = stop != NULL ? stop + 1 : s->end;
	if (stop == NULL)
		stop = s->end;
	while (start < stop && is_space(*start))
		start++;
	while (stop > start && is_space(stop[-1]))
		stop--;
	s->line++;
	ret_line->text = start;
	ret_line->len = (size_t)(stop - start);
	return true;
}

// Is the line "-----WORD LABEL-----"?
static bool is_boundary(const struct line *line, const char *word, const char *label)
{
	char want[80];
	int n = snprintf(want, sizeof(want), "-----%s %s-----", word, label);

	return line->len == (size_t)n && memcmp(line->text, want, line->len) == 0;
}

__attribute__((format(printf, 3, 4))) static int refuse(
	struct ovpn_key_error *err, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -EINVAL;
	err->line = line;
	va_start(ap, fmt);
	(void)vsnprintf(err->reason, sizeof(err->reason), fmt, ap); // cutting it does no harm
	va_end(ap);
	return -EINVAL;
}

// Stand behind the BEGIN line of a label.
static int find_begin(struct scan *s, const char *label, struct ovpn_key_error *err)
{
	struct line line;

	while (scan_line(s, &line)) {
		if (is_boundary(&line, "BEGIN", label))
			return 0;
	}
	return refuse(err, 0, "no line '-----BEGIN %s-----'", label);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

// Add the hex digits of a line to key; *digits counts them over all lines.
static int take_hex(const struct scan *s, const struct line *line, uint8_t *key, size_t *digits,
	struct ovpn_key_error *err)
{
	for (size_t i = 0; i < line->len; i++) {
		int v = hex_value(line->text[i]);

		if (is_space(line->text[i]))
			continue;
		if (v < 0)
			return refuse(err, s->line, "a character that is no hex digit");
		if (*digits >= 2 * OVPN_STATIC_KEY_SIZE)
			return refuse(
				err, s->line, "more than %d bytes of key", OVPN_STATIC_KEY_SIZE);
		if (*digits % 2 == 0)
			key[*digits / 2] = (uint8_t)(v << 4);
		else
			key[*digits / 2] |= (uint8_t)v;
		(*digits)++;
	}
	return 0;
}

int ovpn_static_key_parse(const char *text, size_t len, struct ovpn_static_key *ret_key,
	struct ovpn_key_error *ret_err)
{
	struct scan s = { .next = text, .end = text + len };
	struct ovpn_static_key key = { 0 };
	struct line line;
	size_t digits = 0;
	int rc = find_begin(&s, STATIC_LABEL, ret_err);

	while (rc == 0) {
		if (!scan_line(&s, &line)) {
			rc = refuse(ret_err, s.line, "no line '-----END " STATIC_LABEL "-----'");
			break;
		}
		if (is_boundary(&line, "END", STATIC_LABEL))
			break;
		rc = take_hex(&s, &line, key.bytes, &digits, ret_err);
	}
	if (rc == 0 && digits != 2 * OVPN_STATIC_KEY_SIZE)
		rc = refuse(ret_err, s.line, "%zu hex digits of key instead of %d", digits,
			2 * OVPN_STATIC_KEY_SIZE);
	if (rc == 0)
		*ret_key = key;
	ovpn_static_key_wipe(&key);
	return rc;
}

static int base64_value(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int)(at - alphabet) : -1;
}

// Base64 characters collected four at a time over all lines of a PEM body.
struct base64 {
	uint8_t *out;
	size_t size;
	size_t len; // bytes written
	uint32_t bits;
	unsigned chars; // 0 to 3 characters are in `bits`
	unsigned pads; // '=' seen; nothing may follow them
};

static int base64_char(struct base64 *b, char c)
{
	int v = c == '=' ? 0 : base64_value(c);
	unsigned bytes;

	if (v < 0 || (c != '=' && b->pads > 0) || (c == '=' && b->chars < 2))
		return -EINVAL;
	if (c == '=')
		b->pads++;
	b->bits = b->bits << 6 | (uint32_t)v;
	if (++b->chars < 4)
		return 0;
	bytes = 3 - b->pads;
	if (b->len + bytes > b->size)
		return -ENOSPC;
	for (unsigned i = 0; i < bytes; i++)
		b->out[b->len++] = (uint8_t)(b->bits >> (16 - 8 * i));
	b->bits = 0;
	b->chars = 0;
	return 0;
}

// Decode the first PEM block with this label.
static int pem_parse(const char *text, size_t len, const char *label, uint8_t *out, size_t size,
	size_t *ret_len, struct ovpn_key_error *err)
{
	struct scan s = { .next = text, .end = text + len };
	struct base64 b = { .out = out, .size = size };
	struct line line;
	int rc = find_begin(&s, label, err);

	while (rc == 0) {
		if (!scan_line(&s, &line))
			return refuse(err, s.line, "no line '-----END %s-----'", label);
		if (is_boundary(&line, "END", label))
			break;
		for (size_t i = 0; rc == 0 && i < line.len; i++)
			rc = base64_char(&b, line.text[i]);
		if (rc == -ENOSPC)
			return refuse(err, s.line, "more than %zu bytes of key", size);
		if (rc < 0)
			return refuse(err, s.line, "not base64");
	}
	if (rc == 0 && b.chars != 0)
		return refuse(err, s.line, "base64 ends too early");
	if (rc == 0)
		*ret_len = b.len;
	return rc;
}

int ovpn_v2_server_key_parse(const char *text, size_t len, struct ovpn_v2_server_key *ret_key,
	struct ovpn_key_error *ret_err)
{
	struct ovpn_v2_server_key key = { 0 };
	size_t got = 0;
	int rc = pem_parse(text, len, SERVER_LABEL, key.bytes, sizeof(key.bytes), &got, ret_err);

	if (rc == 0 && got != sizeof(key.bytes))
		rc = refuse(ret_err, 0, "%zu bytes of key instead of %zu", got, sizeof(key.bytes));
	if (rc == 0)
		*ret_key = key;
	ovpn_v2_server_key_wipe(&key);
	return rc;
}

int ovpn_v2_client_key_parse(const char *text, size_t len, struct ovpn_v2_client_key *ret_key,
	struct ovpn_key_error *ret_err)
{
	uint8_t buf[OVPN_STATIC_KEY_SIZE + OVPN_WKC_MAX];
	const uint8_t *wkc = buf + OVPN_STATIC_KEY_SIZE;
	size_t got = 0;
	size_t wkc_len;
	int rc = pem_parse(text, len, CLIENT_LABEL, buf, sizeof(buf), &got, ret_err);

	if (rc == 0 && got < OVPN_STATIC_KEY_SIZE + OVPN_WKC_MIN)
		rc = refuse(ret_err, 0, "only %zu bytes of key", got);
	if (rc == 0) {
		wkc_len = got - OVPN_STATIC_KEY_SIZE;
		if ((size_t)(wkc[wkc_len - 2] << 8 | wkc[wkc_len - 1]) != wkc_len)
			rc = refuse(ret_err, 0, "the wrapped key's length field doesn't fit");
	}
	if (rc == 0) {
		memset(ret_key, 0, sizeof(*ret_key));
		memcpy(ret_key->kc.bytes, buf, OVPN_STATIC_KEY_SIZE);
		memcpy(ret_key->wkc, wkc, wkc_len);
		ret_key->wkc_len = (uint16_t)wkc_len;
	}
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

int ovpn_static_key_generate(struct ovpn_static_key *ret_key)
{
	return RAND_priv_bytes(ret_key->bytes, sizeof(ret_key->bytes)) == 1 ? 0 : -EIO;
}

int ovpn_v2_server_key_generate(struct ovpn_v2_server_key *ret_key)
{
	return RAND_priv_bytes(ret_key->bytes, sizeof(ret_key->bytes)) == 1 ? 0 : -EIO;
}

int ovpn_v2_client_key_generate(const struct ovpn_v2_server_key *server, const uint8_t *metadata,
	size_t metadata_len, struct ovpn_v2_client_key *ret_key)
{
	struct ovpn_v2_client_key key = { 0 };
	size_t wkc_len = 0;
	int rc;

	if (metadata_len == 0)
		return -EINVAL;
	rc = ovpn_static_key_generate(&key.kc);
	if (rc == 0)
		rc = ovpn_wkc_seal(server, &key.kc, metadata, metadata_len, key.wkc, &wkc_len);
	if (rc == 0) {
		key.wkc_len = (uint16_t)wkc_len;
		*ret_key = key;
	}
	ovpn_v2_client_key_wipe(&key);
	return rc;
}

// Text that is appended to a buffer; `full` once something didn't fit.
struct out_text {
	char *buf;
	size_t size;
	size_t len;
	bool full;
};

static void put_char(struct out_text *t, char c)
{
	if (t->len + 1 >= t->size) {
		t->full = true;
		return;
	}
	t->buf[t->len++] = c;
	t->buf[t->len] = '\0';
}

static void put_boundary(struct out_text *t, const char *word, const char *label)
{
	char line[80];

	(void)snprintf(line, sizeof(line), "-----%s %s-----\n", word, label); // labels are short
	for (const char *c = line; *c != '\0'; c++)
		put_char(t, *c);
}

static int text_done(struct out_text *t)
{
	if (!t->full)
		return 0;
	explicit_bzero(t->buf, t->size);
	return -ENOSPC;
}

int ovpn_static_key_format(const struct ovpn_static_key *key, char *ret_text, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	struct out_text t = { .buf = ret_text, .size = size };

	put_boundary(&t, "BEGIN", STATIC_LABEL);
	for (size_t i = 0; i < sizeof(key->bytes); i++) {
		put_char(&t, hex[key->bytes[i] >> 4]);
		put_char(&t, hex[key->bytes[i] & 15]);
		if (i % 16 == 15)
			put_char(&t, '\n');
	}
	put_boundary(&t, "END", STATIC_LABEL);
	return text_done(&t);
}

static int pem_format(const uint8_t *bytes, size_t len, const char *label, char *text, size_t size)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct out_text t = { .buf = text, .size = size };

	put_boundary(&t, "BEGIN", label);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)bytes[i] << 16;

		if (i + 1 < len)
			bits |= (uint32_t)bytes[i + 1] << 8;
		if (i + 2 < len)
			bits |= bytes[i + 2];
		put_char(&t, alphabet[bits >> 18]);
		put_char(&t, alphabet[bits >> 12 & 63]);
		put_char(&t, i + 1 < len ? alphabet[bits >> 6 & 63] : '=');
		put_char(&t, i + 2 < len ? alphabet[bits & 63] : '=');
		if (i % 48 == 45 || i + 3 >= len)
			put_char(&t, '\n');
	}
	put_boundary(&t, "END", label);
	return text_done(&t);
}

int ovpn_v2_server_key_format(const struct ovpn_v2_server_key *key, char *ret_text, size_t size)
{
	return pem_format(key->bytes, sizeof(key->bytes), SERVER_LABEL, ret_text, size);
}

int ovpn_auth_token_key_format(
	const uint8_t key[OVPN_AUTH_TOKEN_KEY_SIZE], char *ret_text, size_t size)
{
	return pem_format(key, OVPN_AUTH_TOKEN_KEY_SIZE, TOKEN_LABEL, ret_text, size);
}

int ovpn_v2_client_key_format(const struct ovpn_v2_client_key *key, char *ret_text, size_t size)
{
	uint8_t buf[OVPN_STATIC_KEY_SIZE + OVPN_WKC_MAX];
	int rc;

	memcpy(buf, key->kc.bytes, OVPN_STATIC_KEY_SIZE);
	memcpy(buf + OVPN_STATIC_KEY_SIZE, key->wkc, key->wkc_len);
	rc = pem_format(
		buf, OVPN_STATIC_KEY_SIZE + (size_t)key->wkc_len, CLIENT_LABEL, ret_text, size);
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

void ovpn_static_key_wipe(struct ovpn_static_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

void ovpn_v2_server_key_wipe(struct ovpn_v2_server_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

void ovpn_v2_client_key_wipe(struct ovpn_v2_client_key *key)
{
	explicit_bzero(key, sizeof(*key));
}
