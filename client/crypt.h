// SPDX-License-Identifier: BSD-3-Clause
// One direction of one data key, whatever its cipher: seal or open one packet in place. The key
// schedule is made once, at init; for each packet only nonce and additional data are set. A key is
// made by the event loop, then handed to the data thread, which alone uses it from then on.
//
// A family of ciphers is one file with one struct vc_crypt_ops, chosen in crypt.c by the cipher's
// mode: crypt_aead.c, data_legacy.c; and crypt_epoch.c where the session has that format.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/pushed.h"
#include "protocol/cipher.h"
#include "protocol/tls/keys.h"

// Bytes that belong to the caller's buffer in front of a payload and behind it, for any cipher and
// framing: header 4, HMAC 64, IV 16, long packet-id 8, fragment header 4, framing 2; padding 16,
// swap framing 1, session id 8.
#define VC_DATA_HEADROOM 112
#define VC_DATA_TAILROOM 32

struct vc_crypt_ops;

struct vc_crypt {
	const struct vc_crypt_ops *ops; // NULL: not initialised
	void *state; // the cipher's own, made by init, wiped and freed by done
	bool seal; // direction
	bool v2; // P_DATA_V2 with peer_id, else P_DATA_V1
	bool static_key; // neither: no opcode, long packet-ids
	uint8_t key_id;
	uint32_t peer_id;
};

// What keys are made of. Borrowed during init.
struct vc_crypt_params {
	const struct ovpn_data_keys *keys;
	enum ovpn_digest auth; // of the HMAC; AEAD ignores it
	// Session id that a client in lazy mode carries in its IVs (protocol.md 13), or NULL. AEAD
	// ignores it.
	const uint8_t *server_sid;
	bool static_key; // no opcode, long packet-ids; the keys are cut for both directions
	uint8_t key_id;
	bool v2;
	bool epoch; // the epoch format: AEAD and v2, keys from the TLS exporter
	uint32_t peer_id;
	enum cfg_comp comp; // framing, data.c puts it on and takes it off
	uint16_t fragment_max; // bytes of the longest datagram; 0: no fragment headers
};

// A packet that was opened. Its framing is still on.
struct vc_opened {
	uint8_t *plain; // into the datagram
	size_t len;
	uint32_t packet_id; // host order
	uint32_t net_time; // of a long packet-id (CFB and OFB); else 0
};

struct vc_crypt_ops {
	// Make crypt->state; the other fields are set already. Returns 0 or -errno.
	int (*init)(struct vc_crypt *crypt, const struct vc_crypt_params *params);
	// Wipe and free it.
	void (*done)(struct vc_crypt *crypt);
	// Seal in place: the datagram begins at most VC_DATA_HEADROOM bytes in front of plain and
	// ends at most VC_DATA_TAILROOM behind it. packet_id: host order, never 0, never twice; the
	// caller's promise. Datagrams of equal payloads have equal lengths.
	// Returns 0 or -EIO.
	int (*seal)(struct vc_crypt *crypt, uint32_t packet_id, uint8_t *plain, size_t len,
		uint8_t **ret_dgram, size_t *ret_len);
	// Open in place, dgram's opcode is P_DATA_V1 or V2. No replay check: that comes after it,
	// unless own_ids; then -EEXIST and -ERANGE are its answers.
	// After -EBADMSG (too short, wrong tag or padding) dgram's content is undefined.
	int (*open)(
		struct vc_crypt *crypt, uint8_t *dgram, size_t len, struct vc_opened *ret_packet);
	// Bytes from payload to datagram at most, without framing. Also valid before the first
	// packet.
	unsigned (*overhead)(const struct vc_crypt *crypt);
	// The family draws packet-ids and checks for replays itself; the caller's packet_id isn't
	// used, and seal also returns -EOVERFLOW. The next two are set then.
	bool own_ids;
	// A packet was opened and is no replay: what that means for the other direction of the key.
	// Returns 0 or -EIO.
	int (*opened)(const struct vc_crypt *open, struct vc_crypt *seal);
	// True when a new key should be negotiated.
	bool (*rekey)(const struct vc_crypt *seal);
};

extern const struct vc_crypt_ops vc_crypt_aead;
extern const struct vc_crypt_ops vc_crypt_epoch;
extern const struct vc_crypt_ops vc_crypt_legacy;

// Set up one direction: seal with the client's keys, open with the server's.
// Returns 0, -ENOTSUP for a cipher or format that we don't have, -EIO, -ENOMEM.
int vc_crypt_init(struct vc_crypt *crypt, const struct vc_crypt_params *params, bool seal);

// Wipe; harmless on an object of zeros.
void vc_crypt_done(struct vc_crypt *crypt);
