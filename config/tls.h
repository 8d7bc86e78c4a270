// SPDX-License-Identifier: BSD-3-Clause
// What server and client profiles have in common: credentials, control-channel wrapping, ciphers,
// rekeying.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/blob.h"

struct cfg_line;

#define CFG_DATA_CIPHERS_DEFAULT "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305"
#define CFG_CIPHERS_TEXT 128 // a colon list of data ciphers and its NUL (protocol.md 7.3)
#define CFG_FINGERPRINT 32 // bytes

enum cfg_tls_version {
	CFG_TLS_UNSET,
	CFG_TLS_1_0,
	CFG_TLS_1_1,
	CFG_TLS_1_2,
	CFG_TLS_1_3,
};

// Meaning of verify-x509-name's text.
enum cfg_x509_name {
	CFG_X509_NONE, // the option is absent
	CFG_X509_SUBJECT, // the whole subject, "CN=..., O=..."
	CFG_X509_NAME, // the common name
	CFG_X509_PREFIX, // how the common name begins
};

// remote-cert-tls: which purpose the peer's certificate must have.
enum cfg_purpose {
	CFG_PURPOSE_ANY,
	CFG_PURPOSE_SERVER,
	CFG_PURPOSE_CLIENT,
};

// remote-cert-ku: key usages of which the peer's certificate must have one.
#define CFG_KU_MAX 16
struct cfg_ku {
	bool wanted; // the option is there
	uint8_t n; // 0: the certificate must only have the extension
	uint8_t any_of[CFG_KU_MAX]; // bits as in OpenSSL's KU_*
};

// The wrapping of the control channel; at most one is set on a client.
struct cfg_wrap {
	struct cfg_blob tls_auth;
	int key_direction; // tls-auth: 0, 1, or -1 for both directions alike
	struct cfg_blob tls_crypt;
	struct cfg_blob tls_crypt_v2; // server: the server key; client: its own key
	bool force_cookie; // server: refuse tls-crypt-v2 clients that can't do the cookie handshake
	uint32_t v2_max_age_days; // server: oldest client key of tls-crypt-v2; 0: any
};

struct cfg_tls {
	struct cfg_blob ca;
	struct cfg_blob cert;
	struct cfg_blob key;
	struct cfg_blob extra_certs;
	struct cfg_blob pkcs12;
	struct cfg_blob dh; // ignored by TLS 1.3; absent with `dh none`
	struct cfg_blob crl;
	const char *crl_dir; // crl-verify DIR dir, or NULL
	uint8_t (*fingerprints)[CFG_FINGERPRINT]; // peer-fingerprint: SHA-256 of certificates
	size_t n_fingerprints;
	struct cfg_blob askpass; // pass phrase of key or pkcs12
	struct cfg_wrap wrap;
	struct cfg_blob secret; // static key, in place of all TLS; its direction is the wrap's
	enum cfg_tls_version version_min; // default CFG_TLS_1_2
	bool version_min_said;
	enum cfg_tls_version version_max; // CFG_TLS_UNSET: the library's highest
	const char *cipher_list; // tls-cipher, TLS 1.2 and older; names of OpenSSL or IANA; NULL:
				 // default
	const char *ciphersuites; // tls-ciphersuites, TLS 1.3; NULL: default
	const char *groups; // tls-groups or ecdh-curve; NULL: default
	const char *cert_profile; // "insecure", "legacy", "preferred", "suiteb"; NULL: legacy
	enum cfg_purpose purpose;
	struct cfg_ku ku;
	const char *eku_oid; // remote-cert-eku, or NULL
	enum cfg_x509_name x509_name_type;
	const char *x509_name;

	char data_ciphers[CFG_CIPHERS_TEXT]; // normalised, colon separated, only what we can do
	const char *data_ciphers_fallback; // normalised name, or NULL
	const char
		*cipher; // normalised; for old peers' option strings, and of static keys; or NULL
	const char *auth; // normalised digest: "SHA1", "SHA256", ..., "none"
	uint32_t keysize; // bits, as said; only checked
	const struct cfg_line *keysize_line; // valid while parsing
	const struct cfg_line *crl_dir_line; // of crl_dir, valid while parsing
	uint32_t compat; // compat-mode: 20400 for 2.4.0; 0: not said

	uint32_t reneg_sec; // s; 0: never by time. Default 3600
	uint32_t reneg_sec_min; // s; the server draws from min..max; equal to reneg_sec when not
				// given
	uint64_t reneg_bytes; // 0: no limit
	uint64_t reneg_pkts; // 0: no limit
	uint32_t hand_window_s; // default 60
	uint32_t tran_window_s; // default 3600
	uint32_t tls_timeout_s; // default 2
};
