// SPDX-License-Identifier: BSD-3-Clause
// What visp-probe's two ends say to each other. Both run on one machine and are built together,
// so fields are in host byte order.
#pragma once

#include <assert.h>
#include <stdint.h>

#define PG_PROBE_MAGIC 0x56505231u // "VPR1"
#define PG_PROBE_MAX 65536 // sequence numbers remembered for each direction

enum pg_probe_kind {
	PG_PROBE_HELLO = 1, // towards the server: start a session; rate is what comes back
	PG_PROBE_UP = 2,
	PG_PROBE_DOWN = 3,
	PG_PROBE_BYE = 4, // stop sending to me
};

// One UDP probe.
struct pg_probe {
	uint32_t magic; // PG_PROBE_MAGIC
	uint16_t kind; // enum pg_probe_kind
	uint16_t rate; // hello: downlink probes per second, 0 = none
	uint32_t token; // names the session, drawn by the client
	uint32_t seq; // counts from 0 for each direction
	uint64_t sent_ns; // monotonic clock of the sender
	uint64_t seen_ns; // down: when the newest uplink probe arrived at the server, 0 = never
};
static_assert(sizeof(struct pg_probe) == 32, "no padding on the wire");

// The first bytes of each TCP connection, from the client.
enum pg_stream_kind {
	PG_STREAM_UP =
		'U', // client sends the pattern, server checks it and answers a pg_stream_end
	PG_STREAM_DOWN = 'D', // server sends the pattern, `bytes` of it or until the client closes
	PG_STREAM_REPORT = 'R', // server answers a pg_report for the session `token`
};

struct pg_stream_open {
	uint32_t magic; // PG_PROBE_MAGIC
	uint32_t kind; // enum pg_stream_kind
	uint32_t token;
	uint32_t pad;
	uint64_t bytes; // 0 = no end
	uint64_t rate; // bytes per second the sender paces itself to, 0 = as fast as TCP goes
};
static_assert(sizeof(struct pg_stream_open) == 32, "no padding on the wire");

// How an upload went, as its receiver saw it; sent when the client has shut its side.
struct pg_stream_end {
	uint64_t bytes;
	uint64_t gap_ns; // longest time without data
	uint64_t bad; // 1 if any byte differed from the pattern
};

// Followed by up_count bytes (1 = that uplink probe arrived) and down_count times in
// nanoseconds (when that downlink probe was sent).
struct pg_report {
	uint32_t up_count; // highest uplink sequence number seen + 1
	uint32_t down_count;
	uint64_t up_bytes; // of the session's unfinished and finished uploads
	uint64_t up_gap_ns;
	uint64_t up_bad;
};
