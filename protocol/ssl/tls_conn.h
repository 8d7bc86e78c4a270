// SPDX-License-Identifier: BSD-3-Clause
// One TLS connection over memory: bytes of the control channel in and out, messages in and out, and
// what a session has to know about its peer's certificate. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/ssl/tls_ctx.h"

// Longest message, NUL included: what a peer reads at once (protocol.md 2.6).
#define OVPN_TLS_MESSAGE_MAX 2048
#define OVPN_TLS_CN_MAX 65
#define OVPN_TLS_SUBJECT_MAX 256
#define OVPN_TLS_SERIAL_MAX 64
#define OVPN_TLS_ENV_MAX 16384u

enum ovpn_tls_state {
	OVPN_TLS_HANDSHAKE = 0, // wants bytes of the peer
	OVPN_TLS_READY = 1, // handshake done, messages flow
	OVPN_TLS_CLOSED = 2, // the peer closed it
	OVPN_TLS_FAILED = 3, // see ovpn_tls_conn_error(); an alert may wait in the output
};

// The peer's certificate, as far as people and rules need it. Texts are printable: anything else
// was replaced by '_'.
struct ovpn_tls_peer {
	bool has_cert;
	bool cn_cut; // the common name was longer than this structure holds: refuse it
	char cn[OVPN_TLS_CN_MAX];
	char subject[OVPN_TLS_SUBJECT_MAX]; // "C=PT, O=Example, CN=alice"
	char serial[OVPN_TLS_SERIAL_MAX]; // hex, lower case
	uint8_t chain_hash[32]; // SHA-256 over the SHA-256 of every certificate, leaf first
	int64_t not_after; // unix time, seconds
};

struct ovpn_tls_conn;

// A new connection, server or client as its context is. A client's first bytes are made by the
// first ovpn_tls_conn_step(). Returns NULL with errno ENOMEM.
struct ovpn_tls_conn *ovpn_tls_conn_create(struct ovpn_tls_ctx *ctx);

// Returns NULL; takes NULL.
struct ovpn_tls_conn *ovpn_tls_conn_free(struct ovpn_tls_conn *conn);

// Give bytes of the peer to TLS, in order. Returns 0, -ENOMEM.
int ovpn_tls_conn_feed(struct ovpn_tls_conn *conn, const void *bytes, size_t len);

// Go on with the handshake as far as the bytes allow; also harmless later.
// Returns the state; OVPN_TLS_FAILED stays.
enum ovpn_tls_state ovpn_tls_conn_step(struct ovpn_tls_conn *conn);

// Bytes for the peer: look at them, then take off as many as could be sent.
// Returns how many there are, *ret_bytes is valid until the next call of any function here.
size_t ovpn_tls_conn_pending(struct ovpn_tls_conn *conn, const uint8_t **ret_bytes);
void ovpn_tls_conn_consume(struct ovpn_tls_conn *conn, size_t len);

// Read what one TLS record brought: a key-method-2 message or text messages.
// buf: room for OVPN_TLS_MESSAGE_MAX bytes.
// Returns its length, 0 when there is nothing (yet), -EPIPE when the peer closed, -EPROTO when the
// connection failed. Hold the bytes for secret.
int ovpn_tls_conn_read(struct ovpn_tls_conn *conn, uint8_t *buf, size_t size);

// Write one message as one TLS record. Only in state READY.
// Returns 0, -EMSGSIZE over OVPN_TLS_MESSAGE_MAX, -EAGAIN before READY, -EPROTO.
int ovpn_tls_conn_write(struct ovpn_tls_conn *conn, const void *message, size_t len);

// Put a close_notify alert into the output (releases before 2.7 never do that: only at an end).
void ovpn_tls_conn_close(struct ovpn_tls_conn *conn);

// Bytes of the TLS exporter, without context. Returns 0, -EAGAIN before READY, -EIO.
int ovpn_tls_conn_export(
	struct ovpn_tls_conn *conn, const char *label, uint8_t *ret_bytes, size_t len);

// The peer's certificate; all zero when it sent none. Valid once READY, and after a failed
// verification (then of the certificate that failed).
void ovpn_tls_conn_peer(const struct ovpn_tls_conn *conn, struct ovpn_tls_peer *ret_peer);

// The peer's certificates as variables for programs: "NAME=VALUE" strings, each with its NUL, and
// *ret_len bytes in all. NULL without certificate or want_env. Belongs to the connection.
const char *ovpn_tls_conn_env(const struct ovpn_tls_conn *conn, size_t *ret_len);

// Why the connection failed, as a clause for people: "certificate has expired (CN=alice)",
// "unknown CA", "no shared cipher". "" while it hasn't failed.
const char *ovpn_tls_conn_error(const struct ovpn_tls_conn *conn);

// "TLSv1.3" and "TLS_AES_256_GCM_SHA384"; "" before they are known.
const char *ovpn_tls_conn_version(const struct ovpn_tls_conn *conn);
const char *ovpn_tls_conn_cipher(const struct ovpn_tls_conn *conn);

// Bytes fed so far, for a limit per handshake (decisions.md C13).
uint64_t ovpn_tls_conn_fed(const struct ovpn_tls_conn *conn);

// A fatal alert in clear (record type 21) for a handshake that can't go on: decisions.md C5.
// description: TLS alert number, 80 is internal_error. Writes 7 bytes.
void ovpn_tls_alert(uint8_t description, uint8_t ret_record[7]);
