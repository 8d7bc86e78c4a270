// SPDX-License-Identifier: BSD-3-Clause
#include "config/cipher.h"

#include <stddef.h>
#include <strings.h>

static const struct {
	const char *name;
	bool works;
} ciphers[] = {
	{ "AES-128-GCM", true },
	{ "AES-192-GCM", true },
	{ "AES-256-GCM", true },
	{ "CHACHA20-POLY1305", true },
	{ "AES-128-CBC", true },
	{ "AES-192-CBC", true },
	{ "AES-256-CBC", true },
	{ "AES-128-CFB", true },
	{ "AES-192-CFB", true },
	{ "AES-256-CFB", true },
	{ "AES-128-OFB", true },
	{ "AES-192-OFB", true },
	{ "AES-256-OFB", true },
	{ "BF-CBC", true },
	{ "DES-EDE3-CBC", true },
	{ "CAMELLIA-128-CBC", true },
	{ "CAMELLIA-192-CBC", true },
	{ "CAMELLIA-256-CBC", true },
	{ "none", true },
};

const char *cfg_cipher_normalise(const char *name, bool *ret_works)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (strcasecmp(name, ciphers[i].name) == 0) {
			*ret_works = ciphers[i].works;
			return ciphers[i].name;
		}
	}
	return NULL;
}

static const struct {
	const char *alias;
	const char *name;
} digests[] = {
	{ "MD5", "MD5" },
	{ "RSA-MD5", "MD5" },
	{ "SHA1", "SHA1" },
	{ "SHA-1", "SHA1" },
	{ "RSA-SHA1", "SHA1" },
	{ "SHA224", "SHA224" },
	{ "SHA-224", "SHA224" },
	{ "RSA-SHA224", "SHA224" },
	{ "SHA256", "SHA256" },
	{ "SHA-256", "SHA256" },
	{ "RSA-SHA256", "SHA256" },
	{ "SHA384", "SHA384" },
	{ "SHA-384", "SHA384" },
	{ "RSA-SHA384", "SHA384" },
	{ "SHA512", "SHA512" },
	{ "SHA-512", "SHA512" },
	{ "RSA-SHA512", "SHA512" },
	{ "none", "none" },
};

const char *cfg_digest_normalise(const char *name)
{
	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		if (strcasecmp(name, digests[i].alias) == 0)
			return digests[i].name;
	}
	return NULL;
}
