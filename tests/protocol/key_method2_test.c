// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/key_method2.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static const uint8_t secret[48] = { 1 };
static const uint8_t random1[32] = { 2 };
static const uint8_t random2[32] = { 3 };

static struct ovpn_span span(const char *s)
{
	return (struct ovpn_span){ (const uint8_t *)s, strlen(s) };
}

static struct ovpn_km2 sample(void)
{
	return (struct ovpn_km2){
		.pre_master = secret,
		.random1 = random1,
		.random2 = random2,
		.options = span("V4"),
		.username = span("user"),
		.password = span(""),
	};
}

GTC_TEST(key_method2, round_trip)
{
	struct ovpn_km2 m = sample();
	struct ovpn_km2 back = { 0 };
	uint8_t buf[OVPN_KM2_MAX];
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_km2_build(&m, true, buf, sizeof(buf), &len), 0);
	// "V4", "user", an empty string with its NUL, and an absent one.
	GTC_EXPECT_INT(len, 117 + 5 + 7 + 3 + 2);
	GTC_EXPECT_INT(buf[4], 2);
	GTC_ASSERT_INT(ovpn_km2_parse(buf, len, true, &back), 0);
	GTC_EXPECT_MEM(back.pre_master, secret, 48);
	GTC_EXPECT_MEM(back.random1, random1, 32);
	GTC_EXPECT_MEM(back.random2, random2, 32);
	GTC_EXPECT_INT(back.options.len, 2);
	GTC_EXPECT_INT(back.username.len, 4);
	GTC_EXPECT(back.password.data != NULL);
	GTC_EXPECT_INT(back.password.len, 0);
	GTC_EXPECT(back.peer_info.data == NULL);
	GTC_EXPECT(!back.too_long);
	GTC_ASSERT_INT(ovpn_km2_build(&m, false, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(len, 69 + 5 + 7 + 3 + 2);
	GTC_ASSERT_INT(ovpn_km2_parse(buf, len, false, &back), 0);
	GTC_EXPECT(back.pre_master == NULL);
	for (size_t n = 0; n < len; n++)
		GTC_EXPECT_INT(ovpn_km2_build(&m, false, buf, n, &len), -ENOBUFS);
}

GTC_TEST(key_method2, truncations)
{
	struct ovpn_km2 m = sample();
	struct ovpn_km2 back;
	uint8_t buf[OVPN_KM2_MAX];
	size_t len = 0;

	GTC_ASSERT_INT(ovpn_km2_build(&m, true, buf, sizeof(buf), &len), 0);
	for (size_t n = 0; n < len; n++) {
		// Fields may be missing as a whole, from the user name on.
		bool whole = n == 122 || n == 129 || n == 132;

		GTC_EXPECT_INT(ovpn_km2_parse(buf, n, true, &back), whole ? 0 : -EBADMSG);
	}
	GTC_ASSERT_INT(ovpn_km2_parse(buf, 122, true, &back), 0);
	GTC_EXPECT(back.username.data == NULL && back.password.data == NULL);
}

GTC_TEST(key_method2, refused)
{
	static uint8_t big[OVPN_KM2_MAX + 1];
	struct ovpn_km2 m = sample();
	struct ovpn_km2 back;
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_km2_parse(big, sizeof(big), true, &back), -EMSGSIZE);
	GTC_EXPECT_INT(ovpn_km2_parse(big, 200, true, &back), -EPROTO); // key method 0
	big[4] = 0xf2; // the high bits aren't part of the method
	GTC_EXPECT_INT(ovpn_km2_parse(big, 200, true, &back), 0);
	big[3] = 1;
	GTC_EXPECT_INT(ovpn_km2_parse(big, 200, true, &back), -EPROTO);
	big[3] = 0;
	big[117] = 0x02; // options string of 513 bytes
	big[118] = 0x01;
	memset(big + 119, 'x', 513);
	GTC_EXPECT_INT(ovpn_km2_parse(big, 800, true, &back), -EMSGSIZE);
	big[118] = 0x00;
	GTC_EXPECT_INT(ovpn_km2_parse(big, 119 + 512, true, &back), 0);
	GTC_EXPECT_INT(back.options.len, 511); // the last byte is a NUL whatever was sent
	m.random1 = NULL;
	GTC_EXPECT_INT(ovpn_km2_build(&m, false, big, sizeof(big), &len), -EINVAL);
	m = sample();
	m.username = (struct ovpn_span){ (const uint8_t *)"a\0b", 3 };
	GTC_EXPECT_INT(ovpn_km2_build(&m, false, big, sizeof(big), &len), -EINVAL);
	m = sample();
	memset(big, 'x', sizeof(big));
	m.username = (struct ovpn_span){ big, OVPN_KM2_TOKEN_MAX + 1 };
	GTC_EXPECT_INT(ovpn_km2_build(&m, false, big, sizeof(big), &len), -EMSGSIZE);
	m.username.len = 900;
	m.password = m.username;
	m.peer_info = m.username;
	GTC_EXPECT_INT(ovpn_km2_build(&m, false, big, sizeof(big), &len), -EMSGSIZE);
}

