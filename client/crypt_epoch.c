// SPDX-License-Identifier: BSD-3-Clause
// The AEAD ciphers in the epoch format: P_DATA_V2 alone, keys that follow each other by themselves.
// Packet-ids and replay windows belong to the epochs, so both are kept by ovpn_epoch_seal and
// ovpn_epoch_open instead of by data.c.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "client/crypt.h"
#include "protocol/data_packet.h"
#include "protocol/tls/data_epoch.h"

static_assert(VC_DATA_HEADROOM >= OVPN_DATA_EPOCH_HEAD + 2, "header, id, framing");
static_assert(VC_DATA_TAILROOM >= OVPN_AEAD_TAG_LEN + 1 + 8, "tag, framing, session id");

static int epoch_init(struct vc_crypt *crypt, const struct vc_crypt_params *params)
{
	enum ovpn_cipher cipher = params->keys->cipher;
	const uint8_t *secret =
		params->keys->dir[crypt->seal ? OVPN_KEY_C2S : OVPN_KEY_S2C].cipher_key;
	void *state;
	int rc;

	if (!crypt->v2)
		return -ENOTSUP;
	state = calloc(
		1, crypt->seal ? sizeof(struct ovpn_epoch_seal) : sizeof(struct ovpn_epoch_open));
	if (state == NULL)
		return -ENOMEM;
	rc = crypt->seal ? ovpn_epoch_seal_init(state, cipher, secret)
			 : ovpn_epoch_open_init(state, cipher, secret);
	if (rc < 0) {
		free(state);
		return rc;
	}
	crypt->state = state;
	return 0;
}

static void epoch_done(struct vc_crypt *crypt)
{
	if (crypt->seal)
		ovpn_epoch_seal_done(crypt->state);
	else
		ovpn_epoch_open_done(crypt->state);
	free(crypt->state);
}

static int epoch_seal(struct vc_crypt *crypt, uint32_t packet_id, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len)
{
	struct ovpn_hdr hdr = {
		.opcode = OVPN_P_DATA_V2, .key_id = crypt->key_id, .peer_id = crypt->peer_id
	};
	uint8_t head[OVPN_HDR_V2_LEN];
	uint8_t *out = plain - OVPN_DATA_EPOCH_HEAD;
	int rc;

	(void)packet_id; // the epoch counts its own
	(void)ovpn_hdr_put(head, &hdr);
	rc = ovpn_epoch_seal(crypt->state, head, plain, len, out, ret_len);
	if (rc == 0)
		*ret_dgram = out;
	return rc;
}

static int epoch_open(
	struct vc_crypt *crypt, uint8_t *dgram, size_t len, struct vc_opened *ret_packet)
{
	uint8_t *plain = dgram + OVPN_DATA_EPOCH_HEAD;
	uint64_t id;
	int rc;

	if (len <= OVPN_DATA_EPOCH_OVERHEAD)
		return -EBADMSG;
	rc = ovpn_epoch_open(crypt->state, dgram, len, plain, &ret_packet->len, &id);
	if (rc < 0)
		return rc == -EEXIST || rc == -ERANGE ? rc : -EBADMSG;
	ret_packet->plain = plain;
	ret_packet->packet_id = (uint32_t)id;
	ret_packet->net_time = 0;
	return 0;
}

// The peer sees by our epoch that it may go on to its next one, or has to.
static int epoch_opened(const struct vc_crypt *open, struct vc_crypt *seal)
{
	const struct ovpn_epoch_open *o = open->state;
	uint32_t epoch = o->current.epoch + (ovpn_epoch_open_used_up(o) ? 1u : 0u);

	return ovpn_epoch_seal_raise(
		seal->state, (uint16_t)(epoch > UINT16_MAX ? UINT16_MAX : epoch));
}

static bool epoch_rekey(const struct vc_crypt *seal)
{
	return ovpn_epoch_seal_rekey(seal->state);
}

static unsigned epoch_overhead(const struct vc_crypt *crypt)
{
	(void)crypt;
	return OVPN_DATA_EPOCH_OVERHEAD;
}

const struct vc_crypt_ops vc_crypt_epoch = { .init = epoch_init,
	.done = epoch_done,
	.seal = epoch_seal,
	.open = epoch_open,
	.overhead = epoch_overhead,
	.own_ids = true,
	.opened = epoch_opened,
	.rekey = epoch_rekey };
