// SPDX-License-Identifier: BSD-3-Clause
#include "client/fragment.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

int vc_data_defrag_init(struct vc_data *d, size_t packet_max)
{
	const uint32_t max = (uint32_t)packet_max + OVPN_COMPRESS_OVERHEAD_MAX;

	d->defrag_mem = calloc(1, ovpn_defrag_bytes(OVPN_FRAGMENT_SEQS, max));
	if (d->defrag_mem == NULL)
		return -ENOMEM;
	ovpn_defrag_init(&d->defrag, d->defrag_mem, OVPN_FRAGMENT_SEQS, max);
	// A peer with a static key may still have pieces of the process before this one.
	(void)RAND_bytes(&d->fragment_seq, sizeof(d->fragment_seq)); // any number will do
	return 0;
}

int vc_data_defrag(struct vc_data *d, const struct vc_key *key, struct vc_opened *packet)
{
	struct ovpn_fragment f;
	struct ovpn_span whole;
	int rc;

	if (ovpn_fragment_parse(packet->plain, packet->len, &f) < 0)
		return -EPROTO;
	packet->plain += OVPN_FRAGMENT_HDR;
	packet->len -= OVPN_FRAGMENT_HDR;
	if (f.type == OVPN_FRAGMENT_WHOLE)
		return 0;
	if (d->defrag_mem == NULL)
		return -EPROTO;
	rc = ovpn_defrag_add(
		&d->defrag, key->session, d->now_ms, &f, packet->plain, packet->len, &whole);
	if (rc < 0)
		return -EPROTO;
	if (rc == 0)
		return 1;
	packet->plain = d->defrag.data + (whole.data - d->defrag.data);
	packet->len = whole.len;
	d->joined = true;
	return 0;
}

int vc_data_cut(
	struct vc_data *d, uint64_t now_ms, uint8_t *plain, size_t len, struct vc_pieces *pieces)
{
	const struct vc_key *key = vc_data_send_key(d, now_ms);

	pieces->n = 0;
	pieces->at = 0;
	if (key == NULL || key->piece_max == 0 ||
		len + OVPN_COMPRESS_OVERHEAD_MAX <= key->piece_max)
		return 0;
	vc_frame_add(key->comp, &plain, &len);
	if (len > pieces->room)
		return -EMSGSIZE;
	pieces->n = (uint8_t)ovpn_fragment_cut(len, key->piece_max, &pieces->size);
	if (pieces->n == 0)
		return -EMSGSIZE;
	memcpy(pieces->buf, plain, len);
	pieces->len = len;
	if (pieces->n > 1)
		pieces->seq = d->fragment_seq++;
	return 1;
}

int vc_data_seal_piece(struct vc_data *d, uint64_t now_ms, struct vc_pieces *pieces, uint8_t *plain,
	uint8_t **ret_dgram, size_t *ret_len)
{
	const size_t at = (size_t)pieces->at * pieces->size;
	const bool last = pieces->at + 1 == pieces->n;
	const size_t len = last ? pieces->len - at : pieces->size;
	struct ovpn_fragment f = { .seq = pieces->seq, .number = pieces->at };

	pieces->at++;
	if (pieces->n > 1)
		f.type = last ? OVPN_FRAGMENT_LAST : OVPN_FRAGMENT_MORE;
	if (last)
		f.size = pieces->size;
	memcpy(plain, pieces->buf + at, len);
	ovpn_fragment_put(plain - OVPN_FRAGMENT_HDR, &f);
	return vc_data_seal_framed(
		d, now_ms, plain - OVPN_FRAGMENT_HDR, len + OVPN_FRAGMENT_HDR, ret_dgram, ret_len);
}
