// SPDX-License-Identifier: BSD-3-Clause
// A set of pointers, found by a hash and a comparison of the caller's. Where there is an element
// for each of a million sessions uthash's handle of 56 bytes in every one of them is too much; here
// it is 16 bytes, at most three quarters of them in use. One thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ctl_set_place {
	void *elem; // NULL: empty
	uint32_t hash;
};

// All zero is an empty set.
struct ctl_set {
	struct ctl_set_place *place; // mask + 1 of them, or NULL
	uint32_t mask;
	uint32_t count;
};

// Is this the element that the key means?
typedef bool ctl_set_same_fn(const void *elem, const void *key);

// Forget everything; the elements are the caller's.
void ctl_set_done(struct ctl_set *set);

// The element of a key, or NULL.
void *ctl_set_find(
	const struct ctl_set *set, uint32_t hash, ctl_set_same_fn *same, const void *key);

// Add an element that isn't there. Returns 0 or -ENOMEM.
int ctl_set_add(struct ctl_set *set, void *elem, uint32_t hash);

// Take it out, whatever became of its key meanwhile; hash as when it was added. One that isn't
// there is no error.
void ctl_set_del(struct ctl_set *set, const void *elem, uint32_t hash);
