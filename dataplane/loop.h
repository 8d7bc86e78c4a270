// SPDX-License-Identifier: BSD-3-Clause
// The main core's event loop: epoll with one callback a descriptor. Everything runs in main.
#pragma once

#include <stdint.h>

// One descriptor that main waits for. The owner keeps it alive while it is added.
struct dp_watch {
	int fd;
	void (*ready)(void *arg, uint32_t events); // EPOLLIN and so on
	void *arg;
};

struct dp_loop {
	int epoll_fd;
};

// Make the epoll descriptor. Returns 0 or -errno.
int dp_loop_init(struct dp_loop *loop);
void dp_loop_done(struct dp_loop *loop);

// Wait for events of a descriptor from now on. Returns 0 or -errno.
int dp_loop_add(struct dp_loop *loop, struct dp_watch *watch, uint32_t events);

// No longer. A descriptor that isn't added is fine.
void dp_loop_del(struct dp_loop *loop, struct dp_watch *watch);

// Wait up to timeout_ns nanoseconds for one event and call its function: one, because that
// function may remove any other watch. Returns the number of events handled (0 or 1) or -errno.
int dp_loop_wait(struct dp_loop *loop, uint64_t timeout_ns);
