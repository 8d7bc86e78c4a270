// SPDX-License-Identifier: BSD-3-Clause
// Packets on their way through a worker's stages, and what is known about each.
#pragma once

#include <assert.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "shm/layout.h"

#define DP_BURST 32 // frames taken from a queue or ring at once
// Packets that one stage may hold: a burst whose inner packets were cut in pieces.
#define DP_BURST_MAX 64

// Why a packet is in a hand-off ring, or where it goes next.
enum dp_handoff_kind {
	DP_HANDOFF_RX, // an outer datagram for the session's owner
	DP_HANDOFF_TX, // a plaintext inner packet for the session's tx_owner
	DP_HANDOFF_PING, // an empty buffer: tx_owner sends a Ping in it
	DP_HANDOFF_FRAME, // a finished frame for a port on which only the receiver has a queue
};

enum dp_meta_flag {
	DP_META_IP6 = 1u << 0, // outer header is IPv6
	DP_META_UNPROVEN = 1u << 1, // source isn't the session's endpoint
	DP_META_RECONF = 1u << 2, // reconfiguration Ping: the session id was cut off the tail
	DP_META_ANSWER = 1u << 3, // the Ping to send answers a reconfiguration Ping
	DP_META_FRAME_INNER = 1u << 4, // DP_HANDOFF_FRAME: for the inner port
	DP_META_REASSEMBLED = 1u << 5, // RSS saw fragments only
	DP_META_COUNTED = 1u << 6, // TX: counts in the session's statistics (not a Ping)
	DP_META_FROM_CLIENT = 1u << 7, // TX: client-to-client, no frame of the inner port
};

// One line in the mbuf's private area. RX: offsets are bytes from the start of the frame; the
// addresses stay in the frame's headers, which decryption in place doesn't touch.
struct dp_meta {
	uint32_t slot; // SHM_SLOT_NONE: not found yet
	uint16_t generation; // of the slot when it was found
	uint8_t kind; // enum dp_handoff_kind
	uint8_t hops; // times handed over
	uint16_t origin; // worker whose queue the packet came by
	uint16_t flags; // enum dp_meta_flag
	uint16_t l3_off; // IP header
	uint16_t l4_off; // UDP header
	uint16_t data_off; // UDP payload
	uint16_t data_len; // its bytes
	uint32_t packet_id; // host byte order
	uint8_t opcode;
	uint8_t key_id;
	uint8_t which; // key slot
	uint8_t port_index; // DP_HANDOFF_FRAME and exception path: index of core->port
	uint32_t reserved32;
	uint64_t long_id; // legacy branch: packet-id with its time
	uint32_t reserved[6];
};
static_assert(sizeof(struct dp_meta) == 64, "private area of an mbuf is one line");

static inline struct dp_meta *dp_meta(struct rte_mbuf *m)
{
	return (struct dp_meta *)rte_mbuf_to_priv(m);
}

// Put len bytes in front of a packet. There is always room: every packet that we send has the
// pool's headroom or had longer headers cut off, so unlike rte_pktmbuf_prepend this can't fail.
static inline void *dp_prepend(struct rte_mbuf *m, uint16_t len)
{
	assert(rte_pktmbuf_headroom(m) >= len);
	m->data_off -= len;
	m->data_len += len;
	m->pkt_len += len;
	return rte_pktmbuf_mtod(m, void *);
}

// A list of packets between two stages.
struct dp_burst {
	uint16_t n;
	struct rte_mbuf *pkt[DP_BURST_MAX];
};
