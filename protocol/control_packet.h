// SPDX-License-Identifier: BSD-3-Clause
// Control-channel packets without their wrapping:
//
//   0    opcode/key-id                   1
//   1    session id of the sender        8
//   9    n, number of acknowledgements   1  -+
//  10    n acknowledged message ids      4n  |
//        session id of the receiver      8   | only if n > 0      the "body": what tls-crypt
//        message id                      4   | not in P_ACK_V1    encrypts
//        payload                             | not in P_ACK_V1
//                                           -+
// The wrapping (protocol/tls/wrap) keeps the first nine bytes and replaces or moves the rest; it
// hands over and takes the body. Source: protocol.md 2.1, 2.5, 4.3.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/opcode.h"

#define OVPN_CONTROL_PREFIX_LEN 9u // opcode byte and the sender's session id
#define OVPN_CONTROL_MAX_ACKS 8u // more make peers drop the whole packet
#define OVPN_CONTROL_PIGGYBACK 4u // acknowledgements on packets that aren't P_ACK_V1
// Longest body in front of the payload: count, acknowledgements, session id, message id.
#define OVPN_CONTROL_BODY_MAX (1u + 4u * OVPN_CONTROL_MAX_ACKS + OVPN_SID_LEN + 4u)
#define OVPN_CONTROL_MTU_MIN 154u // limits of max-packet-size, IP and UDP headers included
#define OVPN_CONTROL_MTU_MAX 2048u
#define OVPN_CONTROL_MTU_DEFAULT 1250u

// Bytes that a wrapping adds, as ovpn_control_payload_max counts them.
#define OVPN_WRAP_OVERHEAD_NONE 0u
#define OVPN_WRAP_OVERHEAD_TLS_AUTH(digest_len) (8u + (digest_len))
#define OVPN_WRAP_OVERHEAD_TLS_CRYPT 56u // 40 on the wire; peers count one more AES block

// One control packet. Message ids in host byte order.
struct ovpn_control {
	uint8_t opcode; // control opcode, ovpn_opcode_is_control()
	uint8_t key_id; // 0 to 7
	uint8_t ack_count; // 0 to OVPN_CONTROL_MAX_ACKS
	uint8_t sid[OVPN_SID_LEN]; // of the sender, never zero
	uint8_t acked_sid[OVPN_SID_LEN]; // of the receiver; only if ack_count > 0
	uint32_t acks[OVPN_CONTROL_MAX_ACKS]; // in any order, repetitions are legal
	uint32_t message_id; // 0 in P_ACK_V1, which has none
	const uint8_t *payload; // borrowed; NULL if payload_len is 0
	size_t payload_len; // bytes; 0 in P_ACK_V1
};

// True when the opcode carries a message id (every control packet but P_ACK_V1).
static inline bool ovpn_control_has_message_id(uint8_t opcode)
{
	return opcode != OVPN_P_ACK_V1;
}

// Parse a packet whose wrapping has been removed.
//
// first: opcode byte; sid: the sender's session id; body, len: from the count on. The payload
// points into body. Bytes after the acknowledgements of a P_ACK_V1 are ignored, as peers do.
// The caller compares acked_sid with its own session id, and sid with the peer's.
//
// Returns 0, -EPROTO for an opcode that is no control packet, -EINVAL when a session id is all
// zero, -E2BIG for more than 8 acknowledgements, -EBADMSG when bytes are missing. *ret_control is
// written on success only.
int ovpn_control_parse_body(uint8_t first, const uint8_t sid[OVPN_SID_LEN], const uint8_t *body,
	size_t len, struct ovpn_control *ret_control);

// Parse an unwrapped datagram: prefix and body. Errors as above.
int ovpn_control_parse(const uint8_t *buf, size_t len, struct ovpn_control *ret_control);

// Write the body of c to buf of size bytes, which the payload doesn't overlap. Returns 0 and the
// length, -EPROTO, -EINVAL or -E2BIG as in parsing, -ENOBUFS when it doesn't fit.
int ovpn_control_build_body(
	const struct ovpn_control *c, uint8_t *buf, size_t size, size_t *ret_len);

// Write the whole packet without wrapping: prefix and body. Errors as above.
int ovpn_control_build(const struct ovpn_control *c, uint8_t *buf, size_t size, size_t *ret_len);

// Write the nine bytes in front of the body.
void ovpn_control_put_prefix(uint8_t buf[OVPN_CONTROL_PREFIX_LEN], const struct ovpn_control *c);

// Largest payload of one control packet.
//
// max_packet: max-packet-size in bytes with IP and UDP headers, clamped to its limits; ipv6: of
// the outer path; acks: acknowledgements that the packet may carry, at most 4 count;
// wrap_overhead: OVPN_WRAP_OVERHEAD_*, plus the length of a wrapped client key where one is
// appended.
//
// As retransmissions may carry more acknowledgements than the first transmission, callers that
// cut the TLS stream pass OVPN_CONTROL_PIGGYBACK. Returns 0 when nothing fits.
size_t ovpn_control_payload_max(size_t max_packet, bool ipv6, unsigned acks, size_t wrap_overhead);

// --- Early negotiation of tls-crypt-v2 (protocol.md 4.3) ---

#define OVPN_EARLY_REPLAY_ID 0x0F000001u // first replay packet-id of a client that supports it
#define OVPN_RESET_TLV_FLAGS 1u // type: flags, two bytes
#define OVPN_RESET_FLAG_RESEND_WKC 1u // the client's next packet must be P_CONTROL_WKC_V1
#define OVPN_RESET_TLV_LEN 6u // bytes that ovpn_reset_tlv_put() writes

// True when the first replay packet-id of a hard reset announces early negotiation.
static inline bool ovpn_early_negotiation(uint32_t replay_id)
{
	return (replay_id & 0x0F000000u) == 0x0F000000u;
}

// Write the reset payload with the given flags (type, length, value: six bytes).
void ovpn_reset_tlv_put(uint8_t buf[OVPN_RESET_TLV_LEN], uint16_t flags);

// Read the flags from the payload of a server's hard reset. Unknown types are skipped; an empty
// payload is no flags. Returns 0, or -EBADMSG when the list is malformed.
int ovpn_reset_tlv_parse(const uint8_t *payload, size_t len, uint16_t *ret_flags);
