// SPDX-License-Identifier: BSD-3-Clause
// What a client's data packets look like: cipher, digest, framing, and which of it has to be
// pushed. Decided once for each session, from what the client said with its key-method-2.
// Pure functions; event loop only. Source: protocol.md 6.3, 7.3, 7.4, 9.8, 9.9.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/framing.h"
#include "protocol/ncp.h"

struct cfg_server;
struct ctl_peer;
struct ovpn_data_shape;
struct ovpn_km2;

struct ctl_format {
	uint8_t cipher; // enum ovpn_cipher
	uint8_t digest; // enum ovpn_digest; none with AEAD
	uint8_t compress; // enum ovpn_compress
	uint16_t fragment; // longest UDP payload to send; 0: no fragment headers
	bool push_cipher;
	bool push_compress; // the client must be told about compress
};

// Decide. agreed: bits of enum ctl_push_agreed so far; those that don't go with the cipher (epoch
// format, lazy mode) are taken away. ipv6: the outer path is IPv6.
//
// Returns NULL and the format, or why the client can't be served, as its user shall read it.
const char *ctl_format_decide(const struct cfg_server *cfg, const struct ovpn_ncp_list *ciphers,
	const struct ovpn_km2 *km, bool ipv6, unsigned *agreed, struct ctl_format *ret_format);

// "comp-lzo no", "compress stub-v2": the option that has a client use that framing.
const char *ctl_format_compress_option(enum ovpn_compress compress);

// Lengths of a peer's packets.
void ctl_format_shape(const struct ctl_peer *peer, struct ovpn_data_shape *ret_shape);

// Bits of enum shm_dir_flag of a peer's session.
uint8_t ctl_format_dir_flags(const struct ctl_peer *peer);

// Bytes after which a key is renewed: `reneg-bytes`, and 64 MiB for 64-bit blocks; 0: no limit.
uint64_t ctl_format_reneg_bytes(const struct cfg_server *cfg, enum ovpn_cipher cipher);
