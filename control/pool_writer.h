// SPDX-License-Identifier: BSD-3-Clause
// Writes the file of ifconfig-pool-persist in a thread of its own, so that a slow disk delays no
// handshake. One file at a time; all functions are the event loop's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

// Zero is one that is idle.
struct ctl_pool_writer {
	bool busy; // the thread was started and not joined
	uv_thread_t thread;
	// While busy the thread's; `ended` is under lock.
	const char *path;
	char *text;
	size_t len;
	int rc;
	bool ended;
	uv_mutex_t lock;
};

// Write a text to path as ctl_pool_store() does. The text comes from malloc and goes with this,
// also when it fails; path must stay until ctl_pool_writer_end() has said that it's over. Returns
// 0, -EBUSY while the one before is at work, or the error of making a thread.
int ctl_pool_writer_begin(struct ctl_pool_writer *w, const char *path, char *text, size_t len);

// Is a writing over? wait: stay until it is. Returns true, once for each ctl_pool_writer_begin()
// that returned 0, with what became of it in *ret_rc (0 or a negative errno).
bool ctl_pool_writer_end(struct ctl_pool_writer *w, bool wait, int *ret_rc);
