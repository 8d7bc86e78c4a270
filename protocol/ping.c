// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/ping.h"
#include "protocol/text.h"

int ovpn_occ_parse(const uint8_t *p, size_t len, struct ovpn_occ *ret_occ)
{
	struct ovpn_occ occ = { 0 };
	const uint8_t *body;
	size_t left;

	if (len < OVPN_OCC_HEAD_LEN)
		return -EBADMSG;
	if (ovpn_get_be64(p) != OVPN_OCC_HI || ovpn_get_be64(p + 8) != OVPN_OCC_LO)
		return -EPROTO;
	body = p + OVPN_OCC_HEAD_LEN;
	left = len - OVPN_OCC_HEAD_LEN;
	occ.op = p[OVPN_OCC_MAGIC_LEN];
	switch (occ.op) {
	case OVPN_OCC_REQUEST:
	case OVPN_OCC_MTU_REQUEST:
	case OVPN_OCC_EXIT: break;
	case OVPN_OCC_REPLY:
		occ.options.data = body;
		occ.options.len = strnlen((const char *)body, left);
		if (!ovpn_text_is_printable((const char *)body, occ.options.len))
			return -EBADMSG;
		break;
	case OVPN_OCC_MTU_LOAD_REQUEST:
		if (left < 2)
			return -EBADMSG;
		occ.load_size = ovpn_get_be16(body);
		break;
	case OVPN_OCC_MTU_LOAD:
		occ.load_size = left > UINT16_MAX ? UINT16_MAX : (uint16_t)left;
		break;
	case OVPN_OCC_MTU_REPLY:
		if (left < 4)
			return -EBADMSG;
		occ.recv_max = ovpn_get_be16(body);
		occ.sent_max = ovpn_get_be16(body + 2);
		break;
	default: return -EPROTO;
	}
	*ret_occ = occ;
	return 0;
}

// Bytes behind the opcode, or -EINVAL.
static int body_len(const struct ovpn_occ *occ)
{
	switch (occ->op) {
	case OVPN_OCC_REQUEST:
	case OVPN_OCC_MTU_REQUEST:
	case OVPN_OCC_EXIT: return 0;
	case OVPN_OCC_REPLY:
		if (occ->options.len >= OVPN_OCC_OPTIONS_MAX)
			return -EINVAL;
		return (int)occ->options.len + 1;
	case OVPN_OCC_MTU_LOAD_REQUEST: return 2;
	case OVPN_OCC_MTU_LOAD: return occ->load_size;
	case OVPN_OCC_MTU_REPLY: return 4;
	default: return -EINVAL;
	}
}

int ovpn_occ_build(const struct ovpn_occ *occ, uint8_t *buf, size_t size, size_t *ret_len)
{
	int body = body_len(occ);
	uint8_t *at = buf + OVPN_OCC_HEAD_LEN;

	if (body < 0)
		return body;
	if (size < OVPN_OCC_HEAD_LEN + (size_t)body)
		return -ENOBUFS;
	ovpn_put_be64(buf, OVPN_OCC_HI);
	ovpn_put_be64(buf + 8, OVPN_OCC_LO);
	buf[OVPN_OCC_MAGIC_LEN] = occ->op;
	memset(at, 0, (size_t)body);
	switch (occ->op) {
	case OVPN_OCC_REPLY:
		if (occ->options.len > 0)
			memcpy(at, occ->options.data, occ->options.len);
		break;
	case OVPN_OCC_MTU_LOAD_REQUEST: ovpn_put_be16(at, occ->load_size); break;
	case OVPN_OCC_MTU_REPLY:
		ovpn_put_be16(at, occ->recv_max);
		ovpn_put_be16(at + 2, occ->sent_max);
		break;
	default: break;
	}
	*ret_len = OVPN_OCC_HEAD_LEN + (size_t)body;
	return 0;
}
