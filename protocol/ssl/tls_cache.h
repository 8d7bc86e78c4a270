// SPDX-License-Identifier: BSD-3-Clause
// Chains that were verified already. A peer that comes back, or renegotiates, shows the same
// certificates again; that their signatures fit hasn't changed since. What may change with time
// alone bounds an entry: the validity of every certificate, the CRLs and when they expire. CAs and
// rules belong to the context, which a reload replaces as a whole, cache included.
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/ssl/tls_conn.h"

#define OVPN_TLS_CACHE_SETS 256u // by the end of the leaf's signature
#define OVPN_TLS_CACHE_WAYS 4u // chains in a set; a later one replaces that which ends first
#define OVPN_TLS_CACHE_S 3600 // an entry is forgotten after that in any case

struct ovpn_tls_cache;

// What a peer showed: its own certificate and the others, in their order. others may be NULL.
struct ovpn_tls_shown {
	const X509 *leaf;
	const STACK_OF(X509) * others;
};

// Returns NULL without memory.
struct ovpn_tls_cache *ovpn_tls_cache_create(void);
struct ovpn_tls_cache *ovpn_tls_cache_free(struct ovpn_tls_cache *cache); // NULL; takes NULL

// The verified chain of what was shown, leaf first, for the caller to free with its certificates,
// and in *ret_peer what is remembered of the peer. NULL when it isn't known, or not for these CRLs,
// or not at this time (unix, seconds). Any thread.
STACK_OF(X509) *
	ovpn_tls_cache_find(struct ovpn_tls_cache *cache, const struct ovpn_tls_shown *shown,
		uint64_t crl_serial, int64_t now_s, struct ovpn_tls_peer *ret_peer);

// Remember a chain that was verified just now against the CRLs of that serial; 0 and NULL: none.
// Does nothing when there is no memory. Any thread.
void ovpn_tls_cache_add(struct ovpn_tls_cache *cache, const struct ovpn_tls_shown *shown,
	uint64_t crl_serial, const STACK_OF(X509) * chain, const STACK_OF(X509_CRL) * crls,
	int64_t now_s, const struct ovpn_tls_peer *peer);

// How often a chain was found.
uint64_t ovpn_tls_cache_hits(const struct ovpn_tls_cache *cache);
