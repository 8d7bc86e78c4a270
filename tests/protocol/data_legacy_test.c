// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/data_size.h"
#include "protocol/framing.h"
#include "protocol/mobility.h"
#include "protocol/tls/data_legacy.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static const char *const static_names[] = { "static_aes128cbc_sha256_dir",
	"static_aes256cbc_complzo", "static_aes256cbc_complzo_no", "static_aes256cbc_compstub_swap",
	"static_aes256cbc_fragment", "static_aes256cbc_lz4", "static_aes256cbc_lz4v2",
	"static_aes256cbc_noauth", "static_aes256cbc_sha1", "static_aes256cbc_stubv2",
	"static_bfcbc_sha1", "static_none_sha256", NULL };

static struct ovpn_legacy_format format_of(const struct vec *v)
{
	const json_t *data = json_object_get(v->json, "data");
	const char *cipher_name = vec_str(data, "cipher");
	const char *digest_name = vec_str(data, "auth");
	enum ovpn_cipher cipher = OVPN_CIPHER_NONE;
	enum ovpn_digest digest = OVPN_DIGEST_NONE;

	GTC_EXPECT_INT(ovpn_cipher_by_name(cipher_name, strlen(cipher_name), &cipher), 0);
	GTC_EXPECT_INT(ovpn_digest_by_name(digest_name, strlen(digest_name), &digest), 0);
	return (struct ovpn_legacy_format){
		.cipher = (uint8_t)cipher,
		.digest = (uint8_t)digest,
		.static_key = strcmp(vec_str(v->json, "mode"), "static") == 0,
	};
}

static enum ovpn_compress compress_of(const struct vec *v)
{
	const char *comp =
		vec_str(json_object_get(json_object_get(v->json, "data"), "framing"), "comp");

	if (strcmp(comp, "lzo") == 0 || strcmp(comp, "stub-noswap") == 0)
		return OVPN_COMPRESS_BYTE;
	if (strcmp(comp, "stub") == 0 || strcmp(comp, "lz4") == 0)
		return OVPN_COMPRESS_SWAP;
	if (strcmp(comp, "stub-v2") == 0 || strcmp(comp, "lz4-v2") == 0)
		return OVPN_COMPRESS_V2;
	return OVPN_COMPRESS_NONE;
}

// Keys of one direction under one key id.
static void key_of(
	const struct vec *v, const struct vec_packet *p, struct ovpn_direction_key *ret_key)
{
	if (strcmp(vec_str(v->json, "mode"), "static") == 0) {
		long long client = vec_int(v->json, "client_key_direction", -1);
		struct ovpn_direction_key other;
		struct ovpn_static_key key;

		GTC_EXPECT_INT(vec_hex(v->json, "static_key", key.bytes, sizeof(key.bytes)), 256);
		if (p->c2s)
			GTC_EXPECT_INT(ovpn_static_keys_cut(&key, (int)client, ret_key, &other), 0);
		else
			GTC_EXPECT_INT(ovpn_static_keys_cut(&key, (int)client, &other, ret_key), 0);
		return;
	}
	const json_t *derived = json_object_get(v->json, "derived_keys");
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_data_keys keys;
	char id[2] = { (char)('0' + vec_int(p->json, "key_id", 0)), '\0' };

	GTC_EXPECT_INT(vec_hex(json_object_get(derived, id), "key_material", material, 256), 256);
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, OVPN_CIPHER_NONE, &keys), 0);
	*ret_key = keys.dir[p->c2s ? OVPN_KEY_C2S : OVPN_KEY_S2C];
}

