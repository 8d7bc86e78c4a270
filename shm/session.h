// SPDX-License-Identifier: BSD-3-Clause
// Reading and writing the head of a session so that neither side ever waits for the other.
//
// A writer that is killed in the middle leaves the idle copy torn and the published one whole, so
// nothing has to be repaired. Source: decisions.md D11.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"

// Copy the current endpoint out. Any thread or process that maps the table for reading.
// Returns 0; -EAGAIN after several changes in a row during the copy (a hostile or broken writer:
// the owner moves an endpoint at most 10 times a second). *ret_endpoint is then unchanged.
int shm_endpoint_read(const struct shm_session *s, struct shm_endpoint *ret_endpoint);

// Publish a new endpoint. The session's owner only.
void shm_endpoint_write(struct shm_session *s, const struct shm_endpoint *endpoint);

// Set the session's own tunnel address in both places where it is kept. family 0: none. The
// session's owner only.
void shm_session_set_tunnel4(struct shm_session *s, const struct shm_addr *addr);

// What control shows of a session; times are CLOCK_MONOTONIC milliseconds.
struct shm_session_info {
	struct shm_endpoint endpoint;
	uint64_t rx_packets;
	uint64_t rx_bytes; // inner bytes
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t last_rx_ms;
	uint64_t last_tx_ms;
	uint64_t last_move_ms;
	uint64_t installed_ms;
	uint32_t handovers;
	uint32_t replays;
	uint16_t generation;
	uint16_t owner;
	uint16_t tx_owner;
	uint16_t tun_mtu;
	uint8_t flags; // enum shm_dir_flag
	uint8_t tx_slot; // key slot in use for sending, 0xff: none
	uint8_t cipher; // of that key slot, enum ovpn_cipher; 0 without one
	uint8_t key_id;
	uint8_t server_sid[SHM_SID_LEN];
	uint8_t client_sid[SHM_SID_LEN];
	struct shm_addr tunnel4;
	struct shm_addr tunnel6;
	char name[SHM_NAME_LEN]; // always terminated
};

// Take a picture of a live session; generation and state are compared before and after, so the
// picture never mixes two sessions. Any thread or process that maps the table for reading.
// Returns 0, -ENOENT when the slot isn't live, -EAGAIN when it changed meanwhile.
int shm_session_read(
	const struct shm_dir *dir, const struct shm_session *s, struct shm_session_info *ret_info);
