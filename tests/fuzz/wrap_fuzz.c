// SPDX-License-Identifier: BSD-3-Clause
// Wrapping: a foreign datagram must never open, one of ours always does. WKc likewise.
//
// The first byte chooses what is done with the rest.
#include <stdlib.h>
#include <string.h>

#include "protocol/tls/aead.h"
#include "protocol/tls/wrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ovpn_wrap_keys ends[3][2]; // none, tls-auth, tls-crypt; server, client
static struct ovpn_v2_server_key v2;
static struct ovpn_data_keys data_keys;

static void set_up(void)
{
	static uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_static_key key;

	for (size_t i = 0; i < sizeof(key.bytes); i++)
		key.bytes[i] = (uint8_t)(i * 5 + 3);
	memcpy(v2.bytes, key.bytes, sizeof(v2.bytes));
	memcpy(material, key.bytes, sizeof(material));
	for (unsigned e = 0; e < 2; e++) {
		if (ovpn_wrap_keys_tls_auth(&key, OVPN_DIGEST_SHA1,
			    e == 0 ? OVPN_DIRECTION_NORMAL : OVPN_DIRECTION_INVERSE,
			    &ends[1][e]) < 0)
			abort();
		ovpn_wrap_keys_tls_crypt(&key, e == 0, &ends[2][e]);
	}
	if (ovpn_data_keys_cut(material, OVPN_CIPHER_AES_128_GCM, &data_keys) < 0)
		abort();
}

static void open_foreign(unsigned mode, const uint8_t *data, size_t size)
{
	static uint8_t plain[8192];
	struct ovpn_wrap_id id;
	size_t len;
	int rc = ovpn_wrap_open(&ends[mode][0], data, size, plain, sizeof(plain), &len, &id);

	if (rc == 0 && mode > 0)
		abort(); // a forged tag
}

static void there_and_back(unsigned mode, const uint8_t *data, size_t size)
{
	static uint8_t dgram[8192];
	static uint8_t plain[8192];
	struct ovpn_wrap_id id = { .id = 7, .time_s = 8 };
	size_t len;
	size_t n;

	if (ovpn_wrap_seal_as(&ends[mode][1], id, data, size, dgram, sizeof(dgram), &len) < 0)
		return;
	if (ovpn_wrap_open(&ends[mode][0], dgram, len, plain, sizeof(plain), &n, &id) < 0)
		abort();
	if (n != size || memcmp(plain, data, n) != 0)
		abort();
}

static void client_key(const uint8_t *data, size_t size)
{
	uint8_t metadata[OVPN_WKC_METADATA_MAX];
	uint8_t wkc[OVPN_WKC_MAX];
	struct ovpn_static_key kc = { { 0 } };
	size_t len;
	size_t body;

	if (ovpn_wkc_cut(data, size, &body) == 0 &&
		ovpn_wkc_open(&v2, data + body, size - body, &kc, metadata, &len) == 0)
		abort(); // a forged tag
	if (ovpn_wkc_seal(&v2, &kc, data, size, wkc, &len) < 0)
		return;
	if (ovpn_wkc_open(&v2, wkc, len, &kc, metadata, &body) < 0 || body != size)
		abort();
}

static void data_packet(const uint8_t *data, size_t size)
{
	static uint8_t plain[8192];
	struct ovpn_aead aead = { 0 };
	uint32_t id;
	size_t len;

	if (ovpn_aead_init(&aead, &data_keys, OVPN_KEY_S2C, false) < 0)
		abort();
	if (ovpn_aead_open(&aead, data, size, plain, &len, &id) == 0)
		abort(); // a forged tag
	ovpn_aead_done(&aead);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		set_up();
	ready = true;
	if (size < 1 || size > 4096)
		return 0;
	switch (data[0] % 8) {
	case 0:
	case 1:
	case 2: open_foreign(data[0] % 8, data + 1, size - 1); break;
	case 3:
	case 4:
	case 5: there_and_back(data[0] % 8 - 3u, data + 1, size - 1); break;
	case 6: client_key(data + 1, size - 1); break;
	default: data_packet(data + 1, size - 1); break;
	}
	return 0;
}
