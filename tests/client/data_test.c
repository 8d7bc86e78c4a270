// SPDX-License-Identifier: BSD-3-Clause
// Keys of the data channel: which one sends, what is received, what is refused, and framing.
#include "client/data.h"

#include <errno.h>

#include "protocol/data_packet.h"
#include "protocol/tls/aead.h"
#include "protocol/tls/data_epoch.h"
#include "tests/gtc.h"

static struct ovpn_data_keys keys_of(uint8_t seed)
{
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_data_keys keys;

	for (unsigned i = 0; i < sizeof(material); i++)
		material[i] = (uint8_t)(seed + i * 7 + 1);
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, OVPN_CIPHER_AES_256_GCM, &keys), 0);
	return keys;
}

// The server's end: opens what the client seals, and the other way round.
struct far_end {
	struct ovpn_aead seal, open;
	uint32_t next_id;
};

static void far_init(struct far_end *f, uint8_t seed)
{
	struct ovpn_data_keys keys = keys_of(seed);

	memset(f, 0, sizeof(*f));
	f->next_id = 1;
	GTC_EXPECT_INT(ovpn_aead_init(&f->seal, &keys, OVPN_KEY_S2C, true), 0);
	GTC_EXPECT_INT(ovpn_aead_init(&f->open, &keys, OVPN_KEY_C2S, false), 0);
}

static void far_done(struct far_end *f)
{
	ovpn_aead_done(&f->seal);
	ovpn_aead_done(&f->open);
}

static size_t far_send(struct far_end *f, uint8_t key_id, const char *text, uint8_t *out)
{
	struct ovpn_hdr hdr = { .opcode = OVPN_P_DATA_V2, .key_id = key_id, .peer_id = 5 };
	uint8_t head[4];
	size_t len = 0;

	(void)ovpn_hdr_put(head, &hdr);
	GTC_EXPECT_INT(ovpn_aead_seal(&f->seal, head, 4, f->next_id++, (const uint8_t *)text,
			       strlen(text), out, &len),
		0);
	return len;
}

static void install(struct vc_data *d, uint8_t seed, uint8_t key_id, uint32_t session,
	uint64_t active_ms, uint64_t retire_ms)
{
	struct ovpn_data_keys keys = keys_of(seed);
	struct vc_crypt_params params = {
		.keys = &keys, .key_id = key_id, .v2 = true, .peer_id = 5
	};
	struct vc_key *key = NULL;

	GTC_EXPECT_INT(vc_key_create(&params, 1, session, active_ms, &key), 0);
	GTC_EXPECT_INT(vc_key_overhead(key), OVPN_DATA_V2_OVERHEAD);
	vc_data_add(d, key, retire_ms);
}

GTC_TEST(data, round_trip)
{
	struct vc_data d = { 0 };
	uint8_t buf[256], scratch[256], dgram[256], *out, *plain;
	struct far_end far;
	uint32_t id;
	size_t len;

	far_init(&far, 1);
	install(&d, 1, 0, 1, 0, 0);
	memcpy(buf + VC_DATA_HEADROOM, "hello", 5);
	GTC_ASSERT_INT(vc_data_seal(&d, 10, buf + VC_DATA_HEADROOM, 5, &out, &len), 0);
	GTC_EXPECT_INT(len, 24 + 5);
	GTC_ASSERT_INT(ovpn_aead_open(&far.open, out, len, scratch, &len, &id), 0);
	GTC_EXPECT_INT(id, 1);
	GTC_EXPECT_MEM(scratch, "hello", 5);

	len = far_send(&far, 0, "world", dgram);
	memcpy(buf, dgram, len);
	GTC_ASSERT_INT(vc_data_open(&d, buf, len, scratch, &plain, &len), 0);
	GTC_EXPECT_INT(len, 5);
	GTC_EXPECT_MEM(plain, "world", 5);
	memcpy(buf, dgram, 29);
	GTC_EXPECT_INT(vc_data_open(&d, buf, 29, scratch, &plain, &len), -EEXIST);
	GTC_EXPECT_INT(d.replayed, 1);
	far_done(&far);
	vc_data_wipe(&d);
}

