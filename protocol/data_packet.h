// SPDX-License-Identifier: BSD-3-Clause
// Layouts of AEAD data packets.
//
//   V1:     opcode[1]             packet-id[4]  tag[16]  ciphertext
//   V2:     opcode[1] peer-id[3]  packet-id[4]  tag[16]  ciphertext
//   epoch:  opcode[1] peer-id[3]  packet-id[8]           ciphertext  tag[16]
//
// Authenticated besides the ciphertext: V1 the packet-id alone, V2 and epoch everything in front
// of the tag or ciphertext. Nonce: packet-id || 8 bytes of implicit IV; epoch: 12 bytes of
// implicit IV xor (packet-id || four zero bytes). Source: protocol.md 9.4, 9.5.
#pragma once

#include <errno.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/opcode.h"

// Data format of a session. V1 and V2 are told apart by the opcode; epoch looks like V2 on the wire
// and is negotiated. The numbers are part of the shared-memory layout.
enum ovpn_data_format {
	OVPN_DATA_FORMAT_V1 = 0,
	OVPN_DATA_FORMAT_V2 = 1,
	OVPN_DATA_FORMAT_EPOCH = 2,
	OVPN_DATA_FORMAT_COUNT
};

#define OVPN_DATA_V1_HEAD 5u // bytes in front of the tag
#define OVPN_DATA_V2_HEAD 8u // bytes in front of the tag
#define OVPN_DATA_EPOCH_HEAD 12u // bytes in front of the ciphertext
#define OVPN_DATA_HEAD_MAX 12u
#define OVPN_DATA_V1_OVERHEAD (OVPN_DATA_V1_HEAD + OVPN_AEAD_TAG_LEN)
#define OVPN_DATA_V2_OVERHEAD (OVPN_DATA_V2_HEAD + OVPN_AEAD_TAG_LEN)
#define OVPN_DATA_EPOCH_OVERHEAD (OVPN_DATA_EPOCH_HEAD + OVPN_AEAD_TAG_LEN)
#define OVPN_DATA_OVERHEAD_MAX OVPN_DATA_EPOCH_OVERHEAD
#define OVPN_IMPLICIT_IV_LEN 8u // of V1 and V2
#define OVPN_EPOCH_IV_LEN 12u // of the epoch format
#define OVPN_EPOCH_COUNTER_BITS 48u // low bits of its packet-id; the epoch is above
#define OVPN_PACKET_ID_REKEY 0xFF000000u // from here on a 32-bit sender asks for a new key
#define OVPN_PACKET_ID_MAX 0xFFFFFFFFu // last id that a 32-bit sender may use

// Where things lie in a packet of a format; bytes from the start of the UDP payload.
struct ovpn_data_layout {
	uint8_t head_len; // opcode to packet-id
	uint8_t pid_off; // of the packet-id
	uint8_t pid_len; // 4 or 8
	uint8_t aad_off;
	uint8_t aad_len;
	uint8_t tag_off; // 0: the tag is at the end
	uint8_t ct_off; // of the ciphertext
	uint8_t overhead; // whole packet minus plaintext
	uint8_t min_len; // shortest legal packet: one byte of plaintext
};

static const struct ovpn_data_layout ovpn_data_layouts[OVPN_DATA_FORMAT_COUNT] = {
	[OVPN_DATA_FORMAT_V1] = { 5, 1, 4, 1, 4, 5, 21, 21, 22 },
	[OVPN_DATA_FORMAT_V2] = { 8, 4, 4, 0, 8, 8, 24, 24, 25 },
	[OVPN_DATA_FORMAT_EPOCH] = { 12, 4, 8, 0, 12, 0, 12, 28, 29 },
};

// A data packet taken apart. Pointers are into the datagram, ready for work in place.
struct ovpn_data_packet {
	struct ovpn_hdr hdr;
	uint64_t packet_id; // host byte order; epoch: epoch << 48 | counter
	uint8_t *aad;
	uint8_t *tag; // OVPN_AEAD_TAG_LEN bytes
	uint8_t *ct; // ciphertext, ct_len bytes >= 1
	uint16_t aad_len;
	uint16_t ct_len;
};

