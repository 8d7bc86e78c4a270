// SPDX-License-Identifier: BSD-3-Clause
// The control channel of one session: who it is with, how it is wrapped, which negotiation it is
// in, and which datagram to send next. Used by servers and clients; pure: time and session ids come
// in as arguments, datagrams and TLS bytes as buffers. One thread at a time per channel.
//
// A channel is small and lives as long as its session. The send and receive buffers of the current
// negotiation are in a struct ovpn_negotiation (negotiation.h, some 30 KiB) that belongs to the
// owner: attach it for a handshake, detach it when the session is idle.
//
// One round of an owner's work:
//
//	ovpn_channel_recv(ch, dgram, ...)      for each datagram; look at the event's flags
//	ovpn_channel_tls_read() -> TLS          until it returns 0
//	TLS -> ovpn_channel_tls_write()         until TLS is empty or it takes less than was given
//	ovpn_channel_output()                   until it returns 0; again at its deadline
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/opcode.h"
#include "protocol/tls/wrap.h"

// Acknowledgements that wait without a negotiation (re-acks, decisions.md C8).
#define OVPN_CHANNEL_REACK_MAX 8
// No datagram of ours is longer.
#define OVPN_CHANNEL_DATAGRAM_MAX 2048
#define OVPN_CHANNEL_NEVER UINT64_MAX

struct ovpn_negotiation; // negotiation.h

// Settings that many channels share; read only.
struct ovpn_channel_config {
	uint16_t max_packet; // longest datagram with IP and UDP header, 154 to 2,048; usually 1,250
	bool ipv6; // the outer path; false counts 20 bytes less
	uint32_t retransmit_ms; // first retransmission after so much (tls-timeout), usually 2,000
};

enum ovpn_channel_flag {
	OVPN_CHANNEL_SERVER = 1u << 0,
	OVPN_CHANNEL_REMOTE_KNOWN = 1u << 1, // remote_sid is set
	OVPN_CHANNEL_ESTABLISHED = 1u << 2, // the current key is generated: soft resets are welcome
	OVPN_CHANNEL_ANY_KEY_ID = 1u << 3, // adopted: the peer's first soft reset names the key id
	OVPN_CHANNEL_DYNAMIC = 1u << 4, // key ids over 0 use the dynamic wrapping
	OVPN_CHANNEL_SEND_WKC = 1u << 5, // client: message 1 goes out as P_CONTROL_WKC_V1
	OVPN_CHANNEL_HAS_OLD = 1u << 6, // old_key_id and old_next_recv are valid
	OVPN_CHANNEL_HOLD_ACKS = 1u << 7, // an answer is under way: see ovpn_channel_hold_acks()
};

struct ovpn_channel {
	const struct ovpn_channel_config *config;
	struct ovpn_negotiation *neg; // the owner's; NULL: idle
	const uint8_t *wkc; // client with tls-crypt-v2: the wrapped key, the owner's
	struct ovpn_wrap base;
	struct ovpn_wrap dynamic;
	uint8_t own_sid[OVPN_SID_LEN];
	uint8_t remote_sid[OVPN_SID_LEN];
	uint16_t wkc_len;
	uint16_t flags; // enum ovpn_channel_flag
	uint8_t key_id; // of the current negotiation
	uint8_t old_key_id; // of the one before it
	uint8_t reack_key_id;
	uint8_t reack_count;
	uint32_t reack[OVPN_CHANNEL_REACK_MAX]; // message ids to acknowledge under reack_key_id
	uint32_t next_send; // next message id of the current negotiation; valid while neg is NULL
	uint32_t next_recv; // next one expected; valid while neg is NULL
	uint32_t lowest_unacked; // == next_send when all is acknowledged; valid while neg is NULL
	uint32_t old_next_recv;
};
static_assert(sizeof(struct ovpn_channel) <= 192, "a server holds up to a million idle ones");

// What a received datagram did; several at once are possible.
enum ovpn_channel_event {
	OVPN_CHANNEL_GOT_ACK = 1u << 0, // something of ours was acknowledged
	OVPN_CHANNEL_GOT_TLS = 1u << 1, // ovpn_channel_tls_read() has bytes
	OVPN_CHANNEL_GOT_START = 1u << 2, // our reset was acknowledged: TLS may be written now
	// The peer began negotiation key_id: throw away the TLS connection of the one before it and
	// make a new one.
	OVPN_CHANNEL_GOT_SOFT_RESET = 1u << 3,
	OVPN_CHANNEL_GOT_RESET = 1u << 4, // the peer's hard or soft reset of this negotiation came
	OVPN_CHANNEL_GOT_DUPLICATE = 1u << 5, // an old message, acknowledged again
	OVPN_CHANNEL_GOT_OLD_KEY = 1u << 6, // belonged to the negotiation before this one
};

