// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/tls/data_epoch.h"
#include "protocol/tls/keys.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static const uint8_t header[4] = { OVPN_P_DATA_V2 << 3, 0, 0, 7 };

// What two 2.7 peers sent each other, opened, and sealed again to the same bytes.
GTC_TEST(data_epoch, vector)
{
	struct vec *v = vec_load("tls_epoch_27");
	const json_t *keys = json_object_get(json_object_get(v->json, "derived_keys"), "0");
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_epoch_open open[2];
	struct ovpn_epoch_seal seal[2];
	unsigned checked = 0;

	GTC_ASSERT_INT(vec_hex(keys, "key_material", material, sizeof(material)), 256);
	for (unsigned d = 0; d < 2; d++) {
		GTC_ASSERT_INT(
			ovpn_epoch_open_init(&open[d], OVPN_CIPHER_AES_256_GCM, material + 128 * d),
			0);
		GTC_ASSERT_INT(
			ovpn_epoch_seal_init(&seal[d], OVPN_CIPHER_AES_256_GCM, material + 128 * d),
			0);
	}
	for (size_t i = 0; i < v->count; i++) {
		const struct vec_packet *p = &v->packet[i];
		unsigned d = p->c2s ? 0 : 1;
		uint8_t plain[2048], want[2048], again[2048];
		size_t want_len, len = 0, again_len = 0;
		uint64_t id = 0;

		if (strcmp(vec_str(p->json, "opcode"), "P_DATA_V2") != 0)
			continue;
		want_len = vec_hex(p->json, "plain", want, sizeof(want));
		GTC_EXPECT_INT(ovpn_epoch_open(&open[d], p->data, p->len, plain, &len, &id), 0);
		GTC_EXPECT_INT(len, want_len);
		GTC_EXPECT_MEM(plain, want, len);
		GTC_EXPECT(id ==
			ovpn_epoch_id((uint16_t)vec_int(p->json, "epoch", 0),
				(uint64_t)vec_int(p->json, "packet_id", 0)));
		GTC_EXPECT_INT(
			ovpn_epoch_seal(&seal[d], p->data, plain, len, again, &again_len), 0);
		GTC_EXPECT_INT(again_len, p->len);
		GTC_EXPECT_MEM(again, p->data, p->len);
		GTC_EXPECT_INT(
			ovpn_epoch_open(&open[d], p->data, p->len, plain, &len, &id), -EEXIST);
		checked++;
	}
	GTC_EXPECT(checked >= 6);
	for (unsigned d = 0; d < 2; d++) {
		ovpn_epoch_open_done(&open[d]);
		ovpn_epoch_seal_done(&seal[d]);
	}
	vec_free(v);
}

static size_t make(struct ovpn_epoch_seal *s, uint8_t *out)
{
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_epoch_seal(s, header, (const uint8_t *)"hello", 5, out, &len), 0);
	return len;
}

