// SPDX-License-Identifier: BSD-3-Clause
// Captured traffic: every wrapped packet opens and is rebuilt byte for byte, keys are derived
// again, every AEAD data packet decrypts to the recorded plaintext and is rebuilt.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>

#include "protocol/key_method2.h"
#include "protocol/tls/aead.h"
#include "protocol/tls/keys.h"
#include "protocol/tls/wrap.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

// Keys of both ends of a vector; [0] the server's, [1] the client's.
struct ends {
	struct ovpn_wrap_keys base[2];
	struct ovpn_wrap_keys dynamic[2];
	struct ovpn_v2_server_key v2;
	bool has_v2;
	bool has_dynamic;
};

static void load_tls_auth(
	const json_t *control, const struct ovpn_static_key *key, struct ends *ends)
{
	long long dir = vec_int(control, "client_key_direction", -1);
	const char *auth = vec_str(control, "auth");
	enum ovpn_digest digest = OVPN_DIGEST_NONE;

	GTC_EXPECT_INT(ovpn_digest_by_name(auth, strlen(auth), &digest), 0);
	GTC_EXPECT_INT(ovpn_wrap_keys_tls_auth(key, digest,
			       dir < 0 ? OVPN_DIRECTION_NONE : (enum ovpn_wrap_direction) !dir,
			       &ends->base[0]),
		0);
	GTC_EXPECT_INT(
		ovpn_wrap_keys_tls_auth(key, digest, (enum ovpn_wrap_direction)dir, &ends->base[1]),
		0);
}

static void load_ends(const struct vec *v, struct ends *ends)
{
	const json_t *control = json_object_get(v->json, "control");
	struct ovpn_static_key key;
	uint8_t client[OVPN_STATIC_KEY_SIZE + OVPN_WKC_MAX];

	memset(ends, 0, sizeof(*ends));
	if (vec_hex(v->json, "dynamic_tls_crypt_key", key.bytes, sizeof(key.bytes)) > 0) {
		ends->has_dynamic = true;
		ovpn_wrap_keys_tls_crypt(&key, true, &ends->dynamic[0]);
		ovpn_wrap_keys_tls_crypt(&key, false, &ends->dynamic[1]);
	}
	if (control == NULL)
		return;
	if (vec_hex(control, "tls_crypt_v2_client_key", client, sizeof(client)) > 0) {
		ends->has_v2 = true;
		memcpy(key.bytes, client, sizeof(key.bytes));
		(void)vec_hex(
			control, "tls_crypt_v2_server_key", ends->v2.bytes, sizeof(ends->v2.bytes));
	} else if (vec_hex(control, "key_file", key.bytes, sizeof(key.bytes)) == 0) {
		return;
	}
	if (strcmp(vec_str(control, "wrap"), "tls-auth") == 0) {
		load_tls_auth(control, &key, ends);
		return;
	}
	ovpn_wrap_keys_tls_crypt(&key, true, &ends->base[0]);
	ovpn_wrap_keys_tls_crypt(&key, false, &ends->base[1]);
}

// The wrapped client key of a packet: open it, compare, wrap it again.
static size_t check_wkc(const struct ends *ends, const struct vec_packet *p)
{
	uint8_t metadata[OVPN_WKC_METADATA_MAX];
	uint8_t want[OVPN_WKC_METADATA_MAX];
	uint8_t again[OVPN_WKC_MAX];
	struct ovpn_static_key kc;
	struct ovpn_wrap_keys keys;
	size_t metadata_len = 0;
	size_t body = 0;
	size_t len = 0;

	GTC_EXPECT_INT(ovpn_wkc_cut(p->data, p->len, &body), 0);
	GTC_EXPECT_INT(p->len - body, vec_int(p->json, "wkc_len", -1));
	GTC_EXPECT_INT(ovpn_wkc_open(&ends->v2, p->data + body, p->len - body, &kc, metadata,
			       &metadata_len),
		0);
	if (vec_hex(p->json, "wkc_metadata", want, sizeof(want)) > 0)
		GTC_EXPECT_MEM(metadata, want, metadata_len);
	GTC_EXPECT_INT(metadata[0], OVPN_WKC_METADATA_TIME);
	ovpn_wrap_keys_tls_crypt(&kc, true, &keys);
	GTC_EXPECT_MEM(&keys, &ends->base[0], sizeof(keys));
	GTC_EXPECT_INT(ovpn_wkc_seal(&ends->v2, &kc, metadata, metadata_len, again, &len), 0);
	GTC_EXPECT_INT(len, p->len - body);
	GTC_EXPECT_MEM(again, p->data + body, len);
	return body;
}

