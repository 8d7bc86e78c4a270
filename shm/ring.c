// SPDX-License-Identifier: BSD-3-Clause
#include "shm/ring.h"

#include <errno.h>
#include <string.h>

#define ELEM_MAX 65536u

size_t shm_ring_bytes(uint32_t entries, uint32_t elem_size)
{
	size_t bytes;

	if (entries < 2 || entries > SHM_RING_ENTRIES_MAX || (entries & (entries - 1)) != 0)
		return 0;
	if (elem_size == 0 || elem_size >= ELEM_MAX || elem_size % 8 != 0)
		return 0;
	bytes = sizeof(struct shm_ring_mem) + (size_t)entries * elem_size;
	return (bytes + SHM_RING_PAGE - 1) & ~(size_t)(SHM_RING_PAGE - 1);
}

int shm_ring_attach(struct shm_ring *ring, void *mem, size_t size, uint32_t entries,
	uint32_t elem_size, bool producer)
{
	size_t need = shm_ring_bytes(entries, elem_size);

	if (need == 0 || size < need || mem == NULL || (uintptr_t)mem % SHM_RING_PAGE != 0)
		return -EINVAL;
	*ring = (struct shm_ring){
		.mem = mem,
		.elems = (uint8_t *)mem + sizeof(struct shm_ring_mem),
		.mask = entries - 1,
		.elem_size = elem_size,
		.producer = producer,
	};
	return 0;
}

// Read the consumer's index again. It may only have come nearer to ours: anything else would let
// us write over elements that were never taken.
static int producer_refresh(struct shm_ring *ring)
{
	uint32_t tail = atomic_load_explicit(&ring->mem->tail, memory_order_acquire);

	if (ring->own - tail > ring->own - ring->peer)
		return -EPROTO;
	ring->peer = tail;
	return 0;
}

// Read the producer's index again. It may only have gone forward, and never past a full ring.
static int consumer_refresh(struct shm_ring *ring)
{
	uint32_t head = atomic_load_explicit(&ring->mem->head, memory_order_acquire);
	uint32_t waiting = head - ring->own;

	if (waiting > ring->mask + 1 || waiting < ring->peer - ring->own)
		return -EPROTO;
	ring->peer = head;
	return 0;
}

void *shm_ring_reserve(struct shm_ring *ring, uint32_t n, int *ret_rc)
{
	uint32_t size = ring->mask + 1;
	int rc;

	if (n >= size) {
		*ret_rc = -ENOSPC;
		return NULL;
	}
	if (ring->own + n - ring->peer >= size) {
		rc = producer_refresh(ring);
		if (rc == 0 && ring->own + n - ring->peer >= size)
			rc = -ENOSPC;
		if (rc < 0) {
			*ret_rc = rc;
			return NULL;
		}
	}
	*ret_rc = 0;
	return ring->elems + (size_t)((ring->own + n) & ring->mask) * ring->elem_size;
}

void shm_ring_commit(struct shm_ring *ring, uint32_t n)
{
	ring->own += n;
	atomic_store_explicit(&ring->mem->head, ring->own, memory_order_release);
}

int shm_ring_put(struct shm_ring *ring, const void *elem, size_t len)
{
	void *to;
	int rc;

	if (len > ring->elem_size)
		return -EMSGSIZE;
	to = shm_ring_reserve(ring, 0, &rc);
	if (to == NULL)
		return rc;
	memcpy(to, elem, len);
	shm_ring_commit(ring, 1);
	return 0;
}

int shm_ring_get(struct shm_ring *ring, void *elem, size_t len)
{
	uint8_t *from;
	int rc;

	if (ring->peer == ring->own) {
		rc = consumer_refresh(ring);
		if (rc < 0)
			return rc;
		if (ring->peer == ring->own)
			return 0;
	}
	from = ring->elems + (size_t)(ring->own & ring->mask) * ring->elem_size;
	memcpy(elem, from, len < ring->elem_size ? len : ring->elem_size);
	if (ring->wipe)
		explicit_bzero(from, ring->elem_size);
	ring->own++;
	atomic_store_explicit(&ring->mem->tail, ring->own, memory_order_release);
	return 1;
}

int shm_ring_count(struct shm_ring *ring)
{
	int rc = consumer_refresh(ring);

	return rc < 0 ? rc : (int)(ring->peer - ring->own);
}

void shm_sleep_begin(_Atomic uint32_t *flag)
{
	atomic_store_explicit(flag, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void shm_sleep_end(_Atomic uint32_t *flag)
{
	atomic_store_explicit(flag, 0, memory_order_relaxed);
}

bool shm_wake_needed(_Atomic uint32_t *flag)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(flag, memory_order_relaxed) == 0)
		return false;
	return atomic_exchange_explicit(flag, 0, memory_order_acq_rel) != 0;
}