// Open a packet, compare, and seal the same again.
static void check_packet(const struct vec *v, const struct vec_packet *p)
{
	struct ovpn_legacy_format format = format_of(v);
	struct ovpn_legacy_packet got = { 0 };
	struct ovpn_direction_key key;
	struct ovpn_legacy open, seal;
	uint8_t dgram[2048], plain[2048], again[2048];
	size_t head = format.static_key			       ? 0
		: ovpn_opcode_of(p->data[0]) == OVPN_P_DATA_V1 ? OVPN_HDR_V1_LEN
							       : OVPN_HDR_V2_LEN;
	size_t plain_len = vec_hex(p->json, "plain", plain, sizeof(plain));
	size_t len = 0;

	key_of(v, p, &key);
	GTC_ASSERT_INT(ovpn_legacy_init(&open, &format, &key, false), 0);
	GTC_ASSERT_INT(ovpn_legacy_init(&seal, &format, &key, true), 0);
	memcpy(dgram, p->data, p->len);
	GTC_EXPECT_INT(ovpn_legacy_open(&open, dgram, p->len, &got), 0);
	GTC_EXPECT_INT(got.len, plain_len);
	GTC_EXPECT_MEM(got.plain, plain, plain_len);
	GTC_EXPECT(got.id ==
		ovpn_long_id((uint32_t)vec_int(p->json, "time", 0),
			(uint32_t)vec_int(p->json, "packet_id", -1)));
	GTC_EXPECT_INT(ovpn_legacy_seal(&seal, p->data, head, got.id,
			       p->data + head + ovpn_digest_len((enum ovpn_digest)format.digest),
			       plain, plain_len, again, &len),
		0);
	GTC_EXPECT_INT(len, p->len);
	GTC_EXPECT_INT(len, ovpn_legacy_sealed_len(&seal, head, plain_len));
	GTC_EXPECT_MEM(again, p->data, len);
	ovpn_legacy_done(&open);
	ovpn_legacy_done(&seal);
}

static unsigned check_vector(const char *name)
{
	struct vec *v = vec_load(name);
	struct ovpn_legacy_format format = format_of(v);
	unsigned checked = 0;

	for (size_t i = 0; i < v->count; i++) {
		const char *opcode = vec_str(v->packet[i].json, "opcode");

		if (vec_str(v->packet[i].json, "plain")[0] == '\0')
			continue;
		if (ovpn_cipher_is_aead((enum ovpn_cipher)format.cipher) ||
			!(format.static_key || strncmp(opcode, "P_DATA", 6) == 0))
			continue;
		check_packet(v, &v->packet[i]);
		checked++;
	}
	vec_free(v);
	return checked;
}

GTC_TEST(data_legacy, static_vectors)
{
	for (const char *const *name = static_names; *name != NULL; name++)
		GTC_EXPECT(check_vector(*name) >= 6);
}

GTC_TEST(data_legacy, tls_vectors)
{
	unsigned vectors = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++)
		vectors += check_vector(*name) > 0;
	GTC_EXPECT_INT(vectors, 9); // CBC with three digests, V1 twice, CFB, OFB, Blowfish, none
}

// Synthetic packets of lazy mode: the session id is where the formula says, a plain receiver opens
// them, and ours come out the same.
GTC_TEST(data_legacy, lazy_vectors)
{
	json_t *all = vec_load_json("mobility_reconfig");
	json_t *c;
	size_t i;
	unsigned checked = 0;

	json_array_foreach(json_object_get(all, "lazy"), i, c)
	{
		struct vec *source = vec_load(vec_str(c, "source"));
		struct vec_packet p = { .c2s = true };
		const char *cipher_name = vec_str(c, "cipher");
		const char *digest_name = vec_str(c, "auth");
		enum ovpn_cipher cipher = OVPN_CIPHER_NONE;
		enum ovpn_digest digest = OVPN_DIGEST_NONE;
		struct ovpn_direction_key key;
		struct ovpn_legacy_format format = { 0 };
		struct ovpn_legacy_packet got = { 0 };
		struct ovpn_legacy open, seal;
		uint8_t packet[2048], dgram[2048], again[2048], want[256], sid[8];
		size_t want_len = vec_hex(c, "plaintext", want, sizeof(want));
		size_t len, head, again_len = 0;
		int off;

		len = vec_hex(c, "wire", packet, sizeof(packet));
		GTC_ASSERT(len > 0);
		GTC_EXPECT_INT(ovpn_cipher_by_name(cipher_name, strlen(cipher_name), &cipher), 0);
		GTC_EXPECT_INT(ovpn_digest_by_name(digest_name, strlen(digest_name), &digest), 0);
		format.cipher = (uint8_t)cipher;
		format.digest = (uint8_t)digest;
		GTC_EXPECT_INT(vec_hex(c, "server_session_id", sid, 8), 8);
		GTC_EXPECT_INT(ovpn_key_id_of(packet[0]), 0); // what key_of assumes here
		key_of(source, &p, &key);
		vec_free(source);
		head = ovpn_opcode_of(packet[0]) == OVPN_P_DATA_V1 ? 1 : 4;
		off = ovpn_lazy_sid_offset(
			head == 1 ? OVPN_DATA_FORMAT_V1 : OVPN_DATA_FORMAT_V2, cipher, digest);
		GTC_ASSERT_INT(off, vec_int(c, "sid_offset", -1));
		GTC_EXPECT_MEM(packet + off, sid, 8);
		GTC_ASSERT_INT(ovpn_legacy_init(&open, &format, &key, false), 0);
		GTC_ASSERT_INT(ovpn_legacy_init(&seal, &format, &key, true), 0);
		GTC_ASSERT_INT(ovpn_legacy_set_sid(&seal, sid), 0);
		memcpy(dgram, packet, len);
		GTC_EXPECT_INT(ovpn_legacy_open(&open, dgram, len, &got), 0);
		GTC_ASSERT_INT(got.len, want_len);
		GTC_EXPECT_MEM(got.plain, want, want_len);
		GTC_EXPECT_INT((uint32_t)got.id, vec_int(c, "packet_id", -1));
		GTC_EXPECT_INT(ovpn_legacy_seal(&seal, packet, head, got.id,
				       packet + head + ovpn_digest_len(digest), got.plain, got.len,
				       again, &again_len),
			0);
		GTC_EXPECT_INT(again_len, len);
		GTC_EXPECT_MEM(again, packet, len);
		ovpn_legacy_done(&open);
		ovpn_legacy_done(&seal);
		checked++;
	}
	GTC_EXPECT_INT(checked, 8);
	json_decref(all);
}

