// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/crypto/ossl.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>

#include "protocol/cipher.h"

// There as long as the process is; written once.
static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *ciphers[OVPN_CIPHER_COUNT];
static OSSL_LIB_CTX *old_library;

// Blowfish and CAST5 are in the legacy provider; a context of its own keeps that from serving
// anything else.
static void load(void)
{
	old_library = OSSL_LIB_CTX_new();
	if (old_library != NULL && OSSL_PROVIDER_load(old_library, "legacy") == NULL) {
		OSSL_LIB_CTX_free(old_library);
		old_library = NULL;
	}
	for (unsigned c = 0; c < OVPN_CIPHER_COUNT; c++) {
		const char *name = ovpn_cipher_info((enum ovpn_cipher)c)->name;

		if (c == OVPN_CIPHER_NONE || ovpn_cipher_is_aead((enum ovpn_cipher)c))
			continue;
		ciphers[c] = EVP_CIPHER_fetch(NULL, name, NULL);
		if (ciphers[c] == NULL && old_library != NULL)
			ciphers[c] = EVP_CIPHER_fetch(old_library, name, NULL);
	}
}

void dp_ossl_load(void)
{
	(void)pthread_once(&once, load); // fails for a bad argument only
}

const EVP_CIPHER *dp_ossl_cipher(uint8_t cipher)
{
	return ciphers[cipher];
}

EVP_CIPHER_CTX *dp_ossl_context(uint8_t cipher, const uint8_t *key, bool seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL && EVP_CipherInit_ex2(ctx, ciphers[cipher], key, NULL, seal, NULL) &&
		EVP_CIPHER_CTX_set_padding(ctx, 0))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

bool dp_ossl_crypt(EVP_CIPHER_CTX *ctx, const uint8_t *iv, uint8_t *text, size_t len)
{
	int n = 0;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) &&
		EVP_CipherUpdate(ctx, text, &n, text, (int)len) && n == (int)len;
}
