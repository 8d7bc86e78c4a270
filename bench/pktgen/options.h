// SPDX-License-Identifier: BSD-3-Clause
// The command line of visp-pktgen.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/pktgen/load.h"
#include "bench/pktgen/trial.h"

struct pg_options {
	const char *socket; // of the dataplane; NULL: it runs in this process
	const char *telemetry; // its telemetry socket; NULL: where it usually is
	bool forwarder; // instead of a dataplane
	const char *outer; // devargs of the port towards the dataplane's outer one
	const char *inner;
	const char *json;
	const char *pcap;
	uint32_t pcap_frames;
	uint32_t sessions;
	uint32_t flows;
	int cpu; // -1: where the scheduler has us
	unsigned memory_mb;
	enum ovpn_cipher cipher;
	bool mobility;
	bool search;
	double search_loss;
	struct pg_load_options load;
	struct pg_trial trial;
};

// Read the command line. Returns 0; or the exit status to end with, plus one, after saying why.
int pg_options_read(struct pg_options *o, int argc, char **argv);
