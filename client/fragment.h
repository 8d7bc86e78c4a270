// SPDX-License-Identifier: BSD-3-Clause
// `fragment`: a payload that is too long for one datagram leaves in pieces, and pieces of the
// peer's are put together. Both are the data thread's. Source: protocol.md 9.9.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/data.h"

// A payload that was cut: pieces `at` and later are still to be sealed.
struct vc_pieces {
	uint8_t *buf; // the caller's, of `room` bytes: the payload with its framing
	size_t room;
	size_t len;
	uint16_t size; // of each piece but the last
	uint8_t n, at;
	uint8_t seq;
};

// Cut a payload if the key that sends has `fragment` and it doesn't fit in a datagram.
//
// plain, len: as vc_data_seal. pieces: buf and room are set.
//
// Returns 0 when it is to be sealed as it is, 1 when it was cut: plain isn't needed any more;
// -EMSGSIZE when it doesn't fit in the buffer or in OVPN_FRAGMENTS_MAX pieces.
int vc_data_cut(
	struct vc_data *d, uint64_t now_ms, uint8_t *plain, size_t len, struct vc_pieces *pieces);

// Are there pieces to be sealed?
static inline bool vc_pieces_left(const struct vc_pieces *pieces)
{
	return pieces->at < pieces->n;
}

// Copy the next piece to plain, with room around it as vc_data_seal demands, and seal it. Returns
// as vc_data_seal; the piece counts as sealed also after a failure.
int vc_data_seal_piece(struct vc_data *d, uint64_t now_ms, struct vc_pieces *pieces, uint8_t *plain,
	uint8_t **ret_dgram, size_t *ret_len);

// Make room for packets of up to packet_max bytes that come in pieces; without it pieces are
// dropped. Returns 0 or -ENOMEM. vc_data_done frees it.
int vc_data_defrag_init(struct vc_data *d, size_t packet_max);

// Take the fragment header off an opened packet. Returns 0 with the payload, 1 for a piece of one
// that isn't complete yet, -EPROTO. The payload of one that came in pieces is valid until the next
// call. data.c calls it.
int vc_data_defrag(struct vc_data *d, const struct vc_key *key, struct vc_opened *packet);
