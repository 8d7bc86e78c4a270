// SPDX-License-Identifier: BSD-3-Clause
// Tokens that stand for a password once it was proven (auth-gen-token), in OpenVPN's format, so
// that a token of another server with the same key is as good as our own. Pure.
//
//   "SESS_ID_AT_" base64( session[12] initial[8] renewed[8] HMAC-SHA256[32] )
//
// The HMAC is over user name, session, and both times; the times are unix time, big endian.
// Source: protocol.md 8.6.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_TOKEN_PREFIX "SESS_ID_AT_"
#define CTL_TOKEN_SESSION 12u
#define CTL_TOKEN_KEY 32u
#define CTL_TOKEN_TEXT 96u // a token and its NUL
#define CTL_TOKEN_SESSION_TEXT 17u // the session in base64 and a NUL

// What stays the same when a token is renewed.
struct ctl_token {
	bool set;
	bool no_user; // it was made for an empty user name
	uint8_t session[CTL_TOKEN_SESSION];
	uint64_t initial_s; // when the password was proven, unix time
};

enum ctl_token_state {
	CTL_TOKEN_NONE, // it isn't a token: a password
	CTL_TOKEN_INVALID, // another key, another user, another session, or nonsense
	CTL_TOKEN_EXPIRED,
	CTL_TOKEN_GOOD,
};

struct ctl_token_rules {
	uint8_t key[CTL_TOKEN_KEY];
	uint32_t lifetime_s; // 0: for ever
	uint32_t renewal_s; // a token that wasn't renewed for twice as long has expired
};

// Begin a token with a fresh session. Returns 0 or -EIO.
int ctl_token_begin(struct ctl_token *ret_token, uint64_t now_s);

// Write the token of now. Returns 0 or -EIO.
int ctl_token_write(const struct ctl_token_rules *rules, const struct ctl_token *token,
	const char *user, uint64_t now_s, char ret_text[CTL_TOKEN_TEXT]);

// Check what a client sent as its password. locked: the token of its session, or NULL.
// *ret_token is written for EXPIRED and GOOD.
enum ctl_token_state ctl_token_check(const struct ctl_token_rules *rules, const char *text,
	const char *user, const struct ctl_token *locked, uint64_t now_s,
	struct ctl_token *ret_token);

// The session in base64, as programs see it.
void ctl_token_session(const struct ctl_token *token, char ret_text[CTL_TOKEN_SESSION_TEXT]);

// The key out of a file that `openvpn --genkey auth-token` makes. Returns 0 or -EINVAL.
int ctl_token_key_parse(const char *text, size_t len, uint8_t ret_key[CTL_TOKEN_KEY]);