// Open a control packet with the receiver's keys, build it again with the sender's.
static void check_control(const struct ends *ends, const struct vec_packet *p)
{
	uint8_t key_id = ovpn_key_id_of(p->data[0]);
	const struct ovpn_wrap_keys *keys =
		key_id > 0 && ends->has_dynamic ? ends->dynamic : ends->base;
	uint8_t plain[2048];
	uint8_t again[2048];
	uint8_t sid[8];
	struct ovpn_control c;
	struct ovpn_wrap_id id;
	size_t plain_len = 0;
	size_t again_len = 0;
	size_t len = p->len;

	if (ovpn_opcode_has_wkc(ovpn_opcode_of(p->data[0])))
		len = check_wkc(ends, p);
	if (!GTC_EXPECT_INT(ovpn_wrap_open(&keys[p->c2s ? 0 : 1], p->data, len, plain,
				    sizeof(plain), &plain_len, &id),
		    0) ||
		!GTC_EXPECT_INT(ovpn_control_parse(plain, plain_len, &c), 0))
		return;
	GTC_EXPECT_INT(vec_hex(p->json, "sid", sid, sizeof(sid)), 8);
	GTC_EXPECT_MEM(c.sid, sid, sizeof(sid));
	GTC_EXPECT_INT(c.message_id, vec_int(p->json, "pid", 0));
	GTC_EXPECT_INT(c.payload_len, vec_int(p->json, "payload_len", 0));
	GTC_EXPECT_INT(c.ack_count, json_array_size(json_object_get(p->json, "acks")));
	GTC_EXPECT_INT(id.id, vec_int(p->json, "replay_pid", 0));
	GTC_EXPECT_INT(id.time_s, vec_int(p->json, "replay_time", 0));
	GTC_EXPECT_INT(ovpn_wrap_seal_as(&keys[p->c2s ? 1 : 0], id, plain, plain_len, again,
			       sizeof(again), &again_len),
		0);
	GTC_EXPECT_INT(again_len, len);
	GTC_EXPECT_MEM(again, p->data, len);
}

GTC_TEST(tls_vector, wrapping)
{
	unsigned wrapped = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		struct ends ends;

		load_ends(v, &ends);
		for (size_t i = 0; i < v->count; i++) {
			if (v->packet[i].len > 0 &&
				ovpn_opcode_is_control(ovpn_opcode_of(v->packet[i].data[0])))
				check_control(&ends, &v->packet[i]);
		}
		wrapped += ends.base[0].mode != OVPN_WRAP_NONE || ends.has_dynamic;
		vec_free(v);
	}
	GTC_EXPECT(wrapped >= 6); // two of tls-auth, tls-crypt, v2, dynamic with and without base
}

// --- Key derivation ---

static void copy_hex(const json_t *object, const char *key, uint8_t *out, size_t size)
{
	GTC_EXPECT_INT(vec_hex(object, key, out, size), size);
}

// Collect the random material of a key id. Returns false when a message is missing.
static bool collect(const struct vec *v, long long key_id, struct ovpn_prf_input *in)
{
	const json_t *messages = json_object_get(v->json, "control_messages");
	const json_t *m;
	size_t i;
	unsigned found = 0;

	memset(in, 0, sizeof(*in));
	json_array_foreach(messages, i, m)
	{
		const json_t *km2 = json_object_get(m, "key_method_2");

		if (km2 == NULL || vec_int(m, "key_id", -1) != key_id)
			continue;
		if (strcmp(vec_str(m, "dir"), "c2s") == 0) {
			copy_hex(km2, "pre_master", in->pre_master, 48);
			copy_hex(km2, "random1", in->client_random1, 32);
			copy_hex(km2, "random2", in->client_random2, 32);
			found |= 1;
		} else {
			copy_hex(km2, "random1", in->server_random1, 32);
			copy_hex(km2, "random2", in->server_random2, 32);
			found |= 2;
		}
	}
	for (i = 0; i < v->count; i++) {
		if (vec_hex(v->packet[i].json, "sid",
			    v->packet[i].c2s ? in->client_sid : in->server_sid, 8) == 8)
			found |= v->packet[i].c2s ? 4 : 8;
	}
	return found == 15;
}