// ---- Every combination -------------------------------------------------------------------------

static const enum ovpn_digest all_digests[] = { OVPN_DIGEST_NONE, OVPN_DIGEST_MD5, OVPN_DIGEST_SHA1,
	OVPN_DIGEST_SHA224, OVPN_DIGEST_SHA256, OVPN_DIGEST_SHA384, OVPN_DIGEST_SHA512 };

static void random_key(struct ovpn_direction_key *key, unsigned seed)
{
	for (unsigned i = 0; i < 64; i++) {
		key->cipher_key[i] = (uint8_t)(seed * 7 + i * 13 + 1);
		key->hmac_key[i] = (uint8_t)(seed * 5 + i * 11 + 3);
	}
}

// Seal one length in place and open it; flip every kind of byte; cut it short.
static void round_trip(
	struct ovpn_legacy *seal, struct ovpn_legacy *open, size_t head, size_t len, uint64_t id)
{
	static const uint8_t header[4] = { OVPN_P_DATA_V2 << 3 | 3, 1, 2, 3 };
	static const uint8_t header1[1] = { OVPN_P_DATA_V1 << 3 | 3 };
	uint8_t out[2048], copy[2048];
	struct ovpn_legacy_packet got;
	size_t off = ovpn_legacy_plain_off(seal, head);
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		out[off + i] = (uint8_t)(i + len);
	GTC_ASSERT_INT(ovpn_legacy_seal(seal, head == 1 ? header1 : header, head, id, NULL,
			       out + off, len, out, &n),
		0);
	GTC_EXPECT_INT(n, ovpn_legacy_sealed_len(seal, head, len));
	memcpy(copy, out, n);
	GTC_ASSERT_INT(ovpn_legacy_open(open, copy, n, &got), 0);
	GTC_EXPECT_INT(got.len, len);
	GTC_EXPECT(got.id == id);
	for (size_t i = 0; i < len; i++)
		GTC_EXPECT_INT(got.plain[i], (uint8_t)(i + len));
	if (open->digest_len == 0)
		return;
	for (size_t at = head; at < n; at += 5) {
		memcpy(copy, out, n);
		copy[at] ^= 0x40;
		GTC_EXPECT_INT(ovpn_legacy_open(open, copy, n, &got), -EBADMSG);
		copy[at] ^= 0x40;
		GTC_EXPECT_MEM(copy, out, n); // left as it was
	}
	for (size_t cut = 0; cut < n; cut += 3) {
		int rc = ovpn_legacy_open(open, copy, cut, &got);

		GTC_EXPECT(rc == -EINVAL || rc == -EBADMSG);
	}
}

