// SPDX-License-Identifier: BSD-3-Clause
// What happened and when, as JSON lines for programs (--events FILE): tests, the demo and status
// displays count handshakes, Pings and answers with it.
//
//   {"t_us": 81234567, "event": "path_change", "ifindex": 3, ...}
//
// t_us is CLOCK_MONOTONIC in microseconds. Events: start, resolved, connecting, handshake, push,
// up, path_change, path_lost, probe, evidence, switch, rekey, silence, resume, restart, exit.
#pragma once

#include <stdint.h>

// Monotonic time in microseconds and milliseconds.
uint64_t vc_now_us(void);
uint64_t vc_now_ms(void);

// Open the file ("-" is stdout). Returns 0 or -errno.
int vc_event_open(const char *path);

// Append one event. fields: NULL, or a printf format of further JSON members without braces; texts
// in it are the caller's to keep free of quotes. Does nothing when no file is open.
void vc_event(const char *name, const char *fields, ...) __attribute__((format(printf, 2, 3)));
