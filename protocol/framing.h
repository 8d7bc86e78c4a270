// SPDX-License-Identifier: BSD-3-Clause
// Framing inside the encryption: the byte of compression that we tolerate without compressing, and
// `fragment`. Both wrap everything that a data packet carries, Pings and OCC messages too: sender
// compression byte, then fragment header; receiver the other way round.
// Source: protocol.md 9.8, 9.9.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/bytes.h"

// Framing that belongs to a configured or pushed compression setting. The numbers are part of the
// shared-memory layout.
enum ovpn_compress {
	OVPN_COMPRESS_NONE = 0, // no setting: the payload as it is
	OVPN_COMPRESS_BYTE = 1, // comp-lzo, compress lzo: 0xFA, payload
	OVPN_COMPRESS_SWAP = 2, // compress, compress lz4: 0xFB, the first byte moved to the end
	OVPN_COMPRESS_V2 = 3, // stub-v2, lz4-v2: as it is, unless it begins with 0x50
	OVPN_COMPRESS_COUNT
};

#define OVPN_COMPRESS_OVERHEAD_MAX 2u // bytes that ovpn_compress_add may add

// Bytes that the framing adds to every ordinary packet (0 or 1), as length formulas count it.
static inline unsigned ovpn_compress_len(enum ovpn_compress c)
{
	return c == OVPN_COMPRESS_BYTE || c == OVPN_COMPRESS_SWAP ? 1 : 0;
}

// Frame a payload of len >= 1 bytes at p in place. There is room for OVPN_COMPRESS_OVERHEAD_MAX
// bytes in front of p and for one behind the payload. Returns the new start; *len is updated.
uint8_t *ovpn_compress_add(enum ovpn_compress c, uint8_t *p, size_t *len);

// Take the framing off a payload in place. 0xFA and 0xFB are both understood where there is a byte
// at all, since peers differ in which of them they send.
//
// Returns 0 with the new start and length; -EBADMSG when nothing is left or the byte is unknown;
// -EPROTO when the payload is really compressed, which we don't do.
int ovpn_compress_strip(enum ovpn_compress c, uint8_t **p, size_t *len);

// ---- fragment ----------------------------------------------------------------------------------

#define OVPN_FRAGMENT_HDR 4u
#define OVPN_FRAGMENTS_MAX 32u
#define OVPN_FRAGMENT_SIZE_MAX 65532u // 14 bits of four bytes
#define OVPN_FRAGMENT_LIFETIME_MS 10000u
#define OVPN_FRAGMENT_SEQS 25u // packets that a stock peer has in parallel

enum ovpn_fragment_type {
	OVPN_FRAGMENT_WHOLE = 0,
	OVPN_FRAGMENT_MORE = 1, // not the last one
	OVPN_FRAGMENT_LAST = 2,
};

struct ovpn_fragment {
	uint8_t type; // enum ovpn_fragment_type
	uint8_t seq; // of the packet that was cut
	uint8_t number; // of this piece, 0 to 31
	uint16_t size; // bytes of each piece but the last; known in the last one and in MORE by
		       // length
};

// Parse a header of OVPN_FRAGMENT_HDR bytes and check it against the len bytes in total. Returns 0,
// or -EBADMSG: too short, unknown type, a whole packet with other fields set, a piece of a length
// that isn't a multiple of 4, more than the last piece may have.
int ovpn_fragment_parse(const uint8_t *p, size_t len, struct ovpn_fragment *ret_fragment);

// Write a header. size: 0 but for the last piece.
void ovpn_fragment_put(uint8_t *p, const struct ovpn_fragment *f);

// How to cut len bytes so that no piece is longer than max (without headers): the size of all
// pieces but the last, a multiple of 4. Returns their number, 0 when 32 aren't enough or max < 4.
unsigned ovpn_fragment_cut(size_t len, size_t max, uint16_t *ret_size);

// One packet that is being put together. The memory is the caller's (struct ovpn_defrag).
struct ovpn_defrag_open {
	uint64_t owner; // whatever the caller tells senders apart by
	uint64_t began_ms;
	uint32_t have; // bit n: piece n is here
	uint16_t size; // of each piece but the last; 0: not known yet
	uint16_t last_len; // of the last piece
	uint8_t seq;
	uint8_t last; // number of the last piece; 0xff: not known yet
	bool used;
	uint8_t reserved[5];
};

// Reassembly of `count` packets of up to `max` bytes at once. One thread.
struct ovpn_defrag {
	struct ovpn_defrag_open *open;
	uint8_t *data; // max bytes each
	uint32_t count;
	uint32_t max;
};

// Bytes of memory that ovpn_defrag_init takes.
size_t ovpn_defrag_bytes(uint32_t count, uint32_t max);
// mem: zeroed, aligned for uint64_t.
void ovpn_defrag_init(struct ovpn_defrag *d, void *mem, uint32_t count, uint32_t max);

// Add a piece. p, len: behind the header. When all places are taken the oldest packet makes room.
//
// Returns 1 when it was the last missing one: *ret_packet is the whole packet, valid until the next
// call; 0 when more are missing or it was a duplicate; -EBADMSG when it contradicts the others,
// which are forgotten; -EMSGSIZE when the packet would be longer than max.
int ovpn_defrag_add(struct ovpn_defrag *d, uint64_t owner, uint64_t now_ms,
	const struct ovpn_fragment *f, const uint8_t *p, size_t len, struct ovpn_span *ret_packet);
