// SPDX-License-Identifier: BSD-3-Clause
#include "control/token.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "protocol/bytes.h"

#define DATA 28u // session and both times
#define ALL (DATA + 32u)
#define ALL_TEXT (ALL / 3 * 4)
#define PEM_BEGIN "-----BEGIN OpenVPN auth-token server key-----"
#define PEM_END "-----END OpenVPN auth-token server key-----"
#define FILE_KEY 128u // bytes in the file: of a cipher, then of the HMAC, 64 each
#define FILE_HMAC 64u

static bool hmac(const uint8_t key[CTL_TOKEN_KEY], const char *user, const uint8_t data[DATA],
	uint8_t ret_hmac[32])
{
	uint8_t text[1024 + DATA];
	size_t n = strlen(user);
	unsigned len = 32;
	bool ok;

	if (n > sizeof(text) - DATA)
		return false;
	memcpy(text, user, n);
	memcpy(text + n, data, DATA);
	ok = HMAC(EVP_sha256(), key, CTL_TOKEN_KEY, text, n + DATA, ret_hmac, &len) != NULL;
	return ok;
}

int ctl_token_begin(struct ctl_token *ret_token, uint64_t now_s)
{
	struct ctl_token token = { .set = true, .initial_s = now_s };

	if (RAND_bytes(token.session, sizeof(token.session)) != 1)
		return -EIO;
	*ret_token = token;
	return 0;
}

int ctl_token_write(const struct ctl_token_rules *rules, const struct ctl_token *token,
	const char *user, uint64_t now_s, char ret_text[CTL_TOKEN_TEXT])
{
	uint8_t bytes[ALL];

	memcpy(bytes, token->session, CTL_TOKEN_SESSION);
	ovpn_put_be64(bytes + 12, token->initial_s);
	ovpn_put_be64(bytes + 20, now_s);
	if (!hmac(rules->key, token->no_user ? "" : user, bytes, bytes + DATA))
		return -EIO;
	memcpy(ret_text, CTL_TOKEN_PREFIX, strlen(CTL_TOKEN_PREFIX));
	(void)EVP_EncodeBlock( // 60 bytes become 80 characters and a NUL
		(unsigned char *)ret_text + strlen(CTL_TOKEN_PREFIX), bytes, (int)sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

// Bytes of a token. Returns false when it isn't exactly one.
static bool decode(const char *text, uint8_t bytes[ALL])
{
	text += strlen(CTL_TOKEN_PREFIX);
	// 80 characters without padding are 60 bytes.
	return strlen(text) == ALL_TEXT && memchr(text, '=', ALL_TEXT) == NULL &&
		EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)ALL_TEXT) == (int)ALL;
}

enum ctl_token_state ctl_token_check(const struct ctl_token_rules *rules, const char *text,
	const char *user, const struct ctl_token *locked, uint64_t now_s,
	struct ctl_token *ret_token)
{
	struct ctl_token token = { .set = true };
	uint8_t bytes[ALL], mac[32];
	uint64_t renewed;

	if (strncmp(text, CTL_TOKEN_PREFIX, strlen(CTL_TOKEN_PREFIX)) != 0)
		return CTL_TOKEN_NONE;
	if (!decode(text, bytes) || !hmac(rules->key, user, bytes, mac))
		return CTL_TOKEN_INVALID;
	if (CRYPTO_memcmp(mac, bytes + DATA, sizeof(mac)) != 0) {
		token.no_user = true; // some clients name nobody when they send one
		if (!hmac(rules->key, "", bytes, mac) ||
			CRYPTO_memcmp(mac, bytes + DATA, sizeof(mac)) != 0)
			return CTL_TOKEN_INVALID;
	}
	memcpy(token.session, bytes, CTL_TOKEN_SESSION);
	token.initial_s = ovpn_get_be64(bytes + 12);
	renewed = ovpn_get_be64(bytes + 20);
	if (locked != NULL && locked->set &&
		CRYPTO_memcmp(locked->session, token.session, CTL_TOKEN_SESSION) != 0)
		return CTL_TOKEN_INVALID;
	*ret_token = token;
	if (now_s < renewed || now_s - renewed >= 2 * (uint64_t)rules->renewal_s ||
		renewed < token.initial_s ||
		(rules->lifetime_s != 0 && now_s > token.initial_s &&
			now_s - token.initial_s > rules->lifetime_s))
		return CTL_TOKEN_EXPIRED;
	return CTL_TOKEN_GOOD;
}

void ctl_token_session(const struct ctl_token *token, char ret_text[CTL_TOKEN_SESSION_TEXT])
{
	(void)EVP_EncodeBlock((unsigned char *)ret_text, token->session, (int)CTL_TOKEN_SESSION);
}

int ctl_token_key_parse(const char *text, size_t len, uint8_t ret_key[CTL_TOKEN_KEY])
{
	const char *begin = memmem(text, len, PEM_BEGIN, strlen(PEM_BEGIN));
	const char *end = memmem(text, len, PEM_END, strlen(PEM_END));
	char compact[FILE_KEY * 2];
	uint8_t bytes[FILE_KEY * 2];
	size_t n = 0;
	int got;

	if (begin == NULL || end == NULL || end < begin + strlen(PEM_BEGIN))
		return -EINVAL;
	for (begin += strlen(PEM_BEGIN); begin < end; begin++) {
		if (*begin == '\n' || *begin == '\r' || *begin == ' ')
			continue;
		if (n == sizeof(compact))
			return -EINVAL;
		compact[n++] = *begin;
	}
	got = n % 4 == 0 ? EVP_DecodeBlock(bytes, (const unsigned char *)compact, (int)n) : -1;
	if (got >= (int)(FILE_HMAC + CTL_TOKEN_KEY))
		memcpy(ret_key, bytes + FILE_HMAC, CTL_TOKEN_KEY);
	explicit_bzero(compact, sizeof(compact));
	explicit_bzero(bytes, sizeof(bytes));
	return got >= (int)FILE_KEY ? 0 : -EINVAL;
}
