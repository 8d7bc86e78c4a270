// SPDX-License-Identifier: BSD-3-Clause
// Eventfds and the flags that say whether writing them is worth a system call (D13).
// dp_main_wake() is declared in dp.h, as workers call it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dp_core;

// Whether control sleeps is for itself to say: a thread that doesn't go to sleep itself wakes it
// once in so many microseconds at most.
#define DP_CONTROL_WAKE_US 50u

// A new eventfd, non-blocking and close-on-exec, or -errno.
int dp_wake_open(void);

// Write an eventfd; it never blocks, and a counter that is full wakes as well.
void dp_wake_fd(int fd);

// Empty an eventfd.
void dp_wake_drain(int fd);

// Main is about to sleep: raise the flag, then look whether a worker asked for attention before it
// could see that. Returns true when main must not sleep.
bool dp_wake_main_begin(struct dp_core *core);
void dp_wake_main_end(struct dp_core *core);
