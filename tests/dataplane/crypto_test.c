// SPDX-License-Identifier: BSD-3-Clause
// Crypto against captures of real peers and against OpenSSL.
#include <stdalign.h>
#include <stdlib.h>

#include "dataplane/crypto/crypto.h"
#include "ossl.h"
#include "protocol/opcode.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static const enum ovpn_cipher ciphers[] = { OVPN_CIPHER_AES_128_GCM, OVPN_CIPHER_AES_192_GCM,
	OVPN_CIPHER_AES_256_GCM, OVPN_CIPHER_CHACHA20_POLY1305 };

static void op_of(struct dp_crypto_op *op, const struct ovpn_data_packet *p, const uint8_t *cell,
	enum ovpn_cipher cipher)
{
	*op = (struct dp_crypto_op){ .cell = cell,
		.data = p->ct,
		.aad = p->aad,
		.tag = p->tag,
		.packet_id = (uint32_t)p->packet_id,
		.len = p->ct_len,
		.aad_len = (uint8_t)p->aad_len,
		.cipher = (uint8_t)cipher };
}

// Every data packet of one capture; returns how many there were.
static unsigned check_vector(struct dp_crypto *c, struct vec *v, enum ovpn_cipher cipher)
{
	alignas(64) uint8_t cell[DP_CRYPTO_CELL];
	uint8_t buf[2048], want[2048], material[OVPN_KEY_MATERIAL_LEN];
	unsigned n = 0;

	for (size_t i = 0; i < v->count; i++) {
		const struct vec_packet *vp = &v->packet[i];
		json_t *keys = json_object_get(v->json, "derived_keys");
		struct ovpn_data_packet p = { 0 };
		struct dp_crypto_op op;
		char id[4] = { (char)('0' + (vp->data[0] & 7)) };
		size_t len;

		if (vp->len < 25 || !ovpn_opcode_is_data(vp->data[0] >> 3) ||
			json_object_get(vp->json, "plain") == NULL)
			continue;
		len = vec_hex(
			json_object_get(keys, id), "key_material", material, sizeof(material));
		GTC_EXPECT_INT(len, 256);
		memcpy(buf, vp->data, vp->len);
		GTC_EXPECT_INT(ovpn_data_parse(buf[0] >> 3 == OVPN_P_DATA_V1 ? OVPN_DATA_FORMAT_V1
									     : OVPN_DATA_FORMAT_V2,
				       buf, vp->len, &p),
			0);
		GTC_EXPECT_INT(
			dp_crypto_expand(c, (uint8_t)cipher,
				material + (vp->c2s ? OVPN_KEY_C2S_CIPHER : OVPN_KEY_S2C_CIPHER),
				material + (vp->c2s ? OVPN_KEY_C2S_HMAC : OVPN_KEY_S2C_HMAC), cell),
			0);
		op_of(&op, &p, cell, cipher);
		GTC_EXPECT_INT(dp_crypto_open(c, &op, 1), 1);
		len = vec_hex(vp->json, "plain", want, sizeof(want));
		GTC_EXPECT_INT(len, p.ct_len);
		GTC_EXPECT_MEM(p.ct, want, len);
		// And back again: the same bytes as on the wire.
		GTC_EXPECT_INT(dp_crypto_seal(c, &op, 1), 1);
		GTC_EXPECT_MEM(buf, vp->data, vp->len);
		n++;
	}
	return n;
}

GTC_TEST(crypto, vectors)
{
	struct dp_crypto *c = dp_crypto_create();
	unsigned files = 0, packets = 0;

	GTC_ASSERT(c != NULL);
	for (unsigned i = 0; vec_tls_names[i] != NULL; i++) {
		struct vec *v = vec_load(vec_tls_names[i]);
		json_t *data = json_object_get(v->json, "data");
		const char *name = vec_str(data, "cipher");
		enum ovpn_cipher cipher;

		if (ovpn_cipher_by_name(name, strlen(name), &cipher) == 0 &&
			ovpn_cipher_is_aead(cipher) &&
			!json_is_true(json_object_get(data, "epoch"))) {
			packets += check_vector(c, v, cipher);
			files++;
		}
		vec_free(v);
	}
	GTC_EXPECT_INT(files, 19);
	GTC_EXPECT_INT(packets, 140); // every AEAD packet of all captures
	dp_crypto_free(c);
}