static void combination(const struct ovpn_legacy_format *format, unsigned seed)
{
	static const size_t lens[] = { 1, 3, 11, 12, 13, 15, 16, 17, 100, 1400 };
	struct ovpn_data_shape shape = { .static_key = format->static_key,
		.cipher = (enum ovpn_cipher)format->cipher,
		.digest = (enum ovpn_digest)format->digest };
	struct ovpn_direction_key key;
	struct ovpn_legacy seal, open;
	uint64_t id =
		ovpn_legacy_long_ids(format) ? ovpn_long_id(1795350563, 0xfffffffe) : 0xfffffffe;

	random_key(&key, seed);
	GTC_ASSERT_INT(ovpn_legacy_init(&seal, format, &key, true), 0);
	GTC_ASSERT_INT(ovpn_legacy_init(&open, format, &key, false), 0);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t head = format->static_key ? 0 : i % 2 ? 4 : 1;

		shape.format = head == 1 ? OVPN_DATA_FORMAT_V1 : OVPN_DATA_FORMAT_V2;
		GTC_EXPECT_INT(ovpn_data_packet_len(&shape, lens[i]),
			ovpn_legacy_sealed_len(&seal, head, lens[i]));
		GTC_EXPECT(ovpn_legacy_sealed_len(&seal, head, lens[i]) - lens[i] <=
			OVPN_LEGACY_OVERHEAD_MAX);
		round_trip(&seal, &open, head, lens[i], id);
	}
	ovpn_legacy_done(&seal);
	ovpn_legacy_done(&open);
}

GTC_TEST(data_legacy, every_combination)
{
	unsigned used = 0;

	for (unsigned c = 0; c < OVPN_CIPHER_COUNT; c++) {
		for (unsigned d = 0; d < sizeof(all_digests) / sizeof(all_digests[0]); d++) {
			for (unsigned s = 0; s < 2; s++) {
				struct ovpn_legacy_format format = { .cipher = (uint8_t)c,
					.digest = (uint8_t)all_digests[d],
					.static_key = s != 0 };

				if (ovpn_legacy_check(&format) != NULL)
					continue;
				combination(&format, c * 100 + d);
				used++;
			}
		}
	}
	// 8 CBC and 8 CFB or OFB with 7 digests, none with 6, CBC and none with static keys, too.
	GTC_EXPECT_INT(used, (9 + 8) * 7 + 6 + 9 * 7 + 6);
}

GTC_TEST(data_legacy, refused)
{
	static const struct ovpn_legacy_format bad[] = {
		{ OVPN_CIPHER_AES_256_GCM, OVPN_DIGEST_NONE, false },
		{ OVPN_CIPHER_AES_256_GCM, OVPN_DIGEST_SHA1, true },
		{ OVPN_CIPHER_AES_256_CFB, OVPN_DIGEST_SHA1, true },
		{ OVPN_CIPHER_AES_256_OFB, OVPN_DIGEST_SHA1, true },
		{ OVPN_CIPHER_NONE, OVPN_DIGEST_NONE, false },
		{ OVPN_CIPHER_COUNT, OVPN_DIGEST_SHA1, false },
		{ OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_COUNT, false },
	};
	static const struct ovpn_legacy_format cbc = { OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_SHA1,
		false };
	struct ovpn_direction_key key = { 0 };
	struct ovpn_legacy l;
	uint8_t out[256];
	size_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		GTC_EXPECT(ovpn_legacy_check(&bad[i]) != NULL);
		GTC_EXPECT_INT(ovpn_legacy_init(&l, &bad[i], &key, true), -ENOTSUP);
	}
	GTC_EXPECT_INT(ovpn_legacy_init(&l, &cbc, &key, true), -EKEYREJECTED);
	random_key(&key, 1);
	GTC_ASSERT_INT(ovpn_legacy_init(&l, &cbc, &key, true), 0);
	GTC_EXPECT_INT(ovpn_legacy_seal(&l, out, 1, 0, NULL, out, 1, out, &len), -EINVAL);
	GTC_EXPECT_INT(ovpn_legacy_seal(&l, out, 1, 1, NULL, out, 0, out, &len), -EINVAL);
	GTC_EXPECT_INT(ovpn_legacy_seal(&l, out, 0, 1, NULL, out, 1, out, &len), -EINVAL);
	GTC_EXPECT_INT(ovpn_legacy_open(&l, out, 100, &(struct ovpn_legacy_packet){ 0 }), -EINVAL);
	ovpn_legacy_done(&l);
}

