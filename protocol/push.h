// SPDX-License-Identifier: BSD-3-Clause
// Text messages of the control channel: PUSH_REQUEST, PUSH_REPLY in parts, AUTH_FAILED, RESTART
// and the others. Each is one TLS record with one terminating NUL. Source: protocol.md 8.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVPN_PUSH_REQUEST "PUSH_REQUEST"
#define OVPN_PUSH_REPLY "PUSH_REPLY"
#define OVPN_PUSH_UPDATE "PUSH_UPDATE"
#define OVPN_PUSH_CONTINUATION "push-continuation"
#define OVPN_MESSAGE_MAX 2048u // bytes of one message with NUL, receivers' limit
#define OVPN_PUSH_PART_MAX 1024u // bytes of a part with NUL; the buffer of peers
#define OVPN_PUSH_RESERVED 84u // of these kept for the continuation mark
#define OVPN_PUSH_OPTION_MAX 255u // characters of one option

// --- Receiving: records to messages ---

enum ovpn_message_type {
	OVPN_MSG_UNKNOWN, // log and ignore
	OVPN_MSG_AUTH_FAILED,
	OVPN_MSG_PUSH_REQUEST,
	OVPN_MSG_PUSH_REPLY,
	OVPN_MSG_PUSH_UPDATE,
	OVPN_MSG_RESTART,
	OVPN_MSG_HALT,
	OVPN_MSG_INFO_PRE,
	OVPN_MSG_INFO,
	OVPN_MSG_CR_RESPONSE,
	OVPN_MSG_AUTH_PENDING,
	OVPN_MSG_EXIT,
};

enum ovpn_auth_failed_kind {
	OVPN_AUTH_FAILED_PLAIN, // wrong credentials; text: reason, may be empty
	OVPN_AUTH_FAILED_SESSION, // token expired: use the real credentials again
	OVPN_AUTH_FAILED_TEMP, // try again later: backoff_s, advance
	OVPN_AUTH_FAILED_CHALLENGE, // text: the dynamic challenge from "CRV1:" on
};

enum ovpn_advance {
	OVPN_ADVANCE_DEFAULT, // nothing said
	OVPN_ADVANCE_NO, // same server again
	OVPN_ADVANCE_REMOTE, // next remote
	OVPN_ADVANCE_ADDR, // next address
};

// One message taken apart. Strings are borrowed and not NUL-terminated.
struct ovpn_message {
	enum ovpn_message_type type;
	enum ovpn_auth_failed_kind auth_failed;
	enum ovpn_advance advance; // AUTH_FAILED,TEMP; RESTART with N: next remote
	bool preserve; // RESTART with P: keep cached passwords and tokens
	bool has_backoff;
	bool has_timeout;
	uint32_t backoff_s; // AUTH_FAILED,TEMP: pause before the next attempt, seconds
	uint32_t timeout_s; // AUTH_PENDING: how long to wait, seconds
	const char *text; // PUSH_*: the options; others: reason or text for people; never NULL
	size_t text_len;
};

// Split the application data of one TLS record: the next NUL-terminated message from *pos on.
// A last message without NUL is accepted, trailing CR and LF are cut off, empty ones skipped.
//
// Returns 1 and the message (borrowed), 0 when there is none left, -EBADMSG when it holds a
// character that isn't printable ASCII; *pos is behind the message in any case.
int ovpn_message_next(
	const char *buf, size_t len, size_t *pos, const char **ret_text, size_t *ret_len);

// Take a message apart. Never fails: what it doesn't know is OVPN_MSG_UNKNOWN with the whole
// text. Malformed flags are ignored, so that the reason still reaches the user.
void ovpn_message_parse(const char *text, size_t len, struct ovpn_message *ret_message);

// Name of a type for logs, "PUSH_REPLY".
const char *ovpn_message_name(enum ovpn_message_type type);

// --- Receiving: options of PUSH_REPLY ---

// Collects the parts of a PUSH_REPLY in a buffer of the caller: the options one after the other,
// each with a NUL, continuation marks taken out.
struct ovpn_push_collect {
	char *buf;
	size_t size;
	size_t len; // bytes used
	bool complete; // the last part has come
};

// Start (again) with an empty set.
void ovpn_push_collect_init(struct ovpn_push_collect *c, char *buf, size_t size);

// Add the options of one part (ovpn_message.text of a PUSH_REPLY or PUSH_UPDATE). Empty options
// are skipped. A part after a complete one starts a new set.
//
// Returns 1 when the set is complete, 0 when another part will follow, -ENOBUFS when the set is
// longer than the buffer, -EMSGSIZE when an option is longer than OVPN_PUSH_OPTION_MAX (nothing of
// the part is kept), -EBADMSG when it isn't printable.
int ovpn_push_collect_add(struct ovpn_push_collect *c, const char *options, size_t len);

// Walk through the collected options: pass NULL for the first one, then the one before.
// Returns a NUL-terminated option, or NULL at the end.
const char *ovpn_push_collect_next(const struct ovpn_push_collect *c, const char *prev);

// --- Sending ---

// State of writing options as one or several PUSH_REPLY messages.
struct ovpn_push_build {
	const char *verb; // OVPN_PUSH_REPLY or OVPN_PUSH_UPDATE
	const char *const *options; // borrowed until the last part was written
	size_t count;
	size_t next; // first option that wasn't written
	bool split; // an earlier part was marked with "push-continuation 2"
	bool done;
};

// Start. options: count NUL-terminated options without commas, each printable.
void ovpn_push_build_init(
	struct ovpn_push_build *b, const char *verb, const char *const *options, size_t count);

// Write the next part as text with NUL to buf of size bytes (OVPN_PUSH_PART_MAX is enough).
//
// Returns 1 and the bytes including the NUL, 0 when all parts were written, -EINVAL when an option
// holds a comma or a character that isn't printable, -EMSGSIZE when it is longer than
// OVPN_PUSH_OPTION_MAX, -ENOBUFS when buf is smaller than OVPN_PUSH_PART_MAX.
int ovpn_push_build_next(struct ovpn_push_build *b, char *buf, size_t size, size_t *ret_len);

// Write any message with its NUL: word, and "," and text unless text is NULL. For RESTART with
// flags pass text "[P]". Returns 0 and the bytes including the NUL, -ENOBUFS when it doesn't
// fit, -EINVAL when it isn't printable.
int ovpn_message_build(const char *word, const char *text, char *buf, size_t size, size_t *ret_len);
