// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/hdr.h"

#include <string.h>

#define SUB_BITS 6u // of PG_HDR_SUB

void pg_hdr_clear(struct pg_hdr *h)
{
	memset(h, 0, sizeof(*h));
}

// Below 64 each value has a bucket; above, the six bits behind the highest one choose it.
static unsigned bucket_of(uint64_t ns)
{
	unsigned shift, b;

	if (ns < PG_HDR_SUB)
		return (unsigned)ns;
	shift = 63 - (unsigned)__builtin_clzll(ns) - SUB_BITS;
	b = (shift + 1) * PG_HDR_SUB + (unsigned)(ns >> shift) - PG_HDR_SUB;
	return b < PG_HDR_BUCKETS ? b : PG_HDR_BUCKETS - 1;
}

static uint64_t upper_end(unsigned bucket)
{
	unsigned shift;

	if (bucket < PG_HDR_SUB)
		return bucket;
	shift = bucket / PG_HDR_SUB - 1;
	return ((uint64_t)(PG_HDR_SUB + bucket % PG_HDR_SUB + 1) << shift) - 1;
}

void pg_hdr_add(struct pg_hdr *h, uint64_t ns)
{
	h->bucket[bucket_of(ns)]++;
	h->n++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t pg_hdr_at(const struct pg_hdr *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->n + 0.999999);
	uint64_t seen = 0;

	if (h->n == 0)
		return 0;
	if (wanted == 0)
		wanted = 1;
	for (unsigned i = 0; i < PG_HDR_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= wanted)
			return upper_end(i) < h->max_ns ? upper_end(i) : h->max_ns;
	}
	return h->max_ns;
}
