// SPDX-License-Identifier: BSD-3-Clause
// What a running dataplane says of its workers' time, over DPDK's telemetry socket.
#pragma once

#include <stdint.h>

#include "dataplane/drop.h"

// Of one worker since it started.
struct pg_work {
	uint64_t cycles; // TSC cycles of turns that found work
	uint64_t packets; // frames received on both ports
	uint64_t turns; // of the loop
	uint64_t busy_turns; // of them found work
};

// Connect to the telemetry of the dataplane that listens on `socket`, or to `path` where that isn't
// NULL. Returns a descriptor or -errno.
int pg_telemetry_open(const char *socket, const char *path);

// Read the work of up to max workers. Returns how many there are, or -errno. Blocks for two seconds
// at most.
int pg_telemetry_work(int fd, struct pg_work *work, unsigned max);

// Read how many packets all workers dropped for each reason. Returns 0 or -errno; blocks as above.
int pg_telemetry_drops(int fd, uint64_t ret_drops[DP_DROP_COUNT]);
