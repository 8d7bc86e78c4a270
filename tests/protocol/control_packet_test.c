// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/control_packet.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static const uint8_t sid_a[OVPN_SID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t sid_b[OVPN_SID_LEN] = { 9, 10, 11, 12, 13, 14, 15, 16 };

static struct ovpn_control sample(uint8_t opcode, uint8_t acks)
{
	struct ovpn_control c = { .opcode = opcode, .key_id = 3, .ack_count = acks };

	memcpy(c.sid, sid_a, sizeof(sid_a));
	if (acks > 0)
		memcpy(c.acked_sid, sid_b, sizeof(sid_b));
	for (unsigned i = 0; i < acks && i < OVPN_CONTROL_MAX_ACKS; i++)
		c.acks[i] = 0xFFFFFFF0u + i;
	return c;
}

// The sizes of protocol.md 2.1.
GTC_TEST(control_packet, sizes)
{
	static const uint8_t hello[277] = { 0x16 };
	struct ovpn_control c = sample(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0);
	uint8_t buf[512];
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(len, 14);
	c = sample(OVPN_P_CONTROL_HARD_RESET_SERVER_V2, 1);
	GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(len, 26);
	for (uint8_t n = 1; n <= OVPN_CONTROL_MAX_ACKS; n++) {
		c = sample(OVPN_P_ACK_V1, n);
		GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
		GTC_EXPECT_INT(len, 18 + 4 * n);
	}
	c = sample(OVPN_P_CONTROL_V1, 1);
	c.payload = hello;
	c.payload_len = 277;
	GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(len, 303);
}

GTC_TEST(control_packet, every_truncation)
{
	static const uint8_t hello[] = "hello";
	struct ovpn_control c = sample(OVPN_P_CONTROL_V1, 2);
	struct ovpn_control back = { 0 };
	uint8_t buf[64];
	size_t len = 0;

	c.message_id = 7;
	c.payload = hello;
	c.payload_len = 5;
	GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
	for (size_t n = 0; n < len - 5; n++)
		GTC_EXPECT_INT(ovpn_control_parse(buf, n, &back), -EBADMSG);
	GTC_ASSERT_INT(ovpn_control_parse(buf, len, &back), 0);
	GTC_EXPECT_INT(back.payload_len, 5);
	GTC_EXPECT_MEM(back.payload, hello, 5);
	GTC_EXPECT_INT(back.acks[1], 0xFFFFFFF1u);
	GTC_EXPECT_INT(back.message_id, 7);
	for (size_t n = 0; n < len; n++)
		GTC_EXPECT_INT(ovpn_control_build(&c, buf, n, &len), -ENOBUFS);
}

GTC_TEST(control_packet, refused)
{
	struct ovpn_control c = sample(OVPN_P_ACK_V1, 8);
	struct ovpn_control back = { 0 };
	uint8_t buf[128];
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
	buf[9] = 9;
	GTC_EXPECT_INT(ovpn_control_parse(buf, sizeof(buf), &back), -E2BIG);
	buf[9] = 255;
	GTC_EXPECT_INT(ovpn_control_parse(buf, sizeof(buf), &back), -E2BIG);
	buf[9] = 8;
	buf[0] = ovpn_first_byte(OVPN_P_DATA_V1, 0);
	GTC_EXPECT_INT(ovpn_control_parse(buf, len, &back), -EPROTO);
	buf[0] = ovpn_first_byte(OVPN_P_CONTROL_HARD_RESET_CLIENT_V1, 0);
	GTC_EXPECT_INT(ovpn_control_parse(buf, len, &back), -EPROTO);
	buf[0] = ovpn_first_byte(OVPN_P_ACK_V1, 0);
	memset(buf + 10 + 32, 0, OVPN_SID_LEN); // the receiver's session id
	GTC_EXPECT_INT(ovpn_control_parse(buf, len, &back), -EINVAL);
	memset(buf + 1, 0, OVPN_SID_LEN);
	GTC_EXPECT_INT(ovpn_control_parse(buf, len, &back), -EINVAL);
	c.ack_count = 9;
	GTC_EXPECT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), -E2BIG);
	c = sample(OVPN_P_DATA_V2, 0);
	GTC_EXPECT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), -EPROTO);
	c = sample(OVPN_P_CONTROL_V1, 1);
	memset(c.acked_sid, 0, OVPN_SID_LEN);
	GTC_EXPECT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), -EINVAL);
}

GTC_TEST(control_packet, ack_ignores_what_follows)
{
	struct ovpn_control c = sample(OVPN_P_ACK_V1, 1);
	struct ovpn_control back = { 0 };
	uint8_t buf[64] = { 0 };
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_control_build(&c, buf, sizeof(buf), &len), 0);
	GTC_ASSERT_INT(ovpn_control_parse(buf, len + 5, &back), 0);
	GTC_EXPECT_INT(back.payload_len, 0);
	GTC_EXPECT(back.payload == NULL);
}

