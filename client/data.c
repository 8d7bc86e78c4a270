// SPDX-License-Identifier: BSD-3-Clause
#include "client/data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/fragment.h"
#include "protocol/data_size.h"

// Markers of the compression framings (protocol.md 9.8).
#define FRAME_NONE 0xFA
#define FRAME_SWAP 0xFB
#define FRAME_V2 0x50

struct vc_key *vc_key_free(struct vc_key *key)
{
	if (key == NULL)
		return NULL;
	vc_crypt_done(&key->seal);
	vc_crypt_done(&key->open);
	explicit_bzero(key, sizeof(*key));
	free(key);
	return NULL;
}

// Longest payload that fits in a datagram behind a fragment header.
static size_t piece_max(const struct vc_crypt_params *params)
{
	struct ovpn_data_shape shape = {
		.format = params->epoch ? OVPN_DATA_FORMAT_EPOCH
			: params->v2	? OVPN_DATA_FORMAT_V2
					: OVPN_DATA_FORMAT_V1,
		.static_key = params->static_key,
		.cipher = params->keys->cipher,
		.digest = params->auth,
		.fragment = true, // the byte of compression is part of what is cut
	};

	return ovpn_data_plain_max(&shape, params->fragment_max);
}

int vc_key_create(const struct vc_crypt_params *params, uint64_t age, uint32_t session,
	uint64_t active_ms, struct vc_key **ret_key)
{
	struct vc_key *key = calloc(1, sizeof(*key));
	int rc;

	if (key == NULL)
		return -ENOMEM;
	key->age = age;
	key->next_id = 1;
	key->active_ms = active_ms;
	key->expire_ms = VC_DATA_NEVER;
	key->session = session;
	key->key_id = params->key_id;
	key->comp = params->comp;
	if (params->fragment_max != 0)
		key->piece_max = (uint16_t)piece_max(params);
	rc = vc_crypt_init(&key->seal, params, true);
	if (rc == 0)
		rc = vc_crypt_init(&key->open, params, false);
	if (rc < 0) {
		(void)vc_key_free(key);
		return rc;
	}
	*ret_key = key;
	return 0;
}

unsigned vc_key_overhead(const struct vc_key *key)
{
	unsigned frame = key->comp == CFG_COMP_LZO_STUB || key->comp == CFG_COMP_STUB ? 1 : 0;

	if (key->piece_max != 0)
		frame += OVPN_FRAGMENT_HDR;
	return key->seal.ops->overhead(&key->seal) + frame;
}

static void key_remove(struct vc_data *d, unsigned i)
{
	(void)vc_key_free(d->key[i]);
	for (; i + 1 < d->n_keys && i + 1 < VC_DATA_KEYS; i++)
		d->key[i] = d->key[i + 1];
	d->key[--d->n_keys] = NULL;
}

void vc_data_add(struct vc_data *d, struct vc_key *key, uint64_t retire_ms)
{
	// Within a session a key id comes round after seven renegotiations; a key that still has it
	// is long out of use.
	for (unsigned i = d->n_keys; i-- > 0;) {
		if (d->key[i]->session == key->session && d->key[i]->key_id == key->key_id)
			key_remove(d, i);
	}
	if (d->n_keys == VC_DATA_KEYS)
		key_remove(d, VC_DATA_KEYS - 1);
	for (unsigned i = d->n_keys; i > 0; i--) {
		d->key[i] = d->key[i - 1];
		if (d->key[i]->expire_ms == VC_DATA_NEVER)
			d->key[i]->expire_ms = retire_ms;
	}
	d->key[0] = key;
	d->static_key = key->open.static_key;
	d->n_keys++;
}

void vc_data_renegotiate(struct vc_data *d, uint64_t late_ms)
{
	for (unsigned i = 1; i < d->n_keys; i++) {
		d->key[i]->late = true;
		if (d->key[i]->expire_ms > late_ms)
			d->key[i]->expire_ms = late_ms;
	}
}

void vc_data_expire(struct vc_data *d, uint64_t now_ms)
{
	for (unsigned i = d->n_keys; i-- > 0;) {
		if (d->key[i]->expire_ms <= now_ms)
			key_remove(d, i);
	}
}

void vc_data_wipe(struct vc_data *d)
{
	while (d->n_keys > 0)
		key_remove(d, d->n_keys - 1);
}

void vc_data_done(struct vc_data *d)
{
	vc_data_wipe(d);
	free(d->defrag_mem);
	d->defrag_mem = NULL;
}

struct vc_key *vc_data_send_key(struct vc_data *d, uint64_t now_ms)
{
	for (unsigned i = 0; i < d->n_keys; i++) {
		if (d->key[i]->active_ms <= now_ms && !d->key[i]->late)
			return d->key[i];
	}
	return d->n_keys > 0 ? d->key[0] : NULL;
}

void vc_frame_add(enum cfg_comp comp, uint8_t **plain, size_t *len)
{
	uint8_t *p = *plain;

	switch (comp) {
	case CFG_COMP_NONE: return;
	case CFG_COMP_LZO_STUB: *--p = FRAME_NONE; break;
	case CFG_COMP_STUB:
		p[*len] = p[0];
		p[0] = FRAME_SWAP;
		(*len)++;
		return;
	case CFG_COMP_STUB_V2:
		if (p[0] != FRAME_V2)
			return;
		*--p = 0;
		*--p = FRAME_V2;
		break;
	}
	*len += (size_t)(*plain - p);
	*plain = p;
}

