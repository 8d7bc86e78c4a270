// SPDX-License-Identifier: BSD-3-Clause
// Reconfiguration Pings of every family, as their receiver meets them: without the session id at
// its end each opens to its plaintext, with it none does.
#include <errno.h>

#include "protocol/mobility.h"
#include "protocol/tls/aead.h"
#include "protocol/tls/data_epoch.h"
#include "protocol/tls/data_legacy.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

// One case, ready to be opened.
struct ping_case {
	struct ovpn_data_keys keys; // the client's direction alone
	enum ovpn_digest digest;
	bool epoch;
};

static void case_of(const json_t *c, struct ping_case *ret_case)
{
	const char *cipher_name = vec_str(c, "cipher");
	const char *digest_name = vec_str(c, "auth");
	const json_t *key = json_object_get(c, "key_c2s");
	struct ovpn_direction_key *dir = &ret_case->keys.dir[OVPN_KEY_C2S];
	enum ovpn_cipher cipher = OVPN_CIPHER_COUNT;

	GTC_EXPECT_INT(ovpn_cipher_by_name(cipher_name, strlen(cipher_name), &cipher), 0);
	GTC_EXPECT_INT(ovpn_digest_by_name(digest_name, strlen(digest_name), &ret_case->digest), 0);
	ret_case->keys.cipher = (uint8_t)cipher;
	ret_case->epoch = json_is_true(json_object_get(c, "epoch"));
	GTC_EXPECT_INT(vec_hex(key, "cipher", dir->cipher_key, sizeof(dir->cipher_key)),
		sizeof(dir->cipher_key));
	GTC_EXPECT_INT(
		vec_hex(key, "hmac", dir->hmac_key, sizeof(dir->hmac_key)), sizeof(dir->hmac_key));
}

static int open_aead(const struct ping_case *c, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint64_t *ret_id)
{
	struct ovpn_aead aead = { 0 };
	uint32_t id = 0;
	int rc;

	GTC_EXPECT_INT(ovpn_aead_init(&aead, &c->keys, OVPN_KEY_C2S, false), 0);
	rc = ovpn_aead_open(&aead, dgram, len, plain, ret_len, &id);
	ovpn_aead_done(&aead);
	*ret_id = id;
	return rc;
}

static int open_epoch(const struct ping_case *c, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint64_t *ret_id)
{
	struct ovpn_epoch_open epoch;
	int rc;

	GTC_EXPECT_INT(ovpn_epoch_open_init(&epoch, (enum ovpn_cipher)c->keys.cipher,
			       c->keys.dir[OVPN_KEY_C2S].cipher_key),
		0);
	rc = ovpn_epoch_open(&epoch, dgram, len, plain, ret_len, ret_id);
	ovpn_epoch_open_done(&epoch);
	return rc;
}

static int open_legacy(const struct ping_case *c, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint64_t *ret_id)
{
	struct ovpn_legacy_format format = { .cipher = c->keys.cipher,
		.digest = (uint8_t)c->digest };
	struct ovpn_legacy_packet got = { 0 };
	struct ovpn_legacy legacy;
	uint8_t copy[256];
	int rc;

	memcpy(copy, dgram, len);
	GTC_EXPECT_INT(ovpn_legacy_init(&legacy, &format, &c->keys.dir[OVPN_KEY_C2S], false), 0);
	rc = ovpn_legacy_open(&legacy, copy, len, &got);
	ovpn_legacy_done(&legacy);
	if (rc == 0)
		memcpy(plain, got.plain, got.len);
	*ret_len = got.len;
	*ret_id = got.id;
	return rc;
}

// Open a datagram with the code of its format. plain has room for 256 bytes.
static int open_any(const struct ping_case *c, const uint8_t *dgram, size_t len, uint8_t *plain,
	size_t *ret_len, uint64_t *ret_id)
{
	if (c->epoch)
		return open_epoch(c, dgram, len, plain, ret_len, ret_id);
	if (ovpn_cipher_is_aead((enum ovpn_cipher)c->keys.cipher))
		return open_aead(c, dgram, len, plain, ret_len, ret_id);
	return open_legacy(c, dgram, len, plain, ret_len, ret_id);
}

GTC_TEST(mobility_open, vectors)
{
	json_t *all = vec_load_json("mobility_reconfig");
	unsigned aead = 0, epoch = 0, legacy = 0;
	const json_t *c;
	size_t i;

	json_array_foreach(json_object_get(all, "cases"), i, c)
	{
		const char *whole = vec_str(c, "whole_packet_without_stripping");
		struct ping_case one = { 0 };
		uint8_t reconf[256], want[256], plain[256];
		size_t reconf_len = vec_hex(c, "reconfiguration_ping", reconf, sizeof(reconf));
		size_t want_len = vec_hex(c, "plaintext", want, sizeof(want));
		size_t len = 0;
		uint64_t id = 0;
		int rc;

		case_of(c, &one);
		GTC_ASSERT(ovpn_reconf_tail(reconf, reconf_len) != NULL);
		GTC_EXPECT_INT(
			open_any(&one, reconf, reconf_len - OVPN_SID_LEN, plain, &len, &id), 0);
		GTC_ASSERT_INT(len, want_len);
		GTC_EXPECT_MEM(plain, want, want_len);
		// The time above it, and the epoch, aren't in the file.
		GTC_EXPECT_INT((uint32_t)id, vec_int(c, "packet_id", -1));

		// With its tail on no format takes it. CBC may see by the length alone.
		GTC_EXPECT_INT(strncmp(whole, "rejected", 8), 0);
		rc = open_any(&one, reconf, reconf_len, plain, &len, &id);
		GTC_EXPECT(rc == -EBADMSG || rc == -EINVAL);
		epoch += one.epoch;
		aead += !one.epoch && ovpn_cipher_is_aead((enum ovpn_cipher)one.keys.cipher);
		legacy += !ovpn_cipher_is_aead((enum ovpn_cipher)one.keys.cipher);
	}
	GTC_EXPECT_INT(aead, 5);
	GTC_EXPECT_INT(epoch, 1);
	GTC_EXPECT_INT(legacy, 9);
	json_decref(all);
}
