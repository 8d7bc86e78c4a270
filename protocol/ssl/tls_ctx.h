// SPDX-License-Identifier: BSD-3-Clause
// What all TLS connections of a server or of a client profile have in common: certificates, keys,
// CRL, versions, cipher suites, and which peers to believe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVPN_TLS_ERROR_MAX 320

// Why something failed: one clause for a log line, naming the file (or inline block) and what is
// wrong with it. Never holds a secret. Written on failure only.
struct ovpn_tls_error {
	char text[OVPN_TLS_ERROR_MAX];
};

// A PEM (for pkcs12 DER, inline in base64) source: bytes of an inline block, or a file. Neither:
// not given.
struct ovpn_tls_source {
	const char *name; // for messages: "ca", "[inline] ca"; NULL: the path
	const char *path; // NULL: inline
	const void *data; // inline bytes, need no NUL
	size_t len;
};

enum ovpn_tls_version {
	OVPN_TLS_VERSION_DEFAULT = 0, // minimum 1.2, no maximum
	OVPN_TLS_1_0 = 10,
	OVPN_TLS_1_1 = 11,
	OVPN_TLS_1_2 = 12,
	OVPN_TLS_1_3 = 13,
};

enum ovpn_tls_verify_cert {
	OVPN_TLS_CERT_REQUIRE = 0,
	OVPN_TLS_CERT_OPTIONAL = 1, // verify-client-cert optional
	OVPN_TLS_CERT_NONE = 2, // verify-client-cert none
};

// remote-cert-tls: the extended key usage that the peer's certificate must have, beside a key
// usage.
enum ovpn_tls_eku {
	OVPN_TLS_EKU_ANY = 0,
	OVPN_TLS_EKU_SERVER = 1,
	OVPN_TLS_EKU_CLIENT = 2,
};

// remote-cert-ku: key usages, each of which is all bits of one (OpenSSL's KU_*, 0xa0 is
// digitalSignature with keyEncipherment).
#define OVPN_TLS_KU_MAX 16
struct ovpn_tls_ku {
	bool wanted; // the extension must be there
	uint8_t n; // 0: and what it says is left to the library
	uint8_t any_of[OVPN_TLS_KU_MAX]; // all bits of one of them must be set
};

enum ovpn_tls_name_match {
	OVPN_TLS_NAME_ANY = 0,
	OVPN_TLS_NAME_SUBJECT = 1, // verify-x509-name N subject: whole subject, "C=.., O=.., CN=.."
	OVPN_TLS_NAME_CN = 2, // verify-x509-name N name
	OVPN_TLS_NAME_CN_PREFIX = 3, // verify-x509-name N name-prefix
};

// Called for an encrypted private key. Writes at most size - 1 bytes and a NUL.
// Returns the length, or negative when there is no password.
typedef int ovpn_tls_password_fn(void *arg, char *ret_password, size_t size);

struct ovpn_tls_ctx_options {
	bool server;
	struct ovpn_tls_source ca;
	struct ovpn_tls_source extra_certs;
	struct ovpn_tls_source cert;
	struct ovpn_tls_source key;
	struct ovpn_tls_source pkcs12; // instead of ca, cert and key
	struct ovpn_tls_source dh; // servers; not given means `dh none`
	struct ovpn_tls_source crl;
	const char *crl_dir; // `crl-verify D dir`: a file named after the serial number revokes it
	const uint8_t (*fingerprints)[32]; // SHA-256 of the certificates that a peer may have
	size_t n_fingerprints; // 0: any. Without a CA they alone decide
	const char *capath; // folder of hashed CA files
	enum ovpn_tls_version version_min;
	enum ovpn_tls_version version_max;
	const char *cipher_list; // tls-cipher, names of OpenSSL or IANA; NULL: library's default
	const char *ciphersuites; // tls-ciphersuites for TLS 1.3; NULL: default
	const char *groups; // tls-groups; NULL: default
	const char *
		cert_profile; // tls-cert-profile: legacy, preferred, suiteb, insecure; NULL: legacy
	enum ovpn_tls_verify_cert verify_cert; // servers
	enum ovpn_tls_eku eku;
	struct ovpn_tls_ku ku;
	const char *eku_oid; // remote-cert-eku: a name that OpenSSL knows, or an OID; NULL: none
	enum ovpn_tls_name_match name_match;
	const char *name; // for name_match
	bool want_env; // remember the peer's certificates as variables for programs
	ovpn_tls_password_fn *password; // NULL: encrypted keys are refused, nothing is asked
	void *password_arg;
};

struct ovpn_tls_ctx; // counted; connections hold a reference

// Load everything and check that it fits together (key and certificate, for example).
// No session tickets, no session cache, no renegotiation, no compression.
//
// Reads files: from the thread that may block, before privileges are dropped.
//
// Returns 0, -ENOENT when a file can't be read, -EINVAL when something is wrong with its content
// or an option, -EKEYREJECTED when the private key doesn't fit the certificate, -ENOMEM. On
// failure *ret_err says what, in words.
int ovpn_tls_ctx_create(const struct ovpn_tls_ctx_options *options, struct ovpn_tls_ctx **ret_ctx,
	struct ovpn_tls_error *ret_err);

// Share it between threads; both return their argument and take NULL.
struct ovpn_tls_ctx *ovpn_tls_ctx_ref(struct ovpn_tls_ctx *ctx);

// Give a reference back. Returns NULL.
struct ovpn_tls_ctx *ovpn_tls_ctx_unref(struct ovpn_tls_ctx *ctx);

// Replace the CRL for handshakes that begin from now on; handshakes under way keep the old one.
// Safe while other threads make connections. On failure the old one stays.
// Returns 0, -ENOENT, -EINVAL with *ret_err written.
int ovpn_tls_ctx_set_crl(struct ovpn_tls_ctx *ctx, const struct ovpn_tls_source *crl,
	struct ovpn_tls_error *ret_err);

// Chains that didn't have to be verified, because the same was shown before.
uint64_t ovpn_tls_ctx_known(const struct ovpn_tls_ctx *ctx);

// Certificates that didn't have to be parsed, because a verified chain had them before.
uint64_t ovpn_tls_ctx_parsed(const struct ovpn_tls_ctx *ctx);

// Text of our own certificate's subject.
const char *ovpn_tls_ctx_subject(const struct ovpn_tls_ctx *ctx);

// SHA-256 over the public settings and the certificate: differs when a restarted control would
// answer handshakes differently (decisions.md C1).
void ovpn_tls_ctx_hash(const struct ovpn_tls_ctx *ctx, uint8_t ret_hash[32]);
