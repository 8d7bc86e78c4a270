// SPDX-License-Identifier: BSD-3-Clause
// What lies in the shared memory between visp-dataplane and visp-control.
//
// Four memfds: `sessions` (struct shm_table_header, the directory, the session heads; control maps
// it read-only), `keys` (never mapped by control), `control` (never mapped by the dataplane) and
// `rings` (made anew for each connection, see shm/message.h). The index of a slot is the OpenVPN
// peer-id. Every field names its single writer: "owner" and "tx_owner" are the workers that
// shm_dir names, "main" is the dataplane's main core.
#pragma once

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/replay.h"

#define SHM_MAGIC 0x50534956u // "VISP" in memory on a little-endian machine
#define SHM_LAYOUT_VERSION 3u

#define SHM_SESSIONS_MAX (1u << 20)
#define SHM_WORKERS_MAX 64u
#define SHM_SLOT_NONE UINT32_MAX
#define SHM_OWNER_NONE UINT16_MAX

#define SHM_SID_LEN 8
#define SHM_NAME_LEN 64 // common name, NUL included; longer ones are cut for people, never compared
#define SHM_KEY_SLOTS 2
#define SHM_REPLAY_BITS OVPN_REPLAY_BITS
#define SHM_KEY_CELL 1024 // one direction's expanded key; gcm_key_data of IPsec-MB 1.3 has 1,008

// An IP address of either family. family is AF_INET (then the first 4 bytes count, the rest is
// zero) or AF_INET6, 0 for "none". Bytes in network order.
struct shm_addr {
	uint16_t family;
	uint8_t bytes[16];
};

// Where a client is reached, and from which of our addresses. Ports in network byte order.
// next_hop is the MAC address that the packet came from which brought the session here: a hint
// for the way back until the kernel's neighbour table answers.
struct shm_endpoint {
	struct shm_addr remote;
	struct shm_addr local;
	uint16_t remote_port_be;
	uint16_t local_port_be;
	uint8_t next_hop[6];
	uint16_t reserved;
};
static_assert(sizeof(struct shm_endpoint) == 48, "two copies and an index share one group");

enum shm_state {
	SHM_STATE_FREE = 0, // everything else in the slot is meaningless
	SHM_STATE_LIVE = 1, // stored last at install, first changed at removal
	SHM_STATE_DYING = 2, // unpublished, waits for its grace period, keys still there
};

enum shm_dir_flag {
	SHM_DIR_DATA_V1 = 1u << 0, // the client sends P_DATA_V1: found by address (protocol.md 9.4)
	SHM_DIR_MOBILITY = 1u << 1, // the client announced IV_MOBILITY and got `mobility 1`
	SHM_DIR_NO_SID = 1u << 2, // another live session has this server session id (13.2)
	// Another session proved to be at this one's endpoint (C9). The worker that moved the other
	// one sets it, the owner clears it at its next move: changed by atomic or and and only.
	SHM_DIR_ADDRESS_TAKEN = 1u << 3,
	// Anything but AEAD in the classic format without framing: another cipher, framing inside
	// the encryption, or one of the next three. Such packets have stages of their own.
	SHM_DIR_LEGACY = 1u << 4,
	SHM_DIR_EPOCH = 1u << 5, // AEAD in the epoch format (protocol.md 9.5); never with DATA_V1
	// Static-key mode: no opcode, long ids, found by our own UDP port, which no other session
	// uses. MOBILITY then means `float`: its peer may come from anywhere, also before it is
	// known.
	SHM_DIR_STATIC = 1u << 6,
	SHM_DIR_LAZY = 1u << 7, // with DATA_V1: the server session id is in the IV (13.7)
};

// One per slot, 8 bytes, written at install, move and removal only: the one line that sweeps of
// other workers read.
struct shm_dir {
	_Atomic uint16_t generation; // owner, at install; a message that names another is stale
	_Atomic uint8_t state; // enum shm_state; owner
	_Atomic uint8_t flags; // enum shm_dir_flag; owner
	_Atomic uint16_t owner; // worker that checks replay and writes the endpoint; itself only
	_Atomic uint16_t tx_owner; // worker that draws packet-ids; itself only
};
static_assert(sizeof(struct shm_dir) == 8, "a million of them are swept every second");

// What the receive side keeps for one key slot, besides its window.
struct shm_rx_key {
	uint32_t age; // counts keys of the session, +1 a key: "newest" is (age, packet-id)
	uint8_t key_id; // 0 to 7, as on the wire
	uint8_t cipher; // enum ovpn_cipher
	_Atomic uint8_t installed; // 1: the key cell may be used to decrypt; stored last
	uint8_t digest; // enum ovpn_digest; none with AEAD
};
static_assert(sizeof(struct shm_rx_key) == 8, "two of them sit in the receive group");

