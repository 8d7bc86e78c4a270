// SPDX-License-Identifier: BSD-3-Clause
// Memory of one loaded configuration: taken in pieces, wiped and freed as a whole, so that no
// copy of an inline key or password can be forgotten.
#pragma once

#include <stddef.h>

struct cfg_mem;

// A new, empty arena, or NULL with errno ENOMEM.
struct cfg_mem *cfg_mem_create(void);

// Zeroed memory of size bytes, aligned for any type, or NULL (out of memory, or the arena would
// exceed its limit of 64 MiB). Lives until cfg_mem_free.
void *cfg_mem_alloc(struct cfg_mem *mem, size_t size);

// A copy of len bytes with a NUL after them, or NULL.
char *cfg_mem_strndup(struct cfg_mem *mem, const char *text, size_t len);

// Make room for one more element behind n elements of elem_size bytes in *list. Returns 0,
// -ENOMEM, or -E2BIG when n has reached max.
int cfg_mem_grow(struct cfg_mem *mem, void *list, size_t n, size_t max, size_t elem_size);

// Wipe and free everything. NULL is fine. Returns NULL.
struct cfg_mem *cfg_mem_free(struct cfg_mem *mem);
