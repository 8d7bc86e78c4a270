// SPDX-License-Identifier: BSD-3-Clause
// A histogram of times with a constant relative error of 1/64 over the whole range, so that any
// percentile can be read afterwards (as HDR histograms do).
#pragma once

#include <stdint.h>

#define PG_HDR_SUB 64u // buckets for each power of two
#define PG_HDR_BUCKETS (PG_HDR_SUB * 36u) // up to 2^36 ns and more: over a minute

struct pg_hdr {
	uint64_t n;
	uint64_t max_ns;
	uint64_t bucket[PG_HDR_BUCKETS];
};

void pg_hdr_clear(struct pg_hdr *h);
void pg_hdr_add(struct pg_hdr *h, uint64_t ns);

// Upper end of the bucket that holds this share of all values, 0 to 1; 0 when there are none.
uint64_t pg_hdr_at(const struct pg_hdr *h, double share);