// Take apart a data packet of len bytes in the session's format.
//
// Returns 0, -EBADMSG when it is too short (or longer than a UDP datagram), -EPROTO when the
// opcode isn't that of the format, -EINVAL when the packet-id is 0. *ret_packet is written on
// success only.
static inline int ovpn_data_parse(
	enum ovpn_data_format format, uint8_t *buf, size_t len, struct ovpn_data_packet *ret_packet)
{
	const struct ovpn_data_layout *l = &ovpn_data_layouts[format];
	uint64_t id;

	if (len < l->min_len || len > UINT16_MAX)
		return -EBADMSG;
	if (ovpn_opcode_of(buf[0]) !=
		(format == OVPN_DATA_FORMAT_V1 ? OVPN_P_DATA_V1 : OVPN_P_DATA_V2))
		return -EPROTO;
	id = l->pid_len == 8 ? ovpn_get_be64(buf + l->pid_off) : ovpn_get_be32(buf + l->pid_off);
	if (id == 0)
		return -EINVAL;
	(void)ovpn_hdr_parse(buf, len, &ret_packet->hdr); // can't fail: opcode and length are known
	ret_packet->packet_id = id;
	ret_packet->aad = buf + l->aad_off;
	ret_packet->aad_len = l->aad_len;
	ret_packet->ct = buf + l->ct_off;
	ret_packet->ct_len = (uint16_t)(len - l->overhead);
	ret_packet->tag = l->tag_off != 0 ? buf + l->tag_off : buf + len - OVPN_AEAD_TAG_LEN;
	return 0;
}

// Write everything in front of the tag or ciphertext to buf, which has room for
// OVPN_DATA_HEAD_MAX bytes. peer_id is ignored in V1; packet_id is cut to 32 bits in V1 and V2.
// Returns the bytes written, layout.head_len.
static inline size_t ovpn_data_put_head(uint8_t *buf, enum ovpn_data_format format, uint8_t key_id,
	uint32_t peer_id, uint64_t packet_id)
{
	const struct ovpn_data_layout *l = &ovpn_data_layouts[format];

	if (format == OVPN_DATA_FORMAT_V1) {
		buf[0] = ovpn_first_byte(OVPN_P_DATA_V1, key_id);
	} else {
		buf[0] = ovpn_first_byte(OVPN_P_DATA_V2, key_id);
		ovpn_put_be24(buf + 1, peer_id);
	}
	if (l->pid_len == 8)
		ovpn_put_be64(buf + l->pid_off, packet_id);
	else
		ovpn_put_be32(buf + l->pid_off, (uint32_t)packet_id);
	return l->head_len;
}

// Nonce of V1 and V2: packet-id as on the wire, then eight bytes from the HMAC part of the keys.
static inline void ovpn_data_nonce(uint8_t nonce[OVPN_AEAD_NONCE_LEN], uint32_t packet_id,
	const uint8_t iv[OVPN_IMPLICIT_IV_LEN])
{
	ovpn_put_be32(nonce, packet_id);
	memcpy(nonce + 4, iv, OVPN_IMPLICIT_IV_LEN);
}

// Nonce of the epoch format: iv xor (packet-id || 0).
static inline void ovpn_data_nonce_epoch(
	uint8_t nonce[OVPN_AEAD_NONCE_LEN], uint64_t packet_id, const uint8_t iv[OVPN_EPOCH_IV_LEN])
{
	ovpn_put_be64(nonce, packet_id ^ ovpn_get_be64(iv));
	memcpy(nonce + 8, iv + 8, 4);
}

// --- The 256 bytes of key material of a negotiation (protocol.md 5.5) ---

#define OVPN_KEY_MATERIAL_LEN 256u
#define OVPN_KEY_C2S_CIPHER 0u // offsets of the four parts of 64 bytes
#define OVPN_KEY_C2S_HMAC 64u // its first 8 bytes are the implicit IV of AEAD
#define OVPN_KEY_S2C_CIPHER 128u
#define OVPN_KEY_S2C_HMAC 192u