GTC_TEST(control_packet, payload_max)
{
	// One acknowledgement on IPv4: at most 1222 bytes of datagram, of which 26 are header.
	GTC_EXPECT_INT(ovpn_control_payload_max(1250, false, 1, 0), 1222 - 26);
	GTC_EXPECT_INT(ovpn_control_payload_max(1250, true, 1, 0), 1202 - 26);
	GTC_EXPECT_INT(ovpn_control_payload_max(1250, false, 0, 0), 1222 - 14);
	GTC_EXPECT_INT(ovpn_control_payload_max(1250, false, 4, 0), 1222 - 38);
	GTC_EXPECT_INT(ovpn_control_payload_max(1250, false, 8, 0), 1222 - 38);
	// tls-crypt: 40 bytes on the wire make 1206 bytes of datagram.
	GTC_EXPECT_INT(
		ovpn_control_payload_max(1250, false, 1, OVPN_WRAP_OVERHEAD_TLS_CRYPT) + 26 + 40,
		1206);
	GTC_EXPECT_INT(ovpn_control_payload_max(0, false, 0, 0), 154 - 28 - 14);
	GTC_EXPECT_INT(ovpn_control_payload_max(1u << 20, false, 0, 0), 2048 - 28 - 14);
	GTC_EXPECT_INT(ovpn_control_payload_max(154, true, 4, 1024), 0);
}

GTC_TEST(control_packet, reset_tlv)
{
	static const uint8_t unknown[] = { 0, 9, 0, 1, 0xaa, 0, 1, 0, 2, 0, 1 };
	uint8_t buf[OVPN_RESET_TLV_LEN];
	uint16_t flags = 99;

	ovpn_reset_tlv_put(buf, OVPN_RESET_FLAG_RESEND_WKC);
	GTC_EXPECT_MEM(buf, "\0\1\0\2\0\1", 6);
	GTC_EXPECT_INT(ovpn_reset_tlv_parse(buf, 6, &flags), 0);
	GTC_EXPECT_INT(flags, 1);
	for (size_t n = 1; n < 6; n++)
		GTC_EXPECT_INT(ovpn_reset_tlv_parse(buf, n, &flags), -EBADMSG);
	GTC_EXPECT_INT(ovpn_reset_tlv_parse(buf, 0, &flags), 0);
	GTC_EXPECT_INT(flags, 0);
	GTC_EXPECT_INT(ovpn_reset_tlv_parse(unknown, sizeof(unknown), &flags), 0);
	GTC_EXPECT_INT(flags, 1);
	GTC_EXPECT(ovpn_early_negotiation(0x0f000001));
	GTC_EXPECT(ovpn_early_negotiation(0xffffffff));
	GTC_EXPECT(!ovpn_early_negotiation(1));
	GTC_EXPECT(!ovpn_early_negotiation(0x0e000001));
}

// Compare one packet of a capture without wrapping with its entry, then build it again.
static void check_packet(const struct vec_packet *p)
{
	const json_t *acks = json_object_get(p->json, "acks");
	struct ovpn_control c = { 0 };
	uint8_t sid[OVPN_SID_LEN];
	uint8_t again[2048];
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_control_parse(p->data, p->len, &c), 0);
	GTC_EXPECT_INT(c.key_id, vec_int(p->json, "key_id", -1));
	GTC_ASSERT_INT(vec_hex(p->json, "sid", sid, sizeof(sid)), sizeof(sid));
	GTC_EXPECT_MEM(c.sid, sid, sizeof(sid));
	GTC_ASSERT_INT(c.ack_count, json_array_size(acks));
	for (unsigned i = 0; i < c.ack_count; i++)
		GTC_EXPECT_INT(c.acks[i], json_integer_value(json_array_get(acks, i)));
	if (c.ack_count > 0) {
		GTC_ASSERT_INT(vec_hex(p->json, "acked_sid", sid, sizeof(sid)), sizeof(sid));
		GTC_EXPECT_MEM(c.acked_sid, sid, sizeof(sid));
	}
	if (ovpn_control_has_message_id(c.opcode))
		GTC_EXPECT_INT(c.message_id, vec_int(p->json, "pid", -1));
	GTC_EXPECT_INT(c.payload_len, vec_int(p->json, "payload_len", 0));
	GTC_ASSERT_INT(ovpn_control_build(&c, again, sizeof(again), &len), 0);
	GTC_ASSERT_INT(len, p->len);
	GTC_EXPECT_MEM(again, p->data, len);
}

GTC_TEST(control_packet, vectors)
{
	unsigned seen = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		bool wrapped = json_object_get(v->json, "control") != NULL;

		for (size_t i = 0; i < v->count && !wrapped; i++) {
			const struct vec_packet *p = &v->packet[i];

			// Renegotiations may be wrapped although the session isn't.
			if (json_object_get(p->json, "sid") == NULL ||
				json_object_get(p->json, "replay_pid") != NULL)
				continue;
			check_packet(p);
			seen++;
		}
		vec_free(v);
	}
	GTC_EXPECT(seen > 300);
}
