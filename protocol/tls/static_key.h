// SPDX-License-Identifier: BSD-3-Clause
// Key files: the shared static key of tls-auth and tls-crypt, and the two PEM files of
// tls-crypt-v2.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define OVPN_STATIC_KEY_SIZE 256
#define OVPN_V2_SERVER_KEY_SIZE 128
#define OVPN_AUTH_TOKEN_KEY_SIZE 128
// Wrapped client key: tag 32, Kc 256, metadata, length 2; at most 1,024 (protocol.md 3.5).
#define OVPN_WKC_MIN 290
#define OVPN_WKC_MAX 1024
#define OVPN_WKC_METADATA_MAX (OVPN_WKC_MAX - OVPN_WKC_MIN)
// Longest text that the formatters below make, with the terminating NUL.
#define OVPN_KEY_TEXT_MAX 2048

// First byte of the metadata of a wrapped client key.
enum ovpn_wkc_metadata {
	OVPN_WKC_METADATA_USER = 0, // opaque data of the operator, at most 733 bytes
	OVPN_WKC_METADATA_TIME = 1, // u64, big endian: unix time of creation
};

// The 256 bytes of a static key, of Kc, or of the dynamic tls-crypt key (layout: protocol.md 3.1).
struct ovpn_static_key {
	uint8_t bytes[OVPN_STATIC_KEY_SIZE];
};

// Server key of tls-crypt-v2: bytes 0 to 63 cipher part, 64 to 127 HMAC part.
struct ovpn_v2_server_key {
	uint8_t bytes[OVPN_V2_SERVER_KEY_SIZE];
};

// Client key file of tls-crypt-v2: Kc and the form of it that only servers can open.
struct ovpn_v2_client_key {
	struct ovpn_static_key kc;
	uint16_t wkc_len;
	uint8_t wkc[OVPN_WKC_MAX];
};

// Why a key file was refused; written by the parsers when they fail. No key byte is ever in it.
struct ovpn_key_error {
	unsigned line; // from 1; 0: the text as a whole
	char reason[96]; // whole clause without a full stop
};

// Read the text of an "OpenVPN Static key V1" file; what stands before BEGIN and after END doesn't
// matter.
//
// text, len: the file; it needs no NUL. A text without END, with fewer or more than 256 bytes, or
// with anything but hex digits and white space in between is refused.
//
// Returns 0, or -EINVAL with *ret_err written (may be NULL). Any thread.
// Source: protocol.md 3.1.
int ovpn_static_key_parse(const char *text, size_t len, struct ovpn_static_key *ret_key,
	struct ovpn_key_error *ret_err);

// Read a PEM file labelled "OpenVPN tls-crypt-v2 server key" (128 bytes).
// Returns 0, or -EINVAL with *ret_err written (may be NULL). Source: protocol.md 3.5.
int ovpn_v2_server_key_parse(const char *text, size_t len, struct ovpn_v2_server_key *ret_key,
	struct ovpn_key_error *ret_err);

// Read a PEM file labelled "OpenVPN tls-crypt-v2 client key": Kc and WKc. The length field at the
// end of WKc must fit; the tag can only be checked by a server (ovpn_wkc_open).
// Returns 0, or -EINVAL with *ret_err written (may be NULL). Source: protocol.md 3.5.
int ovpn_v2_client_key_parse(const char *text, size_t len, struct ovpn_v2_client_key *ret_key,
	struct ovpn_key_error *ret_err);

// Draw a new key from libcrypto's private generator.
// Returns 0, or -EIO when the generator fails. Any thread.
int ovpn_static_key_generate(struct ovpn_static_key *ret_key);
int ovpn_v2_server_key_generate(struct ovpn_v2_server_key *ret_key);

// Make a client key: draw Kc and wrap it with the server key.
//
// metadata: type byte (enum ovpn_wkc_metadata) and data; at most OVPN_WKC_METADATA_MAX bytes.
//
// Returns 0, -EINVAL when the metadata is empty or too long, -EIO when libcrypto fails.
int ovpn_v2_client_key_generate(const struct ovpn_v2_server_key *server, const uint8_t *metadata,
	size_t metadata_len, struct ovpn_v2_client_key *ret_key);

// Write a key as the text of its file, NUL-terminated, as `openvpn --genkey` would.
// size: room in ret_text, OVPN_KEY_TEXT_MAX is always enough.
// Returns 0, -ENOSPC when there is too little room.
int ovpn_static_key_format(const struct ovpn_static_key *key, char *ret_text, size_t size);
int ovpn_v2_server_key_format(const struct ovpn_v2_server_key *key, char *ret_text, size_t size);
int ovpn_v2_client_key_format(const struct ovpn_v2_client_key *key, char *ret_text, size_t size);
int ovpn_auth_token_key_format(
	const uint8_t key[OVPN_AUTH_TOKEN_KEY_SIZE], char *ret_text, size_t size);

// Wrap Kc and its metadata into WKc.
// ret_wkc: room for OVPN_WKC_MAX bytes.
// Returns 0, -EINVAL when the metadata is too long, -EIO when libcrypto fails.
// Source: protocol.md 3.5.
int ovpn_wkc_seal(const struct ovpn_v2_server_key *server, const struct ovpn_static_key *kc,
	const uint8_t *metadata, size_t metadata_len, uint8_t *ret_wkc, size_t *ret_len);

// Open WKc with the server key. ret_metadata: room for OVPN_WKC_METADATA_MAX bytes, may be NULL
// together with ret_metadata_len.
// Returns 0, -EINVAL when the lengths are wrong, -EBADMSG when the tag is, -EIO when libcrypto
// fails. Source: protocol.md 3.5.
int ovpn_wkc_open(const struct ovpn_v2_server_key *server, const uint8_t *wkc, size_t wkc_len,
	struct ovpn_static_key *ret_kc, uint8_t *ret_metadata, size_t *ret_metadata_len);

// Find where WKc begins in a datagram of opcode 10 or 11, from the length in its last two bytes.
// Returns 0, -EINVAL when the length isn't one of a WKc or leaves no tls-crypt packet before it.
int ovpn_wkc_cut(const uint8_t *dgram, size_t len, size_t *ret_body_len);

// Wipe a key; the only place where each of them is erased.
void ovpn_static_key_wipe(struct ovpn_static_key *key);
void ovpn_v2_server_key_wipe(struct ovpn_v2_server_key *key);
void ovpn_v2_client_key_wipe(struct ovpn_v2_client_key *key);
