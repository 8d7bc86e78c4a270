// SPDX-License-Identifier: BSD-3-Clause
// Reads the answer to `status`, which may hold a million sessions, without ever holding it:
// {"totals": {...}, "sessions": [{...}, ...]}, one value after the other. Not a JSON parser: it
// finds where values end; who gets them parses them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VISPCTL_VALUE_MAX 65536u // bytes of totals, or of one session

// A whole object: totals, or one session. Returns 0, or negative to end the reading with it.
typedef int vispctl_value_fn(void *arg, bool totals, const char *text, size_t len);

struct vispctl_list {
	vispctl_value_fn *fn;
	void *arg;
	char value[VISPCTL_VALUE_MAX]; // the object under way
	size_t len;
	char outer[1024]; // what is around the objects; each of them is left out as {}
	size_t outer_len;
	unsigned depth; // of open objects and arrays
	bool in_array; // the one of the outermost object
	bool in_string, escaped;
	bool done; // the outermost object has ended
};

void vispctl_list_init(struct vispctl_list *l, vispctl_value_fn *fn, void *arg);

// The next bytes. Returns 0, -EPROTO for what can't be such an answer, -EMSGSIZE for a value that
// is too long, or what fn returned. After the end of the answer further bytes are ignored.
int vispctl_list_feed(struct vispctl_list *l, const char *bytes, size_t len);