// What the transmit side keeps for one key slot.
struct shm_tx_key {
	// Next packet-id to use, host order. Stored before the encryption that uses the id before
	// it; after a restart transmission goes on 64 later (design.md section 2). Long ids have
	// their time, the epoch format its epoch in the upper part.
	_Atomic uint64_t next;
	uint8_t key_id;
	uint8_t cipher;
	uint8_t digest; // enum ovpn_digest; none with AEAD
	uint8_t reserved;
	uint32_t age;
};
static_assert(sizeof(struct shm_tx_key) == 16, "two of them sit in the transmit group");

// The head of a session. Groups of 128 bytes: two lines that the prefetcher pairs.
struct shm_session {
	// Endpoint group; owner writes. Two copies: fill the idle one (!(index & 1)), then
	// release-store index + 1. Readers acquire the index, copy endpoint[index & 1], and read
	// the index again; they start over if it changed, as by then their copy is the idle one
	// (shm/session.h has both halves). What else each packet needs and install or replacement
	// set lies with them: a session that has not moved is one line.
	alignas(128) _Atomic uint32_t endpoint_index;
	// Equal to endpoint_index unless the last move still waits for a second, newer packet from
	// the new endpoint (C16).
	_Atomic uint32_t confirmed_index;
	uint32_t source4_be; // tunnel4's bytes, 0: none; shm_session_set_tunnel4() sets both
	uint16_t mss4; // clamp for TCP SYNs over IPv4, bytes; 0: none
	uint16_t tun_mtu;
	struct shm_endpoint endpoint[2];
	uint32_t endpoint_reserved[4];

	// Receive group; owner writes. What a packet in order needs is one line, and with the
	// second key slot the first of its window as well.
	alignas(128) struct shm_rx_key rx_key[SHM_KEY_SLOTS];
	_Atomic uint64_t rx_packets; // authentic packets with payload for the tunnel
	_Atomic uint64_t rx_bytes; // their inner bytes
	_Atomic uint64_t last_rx_ms; // CLOCK_MONOTONIC of the last authentic packet
	_Atomic uint32_t replays; // packets refused by the window
	uint16_t foreign_run; // packets in a row that another worker handed over
	uint16_t foreign_worker; // that worker

	// Replay windows, one a key slot; owner writes. The first `top` and `recent` are the end of
	// the line of the counters above.
	struct ovpn_replay window[SHM_KEY_SLOTS];

	// Moves and limits; owner writes.
	_Atomic uint64_t last_move_ms; // CLOCK_MONOTONIC of the last handover
	_Atomic uint32_t handovers; // endpoint moves
	uint32_t move_tokens; // moves that are still allowed in this second, C16
	uint32_t move_refill_ms; // when move_tokens was filled; low 32 bits of CLOCK_MONOTONIC
	uint32_t owner_change_ms; // when `owner` was last given away (D12); low 32 bits
	uint32_t occ_refill_ms; // OCC answers, C14; low 32 bits
	uint32_t timeout_told_ms; // when SHM_EVENT_TIMEOUT was last raised; low 32 bits
	uint8_t occ_tokens; // OCC answers that are still allowed in this second
	uint8_t rx_reserved[11];

	// Transmit group; tx_owner writes all but what is planned, which is the owner's.
	alignas(128) struct shm_tx_key
		tx_key[SHM_KEY_SLOTS]; // of an unused slot: owner, at install
	_Atomic uint8_t tx_slot; // key slot to encrypt with, 0 or 1; 0xff: none yet
	// Key slot to use from tx_switch_ms on, 0xff: none; equal to tx_slot: nothing is planned.
	_Atomic uint8_t tx_plan; // owner
	uint16_t tx_foreign_run; // packets in a row that another worker handed over
	uint16_t tx_foreign_worker; // that worker
	uint16_t tx_reserved16;
	_Atomic uint64_t tx_packets;
	_Atomic uint64_t tx_bytes; // inner bytes
	_Atomic uint64_t last_tx_ms; // CLOCK_MONOTONIC of the last datagram to this client
	_Atomic uint64_t tx_switch_ms; // CLOCK_MONOTONIC; owner, before tx_plan
	uint64_t bytes_since_move; // sent to an endpoint that waits for confirmation, C16
	uint32_t capped_index; // endpoint_index that bytes_since_move counts for
	uint32_t tx_reserved32;
	uint64_t tx_reserved[4];

