// SPDX-License-Identifier: BSD-3-Clause
// First contact: what a server does with a control packet of an address and session id that it has
// no session for. Keeps no state; protocol.md 4.1 to 4.4.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tls/cookie.h"
#include "protocol/tls/wrap.h"

// A server's settings; read only. Without any of the keys the control channel isn't wrapped.
struct ovpn_stateless {
	const struct ovpn_wrap_keys *tls_auth; // NULL: not configured
	const struct ovpn_wrap_keys *tls_crypt; // NULL: not configured
	const struct ovpn_v2_server_key *v2; // NULL: not configured
	const struct ovpn_cookie_keys *cookies;
	unsigned hand_window_s; // cookies live this long
	uint32_t v2_max_age_s; // refuse older client keys of tls-crypt-v2, and ageless ones; 0: any
	bool force_cookie; // refuse tls-crypt-v2 clients that can't send their key again (2.5)
};

enum ovpn_first_verdict {
	OVPN_FIRST_DROP = 0, // silence; reason says why
	OVPN_FIRST_REPLY = 1, // a hard reset: send the reply, keep nothing
	OVPN_FIRST_ACCEPT = 2, // the third packet: make a session, ovpn_channel_accept(), recv
	OVPN_FIRST_STATEFUL = 3, // a hard reset that needs state at once (tls-crypt-v2 of 2.5):
				 // draw a random session id, ovpn_channel_start(), recv
};

// Reasons of OVPN_FIRST_DROP: enumerator, text for telemetry.
#define OVPN_FIRST_REASONS(X)                                                                      \
	X(NONE, "none")                                                                            \
	X(LENGTH, "first_length")                                                                  \
	X(OPCODE, "first_opcode")                                                                  \
	X(KEY_ID, "first_key_id")                                                                  \
	X(NO_KEY, "first_no_key")                                                                  \
	X(BAD_WRAP, "first_bad_wrap")                                                              \
	X(BAD_CLIENT_KEY, "first_bad_client_key")                                                  \
	X(OLD_CLIENT_KEY, "first_old_client_key")                                                  \
	X(MALFORMED, "first_malformed")                                                            \
	X(NO_ACK, "first_no_ack")                                                                  \
	X(BAD_COOKIE, "first_bad_cookie")                                                          \
	X(MESSAGE_ID, "first_message_id")                                                          \
	X(NEEDS_STATE, "first_needs_state")                                                        \
	X(INTERNAL, "first_internal")

enum ovpn_first_reason {
#define OVPN_FIRST_ENUM(name, text) OVPN_FIRST_##name,
	OVPN_FIRST_REASONS(OVPN_FIRST_ENUM)
#undef OVPN_FIRST_ENUM
		OVPN_FIRST_REASON_COUNT
};

// Text of a reason, for counters.
const char *ovpn_first_reason_name(enum ovpn_first_reason reason);

// The result. Holds keys when v2 is set: wipe with ovpn_first_wipe().
struct ovpn_first {
	uint8_t verdict; // enum ovpn_first_verdict
	uint8_t reason; // enum ovpn_first_reason
	uint8_t opcode;
	bool v2; // tls-crypt-v2: v2_keys, kc and metadata are valid
	uint8_t client_sid[8];
	uint8_t server_sid[8]; // the cookie; unset for OVPN_FIRST_STATEFUL
	const struct ovpn_wrap_keys *keys; // the server's keys that fitted; NULL: none, or v2
	struct ovpn_wrap_keys v2_keys;
	struct ovpn_static_key kc;
	uint16_t metadata_len;
	uint8_t metadata[OVPN_WKC_METADATA_MAX];
};

// Judge a datagram of an unknown sender.
//
// addr, addr_len: as for ovpn_cookie_make().
// now_ms:         unix time in ms (cookies must survive a restart); its seconds are the net time.
// reply, size:    room for the answer, 128 bytes are enough.
//
// Returns the verdict; with OVPN_FIRST_REPLY *ret_reply_len is written. Rate limits are the
// caller's business: it should apply one before it sends a reply. Any thread.
enum ovpn_first_verdict ovpn_stateless_recv(const struct ovpn_stateless *st, const void *addr,
	size_t addr_len, uint64_t now_ms, const uint8_t *dgram, size_t len,
	struct ovpn_first *ret_first, uint8_t *reply, size_t size, size_t *ret_reply_len);

void ovpn_first_wipe(struct ovpn_first *first);
