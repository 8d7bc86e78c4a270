// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/wrap.h"

#include <errno.h>

#include "protocol/tls/aead.h"
#include "tests/gtc.h"

static const uint8_t plain[] = { 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0 };

static void fill(struct ovpn_static_key *key)
{
	for (size_t i = 0; i < sizeof(key->bytes); i++)
		key->bytes[i] = (uint8_t)(i * 7 + 1);
}

// Seal with one end, open with the other, and see every changed bit and every cut refused.
static void check_pair(
	const struct ovpn_wrap_keys *from, const struct ovpn_wrap_keys *to, size_t overhead)
{
	struct ovpn_wrap send;
	struct ovpn_wrap_id id;
	uint8_t dgram[128];
	uint8_t back[128];
	size_t len = 0;
	size_t n = 0;

	GTC_EXPECT_INT(ovpn_wrap_overhead(from), overhead);
	ovpn_wrap_init(&send, from, 1, 1000);
	GTC_EXPECT_INT(ovpn_wrap_seal(&send, plain, sizeof(plain), dgram, sizeof(dgram), &len), 0);
	GTC_EXPECT_INT(len, sizeof(plain) + overhead);
	GTC_EXPECT_INT(ovpn_wrap_open(to, dgram, len, back, sizeof(back), &n, &id), 0);
	GTC_EXPECT_INT(n, sizeof(plain));
	GTC_EXPECT_MEM(back, plain, sizeof(plain));
	if (overhead == 0)
		return;
	GTC_EXPECT_INT(id.id, 1);
	GTC_EXPECT_INT(id.time_s, 1000);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		dgram[bit / 8] ^= (uint8_t)(1u << bit % 8);
		GTC_EXPECT_INT(
			ovpn_wrap_open(to, dgram, len, back, sizeof(back), &n, &id), -EBADMSG);
		dgram[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		GTC_EXPECT(ovpn_wrap_open(to, dgram, cut, back, sizeof(back), &n, &id) < 0);
	GTC_EXPECT_INT(ovpn_wrap_open(to, dgram, len, back, n - 1, &n, &id), -ENOSPC);
	GTC_EXPECT_INT(ovpn_wrap_seal(&send, plain, sizeof(plain), dgram, len - 1, &len), -ENOSPC);
	GTC_EXPECT_INT(ovpn_wrap_seal(&send, plain, 9, dgram, sizeof(dgram), &len), -EINVAL);
}

GTC_TEST(wrap, modes)
{
	struct ovpn_static_key key;
	struct ovpn_wrap_keys server;
	struct ovpn_wrap_keys client;

	fill(&key);
	check_pair(NULL, NULL, 0);
	ovpn_wrap_keys_tls_crypt(&key, true, &server);
	ovpn_wrap_keys_tls_crypt(&key, false, &client);
	check_pair(&server, &client, 40);
	check_pair(&client, &server, 40);
	for (enum ovpn_digest d = OVPN_DIGEST_SHA1; d <= OVPN_DIGEST_SHA512; d++) {
		GTC_EXPECT_INT(ovpn_wrap_keys_tls_auth(&key, d, OVPN_DIRECTION_NORMAL, &server), 0);
		GTC_EXPECT_INT(
			ovpn_wrap_keys_tls_auth(&key, d, OVPN_DIRECTION_INVERSE, &client), 0);
		check_pair(&server, &client, 8 + ovpn_digest_len(d));
		check_pair(&client, &server, 8 + ovpn_digest_len(d));
		GTC_EXPECT_INT(ovpn_wrap_keys_tls_auth(&key, d, OVPN_DIRECTION_NONE, &server), 0);
		check_pair(&server, &server, 8 + ovpn_digest_len(d));
	}
	GTC_EXPECT_INT(
		ovpn_wrap_keys_tls_auth(&key, OVPN_DIGEST_NONE, OVPN_DIRECTION_NONE, &server),
		-ENOTSUP);
	GTC_EXPECT_INT(ovpn_wrap_keys_tls_auth(
			       &key, OVPN_DIGEST_SHA1, (enum ovpn_wrap_direction)2, &server),
		-EINVAL);
}

GTC_TEST(wrap, save_and_restore)
{
	struct ovpn_static_key key;
	struct ovpn_wrap_keys server;
	struct ovpn_wrap_keys client;
	struct ovpn_wrap_keys again;
	struct ovpn_wrap_saved saved;

	fill(&key);
	ovpn_wrap_keys_tls_crypt(&key, true, &server);
	ovpn_wrap_keys_tls_crypt(&key, false, &client);
	GTC_EXPECT_INT(ovpn_wrap_keys_save(&server, &saved), 0);
	ovpn_wrap_keys_restore(&saved, &again);
	check_pair(&again, &client, 40);
	check_pair(&client, &again, 40);
	ovpn_wrap_keys_none(&server);
	GTC_EXPECT_INT(ovpn_wrap_keys_save(&server, &saved), -EINVAL);
}

GTC_TEST(wrap, replay)
{
	struct ovpn_static_key key;
	struct ovpn_wrap_keys keys;
	struct ovpn_wrap_state state;
	struct ovpn_wrap w;
	struct ovpn_wrap_id id = { .id = 5, .time_s = 100 };

	fill(&key);
	ovpn_wrap_keys_tls_crypt(&key, true, &keys);
	ovpn_wrap_init(&w, &keys, 1, 50);
	GTC_EXPECT_INT(ovpn_wrap_check(&w, id), 0);
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), 0);
	GTC_EXPECT_INT(ovpn_wrap_check(&w, id), -EEXIST);
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), -EEXIST);
	id.time_s = 99;
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), -ERANGE);
	// After a restart the window goes on, and what is sent has a later time.
	ovpn_wrap_export(&w, &state);
	ovpn_wrap_resume(&w, &keys, &state, 50);
	GTC_EXPECT_INT(w.send.net_time, 51);
	GTC_EXPECT_INT(w.send.next, 1);
	id.time_s = 100;
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), -EEXIST);
	id.id = 4;
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), 0);
	ovpn_wrap_resume(&w, &keys, &state, 500);
	GTC_EXPECT_INT(w.send.net_time, 500);
	ovpn_wrap_init(&w, NULL, 1, 50);
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), 0);
	GTC_EXPECT_INT(ovpn_wrap_accept(&w, id), 0);
}

