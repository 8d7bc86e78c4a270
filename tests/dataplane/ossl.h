// SPDX-License-Identifier: BSD-3-Clause
// Data packets made and opened by OpenSSL: an opinion on ours that shares no code with it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"

// Build a P_DATA_V1 or V2 packet of a plaintext. iv: implicit IV, 8 bytes. Returns its length.
size_t ossl_seal(enum ovpn_cipher cipher, const uint8_t *key, const uint8_t *iv, bool v1,
	uint8_t key_id, uint32_t peer_id, uint32_t packet_id, const uint8_t *plain, size_t len,
	uint8_t *out);

// Open one. Returns the length of the plaintext, or -1. plain has room for len bytes.
int ossl_open(enum ovpn_cipher cipher, const uint8_t *key, const uint8_t *iv, const uint8_t *packet,
	size_t len, uint8_t *plain);