int vc_frame_del(enum cfg_comp comp, uint8_t **plain, size_t *len)
{
	uint8_t *p = *plain;

	switch (comp) {
	case CFG_COMP_NONE: return 0;
	case CFG_COMP_LZO_STUB:
		if (*len < 2 || p[0] != FRAME_NONE)
			return -EPROTO;
		*plain = p + 1;
		*len -= 1;
		return 0;
	case CFG_COMP_STUB:
		if (*len < 2 || p[0] != FRAME_SWAP)
			return -EPROTO;
		*len -= 1;
		p[0] = p[*len];
		return 0;
	case CFG_COMP_STUB_V2:
		if (p[0] != FRAME_V2)
			return 0;
		if (*len < 3 || p[1] != 0)
			return -EPROTO;
		*plain = p + 2;
		*len -= 2;
		return 0;
	}
	return -EPROTO;
}

int vc_data_seal(struct vc_data *d, uint64_t now_ms, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len)
{
	const struct vc_key *key = vc_data_send_key(d, now_ms);
	const struct ovpn_fragment whole = { .type = OVPN_FRAGMENT_WHOLE };

	if (key == NULL)
		return -ENOKEY;
	vc_frame_add(key->comp, &plain, &len);
	if (key->piece_max != 0) {
		if (len > key->piece_max)
			return -EMSGSIZE;
		plain -= OVPN_FRAGMENT_HDR;
		len += OVPN_FRAGMENT_HDR;
		ovpn_fragment_put(plain, &whole);
	}
	return vc_data_seal_framed(d, now_ms, plain, len, ret_dgram, ret_len);
}

int vc_data_seal_framed(struct vc_data *d, uint64_t now_ms, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len)
{
	struct vc_key *key = vc_data_send_key(d, now_ms);
	uint32_t id;
	int rc;

	if (key == NULL)
		return -ENOKEY;
	if (key->next_id > OVPN_PACKET_ID_MAX && key->seal.static_key)
		key->next_id = 1; // nobody changes a static key: a new time comes with id 1
	if (key->next_id > OVPN_PACKET_ID_MAX && !key->seal.ops->own_ids)
		return -EOVERFLOW;
	id = (uint32_t)key->next_id;
	if (!key->seal.ops->own_ids)
		key->next_id++; // also after a failure: an id is never used twice
	rc = key->seal.ops->seal(&key->seal, id, plain, len, ret_dgram, ret_len);
	if (rc < 0)
		return rc;
	if (key->seal.ops->own_ids && key->seal.ops->rekey(&key->seal))
		key->next_id = OVPN_PACKET_ID_REKEY; // asks for a new key as an id of ours does
	key->packets++;
	key->bytes += len;
	return 0;
}

// Open with one key. Returns 0, -EBADMSG, -EEXIST, -ERANGE.
static int open_with(struct vc_key *key, uint8_t *dgram, size_t len, struct vc_opened *ret_packet)
{
	uint64_t id;
	int rc = key->open.ops->open(&key->open, dgram, len, ret_packet);

	if (rc < 0)
		return key->open.ops->own_ids ? rc : -EBADMSG;
	if (key->open.ops->own_ids) {
		rc = key->open.ops->opened(&key->open, &key->seal);
	} else {
		// A long packet-id counts within its time, so that a later time is a later id.
		id = (uint64_t)ret_packet->net_time << 32 | ret_packet->packet_id;
		rc = ovpn_replay_accept(&key->replay, id);
	}
	if (rc < 0)
		return rc == -EEXIST || rc == -ERANGE ? rc : -EBADMSG;
	key->packets++;
	key->bytes += ret_packet->len;
	return 0;
}

// Several keys have the id: each gets a copy, as a failure destroys it. The payload is copied back
// to where it would have been.
static int open_with_any(struct vc_key *const *keys, unsigned n, uint8_t *dgram, size_t len,
	uint8_t *scratch, struct vc_opened *ret_packet, unsigned *ret_which)
{
	int rc = -EBADMSG;
	uint8_t *plain;

	for (unsigned i = 0; i < n && rc == -EBADMSG; i++) {
		memcpy(scratch, dgram, len);
		rc = open_with(keys[i], scratch, len, ret_packet);
		*ret_which = i;
	}
	if (rc < 0)
		return rc;
	plain = dgram + (ret_packet->plain - scratch);
	memcpy(plain, ret_packet->plain, ret_packet->len);
	ret_packet->plain = plain;
	return 0;
}

static void count_drop(struct vc_data *d, int rc)
{
	if (rc == -ENOKEY)
		d->bad_key++;
	else if (rc == -EBADMSG)
		d->bad_tag++;
	else
		d->replayed++;
}

int vc_data_open(struct vc_data *d, uint8_t *dgram, size_t len, uint8_t *scratch,
	uint8_t **ret_plain, size_t *ret_len)
{
	struct vc_key *match[VC_DATA_KEYS];
	struct vc_opened packet = { 0 };
	unsigned n = 0, which = 0;
	int rc = -ENOKEY;

	if (len < 2 || len > UINT16_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < d->n_keys; i++) {
		if (d->static_key || d->key[i]->key_id == ovpn_key_id_of(dgram[0]))
			match[n++] = d->key[i];
	}
	if (n == 1)
		rc = open_with(match[0], dgram, len, &packet);
	else if (n > 1)
		rc = open_with_any(match, n, dgram, len, scratch, &packet, &which);
	if (rc < 0) {
		count_drop(d, rc);
		return rc;
	}
	d->rx_packets++;
	d->rx_bytes += packet.len;
	d->joined = false;
	if (match[which]->piece_max != 0)
		rc = vc_data_defrag(d, match[which], &packet);
	if (rc == 1)
		return 1;
	if (rc == 0)
		rc = vc_frame_del(match[which]->comp, &packet.plain, &packet.len);
	if (rc < 0) {
		d->bad_frame++;
		return rc;
	}
	*ret_plain = packet.plain;
	*ret_len = packet.len;
	return 0;
}
