// SPDX-License-Identifier: BSD-3-Clause
// Single-producer single-consumer ring between two processes that don't trust each other.
//
// Fixed elements, a power of two of them. Each side keeps base, mask and its own index in private
// memory, publishes that index with a release store and reads the peer's index once an operation.
// An impossible distance means a broken peer: -EPROTO, after which the caller disconnects. An
// element is copied out once, then checked, then used. Each index has a page of its own.
// Source: decisions.md D1, D13.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_RING_PAGE 4096u
#define SHM_RING_ENTRIES_MAX (1u << 16)

// The shared part; elements follow it. No field is trusted after attach but the peer's index.
struct shm_ring_mem {
	_Atomic uint32_t head; // producer: elements ever put, modulo 2^32
	uint8_t pad0[SHM_RING_PAGE - 4];
	_Atomic uint32_t tail; // consumer: elements ever taken
	uint8_t pad1[SHM_RING_PAGE - 4];
};

// One side's private view.
struct shm_ring {
	struct shm_ring_mem *mem;
	uint8_t *elems;
	uint32_t mask; // entries - 1
	uint32_t elem_size; // bytes
	uint32_t own; // my index: head for the producer, tail for the consumer
	uint32_t peer; // the peer's index when last read
	bool producer;
	bool wipe; // consumer wipes an element after copying it (keys)
};

// Bytes of shared memory that a ring takes, a multiple of SHM_RING_PAGE; 0 when entries isn't a
// power of two up to SHM_RING_ENTRIES_MAX or elem_size isn't a multiple of 8 below 64 KiB.
size_t shm_ring_bytes(uint32_t entries, uint32_t elem_size);

// Attach one side to `size` bytes at mem (page aligned, zeroed by its maker).
// Returns 0, or -EINVAL when size or the numbers don't fit.
int shm_ring_attach(struct shm_ring *ring, void *mem, size_t size, uint32_t entries,
	uint32_t elem_size, bool producer);

// Producer: the next free element to fill, NULL when the ring is full (*ret_rc -ENOSPC) or the
// peer's index is impossible (-EPROTO). Nothing is visible before shm_ring_commit.
// Reserving again without a commit after n elements is done with index n: element n from here.
void *shm_ring_reserve(struct shm_ring *ring, uint32_t n, int *ret_rc);

// Producer: publish n reserved elements with one release store.
void shm_ring_commit(struct shm_ring *ring, uint32_t n);

// Producer: copy one element in and publish it. len at most elem_size; the rest of the element
// is left as it is. Returns 0, -ENOSPC, -EPROTO, -EMSGSIZE.
int shm_ring_put(struct shm_ring *ring, const void *elem, size_t len);

// Consumer: copy the oldest element (elem_size bytes, or its first `len` bytes if len is smaller)
// out and free its place. Returns 1, 0 when empty, -EPROTO.
int shm_ring_get(struct shm_ring *ring, void *elem, size_t len);

// Consumer: number of elements waiting, -EPROTO when the peer's index is impossible.
int shm_ring_count(struct shm_ring *ring);

// Sleeping (D13). The sleeper sets *flag to 1, fences, re-checks its rings with
// shm_ring_count, and sleeps only if all are empty; the producer calls shm_wake_needed once a
// batch after its commits: fence, read the flag, exchange to 0, and if it was 1 write the eventfd.
void shm_sleep_begin(_Atomic uint32_t *flag);
void shm_sleep_end(_Atomic uint32_t *flag);
// Returns true when the caller has to write the eventfd.
bool shm_wake_needed(_Atomic uint32_t *flag);
