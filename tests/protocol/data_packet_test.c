// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/data_packet.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

GTC_TEST(data_packet, layout_is_consistent)
{
	for (unsigned f = 0; f < OVPN_DATA_FORMAT_COUNT; f++) {
		const struct ovpn_data_layout *l = &ovpn_data_layouts[f];

		GTC_EXPECT_INT(l->head_len, l->pid_off + l->pid_len);
		GTC_EXPECT_INT(l->aad_off + l->aad_len, l->head_len);
		GTC_EXPECT_INT(l->overhead, l->head_len + OVPN_AEAD_TAG_LEN);
		GTC_EXPECT_INT(l->min_len, l->overhead + 1);
		if (l->tag_off != 0) {
			GTC_EXPECT_INT(l->tag_off, l->head_len);
			GTC_EXPECT_INT(l->ct_off, l->tag_off + OVPN_AEAD_TAG_LEN);
		} else {
			GTC_EXPECT_INT(l->ct_off, l->head_len);
		}
	}
	GTC_EXPECT_INT(ovpn_data_layouts[OVPN_DATA_FORMAT_V1].overhead, OVPN_DATA_V1_OVERHEAD);
	GTC_EXPECT_INT(ovpn_data_layouts[OVPN_DATA_FORMAT_V2].overhead, OVPN_DATA_V2_OVERHEAD);
	GTC_EXPECT_INT(
		ovpn_data_layouts[OVPN_DATA_FORMAT_EPOCH].overhead, OVPN_DATA_EPOCH_OVERHEAD);
}

GTC_TEST(data_packet, put_and_parse)
{
	for (unsigned f = 0; f < OVPN_DATA_FORMAT_COUNT; f++) {
		enum ovpn_data_format format = (enum ovpn_data_format)f;
		const struct ovpn_data_layout *l = &ovpn_data_layouts[f];
		uint64_t id = f == OVPN_DATA_FORMAT_EPOCH ? 0x0001000000000002ull : 0xFFFFFFFE;
		struct ovpn_data_packet p = { 0 };
		uint8_t buf[64] = { 0 };

		GTC_EXPECT_INT(ovpn_data_put_head(buf, format, 6, 0x010203, id), l->head_len);
		for (size_t len = 0; len < l->min_len; len++)
			GTC_EXPECT_INT(ovpn_data_parse(format, buf, len, &p), -EBADMSG);
		GTC_ASSERT_INT(ovpn_data_parse(format, buf, 50, &p), 0);
		GTC_EXPECT(p.packet_id == id);
		GTC_EXPECT_INT(p.hdr.key_id, 6);
		GTC_EXPECT_INT(
			p.hdr.peer_id, f == OVPN_DATA_FORMAT_V1 ? OVPN_PEER_ID_NONE : 0x010203);
		GTC_EXPECT_INT(p.ct_len, 50 - l->overhead);
		GTC_EXPECT_INT(p.aad - buf, f == OVPN_DATA_FORMAT_V1 ? 1 : 0);
		GTC_EXPECT_INT(p.tag - buf, f == OVPN_DATA_FORMAT_EPOCH ? 34 : l->head_len);
		GTC_EXPECT_INT(p.ct - buf, f == OVPN_DATA_FORMAT_EPOCH ? 12 : l->head_len + 16);
		memset(buf + l->pid_off, 0, l->pid_len);
		GTC_EXPECT_INT(ovpn_data_parse(format, buf, 50, &p), -EINVAL);
		buf[0] ^= ovpn_first_byte(OVPN_P_DATA_V1 ^ OVPN_P_DATA_V2, 0);
		GTC_EXPECT_INT(ovpn_data_parse(format, buf, 50, &p), -EPROTO);
	}
}

GTC_TEST(data_packet, nonces)
{
	static const uint8_t iv[12] = { 0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	uint8_t nonce[12];

	ovpn_data_nonce(nonce, 0x00000004, iv);
	GTC_EXPECT_MEM(nonce, "\0\0\0\4\x80\1\2\3\4\5\6\7", 12);
	ovpn_data_nonce_epoch(nonce, 0x0001000000000002ull, iv);
	GTC_EXPECT_MEM(nonce, "\x80\0\2\3\4\5\6\5\x8\x9\xa\xb", 12);
}

// Packet-ids and lengths of every AEAD packet that was captured.
GTC_TEST(data_packet, vectors)
{
	unsigned seen = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		const json_t *data = json_object_get(v->json, "data");
		const char *cipher_name = vec_str(data, "cipher");
		enum ovpn_data_format format = OVPN_DATA_FORMAT_V2;
		enum ovpn_cipher cipher = OVPN_CIPHER_NONE;

		GTC_EXPECT_INT(ovpn_cipher_by_name(cipher_name, strlen(cipher_name), &cipher), 0);
		if (json_is_true(json_object_get(data, "epoch")))
			format = OVPN_DATA_FORMAT_EPOCH;
		for (size_t i = 0; i < v->count && ovpn_cipher_is_aead(cipher); i++) {
			const struct vec_packet *p = &v->packet[i];
			struct ovpn_data_packet d = { 0 };
			uint64_t id = (uint64_t)vec_int(p->json, "packet_id", 0);

			if (json_object_get(p->json, "plain") == NULL)
				continue;
			id |= (uint64_t)vec_int(p->json, "epoch", 0) << OVPN_EPOCH_COUNTER_BITS;
			GTC_ASSERT_INT(ovpn_data_parse(format, (uint8_t *)p->data, p->len, &d), 0);
			GTC_EXPECT(d.packet_id == id);
			GTC_EXPECT_INT(d.ct_len, strlen(vec_str(p->json, "plain")) / 2);
			GTC_EXPECT_INT(d.hdr.peer_id, vec_int(p->json, "peer_id", -1));
			seen++;
		}
		vec_free(v);
	}
	GTC_EXPECT(seen > 140);
}