GTC_TEST(data, refuses_what_is_not_authentic)
{
	struct vc_data d = { 0 };
	uint8_t dgram[64], copy[64], scratch[64], *plain;
	struct far_end far;
	size_t len, n;

	far_init(&far, 1);
	install(&d, 1, 0, 1, 0, 0);
	n = far_send(&far, 0, "payload", dgram);
	for (size_t bit = 8; bit < n * 8; bit++) {
		memcpy(copy, dgram, n);
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		GTC_EXPECT(vc_data_open(&d, copy, n, scratch, &plain, &len) < 0);
	}
	for (size_t cut = 0; cut < n; cut++) {
		memcpy(copy, dgram, n);
		GTC_EXPECT(vc_data_open(&d, copy, cut, scratch, &plain, &len) < 0);
	}
	// None of these moved the window.
	GTC_EXPECT_INT(vc_data_open(&d, dgram, n, scratch, &plain, &len), 0);
	far_done(&far);
	vc_data_wipe(&d);
}

GTC_TEST(data, key_for_sending)
{
	struct vc_data d = { 0 };

	GTC_EXPECT(vc_data_send_key(&d, 0) == NULL);
	install(&d, 1, 0, 1, 1000, 0);
	GTC_EXPECT_INT(vc_data_send_key(&d, 0)->key_id, 0); // the only one is used at once
	install(&d, 2, 1, 1, 61000, 3600000);
	GTC_EXPECT_INT(vc_data_send_key(&d, 60999)->key_id, 0);
	GTC_EXPECT_INT(vc_data_send_key(&d, 61000)->key_id, 1);
	install(&d, 3, 2, 1, 121000, 3700000);
	GTC_EXPECT_INT(vc_data_send_key(&d, 100000)->key_id, 1);
	vc_data_expire(&d, 3600000);
	GTC_EXPECT_INT(d.n_keys, 2); // key 0 is over, key 1 retired later
	vc_data_expire(&d, 3700000);
	GTC_EXPECT_INT(d.n_keys, 1);
	GTC_EXPECT_INT(d.key[0]->key_id, 2);
	vc_data_wipe(&d);
}

// Renegotiations that follow each other faster than keys become active: the peer has only the key
// in use and the one being made, so the key before must not be sent with.
GTC_TEST(data, fast_renegotiation)
{
	struct vc_data d = { 0 };

	install(&d, 1, 0, 1, 0, 0);
	vc_data_renegotiate(&d, 10000);
	install(&d, 2, 1, 1, 60000, 3600000);
	GTC_EXPECT_INT(vc_data_send_key(&d, 5000)->key_id, 0);
	vc_data_renegotiate(&d, 18000);
	GTC_EXPECT_INT(vc_data_send_key(&d, 8000)->key_id, 1);
	install(&d, 3, 2, 1, 68000, 3600000);
	GTC_EXPECT_INT(vc_data_send_key(&d, 8001)->key_id, 2); // as stock clients
	vc_data_expire(&d, 18000);
	GTC_EXPECT_INT(d.n_keys, 2);
	vc_data_wipe(&d);
}

GTC_TEST(data, old_keys_still_open)
{
	struct vc_data d = { 0 };
	uint8_t dgram[64], scratch[64], *plain;
	struct far_end old, now;
	size_t len, n;

	far_init(&old, 1);
	far_init(&now, 2);
	install(&d, 1, 0, 1, 0, 0);
	install(&d, 2, 0, 2, 0, 15000); // same id, a session that was begun in place
	n = far_send(&old, 0, "old session", dgram);
	GTC_EXPECT_INT(vc_data_open(&d, dgram, n, scratch, &plain, &len), 0);
	GTC_EXPECT_MEM(plain, "old session", 11);
	n = far_send(&now, 0, "new session", dgram);
	GTC_EXPECT_INT(vc_data_open(&d, dgram, n, scratch, &plain, &len), 0);
	GTC_EXPECT_MEM(plain, "new session", 11);
	vc_data_expire(&d, 15000);
	n = far_send(&old, 0, "too late", dgram);
	GTC_EXPECT_INT(vc_data_open(&d, dgram, n, scratch, &plain, &len), -EBADMSG);
	n = far_send(&now, 3, "unknown key", dgram);
	GTC_EXPECT_INT(vc_data_open(&d, dgram, n, scratch, &plain, &len), -ENOKEY);
	far_done(&old);
	far_done(&now);
	vc_data_wipe(&d);
}

GTC_TEST(data, packet_ids_end)
{
	struct vc_data d = { 0 };
	uint8_t buf[192], *out;
	size_t len;

	install(&d, 1, 0, 1, 0, 0);
	d.key[0]->next_id = UINT32_MAX;
	GTC_EXPECT_INT(vc_data_seal(&d, 0, buf + VC_DATA_HEADROOM, 5, &out, &len), 0);
	GTC_EXPECT_INT(vc_data_seal(&d, 0, buf + VC_DATA_HEADROOM, 5, &out, &len), -EOVERFLOW);
	vc_data_wipe(&d);
}

