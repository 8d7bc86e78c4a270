// SPDX-License-Identifier: BSD-3-Clause
// Anti-replay windows. They hold plain integers and no pointers, so they may lie in shared memory;
// all zero is the initial state. The data window is inline: the dataplane asks for each packet.
//
// Both are told only of authentic packets: an id that isn't authentic must not move a window.
// Source: RFC 6479 (blocks instead of shifting); protocol.md 3.4, 9.6.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define OVPN_REPLAY_BITS 2048u // ids that the data window covers, the highest one included
#define OVPN_REPLAY_WORDS (OVPN_REPLAY_BITS / 64u)

// Window over the packet-ids of one data key. One writer. The bit of id n is bit n mod 64 of word
// n / 64 mod OVPN_REPLAY_WORDS, but the word that top is in lies beside top, so that packets in
// order touch one line; its place among the others has the ids one window further down until top
// leaves.
struct ovpn_replay {
	uint64_t top; // highest id accepted, 0: none
	uint64_t recent; // bits of the ids that share top's word
	uint64_t word[OVPN_REPLAY_WORDS];
};

// The word that has the bit of an id within the window.
static inline uint64_t *ovpn_replay_word(struct ovpn_replay *win, uint64_t id)
{
	if (id / 64 == win->top / 64)
		return &win->recent;
	return &win->word[(id / 64) % OVPN_REPLAY_WORDS];
}

// Would ovpn_replay_accept take this id? Changes nothing. Returns as ovpn_replay_accept.
static inline int ovpn_replay_check(const struct ovpn_replay *win, uint64_t id)
{
	uint64_t word;

	if (id == 0)
		return -EINVAL;
	if (id > win->top)
		return 0;
	if (win->top - id >= OVPN_REPLAY_BITS)
		return -ERANGE;
	word = id / 64 == win->top / 64 ? win->recent : win->word[(id / 64) % OVPN_REPLAY_WORDS];
	return word >> (id % 64) & 1 ? -EEXIST : 0;
}

// Move top to an id above it. What its word had goes to the others, and the words in between are
// cleared, as their bits belonged to ids one window further down. The place of the new word keeps
// those: the upper ones are in the window still.
static inline void ovpn_replay_advance(struct ovpn_replay *win, uint64_t id)
{
	uint64_t from = win->top / 64, to = id / 64;

	win->top = id;
	if (from == to)
		return;
	win->word[from % OVPN_REPLAY_WORDS] = win->recent;
	win->recent = 0;
	if (to - from > OVPN_REPLAY_WORDS) {
		memset(win->word, 0, sizeof(win->word));
		return;
	}
	for (uint64_t i = from + 1; i < to; i++)
		win->word[i % OVPN_REPLAY_WORDS] = 0;
}

// The word that ovpn_replay_accept would write beside top's own, so that it can be asked for ahead;
// NULL: none. After a gap the first of several.
static inline const uint64_t *ovpn_replay_beside(const struct ovpn_replay *win, uint64_t id)
{
	uint64_t lower = id < win->top ? id : win->top;

	return id / 64 == win->top / 64 ? NULL : &win->word[(lower / 64) % OVPN_REPLAY_WORDS];
}

// Accept a packet-id once.
//
// win: the key slot's window; the caller is its only writer.
// id:  packet-id in host byte order, 32 or 64 bit on the wire.
//
// Call only after the tag was verified.
//
// Returns 0 when accepted, -EEXIST when seen before, -ERANGE when OVPN_REPLAY_BITS or more below
// the highest one, -EINVAL when id is 0.
static inline int ovpn_replay_accept(struct ovpn_replay *win, uint64_t id)
{
	int rc = ovpn_replay_check(win, id);

	if (rc < 0)
		return rc;
	if (id > win->top)
		ovpn_replay_advance(win, id);
	*ovpn_replay_word(win, id) |= 1ull << (id % 64);
	return 0;
}

// A long packet-id (packet-id and time, protocol.md 9.2, 9.3) as one number: later times are
// larger.
static inline uint64_t ovpn_long_id(uint32_t net_time, uint32_t id)
{
	return (uint64_t)net_time << 32 | id;
}

// Accept a long packet-id once: a later time starts the window anew, an earlier one is refused.
// Returns as ovpn_replay_accept.
static inline int ovpn_replay_accept_long(struct ovpn_replay *win, uint64_t long_id)
{
	if ((uint32_t)long_id == 0)
		return -EINVAL;
	if (long_id >> 32 < win->top >> 32)
		return -ERANGE;
	return ovpn_replay_accept(win, long_id);
}

#define OVPN_REPLAY_LONG_BITS 64u

// Window of the wrapped control channel, over pairs (net time, id): a later time starts a new
// window, an earlier one is refused. One writer. Exported and restored by plain copy.
struct ovpn_replay_long {
	uint32_t net_time; // seconds since 1970 of the sender
	uint32_t top; // highest id accepted in net_time, 0: none
	uint64_t bits; // bit n: id top - n was accepted
};

// Would ovpn_replay_long_accept take this pair? Changes nothing.
int ovpn_replay_long_check(const struct ovpn_replay_long *win, uint32_t net_time, uint32_t id);

// Accept a pair once, after its packet was authenticated.
// Returns 0 when accepted, -EEXIST when seen before, -ERANGE when too old (id or time),
// -EINVAL when id is 0.
int ovpn_replay_long_accept(struct ovpn_replay_long *win, uint32_t net_time, uint32_t id);

// The sender's side: ids start at 1 (or at a given first one), the time is that of the first
// packet, and both start afresh when the ids run out.
struct ovpn_replay_send {
	uint32_t net_time; // seconds since 1970, 0: nothing sent yet
	uint32_t next; // next id
};

// Start: first is usually 1, OVPN_EARLY_REPLAY_ID for a client with tls-crypt-v2; net_time is 0, or
// after a restart a time later than that used before.
void ovpn_replay_send_init(struct ovpn_replay_send *s, uint32_t net_time, uint32_t first);

// Draw the next pair. now: wall clock in seconds. Each transmission draws one, retransmissions
// included.
void ovpn_replay_send_next(
	struct ovpn_replay_send *s, uint32_t now, uint32_t *ret_net_time, uint32_t *ret_id);
