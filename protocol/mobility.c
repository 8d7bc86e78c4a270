// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/mobility.h"
#include "protocol/text.h"

static size_t header_len(enum ovpn_data_format format)
{
	return format == OVPN_DATA_FORMAT_V1 ? OVPN_HDR_V1_LEN : OVPN_HDR_V2_LEN;
}

size_t ovpn_ping_packet_len(const struct ovpn_ping_shape *shape)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(shape->cipher);
	size_t head = header_len(shape->format);
	size_t digest = ovpn_digest_len(shape->digest);
	size_t plain = OVPN_PING_LEN + shape->framing;

	if ((unsigned)shape->format >= OVPN_DATA_FORMAT_COUNT ||
		shape->framing > OVPN_FRAMING_MAX ||
		(shape->format == OVPN_DATA_FORMAT_EPOCH && ci->mode != OVPN_MODE_AEAD))
		return 0;
	switch (ci->mode) {
	case OVPN_MODE_AEAD: return ovpn_data_layouts[shape->format].overhead + plain;
	case OVPN_MODE_CBC:
		// The packet-id is encrypted with the payload; padding is 1 to block bytes.
		return head + digest + ci->iv_len +
			ci->block_len * ((4 + plain) / ci->block_len + 1);
	case OVPN_MODE_CFB:
	case OVPN_MODE_OFB: return head + digest + ci->iv_len + plain;
	default: return head + digest + 4 + plain;
	}
}

size_t ovpn_reconf_packet_len(const struct ovpn_ping_shape *shape)
{
	size_t len = ovpn_ping_packet_len(shape);

	return len != 0 ? len + OVPN_SID_LEN : 0;
}

int ovpn_lazy_sid_offset(
	enum ovpn_data_format format, enum ovpn_cipher cipher, enum ovpn_digest digest)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(cipher);
	int iv = (int)(header_len(format) + ovpn_digest_len(digest));

	if (format == OVPN_DATA_FORMAT_EPOCH)
		return -ENOTSUP;
	switch (ci->mode) {
	case OVPN_MODE_CBC: return ci->iv_len == OVPN_SID_LEN ? iv : iv + (int)OVPN_SID_LEN;
	case OVPN_MODE_CFB:
	case OVPN_MODE_OFB:
		// Packet-id and time take the first eight bytes of the IV.
		return ci->iv_len > OVPN_SID_LEN ? iv + (int)OVPN_SID_LEN : -ENOTSUP;
	default: return -ENOTSUP;
	}
}

int ovpn_mobility_parse(const char *s, size_t len, struct ovpn_mobility *ret_mobility)
{
	struct ovpn_mobility m = { 0 };
	uint64_t version;
	size_t at = 0;

	for (unsigned word = 0; at < len; word++) {
		size_t start;

		while (at < len && s[at] == ' ')
			at++;
		start = at;
		while (at < len && s[at] != ' ')
			at++;
		if (at == start)
			break;
		if (word == 0) {
			if (ovpn_parse_u64(s + start, at - start, UINT32_MAX, &version) < 0)
				return -EINVAL;
			m.version = (uint32_t)version;
		} else if (ovpn_text_equal(s + start, at - start, "lazy")) {
			m.lazy = true;
		}
	}
	if (m.version == 0)
		return -EINVAL;
	*ret_mobility = m;
	return 0;
}

int ovpn_mobility_build(const struct ovpn_mobility *m, char *buf, size_t size, size_t *ret_len)
{
	struct ovpn_text t;

	ovpn_text_init(&t, buf, size);
	ovpn_text_add(&t, OVPN_MOBILITY_OPTION " ");
	ovpn_text_add_u64(&t, m->version);
	if (m->lazy)
		ovpn_text_add(&t, " lazy");
	return ovpn_text_done(&t, ret_len);
}
