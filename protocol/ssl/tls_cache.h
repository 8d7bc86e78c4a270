// SPDX-License-Identifier: BSD-3-Clause
// Chains that were verified already. A client that comes back, or renegotiates, shows the same
// certificates again; that their signatures fit hasn't changed since. What may change with time
// alone bounds an entry: the validity of every certificate, the CRLs and when they expire. CAs and
// rules belong to the context, which a reload replaces as a whole, cache included.
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define OVPN_TLS_CACHE_KEY 32
#define OVPN_TLS_CACHE_ENTRIES 1024u // by hash; a later chain replaces one of the same place
#define OVPN_TLS_CACHE_S 3600 // an entry is forgotten after that in any case

struct ovpn_tls_cache;

// One verified chain; plain data but for the chain, which the cache counts.
struct ovpn_tls_known {
	uint8_t key[OVPN_TLS_CACHE_KEY];
	uint64_t crl_serial; // of the CRLs that it was checked against; 0: none
	int64_t from_s; // unix time, first and last second at which it may be used
	int64_t until_s;
	STACK_OF(X509) * chain; // leaf first, up to the CA
};

// Returns NULL without memory.
struct ovpn_tls_cache *ovpn_tls_cache_create(void);
struct ovpn_tls_cache *ovpn_tls_cache_free(struct ovpn_tls_cache *cache); // NULL; takes NULL

// Hash of what a peer showed: its own certificate and the others, in their order.
// Returns false when libcrypto fails.
bool ovpn_tls_cache_key(
	const X509 *leaf, const STACK_OF(X509) * others, uint8_t ret_key[OVPN_TLS_CACHE_KEY]);

// The verified chain of a key, for the caller to free with its certificates; NULL when it isn't
// known, or not for these CRLs, or not at this time. Any thread.
STACK_OF(X509) *
	ovpn_tls_cache_find(struct ovpn_tls_cache *cache, const uint8_t key[OVPN_TLS_CACHE_KEY],
		uint64_t crl_serial, int64_t now_s);

// Remember a chain that was verified just now. crls may be NULL. Does nothing when there is no
// memory. Any thread.
void ovpn_tls_cache_add(struct ovpn_tls_cache *cache, const uint8_t key[OVPN_TLS_CACHE_KEY],
	uint64_t crl_serial, const STACK_OF(X509) * chain, const STACK_OF(X509_CRL) * crls,
	int64_t now_s);

// How often a chain was found.
uint64_t ovpn_tls_cache_hits(const struct ovpn_tls_cache *cache);
