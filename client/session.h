// SPDX-License-Identifier: BSD-3-Clause
// The session with the server: handshake, push, renegotiation, in-place reset, text messages. Its
// slots are the ACTIVE and INITIAL ones of protocol.md 11.1; the keys of LAME_DUCK are simply still
// in vc_data. Event loop only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "client/slot.h"
#include "config/pushed.h"
#include "protocol/push.h"

struct vc_client;

// Options of one PUSH_REPLY, all parts together.
#define VC_PUSH_BYTES 65536

struct vc_session {
	struct vc_slot *active; // trusted; NULL before the first key exchange
	struct vc_slot *initial; // being negotiated from a hard reset
	struct ovpn_channel_config channel_config;
	struct vc_wrap *wraps; // one for each remote
	bool is_static; // a static key in place of all handshakes; no slots
	struct ovpn_data_keys static_keys; // until they are installed
	unsigned knocks; // Pings that still tell a peer with a static key of our address
	uint32_t serial; // hard resets of ours so far
	struct ovpn_push_collect collect;
	char push_bytes[VC_PUSH_BYTES];
	struct cfg_pushed pushed; // valid while up
	bool have_pushed;
	enum ovpn_cipher cipher;
	bool ekm; // derivation, the same for all keys of a session
	bool v2; // the session has a peer-id
	bool have_keys; // data keys are installed
	uint64_t key_age; // of the newest data key; counts all keys of this process
	unsigned overhead; // bytes from an IP packet to its datagram
	uint64_t push_request_ms; // next PUSH_REQUEST
	uint64_t pending_ms; // AUTH_PENDING: no giving up before
	uint64_t in_place_ms; // last in-place reset
	uint64_t handshakes; // sessions that got their keys
	uint64_t rekeys;
	uv_timer_t timer; // next retransmission or step
};

int vc_session_init(struct vc_client *c);
// Wipe and free what is left when all slots are gone and the loop has ended.
void vc_session_done(struct vc_client *c);

// Read the static key, or the wrapping's keys of every remote, while the files can be read. Returns
// 0, or -errno with the reason logged.
int vc_session_load(struct vc_client *c);

// Begin a session with a hard reset over the current socket; slots of an earlier one are freed,
// its data keys stay until the new ones come or the caller wipes them.
int vc_session_begin(struct vc_client *c);

// static.c: the same with a static key. Nothing is exchanged: the keys are installed at the first
// time and stay for the process, with their packet-ids and replay window, and the tunnel is up at
// once. Returns 0, -ENOTSUP for a cipher that this machine lacks, -EIO, -ENOMEM, or -EINVAL.
int vc_static_begin(struct vc_client *c);

// Tell the peer where we are, by a Ping now and by one with each of the next ticks, as any may be
// lost and none is answered.
void vc_static_knock(struct vc_client *c);

// Begin a second one beside the active one, which goes on carrying data. Returns 0, -EBUSY when one
// is under way or was begun less than 10 s ago.
int vc_session_begin_in_place(struct vc_client *c);

// Is a handshake from a hard reset under way? It is bound to the address it began at.
bool vc_session_in_handshake(const struct vc_client *c);

// The address changed: a handshake beside the active session begins again. Returns false when there
// is no session that could move, so that everything must begin again.
bool vc_session_moved(struct vc_client *c);

// Free all slots.
void vc_session_end(struct vc_client *c);

// A control-channel datagram came.
void vc_session_input(struct vc_client *c, const uint8_t *dgram, size_t len);

// Do what is due: TLS, retransmissions, PUSH_REQUEST, renegotiation, time-outs.
void vc_session_run(struct vc_client *c);

// Derive the data keys of the slot's negotiation and install them as the newest; a key of an
// earlier session or key id goes at retire_ms. pushed: the session's. active_ms: sending begins
// then. Returns 0, -ENOTSUP for a cipher that we don't have, -EIO, -EKEYREJECTED, -ENOMEM.
int vc_session_install(struct vc_client *c, struct vc_slot *slot, const struct cfg_pushed *pushed,
	uint64_t active_ms, uint64_t retire_ms);

// Longest datagram that the profile's `fragment` allows for the server in use; 0: it isn't used.
uint16_t vc_session_fragment_max(const struct vc_client *c);

// From slot.c: both key-method-2 messages are there; a message came.
void vc_session_exchanged(struct vc_client *c, struct vc_slot *slot);
void vc_session_message(struct vc_client *c, struct vc_slot *slot, const char *buf, size_t len);

// Ask for new keys now. Returns 0, -EAGAIN, -EBUSY.
int vc_session_rekey(struct vc_client *c);
