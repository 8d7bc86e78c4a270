// SPDX-License-Identifier: BSD-3-Clause
#include "config/mem.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 8192u
#define ARENA_MAX (64u << 20)

struct block {
	struct block *next;
	size_t size; // bytes of data
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

struct cfg_mem {
	struct block *blocks; // the newest first; only that one has room
	size_t total;
};

struct cfg_mem *cfg_mem_create(void)
{
	return calloc(1, sizeof(struct cfg_mem));
}

void *cfg_mem_alloc(struct cfg_mem *mem, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct block *b = mem->blocks;
	void *at;

	if (size > ARENA_MAX)
		return NULL;
	size = size == 0 ? align : (size + align - 1) / align * align;
	if (b == NULL || b->size - b->used < size) {
		size_t want = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		if (mem->total + want > ARENA_MAX)
			return NULL;
		b = calloc(1, sizeof(*b) + want);
		if (b == NULL)
			return NULL;
		b->size = want;
		b->next = mem->blocks;
		mem->blocks = b;
		mem->total += want;
	}
	at = b->data + b->used;
	b->used += size;
	return at;
}

char *cfg_mem_strndup(struct cfg_mem *mem, const char *text, size_t len)
{
	char *copy = cfg_mem_alloc(mem, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

int cfg_mem_grow(struct cfg_mem *mem, void *list, size_t n, size_t max, size_t elem_size)
{
	void *old;
	void *bigger;

	if (n >= max)
		return -E2BIG;
	// Room is doubled at each power of two; the old copies stay until the arena goes.
	if (n != 0 && (n & (n - 1)) != 0)
		return 0;
	bigger = cfg_mem_alloc(mem, (n == 0 ? 1 : 2 * n) * elem_size);
	if (bigger == NULL)
		return -ENOMEM;
	memcpy(&old, list, sizeof(old));
	if (n > 0)
		memcpy(bigger, old, n * elem_size);
	memcpy(list, &bigger, sizeof(bigger));
	return 0;
}

struct cfg_mem *cfg_mem_free(struct cfg_mem *mem)
{
	struct block *b;

	if (mem == NULL)
		return NULL;
	while ((b = mem->blocks) != NULL) {
		mem->blocks = b->next;
		explicit_bzero(b->data, b->size);
		free(b);
	}
	free(mem);
	return NULL;
}
