// SPDX-License-Identifier: BSD-3-Clause
// Session ids of a server that keeps no state before the third packet: an HMAC over the client's
// address, its session id and the time.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define OVPN_COOKIE_KEY_SIZE 32
#define OVPN_COOKIE_ADDRESS_MAX 64

// Keys of the cookie; plain data, so that it survives a restart in shared memory. Cookies are made
// with the newest key and verified with both.
struct ovpn_cookie_keys {
	uint8_t key[2][OVPN_COOKIE_KEY_SIZE]; // newest first
	uint8_t count; // valid keys: 1 or 2
};

// Draw the first key. Returns 0, -EIO when the generator fails.
int ovpn_cookie_keys_init(struct ovpn_cookie_keys *ret_keys);

// Draw a new key; the newest one becomes the older generation. Returns 0, -EIO (nothing changed).
int ovpn_cookie_keys_rotate(struct ovpn_cookie_keys *keys);

void ovpn_cookie_keys_wipe(struct ovpn_cookie_keys *keys);

// Length of a time slot in ms: half of hand-window. Source: protocol.md 4.1.
uint64_t ovpn_cookie_slot_ms(unsigned hand_window_s);

// The session id for a client.
//
// addr, addr_len: whatever identifies the client's and our address and port, at most
//                 OVPN_COOKIE_ADDRESS_MAX bytes, without padding of unknown content.
// slot:           any clock that survives a restart, divided by ovpn_cookie_slot_ms().
//
// The result is never all zero. Returns 0, -EINVAL when addr is too long, -EIO.
int ovpn_cookie_make(const struct ovpn_cookie_keys *keys, const void *addr, size_t addr_len,
	const uint8_t client_sid[8], uint64_t slot, uint8_t ret_sid[8]);

// True (1) when `sid` is a cookie of slot, slot - 1 or slot - 2 under one of the keys, 0 when not;
// compared in constant time. -EINVAL, -EIO as above. Source: protocol.md 4.2.
int ovpn_cookie_verify(const struct ovpn_cookie_keys *keys, const void *addr, size_t addr_len,
	const uint8_t client_sid[8], uint64_t slot, const uint8_t sid[8]);
