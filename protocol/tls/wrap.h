// SPDX-License-Identifier: BSD-3-Clause
// The wrapping of the control channel: none, tls-auth, tls-crypt. tls-crypt-v2 is tls-crypt with
// Kc (static_key.h opens WKc), dynamic tls-crypt is tls-crypt with a key from keys.h.
//
// Keys and counters are apart: a server with a million sessions and one tls-auth or tls-crypt key
// keeps one struct ovpn_wrap_keys and a million small struct ovpn_wrap.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/cipher.h"
#include "protocol/control_packet.h"
#include "protocol/replay.h"
#include "protocol/tls/static_key.h"

// Longest digest of tls-auth (SHA512), and the most that any wrapping adds to a packet.
#define OVPN_WRAP_DIGEST_MAX 64
#define OVPN_WRAP_OVERHEAD_MAX (OVPN_WRAP_DIGEST_MAX + 8)

enum ovpn_wrap_mode {
	OVPN_WRAP_NONE = 0,
	OVPN_WRAP_TLS_AUTH = 1,
	OVPN_WRAP_TLS_CRYPT = 2, // with the file's key, with Kc, or with a dynamic key
};

enum ovpn_wrap_direction {
	OVPN_DIRECTION_NONE = -1, // bidirectional: one HMAC key for both ways
	OVPN_DIRECTION_NORMAL = 0, // sends with key 0, by convention the server
	OVPN_DIRECTION_INVERSE = 1, // sends with key 1, by convention the client
};

// Keys of one wrapping for one end; written once, then read by any thread.
struct ovpn_wrap_keys {
	uint8_t mode; // enum ovpn_wrap_mode
	uint8_t digest; // enum ovpn_digest of the HMAC or tag; SHA256 for tls-crypt
	uint8_t digest_len; // its bytes; 0 for none
	// A server has some for each of its sessions, so what no mode has together shares its
	// place: tls-crypt has ciphers, and HMACs of 32 bytes.
	union {
		uint8_t send_hmac[OVPN_WRAP_DIGEST_MAX];
		struct {
			uint8_t send_short[32];
			uint8_t send_cipher[32];
		};
	};
	union {
		uint8_t recv_hmac[OVPN_WRAP_DIGEST_MAX];
		struct {
			uint8_t recv_short[32];
			uint8_t recv_cipher[32];
		};
	};
};
static_assert(OVPN_WRAP_DIGEST_MAX == 64, "the ciphers lie inside");

// Counters of one session under one wrapping.
struct ovpn_wrap {
	const struct ovpn_wrap_keys *keys; // of the owner, lives longer; NULL: no wrapping
	struct ovpn_replay_send send;
	struct ovpn_replay_long recv;
};

// The part of the counters that a restart needs (decisions.md C7): plain data.
struct ovpn_wrap_state {
	uint32_t send_time_s; // net time in use: unix time; 0: nothing was sent
	uint32_t reserved;
	struct ovpn_replay_long recv;
};

// The four keys of tls-crypt as they are kept for a restart: 128 bytes instead of 256.
#define OVPN_WRAP_SAVED_SIZE 128
struct ovpn_wrap_saved {
	uint8_t bytes[OVPN_WRAP_SAVED_SIZE]; // send HMAC, receive HMAC, send cipher, receive cipher
};

// What ovpn_wrap_open() learned about a packet.
struct ovpn_wrap_id {
	uint32_t id; // replay id, 0 without wrapping
	uint32_t time_s; // net time, 0 without wrapping
};

// No wrapping: clears *ret_keys.
void ovpn_wrap_keys_none(struct ovpn_wrap_keys *ret_keys);

// Keys of tls-auth.
// digest: of `auth` (ovpn_digest_by_name).
// Returns 0, -EINVAL when the direction is unknown, -ENOTSUP when the digest is none or unknown.
// Source: protocol.md 3.1, 3.2.
int ovpn_wrap_keys_tls_auth(const struct ovpn_static_key *key, enum ovpn_digest digest,
	enum ovpn_wrap_direction direction, struct ovpn_wrap_keys *ret_keys);

