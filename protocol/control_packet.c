// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/control_packet.h"

int ovpn_control_parse_body(uint8_t first, const uint8_t sid[OVPN_SID_LEN], const uint8_t *body,
	size_t len, struct ovpn_control *ret_control)
{
	struct ovpn_control c = {
		.opcode = ovpn_opcode_of(first),
		.key_id = ovpn_key_id_of(first),
	};
	size_t at = 1;

	if (!ovpn_opcode_is_control(c.opcode))
		return -EPROTO;
	if (ovpn_sid_is_zero(sid))
		return -EINVAL;
	memcpy(c.sid, sid, OVPN_SID_LEN);
	if (len < 1)
		return -EBADMSG;
	if (body[0] > OVPN_CONTROL_MAX_ACKS)
		return -E2BIG;
	c.ack_count = body[0];
	if (c.ack_count > 0) {
		if (len - at < 4u * c.ack_count + OVPN_SID_LEN)
			return -EBADMSG;
		for (unsigned i = 0; i < c.ack_count; i++, at += 4)
			c.acks[i] = ovpn_get_be32(body + at);
		memcpy(c.acked_sid, body + at, OVPN_SID_LEN);
		at += OVPN_SID_LEN;
		if (ovpn_sid_is_zero(c.acked_sid))
			return -EINVAL;
	}
	if (ovpn_control_has_message_id(c.opcode)) {
		if (len - at < 4)
			return -EBADMSG;
		c.message_id = ovpn_get_be32(body + at);
		at += 4;
		c.payload_len = len - at;
		c.payload = c.payload_len > 0 ? body + at : NULL;
	}
	*ret_control = c;
	return 0;
}

int ovpn_control_parse(const uint8_t *buf, size_t len, struct ovpn_control *ret_control)
{
	if (len < OVPN_CONTROL_PREFIX_LEN)
		return -EBADMSG;
	return ovpn_control_parse_body(buf[0], buf + 1, buf + OVPN_CONTROL_PREFIX_LEN,
		len - OVPN_CONTROL_PREFIX_LEN, ret_control);
}

int ovpn_control_build_body(
	const struct ovpn_control *c, uint8_t *buf, size_t size, size_t *ret_len)
{
	bool numbered = ovpn_control_has_message_id(c->opcode);
	size_t need = 1;
	size_t at = 1;

	if (!ovpn_opcode_is_control(c->opcode))
		return -EPROTO;
	if (c->ack_count > OVPN_CONTROL_MAX_ACKS)
		return -E2BIG;
	if (ovpn_sid_is_zero(c->sid) || (c->ack_count > 0 && ovpn_sid_is_zero(c->acked_sid)))
		return -EINVAL;
	if (c->ack_count > 0)
		need += 4u * c->ack_count + OVPN_SID_LEN;
	if (numbered)
		need += 4;
	if (size < need || (numbered && size - need < c->payload_len))
		return -ENOBUFS;
	buf[0] = c->ack_count;
	if (c->ack_count > 0) {
		for (unsigned i = 0; i < c->ack_count; i++, at += 4)
			ovpn_put_be32(buf + at, c->acks[i]);
		memcpy(buf + at, c->acked_sid, OVPN_SID_LEN);
		at += OVPN_SID_LEN;
	}
	if (numbered) {
		ovpn_put_be32(buf + at, c->message_id);
		at += 4;
		if (c->payload_len > 0)
			memcpy(buf + at, c->payload, c->payload_len);
		at += c->payload_len;
	}
	*ret_len = at;
	return 0;
}

void ovpn_control_put_prefix(uint8_t buf[OVPN_CONTROL_PREFIX_LEN], const struct ovpn_control *c)
{
	buf[0] = ovpn_first_byte(c->opcode, c->key_id);
	memcpy(buf + 1, c->sid, OVPN_SID_LEN);
}

int ovpn_control_build(const struct ovpn_control *c, uint8_t *buf, size_t size, size_t *ret_len)
{
	size_t body_len;
	int rc;

	if (size < OVPN_CONTROL_PREFIX_LEN)
		return -ENOBUFS;
	rc = ovpn_control_build_body(
		c, buf + OVPN_CONTROL_PREFIX_LEN, size - OVPN_CONTROL_PREFIX_LEN, &body_len);
	if (rc < 0)
		return rc;
	ovpn_control_put_prefix(buf, c);
	*ret_len = OVPN_CONTROL_PREFIX_LEN + body_len;
	return 0;
}

size_t ovpn_control_payload_max(size_t max_packet, bool ipv6, unsigned acks, size_t wrap_overhead)
{
	size_t used = (ipv6 ? 48 : 28) + OVPN_CONTROL_PREFIX_LEN + 1 + 4;

	if (max_packet < OVPN_CONTROL_MTU_MIN)
		max_packet = OVPN_CONTROL_MTU_MIN;
	if (max_packet > OVPN_CONTROL_MTU_MAX)
		max_packet = OVPN_CONTROL_MTU_MAX;
	if (acks > OVPN_CONTROL_PIGGYBACK)
		acks = OVPN_CONTROL_PIGGYBACK;
	if (acks > 0)
		used += OVPN_SID_LEN + 4u * acks;
	if (max_packet - used <= wrap_overhead)
		return 0;
	return max_packet - used - wrap_overhead;
}

void ovpn_reset_tlv_put(uint8_t buf[OVPN_RESET_TLV_LEN], uint16_t flags)
{
	ovpn_put_be16(buf, OVPN_RESET_TLV_FLAGS);
	ovpn_put_be16(buf + 2, 2);
	ovpn_put_be16(buf + 4, flags);
}

int ovpn_reset_tlv_parse(const uint8_t *payload, size_t len, uint16_t *ret_flags)
{
	uint16_t flags = 0;
	size_t at = 0;

	while (at < len) {
		uint16_t type;
		uint16_t size;

		if (len - at < 4)
			return -EBADMSG;
		type = ovpn_get_be16(payload + at);
		size = ovpn_get_be16(payload + at + 2);
		at += 4;
		if (size > len - at)
			return -EBADMSG;
		if (type == OVPN_RESET_TLV_FLAGS) {
			if (size != 2)
				return -EBADMSG;
			flags = ovpn_get_be16(payload + at);
		}
		at += size;
	}
	*ret_flags = flags;
	return 0;
}
