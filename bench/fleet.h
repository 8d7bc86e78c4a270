// SPDX-License-Identifier: BSD-3-Clause
// Many clients with known keys: what control would say of them, and the packets they send.
// Everything about a client follows from its slot, so a million of them take little memory; only
// the next packet-id and where it is now are remembered.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/crypto/crypto.h"
#include "protocol/bytes.h"
#include "protocol/data_packet.h"
#include "shm/message.h"

#define PG_KEYS 1024u // distinct keys; client i has key i % PG_KEYS
#define PG_OUTER_HEAD 42u // Ethernet, IPv4, UDP
#define PG_UP_HEAD (PG_OUTER_HEAD + OVPN_DATA_V2_OVERHEAD)
#define PG_INNER_MIN 48u // IPv4, UDP and a stamp
#define PG_PORT 1194u
// Of the inner packet: where its stamp lies behind IPv4 and UDP.
#define PG_STAMP_OFF 28u

// What every inner packet carries, so that whoever gets it knows whose it is and how old.
struct pg_stamp {
	uint32_t slot;
	uint32_t seq; // per session and direction, from 1
	uint64_t tsc; // when it was sent
};

struct pg_client {
	uint32_t next_id; // packet-id of the next packet
	uint32_t up_seq; // stamps
	uint32_t down_seq;
	uint32_t up_seen; // newest stamp that came out of the inner port
	uint32_t down_seen; // newest packet-id that came out of the outer port
	uint16_t moves; // changes of address: decides the present one
	uint16_t generation;
	uint32_t restarts; // of the dataplane when its last packet came
};

struct pg_fleet {
	uint32_t n;
	uint32_t flows; // UDP ports that a client's inner packets come from in turn, 1 at least
	enum ovpn_cipher cipher;
	struct dp_crypto *crypto; // of the generating thread
	uint8_t (*up)[DP_CRYPTO_CELL]; // expanded keys, client to server
	uint8_t (*down)[DP_CRYPTO_CELL];
	struct pg_client *client;
	uint8_t server_mac[6]; // of the outer port
	uint8_t client_mac[6]; // of the router in front of all clients
	uint8_t inner_mac[6]; // of the inner port, destination of downlink frames
};

// Make n clients. Returns 0, -ENOMEM, or what dp_crypto_create() says.
int pg_fleet_create(struct pg_fleet *f, uint32_t n, enum ovpn_cipher cipher);
void pg_fleet_done(struct pg_fleet *f);

// Control's greeting: our UDP address, the subnet of tunnel addresses, mobility on or off.
void pg_fleet_hello(bool mobility, struct shm_hello *ret_hello);

// Control's commands for one client: the session and its first key.
void pg_fleet_install(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *ret_cmd);
void pg_fleet_key(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *ret_cmd);
void pg_fleet_remove(const struct pg_fleet *f, uint32_t slot, struct shm_cmd *ret_cmd);

// The client's present UDP address, network byte order.
uint32_t pg_client_addr(const struct pg_fleet *f, uint32_t slot);

// Write the frame of a data packet from the client with an inner UDP packet of inner_len bytes
// (PG_INNER_MIN at least), not yet encrypted: op says what dp_crypto_seal() has to do. Draws a
// packet-id. frame has room for PG_UP_HEAD + inner_len bytes, which is what is returned.
uint32_t pg_frame_up(struct pg_fleet *f, uint32_t slot, uint16_t inner_len, uint64_t tsc,
	uint8_t *frame, struct dp_crypto_op *op);

// The same with a Ping inside, and with the session id at the end for a reconfiguration Ping;
// the session id is written after encryption by pg_frame_reconf_end(), which returns the frame's
// length.
uint32_t pg_frame_ping(struct pg_fleet *f, uint32_t slot, uint8_t *frame, struct dp_crypto_op *op);
uint32_t pg_frame_reconf_end(uint32_t slot, uint8_t *frame, uint32_t len);

// The frame of a plaintext packet from a host to the client's tunnel address. Returns its length.
uint32_t pg_frame_down(
	struct pg_fleet *f, uint32_t slot, uint16_t inner_len, uint64_t tsc, uint8_t *frame);

enum pg_hostile {
	PG_HOSTILE_GARBAGE, // to our port, no opcode that is in use
	PG_HOSTILE_RECONF, // reconfiguration Ping with the right session id and a wrong tag
	PG_HOSTILE_DATA, // P_DATA_V2 with the right peer-id from elsewhere, wrong tag
	PG_HOSTILE_KINDS
};

// A frame that nobody with the client's keys sent; random chooses where it comes from. Room as for
// pg_frame_up(). Returns its length.
uint32_t pg_frame_hostile(struct pg_fleet *f, enum pg_hostile kind, uint32_t slot,
	uint16_t inner_len, uint64_t random, uint8_t *frame);

// What a frame from the outer port is.
struct pg_outer {
	uint32_t slot;
	uint32_t packet_id;
	uint16_t plain_len;
	bool current; // it went to the client's present address
	bool opened; // decrypted in place by pg_outer_open()
	uint8_t *plain;
};

// Read the headers of a frame that the server sent. Returns 0, -ENOENT when it is no data packet
// for one of the clients. Nothing is decrypted.
int pg_outer_read(
	const struct pg_fleet *f, uint8_t *frame, uint32_t len, struct pg_outer *ret_outer);

// Decrypt it in place. Returns 0 or -EBADMSG.
int pg_outer_open(struct pg_fleet *f, uint8_t *frame, struct pg_outer *outer);

// Whose a frame may be, unchecked, of at least PG_UP_HEAD bytes: the peer-id of a frame from the
// outer port, or what a stamp says. For prefetching alone.
static inline uint32_t pg_slot_in_head(const uint8_t *frame)
{
	return ovpn_get_be24(frame + PG_OUTER_HEAD + 1);
}

static inline uint32_t pg_slot_in_stamp(const uint8_t *inner)
{
	uint32_t slot;

	memcpy(&slot, inner + PG_STAMP_OFF + 4, sizeof(slot));
	return slot;
}

// Stamp of a plaintext inner packet of len bytes. Returns 0 or -EBADMSG when it isn't ours.
int pg_stamp_read(const uint8_t *inner, uint32_t len, struct pg_stamp *ret_stamp);

// Session ids of a client.
void pg_client_sids(uint32_t slot, uint8_t server[SHM_SID_LEN], uint8_t client[SHM_SID_LEN]);