// Authentic, but with a padding that nobody makes: the HMAC of auth none says yes to everything.
GTC_TEST(data_legacy, bad_padding)
{
	static const struct ovpn_legacy_format cbc = { OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_NONE,
		false };
	struct ovpn_legacy_packet got;
	struct ovpn_direction_key key;
	struct ovpn_legacy l;
	unsigned refused = 0;

	random_key(&key, 9);
	GTC_ASSERT_INT(ovpn_legacy_init(&l, &cbc, &key, false), 0);
	for (unsigned i = 0; i < 256; i++) {
		uint8_t dgram[1 + 16 + 32];

		for (unsigned b = 0; b < sizeof(dgram); b++)
			dgram[b] = (uint8_t)(b * 17 + i * 31);
		dgram[0] = OVPN_P_DATA_V1 << 3;
		refused += ovpn_legacy_open(&l, dgram, sizeof(dgram), &got) == -EILSEQ;
	}
	GTC_EXPECT(refused >= 240); // one in 256 passes by chance
	ovpn_legacy_done(&l);
}

GTC_TEST(data_legacy, lazy_where_there_is_room)
{
	static const uint8_t sid[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const struct {
		struct ovpn_legacy_format format;
		int rc;
	} row[] = {
		{ { OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA1, false }, 0 },
		{ { OVPN_CIPHER_AES_256_CFB, OVPN_DIGEST_SHA1, false }, 0 },
		{ { OVPN_CIPHER_AES_256_OFB, OVPN_DIGEST_SHA1, false }, 0 },
		{ { OVPN_CIPHER_BF_CBC, OVPN_DIGEST_SHA1, false }, 0 },
		{ { OVPN_CIPHER_CAMELLIA_128_CBC, OVPN_DIGEST_SHA1, false }, 0 },
		{ { OVPN_CIPHER_BF_CFB, OVPN_DIGEST_SHA1, false }, -ENOTSUP },
		{ { OVPN_CIPHER_BF_OFB, OVPN_DIGEST_SHA1, false }, -ENOTSUP },
		{ { OVPN_CIPHER_NONE, OVPN_DIGEST_SHA1, false }, -ENOTSUP },
		{ { OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_NONE, false }, -ENOTSUP },
		{ { OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA1, true }, -ENOTSUP },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t header[4] = { OVPN_P_DATA_V1 << 3 };
		struct ovpn_direction_key key;
		struct ovpn_legacy l;
		uint8_t out[256];
		size_t len;
		int off;

		random_key(&key, 4);
		GTC_ASSERT_INT(ovpn_legacy_init(&l, &row[i].format, &key, true), 0);
		GTC_EXPECT_INT(ovpn_legacy_set_sid(&l, sid), row[i].rc);
		if (row[i].rc == 0) {
			off = ovpn_lazy_sid_offset(OVPN_DATA_FORMAT_V1,
				(enum ovpn_cipher)row[i].format.cipher,
				(enum ovpn_digest)row[i].format.digest);
			GTC_EXPECT_INT(
				ovpn_legacy_seal(&l, header, 1, 1, NULL, sid, 8, out, &len), 0);
			GTC_EXPECT_MEM(out + off, sid, 8);
		}
		ovpn_legacy_done(&l);
	}
}

// ---- Framing -----------------------------------------------------------------------------------

// Every packet of the vectors with framing: off, and on again.
GTC_TEST(data_legacy, framing_vectors)
{
	unsigned compressed = 0;

	for (const char *const *name = static_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		enum ovpn_compress c = compress_of(v);
		bool fragment = json_is_true(json_object_get(
			json_object_get(json_object_get(v->json, "data"), "framing"), "fragment"));

		for (size_t i = 0; i < v->count && !fragment; i++) {
			uint8_t buf[2048 + 4], want[2048];
			uint8_t *p = buf + 2;
			size_t len = vec_hex(v->packet[i].json, "plain", p, 2048);
			size_t want_len = len;
			int rc;

			memcpy(want, p, len);
			rc = ovpn_compress_strip(c, &p, &len);
			if (rc == -EPROTO) {
				compressed++;
				continue;
			}
			GTC_EXPECT_INT(rc, 0);
			GTC_EXPECT(strstr(vec_str(v->packet[i].json, "what"), "PING") == NULL ||
				ovpn_is_ping(p, len));
			p = ovpn_compress_add(c, p, &len);
			GTC_EXPECT_INT(len, want_len);
			GTC_EXPECT_MEM(p, want, len);
		}
		vec_free(v);
	}
	GTC_EXPECT(compressed >= 3); // lzo, lz4 and lz4-v2 have packets that are really compressed
}

GTC_TEST(data_legacy, fragment_vector)
{
	struct vec *v = vec_load("static_aes256cbc_fragment");
	size_t bytes = ovpn_defrag_bytes(OVPN_FRAGMENT_SEQS, 2048);
	void *mem[2] = { calloc(1, bytes), calloc(1, bytes) };
	struct ovpn_defrag d[2];
	unsigned whole = 0, joined = 0;

	for (unsigned i = 0; i < 2; i++)
		ovpn_defrag_init(&d[i], mem[i], OVPN_FRAGMENT_SEQS, 2048);
	for (size_t i = 0; i < v->count; i++) {
		uint8_t buf[2048], again[4];
		size_t len = vec_hex(v->packet[i].json, "plain", buf, sizeof(buf));
		struct ovpn_fragment f;
		struct ovpn_span packet;
		int rc;

		GTC_ASSERT_INT(ovpn_fragment_parse(buf, len, &f), 0);
		ovpn_fragment_put(again, &f);
		GTC_EXPECT_MEM(again, buf, 4);
		if (f.type == OVPN_FRAGMENT_WHOLE) {
			whole++;
			continue;
		}
		rc = ovpn_defrag_add(&d[v->packet[i].c2s], 1, i, &f, buf + 4, len - 4, &packet);
		GTC_EXPECT(rc >= 0);
		if (rc == 1) {
			GTC_EXPECT_INT(packet.data[0] >> 4, 4);
			GTC_EXPECT_INT(ovpn_get_be16(packet.data + 2), packet.len);
			joined++;
		}
	}
	GTC_EXPECT(whole >= 2 && joined >= 2);
	free(mem[0]);
	free(mem[1]);
	vec_free(v);
}

GTC_TEST(data_legacy, mss)
{
	static const struct {
		struct ovpn_data_shape shape;
		unsigned mss;
	} row[] = {
		{ { .format = OVPN_DATA_FORMAT_V2, .cipher = OVPN_CIPHER_AES_256_GCM }, 1400 },
		{ { .format = OVPN_DATA_FORMAT_EPOCH, .cipher = OVPN_CIPHER_AES_256_GCM }, 1396 },
		{ { .format = OVPN_DATA_FORMAT_V2,
			  .cipher = OVPN_CIPHER_AES_256_CBC,
			  .digest = OVPN_DIGEST_SHA1 },
			1379 },
		{ { .format = OVPN_DATA_FORMAT_V2,
			  .cipher = OVPN_CIPHER_AES_256_CFB,
			  .digest = OVPN_DIGEST_SHA1 },
			1376 },
		{ { .format = OVPN_DATA_FORMAT_V2,
			  .cipher = OVPN_CIPHER_BF_CBC,
			  .digest = OVPN_DIGEST_SHA1 },
			1387 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		GTC_EXPECT_INT(ovpn_data_mss(&row[i].shape, 1492, 28), row[i].mss);
		for (size_t udp = 0; udp < 300; udp++) {
			size_t max = ovpn_data_plain_max(&row[i].shape, udp);

			GTC_EXPECT(max == 0 || ovpn_data_packet_len(&row[i].shape, max) <= udp);
			GTC_EXPECT(ovpn_data_packet_len(&row[i].shape, max + 1) > udp);
		}
	}
	GTC_EXPECT_INT(ovpn_data_mss(&row[0].shape, 60, 28), 0);
}
