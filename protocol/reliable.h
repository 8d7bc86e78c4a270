// SPDX-License-Identifier: BSD-3-Clause
// The reliability layer of one negotiation (one key id of one session): numbered messages with
// individual acknowledgements, retransmission, delivery in order.
//
// One object is used by one thread at a time. No clock: now_ms is any monotonic time in
// milliseconds. No allocation: everything lies in the struct, about 26 KiB.
//
// A round of the caller: feed what arrived (ovpn_rel_on_acks, ovpn_rel_on_message), consume
// ovpn_rel_peek/ovpn_rel_pop, queue with ovpn_rel_queue, send ovpn_rel_next until it has nothing,
// then one ovpn_rel_next_ack if acknowledgements are still pending, sleep until ovpn_rel_deadline.
//
// Source: protocol.md 2.3.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/control_packet.h"

#define OVPN_REL_SEND_WINDOW 6u // unacknowledged messages at most
#define OVPN_REL_RECV_WINDOW 12u // messages stored ahead of delivery at most
#define OVPN_REL_ACK_QUEUE 16u // acknowledgements waiting; more than a window can need
#define OVPN_REL_RETRANSMIT_MS 2000u // tls-timeout: first retransmission
#define OVPN_REL_RETRANSMIT_MAX_MS 64000u // longest first pause that can be set
// End of the doubling, unless the first pause is longer. Stock peers go on to 64 s, and so give a
// message six tries in a hand-window of a minute: too few on a Wi-Fi that loses a third. Receivers
// only acknowledge what comes twice (openvpn3 even sends every second).
#define OVPN_REL_BACKOFF_MAX_MS 4000u
#define OVPN_REL_EARLY_ACKS 3u // later acknowledgements that make a message due at once
#define OVPN_REL_NEVER UINT64_MAX

// Payload bytes of a message that is sent; can be set at compile time.
#ifndef OVPN_REL_SEND_MAX
#define OVPN_REL_SEND_MAX 1250u
#endif
// Payload bytes of a received message: whatever fits a UDP datagram on Ethernet, as peers
// overshoot their own limit (protocol.md 2.5).
#ifndef OVPN_REL_RECV_MAX
#define OVPN_REL_RECV_MAX 1472u
#endif

// A message that was queued for sending and isn't acknowledged yet. Private to reliable.c.
struct ovpn_rel_out {
	uint64_t due_ms; // time of the next transmission
	uint32_t message_id;
	uint32_t timeout_ms; // pause after the next transmission
	uint16_t len; // bytes of payload
	uint8_t opcode;
	uint8_t later_acks; // acknowledgements of later messages since the last transmission
	bool used;
	bool sent; // transmitted at least once
	uint8_t payload[OVPN_REL_SEND_MAX];
};

// A message that arrived and wasn't consumed yet.
struct ovpn_rel_in {
	uint32_t message_id;
	uint16_t len; // bytes of payload
	uint8_t opcode;
	bool used;
	uint8_t payload[OVPN_REL_RECV_MAX];
};

// All state of one negotiation. Fields are private to reliable.c; use the functions.
struct ovpn_reliable {
	uint32_t next_send; // id of the next message to be queued
	uint32_t next_recv; // id of the next message to be delivered
	uint32_t retransmit_ms; // first pause
	uint8_t ack_count; // pending acknowledgements, oldest first
	uint8_t recent_count; // acknowledgements sent already, most recent first
	uint32_t ack[OVPN_REL_ACK_QUEUE];
	uint32_t recent[OVPN_CONTROL_MAX_ACKS];
	struct ovpn_rel_out out[OVPN_REL_SEND_WINDOW]; // unordered
	struct ovpn_rel_in in[OVPN_REL_RECV_WINDOW];
};

// What survives a restart of the process: message ids alone. A negotiation that was restored can
// acknowledge again what it had, and knows which ids the peer still waits for.
struct ovpn_rel_state {
	uint32_t next_send; // id of the next new message
	uint32_t lowest_unacked; // equal to next_send when all is acknowledged
	uint32_t next_recv; // next id expected from the peer
};