	// Cold group; owner writes at install and replacement.
	alignas(128) uint8_t server_sid[SHM_SID_LEN];
	uint8_t client_sid[SHM_SID_LEN];
	struct shm_addr tunnel4; // tunnel addresses, also the only sources we accept from it
	struct shm_addr tunnel6;
	uint32_t ping_interval_ms; // send a Ping after so much silence of ours; 0: never
	uint32_t timeout_ms; // raise SHM_EVENT_TIMEOUT after so much silence of theirs; 0: never
	uint16_t mss6; // as mss4, over IPv6
	uint16_t cold_reserved16[2];
	uint16_t fragment_max; // `fragment`: longest datagram to send, bytes of UDP payload; 0: no
	uint64_t installed_ms; // CLOCK_MONOTONIC
	// CLOCK_MONOTONIC of the removal, before state FREE is stored, so that a restarted control
	// knows how long the slot has rested; 0: unknown.
	_Atomic uint64_t removed_ms;
	char name[SHM_NAME_LEN]; // common name, for people
	uint8_t compress; // enum ovpn_compress: framing inside the encryption
	uint8_t cold_reserved;
	uint16_t reconf_len; // legacy: bytes of a reconfiguration Ping in this session, 0: none
	uint8_t fragment_seq; // tx_owner: sequence id of the next fragmented packet
	uint8_t cold_pad[83];
};
static_assert(sizeof(struct shm_session) == 1152, "nine groups a head");
static_assert(offsetof(struct shm_session, endpoint) + sizeof(struct shm_endpoint) == 64,
	"a session that has not moved: one line for its endpoint");
static_assert(offsetof(struct shm_session, window) - offsetof(struct shm_session, rx_key) == 48 &&
		offsetof(struct ovpn_replay, word) == 16,
	"keys, counters, the highest id and its neighbours: one line");
static_assert(
	offsetof(struct shm_session, tx_switch_ms) - offsetof(struct shm_session, tx_key) == 64,
	"what each sent packet changes: one line");

// Raw key material of one direction: cipher key, then for AEAD the 8 (classic format) or 12
// (epoch format) bytes of implicit IV, else the HMAC key. Layout as in protocol.md 5.5.
struct shm_raw_key {
	uint8_t cipher_key[64];
	uint8_t hmac_key[64];
};

// One key slot in `keys`; owner writes it whole before rx_key.installed or tx_slot publish it.
struct shm_key_slot {
	alignas(64) uint8_t rx_cell[SHM_KEY_CELL]; // expanded, client to server
	alignas(64) uint8_t tx_cell[SHM_KEY_CELL]; // expanded, server to client
	struct shm_raw_key rx_raw;
	struct shm_raw_key tx_raw;
	uint32_t stamp; // of library and ISA that made the cells; differs: expand again
	uint8_t cipher; // enum ovpn_cipher
	uint8_t key_id;
	uint8_t used; // 1: the raw keys are complete
	uint8_t digest; // enum ovpn_digest; none with AEAD
	uint8_t flags; // enum shm_dir_flag at the time of the key: EPOCH, STATIC
	uint8_t reserved[55];
};
static_assert(sizeof(struct shm_key_slot) == 2 * SHM_KEY_CELL + 256 + 64, "cells stay aligned");

struct shm_keys {
	struct shm_key_slot key[SHM_KEY_SLOTS];
};
// Control's record of a session may take this much: all memory of a session is 6.5 KiB at most.
#define SHM_CONTROL_RECORD_MAX 752
static_assert(sizeof(struct shm_dir) + sizeof(struct shm_session) + sizeof(struct shm_keys) +
			SHM_CONTROL_RECORD_MAX <=
		6656,
	"6.5 KiB a session in all");

// First bytes of `sessions` and of `keys`; main writes it once, at creation.
struct shm_table_header {
	uint32_t magic; // SHM_MAGIC
	uint32_t version; // SHM_LAYOUT_VERSION
	uint64_t layout_hash; // shm_layout_hash(): sizes and offsets of this page
	uint8_t instance[16]; // random, the same in both memfds and in dataplane.state
	uint32_t sessions; // number of slots
	uint32_t kind; // 0: sessions, 1: keys
	uint64_t dir_offset; // bytes from the start of the memfd
	uint64_t session_offset;
	uint64_t keys_offset;
	uint64_t size; // of the whole memfd
	uint64_t saved_offset; // `sessions` only: struct shm_saved (shm/message.h)
	uint8_t reserved[4096 - 80];
};
static_assert(sizeof(struct shm_table_header) == 4096, "the header has a page of its own");

// FNV-1a over the sizes and offsets of everything in this page and in shm/message.h: two programs
// that agree on it agree on every byte that they share. Any thread.
uint64_t shm_layout_hash(void);