// Begin: a channel without a negotiation.
//
// own_sid:  8 random bytes that aren't all zero (server: the cookie).
// base:     keys of the wrapping, NULL for none; they must outlive the channel.
// now_s:    unix time, the net time of everything that is wrapped.
void ovpn_channel_init(struct ovpn_channel *ch, const struct ovpn_channel_config *config,
	bool server, const uint8_t own_sid[OVPN_SID_LEN], const struct ovpn_wrap_keys *base,
	uint32_t now_s);

// Client with tls-crypt-v2, before start: hard resets go out as V3 with the wrapped key appended,
// replay ids begin at OVPN_EARLY_REPLAY_ID. The bytes must outlive the channel.
// Returns 0, -EINVAL when the length can't be one of a WKc.
int ovpn_channel_set_wkc(struct ovpn_channel *ch, const uint8_t *wkc, size_t wkc_len);

// Begin negotiation 0. A client queues its hard reset; a server waits for the client's and answers
// it (for a server that keeps state from the first packet on: protocol.md 4.3, last sentence).
void ovpn_channel_start(struct ovpn_channel *ch, struct ovpn_negotiation *neg, uint64_t now_ms);

// Server, for the third packet that stateless.h let in: both resets are done, the next message ids
// are 1, the next replay id is 2. Then give that packet to ovpn_channel_recv().
// Source: protocol.md 4.2.
void ovpn_channel_accept(struct ovpn_channel *ch, struct ovpn_negotiation *neg,
	const uint8_t remote_sid[OVPN_SID_LEN], uint64_t now_ms);

// Use a dynamic tls-crypt key for all key ids over 0; before the first soft reset.
void ovpn_channel_set_dynamic(
	struct ovpn_channel *ch, const struct ovpn_wrap_keys *keys, uint32_t now_s);

// Take a datagram with opcode 3 to 5, 7, 8, 10 or 11. The caller has compared its source address
// with the session's (protocol.md 2.4 step 7).
//
// ret_events: enum ovpn_channel_event, or-ed; 0 for a duplicate that carried nothing.
//
// Returns 0, or a reason to drop it:
//  -EINVAL    malformed, wrong direction, or an opcode that isn't one of the control channel
//  -ESTALE    another session: its sender or receiver session id isn't ours. A hard reset of this
//             kind asks for a new channel (protocol.md 2.4 step 6, 11.6)
//  -EBADMSG   not authentic
//  -EEXIST, -ERANGE  replay id seen before, too old
//  -EPROTO    a key id that is neither the current, the old, nor the next one; a server's reset
//  whose
//             early-negotiation payload is malformed
//  -ENOBUFS   authentic, but the channel has no buffers for it: *ret_events is GOT_SOFT_RESET (the
//             peer begins a negotiation) or GOT_TLS (a message of the current one). Nothing has
//             changed: ovpn_channel_attach(), then call again with the same datagram; or forget it
//             (GOT_TLS where the TLS connection is gone)
//  -ENOSPC    beyond the receive window, or too long to keep: not acknowledged, will come again
//  -EIO       libcrypto failed
// Source: protocol.md 2.4.
int ovpn_channel_recv(struct ovpn_channel *ch, const uint8_t *dgram, size_t len, uint64_t now_ms,
	unsigned *ret_events);

// Copy received TLS bytes in order, at most `size`; returns how many, 0 when there are none.
size_t ovpn_channel_tls_read(struct ovpn_channel *ch, uint8_t *buf, size_t size);

// Queue TLS bytes; they are cut into control packets. Returns how many were taken: less than len
// when the send window is full, 0 before our reset was acknowledged. Give the rest again after
// the next GOT_ACK. Source: protocol.md 2.5, 2.7.
size_t ovpn_channel_tls_write(
	struct ovpn_channel *ch, const uint8_t *bytes, size_t len, uint64_t now_ms);

// Make the next datagram that is due: a message for the first time, a retransmission, or a
// bare acknowledgement.
// out: room for `size` bytes; OVPN_CHANNEL_DATAGRAM_MAX is always enough.
// Returns 1 with a datagram, 0 when nothing is due, -ENOSPC, -EIO.
int ovpn_channel_output(
	struct ovpn_channel *ch, uint64_t now_ms, uint8_t *out, size_t size, size_t *ret_len);