// One end of a tunnel with a static key: the other end has the halves the other way round.
static void install_static(struct vc_data *d, bool other_end)
{
	struct ovpn_data_keys keys = keys_of(3);
	struct ovpn_direction_key swap = keys.dir[OVPN_KEY_C2S];
	struct vc_crypt_params params = {
		.keys = &keys, .auth = OVPN_DIGEST_SHA256, .static_key = true
	};
	struct vc_key *key = NULL;

	keys.cipher = OVPN_CIPHER_AES_256_CBC;
	if (other_end) {
		keys.dir[OVPN_KEY_C2S] = keys.dir[OVPN_KEY_S2C];
		keys.dir[OVPN_KEY_S2C] = swap;
	}
	GTC_EXPECT_INT(vc_key_create(&params, 1, 0, 0, &key), 0);
	vc_data_add(d, key, VC_DATA_NEVER);
}

// Nothing changes a static key, so its packet-ids go round, each time with a later time. A datagram
// has no header: whatever its first byte is, it is one.
GTC_TEST(data, static_key_goes_round)
{
	struct vc_data ours = { 0 }, theirs = { 0 };
	uint8_t buf[256], kept[256], *out, *plain, *p = buf + VC_DATA_HEADROOM;
	size_t len, plain_len, kept_len = 0;

	install_static(&ours, false);
	install_static(&theirs, true);
	for (unsigned i = 0; i < 300; i++) {
		if (i == 100)
			ours.key[0]->next_id = UINT32_MAX;
		memcpy(p, "hello", 5);
		GTC_EXPECT_INT(vc_data_seal(&ours, 0, p, 5, &out, &len), 0);
		if (i == 100) {
			memcpy(kept, out, len);
			kept_len = len;
		}
		GTC_EXPECT_INT(vc_data_open(&theirs, out, len, NULL, &plain, &plain_len), 0);
		GTC_EXPECT_INT(plain_len, 5);
		GTC_EXPECT_INT(memcmp(plain, "hello", 5), 0);
	}
	GTC_EXPECT_INT(ours.key[0]->next_id, 200);
	GTC_EXPECT_INT(vc_data_open(&theirs, kept, kept_len, NULL, &plain, &plain_len) < 0, 1);
	GTC_EXPECT_INT(theirs.replayed, 1);
	vc_data_wipe(&ours);
	vc_data_wipe(&theirs);
}

GTC_TEST(data, framing)
{
	static const enum cfg_comp kinds[] = { CFG_COMP_NONE, CFG_COMP_LZO_STUB, CFG_COMP_STUB,
		CFG_COMP_STUB_V2 };
	static const uint8_t first[] = { 0x45, 0x50, 0x60, 0xFA, 0xFB };
	uint8_t buf[192];

	for (unsigned k = 0; k < 4; k++) {
		for (unsigned i = 0; i < sizeof(first); i++) {
			uint8_t *plain = buf + VC_DATA_HEADROOM;
			size_t len = 21;

			memset(plain, 0x11, len);
			plain[0] = first[i];
			plain[20] = 0x77;
			vc_frame_add(kinds[k], &plain, &len);
			GTC_EXPECT(kinds[k] == CFG_COMP_NONE || kinds[k] == CFG_COMP_STUB_V2 ||
				len == 22);
			GTC_EXPECT_INT(vc_frame_del(kinds[k], &plain, &len), 0);
			GTC_EXPECT_INT(len, 21);
			GTC_EXPECT_INT(plain[0], first[i]);
			GTC_EXPECT_INT(plain[20], 0x77);
		}
	}
}

GTC_TEST(data, compressed_is_refused)
{
	uint8_t lzo[] = { 0x66, 1, 2 }, lz4[] = { 0x69, 1, 2 }, v2[] = { 0x50, 1, 2 };
	uint8_t *plain = lzo;
	size_t len = 3;

	GTC_EXPECT_INT(vc_frame_del(CFG_COMP_LZO_STUB, &plain, &len), -EPROTO);
	plain = lz4;
	GTC_EXPECT_INT(vc_frame_del(CFG_COMP_STUB, &plain, &len), -EPROTO);
	plain = v2;
	GTC_EXPECT_INT(vc_frame_del(CFG_COMP_STUB_V2, &plain, &len), -EPROTO);
	len = 1;
	GTC_EXPECT_INT(vc_frame_del(CFG_COMP_LZO_STUB, &plain, &len), -EPROTO);
}

