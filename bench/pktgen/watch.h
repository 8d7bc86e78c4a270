// SPDX-License-Identifier: BSD-3-Clause
// What is looked at beside a trial: how quiet the machine is meanwhile, and what the packets cost
// the workers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/host/telemetry.h"
#include "bench/sample.h"
#include "shm/layout.h"

struct pg_host;

// What was seen.
struct pg_seen {
	struct pg_work work[SHM_WORKERS_MAX]; // during the trial, by worker
	unsigned workers; // 0: nobody tells
	unsigned probes; // for noise, on the generator's CPU
	double probe_floor; // TSC cycles an addition, the least seen by this process
	double probe_median;
	double probe_p90;
	double paused_ms; // the generator didn't run: its turns above 0.2 ms
	bool drops_told; // else the next is nothing
	uint64_t drops[DP_DROP_COUNT]; // of the dataplane, during the trial
};

struct pg_watch {
	int telemetry_fd; // of a dataplane in another process, -1: none
	struct pg_host *host; // a dataplane in this process, NULL: none
	bool drops_told;
	uint64_t drops[DP_DROP_COUNT]; // before the trial
	uint64_t host_cycles; // that its turns with work took, added up by whoever runs them
	struct pg_samples probes;
	uint64_t next_tsc; // of the next probe
	uint64_t last_tsc; // of the turn before
	uint64_t paused; // TSC cycles
	struct pg_work before[SHM_WORKERS_MAX];
	int workers; // that told it, <= 0: none
};

// telemetry_fd, host: who works behind the ports; -1 and NULL for nobody who tells.
void pg_watch_begin(struct pg_watch *w, int telemetry_fd, struct pg_host *host);

// Once a turn of the generator. Probes if it is time to, a hundred times a second. Takes 6 µs then.
void pg_watch_turn(struct pg_watch *w, uint64_t tsc);

void pg_watch_end(struct pg_watch *w, struct pg_seen *ret_seen);
