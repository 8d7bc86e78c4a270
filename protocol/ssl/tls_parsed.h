// SPDX-License-Identifier: BSD-3-Clause
// Certificates that were parsed before, by their bytes. OpenSSL 3.0 sets a decoder up for the
// public key of each certificate that a peer shows, and has no way to hand it a parsed one. So the
// programs that are linked with this folder have a d2i_X509 of their own in front of libcrypto's,
// which libssl calls: where the very same bytes are known it gives the same certificate again,
// counted, and otherwise it calls libcrypto's. Whether to believe a certificate isn't decided here.
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#define OVPN_TLS_PARSED_SETS 512u // by the signature's end
#define OVPN_TLS_PARSED_WAYS 4u // certificates in a set; a later one replaces the earliest

struct ovpn_tls_parsed;

// Returns NULL without memory.
struct ovpn_tls_parsed *ovpn_tls_parsed_create(void);
struct ovpn_tls_parsed *ovpn_tls_parsed_free(struct ovpn_tls_parsed *parsed); // NULL; takes NULL

// Remember those of the shown certificates that are part of a chain that was verified: nobody else
// can fill the table. Does nothing when there is no memory. Any thread.
void ovpn_tls_parsed_add(struct ovpn_tls_parsed *parsed, const STACK_OF(X509) * shown,
	const STACK_OF(X509) * verified);

// Where d2i_X509 looks from now on when this thread calls it; NULL: nowhere, as in the beginning.
void ovpn_tls_parsed_use(struct ovpn_tls_parsed *parsed);

// How often a certificate was found.
uint64_t ovpn_tls_parsed_hits(const struct ovpn_tls_parsed *parsed);
