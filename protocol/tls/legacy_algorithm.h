// SPDX-License-Identifier: BSD-3-Clause
// OpenSSL's objects for ciphers and digests, fetched once. Private to this folder.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

// True for the ciphers that OpenSSL 3 keeps in its legacy provider.
bool ovpn_legacy_is_old(uint8_t cipher);

// Algorithm of enum ovpn_cipher or enum ovpn_digest, NULL when this machine lacks it. The first
// call loads providers. Lives as long as the process; any thread.
const EVP_CIPHER *ovpn_legacy_cipher(uint8_t cipher);
const EVP_MD *ovpn_legacy_digest(uint8_t digest);