GTC_TEST(tls_vector, prf)
{
	unsigned checked = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		json_t *derived = json_object_get(v->json, "derived_keys");
		const char *key_id;
		json_t *entry;

		json_object_foreach(derived, key_id, entry)
		{
			uint8_t want[OVPN_KEY_MATERIAL_SIZE];
			uint8_t got[OVPN_KEY_MATERIAL_SIZE];
			struct ovpn_prf_input in;

			if (strstr(vec_str(entry, "kdf"), "prf") == NULL ||
				!GTC_EXPECT(collect(v, atoll(key_id), &in)))
				continue;
			copy_hex(entry, "key_material", want, sizeof(want));
			GTC_EXPECT_INT(ovpn_prf_derive(&in, got), 0);
			GTC_EXPECT_MEM(got, want, sizeof(want));
			checked++;
		}
		vec_free(v);
	}
	GTC_EXPECT(checked >= 6);
}

// HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1).
static void expand_label(const char *digest, const uint8_t *secret, size_t secret_len,
	const char *label, const uint8_t *context, size_t context_len, uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	uint8_t info[256];
	size_t n = 0;
	OSSL_PARAM params[5];

	info[n++] = (uint8_t)(len >> 8);
	info[n++] = (uint8_t)len;
	info[n++] = (uint8_t)(6 + strlen(label));
	n += (size_t)sprintf((char *)info + n, "tls13 %s", label);
	info[n++] = (uint8_t)context_len;
	memcpy(info + n, context, context_len);
	n += context_len;
	params[0] = OSSL_PARAM_construct_utf8_string(
		OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, secret_len);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, n);
	params[3] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[4] = OSSL_PARAM_construct_end();
	GTC_EXPECT_INT(EVP_KDF_derive(ctx, out, len, params), 1);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

// The exporter of TLS 1.3 without context (RFC 8446 section 7.5).
static void exporter(const uint8_t *secret, size_t len, const char *label, uint8_t *out, size_t n)
{
	const char *digest = len == 48 ? "SHA384" : "SHA256";
	uint8_t empty[EVP_MAX_MD_SIZE];
	uint8_t derived[EVP_MAX_MD_SIZE];

	GTC_EXPECT_INT(EVP_Q_digest(NULL, digest, NULL, "", 0, empty, NULL), 1);
	expand_label(digest, secret, len, label, empty, len, derived, len);
	expand_label(digest, derived, len, "exporter", empty, len, out, n);
}

// The n-th exporter secret of the key log. Returns its length, 0 for none.
static size_t exporter_secret(const struct vec *v, unsigned index, uint8_t *out, size_t size)
{
	const json_t *log = json_object_get(json_object_get(v->json, "tls"), "keylog");
	const json_t *line;
	size_t i;

	json_array_foreach(log, i, line)
	{
		const char *text = json_string_value(line);

		if (strncmp(text, "EXPORTER_SECRET ", 16) == 0 && index-- == 0)
			return vec_unhex(strrchr(text, ' ') + 1, out, size);
	}
	return 0;
}

// Find the exporter secret of key id 0 (the key log isn't in order of time): the one that gives its
// data keys. Returns its length, 0 when there is none.
static size_t first_secret(const struct vec *v, uint8_t *secret, size_t size)
{
	const json_t *first = json_object_get(json_object_get(v->json, "derived_keys"), "0");
	uint8_t want[OVPN_KEY_MATERIAL_SIZE];
	uint8_t got[OVPN_KEY_MATERIAL_SIZE];
	size_t len;

	if (first == NULL || strstr(vec_str(first, "kdf"), "ekm") == NULL)
		return 0;
	copy_hex(first, "key_material", want, sizeof(want));
	for (unsigned i = 0; (len = exporter_secret(v, i, secret, size)) > 0; i++) {
		exporter(secret, len, OVPN_EXPORTER_DATA_KEYS, got, sizeof(got));
		if (memcmp(got, want, sizeof(want)) == 0)
			return len;
	}
	return 0;
}

// The static key, or Kc, of a vector. Returns false without one.
static bool base_key(const struct vec *v, struct ovpn_static_key *key)
{
	const json_t *control = json_object_get(v->json, "control");
	uint8_t client[OVPN_STATIC_KEY_SIZE + OVPN_WKC_MAX];

	if (vec_hex(control, "tls_crypt_v2_client_key", client, sizeof(client)) > 0) {
		memcpy(key->bytes, client, sizeof(key->bytes));
		return true;
	}
	return vec_hex(control, "key_file", key->bytes, sizeof(key->bytes)) > 0;
}