// All ciphers and sizes in one burst with different keys: equal to OpenSSL, and back.
GTC_TEST(crypto, equals_openssl)
{
	struct dp_crypto *c = dp_crypto_create();
	static alignas(64) uint8_t cell[4][DP_CRYPTO_CELL];
	static uint8_t got[DP_CRYPTO_OPS][1600], want[DP_CRYPTO_OPS][1600];
	uint8_t key[4][32], iv[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, plain[1500];
	struct dp_crypto_op op[DP_CRYPTO_OPS];

	GTC_ASSERT(c != NULL);
	for (unsigned i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned k = 0; k < 4; k++) {
		memset(key[k], (int)(0x11 * (k + 1)), sizeof(key[k]));
		GTC_ASSERT_INT(dp_crypto_expand(c, (uint8_t)ciphers[k], key[k], iv, cell[k]), 0);
	}
	for (unsigned len = 1; len <= 1500; len++) {
		unsigned at = (len - 1) % DP_CRYPTO_OPS, n = at + 1, k = len % 4;
		struct ovpn_data_packet p = { 0 };
		bool v1 = len % 3 == 0;
		size_t total;

		total = ossl_seal(
			ciphers[k], key[k], iv, v1, 3, 0x123456, len, plain, len, want[at]);
		memcpy(got[at], want[at], total);
		GTC_ASSERT_INT(ovpn_data_parse(v1 ? OVPN_DATA_FORMAT_V1 : OVPN_DATA_FORMAT_V2,
				       got[at], total, &p),
			0);
		memset(p.tag, 0, 16);
		memcpy(p.ct, plain, len);
		op_of(&op[at], &p, cell[k], ciphers[k]);
		if (n < DP_CRYPTO_OPS && len < 1500)
			continue;
		GTC_EXPECT_INT(dp_crypto_seal(c, op, n), n);
		for (unsigned i = 0; i < n; i++)
			GTC_EXPECT_MEM(got[i], want[i], op[i].len + 21);
		GTC_EXPECT_INT(dp_crypto_open(c, op, n), n);
		for (unsigned i = 0; i < n; i++)
			GTC_EXPECT_MEM(op[i].data, plain, op[i].len);
	}
	dp_crypto_free(c);
}

// One flipped bit anywhere and the tag is wrong; neighbours in the burst don't care.
GTC_TEST(crypto, flipped_bits)
{
	struct dp_crypto *c = dp_crypto_create();
	static alignas(64) uint8_t cell[DP_CRYPTO_CELL];
	uint8_t key[32] = { 9 }, iv[8] = { 0 }, plain[40] = { 1, 2, 3 }, good[80], bad[80];

	GTC_ASSERT(c != NULL);
	for (unsigned k = 0; k < 4; k++) {
		size_t len =
			ossl_seal(ciphers[k], key, iv, false, 0, 1, 7, plain, sizeof(plain), good);

		GTC_ASSERT_INT(dp_crypto_expand(c, (uint8_t)ciphers[k], key, iv, cell), 0);
		for (unsigned bit = 0; bit < len * 8; bit++) {
			struct ovpn_data_packet p = { 0 }, q = { 0 };
			struct dp_crypto_op op[2];
			uint8_t copy[80];

			if (bit / 8 >= 4 && bit / 8 < 8)
				continue; // the packet-id would only become another nonce and AAD
			memcpy(copy, good, len);
			memcpy(bad, good, len);
			GTC_ASSERT_INT(ovpn_data_parse(OVPN_DATA_FORMAT_V2, copy, len, &p), 0);
			GTC_ASSERT_INT(ovpn_data_parse(OVPN_DATA_FORMAT_V2, bad, len, &q), 0);
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
			op_of(&op[0], &q, cell, ciphers[k]);
			op_of(&op[1], &p, cell, ciphers[k]);
			GTC_EXPECT_INT(dp_crypto_open(c, op, 2), 1);
			GTC_EXPECT(!op[0].ok && op[1].ok);
		}
	}
	dp_crypto_free(c);
}

GTC_TEST(crypto, refused_keys)
{
	struct dp_crypto *c = dp_crypto_create();
	static alignas(64) uint8_t cell[DP_CRYPTO_CELL];
	uint8_t zero[32] = { 0 }, one[32] = { 1 };

	GTC_ASSERT(c != NULL);
	GTC_EXPECT_INT(dp_crypto_expand(c, OVPN_CIPHER_AES_256_GCM, zero, zero, cell), -EINVAL);
	GTC_EXPECT_INT(dp_crypto_expand(c, OVPN_CIPHER_NONE, one, zero, cell), -EINVAL);
	GTC_EXPECT_INT(dp_crypto_expand(c, OVPN_CIPHER_AES_256_CBC, one, zero, cell), -EINVAL);
	GTC_EXPECT_INT(dp_crypto_expand(c, 0xff, one, zero, cell), -EINVAL);
	GTC_EXPECT(dp_crypto_stamp(c) != 0);
	GTC_EXPECT(dp_crypto_free(NULL) == NULL);
	dp_crypto_free(c);
}
