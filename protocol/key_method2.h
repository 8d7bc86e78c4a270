// SPDX-License-Identifier: BSD-3-Clause
// Key method 2: the first application data in each direction of every negotiation.
//
//   zero[4]  0x02  pre-master[48] (client only)  random1[32]  random2[32]
//   options  username  password  peer-info       each: u16 length, bytes with NUL; absent: 0
//
// Source: protocol.md 5.1.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/bytes.h"

#define OVPN_KM2_PRE_MASTER_LEN 48u
#define OVPN_KM2_RANDOM_LEN 32u
#define OVPN_KM2_MAX 2048u // bytes of a whole message
#define OVPN_KM2_OPTIONS_MAX 511u // characters
#define OVPN_KM2_CREDENTIAL_MAX 127u // characters of user name and password in stock peers
#define OVPN_KM2_TOKEN_MAX 1023u // what we take: auth-tokens and one-time passwords may be long

// One message. Everything is borrowed from the buffer that was parsed, or from the caller who
// builds. Strings are without NUL; data NULL: the field is absent (length 0 on the wire).
struct ovpn_km2 {
	const uint8_t *pre_master; // 48 bytes; NULL in the server's message
	const uint8_t *random1; // 32 bytes
	const uint8_t *random2; // 32 bytes
	struct ovpn_span options;
	struct ovpn_span username;
	struct ovpn_span password;
	struct ovpn_span peer_info;
	bool too_long; // a credential was longer than we take: authentication must fail
};

// Parse the message of a client or a server.
//
// Fields that are missing at the end are absent, bytes after the peer-info are ignored; a string
// ends at its first NUL. The buffer holds secrets: the caller wipes it.
//
// Returns 0, -EBADMSG when bytes are missing, -EPROTO when it isn't key method 2, -EMSGSIZE when
// the message or its options string is too long. *ret_km2 is written on success only.
int ovpn_km2_parse(const uint8_t *buf, size_t len, bool from_client, struct ovpn_km2 *ret_km2);

// Write the message to buf of size bytes; from_client decides whether the pre-master is written.
//
// Returns 0 and the length, -EINVAL when a random part is NULL or a string holds a NUL, -EMSGSIZE
// when a string or the message is longer than receivers take, -ENOBUFS when it doesn't fit.
int ovpn_km2_build(
	const struct ovpn_km2 *m, bool from_client, uint8_t *buf, size_t size, size_t *ret_len);
