// SPDX-License-Identifier: BSD-3-Clause
// Keys of the epoch data format: what follows from the first secret of a direction, and single AEAD
// packets under them by IPsec-MB. An object belongs to one direction of one key, on the heap of
// this process; one thread at a time uses it. Source: protocol.md 9.5, 9.7.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/crypto/legacy.h"
#include "protocol/data_packet.h"
#include "protocol/replay.h"

#define DP_EPOCH_SECRET_LEN 32u
#define DP_EPOCH_AHEAD 16u // epochs that are prepared
#define DP_EPOCH_COUNTER_MAX ((1ull << OVPN_EPOCH_COUNTER_BITS) - 1)

// An expanded key.
struct dp_epoch_key {
	alignas(64) uint8_t cell[DP_CRYPTO_IV_OFF]; // gcm_key_data, or the key of ChaCha20
	uint8_t iv[OVPN_EPOCH_IV_LEN];
	uint16_t epoch; // 0: there is none
};

struct dp_epoch_tx {
	struct dp_epoch_key key;
	uint64_t usage; // packets and blocks under this key
	_Atomic uint16_t want; // lowest epoch to send in; the owner of the receiving half writes it
	uint8_t cipher;
	uint8_t secret[DP_EPOCH_SECRET_LEN]; // of key.epoch
};

struct dp_epoch_rx {
	struct dp_epoch_key current;
	struct dp_epoch_key previous;
	struct ovpn_replay previous_window; // over whole packet-ids, as that of the session
	uint64_t usage;
	uint8_t cipher;
	uint8_t secret[DP_EPOCH_SECRET_LEN]; // of the epoch behind the last of ahead
	struct {
		uint8_t key[OVPN_KEY_MAX];
		uint8_t iv[OVPN_EPOCH_IV_LEN];
	} ahead[DP_EPOCH_AHEAD]; // of current.epoch + 1 and on
};

// Make the halves in an epoch (1; after a restart a later one). When a key is installed, never for
// a packet. NULL when there is no memory or the cipher isn't AEAD. free: wipes; NULL is harmless.
struct dp_epoch_tx *dp_epoch_tx_create(struct dp_legacy_crypto *c, uint8_t cipher,
	const uint8_t secret[DP_EPOCH_SECRET_LEN], uint16_t epoch);
struct dp_epoch_rx *dp_epoch_rx_create(struct dp_legacy_crypto *c, uint8_t cipher,
	const uint8_t secret[DP_EPOCH_SECRET_LEN], uint16_t epoch);
void dp_epoch_tx_free(struct dp_epoch_tx *tx);
void dp_epoch_rx_free(struct dp_epoch_rx *rx);

// Packet-id to send with after `next` was stored as the next one: the same, or the first of a later
// epoch when this one is used up or the peer is further. 0: the last epoch is used up. len: bytes
// of payload, counted.
uint64_t dp_epoch_draw(
	struct dp_legacy_crypto *c, struct dp_epoch_tx *tx, uint64_t next, uint16_t len);

// Encrypt in place: head is OVPN_DATA_EPOCH_HEAD bytes and complete, len bytes of payload follow,
// then room for the tag.
void dp_epoch_seal(
	struct dp_legacy_crypto *c, const struct dp_epoch_tx *tx, uint8_t *head, uint16_t len);

// Open in place. dgram: whole P_DATA_V2 datagram. An authentic packet of a later epoch makes that
// the current one. No replay check.
//
// Returns 0; -EINVAL when it is too short or its counter is 0; -ENOKEY for an epoch that is neither
// here nor prepared; -EBADMSG when the tag is wrong.
int dp_epoch_open(struct dp_legacy_crypto *c, struct dp_epoch_rx *rx, uint8_t *dgram, uint16_t len,
	uint64_t *ret_id);

// Lowest epoch that our own packets should have, after what was received.
uint16_t dp_epoch_want(const struct dp_epoch_rx *rx);
