// SPDX-License-Identifier: BSD-3-Clause
// TCP streams of a known pattern, checked byte by byte, with their longest stall.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One direction of one TCP connection; zeroed, then pg_stream_init().
struct pg_stream {
	int fd;
	bool sending;
	uint64_t limit; // bytes after which a sender stops; 0 = none
	uint64_t bytes;
	uint64_t last_ns; // when data last arrived, or the stream began
	uint64_t gap_ns; // longest time without data so far
	bool bad; // a byte differed from the pattern
	bool ended; // the peer closed, or the sender is done
};

// Monotonic clock in nanoseconds.
uint64_t pg_now_ns(void);

// Take over a connected socket: non-blocking, cubic where the kernel lets us (so that figures can
// be compared between machines), paced to `rate` bytes per second if that isn't 0.
void pg_stream_init(struct pg_stream *s, int fd, bool sending, uint64_t limit, uint64_t rate);

// Send or receive what goes without blocking. Returns 0, or -errno when the connection broke.
int pg_stream_step(struct pg_stream *s);

// Longest stall in nanoseconds, the one that may be going on now included.
uint64_t pg_stream_gap_ns(const struct pg_stream *s);

// Read or write exactly len bytes on a blocking socket with its own time-outs. 0 or -errno;
// -ECONNRESET when the peer closed early.
int pg_read_all(int fd, void *buf, size_t len);
int pg_write_all(int fd, const void *buf, size_t len);
