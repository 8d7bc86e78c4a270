// SPDX-License-Identifier: BSD-3-Clause
#include "client/data.h"

#include <errno.h>
#include <string.h>

#include "protocol/data_packet.h"

// Markers of the compression framings (protocol.md 9.8).
#define FRAME_NONE 0xFA
#define FRAME_SWAP 0xFB
#define FRAME_V2 0x50

static void key_done(struct vc_key *key)
{
	ovpn_aead_done(&key->seal);
	ovpn_aead_done(&key->open);
	explicit_bzero(key, sizeof(*key));
}

static void key_remove(struct vc_data *d, unsigned i)
{
	key_done(&d->key[i]);
	for (; i + 1 < d->n_keys && i + 1 < VC_DATA_KEYS; i++)
		d->key[i] = d->key[i + 1];
	d->n_keys--;
	memset(&d->key[d->n_keys], 0, sizeof(d->key[0]));
}

int vc_data_install(struct vc_data *d, const struct ovpn_data_keys *keys, uint8_t key_id,
	uint32_t session, uint64_t active_ms, uint64_t retire_ms)
{
	struct vc_key key = { .age = d->next_age,
		.next_id = 1,
		.active_ms = active_ms,
		.expire_ms = VC_DATA_NEVER,
		.session = session,
		.key_id = key_id };
	int rc = ovpn_aead_init(&key.seal, keys, OVPN_KEY_C2S, true);

	if (rc < 0)
		return rc;
	rc = ovpn_aead_init(&key.open, keys, OVPN_KEY_S2C, false);
	if (rc < 0) {
		ovpn_aead_done(&key.seal);
		return rc;
	}
	// Within a session a key id comes round after seven renegotiations; a key that still has it
	// is long out of use.
	for (unsigned i = d->n_keys; i-- > 0;) {
		if (d->key[i].session == session && d->key[i].key_id == key_id)
			key_remove(d, i);
	}
	if (d->n_keys == VC_DATA_KEYS)
		key_remove(d, VC_DATA_KEYS - 1);
	for (unsigned i = d->n_keys; i > 0; i--) {
		d->key[i] = d->key[i - 1];
		if (d->key[i].expire_ms == VC_DATA_NEVER)
			d->key[i].expire_ms = retire_ms;
	}
	d->key[0] = key;
	d->n_keys++;
	d->next_age++;
	return 0;
}

void vc_data_renegotiate(struct vc_data *d, uint64_t late_ms)
{
	for (unsigned i = 1; i < d->n_keys; i++) {
		d->key[i].late = true;
		if (d->key[i].expire_ms > late_ms)
			d->key[i].expire_ms = late_ms;
	}
}

void vc_data_expire(struct vc_data *d, uint64_t now_ms)
{
	for (unsigned i = d->n_keys; i-- > 0;) {
		if (d->key[i].expire_ms <= now_ms)
			key_remove(d, i);
	}
}

void vc_data_wipe(struct vc_data *d)
{
	while (d->n_keys > 0)
		key_remove(d, d->n_keys - 1);
}

struct vc_key *vc_data_send_key(struct vc_data *d, uint64_t now_ms)
{
	for (unsigned i = 0; i < d->n_keys; i++) {
		if (d->key[i].active_ms <= now_ms && !d->key[i].late)
			return &d->key[i];
	}
	return d->n_keys > 0 ? &d->key[0] : NULL;
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
	struct vc_key *key = vc_data_send_key(d, now_ms);
	struct ovpn_hdr hdr;
	uint8_t head[OVPN_HDR_V2_LEN];
	size_t head_len;
	uint8_t *out;
	int rc;

	if (key == NULL)
		return -ENOKEY;
	if (key->next_id > OVPN_PACKET_ID_MAX)
		return -EOVERFLOW;
	vc_frame_add(d->comp, &plain, &len);
	hdr.opcode = d->v2 ? OVPN_P_DATA_V2 : OVPN_P_DATA_V1;
	hdr.key_id = key->key_id;
	hdr.peer_id = d->peer_id;
	head_len = ovpn_hdr_put(head, &hdr);
	out = plain - 4 - OVPN_AEAD_TAG_LEN - head_len;
	rc = ovpn_aead_seal(
		&key->seal, head, head_len, (uint32_t)key->next_id, plain, len, out, ret_len);
	key->next_id++; // also after a failure: an id is never used twice
	if (rc < 0)
		return rc;
	key->packets++;
	key->bytes += len;
	*ret_dgram = out;
	return 0;
}

// Try one key. copy: the datagram must survive a failure.
static int open_with(struct vc_key *key, uint8_t *dgram, size_t len, uint8_t *copy,
	uint8_t **ret_plain, size_t *ret_len)
{
	size_t head =
		ovpn_opcode_of(dgram[0]) == OVPN_P_DATA_V2 ? OVPN_HDR_V2_LEN : OVPN_HDR_V1_LEN;
	size_t offset = head + 4 + OVPN_AEAD_TAG_LEN;
	uint8_t *plain;
	uint32_t id;
	int rc;

	if (len <= offset)
		return -EBADMSG;
	plain = copy != NULL ? copy : dgram + offset;
	rc = ovpn_aead_open(&key->open, dgram, len, plain, ret_len, &id);
	if (rc < 0)
		return -EBADMSG;
	rc = ovpn_replay_accept(&key->replay, id);
	if (rc < 0)
		return rc == -EINVAL ? -EBADMSG : rc;
	key->packets++;
	key->bytes += *ret_len;
	*ret_plain = plain;
	return 0;
}

int vc_data_open(struct vc_data *d, uint8_t *dgram, size_t len, uint8_t *scratch,
	uint8_t **ret_plain, size_t *ret_len)
{
	unsigned match[VC_DATA_KEYS];
	unsigned n = 0;
	int rc = -ENOKEY;

	if (len < 1 + OVPN_DATA_V1_OVERHEAD || len > UINT16_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < d->n_keys; i++) {
		if (d->key[i].key_id == ovpn_key_id_of(dgram[0]))
			match[n++] = i;
	}
	for (unsigned i = 0; i < n; i++) {
		rc = open_with(
			&d->key[match[i]], dgram, len, n > 1 ? scratch : NULL, ret_plain, ret_len);
		if (rc != -EBADMSG)
			break; // authentic, be it fresh or not
	}
	if (rc == -ENOKEY)
		d->bad_key++;
	else if (rc == -EBADMSG)
		d->bad_tag++;
	else if (rc < 0)
		d->replayed++;
	if (rc < 0)
		return rc;
	d->rx_packets++;
	d->rx_bytes += *ret_len;
	rc = vc_frame_del(d->comp, ret_plain, ret_len);
	if (rc < 0)
		d->bad_frame++;
	return rc;
}

unsigned vc_data_overhead(const struct vc_data *d)
{
	unsigned frame = d->comp == CFG_COMP_LZO_STUB || d->comp == CFG_COMP_STUB ? 1 : 0;

	return (d->v2 ? OVPN_DATA_V2_OVERHEAD : OVPN_DATA_V1_OVERHEAD) + frame;
}
