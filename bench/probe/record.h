// SPDX-License-Identifier: BSD-3-Clause
// What visp-probe writes down of each handover, and the figures made of it.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "bench/probe/wire.h"

#define PG_HANDOVERS_MAX 512

// Times are monotonic nanoseconds, 0 = didn't happen.
struct pg_handover {
	char from[16], to[16]; // names of hotspots
	uint64_t left_ns; // the old path was given up
	uint64_t up_ns; // the new address was up
	uint64_t sent_ns; // our first datagram to the server after that
	uint64_t data_ns; // first data from the server outside the tunnel on the new path
	uint64_t inner_ns; // first packet out of the tunnel
	unsigned answers; // Pings of the server in the second after up_ns
	unsigned asks; // reconfiguration Pings of ours in that second
	unsigned lost_up, lost_down; // probes sent from left_ns to the next left_ns that never came
};

struct pg_record {
	unsigned handovers;
	struct pg_handover handover[PG_HANDOVERS_MAX];
	unsigned handshakes;
	uint32_t up_count; // uplink probes sent
	uint64_t up_sent_ns[PG_PROBE_MAX];
	uint8_t up_seen[PG_PROBE_MAX]; // by the server, from its report
	uint32_t down_count; // downlink probes sent by the server, from its report
	uint64_t down_sent_ns[PG_PROBE_MAX]; // from its report
	uint8_t down_seen[PG_PROBE_MAX];
	uint64_t tcp_up_bytes, tcp_down_bytes; // as received
	uint64_t tcp_stalled_ns; // longest time without data, either way
	int tcp_bad; // a stream broke, or a byte was wrong
};

// Count for each handover the probes that were lost, and give the totals of the whole run.
void pg_record_losses(struct pg_record *r, unsigned *ret_lost_up, unsigned *ret_lost_down);

// Write all as JSON (README.md, scripts/demo --json). Returns 0 or -errno.
int pg_record_json(struct pg_record *r, const char *path);

// One line for a person or a script: "handover N FROM TO OUTAGE_MS INNER_MS ANSWERS", "-" for
// what didn't happen.
void pg_record_line(const struct pg_record *r, unsigned n, FILE *out);
