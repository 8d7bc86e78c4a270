// SPDX-License-Identifier: BSD-3-Clause
// The branch of the packet path for sessions with SHM_DIR_LEGACY: ciphers that aren't AEAD, framing
// inside the encryption, static keys, session ids in the IV. Every function runs on the worker's
// own thread unless it says otherwise. Source: protocol.md 9, 13.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/crypto/epoch.h"
#include "dataplane/crypto/legacy.h"
#include "dataplane/path.h"
#include "protocol/framing.h"

#define DP_LEGACY_LENS 3u // words of a mask over lengths up to OVPN_RECONF_MAX
#define DP_DEFRAG_OPEN 64u // packets that a worker puts together at once
#define DP_STATIC_PORTS 65536u

// What workers share about these sessions; made and freed with the core.
struct dp_legacy_core {
	// Lengths of reconfiguration Pings and offsets of session ids in use. Bits are set at
	// install and stay: a filter for packets from unknown addresses, nothing depends on it.
	_Atomic uint64_t reconf_lens[DP_LEGACY_LENS];
	_Atomic uint64_t lazy_offs[2];
	_Atomic uint32_t static_keys; // static-key sessions; 0: no packet's port is looked at
	_Atomic uint32_t
		port_slot[DP_STATIC_PORTS]; // by our UDP port, big endian: slot + 1, 0: none
};

// One packet between preparation and completion.
struct dp_legacy_item {
	struct rte_mbuf *m;
	uint32_t slot; // uplink, when delivered
	uint16_t index; // in aead[] or old[]
	uint16_t origin; // uplink: worker whose queue it came by
	uint16_t len; // downlink: bytes of payload
	bool aead;
	bool epoch; // neither array: opened and sealed one by one
	uint8_t delivered; // uplink: what is left to do about the owner
};

// A worker's own state.
struct dp_legacy {
	struct dp_legacy_crypto *crypto;
	struct ovpn_defrag defrag;
	uint8_t *defrag_mem;
	struct dp_burst rx; // datagrams of these sessions, in order
	struct dp_legacy_item item[DP_BURST_MAX];
	struct dp_crypto_op aead[DP_BURST_MAX];
	struct dp_legacy_op old[DP_BURST_MAX];
	struct dp_legacy_item tx_item[DP_BURST_MAX];
	struct dp_crypto_op tx_aead[DP_BURST_MAX];
	struct dp_legacy_op tx_old[DP_BURST_MAX];
	uint16_t tx_n; // gathered in tx_item
	uint16_t tx_aead_n;
	uint16_t tx_old_n;
};

// Main, before workers start and after they have left.
struct dp_legacy *dp_legacy_create(void);
struct dp_legacy *dp_legacy_free(struct dp_legacy *l);
struct dp_legacy_core *dp_legacy_core_create(void);
void dp_legacy_core_free(struct dp_legacy_core *c);

// ---- Keys and sessions (legacy.c) --------------------------------------------------------------

// Where a key in the epoch format goes on; 1 for a new one.
struct dp_legacy_epochs {
	uint16_t rx;
	uint16_t tx;
};

// What the cells of a key in the epoch format hold instead of an expanded key.
struct dp_epoch_cell {
	struct dp_epoch_rx *rx; // rx_cell only
	struct dp_epoch_tx *tx; // tx_cell only
};

// True when the cells point to memory of this process.
bool dp_legacy_owns(const struct shm_key_slot *k);
// Free what they point to and wipe the cells.
void dp_legacy_keys_done(struct shm_key_slot *k);
// Data format of a session, epoch included.
enum ovpn_data_format dp_legacy_data_format(const struct dp_core *core, uint32_t slot);
// Expand the raw keys of a slot whose cipher isn't AEAD or whose format is epoch. Returns 0 or
// -errno. Also main, at restore.
int dp_legacy_keys(struct dp_legacy *l, struct shm_key_slot *k, struct dp_legacy_epochs at);
// First id that a session sends with under a new key.
uint64_t dp_legacy_first_id(uint8_t dir_flags, const struct shm_cmd_key *c);
// True when ids are long ones: a time and 32 bits.
bool dp_legacy_long_ids(uint8_t dir_flags, uint8_t cipher);
// Lengths that follow from a session's key and framing: its own, and the masks of the core.
void dp_legacy_shape(struct dp_core *core, uint32_t slot, uint8_t cipher, uint8_t digest);
// A static-key session takes its port, or leaves it. Returns 0, -EEXIST when the port is taken.
int dp_legacy_port_add(struct dp_core *core, uint32_t slot, uint16_t port_be);
void dp_legacy_port_del(struct dp_core *core, uint32_t slot, uint16_t port_be);

// ---- Uplink ------------------------------------------------------------------------------------

// Take packets for ports of static keys out of a burst (stage_lookup). Only if static_keys != 0.
void dp_legacy_take_static(struct dp_worker *w, struct dp_burst *in);
// A packet of a live session whose flags aren't those of plain AEAD with this opcode.
void dp_legacy_found(struct dp_worker *w, struct rte_mbuf *m, uint8_t flags);
// The same at its owner.
void dp_legacy_owned(struct dp_worker *w, struct rte_mbuf *m);
// May a P_DATA_V1 packet of this length be a reconfiguration Ping of some session?
bool dp_legacy_reconf_len(const struct dp_core *core, uint16_t len);
// Slot of the session whose id is in the IV of a P_DATA_V1 packet, SHM_SLOT_NONE: of none.
uint32_t dp_legacy_lazy_find(struct dp_worker *w, struct rte_mbuf *m);
// Decrypt and deliver what was gathered.
void dp_stage_legacy_open(struct dp_worker *w);

// ---- Downlink ----------------------------------------------------------------------------------

// A plaintext packet to seal with key slot `which`.
void dp_legacy_down(struct dp_worker *w, struct rte_mbuf *m, unsigned which);
// Seal and send what was gathered.
void dp_stage_legacy_seal(struct dp_worker *w);