// ---- The epoch format ------------------------------------------------------------------------

static int epoch_key(struct vc_data *d, uint8_t seed, enum cfg_comp comp, bool v2)
{
	struct ovpn_data_keys keys = keys_of(seed);
	struct vc_crypt_params params = {
		.keys = &keys, .key_id = 1, .v2 = v2, .epoch = true, .peer_id = 5, .comp = comp
	};
	struct vc_key *key = NULL;
	int rc = vc_key_create(&params, 1, 1, 0, &key);

	if (rc == 0)
		vc_data_add(d, key, 0);
	return rc;
}

struct far_epoch {
	struct ovpn_epoch_seal seal;
	struct ovpn_epoch_open open;
};

static void far_epoch_init(struct far_epoch *f, uint8_t seed)
{
	struct ovpn_data_keys keys = keys_of(seed);

	GTC_EXPECT_INT(ovpn_epoch_seal_init(&f->seal, OVPN_CIPHER_AES_256_GCM,
			       keys.dir[OVPN_KEY_S2C].cipher_key),
		0);
	GTC_EXPECT_INT(ovpn_epoch_open_init(&f->open, OVPN_CIPHER_AES_256_GCM,
			       keys.dir[OVPN_KEY_C2S].cipher_key),
		0);
}

static void far_epoch_done(struct far_epoch *f)
{
	ovpn_epoch_seal_done(&f->seal);
	ovpn_epoch_open_done(&f->open);
}

static size_t far_epoch_send(struct far_epoch *f, const char *text, uint8_t *out)
{
	struct ovpn_hdr hdr = { .opcode = OVPN_P_DATA_V2, .key_id = 1, .peer_id = 5 };
	uint8_t head[4];
	size_t len = 0;

	(void)ovpn_hdr_put(head, &hdr);
	GTC_EXPECT_INT(
		ovpn_epoch_seal(&f->seal, head, (const uint8_t *)text, strlen(text), out, &len), 0);
	return len;
}

// Seal a payload with the client's key; returns the id that the far end found.
static uint64_t epoch_out(struct vc_data *d, struct far_epoch *far, size_t payload)
{
	uint8_t buf[256] = { 0 }, plain[256], *out = NULL;
	uint64_t id = 0;
	size_t len = 0;

	memset(buf + VC_DATA_HEADROOM, 0x45, payload);
	GTC_EXPECT_INT(vc_data_seal(d, 0, buf + VC_DATA_HEADROOM, payload, &out, &len), 0);
	GTC_EXPECT_INT(len, payload + OVPN_DATA_EPOCH_OVERHEAD);
	GTC_EXPECT_INT(out[0], OVPN_P_DATA_V2 << 3 | 1);
	GTC_EXPECT_INT(out[3], 5);
	GTC_EXPECT_INT(ovpn_epoch_open(&far->open, out, len, plain, &len, &id), 0);
	GTC_EXPECT_INT(len, payload);
	for (size_t i = 0; i < payload; i++)
		GTC_EXPECT_INT(plain[i], 0x45);
	return id;
}

GTC_TEST(data_epoch, round_trip_and_replay)
{
	struct vc_data d = { 0 };
	uint8_t dgram[128], buf[128], scratch[128], *plain;
	struct far_epoch far;
	size_t len, n;

	far_epoch_init(&far, 1);
	GTC_ASSERT_INT(epoch_key(&d, 1, CFG_COMP_NONE, true), 0);
	GTC_EXPECT_INT(vc_key_overhead(d.key[0]), OVPN_DATA_EPOCH_OVERHEAD);
	GTC_EXPECT(epoch_out(&d, &far, 16) == ovpn_epoch_id(1, 1)); // a Ping: 44 bytes
	GTC_EXPECT(epoch_out(&d, &far, 100) == ovpn_epoch_id(1, 2));

	n = far_epoch_send(&far, "world", dgram);
	for (size_t bit = 8; bit < n * 8; bit++) {
		memcpy(buf, dgram, n);
		buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
		GTC_EXPECT_INT(vc_data_open(&d, buf, n, scratch, &plain, &len), -EBADMSG);
	}
	for (size_t cut = 2; cut < n; cut++) {
		memcpy(buf, dgram, n);
		GTC_EXPECT_INT(vc_data_open(&d, buf, cut, scratch, &plain, &len), -EBADMSG);
	}
	GTC_EXPECT_INT(d.rx_packets, 0);
	memcpy(buf, dgram, n);
	GTC_ASSERT_INT(vc_data_open(&d, buf, n, scratch, &plain, &len), 0);
	GTC_EXPECT_INT(len, 5);
	GTC_EXPECT_MEM(plain, "world", 5);
	memcpy(buf, dgram, n);
	GTC_EXPECT_INT(vc_data_open(&d, buf, n, scratch, &plain, &len), -EEXIST);
	GTC_EXPECT_INT(d.replayed, 1);
	far_epoch_done(&far);
	vc_data_wipe(&d);
}

