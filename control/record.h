// SPDX-License-Identifier: BSD-3-Clause
// The `control` memfd: making it, taking over that of an earlier control, reading and writing
// records so that a kill at any instant leaves each of them old or new, never torn.
// Everything here runs in the event loop. Source: decisions.md C1 to C8.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/tls/cookie.h"
#include "shm/record.h"

struct ctl_records {
	struct shm_control_header *header; // NULL: none yet
	struct shm_control_record *record;
	struct shm_parked *parked;
	struct shm_shaking *shaking;
	struct shm_note *note; // NULL: a memfd of an earlier version, which has none
	uint32_t sessions;
	size_t bytes;
	uint32_t parked_next; // where the search for a free entry begins
	uint32_t shaking_next;
	uint8_t parked_used[SHM_PARKED_MAX];
	uint8_t shaking_used[SHM_SHAKING_MAX];
};

// Bytes of the memfd for so many sessions, without the notes.
size_t ctl_records_bytes(uint32_t sessions);

// Make a new one. instance: of the session table; tls_hash: ovpn_tls_ctx_hash(). *ret_fd belongs to
// the caller. Returns 0 or the negative errno of the failed call.
int ctl_records_create(struct ctl_records *r, uint32_t sessions, const uint8_t instance[16],
	const uint8_t tls_hash[32], const struct ovpn_cookie_keys *cookies, int *ret_fd);

// Take over that of an earlier control and finish the write that it was killed in.
// Returns 0; -ESTALE when it isn't one for this table; or the negative errno of the failed call.
int ctl_records_open(struct ctl_records *r, int fd, uint32_t sessions, const uint8_t instance[16]);

// Unmap. The memory lives on as long as somebody holds the descriptor.
void ctl_records_done(struct ctl_records *r);

// Keys of the cookies as stored. Returns 0 or -EINVAL.
int ctl_records_cookies(const struct ctl_records *r, struct ovpn_cookie_keys *ret_keys);
void ctl_records_set_cookies(struct ctl_records *r, const struct ovpn_cookie_keys *keys);

// Key of the tokens for passwords: what an earlier control stored, 32 bytes. All zero means that it
// made none: then *key stays, and is stored.
void ctl_records_token_key(struct ctl_records *r, uint8_t key[32]);
void ctl_records_set_token_key(struct ctl_records *r, const uint8_t key[32]);

// Write a record to rec->slot; sequence and checksum are filled in.
void ctl_record_write(struct ctl_records *r, struct shm_control_record *rec);

// The slot has no session any more: wipe its record.
void ctl_record_clear(struct ctl_records *r, uint32_t slot);

// Copy a record out and check it. Returns 0, -ENOENT when the slot has none, -EBADMSG when it is
// damaged or impossible.
int ctl_record_read(const struct ctl_records *r, uint32_t slot, struct shm_control_record *ret_rec);

// Is a copy of a record one that ctl_record_write() could have written to this slot? Pure.
// Returns 0 or -EBADMSG.
int ctl_record_check(const struct shm_control_record *rec, uint32_t slot);

// Park packets: the checksum is filled in. Returns 0 and the entry, -ENOSPC when all are taken.
int ctl_parked_put(struct ctl_records *r, struct shm_parked *parked, uint32_t *ret_index);
void ctl_parked_drop(struct ctl_records *r, uint32_t index);

// Copy an entry out and check that it belongs to that session; marks it as taken.
// Returns 0, -ERANGE, -EBADMSG.
int ctl_parked_get(struct ctl_records *r, uint32_t index, uint32_t slot, uint16_t generation,
	struct shm_parked *ret_parked);
int ctl_parked_check(const struct shm_parked *parked, uint32_t slot, uint16_t generation);

// Reserve an entry for a first handshake. Returns its index, or SHM_SLOT_NONE when all are taken:
// such a handshake is forgotten by a restart.
uint32_t ctl_shaking_take(struct ctl_records *r);

// Write the entry; the checksum is filled in. index SHM_SLOT_NONE does nothing.
void ctl_shaking_write(struct ctl_records *r, uint32_t index, struct shm_shaking *entry);

// The handshake is over: wipe and free the entry. index SHM_SLOT_NONE does nothing.
void ctl_shaking_drop(struct ctl_records *r, uint32_t index);

// Copy an entry of an earlier control out and check it; it stays taken.
// Returns 0, -ENOENT when it isn't in use, -EBADMSG when it is damaged (it is free then).
int ctl_shaking_recover(struct ctl_records *r, uint32_t index, struct shm_shaking *ret_entry);
int ctl_shaking_check(const struct shm_shaking *entry);

// A note as it was read; what it points to lies in the memfd, and stays until the next write.
struct ctl_note {
	uint64_t since_s;
	const char *env;
	size_t env_len;
	const char *config; // "": none
};

// Write the note of a session, before its record. Returns 0; -ENOBUFS when it doesn't fit, then
// variables are left out from the first on, and if that isn't enough, it has none; -ENOENT without
// a place for it.
int ctl_note_write(struct ctl_records *r, uint32_t slot, uint16_t generation, uint64_t since_s,
	const void *env, size_t env_len, const char *config);

// Returns 0, -ENOENT, or -EBADMSG when it is damaged or another session's.
int ctl_note_read(
	const struct ctl_records *r, uint32_t slot, uint16_t generation, struct ctl_note *ret_note);

// Is a copy of a note one that could have been written to this slot? Pure. Returns 0 or -EBADMSG.
int ctl_note_check(const struct shm_note *note, uint32_t slot, uint16_t generation);
