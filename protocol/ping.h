// SPDX-License-Identifier: BSD-3-Clause
// What a decrypted data packet carries: an IP packet, a keep-alive Ping, or an OCC message.
// Source: protocol.md 10.1, 10.2.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/bytes.h"

#define OVPN_PING_LEN 16u
#define OVPN_OCC_MAGIC_LEN 16u

// The two patterns as numbers, in the order of the wire when written big-endian.
#define OVPN_PING_HI 0x2a187bf3641eb4cbull
#define OVPN_PING_LO 0x07ed2d0a981fc748ull
#define OVPN_OCC_HI 0x287f346bd4ef7a81ull
#define OVPN_OCC_LO 0x2d56b8d3afc5459cull

enum ovpn_payload_kind {
	OVPN_PAYLOAD_OTHER, // nothing that we know, or too short: drop
	OVPN_PAYLOAD_IP4, // at least 20 bytes, version 4
	OVPN_PAYLOAD_IP6, // at least 40 bytes, version 6
	OVPN_PAYLOAD_PING, // exactly the Ping
	OVPN_PAYLOAD_OCC, // OCC magic and at least an opcode; parse with ovpn_occ_parse
};

// Write the sixteen bytes of a Ping.
static inline void ovpn_ping_put(uint8_t buf[OVPN_PING_LEN])
{
	ovpn_put_be64(buf, OVPN_PING_HI);
	ovpn_put_be64(buf + 8, OVPN_PING_LO);
}

// True when the plaintext is exactly a Ping.
static inline bool ovpn_is_ping(const uint8_t *p, size_t len)
{
	return len == OVPN_PING_LEN && ovpn_get_be64(p) == OVPN_PING_HI &&
		ovpn_get_be64(p + 8) == OVPN_PING_LO;
}

// Tell what a plaintext without framing is. Only the version and the shortest length of IP are
// checked, not its header.
static inline enum ovpn_payload_kind ovpn_payload_classify(const uint8_t *p, size_t len)
{
	if (len < OVPN_PING_LEN)
		return OVPN_PAYLOAD_OTHER;
	if (p[0] >> 4 == 4)
		return len >= 20 ? OVPN_PAYLOAD_IP4 : OVPN_PAYLOAD_OTHER;
	if (p[0] >> 4 == 6)
		return len >= 40 ? OVPN_PAYLOAD_IP6 : OVPN_PAYLOAD_OTHER;
	if (ovpn_is_ping(p, len))
		return OVPN_PAYLOAD_PING;
	if (len > OVPN_OCC_MAGIC_LEN && ovpn_get_be64(p) == OVPN_OCC_HI &&
		ovpn_get_be64(p + 8) == OVPN_OCC_LO)
		return OVPN_PAYLOAD_OCC;
	return OVPN_PAYLOAD_OTHER;
}

enum ovpn_occ_op {
	OVPN_OCC_REQUEST = 0, // answer with REPLY
	OVPN_OCC_REPLY = 1, // options string and NUL
	OVPN_OCC_MTU_LOAD_REQUEST = 2, // answer with MTU_LOAD of that size
	OVPN_OCC_MTU_LOAD = 3, // filler, ignored
	OVPN_OCC_MTU_REQUEST = 4, // answer with MTU_REPLY
	OVPN_OCC_MTU_REPLY = 5, // largest UDP payload received and sent
	OVPN_OCC_EXIT = 6, // the peer leaves
};

#define OVPN_OCC_HEAD_LEN 17u // magic and opcode
#define OVPN_OCC_OPTIONS_MAX 512u

// One OCC message. Which fields mean something depends on op.
struct ovpn_occ {
	uint8_t op; // enum ovpn_occ_op
	struct ovpn_span options; // REPLY: text without its NUL, borrowed
	uint16_t load_size; // MTU_LOAD_REQUEST: UDP payload in bytes; MTU_LOAD: filler bytes
	uint16_t recv_max; // MTU_REPLY: largest UDP payload received
	uint16_t sent_max; // MTU_REPLY: largest UDP payload sent
};

// Parse a plaintext of kind OVPN_PAYLOAD_OCC. Bytes after a message are ignored, as peers do.
// Returns 0, -EBADMSG when bytes are missing or the options aren't printable text, -EPROTO when
// the magic differs or the opcode is unknown. *ret_occ is written on success only.
int ovpn_occ_parse(const uint8_t *p, size_t len, struct ovpn_occ *ret_occ);

// Write an OCC message to buf of size bytes. For MTU_LOAD load_size bytes of filler are written,
// all zero: only the length of the datagram matters.
// Returns 0 and the length, -ENOBUFS when it doesn't fit, -EINVAL for an unknown opcode or an
// options string that is too long.
int ovpn_occ_build(const struct ovpn_occ *occ, uint8_t *buf, size_t size, size_t *ret_len);
