// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/ping.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static const uint8_t magic[] = { 0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81, 0x2d, 0x56, 0xb8,
	0xd3, 0xaf, 0xc5, 0x45, 0x9c };

GTC_TEST(ping, pattern)
{
	static const uint8_t want[] = { 0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb, 0x07, 0xed,
		0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48 };
	uint8_t buf[17] = { 0 };

	ovpn_ping_put(buf);
	GTC_EXPECT_MEM(buf, want, 16);
	GTC_EXPECT(ovpn_is_ping(buf, 16));
	GTC_EXPECT(!ovpn_is_ping(buf, 15));
	GTC_EXPECT(!ovpn_is_ping(buf, 17)); // a prefix is no Ping
	for (unsigned i = 0; i < 128; i++) {
		buf[i / 8] ^= (uint8_t)(1u << i % 8);
		GTC_EXPECT(!ovpn_is_ping(buf, 16));
		buf[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

GTC_TEST(ping, classify)
{
	uint8_t buf[64] = { 0x45 };

	GTC_EXPECT_INT(ovpn_payload_classify(buf, 20), OVPN_PAYLOAD_IP4);
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 19), OVPN_PAYLOAD_OTHER);
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 0), OVPN_PAYLOAD_OTHER);
	buf[0] = 0x60;
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 40), OVPN_PAYLOAD_IP6);
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 39), OVPN_PAYLOAD_OTHER);
	ovpn_ping_put(buf);
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 16), OVPN_PAYLOAD_PING);
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 24), OVPN_PAYLOAD_OTHER);
	memcpy(buf, magic, sizeof(magic));
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 16), OVPN_PAYLOAD_OTHER);
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 17), OVPN_PAYLOAD_OCC);
	buf[0] = 0x50;
	GTC_EXPECT_INT(ovpn_payload_classify(buf, 64), OVPN_PAYLOAD_OTHER);
}

GTC_TEST(ping, occ_round_trip)
{
	static const char options[] = "V4,dev-type tun";
	struct ovpn_occ occ = { .load_size = 600, .recv_max = 108, .sent_max = 1222 };

	occ.options.data = (const uint8_t *)options;
	occ.options.len = strlen(options);
	for (occ.op = OVPN_OCC_REQUEST; occ.op <= OVPN_OCC_EXIT; occ.op++) {
		struct ovpn_occ back = { 0 };
		uint8_t buf[1024];
		size_t len = 0;

		GTC_ASSERT_INT(ovpn_occ_build(&occ, buf, sizeof(buf), &len), 0);
		GTC_EXPECT_INT(ovpn_payload_classify(buf, len), OVPN_PAYLOAD_OCC);
		GTC_EXPECT_INT(ovpn_occ_build(&occ, buf, len - 1, &len), -ENOBUFS);
		GTC_ASSERT_INT(ovpn_occ_parse(buf, len, &back), 0);
		GTC_EXPECT_INT(back.op, occ.op);
		if (occ.op == OVPN_OCC_REPLY) {
			GTC_EXPECT_INT(len, 17 + 16);
			GTC_ASSERT_INT(back.options.len, strlen(options));
			GTC_EXPECT_MEM(back.options.data, options, back.options.len);
		}
		if (occ.op == OVPN_OCC_MTU_LOAD || occ.op == OVPN_OCC_MTU_LOAD_REQUEST)
			GTC_EXPECT_INT(back.load_size, 600);
		if (occ.op == OVPN_OCC_MTU_REPLY) {
			GTC_EXPECT_INT(back.recv_max, 108);
			GTC_EXPECT_INT(back.sent_max, 1222);
			GTC_EXPECT_INT(ovpn_occ_parse(buf, len - 1, &back), -EBADMSG);
		}
	}
}

GTC_TEST(ping, occ_refused)
{
	static uint8_t long_text[OVPN_OCC_OPTIONS_MAX];
	struct ovpn_occ occ = { .op = 7 };
	uint8_t buf[64] = { 0 };
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_occ_build(&occ, buf, sizeof(buf), &len), -EINVAL);
	GTC_EXPECT_INT(ovpn_occ_parse(buf, 17, &occ), -EPROTO);
	memcpy(buf, magic, sizeof(magic));
	GTC_EXPECT_INT(ovpn_occ_parse(buf, 16, &occ), -EBADMSG);
	buf[16] = 7;
	GTC_EXPECT_INT(ovpn_occ_parse(buf, 17, &occ), -EPROTO);
	buf[16] = OVPN_OCC_MTU_LOAD_REQUEST;
	GTC_EXPECT_INT(ovpn_occ_parse(buf, 18, &occ), -EBADMSG);
	buf[16] = OVPN_OCC_REPLY;
	buf[17] = 0x1b;
	GTC_EXPECT_INT(ovpn_occ_parse(buf, 19, &occ), -EBADMSG);
	occ.op = OVPN_OCC_REPLY;
	memset(long_text, 'x', sizeof(long_text));
	occ.options.data = long_text;
	occ.options.len = sizeof(long_text);
	GTC_EXPECT_INT(ovpn_occ_build(&occ, buf, sizeof(buf), &len), -EINVAL);
}

// Every plaintext of the captures without framing is what the vectors call it.
GTC_TEST(ping, vectors)
{
	unsigned pings = 0;
	unsigned occs = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		const json_t *framing =
			json_object_get(json_object_get(v->json, "data"), "framing");

		for (size_t i = 0; i < v->count && json_object_size(framing) == 0; i++) {
			const char *what = vec_str(v->packet[i].json, "what");
			struct ovpn_occ occ = { 0 };
			uint8_t plain[2048];
			size_t len = vec_hex(v->packet[i].json, "plain", plain, sizeof(plain));
			enum ovpn_payload_kind kind = ovpn_payload_classify(plain, len);

			if (len == 0)
				continue;
			if (strncmp(what, "OCC op=", 7) == 0) {
				GTC_EXPECT_INT(kind, OVPN_PAYLOAD_OCC);
				GTC_ASSERT_INT(ovpn_occ_parse(plain, len, &occ), 0);
				GTC_EXPECT_INT(occ.op, what[7] - '0');
				occs++;
			} else if (strncmp(what, "IPv4", 4) == 0) {
				GTC_EXPECT_INT(kind, OVPN_PAYLOAD_IP4);
			} else if (strncmp(what, "IPv6", 4) == 0) {
				GTC_EXPECT_INT(kind, OVPN_PAYLOAD_IP6);
			} else if (strncmp(what, "PING", 4) == 0) {
				GTC_EXPECT_INT(kind, OVPN_PAYLOAD_PING);
				pings++;
			}
		}
		vec_free(v);
	}
	GTC_EXPECT(pings > 60);
	GTC_EXPECT(occs >= 14);
}
