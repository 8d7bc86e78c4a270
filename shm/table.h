// SPDX-License-Identifier: BSD-3-Clause
// The two memfds of sessions and keys: making them, taking over those of an earlier process, and
// control's read-only view. Source: decisions.md D6 to D9.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"
#include "shm/message.h"

enum shm_pages {
	SHM_PAGES_AUTO, // huge pages when enough are free, else small ones
	SHM_PAGES_HUGE, // huge pages or nothing
	SHM_PAGES_SMALL,
};

// The dataplane's side: both memfds mapped for writing. Made in place; main owns it, workers use
// the three arrays, each field under its own single writer.
struct shm_table {
	int sessions_fd;
	int keys_fd; // carries the POSIX write lock: never open and close this memfd a second time
	struct shm_table_header *header;
	struct shm_table_header *keys_header;
	struct shm_saved *saved;
	struct shm_dir *dir;
	struct shm_session *session;
	struct shm_keys *keys;
	uint32_t sessions; // number of slots
	bool huge; // made of huge pages
	size_t sessions_bytes;
	size_t keys_bytes;
};

// What a dataplane writes down about its table, root-only, beside its socket; without an equal
// record no memfd is ever adopted.
struct shm_record {
	uint32_t magic; // SHM_MAGIC
	uint32_t version;
	uint64_t layout_hash;
	uint8_t instance[16];
	uint32_t sessions;
	int32_t control_pid; // 0: none was connected
	uint64_t sessions_dev; // st_dev and st_ino name the memfd itself
	uint64_t sessions_ino;
	uint64_t sessions_bytes;
	uint64_t keys_dev;
	uint64_t keys_ino;
	uint64_t keys_bytes;
};

// Bytes of each memfd before rounding up to its page size.
size_t shm_sessions_bytes(uint32_t sessions);
size_t shm_keys_bytes(uint32_t sessions);

// Make a table of so many slots, all free: memfds of mode 0600, sealed against change of size,
// kept out of core dumps and of children, locked for writing by this process.
//
// Returns 0; -EINVAL; -ENOMEM when the memory isn't there (SHM_PAGES_HUGE: not enough huge pages);
// or the error of the failed call. Main core only.
int shm_table_create(uint32_t sessions, enum shm_pages pages, struct shm_table *ret_table);

// Touch every page, so that no worker takes a page fault later. progress may be NULL; it is called
// now and then with bytes done and bytes in all. Returns 0 or -ENOMEM. The content stays.
int shm_table_populate(
	struct shm_table *table, void (*progress)(void *arg, size_t done, size_t total), void *arg);

// Take over the table of an earlier dataplane from descriptors that somebody kept: sessions_fd any
// access mode, keys_fd O_PATH or better. Both are reopened through procfs, so the caller must be
// root, and stay the caller's to close. record comes from a root-only file.
//
// Returns 0; -ESTALE when owner, mode, size, seals, header or identity don't agree with the record;
// -EBUSY when another process holds the lock; or the error of the failed call. Main core only.
int shm_table_adopt(
	int sessions_fd, int keys_fd, const struct shm_record *record, struct shm_table *ret_table);

// The record that describes this table.
int shm_table_record(const struct shm_table *table, struct shm_record *ret_record);

// A new descriptor of `sessions` for reading only, or of `keys` without any access (O_PATH), to be
// handed to control. Needs the rights of the memfds' owner. Returns the descriptor or -errno.
int shm_table_open_readonly(const struct shm_table *table);
int shm_table_open_path(const struct shm_table *table);

// Unmap and close. Nothing is wiped: another process may adopt the memory. NULL-safe, idempotent.
void shm_table_done(struct shm_table *table);

// Save what control said, for the next dataplane; main only.
void shm_saved_write(struct shm_saved *saved, const struct shm_hello *hello);

// Read it back. Returns 0, -ENOENT when nothing was saved, or what shm_hello_check says.
int shm_saved_read(const struct shm_saved *saved, struct shm_hello *ret_hello);

// Control's side: `sessions` mapped for reading.
struct shm_view {
	const struct shm_table_header *header;
	const struct shm_dir *dir;
	const struct shm_session *session;
	uint32_t sessions;
	size_t bytes;
};

// Map the descriptor that came with a checked WELCOME. Returns 0, -EINVAL when it isn't a table
// of that instance, or the error of the failed call. The descriptor stays the caller's.
int shm_view_map(int sessions_fd, const struct shm_welcome *welcome, struct shm_view *ret_view);
void shm_view_done(struct shm_view *view);
