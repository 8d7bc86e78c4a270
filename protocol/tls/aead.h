// SPDX-License-Identifier: BSD-3-Clause
// Data packets of the AEAD ciphers in the classic format (P_DATA_V1 and V2) by OpenSSL: for the
// client and for tests. The dataplane has its own with IPsec-MB.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/data_packet.h"
#include "protocol/tls/keys.h"

// One direction of one key, ready to seal or to open; not for two threads at once.
struct ovpn_aead {
	struct evp_cipher_ctx_st *ctx; // key schedule done; NULL: not initialised
	uint8_t implicit_iv[OVPN_IMPLICIT_IV_LEN];
	bool seal;
};

// Expand the key. seal: true for sending.
// Returns 0, -ENOTSUP when the cipher is no AEAD cipher, -EIO when libcrypto fails.
int ovpn_aead_init(struct ovpn_aead *aead, const struct ovpn_data_keys *keys,
	enum ovpn_key_direction direction, bool seal);

// Free and wipe; harmless on an object of zeros.
void ovpn_aead_done(struct ovpn_aead *aead);

// Make a data packet: header, packet-id, tag, ciphertext.
//
// header:    the opcode byte (V1: header_len 1) or opcode byte and peer-id (V2: header_len 4).
// packet_id: host order; never 0, never twice under one key: the caller's promise.
// plain:     at least 1 byte; may be out + header_len + 20 (then it is encrypted in place), must
//            not overlap out otherwise.
// out:       room for header_len + 20 + len bytes.
//
// Returns 0, -EINVAL for a wrong header_len, an empty plain or id 0, -EIO.
// Source: protocol.md 9.4.
int ovpn_aead_seal(struct ovpn_aead *aead, const uint8_t *header, size_t header_len,
	uint32_t packet_id, const uint8_t *plain, size_t len, uint8_t *out, size_t *ret_len);

// Open a data packet of opcode 6 (V1) or 9 (V2). No replay check: that comes after it.
//
// dgram: the whole UDP payload.
// plain: room for len bytes; may be dgram + (len - length of the payload), that is in place.
//
// Returns 0, -EINVAL when the packet is too short or no data packet, -EBADMSG when the tag is
// wrong (plain's content is undefined then). Source: protocol.md 9.4.
int ovpn_aead_open(struct ovpn_aead *aead, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint32_t *ret_packet_id);
