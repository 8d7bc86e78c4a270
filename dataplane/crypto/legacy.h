// SPDX-License-Identifier: BSD-3-Clause
// Data packets of the ciphers that aren't AEAD, in bursts and in place: AES-CBC and every HMAC by
// IPsec-MB's jobs, what it lacks (CFB, OFB, Blowfish, Camellia and others) by OpenSSL contexts that
// are keyed when a key is installed. One struct
// dp_legacy_crypto a thread; a key cell is used by one thread at a time: the owner of its
// direction. Source: protocol.md 9.2, 9.3, 9.5.
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/crypto/crypto.h"

#define DP_LEGACY_OPS 64u // operations at once
#define DP_LEGACY_IV_MAX 16u

struct dp_legacy_crypto;

// An expanded key, in the place of DP_CRYPTO_CELL bytes. ctx is of this process alone: a cell that
// another process left is expanded again, never used.
struct dp_legacy_cell {
	alignas(16) uint8_t enc[240]; // AES round keys
	alignas(16) uint8_t dec[240];
	alignas(16) uint8_t ipad[64]; // HMAC: hash state after the first block
	alignas(16) uint8_t opad[64];
	struct evp_cipher_ctx_st *ctx; // NULL: IPsec-MB's, or no cipher
	uint8_t mode; // enum ovpn_cipher_mode
	uint8_t key_len;
	uint8_t iv_len;
	uint8_t block_len; // of CBC, 1 for the others
	uint8_t digest; // enum ovpn_digest
	uint8_t digest_len;
};
static_assert(sizeof(struct dp_legacy_cell) <= DP_CRYPTO_CELL, "it lies in a key cell");

// One packet. mac, iv and text follow each other in the packet; the HMAC covers all behind itself.
struct dp_legacy_op {
	const struct dp_legacy_cell *cell;
	uint8_t *mac; // digest_len bytes: written by seal, read by open
	uint8_t *iv; // iv_len bytes, already there
	uint8_t *text; // CBC: whole blocks
	uint16_t text_len;
	bool ok; // result
};

// Make the state of one thread; fetches algorithms, so not after a sandbox was entered. Returns
// NULL with errno set.
struct dp_legacy_crypto *dp_legacy_crypto_create(void);
struct dp_legacy_crypto *dp_legacy_crypto_free(struct dp_legacy_crypto *c);

// Can this machine do it? Never for AEAD, nor for cipher none without a digest.
bool dp_legacy_has(const struct dp_legacy_crypto *c, uint8_t cipher, uint8_t digest);

// Expand a key. seal: for sending (an OpenSSL context has a direction).
// Returns 0, -EINVAL for what dp_legacy_has refuses or a cipher key of zeros, -EIO.
int dp_legacy_expand(struct dp_legacy_crypto *c, uint8_t cipher, uint8_t digest,
	const uint8_t *cipher_key, const uint8_t *hmac_key, bool seal, struct dp_legacy_cell *cell);
// Free what the cell points to and wipe it.
void dp_legacy_cell_done(struct dp_legacy_cell *cell);

// Encrypt and authenticate n <= DP_LEGACY_OPS packets. Returns the number with ok set.
unsigned dp_legacy_seal(struct dp_legacy_crypto *c, struct dp_legacy_op *op, unsigned n);
// Authenticate, in constant time, and decrypt those that are right; others are left as they were.
unsigned dp_legacy_open(struct dp_legacy_crypto *c, struct dp_legacy_op *op, unsigned n);

// Random bytes for IVs, from a keyed stream: no system call. len <= DP_LEGACY_IV_MAX.
void dp_legacy_random(struct dp_legacy_crypto *c, uint8_t *buf, size_t len);