// hold: the owner is making an answer, which can carry the acknowledgements of what has arrived, so
// ovpn_channel_output() makes no bare one for fewer than an answer carries. The owner lets go soon,
// with or without an answer: the peer repeats what isn't acknowledged.
void ovpn_channel_hold_acks(struct ovpn_channel *ch, bool hold);

// When ovpn_channel_output() has something to do next, in ms of the same clock; 0: at once;
// OVPN_CHANNEL_NEVER: not before something is received or written.
uint64_t ovpn_channel_deadline(const struct ovpn_channel *ch);

// True when our reset was acknowledged, so that TLS may be written (state START and later).
bool ovpn_channel_started(const struct ovpn_channel *ch);

// True when everything that was queued has been acknowledged: what protocol.md 2.7 asks for ACTIVE.
bool ovpn_channel_all_acked(const struct ovpn_channel *ch);

// The owner says that the data keys of the current negotiation exist. From now on the peer may
// begin a soft reset, and so may we. Source: protocol.md 2.4 step 8.
void ovpn_channel_established(struct ovpn_channel *ch);

// Key id that the next soft reset gets: +1, 7 becomes 1.
uint8_t ovpn_channel_next_key_id(const struct ovpn_channel *ch);

// Begin a renegotiation. neg: buffers, may be the attached ones; NULL: take those.
// Returns 0, -EAGAIN when the current key isn't established, -EBUSY when something isn't
// acknowledged yet, -ENOBUFS without buffers. Source: protocol.md 11.2.
int ovpn_channel_soft_reset(struct ovpn_channel *ch, struct ovpn_negotiation *neg, uint64_t now_ms);

// Give buffers to a channel that has none: the current negotiation goes on where it was, or
// ovpn_channel_recv() takes them for the peer's soft reset. Any content is overwritten.
void ovpn_channel_attach(struct ovpn_channel *ch, struct ovpn_negotiation *neg);

// Take the buffers away from a channel at rest; duplicates are acknowledged all the same.
// Returns them, or NULL when there are none. What wasn't acknowledged or read is lost: ask
// ovpn_channel_idle() first, unless the session is being removed.
struct ovpn_negotiation *ovpn_channel_detach(struct ovpn_channel *ch);

// True when detaching loses nothing: established, all acknowledged, all read, nothing to send.
bool ovpn_channel_idle(const struct ovpn_channel *ch);

// For an adopted session whose negotiation died with its TLS state: make the packet that makes the
// peer give up at once, a fatal TLS alert at message id `lowest_unacked + index`.
// index: 0, 1, ... until it returns 0; at most seven.
// Returns 1 with a datagram, 0 after the last one, -ENOSPC, -EIO. Source: decisions.md C5.
int ovpn_channel_abort(
	struct ovpn_channel *ch, unsigned index, uint8_t *out, size_t size, size_t *ret_len);

#define OVPN_CHANNEL_STATE_VERSION 1
// What a restarted control needs to go on with a channel (decisions.md C5, C7, C8). Plain data for
// shared memory, no pointers, no keys; host byte order.
struct ovpn_channel_state {
	uint8_t version; // OVPN_CHANNEL_STATE_VERSION
	uint8_t key_id;
	uint8_t old_key_id;
	uint8_t in_flight; // 1: a negotiation was going on; begin none (decisions.md C4)
	uint16_t flags;
	uint16_t reserved;
	uint8_t own_sid[OVPN_SID_LEN];
	uint8_t remote_sid[OVPN_SID_LEN];
	struct ovpn_wrap_state base;
	struct ovpn_wrap_state dynamic;
	uint32_t next_send;
	uint32_t lowest_unacked;
	uint32_t next_recv;
	uint32_t old_next_recv;
};
static_assert(sizeof(struct ovpn_channel_state) == 88, "stored by one release, read by the next");

// Write the state; cheap enough to be called after each datagram. Never fails.
void ovpn_channel_export(const struct ovpn_channel *ch, struct ovpn_channel_state *ret_state);

// Take up a stored session, without a negotiation: idle if nothing was in flight, else only good
// for re-acks, ovpn_channel_abort() and the peer's next soft reset. Sets ANY_KEY_ID.
//
// base, dynamic: keys, or NULL for none; now_s as for ovpn_channel_init().
//
// Returns 0, -EINVAL when the version or a value is impossible.
int ovpn_channel_import(struct ovpn_channel *ch, const struct ovpn_channel_config *config,
	const struct ovpn_channel_state *state, const struct ovpn_wrap_keys *base,
	const struct ovpn_wrap_keys *dynamic, uint32_t now_s);