// Start a negotiation with both sequences at 0. retransmit_ms: tls-timeout in milliseconds, 0
// for the default.
void ovpn_rel_init(struct ovpn_reliable *r, uint32_t retransmit_ms);

// Start with other numbers: after a restart, or at 1 and 1 when the resets were exchanged without
// state (cookie). Messages between lowest_unacked and next_send are gone; the sequence goes on at
// next_send.
void ovpn_rel_import(
	struct ovpn_reliable *r, const struct ovpn_rel_state *state, uint32_t retransmit_ms);

// Snapshot of the numbers.
void ovpn_rel_export(const struct ovpn_reliable *r, struct ovpn_rel_state *ret_state);

// --- Sending ---

// How many more messages may be queued now: id - lowest unacknowledged id < window.
unsigned ovpn_rel_room(const struct ovpn_reliable *r);

// True when everything queued was acknowledged.
bool ovpn_rel_all_acked(const struct ovpn_reliable *r);

// Queue a message with the next id; it is due at now_ms. The payload is copied.
// Returns 0, -EAGAIN when the window is full, -EMSGSIZE when len > OVPN_REL_SEND_MAX, -EPROTO
// when the opcode has no message id.
int ovpn_rel_queue(struct ovpn_reliable *r, uint8_t opcode, const uint8_t *payload, size_t len,
	uint64_t now_ms);

// Take the next message that is due, lowest id first, and count it as sent at now_ms.
//
// Fills opcode, message id, payload (borrowed until the message is acknowledged), and up to
// max_acks acknowledgements (usually OVPN_CONTROL_PIGGYBACK): pending ones newest first, then
// recently sent ones again. Session ids and key id of *ret_control are the caller's to set.
// Returns true when there is one.
bool ovpn_rel_next(struct ovpn_reliable *r, uint64_t now_ms, unsigned max_acks,
	struct ovpn_control *ret_control);

// Make a P_ACK_V1 with up to max_acks acknowledgements if any are pending; as ovpn_rel_next.
bool ovpn_rel_next_ack(
	struct ovpn_reliable *r, unsigned max_acks, struct ovpn_control *ret_control);

// Acknowledgements that wait to be sent, and those that a packet sent now could carry
// (pending and repeated).
unsigned ovpn_rel_acks_pending(const struct ovpn_reliable *r);
unsigned ovpn_rel_acks_available(const struct ovpn_reliable *r);

// The earliest time at which ovpn_rel_next has a message; OVPN_REL_NEVER when nothing is
// outstanding. Pending acknowledgements don't count: they are due at once.
uint64_t ovpn_rel_deadline(const struct ovpn_reliable *r);

// Make every outstanding message due at now_ms with the first pause again: the session moved to
// another address (protocol.md 13.6).
void ovpn_rel_expedite(struct ovpn_reliable *r, uint64_t now_ms);

// --- Receiving ---

// Process the acknowledgements of a packet: ids that aren't outstanding are ignored. A message
// that is passed by three acknowledgements of later ones becomes due at now_ms.
void ovpn_rel_on_acks(
	struct ovpn_reliable *r, const uint32_t *ids, unsigned count, uint64_t now_ms);

// Process the message of a packet with a message id; its acknowledgement becomes pending in
// the cases 0 and -EALREADY.
//
// Returns 0 when stored, -EALREADY when it was stored or delivered before, -ERANGE beyond the
// window, -EMSGSIZE when longer than OVPN_REL_RECV_MAX, -EAGAIN when so many acknowledgements wait
// that the caller must send some first, -EPROTO for P_ACK_V1.
int ovpn_rel_on_message(struct ovpn_reliable *r, const struct ovpn_control *c);

// The next message in order, or NULL. Valid until ovpn_rel_pop.
const struct ovpn_rel_in *ovpn_rel_peek(const struct ovpn_reliable *r);

// Drop the message that ovpn_rel_peek showed; does nothing when there is none.
void ovpn_rel_pop(struct ovpn_reliable *r);

// Wipe the whole object before its memory is given back.
void ovpn_rel_wipe(struct ovpn_reliable *r);
