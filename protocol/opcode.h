// SPDX-License-Identifier: BSD-3-Clause
// The first byte of every datagram in TLS mode and the header of P_DATA_V2.
//
//    7   6   5   4   3 | 2   1   0        P_DATA_V2 adds
//  +-------------------+-----------+    +--------+--------+--------+
//  |      opcode       |  key id   |    |  peer-id, 24 bit, BE     |
//  +-------------------+-----------+    +--------+--------+--------+
//
// Source: protocol.md chapter 1. Everything is inline: the dataplane reads it for each packet.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "protocol/bytes.h"

enum ovpn_opcode {
	OVPN_P_CONTROL_HARD_RESET_CLIENT_V1 = 1, // key method 1, refused
	OVPN_P_CONTROL_HARD_RESET_SERVER_V1 = 2, // key method 1, refused
	OVPN_P_CONTROL_SOFT_RESET_V1 = 3,
	OVPN_P_CONTROL_V1 = 4,
	OVPN_P_ACK_V1 = 5,
	OVPN_P_DATA_V1 = 6,
	OVPN_P_CONTROL_HARD_RESET_CLIENT_V2 = 7,
	OVPN_P_CONTROL_HARD_RESET_SERVER_V2 = 8,
	OVPN_P_DATA_V2 = 9,
	OVPN_P_CONTROL_HARD_RESET_CLIENT_V3 = 10, // tls-crypt-v2, wrapped client key at the end
	OVPN_P_CONTROL_WKC_V1 = 11, // P_CONTROL_V1 with the wrapped client key
};

#define OVPN_OPCODE_MIN 3u // lowest and highest opcode that are looked at
#define OVPN_OPCODE_MAX 11u

#define OVPN_KEY_ID_MAX 7u
#define OVPN_PEER_ID_NONE 0xFFFFFFu // "not assigned": find the session by its address
#define OVPN_SID_LEN 8u // bytes of a session id; kept in wire order everywhere
#define OVPN_HDR_V1_LEN 1u // opcode byte alone
#define OVPN_HDR_V2_LEN 4u // opcode byte and peer-id

// A parsed header. peer_id is OVPN_PEER_ID_NONE for everything but P_DATA_V2.
struct ovpn_hdr {
	uint8_t opcode; // enum ovpn_opcode, OVPN_OPCODE_MIN to OVPN_OPCODE_MAX
	uint8_t key_id; // 0 to 7
	uint8_t len; // bytes of header: 4 for P_DATA_V2, else 1
	uint32_t peer_id; // host byte order
};

// Opcode and key id of a first byte, and the byte of an opcode and a key id.
static inline uint8_t ovpn_opcode_of(uint8_t first)
{
	return first >> 3;
}

static inline uint8_t ovpn_key_id_of(uint8_t first)
{
	return first & 7u;
}

static inline uint8_t ovpn_first_byte(uint8_t opcode, uint8_t key_id)
{
	return (uint8_t)(opcode << 3 | (key_id & 7u));
}

// Key id of the negotiation after that of key_id: 0, 1 ... 7, 1 ...; 0 never returns.
static inline uint8_t ovpn_key_id_next(uint8_t key_id)
{
	return key_id >= OVPN_KEY_ID_MAX ? 1 : (uint8_t)(key_id + 1);
}

static inline bool ovpn_opcode_is_data(uint8_t opcode)
{
	return opcode == OVPN_P_DATA_V1 || opcode == OVPN_P_DATA_V2;
}

// True for the opcodes of the control channel that are in use (3, 4, 5, 7, 8, 10, 11).
static inline bool ovpn_opcode_is_control(uint8_t opcode)
{
	return opcode >= OVPN_OPCODE_MIN && opcode <= OVPN_OPCODE_MAX &&
		!ovpn_opcode_is_data(opcode);
}

// True for the packets that open a session, of either side.
static inline bool ovpn_opcode_is_hard_reset(uint8_t opcode)
{
	return opcode == OVPN_P_CONTROL_HARD_RESET_CLIENT_V2 ||
		opcode == OVPN_P_CONTROL_HARD_RESET_SERVER_V2 ||
		opcode == OVPN_P_CONTROL_HARD_RESET_CLIENT_V3;
}

// True when a wrapped client key follows the packet (tls-crypt-v2).
static inline bool ovpn_opcode_has_wkc(uint8_t opcode)
{
	return opcode == OVPN_P_CONTROL_HARD_RESET_CLIENT_V3 || opcode == OVPN_P_CONTROL_WKC_V1;
}

// Parse the header of a datagram of len bytes.
//
// Returns 0, -EBADMSG when bytes are missing, -EPROTO when the opcode is outside 3 to 11 (unknown,
// or key method 1). *ret_hdr is written on success only.
static inline int ovpn_hdr_parse(const uint8_t *buf, size_t len, struct ovpn_hdr *ret_hdr)
{
	uint8_t opcode;

	if (len < OVPN_HDR_V1_LEN)
		return -EBADMSG;
	opcode = ovpn_opcode_of(buf[0]);
	if (opcode < OVPN_OPCODE_MIN || opcode > OVPN_OPCODE_MAX)
		return -EPROTO;
	if (opcode == OVPN_P_DATA_V2 && len < OVPN_HDR_V2_LEN)
		return -EBADMSG;
	ret_hdr->opcode = opcode;
	ret_hdr->key_id = ovpn_key_id_of(buf[0]);
	if (opcode == OVPN_P_DATA_V2) {
		ret_hdr->len = OVPN_HDR_V2_LEN;
		ret_hdr->peer_id = ovpn_get_be24(buf + 1);
	} else {
		ret_hdr->len = OVPN_HDR_V1_LEN;
		ret_hdr->peer_id = OVPN_PEER_ID_NONE;
	}
	return 0;
}

// Write the header of hdr->opcode to buf, which has room for OVPN_HDR_V2_LEN bytes. hdr->len is
// not read. Returns the number of bytes written, 1 or 4.
static inline size_t ovpn_hdr_put(uint8_t *buf, const struct ovpn_hdr *hdr)
{
	buf[0] = ovpn_first_byte(hdr->opcode, hdr->key_id);
	if (hdr->opcode != OVPN_P_DATA_V2)
		return OVPN_HDR_V1_LEN;
	ovpn_put_be24(buf + 1, hdr->peer_id);
	return OVPN_HDR_V2_LEN;
}

// A session id is eight bytes in wire order; all zero means none and is never legal on the wire.
static inline bool ovpn_sid_is_zero(const uint8_t sid[OVPN_SID_LEN])
{
	return ovpn_get_be64(sid) == 0;
}

// Compares two session ids; not constant in time, as session ids are no secrets. A cookie is
// compared in protocol/tls.
static inline bool ovpn_sid_equal(const uint8_t a[OVPN_SID_LEN], const uint8_t b[OVPN_SID_LEN])
{
	return memcmp(a, b, OVPN_SID_LEN) == 0;
}

// Name for logs ("P_DATA_V2"); "P_UNKNOWN" for values that aren't an opcode.
const char *ovpn_opcode_name(uint8_t opcode);
