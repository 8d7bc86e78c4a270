// SPDX-License-Identifier: BSD-3-Clause
// The data thread: all data packets between the tunnel's device and the sockets, in bursts. The
// event loop tells it what to do by orders, it tells the event loop what happened by notes, and it
// publishes counters; nothing else is shared. Every function here is the event loop's to call.
// docs/architecture.md says what crosses the threads and why that is enough.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/data.h"
#include "client/tun.h"
#include "protocol/opcode.h"

// Longest plaintext of a message of our own (Ping, OCC).
#define VC_ENGINE_MESSAGE_MAX 640

struct vc_engine;

// Written by the data thread once per burst, read by anybody. Times in ms of the monotonic clock.
struct vc_engine_stats {
	atomic_ullong rx_ms; // last authentic packet
	atomic_ullong tx_ms; // last datagram that was sent
	atomic_ullong data_tx_ms; // last IP packet that was sent
	atomic_ullong payload_bytes; // of IP packets, both directions
	atomic_ullong tx_packets, rx_packets, bad, replayed; // data packets
	atomic_ullong dropped; // IP packets for want of a path, a key or a device
	atomic_ullong bursts, joined; // sends and writes of more than one packet
	// Newest key: its age, and how much it was used.
	atomic_ullong key_age, key_packets, key_bytes, key_next_id;
};

enum vc_note_kind {
	VC_NOTE_CONTROL, // a datagram of the control channel: bytes, len
	VC_NOTE_HEARD, // an authentic packet on a watched socket; answer: it is a Ping
	VC_NOTE_OCC, // an OCC message: bytes, len
	VC_NOTE_ERROR, // a socket's error
	VC_NOTE_DEVICE, // the device was taken away
};

struct vc_note {
	enum vc_note_kind kind;
	uint32_t sock; // which socket, or 0
	int error; // -errno
	bool answer;
	uint8_t *bytes;
	size_t len;
};

// Called for every note by vc_engine_notes.
typedef void vc_engine_note_fn(void *arg, const struct vc_note *note);
// Called by the data thread when there are notes: wakes the event loop.
typedef void vc_engine_wake_fn(void *arg);

// Start the thread. packet_max: bytes of the longest IP packet. wake must be callable from any
// thread. NULL and errno on failure.
struct vc_engine *vc_engine_create(size_t packet_max, vc_engine_wake_fn *wake, void *arg);

// Carry out what was ordered, end the thread, wipe keys, close sockets. NULL is allowed. Returns
// NULL.
struct vc_engine *vc_engine_free(struct vc_engine *e);

const struct vc_engine_stats *vc_engine_stats(const struct vc_engine *e);

// Give the notes that have come to a function.
void vc_engine_notes(struct vc_engine *e, vc_engine_note_fn *fn, void *arg);

// Wait until all orders so far are carried out: at most as long as a burst takes.
void vc_engine_settle(struct vc_engine *e);

// Keys: hand one over as the newest; the peer knows the newest alone; wipe all.
void vc_engine_key(struct vc_engine *e, struct vc_key *key, uint64_t retire_ms);
void vc_engine_renegotiate(struct vc_engine *e, uint64_t late_ms);
void vc_engine_wipe(struct vc_engine *e);

// Sockets, by numbers of the event loop's choice, not 0. The engine reads one from add to close,
// and closes its descriptor. 0 or -ENOMEM.
int vc_engine_sock_add(struct vc_engine *e, uint32_t sock, int fd);
void vc_engine_sock_close(struct vc_engine *e, uint32_t sock);
// Send data over this one; 0: there is none, packets are dropped.
void vc_engine_use(struct vc_engine *e, uint32_t sock);
// Note the next authentic packet on this one.
void vc_engine_watch(struct vc_engine *e, uint32_t sock);

// Seal a message with the key that sends and send it at once. sid: NULL, or the session id of
// OVPN_SID_LEN bytes that makes a Ping a reconfiguration Ping. Returns 0 or -EMSGSIZE.
int vc_engine_send(
	struct vc_engine *e, uint32_t sock, const uint8_t *plain, size_t len, const uint8_t *sid);

// The device, NULL before it is closed. Its packets are read between vc_engine_read true and false;
// what comes for it is written when deliver was set. mss: 0 or what TCP is held to.
void vc_engine_device(struct vc_engine *e, const struct vc_tun *tun);
void vc_engine_read(struct vc_engine *e, bool on);
void vc_engine_inner(struct vc_engine *e, bool deliver, unsigned mss);
