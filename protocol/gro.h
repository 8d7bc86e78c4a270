// SPDX-License-Identifier: BSD-3-Clause
// Packets of one flow that came together are given to the device as one large packet (GRO). The
// packets come from the server, so everything in them is checked: two are joined only when cutting
// the result again gives the same packets but for IPv4 ids where fragmenting is forbidden. Packets
// of a flow keep their order. Pure functions. Source: RFC 9293, 768, 6864; virtio 1.2, 5.1.6.2.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "protocol/vnet.h"

#define OVPN_GRO_FLOWS 8 // that are open at a time
#define OVPN_GRO_PACKETS 64 // that are joined at most; also the kernel's limit for UDP

// Write one packet. iov[0] is free for vnet; the n pieces of the packet follow it.
// packets: how many were joined.
typedef void ovpn_gro_write_fn(void *arg, const struct virtio_net_hdr *vnet, struct iovec *iov,
	unsigned n, unsigned packets);

struct ovpn_gro_flow {
	struct iovec iov[1 + OVPN_GRO_PACKETS]; // [1]: the first packet; then payloads
	unsigned n; // packets
	size_t transport; // offset of the TCP or UDP header
	size_t header; // bytes of all headers
	size_t step; // payload bytes of the first packet
	size_t len; // bytes of the joined packet
	uint32_t next_seq; // TCP
	uint16_t next_id; // IPv4
	bool tcp; // else UDP
	bool checked; // the first packet's checksums are right
	bool closed; // nothing may follow
};

struct ovpn_gro {
	struct ovpn_gro_flow flow[OVPN_GRO_FLOWS]; // oldest first, n of them
	unsigned n;
	bool tcp, udp; // what the device takes joined
	ovpn_gro_write_fn *write;
	void *arg;
};

// Add a packet; it stays in place until ovpn_gro_flush. What can't be joined is written, behind
// what came before it in its flow.
void ovpn_gro_add(struct ovpn_gro *gro, uint8_t *packet, size_t len);

// Write all that waits.
void ovpn_gro_flush(struct ovpn_gro *gro);
