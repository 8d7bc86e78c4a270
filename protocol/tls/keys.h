// SPDX-License-Identifier: BSD-3-Clause
// Data-channel keys: the OpenVPN PRF, the cut of 256 bytes into two directions, and the key of
// dynamic tls-crypt. Bytes of the TLS exporter come in as an argument.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/tls/static_key.h"

#define OVPN_KEY_MATERIAL_SIZE 256
#define OVPN_CIPHER_KEY_MAX 64
#define OVPN_HMAC_KEY_MAX 64
// Label of the TLS exporter for data keys, and for the dynamic tls-crypt key. No context.
#define OVPN_EXPORTER_DATA_KEYS "EXPORTER-OpenVPN-datakeys"
#define OVPN_EXPORTER_DYNAMIC "EXPORTER-OpenVPN-dynamic-tls-crypt"

// Index into ovpn_data_keys.dir.
enum ovpn_key_direction {
	OVPN_KEY_C2S = 0, // client to server: clients seal with it, servers open
	OVPN_KEY_S2C = 1,
};

// Random material of a key-method-2 exchange (protocol.md 5.1), wiped by its owner.
struct ovpn_prf_input {
	uint8_t pre_master[48]; // the client's
	uint8_t client_random1[32];
	uint8_t client_random2[32];
	uint8_t server_random1[32];
	uint8_t server_random2[32];
	uint8_t client_sid[8];
	uint8_t server_sid[8];
};

// Keys of one direction, as far as the cipher uses them; the rest is what the peer derived, too.
struct ovpn_direction_key {
	uint8_t cipher_key[OVPN_CIPHER_KEY_MAX];
	uint8_t hmac_key[OVPN_HMAC_KEY_MAX]; // AEAD: the first 8 bytes are the implicit IV
};

// Both directions of one key id.
struct ovpn_data_keys {
	uint8_t cipher; // enum ovpn_cipher
	struct ovpn_direction_key dir[2]; // enum ovpn_key_direction
};

// The 256 bytes by the OpenVPN PRF.
// Returns 0, -EIO when libcrypto fails (then nothing of the output may be used).
// Source: protocol.md 5.3.
int ovpn_prf_derive(const struct ovpn_prf_input *in, uint8_t ret_material[OVPN_KEY_MATERIAL_SIZE]);

// PRF of TLS 1.0 (P_MD5 xor P_SHA1); public for the tests.
// Returns 0, -EINVAL for an empty secret, -EIO.
int ovpn_tls1_prf(const uint8_t *secret, size_t secret_len, const uint8_t *seed, size_t seed_len,
	uint8_t *out, size_t len);

// Cut 256 bytes (from the PRF or the exporter) into two directions.
// Returns 0, -EKEYREJECTED when the bytes that the cipher uses of a cipher key are all zero.
// Source: protocol.md 5.5.
int ovpn_data_keys_cut(const uint8_t material[OVPN_KEY_MATERIAL_SIZE], enum ovpn_cipher cipher,
	struct ovpn_data_keys *ret_keys);

void ovpn_data_keys_wipe(struct ovpn_data_keys *keys);
void ovpn_prf_input_wipe(struct ovpn_prf_input *in);

// Key of dynamic tls-crypt: exporter bytes (OVPN_EXPORTER_DYNAMIC, of the connection of key id 0)
// xor the static key or Kc where there is one.
// base: NULL without wrapping. Source: protocol.md 11.4.
void ovpn_dynamic_key(const uint8_t exported[OVPN_STATIC_KEY_SIZE],
	const struct ovpn_static_key *base, struct ovpn_static_key *ret_key);
