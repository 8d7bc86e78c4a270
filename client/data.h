// SPDX-License-Identifier: BSD-3-Clause
// The data channel's keys and what is done with them: framing, sealing, opening, replay windows,
// and which key is used for sending. No I/O, no clock. A key is made by the event loop; the set of
// keys belongs to the data thread. Source: protocol.md 9, 11.3.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/crypt.h"
#include "config/pushed.h"
#include "protocol/framing.h"
#include "protocol/opcode.h"
#include "protocol/replay.h"

// Newest, its predecessor, and the same of a session that was replaced in place.
#define VC_DATA_KEYS 4
#define VC_DATA_NEVER UINT64_MAX

// Keys of one negotiation.
struct vc_key {
	struct vc_crypt seal;
	struct vc_crypt open;
	struct ovpn_replay replay;
	uint64_t age; // counts the keys of this process, from 1
	// Packet-id of the next packet; over 32 bits: used up. Of a family with ids of its own: 1,
	// and OVPN_PACKET_ID_REKEY once it wants a new key.
	uint64_t next_id;
	uint64_t active_ms; // used for sending from then on
	uint64_t expire_ms; // wiped then; VC_DATA_NEVER: not yet retired
	uint64_t packets; // both directions, for reneg-pkts
	uint64_t bytes;
	uint32_t session; // which session (hard reset) it belongs to
	uint8_t key_id;
	enum cfg_comp comp;
	uint16_t piece_max; // of a payload with its framing; 0: no fragment headers
	bool late; // only for packets that are still under way: the peer has freed it
};

struct vc_data {
	struct vc_key *key[VC_DATA_KEYS]; // newest first
	unsigned n_keys;
	bool static_key; // the keys are static ones: datagrams have no opcode and no key id
	uint64_t now_ms; // of this burst of datagrams; the caller sets it
	// Packets that come in pieces (fragment.c).
	struct ovpn_defrag defrag;
	void *defrag_mem; // NULL: there is no room for any
	uint8_t fragment_seq; // of the next packet that is cut
	bool joined; // the packet that was opened last came in pieces
	// Counters of datagrams and of payload bytes.
	uint64_t tx_packets, tx_bytes;
	uint64_t rx_packets, rx_bytes;
	uint64_t bad_key, bad_tag, replayed, bad_frame; // datagrams that were dropped
};

// Make both directions of a key. Event loop.
// Returns 0, -ENOTSUP for a cipher that we don't have, -EIO, -ENOMEM.
int vc_key_create(const struct vc_crypt_params *params, uint64_t age, uint32_t session,
	uint64_t active_ms, struct vc_key **ret_key);

// Wipe and free a key; NULL is allowed. Returns NULL.
struct vc_key *vc_key_free(struct vc_key *key);

// Bytes that a payload grows by until it is a UDP payload, at most.
unsigned vc_key_overhead(const struct vc_key *key);

// Take a key over as the newest; the oldest goes when there is no room. Those of an earlier session
// or key id retire: they are wiped at retire_ms.
void vc_data_add(struct vc_data *d, struct vc_key *key, uint64_t retire_ms);

// A renegotiation begins: from now on the peer knows the newest key alone, the one before it is
// freed there. Ours stay for late packets, until late_ms. Source: protocol.md 11.2, 11.3.
void vc_data_renegotiate(struct vc_data *d, uint64_t late_ms);

// Wipe the keys that have expired.
void vc_data_expire(struct vc_data *d, uint64_t now_ms);

// Wipe all keys; the counters stay.
void vc_data_wipe(struct vc_data *d);

// Wipe all keys and free what vc_data_defrag_init has made.
void vc_data_done(struct vc_data *d);

// The key to send with: the newest one that is active, else the newest; never a late one. NULL
// without keys.
struct vc_key *vc_data_send_key(struct vc_data *d, uint64_t now_ms);

// Seal a payload in place.
//
// plain: VC_DATA_HEADROOM bytes before it and VC_DATA_TAILROOM behind it belong to the caller's
//        buffer, too. len: at least 1.
//
// Returns 0 and where the datagram begins, -ENOKEY without keys, -EOVERFLOW when the packet-ids
// are used up (never those of a static key), -EMSGSIZE when it has to be cut (vc_data_cut), -EIO.
int vc_data_seal(struct vc_data *d, uint64_t now_ms, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len);

// The same for a payload with all its framing on.
int vc_data_seal_framed(struct vc_data *d, uint64_t now_ms, uint8_t *plain, size_t len,
	uint8_t **ret_dgram, size_t *ret_len);

// Open a data packet in place, check it against the replay window, take off the framing.
//
// scratch: room for len bytes, used when two keys have the same id. ret_plain points into dgram, or
// to a packet that came in pieces and is valid until the next call.
//
// Returns 0, 1 for an authentic piece of a packet that isn't complete yet, -ENOKEY, -EBADMSG (tag
// or length), -EEXIST and -ERANGE (replay), -EPROTO (framing).
int vc_data_open(struct vc_data *d, uint8_t *dgram, size_t len, uint8_t *scratch,
	uint8_t **ret_plain, size_t *ret_len);

// Put framing around a payload, or take it off; in place, VC_DATA_HEADROOM as above. Public for
// the tests. vc_frame_del returns -EPROTO for a marker of compressed or unknown data.
void vc_frame_add(enum cfg_comp comp, uint8_t **plain, size_t *len);
int vc_frame_del(enum cfg_comp comp, uint8_t **plain, size_t *len);