GTC_TEST(key_method2, long_credentials_and_inner_nul)
{
	static uint8_t buf[OVPN_KM2_MAX];
	struct ovpn_km2 back = { 0 };

	buf[4] = 2;
	ovpn_put_be16(buf + 69, 0); // options
	ovpn_put_be16(buf + 71, OVPN_KM2_TOKEN_MAX + 2);
	memset(buf + 73, 'x', OVPN_KM2_TOKEN_MAX + 2);
	GTC_ASSERT_INT(ovpn_km2_parse(buf, 73 + OVPN_KM2_TOKEN_MAX + 2, false, &back), 0);
	GTC_EXPECT(back.too_long);
	buf[73 + 5] = 0; // a string ends at its first NUL
	GTC_ASSERT_INT(ovpn_km2_parse(buf, 73 + OVPN_KM2_TOKEN_MAX + 2, false, &back), 0);
	GTC_EXPECT(!back.too_long);
	GTC_EXPECT_INT(back.username.len, 5);
}

// Put the wire form of a captured message together from its hex fields; returns its length.
static size_t wire_of(const json_t *km2, bool from_client, uint8_t *buf, size_t size)
{
	static const char *const strings[] = { "options", "username", "password", "peer_info" };
	size_t at = 5;

	memset(buf, 0, 5);
	buf[4] = 2;
	if (from_client)
		at += vec_hex(km2, "pre_master", buf + at, size - at);
	at += vec_hex(km2, "random1", buf + at, size - at);
	at += vec_hex(km2, "random2", buf + at, size - at);
	for (unsigned i = 0; i < 4; i++) {
		size_t len;

		if (json_object_get(km2, strings[i]) == NULL)
			break;
		len = vec_hex(km2, strings[i], buf + at + 2, size - at - 2);
		ovpn_put_be16(buf + at, (uint16_t)len);
		at += 2 + len;
	}
	return at;
}

GTC_TEST(key_method2, vectors)
{
	unsigned seen = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		const json_t *message;
		size_t i;

		json_array_foreach(json_object_get(v->json, "control_messages"), i, message)
		{
			const json_t *km2 = json_object_get(message, "key_method_2");
			bool from_client = strcmp(vec_str(message, "dir"), "c2s") == 0;
			uint8_t wire[OVPN_KM2_MAX];
			uint8_t again[OVPN_KM2_MAX];
			const char *options = vec_str(message, "options_text");
			const char *info = vec_str(message, "peer_info_text");
			struct ovpn_km2 m = { 0 };
			size_t again_len = 0;
			size_t len;

			if (km2 == NULL)
				continue;
			len = wire_of(km2, from_client, wire, sizeof(wire));
			GTC_ASSERT_INT(len, vec_int(message, "raw_len", 0));
			GTC_ASSERT_INT(ovpn_km2_parse(wire, len, from_client, &m), 0);
			GTC_ASSERT_INT(m.options.len, strlen(options));
			GTC_EXPECT_MEM(m.options.data, options, m.options.len);
			GTC_ASSERT_INT(m.peer_info.len, strlen(info));
			GTC_EXPECT(m.peer_info.len == 0 ||
				memcmp(m.peer_info.data, info, m.peer_info.len) == 0);
			GTC_ASSERT_INT(
				ovpn_km2_build(&m, from_client, again, sizeof(again), &again_len),
				0);
			GTC_ASSERT_INT(again_len, len);
			GTC_EXPECT_MEM(again, wire, len);
			seen++;
		}
		vec_free(v);
	}
	GTC_EXPECT(seen > 55);
}
