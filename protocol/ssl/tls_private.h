// SPDX-License-Identifier: BSD-3-Clause
// What the files of this folder share.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>

#include "protocol/ssl/tls_cache.h"
#include "protocol/ssl/tls_conn.h"
#include "protocol/ssl/tls_ctx.h"
#include "protocol/ssl/tls_parsed.h"

// Longest file that is read: a CRL of a large CA has some MiB.
#define OVPN_TLS_FILE_MAX (16u << 20)

// CRLs of one load; counted, so that a handshake keeps those it began with.
struct ovpn_tls_crls {
	atomic_uint refs;
	uint64_t serial; // of the load, never again the same; from 1
	STACK_OF(X509_CRL) * list;
};

struct ovpn_tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl;
	pthread_mutex_t crl_lock; // around the pointer below
	struct ovpn_tls_crls *crls; // NULL: no CRL check
	struct ovpn_tls_cache *cache; // NULL: none, there was no memory
	struct ovpn_tls_parsed *parsed; // the same
	char *crl_dir; // NULL: none
	char *name; // of name_match
	enum ovpn_tls_name_match name_match;
	enum ovpn_tls_eku eku;
	struct ovpn_tls_ku ku;
	ASN1_OBJECT *eku_oid; // NULL: none
	bool server;
	bool want_env;
	bool no_ca; // fingerprints alone decide
	uint8_t (*fingerprints)[32];
	size_t n_fingerprints;
	char subject[OVPN_TLS_SUBJECT_MAX];
	uint8_t hash[32];
};

struct ovpn_tls_conn {
	SSL *ssl;
	BIO *in; // bytes of the peer; belongs to ssl, like out
	BIO *out;
	struct ovpn_tls_ctx *ctx;
	struct ovpn_tls_crls *crls;
	uint64_t fed;
	enum ovpn_tls_state state;
	struct ovpn_tls_peer peer;
	char *env; // NAME=VALUE strings, each with its NUL
	size_t env_len;
	char error[OVPN_TLS_ERROR_MAX];
};

// --- tls_load.c ---

// Write an error text, unless err is NULL. Returns rc.
int ovpn_tls_error_set(struct ovpn_tls_error *err, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// True when the source names a file or bytes.
bool ovpn_tls_source_given(const struct ovpn_tls_source *source);

// What to call a source in a message: "ca /etc/ca.pem" or "inline ca".
void ovpn_tls_source_name(
	const struct ovpn_tls_source *source, const char *what, char *ret_name, size_t size);

// All bytes of a source as a BIO to read from; *ret_copy must be freed after it (OPENSSL_clear_free
// with *ret_size), NULL for inline bytes. Returns 0, -ENOENT, -EINVAL, -ENOMEM.
int ovpn_tls_source_open(const struct ovpn_tls_source *source, const char *what, BIO **ret_bio,
	void **ret_copy, size_t *ret_size, struct ovpn_tls_error *err);

// All certificates of a PEM source, at least one. Returns 0 or as above.
int ovpn_tls_load_certs(const struct ovpn_tls_source *source, const char *what,
	STACK_OF(X509) * *ret_certs, struct ovpn_tls_error *err);

// The private key of a PEM source.
int ovpn_tls_load_key(const struct ovpn_tls_source *source, ovpn_tls_password_fn *password,
	void *password_arg, EVP_PKEY **ret_key, struct ovpn_tls_error *err);

// Everything of a PKCS #12 source; *ret_ca may be NULL.
int ovpn_tls_load_pkcs12(const struct ovpn_tls_source *source, ovpn_tls_password_fn *password,
	void *password_arg, EVP_PKEY **ret_key, X509 **ret_cert, STACK_OF(X509) * *ret_ca,
	struct ovpn_tls_error *err);

// All CRLs of a PEM source, at least one.
int ovpn_tls_load_crls(const struct ovpn_tls_source *source, struct ovpn_tls_crls **ret_crls,
	struct ovpn_tls_error *err);

struct ovpn_tls_crls *ovpn_tls_crls_unref(struct ovpn_tls_crls *crls); // returns NULL

// --- tls_lib.c ---

// The library context of all connections, made at the first call; NULL means the usual one, which
// does the same more slowly. Any thread.
OSSL_LIB_CTX *ovpn_tls_lib(void);

// --- tls_verify.c ---

// Verification of a peer's chain, for SSL_CTX_set_cert_verify_callback.
int ovpn_tls_verify(X509_STORE_CTX *store_ctx, void *arg);

// In tls_env.c: fill conn->env from a chain, leaf first.
void ovpn_tls_env_fill(struct ovpn_tls_conn *conn, const STACK_OF(X509) * chain);

// Subject of a certificate as "C=PT, O=Example, CN=alice"; printable, cut to size.
void ovpn_tls_subject(const X509 *cert, char *ret_subject, size_t size);

// End of validity as unix time in seconds.
int64_t ovpn_tls_not_after(const X509 *cert);
