// SPDX-License-Identifier: BSD-3-Clause
// First contact: datagrams of senders that no peer is known for. Answers carry a cookie and leave
// no state behind; only who has proven its address gets a peer. Rates are counted per source prefix
// (/24, /56), so that one hostile network doesn't shut out the others (decisions.md C12, C13).
// Everything here runs in the event loop.
#pragma once

#include <stdint.h>

#include "control/log.h"
#include "protocol/tls/cookie.h"
#include "protocol/tls/stateless.h"
#include "shm/message.h"

struct ctl;
struct ctl_peer;

#define CTL_FIRST_BUCKETS 4096u
#define CTL_FIRST_STATEFUL_MAX 64u // peers that needed state at their first packet
#define CTL_FIRST_HALF_OPEN_MAX 16384u // peers without a session, in all
#define CTL_FIRST_PREFIX_MAX 256u // ... of one prefix
#define CTL_FIRST_ROTATE_MS 3600000u // how long cookies are made with one key, at least

// What one source prefix did; prefixes that hash alike share one.
struct ctl_bucket {
	uint64_t start_ms; // of the period of connect-freq-initial
	uint32_t resets; // answered in it and not followed by a third packet
	uint32_t half_open;
	uint32_t ghosts; // handshakes that an earlier control lost, while they get alerts
};

struct ctl_first {
	struct ovpn_cookie_keys cookies;
	uint64_t rotate_ms; // when the next key is drawn; 0: not planned yet
	struct ctl_bucket bucket[CTL_FIRST_BUCKETS];
	uint32_t stateful;
	uint64_t new_start_ms; // of the period of connect-freq
	uint32_t new_count;
	uint64_t replies;
	uint64_t accepted;
	uint64_t rate_limited;
	uint64_t too_many;
	uint64_t dropped[OVPN_FIRST_REASON_COUNT];
	struct ctl_limit limit; // of log lines
};

// A datagram without a peer.
void ctl_first_contact(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker);

// Draw a new key for cookies when it is time. The one before it is kept, and for so long that every
// handshake that began with it is over: a cookie lives for one and a half hand-windows.
// Returns 1 when the keys have changed, 0 when not, -EIO when no key could be drawn (the next try
// is at the next call).
int ctl_first_rotate(struct ctl_first *f, unsigned hand_window_s, uint64_t now_ms);

// The peer stands for a handshake that an earlier control lost.
void ctl_first_ghost(struct ctl *ctl, struct ctl_peer *peer);

// The peer has a session now, or is gone: it isn't half-open any more.
void ctl_first_closed(struct ctl *ctl, struct ctl_peer *peer);
