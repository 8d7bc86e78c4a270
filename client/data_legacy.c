// SPDX-License-Identifier: BSD-3-Clause
// The ciphers that aren't AEAD: CBC, CFB, OFB and none, each with the HMAC that `auth` names, in
// P_DATA_V1, P_DATA_V2, and in static-key mode, whose packets have no header.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/crypt.h"
#include "protocol/tls/data_legacy.h"

static_assert(VC_DATA_HEADROOM >= 4 + 64 + 16 + 8 + 4 + 2, "header, HMAC, IV, long id, framing");
static_assert(VC_DATA_TAILROOM >= 16 + 1 + 8, "padding, framing, session id");

struct state {
	struct ovpn_legacy legacy;
	uint32_t net_time; // upper half of long ids that are sent; 0 with short ones
};

static size_t head_len(const struct vc_crypt *crypt)
{
	if (crypt->static_key)
		return 0;
	return crypt->v2 ? OVPN_HDR_V2_LEN : OVPN_HDR_V1_LEN;
}

static int legacy_init(struct vc_crypt *crypt, const struct vc_crypt_params *params)
{
	const struct ovpn_legacy_format format = { .cipher = params->keys->cipher,
		.digest = (uint8_t)params->auth,
		.static_key = params->static_key };
	const struct ovpn_direction_key *key =
		&params->keys->dir[crypt->seal ? OVPN_KEY_C2S : OVPN_KEY_S2C];
	struct state *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	rc = ovpn_legacy_init(&s->legacy, &format, key, crypt->seal);
	// A format without room for it was found out before; then the IV stays as it is.
	if (rc == 0 && crypt->seal && params->server_sid != NULL)
		(void)ovpn_legacy_set_sid(&s->legacy, params->server_sid);
	if (rc < 0) {
		ovpn_legacy_done(&s->legacy);
		free(s);
		return rc;
	}
	if (ovpn_legacy_long_ids(&format))
		s->net_time = (uint32_t)time(NULL);
	if (params->static_key)
		s->net_time--; // id 1 makes it the present
	crypt->state = s;
	return 0;
}

static void legacy_done(struct vc_crypt *crypt)
{
	struct state *s = crypt->state;

	ovpn_legacy_done(&s->legacy);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static int legacy_seal(struct vc_crypt *crypt, uint32_t packet_id, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len)
{
	struct state *s = crypt->state;
	struct ovpn_hdr hdr = { .opcode = crypt->v2 ? OVPN_P_DATA_V2 : OVPN_P_DATA_V1,
		.key_id = crypt->key_id,
		.peer_id = crypt->peer_id };
	uint8_t head[OVPN_HDR_V2_LEN];
	size_t n = head_len(crypt);
	uint8_t *out = plain - ovpn_legacy_plain_off(&s->legacy, n);
	int rc;

	// Each round of a static key's packet-ids has a later time than the one before it.
	if (crypt->static_key && packet_id == 1)
		s->net_time++;
	if (n > 0)
		(void)ovpn_hdr_put(head, &hdr); // n bytes
	rc = ovpn_legacy_seal(&s->legacy, n > 0 ? head : NULL, n,
		(uint64_t)s->net_time << 32 | packet_id, NULL, plain, len, out, ret_len);
	if (rc == 0)
		*ret_dgram = out;
	return rc;
}

static int legacy_open(
	struct vc_crypt *crypt, uint8_t *dgram, size_t len, struct vc_opened *ret_packet)
{
	struct state *s = crypt->state;
	struct ovpn_legacy_packet packet;

	if (ovpn_legacy_open(&s->legacy, dgram, len, &packet) < 0)
		return -EBADMSG;
	ret_packet->plain = packet.plain;
	ret_packet->len = packet.len;
	ret_packet->packet_id = (uint32_t)packet.id;
	ret_packet->net_time = (uint32_t)(packet.id >> 32);
	return 0;
}

static unsigned legacy_overhead(const struct vc_crypt *crypt)
{
	const struct state *s = crypt->state;

	return (unsigned)ovpn_legacy_sealed_len(&s->legacy, head_len(crypt), 1) - 1;
}

const struct vc_crypt_ops vc_crypt_legacy = { .init = legacy_init,
	.done = legacy_done,
	.seal = legacy_seal,
	.open = legacy_open,
	.overhead = legacy_overhead };