GTC_TEST(wrap, ids_run_out)
{
	struct ovpn_static_key key;
	struct ovpn_wrap_keys keys;
	struct ovpn_wrap w;
	uint8_t dgram[128];
	size_t len;

	fill(&key);
	ovpn_wrap_keys_tls_crypt(&key, true, &keys);
	ovpn_wrap_init(&w, &keys, UINT32_MAX, 50);
	GTC_EXPECT_INT(ovpn_wrap_seal(&w, plain, sizeof(plain), dgram, sizeof(dgram), &len), 0);
	GTC_EXPECT_INT(ovpn_get_be32(dgram + 9), UINT32_MAX);
	GTC_EXPECT_INT(ovpn_wrap_seal(&w, plain, sizeof(plain), dgram, sizeof(dgram), &len), 0);
	GTC_EXPECT_INT(ovpn_get_be32(dgram + 9), 1);
	GTC_EXPECT_INT(ovpn_get_be32(dgram + 13), 51);
}

GTC_TEST(data_keys, cut)
{
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_data_keys keys;

	for (size_t i = 0; i < sizeof(material); i++)
		material[i] = (uint8_t)i;
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, OVPN_CIPHER_AES_256_GCM, &keys), 0);
	GTC_EXPECT_INT(keys.dir[OVPN_KEY_C2S].cipher_key[1], 1);
	GTC_EXPECT_INT(keys.dir[OVPN_KEY_C2S].hmac_key[0], 64);
	GTC_EXPECT_INT(keys.dir[OVPN_KEY_S2C].cipher_key[0], 128);
	GTC_EXPECT_INT(keys.dir[OVPN_KEY_S2C].hmac_key[63], 255);
	memset(material + 128, 0, 16);
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, OVPN_CIPHER_AES_128_GCM, &keys), -EKEYREJECTED);
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, OVPN_CIPHER_AES_192_GCM, &keys), 0);
	ovpn_data_keys_wipe(&keys);
	GTC_EXPECT_INT(keys.dir[1].hmac_key[63], 0);
}

GTC_TEST(aead, refused)
{
	static const uint8_t header[4] = { 0x48, 0, 0, 1 };
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_data_keys keys;
	struct ovpn_aead seal = { 0 };
	struct ovpn_aead open = { 0 };
	uint8_t dgram[64];
	uint8_t back[64];
	size_t len = 0;
	size_t n;
	uint32_t id;

	memset(material, 3, sizeof(material));
	for (enum ovpn_cipher c = OVPN_CIPHER_AES_128_GCM; c <= OVPN_CIPHER_CHACHA20_POLY1305;
		c++) {
		GTC_EXPECT_INT(ovpn_data_keys_cut(material, c, &keys), 0);
		GTC_EXPECT_INT(ovpn_aead_init(&seal, &keys, OVPN_KEY_C2S, true), 0);
		GTC_EXPECT_INT(ovpn_aead_init(&open, &keys, OVPN_KEY_C2S, false), 0);
		GTC_EXPECT_INT(ovpn_aead_seal(&seal, header, 4, 9, plain, 8, dgram, &len), 0);
		for (size_t bit = 0; bit < 8 * len; bit++) {
			dgram[bit / 8] ^= (uint8_t)(1u << bit % 8);
			int rc = ovpn_aead_open(&open, dgram, len, back, &n, &id);

			// The key id is authenticated, too; other opcodes are no data packets.
			GTC_EXPECT(rc == -EBADMSG || (bit < 8 && rc == -EINVAL));
			dgram[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		for (size_t cut = 0; cut < len; cut++)
			GTC_EXPECT(ovpn_aead_open(&open, dgram, cut, back, &n, &id) < 0);
		GTC_EXPECT_INT(ovpn_aead_open(&open, dgram, len, back, &n, &id), 0);
		GTC_EXPECT_INT(id, 9);
		GTC_EXPECT_INT(ovpn_aead_seal(&seal, header, 4, 0, plain, 8, dgram, &len), -EINVAL);
		GTC_EXPECT_INT(ovpn_aead_seal(&seal, header, 4, 1, plain, 0, dgram, &len), -EINVAL);
		GTC_EXPECT_INT(ovpn_aead_seal(&seal, header, 3, 1, plain, 8, dgram, &len), -EINVAL);
		ovpn_aead_done(&seal);
		ovpn_aead_done(&open);
	}
	keys.cipher = OVPN_CIPHER_AES_256_CBC;
	GTC_EXPECT_INT(ovpn_aead_init(&seal, &keys, OVPN_KEY_C2S, true), -ENOTSUP);
}
