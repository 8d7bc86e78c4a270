// SPDX-License-Identifier: BSD-3-Clause
// A ring whose peer writes any index at any time: the input is a program of such edits and of the
// honest side's operations. ASan watches the edges of the ring's memory.
#include <stdlib.h>
#include <string.h>

#include "shm/ring.h"

#define ENTRIES 16u
#define ELEM 32u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t edit_of(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v % 8 == 0 ? v : v % 64 - 32; // mostly near the honest values
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bytes = shm_ring_bytes(ENTRIES, ELEM);
	struct shm_ring_mem *mem = aligned_alloc(SHM_RING_PAGE, bytes);
	struct shm_ring producer, consumer;
	uint8_t elem[ELEM] = { 0 };
	int rc;

	if (mem == NULL)
		return 0;
	memset(mem, 0, bytes);
	if (shm_ring_attach(&producer, mem, bytes, ENTRIES, ELEM, true) < 0 ||
		shm_ring_attach(&consumer, mem, bytes, ENTRIES, ELEM, false) < 0)
		abort();
	consumer.wipe = true;
	for (size_t at = 0; at + 5 <= size; at += 5) {
		switch (data[at] % 7) {
		case 0: (void)shm_ring_put(&producer, elem, sizeof(elem)); break;
		case 1: (void)shm_ring_get(&consumer, elem, sizeof(elem)); break;
		case 2: mem->head = edit_of(data + at + 1); break;
		case 3: mem->tail = edit_of(data + at + 1); break;
		case 4:
			if (shm_ring_count(&consumer) > (int)ENTRIES)
				abort();
			break;
		case 5: {
			uint8_t *e = shm_ring_reserve(&producer, data[at + 1] % 20, &rc);

			if (e != NULL)
				memset(e, 0xff, ELEM);
			break;
		}
		default: (void)shm_ring_get(&consumer, elem, data[at + 1] % ELEM); break;
		}
	}
	free(mem);
	return 0;
}
