// SPDX-License-Identifier: BSD-3-Clause
// A large packet of the device (TSO, USO) is cut into packets, and checksums that the kernel left
// to the device are filled in. Pure functions. Source: RFC 9293, 768; virtio 1.2, 5.1.6.2.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/vnet.h"

// One packet as the device gave it, and how much of it has been cut off.
struct ovpn_cut {
	uint8_t *packet; // borrowed until the last piece is made
	size_t len;
	size_t transport; // offset of the TCP or UDP header
	size_t header; // bytes of all headers: every piece begins with them
	size_t step; // payload bytes of every piece but the last
	size_t at; // payload bytes that were cut off
	bool tcp; // else UDP
	uint16_t id; // IPv4: of the first piece
	uint32_t seq; // TCP: of the first piece
};

// Look at a packet of the device.
//
// vnet: what came in front of it. packet: of len bytes; its checksum is filled in where the kernel
// asks for that.
//
// Returns 1 when it has to be cut: *ret_cut is ready for ovpn_cut_next; 0 when it is a packet as it
// is; -EBADMSG when header and packet contradict each other, -EPROTO for a kind we didn't ask for.
int ovpn_cut_begin(
	const struct virtio_net_hdr *vnet, uint8_t *packet, size_t len, struct ovpn_cut *ret_cut);

// Bytes of the longest piece.
static inline size_t ovpn_cut_piece(const struct ovpn_cut *cut)
{
	return cut->header + cut->step;
}

// Make the next piece in out, which has room for ovpn_cut_piece bytes.
// Returns its length, 0 when all are made.
size_t ovpn_cut_next(struct ovpn_cut *cut, uint8_t *out);