// Epochs forward, one behind, more than are prepared; for each cipher.
GTC_TEST(data_epoch, receive_window)
{
	static const enum ovpn_cipher ciphers[] = { OVPN_CIPHER_AES_128_GCM,
		OVPN_CIPHER_AES_192_GCM, OVPN_CIPHER_AES_256_GCM, OVPN_CIPHER_CHACHA20_POLY1305 };
	static const uint8_t secret[OVPN_EPOCH_SECRET_LEN] = { 1, 2, 3 };

	for (unsigned c = 0; c < 4; c++) {
		struct ovpn_epoch_seal s;
		struct ovpn_epoch_open o;
		uint8_t first[64], second[64], later[64], plain[64];
		size_t len, n = 0;
		uint64_t id = 0;

		GTC_ASSERT_INT(ovpn_epoch_seal_init(&s, ciphers[c], secret), 0);
		GTC_ASSERT_INT(ovpn_epoch_open_init(&o, ciphers[c], secret), 0);
		len = make(&s, first);
		(void)make(&s, second);
		GTC_EXPECT_INT(ovpn_epoch_open(&o, first, len, plain, &n, &id), 0);
		GTC_EXPECT(id == ovpn_epoch_id(1, 1));
		// A forged packet of a later epoch changes nothing.
		GTC_EXPECT_INT(ovpn_epoch_seal_raise(&s, 4), 0);
		(void)make(&s, later);
		later[14] ^= 1;
		GTC_EXPECT_INT(ovpn_epoch_open(&o, later, len, plain, &n, &id), -EBADMSG);
		GTC_EXPECT_INT(o.current.epoch, 1);
		later[14] ^= 1;
		GTC_EXPECT_INT(ovpn_epoch_open(&o, later, len, plain, &n, &id), 0);
		GTC_EXPECT_INT(o.current.epoch, 4);
		GTC_EXPECT(id == ovpn_epoch_id(4, 1));
		GTC_EXPECT_INT(ovpn_epoch_open(&o, later, len, plain, &n, &id), -EEXIST);
		// Late packets of the epoch before are taken, once.
		GTC_EXPECT_INT(ovpn_epoch_open(&o, second, len, plain, &n, &id), 0);
		GTC_EXPECT_INT(ovpn_epoch_open(&o, second, len, plain, &n, &id), -EEXIST);
		GTC_EXPECT_INT(ovpn_epoch_open(&o, first, len, plain, &n, &id), -EEXIST);
		// Sixteen are prepared, not one more.
		GTC_EXPECT_INT(ovpn_epoch_seal_raise(&s, 21), 0);
		len = make(&s, later);
		GTC_EXPECT_INT(ovpn_epoch_open(&o, later, len, plain, &n, &id), -ENOKEY);
		for (uint16_t epoch = 20; epoch < 400; epoch += 16) {
			ovpn_epoch_seal_done(&s);
			GTC_ASSERT_INT(ovpn_epoch_seal_init(&s, ciphers[c], secret), 0);
			GTC_EXPECT_INT(ovpn_epoch_seal_raise(&s, epoch), 0);
			len = make(&s, later);
			GTC_EXPECT_INT(ovpn_epoch_open(&o, later, len, plain, &n, &id), 0);
			GTC_EXPECT_INT(o.current.epoch, epoch);
			GTC_EXPECT_INT(ovpn_epoch_open(&o, first, len, plain, &n, &id), -ENOKEY);
		}
		ovpn_epoch_seal_done(&s);
		ovpn_epoch_open_done(&o);
	}
}

// A key that is used up makes way for the next one; the last epoch has no next.
GTC_TEST(data_epoch, limits)
{
	static const uint8_t secret[OVPN_EPOCH_SECRET_LEN] = { 9 };
	struct ovpn_epoch_seal s;
	struct ovpn_epoch_open o;
	uint8_t out[64];
	size_t n;

	GTC_ASSERT_INT(ovpn_epoch_seal_init(&s, OVPN_CIPHER_AES_128_GCM, secret), 0);
	s.usage = OVPN_AEAD_USAGE_MAX - 2;
	(void)make(&s, out);
	GTC_EXPECT_INT(s.epoch, 1);
	(void)make(&s, out);
	GTC_EXPECT_INT(s.epoch, 2);
	s.counter = OVPN_EPOCH_COUNTER_MAX;
	(void)make(&s, out);
	GTC_EXPECT_INT(s.epoch, 3);
	GTC_EXPECT(!ovpn_epoch_seal_rekey(&s));
	s.epoch = UINT16_MAX;
	s.counter = OVPN_EPOCH_COUNTER_MAX;
	GTC_EXPECT(ovpn_epoch_seal_rekey(&s));
	GTC_EXPECT_INT(ovpn_epoch_seal(&s, header, out, 5, out + 20, &n), -EOVERFLOW);
	ovpn_epoch_seal_done(&s);
	GTC_ASSERT_INT(ovpn_epoch_open_init(&o, OVPN_CIPHER_AES_128_GCM, secret), 0);
	GTC_EXPECT(!ovpn_epoch_open_used_up(&o));
	o.current.usage = OVPN_AEAD_USAGE_MAX + 1;
	GTC_EXPECT(ovpn_epoch_open_used_up(&o));
	ovpn_epoch_open_done(&o);
	GTC_EXPECT_INT(ovpn_epoch_open_init(&o, OVPN_CIPHER_AES_128_CBC, secret), -ENOTSUP);
}
