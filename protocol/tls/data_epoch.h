// SPDX-License-Identifier: BSD-3-Clause
// The epoch data format of OpenVPN 2.7 by OpenSSL, for the client and for tests: AEAD ciphers,
// P_DATA_V2 only, keys that follow each other without a negotiation. Agreed on by both peers
// ("protocol-flags ... aead-epoch" with keys from the TLS exporter).
//
//   opcode[1] peer-id[3]  epoch[2] counter[6]  ciphertext  tag[16]
//
// Each direction of a key id starts with a secret E_1, the first 32 bytes of the cipher part of its
// 64 bytes (struct ovpn_direction_key.cipher_key); every epoch has a key and an IV of its own, and
// a counter that starts at 1. Source: protocol.md 9.5, 9.7.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/data_packet.h"
#include "protocol/replay.h"

#define OVPN_EPOCH_SECRET_LEN 32u
#define OVPN_EPOCH_AHEAD 16u // epochs that a receiver prepares
#define OVPN_EPOCH_REKEY 0xF000u // from this epoch on a sender asks for a new key id
#define OVPN_EPOCH_COUNTER_MAX ((1ull << OVPN_EPOCH_COUNTER_BITS) - 1)
#define OVPN_AEAD_USAGE_MAX ((1ull << 36) - 1) // packets and blocks of 16 bytes under an AES key

// Packet-id of an epoch and a counter.
static inline uint64_t ovpn_epoch_id(uint16_t epoch, uint64_t counter)
{
	return (uint64_t)epoch << OVPN_EPOCH_COUNTER_BITS | counter;
}

// Key and IV of one epoch.
struct ovpn_epoch_key {
	uint8_t key[OVPN_KEY_MAX]; // as many bytes as the cipher has
	uint8_t iv[OVPN_EPOCH_IV_LEN];
};

// E_{i+1} from E_i, in place. Returns 0 or -EIO.
int ovpn_epoch_next(uint8_t secret[OVPN_EPOCH_SECRET_LEN]);
// Key and IV of the epoch of a secret. Returns 0, -ENOTSUP when the cipher isn't AEAD, -EIO.
int ovpn_epoch_derive(const uint8_t secret[OVPN_EPOCH_SECRET_LEN], enum ovpn_cipher cipher,
	struct ovpn_epoch_key *ret_key);

// The sending half of a key id. Not for two threads at once.
struct ovpn_epoch_seal {
	struct evp_cipher_ctx_st *ctx;
	uint8_t cipher;
	uint16_t epoch; // from 1
	uint64_t counter; // of the last packet, 0: none
	uint64_t usage; // packets and blocks
	uint8_t iv[OVPN_EPOCH_IV_LEN];
	uint8_t secret[OVPN_EPOCH_SECRET_LEN]; // of this epoch
};

// Returns 0, -ENOTSUP, -EIO. done: wipes; harmless on an object of zeros.
int ovpn_epoch_seal_init(struct ovpn_epoch_seal *s, enum ovpn_cipher cipher,
	const uint8_t secret[OVPN_EPOCH_SECRET_LEN]);
void ovpn_epoch_seal_done(struct ovpn_epoch_seal *s);

// Make a packet with the next packet-id; goes on to the next epoch when the key is used up.
//
// header: opcode byte and peer-id.
// plain:  at least 1 byte; may be out + OVPN_DATA_EPOCH_HEAD, else must not overlap out.
// out:    room for len + OVPN_DATA_EPOCH_OVERHEAD bytes.
//
// Returns 0, -EINVAL for an empty plain, -EOVERFLOW when the last epoch is used up, -EIO.
int ovpn_epoch_seal(struct ovpn_epoch_seal *s, const uint8_t header[OVPN_HDR_V2_LEN],
	const uint8_t *plain, size_t len, uint8_t *out, size_t *ret_len);

// Send in this epoch or a later one from now on: after a packet of a newer epoch came (its number),
// or after the receive key was used up (its number + 1). Returns 0, -EIO.
int ovpn_epoch_seal_raise(struct ovpn_epoch_seal *s, uint16_t epoch);

// True when a new key id should be negotiated.
static inline bool ovpn_epoch_seal_rekey(const struct ovpn_epoch_seal *s)
{
	return s->epoch >= OVPN_EPOCH_REKEY;
}

// One epoch of the receiving half.
struct ovpn_epoch_rx {
	struct evp_cipher_ctx_st *ctx; // NULL: there is none
	uint16_t epoch;
	uint64_t usage;
	uint8_t iv[OVPN_EPOCH_IV_LEN];
	struct ovpn_replay window; // over counters
};

// The receiving half: the current epoch, the one before it, and what comes next. Not for two
// threads at once.
struct ovpn_epoch_open {
	uint8_t cipher;
	struct ovpn_epoch_rx current;
	struct ovpn_epoch_rx previous;
	struct evp_cipher_ctx_st *trial; // for packets of later epochs
	struct ovpn_epoch_key ahead[OVPN_EPOCH_AHEAD]; // of current.epoch + 1 and on
	uint8_t secret[OVPN_EPOCH_SECRET_LEN]; // of the epoch behind the last of ahead
};

int ovpn_epoch_open_init(struct ovpn_epoch_open *o, enum ovpn_cipher cipher,
	const uint8_t secret[OVPN_EPOCH_SECRET_LEN]);
void ovpn_epoch_open_done(struct ovpn_epoch_open *o);

// Open a packet, replay check included: each epoch has a window of its own. An authentic packet of
// a later epoch makes that the current one; the caller then calls ovpn_epoch_seal_raise() with
// o->current.epoch, and with one more when ovpn_epoch_open_used_up().
//
// plain: room for len bytes; may be dgram + OVPN_DATA_EPOCH_HEAD.
//
// Returns 0; -EINVAL when it is too short, no P_DATA_V2 or has counter 0; -ENOKEY for an epoch that
// is neither here nor prepared; -EBADMSG when the tag is wrong (plain is undefined then); -EEXIST,
// -ERANGE as ovpn_replay_accept; -EIO.
int ovpn_epoch_open(struct ovpn_epoch_open *o, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint64_t *ret_id);

// True when more was received under the current key than it is good for.
bool ovpn_epoch_open_used_up(const struct ovpn_epoch_open *o);
