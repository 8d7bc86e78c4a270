// SPDX-License-Identifier: BSD-3-Clause
// AEAD in bursts over packets in place: AES-GCM by IPsec-MB's direct calls, ChaCha20-Poly1305 by
// its jobs. One struct dp_crypto a thread; expanded keys are plain memory that any thread of the
// same library and ISA may read.
// Source: protocol.md 9.4; decisions.md D10, D16; measured in anchors.md section 1.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/data_packet.h"

#define DP_CRYPTO_CELL 1024u // bytes of an expanded key with its implicit IV; 64-byte aligned
#define DP_CRYPTO_IV_OFF 1008u // where the implicit IV lies in a cell, 8 bytes
#define DP_CRYPTO_OPS 64u // operations at once
#define DP_CRYPTO_NEAR 3u // packets whose keys are on their way into the first level cache

#define DP_CRYPTO_ROUND_LINES 4u // 15 round keys
#define DP_CRYPTO_HASH_LINES 12u // 48 hash keys

struct dp_crypto;

// One packet to seal or open in place.
struct dp_crypto_op {
	const uint8_t *cell; // expanded key
	uint8_t *data; // plaintext or ciphertext
	const uint8_t *aad;
	uint8_t *tag; // 16 bytes: written by seal, read by open
	uint32_t packet_id; // host byte order; nonce is packet-id and the cell's implicit IV
	uint16_t len; // bytes of data, 1 at least
	uint8_t aad_len; // 4 (V1) or 8 (V2)
	uint8_t cipher; // enum ovpn_cipher
	bool ok; // result: the tag was right (open), the cipher is known (both)
};

// Make the state of one thread. Returns NULL with errno set (ENOTSUP: the CPU lacks what the
// library needs). Never on the hot path.
struct dp_crypto *dp_crypto_create(void);
struct dp_crypto *dp_crypto_free(struct dp_crypto *c);

// Stamp of library and ISA: expanded keys of another stamp must be expanded again.
uint32_t dp_crypto_stamp(const struct dp_crypto *c);

// True for the ciphers that dp_crypto_expand takes.
bool dp_crypto_has(uint8_t cipher);

// Expand a key into a cell. key: as long as the cipher wants; iv: implicit IV, 8 bytes.
// Returns 0, -EINVAL for an unknown cipher or a key of zeros only.
int dp_crypto_expand(
	struct dp_crypto *c, uint8_t cipher, const uint8_t *key, const uint8_t *iv, uint8_t *cell);

// Lines of hash keys that a packet uses.
static inline unsigned dp_crypto_hash_lines(const struct dp_crypto_op *op)
{
	unsigned lines = (op->len + 15u + 16u * 5u) / 64u;

	return lines < DP_CRYPTO_HASH_LINES ? lines : DP_CRYPTO_HASH_LINES;
}

// One line of memory: near into the first level cache, else into the second. In assembler, because
// in the eyes of gcc 12 a function of nothing but __builtin_prefetch() has no effect: it leaves out
// the calls.
static inline void dp_crypto_ask(const uint8_t *line, bool near)
{
	if (near)
		__asm__ volatile("prefetcht0 %0" : : "m"(*line));
	else
		__asm__ volatile("prefetcht1 %0" : : "m"(*line));
}

// Ask for the lines of a key that its packet will use, in two steps: from memory into the second
// level cache, which has many more misses under way at once than the first, and then near.
// dp_crypto_seal() and dp_crypto_open() do the second DP_CRYPTO_NEAR operations ahead. The first is
// the caller's, while it fills operations in or before, so that memory is busy meanwhile.
//
// Round keys are at the start of a cell. Hash keys are used from the highest address down, one for
// each block of ciphertext and one for the block of lengths; the line of the implicit IV has three
// of them, each other line four.
static inline void dp_crypto_prefetch(const struct dp_crypto_op *op, bool near)
{
	unsigned lines = dp_crypto_hash_lines(op);
	const uint8_t *top = op->cell + DP_CRYPTO_CELL - 64;

	for (unsigned i = 0; i < DP_CRYPTO_ROUND_LINES; i++)
		dp_crypto_ask(op->cell + i * 64u, near);
	for (unsigned i = 0; i < lines; i++)
		dp_crypto_ask(top - i * 64u, near);
}

// Encrypt or decrypt n <= DP_CRYPTO_OPS packets of any mix of ciphers and keys. Tags are compared
// in constant time; after a failed open the data is garbage, never plaintext to be used.
// Returns the number of operations with ok set.
unsigned dp_crypto_seal(struct dp_crypto *c, struct dp_crypto_op *op, unsigned n);
unsigned dp_crypto_open(struct dp_crypto *c, struct dp_crypto_op *op, unsigned n);
