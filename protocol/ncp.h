// SPDX-License-Identifier: BSD-3-Clause
// Negotiation of the data channel's cipher. Source: protocol.md 7.3.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"

#define OVPN_NCP_LIST_MAX 127u // characters of a list on the wire
#define OVPN_NCP_DEFAULT "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305"

// Ciphers in order of preference, without repetition.
struct ovpn_ncp_list {
	uint8_t count;
	uint8_t cipher[OVPN_CIPHER_COUNT]; // enum ovpn_cipher
};

// Parse data-ciphers of a configuration: names with ':' between them, case ignored, "?" in front
// of a name that may be unknown, "DEFAULT" for our default list.
//
// supported: mask of 1u << enum ovpn_cipher.
// Returns 0, -EINVAL when the list or a name is empty, -ENOENT when a name without "?" is unknown
// or unsupported, -EMSGSIZE when the written list would be longer than OVPN_NCP_LIST_MAX. In the
// case -ENOENT *ret_bad (may be NULL) is the offset of the name.
int ovpn_ncp_parse(const char *s, size_t len, uint32_t supported, struct ovpn_ncp_list *ret_list,
	size_t *ret_bad);

// Write a list in normal form ("AES-256-GCM:AES-128-GCM"). Returns 0 and the length, or -ENOBUFS.
int ovpn_ncp_build(const struct ovpn_ncp_list *list, char *buf, size_t size, size_t *ret_len);

bool ovpn_ncp_contains(const struct ovpn_ncp_list *list, enum ovpn_cipher cipher);

// True when a list on the wire (IV_CIPHERS) names the cipher. Exact comparison; unknown names are
// passed over.
bool ovpn_ncp_text_contains(const char *s, size_t len, enum ovpn_cipher cipher);

// What a server knows when it selects.
struct ovpn_ncp_server {
	const struct ovpn_ncp_list *ours; // data-ciphers
	bool has_fallback;
	enum ovpn_cipher fallback; // data-ciphers-fallback
	const char *peer_info; // of the client; may be NULL
	size_t peer_info_len;
	const char *options; // options string of the client; may be NULL
	size_t options_len;
};

// Select the cipher of a session on the server.
//
// A client that doesn't negotiate also gets the fallback if that is what its options string names:
// stock servers refuse it then, unless the cipher is in data-ciphers, too.
//
// Returns 0, the cipher, and whether it must be pushed (the client negotiates); -ENOKEY when
// there is no common cipher: the client gets AUTH_FAILED with OVPN_NCP_FAILED.
int ovpn_ncp_select_server(
	const struct ovpn_ncp_server *in, enum ovpn_cipher *ret_cipher, bool *ret_push);

#define OVPN_NCP_FAILED "Data channel cipher negotiation failed (no shared cipher)"

// What a client knows when the PUSH_REPLY has come.
struct ovpn_ncp_client {
	const struct ovpn_ncp_list *ours; // data-ciphers
	bool has_fallback;
	enum ovpn_cipher fallback; // data-ciphers-fallback
	const char *pushed; // value of the pushed "cipher"; NULL: none was pushed
	size_t pushed_len;
	const char *options; // options string of the server; may be NULL
	size_t options_len;
};

// Select the cipher on the client. Returns 0 and the cipher, -ENOKEY when the server wants one that
// isn't allowed here, or says none and no fallback is set.
int ovpn_ncp_select_client(const struct ovpn_ncp_client *in, enum ovpn_cipher *ret_cipher);
