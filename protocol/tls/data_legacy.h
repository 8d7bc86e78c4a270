// SPDX-License-Identifier: BSD-3-Clause
// Data packets of every format that isn't AEAD, by OpenSSL: CBC, CFB, OFB and no cipher, each with
// an HMAC or (where a peer insists) without one; P_DATA_V1 and V2, and static-key mode. For the
// client and for tests; the dataplane has its own with IPsec-MB.
//
//   CBC      header  HMAC  IV            ciphertext of (packet-id, payload, padding)
//   CFB/OFB  header  HMAC  IV = (packet-id, time, 0...)   ciphertext of (payload)
//   none     header  HMAC  packet-id                      payload
//
// header: 1 byte (P_DATA_V1), 4 bytes (P_DATA_V2), none in static-key mode; no HMAC covers it. The
// HMAC covers everything behind itself. Packet-ids have 32 bits; static-key mode, CFB and OFB have
// long ones, 32 bits and the time of the sender's first packet. Here both are one number of 64 bits
// (ovpn_long_id), the time above. Framing (protocol/framing.h) is the caller's: it is part of the
// payload. How to use it:
//
//   1. ovpn_legacy_check() when the configuration is read: may this combination be used at all?
//   2. Keys: ovpn_data_keys_cut() in TLS mode, ovpn_static_keys_cut() for a static key.
//   3. One ovpn_legacy_init() for each direction of each key.
//   4. ovpn_legacy_seal() with ids from 1 up (long: ovpn_long_id(wall clock at the first packet,
//      1) and up); ovpn_legacy_open(), then ovpn_replay_accept() or ovpn_replay_accept_long() as
//      ovpn_legacy_long_ids() says, then ovpn_fragment_parse() and ovpn_compress_strip().
//   5. Lazy mode: ovpn_legacy_set_sid() on the client's sealing half.
//
// Lengths and MSS: protocol/data_size.h. Source: protocol.md 9.2, 9.3, 13.7.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/opcode.h"
#include "protocol/replay.h"
#include "protocol/tls/keys.h"

#define OVPN_LEGACY_HASH_BLOCK_MAX 128u
#define OVPN_LEGACY_RANDOM 512u // bytes of IVs drawn at once
// Most bytes that a packet is longer than its payload: header 4, HMAC 64, IV 16, id 8, padding 16.
#define OVPN_LEGACY_OVERHEAD_MAX 108u

// What a session's packets look like.
struct ovpn_legacy_format {
	uint8_t cipher; // enum ovpn_cipher, none of the AEAD ones
	uint8_t digest; // enum ovpn_digest
	bool static_key; // no opcode, long packet-ids
};

// One direction of one key, ready to seal or to open: nothing is set up or allocated per packet.
// Not for two threads at once.
struct ovpn_legacy {
	struct evp_cipher_ctx_st *cipher_ctx; // NULL with cipher none
	struct evp_md_ctx_st *md_ctx; // NULL with digest none
	uint8_t mode; // enum ovpn_cipher_mode
	uint8_t iv_len;
	uint8_t block_len;
	uint8_t digest_len;
	uint8_t hash_block; // bytes of ipad and opad
	uint8_t id_len; // bytes of the packet-id in plaintext or, with cipher none, in clear
	bool static_key;
	bool seal;
	bool lazy;
	uint8_t sid[OVPN_SID_LEN]; // lazy mode
	uint16_t random_left;
	uint8_t random[OVPN_LEGACY_RANDOM]; // IVs of CBC, drawn ahead
	uint8_t ipad[OVPN_LEGACY_HASH_BLOCK_MAX];
	uint8_t opad[OVPN_LEGACY_HASH_BLOCK_MAX];
};

// A packet that was opened.
struct ovpn_legacy_packet {
	uint8_t *plain; // payload with its framing, inside the datagram
	size_t len;
	uint64_t id; // packet-id, or long id
};

// May this combination be used here? Returns NULL, or why not as a clause for people ("BF-CBC needs
// the legacy provider of OpenSSL, which this machine lacks"). Loads providers: at start, not in a
// packet path; not before a chroot or sandbox is entered would be too late. Any thread.
const char *ovpn_legacy_check(const struct ovpn_legacy_format *format);

// Packet-ids are long ones: window by ovpn_replay_accept_long.
bool ovpn_legacy_long_ids(const struct ovpn_legacy_format *format);

// Expand a key. seal: true for sending.
//
// Returns 0, -ENOTSUP when ovpn_legacy_check refuses the format, -EKEYREJECTED when the key of the
// cipher is all zero, -EIO when libcrypto fails.
int ovpn_legacy_init(struct ovpn_legacy *l, const struct ovpn_legacy_format *format,
	const struct ovpn_direction_key *key, bool seal);

// Free and wipe; harmless on an object of zeros.
void ovpn_legacy_done(struct ovpn_legacy *l);

// Lazy mode: put the server's session id into the IV of every packet sealed from now on: all of it
// with 64-bit blocks in CBC, its second half with 128-bit blocks in CBC, CFB and OFB. NULL ends it.
//
// Returns 0, -ENOTSUP for a format that has no room or loses too much by it: none, 64-bit blocks in
// CFB and OFB, and auth none.
// Source: protocol.md 13.7.
int ovpn_legacy_set_sid(struct ovpn_legacy *l, const uint8_t *sid);

// Where the payload lies in a packet with such a header; a caller that prepares it there spares a
// copy.
size_t ovpn_legacy_plain_off(const struct ovpn_legacy *l, size_t header_len);

// Bytes of the packet of a payload of len bytes.
size_t ovpn_legacy_sealed_len(const struct ovpn_legacy *l, size_t header_len, size_t len);

// Make a data packet.
//
// header: opcode byte (header_len 1) or opcode byte and peer-id (4); NULL and 0 in static-key mode.
// id:     host order; never 0 in its low half, never twice under one key: the caller's promise.
// iv:     CBC: IV to use instead of a random one, for tests; NULL otherwise.
// plain:  at least 1 byte; may lie anywhere, also in out.
// out:    room for ovpn_legacy_sealed_len() bytes.
//
// Returns 0, -EINVAL for a wrong header_len, an empty plain or id 0, -EIO.
int ovpn_legacy_seal(struct ovpn_legacy *l, const uint8_t *header, size_t header_len, uint64_t id,
	const uint8_t *iv, const uint8_t *plain, size_t len, uint8_t *out, size_t *ret_len);

// Open a data packet in place. The HMAC is compared in constant time before anything is decrypted;
// a packet that fails it is left as it was.
//
// dgram: the whole UDP payload.
//
// Returns 0; -EINVAL when it is too short, no data packet, or its length isn't one of the cipher;
// -EBADMSG when the HMAC is wrong; -EILSEQ when the padding is; -EIO.
int ovpn_legacy_open(
	struct ovpn_legacy *l, uint8_t *dgram, size_t len, struct ovpn_legacy_packet *ret_packet);

// The two directions of a static key: direction 0 sends with the first half of the file and
// receives with the second, direction 1 the other way round, -1 (none) uses the first for both.
// Returns 0, -EINVAL for another direction. Source: protocol.md 9.3, 3.1.
int ovpn_static_keys_cut(const struct ovpn_static_key *key, int direction,
	struct ovpn_direction_key *ret_send, struct ovpn_direction_key *ret_receive);