// Keys of tls-crypt, tls-crypt-v2 (key: Kc) and dynamic tls-crypt.
// server: which end this is; servers send with key 0. Source: protocol.md 3.1, 3.3.
void ovpn_wrap_keys_tls_crypt(
	const struct ovpn_static_key *key, bool server, struct ovpn_wrap_keys *ret_keys);

// Keep the keys of a tls-crypt wrapping for a restart, and take them up again.
// Saving returns 0, or -EINVAL when the mode isn't tls-crypt.
int ovpn_wrap_keys_save(const struct ovpn_wrap_keys *keys, struct ovpn_wrap_saved *ret_saved);
void ovpn_wrap_keys_restore(const struct ovpn_wrap_saved *saved, struct ovpn_wrap_keys *ret_keys);

void ovpn_wrap_keys_wipe(struct ovpn_wrap_keys *keys);

// Bytes that the wrapping adds to each packet on the wire: 0, 8 + digest size, 40.
size_t ovpn_wrap_overhead(const struct ovpn_wrap_keys *keys);

// Begin with id `first_id` (1, OVPN_EARLY_REPLAY_ID for a tls-crypt-v2 client, 2 for a server whose
// answer was stateless) and an empty receive window.
// now_s: unix time; the net time of everything that is sent from now on.
void ovpn_wrap_init(struct ovpn_wrap *wrap, const struct ovpn_wrap_keys *keys, uint32_t first_id,
	uint32_t now_s);

// Go on after a restart from stored counters: sends begin at id 1 under max(now_s, stored time +
// 1), which peers take as a new window; the receive window is as stored (decisions.md C7).
void ovpn_wrap_resume(struct ovpn_wrap *wrap, const struct ovpn_wrap_keys *keys,
	const struct ovpn_wrap_state *stored, uint32_t now_s);

// The counters for ovpn_wrap_resume().
void ovpn_wrap_export(const struct ovpn_wrap *wrap, struct ovpn_wrap_state *ret_state);

// Wrap a packet and draw its replay id.
//
// plain: layout of protocol.md 2.1 (opcode, session id, acknowledgements, ...), at least 10 bytes.
// out:   room for `size` bytes; needs len + ovpn_wrap_overhead(). Must not overlap plain.
//
// Returns 0, -EINVAL when plain is too short, -ENOSPC, -EIO when libcrypto fails.
// Source: protocol.md 3.2 to 3.4.
int ovpn_wrap_seal(struct ovpn_wrap *wrap, const uint8_t *plain, size_t len, uint8_t *out,
	size_t size, size_t *ret_len);

// The same with a given id and time, for answers that leave no state behind.
int ovpn_wrap_seal_as(const struct ovpn_wrap_keys *keys, struct ovpn_wrap_id id,
	const uint8_t *plain, size_t len, uint8_t *out, size_t size, size_t *ret_len);

// Authenticate and decrypt a packet; no replay check, no state: for first contact, and for callers
// that try several keys. A WKc must have been cut off before (ovpn_wkc_cut).
//
// keys:  NULL or mode none copies the packet.
// plain: room for `size` bytes, len is always enough. Must not overlap dgram. Its content is
//        undefined after an error.
//
// Returns 0, -EINVAL when the packet is too short for its wrapping, -EBADMSG when the HMAC or tag
// is wrong (compared in constant time), -ENOSPC, -EIO when libcrypto fails.
int ovpn_wrap_open(const struct ovpn_wrap_keys *keys, const uint8_t *dgram, size_t len,
	uint8_t *plain, size_t size, size_t *ret_len, struct ovpn_wrap_id *ret_id);

// Accept the id of an authenticated packet once. Always 0 without wrapping.
// Returns 0, -EEXIST when seen before, -ERANGE when older than the window or of an older net time,
// -EINVAL when the id is 0. Source: protocol.md 3.4, 9.6.
int ovpn_wrap_accept(struct ovpn_wrap *wrap, struct ovpn_wrap_id id);

// Would ovpn_wrap_accept() take this id? Changes nothing.
int ovpn_wrap_check(const struct ovpn_wrap *wrap, struct ovpn_wrap_id id);
