// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/legacy_algorithm.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdatomic.h>
#include <stddef.h>

#include "protocol/cipher.h"

// All immutable once fetched, and there until the process ends; of two threads that fetch at once
// one wins.
static _Atomic(OSSL_LIB_CTX *) old_library;
static _Atomic(EVP_CIPHER *) ciphers[OVPN_CIPHER_COUNT];
static _Atomic(EVP_MD *) digests[OVPN_DIGEST_COUNT];

bool ovpn_legacy_is_old(uint8_t cipher)
{
	return cipher == OVPN_CIPHER_BF_CBC || cipher == OVPN_CIPHER_BF_CFB ||
		cipher == OVPN_CIPHER_BF_OFB || cipher == OVPN_CIPHER_CAST5_CBC;
}

// A library context with the legacy provider alone: in the default context it would also serve
// everything else in the process.
static OSSL_LIB_CTX *get_old_library(void)
{
	OSSL_LIB_CTX *lib = atomic_load(&old_library);
	OSSL_LIB_CTX *other = NULL;

	if (lib != NULL)
		return lib;
	lib = OSSL_LIB_CTX_new();
	if (lib == NULL)
		return NULL;
	// The provider stays loaded as long as its context.
	if (OSSL_PROVIDER_load(lib, "legacy") == NULL) {
		OSSL_LIB_CTX_free(lib);
		return NULL;
	}
	if (atomic_compare_exchange_strong(&old_library, &other, lib))
		return lib;
	OSSL_LIB_CTX_free(lib);
	return other;
}

const EVP_CIPHER *ovpn_legacy_cipher(uint8_t cipher)
{
	OSSL_LIB_CTX *lib = NULL; // the default one
	EVP_CIPHER *other = NULL;
	EVP_CIPHER *fetched;

	if (cipher == OVPN_CIPHER_NONE || cipher >= OVPN_CIPHER_COUNT)
		return NULL;
	fetched = atomic_load(&ciphers[cipher]);
	if (fetched != NULL)
		return fetched;
	if (ovpn_legacy_is_old(cipher)) {
		lib = get_old_library();
		if (lib == NULL)
			return NULL;
	}
	fetched = EVP_CIPHER_fetch(lib, ovpn_cipher_info((enum ovpn_cipher)cipher)->name, NULL);
	if (fetched == NULL || atomic_compare_exchange_strong(&ciphers[cipher], &other, fetched))
		return fetched;
	EVP_CIPHER_free(fetched);
	return other;
}

const EVP_MD *ovpn_legacy_digest(uint8_t digest)
{
	EVP_MD *other = NULL;
	EVP_MD *fetched;

	if (digest == OVPN_DIGEST_NONE || digest >= OVPN_DIGEST_COUNT)
		return NULL;
	fetched = atomic_load(&digests[digest]);
	if (fetched != NULL)
		return fetched;
	fetched = EVP_MD_fetch(NULL, ovpn_digest_name((enum ovpn_digest)digest), NULL);
	if (fetched == NULL || atomic_compare_exchange_strong(&digests[digest], &other, fetched))
		return fetched;
	EVP_MD_free(fetched);
	return other;
}
