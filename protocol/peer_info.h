// SPDX-License-Identifier: BSD-3-Clause
// Peer information: lines "NAME=value", by which the client tells what it can do.
// Source: protocol.md 7.1, 7.2.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/text.h"

// Bits of IV_PROTO.
enum ovpn_iv_proto {
	OVPN_IV_PROTO_DATA_V2 = 1u << 1, // P_DATA_V2 and peer-id; must go with any other
	OVPN_IV_PROTO_REQUEST_PUSH = 1u << 2, // PUSH_REPLY without being asked
	OVPN_IV_PROTO_TLS_EKM = 1u << 3, // data keys from the TLS exporter
	OVPN_IV_PROTO_AUTH_PENDING_KW = 1u << 4,
	OVPN_IV_PROTO_NCP_P2P = 1u << 5,
	OVPN_IV_PROTO_DNS = 1u << 6,
	OVPN_IV_PROTO_CC_EXIT = 1u << 7, // EXIT message; understands protocol-flags
	OVPN_IV_PROTO_AUTH_FAIL_TEMP = 1u << 8,
	OVPN_IV_PROTO_DYN_TLS_CRYPT = 1u << 9,
	OVPN_IV_PROTO_EPOCH = 1u << 10, // epoch data format
	OVPN_IV_PROTO_DNS_V2 = 1u << 11,
	OVPN_IV_PROTO_PUSH_UPDATE = 1u << 12,
};

#define OVPN_PEER_INFO_LINE_MAX 255u // characters of a line; longer ones are skipped

// One variable, borrowed from the text, not NUL-terminated.
struct ovpn_peer_var {
	const char *name;
	size_t name_len;
	const char *value; // may be empty, never NULL
	size_t value_len;
};

// Next well-formed variable of info[0..len) from *pos on, and *pos behind it.
//
// A line counts when it is at most OVPN_PEER_INFO_LINE_MAX long, its name starts with IV_ or UV_
// and has only letters, digits and '_', and its value is printable ASCII; all others are skipped.
// The text ends at its first NUL. Returns false at the end.
bool ovpn_peer_info_next(const char *info, size_t len, size_t *pos, struct ovpn_peer_var *ret_var);

// Find a variable by its exact name; the first one counts. Returns false when absent.
bool ovpn_peer_info_find(
	const char *info, size_t len, const char *name, struct ovpn_peer_var *ret_var);

// What a server wants to know, in one pass. Absent numbers are 0.
struct ovpn_peer_caps {
	uint32_t iv_proto; // enum ovpn_iv_proto
	uint32_t ncp; // IV_NCP
	uint32_t mtu; // IV_MTU, bytes
	uint32_t mobility; // IV_MOBILITY version
	bool comp_stub_v2; // IV_COMP_STUBv2=1
	bool comp_stub; // IV_COMP_STUB=1
	bool lzo_stub; // IV_LZO_STUB=1
	bool lzo; // IV_LZO=1
	const char *ciphers; // IV_CIPHERS, borrowed; NULL when absent
	size_t ciphers_len;
};

// Read the capabilities; malformed numbers count as absent.
void ovpn_peer_info_caps(const char *info, size_t len, struct ovpn_peer_caps *ret_caps);

// Append one line. A name or value that a receiver would skip sets t->full, so that the mistake
// shows at the end of the chain.
void ovpn_peer_info_add(struct ovpn_text *t, const char *name, const char *value);
void ovpn_peer_info_add_u64(struct ovpn_text *t, const char *name, uint64_t value);
