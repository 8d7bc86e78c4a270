// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "protocol/mobility.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

// The table of protocol.md 13.4: Ping lengths for framing 0, 1, 4, 5, V1 then V2; a reconfiguration
// Ping is eight bytes longer.
static const struct {
	enum ovpn_cipher cipher;
	enum ovpn_digest digest;
	uint8_t len[8];
} table[] = {
	{ OVPN_CIPHER_AES_256_GCM, OVPN_DIGEST_SHA1, { 37, 38, 41, 42, 40, 41, 44, 45 } },
	{ OVPN_CIPHER_CHACHA20_POLY1305, 0, { 37, 38, 41, 42, 40, 41, 44, 45 } },
	{ OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_SHA1, { 69, 69, 69, 69, 72, 72, 72, 72 } },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA256, { 81, 81, 81, 81, 84, 84, 84, 84 } },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA512, { 113, 113, 113, 113, 116, 116, 116, 116 } },
	{ OVPN_CIPHER_BF_CBC, OVPN_DIGEST_SHA1, { 53, 53, 61, 61, 56, 56, 64, 64 } },
	{ OVPN_CIPHER_DES_EDE3_CBC, OVPN_DIGEST_SHA256, { 65, 65, 73, 73, 68, 68, 76, 76 } },
	{ OVPN_CIPHER_AES_256_CFB, OVPN_DIGEST_SHA1, { 53, 54, 57, 58, 56, 57, 60, 61 } },
	{ OVPN_CIPHER_AES_256_OFB, OVPN_DIGEST_SHA256, { 65, 66, 69, 70, 68, 69, 72, 73 } },
	{ OVPN_CIPHER_BF_CFB, OVPN_DIGEST_SHA1, { 45, 46, 49, 50, 48, 49, 52, 53 } },
	{ OVPN_CIPHER_NONE, OVPN_DIGEST_SHA1, { 41, 42, 45, 46, 44, 45, 48, 49 } },
	{ OVPN_CIPHER_NONE, OVPN_DIGEST_SHA256, { 53, 54, 57, 58, 56, 57, 60, 61 } },
};
static const uint8_t framings[] = { 0, 1, 4, 5 };

GTC_TEST(mobility, ping_sizes)
{
	for (size_t row = 0; row < sizeof(table) / sizeof(table[0]); row++) {
		for (unsigned col = 0; col < 8; col++) {
			struct ovpn_ping_shape shape = {
				.format = col < 4 ? OVPN_DATA_FORMAT_V1 : OVPN_DATA_FORMAT_V2,
				.cipher = table[row].cipher,
				.digest = table[row].digest,
				.framing = framings[col % 4],
			};

			GTC_EXPECT_INT(ovpn_ping_packet_len(&shape), table[row].len[col]);
			GTC_EXPECT_INT(ovpn_reconf_packet_len(&shape), table[row].len[col] + 8);
			GTC_EXPECT(ovpn_reconf_packet_len(&shape) <= OVPN_RECONF_MAX);
			if (ovpn_cipher_is_aead(shape.cipher))
				GTC_EXPECT_INT(ovpn_reconf_len_aead(shape.format, shape.framing),
					table[row].len[col] + 8);
		}
	}
}

GTC_TEST(mobility, epoch_sizes)
{
	static const uint8_t want[] = { 44, 45, 48, 49 };
	struct ovpn_ping_shape shape = { .format = OVPN_DATA_FORMAT_EPOCH,
		.cipher = OVPN_CIPHER_AES_256_GCM };

	for (unsigned i = 0; i < 4; i++) {
		shape.framing = framings[i];
		GTC_EXPECT_INT(ovpn_ping_packet_len(&shape), want[i]);
		GTC_EXPECT_INT(
			ovpn_reconf_len_aead(OVPN_DATA_FORMAT_EPOCH, framings[i]), want[i] + 8);
	}
	shape.framing = OVPN_FRAMING_MAX + 1;
	GTC_EXPECT_INT(ovpn_ping_packet_len(&shape), 0);
	GTC_EXPECT_INT(ovpn_reconf_packet_len(&shape), 0);
	shape.framing = 0;
	shape.cipher = OVPN_CIPHER_AES_128_CBC; // epoch is AEAD only
	GTC_EXPECT_INT(ovpn_reconf_packet_len(&shape), 0);
	GTC_EXPECT_INT(
		ovpn_lazy_sid_offset(OVPN_DATA_FORMAT_EPOCH, OVPN_CIPHER_AES_128_CBC, 0), -ENOTSUP);
}