GTC_TEST(tls_vector, exporter_labels)
{
	unsigned data = 0;
	unsigned dynamic = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		struct ovpn_static_key base;
		struct ovpn_static_key key;
		uint8_t want[OVPN_STATIC_KEY_SIZE];
		uint8_t got[OVPN_STATIC_KEY_SIZE];
		uint8_t secret[64];
		size_t len = first_secret(v, secret, sizeof(secret));

		data += len > 0;
		if (len > 0 && vec_hex(v->json, "dynamic_tls_crypt_key", want, sizeof(want)) > 0) {
			bool has_base = base_key(v, &base);

			exporter(secret, len, OVPN_EXPORTER_DYNAMIC, got, sizeof(got));
			ovpn_dynamic_key(got, has_base ? &base : NULL, &key);
			GTC_EXPECT_MEM(key.bytes, want, sizeof(want));
			dynamic++;
		}
		vec_free(v);
	}
	GTC_EXPECT(data >= 18);
	GTC_EXPECT(dynamic >= 2);
}

// --- Data packets ---

static void check_data(const struct vec_packet *p, const struct ovpn_data_keys *keys)
{
	enum ovpn_key_direction dir = p->c2s ? OVPN_KEY_C2S : OVPN_KEY_S2C;
	struct ovpn_aead open = { 0 };
	struct ovpn_aead seal = { 0 };
	uint8_t plain[2048];
	uint8_t want[2048];
	uint8_t again[2048];
	size_t header = ovpn_opcode_of(p->data[0]) == OVPN_P_DATA_V2 ? 4 : 1;
	size_t len = 0;
	size_t again_len = 0;
	uint32_t id = 0;

	GTC_EXPECT_INT(ovpn_aead_init(&open, keys, dir, false), 0);
	GTC_EXPECT_INT(ovpn_aead_init(&seal, keys, dir, true), 0);
	GTC_EXPECT_INT(ovpn_aead_open(&open, p->data, p->len, plain, &len, &id), 0);
	GTC_EXPECT_INT(id, vec_int(p->json, "packet_id", -1));
	GTC_EXPECT_INT(vec_hex(p->json, "plain", want, sizeof(want)), len);
	GTC_EXPECT_MEM(plain, want, len);
	GTC_EXPECT_INT(
		ovpn_aead_seal(&seal, p->data, header, id, plain, len, again, &again_len), 0);
	GTC_EXPECT_INT(again_len, p->len);
	GTC_EXPECT_MEM(again, p->data, p->len);
	// The same in place, where the payload already lies behind the room for the header.
	memcpy(again + header + 20, plain, len);
	GTC_EXPECT_INT(ovpn_aead_seal(&seal, p->data, header, id, again + header + 20, len, again,
			       &again_len),
		0);
	GTC_EXPECT_MEM(again, p->data, p->len);
	GTC_EXPECT_INT(ovpn_aead_open(&open, again, again_len, again + header + 20, &len, &id), 0);
	GTC_EXPECT_MEM(again + header + 20, want, len);
	ovpn_aead_done(&open);
	ovpn_aead_done(&seal);
}

GTC_TEST(tls_vector, aead_data)
{
	unsigned packets = 0;
	uint32_t ciphers = 0;

	for (const char *const *name = vec_tls_names; *name != NULL; name++) {
		struct vec *v = vec_load(*name);
		const json_t *data = json_object_get(v->json, "data");
		const char *text = vec_str(data, "cipher");
		enum ovpn_cipher cipher = OVPN_CIPHER_NONE;

		(void)ovpn_cipher_by_name(text, strlen(text), &cipher); // none of ours otherwise
		if (!ovpn_cipher_is_aead(cipher) || json_is_true(json_object_get(data, "epoch"))) {
			vec_free(v);
			continue;
		}
		ciphers |= 1u << cipher;
		for (size_t i = 0; i < v->count; i++) {
			const struct vec_packet *p = &v->packet[i];
			struct ovpn_data_keys keys;
			uint8_t material[OVPN_KEY_MATERIAL_SIZE];
			char id[24];

			if (json_object_get(p->json, "plain") == NULL)
				continue;
			(void)snprintf(id, sizeof(id), "%lld", vec_int(p->json, "key_id", 0));
			copy_hex(json_object_get(json_object_get(v->json, "derived_keys"), id),
				"key_material", material, sizeof(material));
			GTC_EXPECT_INT(ovpn_data_keys_cut(material, cipher, &keys), 0);
			check_data(p, &keys);
			packets++;
		}
		vec_free(v);
	}
	GTC_EXPECT(packets > 100);
	GTC_EXPECT_INT(ciphers,
		1u << OVPN_CIPHER_AES_128_GCM | 1u << OVPN_CIPHER_AES_256_GCM |
			1u << OVPN_CIPHER_CHACHA20_POLY1305);
}
