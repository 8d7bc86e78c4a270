// SPDX-License-Identifier: BSD-3-Clause
// Ciphers that IPsec-MB lacks, by OpenSSL. Private to this folder.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Fetch everything that this machine has, once a process. Any thread; before the sandbox.
void dp_ossl_load(void);

// The algorithm of enum ovpn_cipher, NULL when the machine lacks it. After dp_ossl_load().
const EVP_CIPHER *dp_ossl_cipher(uint8_t cipher);

// A context that is keyed, without padding. NULL when there is no memory. EVP_CIPHER_CTX_free()
// wipes it. Allocates: when a key is installed, never for a packet.
EVP_CIPHER_CTX *dp_ossl_context(uint8_t cipher, const uint8_t *key, bool seal);

// Encrypt or decrypt in place, as the context says. CBC: whole blocks.
bool dp_ossl_crypt(EVP_CIPHER_CTX *ctx, const uint8_t *iv, uint8_t *text, size_t len);
