// SPDX-License-Identifier: BSD-3-Clause
// The options-consistency string that peers exchange with key method 2. Nothing depends on it but
// warnings of stock peers, the cipher of very old clients, and ",comp-lzo,".
// Source: protocol.md chapter 6.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"

#define OVPN_OPTIONS_MAX 512u // bytes with NUL that a receiver takes

// What the string is made of (TLS mode over UDP).
struct ovpn_options {
	bool server; // "tls-server", else "tls-client"
	bool tap; // dev-type tap
	bool comp; // a compression context is active: item "comp-lzo", one byte of MTU
		   // unless comp_no_byte
	bool comp_no_byte; // stub-v2 or lz4-v2: framing without a byte
	bool fragment; // "mtu-dynamic", four bytes of MTU
	bool tls_auth; // item "tls-auth" (never for tls-crypt)
	bool show_cipher; // item "cipher NAME": the cipher is in data-ciphers
	int key_direction; // 0 or 1; -1: none
	uint32_t tun_mtu; // bytes; 0 means 1500
	enum ovpn_cipher cipher; // OVPN_CIPHER_BF_CBC is what stock peers take when none is set
	enum ovpn_digest digest; // ignored (null) with an AEAD cipher
};

// The link-mtu that belongs to these options, in bytes. Informational, with the quirks of stock
// peers.
uint32_t ovpn_options_link_mtu(const struct ovpn_options *o);

// Write the string to buf of size bytes. Returns 0 and the length without NUL, or -ENOBUFS.
int ovpn_options_build(const struct ovpn_options *o, char *buf, size_t size, size_t *ret_len);

// Next item of a received string from *pos on, without its comma. The string ends at its first NUL.
// Returns false at the end.
bool ovpn_options_next(
	const char *s, size_t len, size_t *pos, const char **ret_item, size_t *ret_len);

// The name after "cipher "; borrowed. Returns false when the string names none. "[null-cipher]" is
// returned as "none".
bool ovpn_options_cipher(const char *s, size_t len, const char **ret_name, size_t *ret_len);

// True when the sender has a compression context.
bool ovpn_options_comp(const char *s, size_t len);

// What a server learns from a client's string.
struct ovpn_options_facts {
	bool usable; // it is one: begins with "V4,"
	bool tap; // dev-type tap
	bool comp; // a compression context is active, of whichever kind
	bool fragment; // every packet has a fragment header
	bool no_replay; // packets without packet-ids
	bool has_cipher; // cipher is valid: the one it uses when nothing is negotiated
	bool has_digest; // digest is valid: what its data packets are signed with
	enum ovpn_cipher cipher;
	enum ovpn_digest digest;
	uint32_t key_bits; // keysize; 0: not said
	uint32_t tun_mtu; // bytes; 1500 if not said
	uint32_t link_mtu; // bytes; 0: not said
};

// Read a client's string; items that aren't understood are passed over.
void ovpn_options_learn(const char *s, size_t len, struct ovpn_options_facts *ret_facts);

// The string that a client with this one expects from its server, so that it finds nothing to warn
// of: its own items with the roles exchanged, as far as they are known. tun_mtu: the server's, for
// clients that can't be pushed one; 0: as theirs.
// Returns 0 and the length without NUL, -EINVAL when theirs isn't such a string, -ENOBUFS.
int ovpn_options_answer(
	const char *theirs, size_t len, uint32_t tun_mtu, char *buf, size_t size, size_t *ret_len);

// First item of theirs that has no equal in ours, from *pos on, for a log line. Items that are
// bound to differ or that nobody cares for are passed over (link-mtu, proto, keydir, tls-auth,
// key-method, tun-ipv6, cipher, tls-client, tls-server). Returns false when there is none left.
bool ovpn_options_mismatch(const char *theirs, size_t len, const char *ours, size_t *pos,
	const char **ret_item, size_t *ret_len);
