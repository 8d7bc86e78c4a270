// SPDX-License-Identifier: BSD-3-Clause
// A dataplane inside the measuring process: table, workers, two net_ring ports, and the rings with
// control, whose part is played here. One thread runs everything in turn, so that cycles of
// several workers add up and nothing else is measured.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "bench/fleet.h"
#include "dataplane/dp.h"

#define PG_HOST_WORKERS 2u
#define PG_HOST_FRAMES 8192u // that a port's ring holds

struct pg_host_options {
	uint32_t sessions; // slots
	uint16_t workers; // up to PG_HOST_WORKERS
	bool mobility;
};

struct pg_host;

// Start EAL for one thread on this CPU: in huge pages if asked for and free, else in ordinary
// memory. Once a process. Returns 0 or -errno, after telling stderr why.
int pg_eal_start(unsigned memory_mb, bool huge);

// Make a dataplane. Returns NULL with errno.
struct pg_host *pg_host_create(const struct pg_host_options *options);
struct pg_host *pg_host_free(struct pg_host *h);

struct dp_core *pg_host_core(struct pg_host *h);
struct dp_worker *pg_host_worker(struct pg_host *h, unsigned i);
struct rte_mempool *pg_host_pool(struct pg_host *h);

// Frames that a worker will receive, and frames that it sent. outer: of the outer port.
struct rte_ring *pg_host_to(struct pg_host *h, bool outer, unsigned worker);
struct rte_ring *pg_host_from(struct pg_host *h, bool outer, unsigned worker);
// DPDK's number of a port.
uint16_t pg_host_port(struct pg_host *h, bool outer);

// A DPDK port at the far end of a port's rings: what it sends, the workers receive. One queue a
// worker. Returns its number or -errno.
int pg_host_far_end(struct pg_host *h, bool outer);

// What main and control do between iterations: session ids, grace periods, events taken. Returns
// acknowledgements with a status that isn't 0.
unsigned pg_host_turn(struct pg_host *h);

// Put a command into a worker's ring. Returns 0 or -ENOSPC.
int pg_host_command(struct pg_host *h, unsigned worker, const struct shm_cmd *cmd);

// Install clients first .. first + n - 1 of a fleet at worker 0, running iterations until all are
// acknowledged. Returns 0, or -EIO when some were refused.
int pg_host_install(struct pg_host *h, const struct pg_fleet *f, uint32_t first, uint32_t n);

// Let a second pass for a worker's clock: limits of moves are full again.
void pg_host_pass_ms(struct pg_host *h, uint64_t ms);

// A worker's counter and drops.
uint64_t pg_host_count(struct pg_host *h, unsigned worker, enum dp_count what);
uint64_t pg_host_drops(struct pg_host *h, enum dp_drop why); // of all workers
void pg_host_print_drops(struct pg_host *h);

// Expanded key of a client, client to server, as the dataplane has it.
const uint8_t *pg_host_cell(struct pg_host *h, uint32_t slot, bool up);
