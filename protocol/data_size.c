// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/data_size.h"

#define TCP_IP4_LEN 40u

static size_t header_len(const struct ovpn_data_shape *s)
{
	if (s->static_key)
		return 0;
	return s->format == OVPN_DATA_FORMAT_V1 ? OVPN_HDR_V1_LEN : OVPN_HDR_V2_LEN;
}

// Bytes inside the encryption in front of the payload.
static size_t framing_len(const struct ovpn_data_shape *s)
{
	return ovpn_compress_len(s->compress) + (s->fragment ? OVPN_FRAGMENT_HDR : 0);
}

static size_t id_len(const struct ovpn_data_shape *s)
{
	return s->static_key ? 8 : 4;
}

size_t ovpn_data_packet_len(const struct ovpn_data_shape *s, size_t plain_len)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(s->cipher);
	size_t head = header_len(s) + ovpn_digest_len(s->digest);
	size_t plain = plain_len + framing_len(s);

	switch (ci->mode) {
	case OVPN_MODE_AEAD: return ovpn_data_layouts[s->format].overhead + plain;
	case OVPN_MODE_CBC:
		return head + ci->iv_len +
			((id_len(s) + plain) / ci->block_len + 1) * ci->block_len;
	case OVPN_MODE_CFB:
	case OVPN_MODE_OFB: return head + ci->iv_len + plain;
	default: return head + id_len(s) + plain;
	}
}

size_t ovpn_data_plain_max(const struct ovpn_data_shape *s, size_t udp_payload)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(s->cipher);
	size_t fixed = header_len(s) + ovpn_digest_len(s->digest) + ci->iv_len;
	size_t inside = framing_len(s);
	size_t room;

	switch (ci->mode) {
	case OVPN_MODE_AEAD: fixed = ovpn_data_layouts[s->format].overhead; break;
	case OVPN_MODE_CBC: inside += id_len(s) + 1; break; // one byte of padding at least
	case OVPN_MODE_CFB:
	case OVPN_MODE_OFB: break;
	default: inside += id_len(s); break;
	}
	if (udp_payload <= fixed)
		return 0;
	room = (udp_payload - fixed) / ci->block_len * ci->block_len;
	return room > inside ? room - inside : 0;
}

uint16_t ovpn_data_mss(const struct ovpn_data_shape *s, unsigned mssfix, unsigned outer_bytes)
{
	const struct ovpn_cipher_info *ci = ovpn_cipher_info(s->cipher);
	size_t overhead = header_len(s) + ovpn_digest_len(s->digest) + ci->iv_len + outer_bytes;
	size_t payload = framing_len(s) + TCP_IP4_LEN;
	size_t room;

	switch (ci->mode) {
	case OVPN_MODE_AEAD: overhead = ovpn_data_layouts[s->format].overhead + outer_bytes; break;
	case OVPN_MODE_CBC: payload += id_len(s); break;
	case OVPN_MODE_CFB:
	case OVPN_MODE_OFB:
		overhead += 8;
		break; // stock counts the long packet-id on top of the IV
	default: overhead += id_len(s); break;
	}
	if (mssfix <= overhead)
		return 0;
	room = mssfix - overhead;
	if (ci->mode == OVPN_MODE_CBC)
		room = room / ci->block_len * ci->block_len;
	if (room <= payload + 1)
		return 0;
	return (uint16_t)(room - payload - (ci->mode == OVPN_MODE_CBC ? 1 : 0));
}