// The server goes on to a later epoch: we follow with the next packet, and still take what of the
// epoch before is under way. At the end of the epochs a new key is asked for.
GTC_TEST(data_epoch, follows_and_asks_for_a_new_key)
{
	struct vc_data d = { 0 };
	uint8_t early[64], late[64], scratch[64], buf[192] = { 0 }, *plain, *out;
	struct far_epoch far;
	size_t len, n;

	far_epoch_init(&far, 3);
	GTC_ASSERT_INT(epoch_key(&d, 3, CFG_COMP_NONE, true), 0);
	GTC_EXPECT(epoch_out(&d, &far, 20) == ovpn_epoch_id(1, 1));
	n = far_epoch_send(&far, "early", early);
	GTC_ASSERT_INT(ovpn_epoch_seal_raise(&far.seal, 4), 0);
	GTC_EXPECT_INT(far_epoch_send(&far, "later", late), n);
	GTC_ASSERT_INT(vc_data_open(&d, late, n, scratch, &plain, &len), 0);
	GTC_EXPECT_MEM(plain, "later", 5);
	GTC_ASSERT_INT(vc_data_open(&d, early, n, scratch, &plain, &len), 0);
	GTC_EXPECT_MEM(plain, "early", 5);
	GTC_EXPECT(epoch_out(&d, &far, 20) == ovpn_epoch_id(4, 1));
	GTC_EXPECT_INT(d.key[0]->next_id, 1);

	GTC_ASSERT_INT(ovpn_epoch_seal_raise(d.key[0]->seal.state, OVPN_EPOCH_REKEY), 0);
	for (unsigned i = 0; i < 2; i++) { // asking isn't an end: sending goes on
		GTC_EXPECT_INT(vc_data_seal(&d, 0, buf + VC_DATA_HEADROOM, 5, &out, &len), 0);
		GTC_EXPECT(d.key[0]->next_id == OVPN_PACKET_ID_REKEY);
	}
	far_epoch_done(&far);
	vc_data_wipe(&d);
}

// Two keys of one id, as beside a session that is replaced: each packet finds its own.
GTC_TEST(data_epoch, beside_another_key)
{
	struct vc_data d = { 0 };
	uint8_t dgram[128], scratch[128], *plain;
	struct far_epoch far;
	size_t len;

	far_epoch_init(&far, 1);
	GTC_ASSERT_INT(epoch_key(&d, 1, CFG_COMP_NONE, true), 0);
	install(&d, 9, 1, 2, 0, VC_DATA_NEVER);
	GTC_ASSERT_INT(d.n_keys, 2);
	len = far_epoch_send(&far, "mine", dgram);
	GTC_ASSERT_INT(vc_data_open(&d, dgram, len, scratch, &plain, &len), 0);
	GTC_EXPECT_INT(len, 4);
	GTC_EXPECT_MEM(plain, "mine", 4);
	far_epoch_done(&far);
	vc_data_wipe(&d);
}

GTC_TEST(data_epoch, needs_aead_and_v2)
{
	struct ovpn_data_keys keys = keys_of(1);
	struct vc_crypt_params params = { .keys = &keys, .v2 = true, .epoch = true };
	struct vc_data d = { 0 };
	struct vc_key *key = NULL;

	GTC_EXPECT_INT(epoch_key(&d, 1, CFG_COMP_NONE, false), -ENOTSUP);
	keys.cipher = OVPN_CIPHER_AES_256_CBC;
	params.auth = OVPN_DIGEST_SHA256;
	GTC_EXPECT_INT(vc_key_create(&params, 1, 1, 0, &key), -ENOTSUP);
	GTC_EXPECT(key == NULL);
}
