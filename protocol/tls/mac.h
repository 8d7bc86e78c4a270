// SPDX-License-Identifier: BSD-3-Clause
// HMAC over pieces and AES-256-CTR, as the control channel's wrappings need them. Private to this
// folder.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "protocol/bytes.h"
#include "protocol/cipher.h"

// HMAC over n pieces in order. key_len: bytes, may be 0. out: room for the digest.
// Returns 0, -ENOTSUP when the digest is none, -EIO when libcrypto fails. Any thread.
int ovpn_hmac(enum ovpn_digest digest, const uint8_t *key, size_t key_len,
	const struct ovpn_span *piece, unsigned n, uint8_t *out);

// AES-256 in counter mode, the 16 bytes at iv being the first counter block. in may be out.
// Returns 0, -EIO. Any thread.
int ovpn_aes256_ctr(
	const uint8_t key[32], const uint8_t iv[16], const uint8_t *in, size_t len, uint8_t *out);
