// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/opcode.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

GTC_TEST(opcode, first_byte)
{
	GTC_EXPECT_INT(ovpn_first_byte(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0), 0x38);
	GTC_EXPECT_INT(ovpn_first_byte(OVPN_P_CONTROL_SOFT_RESET_V1, 7), 0x1f);
	GTC_EXPECT_INT(ovpn_opcode_of(0x4f), OVPN_P_DATA_V2);
	GTC_EXPECT_INT(ovpn_key_id_of(0x4f), 7);
}

GTC_TEST(opcode, key_id_zero_never_returns)
{
	GTC_EXPECT_INT(ovpn_key_id_next(0), 1);
	GTC_EXPECT_INT(ovpn_key_id_next(6), 7);
	GTC_EXPECT_INT(ovpn_key_id_next(7), 1);
}

GTC_TEST(opcode, every_first_byte)
{
	for (unsigned first = 0; first < 256; first++) {
		uint8_t buf[4] = { (uint8_t)first, 0x12, 0x34, 0x56 };
		unsigned opcode = first >> 3;
		struct ovpn_hdr hdr = { 0 };
		int rc = ovpn_hdr_parse(buf, sizeof(buf), &hdr);

		if (opcode < 3 || opcode > 11) {
			GTC_EXPECT_INT(rc, -EPROTO);
			GTC_EXPECT(!ovpn_opcode_is_control((uint8_t)opcode));
			continue;
		}
		GTC_ASSERT_INT(rc, 0);
		GTC_EXPECT_INT(hdr.opcode, opcode);
		GTC_EXPECT_INT(hdr.key_id, first & 7);
		GTC_EXPECT_INT(hdr.len, opcode == 9 ? 4 : 1);
		GTC_EXPECT_INT(hdr.peer_id, opcode == 9 ? 0x123456 : 0xFFFFFF);
		GTC_EXPECT(ovpn_opcode_is_control(hdr.opcode) != ovpn_opcode_is_data(hdr.opcode));
	}
}

GTC_TEST(opcode, truncated)
{
	static const uint8_t v2[] = { 0x48, 0, 0, 1 };
	struct ovpn_hdr hdr = { .opcode = 99 };

	GTC_EXPECT_INT(ovpn_hdr_parse(v2, 0, &hdr), -EBADMSG);
	for (size_t len = 1; len < 4; len++)
		GTC_EXPECT_INT(ovpn_hdr_parse(v2, len, &hdr), -EBADMSG);
	GTC_EXPECT_INT(hdr.opcode, 99); // results are written on success only
	GTC_EXPECT_INT(ovpn_hdr_parse(v2, 4, &hdr), 0);
}

GTC_TEST(opcode, put_and_parse)
{
	struct ovpn_hdr hdr = { .opcode = OVPN_P_DATA_V2, .key_id = 5, .peer_id = 0xABCDEF };
	struct ovpn_hdr back = { 0 };
	uint8_t buf[4];

	GTC_EXPECT_INT(ovpn_hdr_put(buf, &hdr), 4);
	GTC_EXPECT_MEM(buf, "\x4d\xab\xcd\xef", 4);
	GTC_ASSERT_INT(ovpn_hdr_parse(buf, 4, &back), 0);
	GTC_EXPECT_INT(back.peer_id, 0xABCDEF);
	hdr.opcode = OVPN_P_DATA_V1;
	GTC_EXPECT_INT(ovpn_hdr_put(buf, &hdr), 1);
	GTC_EXPECT_INT(buf[0], 0x35);
}

GTC_TEST(opcode, names)
{
	GTC_EXPECT_STR(ovpn_opcode_name(OVPN_P_DATA_V2), "P_DATA_V2");
	GTC_EXPECT_STR(ovpn_opcode_name(0), "P_UNKNOWN");
	GTC_EXPECT_STR(ovpn_opcode_name(12), "P_UNKNOWN");
	GTC_EXPECT_STR(ovpn_opcode_name(255), "P_UNKNOWN");
}

// Every datagram of every capture in TLS mode: opcode, key id and peer-id as decoded there.
GTC_TEST(opcode, vectors)
{
	unsigned seen = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);

		for (size_t i = 0; i < v->count; i++) {
			const struct vec_packet *p = &v->packet[i];
			struct ovpn_hdr hdr = { 0 };

			if (json_object_get(p->json, "error") != NULL)
				continue;
			GTC_ASSERT_INT(ovpn_hdr_parse(p->data, p->len, &hdr), 0);
			GTC_EXPECT_STR(ovpn_opcode_name(hdr.opcode), vec_str(p->json, "opcode"));
			GTC_EXPECT_INT(hdr.key_id, vec_int(p->json, "key_id", -1));
			if (hdr.opcode == OVPN_P_DATA_V2)
				GTC_EXPECT_INT(hdr.peer_id, vec_int(p->json, "peer_id", -1));
			seen++;
		}
		vec_free(v);
	}
	GTC_EXPECT(seen > 700);
}
