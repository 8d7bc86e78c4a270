// SPDX-License-Identifier: BSD-3-Clause
// One trial: offer a load at a rate for a time, wait for what is under way, and count.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "bench/pktgen/control.h"
#include "bench/pktgen/hdr.h"
#include "bench/pktgen/load.h"
#include "bench/pktgen/watch.h"

struct pg_host;

// Both ports, and whoever works behind them.
struct pg_ends {
	uint16_t outer; // DPDK ports
	uint16_t inner;
	struct rte_mempool *pool;
	struct pg_host *host; // the dataplane is in this process, and this thread runs it
	struct pg_control *control; // it is another process
	int telemetry_fd; // of that process, -1: it doesn't say what its packets cost
	bool forwarder; // no dataplane: frames come out as they went in
};

struct pg_way {
	uint64_t sent;
	uint64_t received;
	uint64_t refused; // the port was full: not sent
	uint64_t reordered; // came behind a later packet of the same session
	uint64_t bytes; // of inner packets received
	uint64_t to_old; // arrived at an address that its client had left
};

struct pg_result {
	double seconds; // of sending
	double offered; // packets a second that were wanted, 0: as many as go
	struct pg_way up;
	struct pg_way down;
	uint64_t bad; // sampled downlink packets that did not decrypt
	uint64_t hostile;
	uint64_t moves;
	uint64_t held; // moves whose Ping had to wait, as the port was full
	uint64_t answered; // moves whose first authentic packet came
	uint32_t restarts; // of the dataplane
	double silence_ms; // longest time from a packet to the next one
	uint32_t after; // sessions of which a packet came since the last restart
	uint64_t repeated; // downlink packets with an id that was used before
	struct pg_seen seen; // of the machine and of the workers
	struct pg_hdr latency; // ns
	struct pg_hdr outage; // ns, from a move to the first authentic packet there
};

struct pg_trial {
	double pps; // good packets a second, both ways together; 0: as many as the ports take
	double seconds;
	double moves_per_second;
	bool restarts; // the dataplane may be replaced meanwhile
	bool progress; // show it on a terminal
};

// Let the dataplane learn who is behind the inner port, by a packet from there. Returns 0 or
// -ETIMEDOUT when nothing came back.
int pg_trial_warm_up(struct pg_ends *e, struct pg_load *l);

int pg_trial_run(struct pg_ends *e, struct pg_load *l, const struct pg_trial *t,
	struct pg_result *ret_result);

// The share of sent packets that did not arrive; refused ones count as lost.
double pg_result_loss(const struct pg_result *r);

// The highest rate at which no more than `loss` is lost, to one in a hundred (RFC 2544 section
// 26.1, with shorter trials). Returns 0 and the last good trial.
int pg_trial_search(struct pg_ends *e, struct pg_load *l, const struct pg_trial *t, double loss,
	struct pg_result *ret_result);