GTC_TEST(mobility, tail)
{
	static const uint8_t sid[OVPN_SID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint8_t buf[32] = { 0x48 };

	GTC_EXPECT(ovpn_reconf_tail(buf, 0) == NULL);
	GTC_EXPECT(ovpn_reconf_tail(buf, 8) == NULL);
	GTC_EXPECT(ovpn_reconf_tail(buf, 9) == buf + 1);
	GTC_EXPECT_INT(ovpn_reconf_append(buf, 24, sizeof(buf), sid), 32);
	GTC_EXPECT_MEM(ovpn_reconf_tail(buf, 32), sid, 8);
	GTC_EXPECT_INT(ovpn_reconf_append(buf, 25, sizeof(buf), sid), 0);
	GTC_EXPECT_INT(ovpn_reconf_append(buf, 33, sizeof(buf), sid), 0);
}

GTC_TEST(mobility, newest)
{
	struct ovpn_order old_key = { .key_age = 1, .packet_id = UINT64_MAX };
	struct ovpn_order new_key = { .key_age = 2, .packet_id = 1 };
	struct ovpn_order later = { .key_age = 2, .packet_id = 2 };

	GTC_EXPECT(ovpn_order_newer(later, new_key));
	GTC_EXPECT(!ovpn_order_newer(new_key, later));
	GTC_EXPECT(!ovpn_order_newer(later, later));
	// A withheld packet of the retired key, whatever its id, is older.
	GTC_EXPECT(!ovpn_order_newer(old_key, new_key));
	GTC_EXPECT(ovpn_order_newer(new_key, old_key));
}

GTC_TEST(mobility, words)
{
	struct ovpn_mobility m = { 0 };
	char buf[32];
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_mobility_parse("1", 1, &m), 0);
	GTC_EXPECT_INT(m.version, 1);
	GTC_EXPECT(!m.lazy);
	GTC_EXPECT_INT(ovpn_mobility_parse("  2  future lazy ", 17, &m), 0);
	GTC_EXPECT_INT(m.version, 2);
	GTC_EXPECT(m.lazy);
	GTC_EXPECT_INT(ovpn_mobility_parse("", 0, &m), -EINVAL);
	GTC_EXPECT_INT(ovpn_mobility_parse("   ", 3, &m), -EINVAL);
	GTC_EXPECT_INT(ovpn_mobility_parse("0", 1, &m), -EINVAL);
	GTC_EXPECT_INT(ovpn_mobility_parse("lazy 1", 6, &m), -EINVAL);
	GTC_EXPECT_INT(ovpn_mobility_parse("4294967296", 10, &m), -EINVAL);
	GTC_EXPECT_INT(m.version, 2);
	m.version = 1;
	GTC_EXPECT_INT(ovpn_mobility_build(&m, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf, "mobility 1 lazy");
	GTC_EXPECT_INT(len, 15);
	m.lazy = false;
	GTC_EXPECT_INT(ovpn_mobility_build(&m, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_STR(buf, "mobility 1");
	GTC_EXPECT_INT(ovpn_mobility_build(&m, buf, 10, &len), -ENOBUFS);
}

static struct ovpn_ping_shape shape_of(const json_t *c)
{
	const char *cipher = vec_str(c, "cipher");
	const char *digest = vec_str(c, "auth");
	const json_t *framing = json_object_get(c, "framing");
	const char *comp = vec_str(framing, "comp");
	struct ovpn_ping_shape shape = { .format = OVPN_DATA_FORMAT_V2 };

	GTC_EXPECT_INT(ovpn_cipher_by_name(cipher, strlen(cipher), &shape.cipher), 0);
	GTC_EXPECT_INT(ovpn_digest_by_name(digest, strlen(digest), &shape.digest), 0);
	if (strcmp(vec_str(c, "opcode"), "P_DATA_V1") == 0)
		shape.format = OVPN_DATA_FORMAT_V1;
	if (json_is_true(json_object_get(c, "epoch")))
		shape.format = OVPN_DATA_FORMAT_EPOCH;
	if (comp[0] != '\0' && strcmp(comp, "stub-v2") != 0 && strcmp(comp, "lz4-v2") != 0)
		shape.framing = 1;
	return shape;
}

GTC_TEST(mobility, vectors)
{
	json_t *all = vec_load_json("mobility_reconfig");
	const json_t *cases = json_object_get(all, "cases");
	const json_t *c;
	size_t i;

	GTC_EXPECT_INT(json_array_size(cases), 15);
	json_array_foreach(cases, i, c)
	{
		struct ovpn_ping_shape shape = shape_of(c);
		uint8_t sid[OVPN_SID_LEN];
		uint8_t ping[256];
		uint8_t reconf[256];
		size_t ping_len = vec_hex(c, "keepalive_ping", ping, sizeof(ping));
		size_t reconf_len = vec_hex(c, "reconfiguration_ping", reconf, sizeof(reconf));

		GTC_EXPECT_INT(vec_hex(c, "server_session_id", sid, sizeof(sid)), sizeof(sid));
		GTC_EXPECT_INT(ovpn_ping_packet_len(&shape), ping_len);
		GTC_EXPECT_INT(ovpn_reconf_packet_len(&shape), reconf_len);
		GTC_EXPECT_MEM(ovpn_reconf_tail(reconf, reconf_len), sid, sizeof(sid));
		GTC_ASSERT_INT(ovpn_reconf_append(ping, ping_len, sizeof(ping), sid), reconf_len);
		GTC_EXPECT_MEM(ping, reconf, reconf_len);
	}
	json_decref(all);
}

GTC_TEST(mobility, lazy_vectors)
{
	json_t *all = vec_load_json("mobility_reconfig");
	const json_t *cases = json_object_get(all, "lazy");
	const json_t *c;
	size_t i;

	GTC_EXPECT_INT(json_array_size(cases), 8);
	json_array_foreach(cases, i, c)
	{
		struct ovpn_ping_shape shape = shape_of(c);
		int offset = ovpn_lazy_sid_offset(shape.format, shape.cipher, shape.digest);
		uint8_t sid[OVPN_SID_LEN];
		uint8_t wire[256];

		GTC_EXPECT_INT(vec_hex(c, "server_session_id", sid, sizeof(sid)), sizeof(sid));
		GTC_EXPECT_INT(offset, vec_int(c, "sid_offset", -1));
		GTC_ASSERT(vec_hex(c, "wire", wire, sizeof(wire)) >= (size_t)offset + 8);
		GTC_EXPECT_MEM(wire + offset, sid, sizeof(sid));
	}
	json_decref(all);
	GTC_EXPECT_INT(
		ovpn_lazy_sid_offset(OVPN_DATA_FORMAT_V1, OVPN_CIPHER_AES_128_GCM, 0), -ENOTSUP);
	GTC_EXPECT_INT(
		ovpn_lazy_sid_offset(OVPN_DATA_FORMAT_V1, OVPN_CIPHER_BF_CFB, OVPN_DIGEST_SHA1),
		-ENOTSUP);
	GTC_EXPECT_INT(ovpn_lazy_sid_offset(OVPN_DATA_FORMAT_V1, OVPN_CIPHER_NONE, 0), -ENOTSUP);
}
