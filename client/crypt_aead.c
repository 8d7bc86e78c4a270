// SPDX-License-Identifier: BSD-3-Clause
// The AEAD ciphers: P_DATA_V1 and V2 in the classic format.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "client/crypt.h"
#include "protocol/data_packet.h"
#include "protocol/tls/aead.h"

static_assert(VC_DATA_HEADROOM >= OVPN_DATA_V2_OVERHEAD + 2, "header, id, tag, framing");

static int aead_init(struct vc_crypt *crypt, const struct vc_crypt_params *params)
{
	struct ovpn_aead *aead = calloc(1, sizeof(*aead));
	int rc;

	if (aead == NULL)
		return -ENOMEM;
	rc = ovpn_aead_init(
		aead, params->keys, crypt->seal ? OVPN_KEY_C2S : OVPN_KEY_S2C, crypt->seal);
	if (rc < 0) {
		free(aead);
		return rc;
	}
	crypt->state = aead;
	return 0;
}

static void aead_done(struct vc_crypt *crypt)
{
	ovpn_aead_done(crypt->state);
	free(crypt->state);
}

static int aead_seal(struct vc_crypt *crypt, uint32_t packet_id, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len)
{
	struct ovpn_hdr hdr = { .opcode = crypt->v2 ? OVPN_P_DATA_V2 : OVPN_P_DATA_V1,
		.key_id = crypt->key_id,
		.peer_id = crypt->peer_id };
	uint8_t head[OVPN_HDR_V2_LEN];
	size_t head_len = ovpn_hdr_put(head, &hdr);
	uint8_t *out = plain - 4 - OVPN_AEAD_TAG_LEN - head_len;
	int rc = ovpn_aead_seal(crypt->state, head, head_len, packet_id, plain, len, out, ret_len);

	if (rc == 0)
		*ret_dgram = out;
	return rc;
}

static int aead_open(
	struct vc_crypt *crypt, uint8_t *dgram, size_t len, struct vc_opened *ret_packet)
{
	size_t head =
		ovpn_opcode_of(dgram[0]) == OVPN_P_DATA_V2 ? OVPN_HDR_V2_LEN : OVPN_HDR_V1_LEN;
	size_t offset = head + 4 + OVPN_AEAD_TAG_LEN;

	if (len <= offset)
		return -EBADMSG;
	ret_packet->plain = dgram + offset;
	ret_packet->net_time = 0;
	if (ovpn_aead_open(crypt->state, dgram, len, ret_packet->plain, &ret_packet->len,
		    &ret_packet->packet_id) < 0)
		return -EBADMSG;
	return 0;
}

static unsigned aead_overhead(const struct vc_crypt *crypt)
{
	return crypt->v2 ? OVPN_DATA_V2_OVERHEAD : OVPN_DATA_V1_OVERHEAD;
}

const struct vc_crypt_ops vc_crypt_aead = { .init = aead_init,
	.done = aead_done,
	.seal = aead_seal,
	.open = aead_open,
	.overhead = aead_overhead };
