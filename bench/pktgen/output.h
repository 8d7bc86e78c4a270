// SPDX-License-Identifier: BSD-3-Clause
// What the generator says of a trial, to people, programs and other generators.
#pragma once

#include <stdint.h>

#include "bench/pktgen/load.h"
#include "bench/pktgen/trial.h"

// About the whole run, beside the trial's result.
struct pg_about {
	uint32_t sessions;
	uint16_t size; // 0: mix
	double install_per_second; // 0: not measured
	double search_loss; // of a search; < 0: no search
};

void pg_result_print(const struct pg_result *r, const struct pg_about *about);

// Write a JSON file. Returns 0 or -errno.
int pg_result_json(const struct pg_result *r, const struct pg_about *about, const char *path);

// Write n frames of the load to a capture, for Pktgen-DPDK, TRex or tcpreplay. Ids of each client
// rise from 1, so a capture is good for one play to a dataplane with fresh sessions. Returns 0 or
// -errno.
int pg_write_pcap(struct pg_load *l, uint32_t n, const char *path);
