// SPDX-License-Identifier: BSD-3-Clause
// Lengths of data packets of every format, and the MSS that follows from them.
// Source: protocol.md 9.2 to 9.5, 9.10.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/data_packet.h"
#include "protocol/framing.h"

// Everything on which the length of a session's data packets depends.
struct ovpn_data_shape {
	enum ovpn_data_format format;
	bool static_key; // no opcode, long packet-ids; format is ignored
	enum ovpn_cipher cipher;
	enum ovpn_digest digest; // ignored with AEAD
	enum ovpn_compress compress;
	bool fragment; // every packet has a fragment header
};

// Bytes of UDP payload of a data packet with plain_len bytes of IP packet, Ping or OCC message.
size_t ovpn_data_packet_len(const struct ovpn_data_shape *shape, size_t plain_len);

// Longest IP packet whose datagram has at most udp_payload bytes; 0 when there is none.
size_t ovpn_data_plain_max(const struct ovpn_data_shape *shape, size_t udp_payload);

// MSS of TCP over IPv4 inside the tunnel for `mssfix N`; 20 less for IPv6.
//
// outer_bytes: of IP and UDP headers that N counts, too (28 over IPv4, 48 over IPv6 for "mtu" and
// for the default of 1492), else 0. Returns 0 when nothing would be left.
uint16_t ovpn_data_mss(const struct ovpn_data_shape *shape, unsigned mssfix, unsigned outer_bytes);
