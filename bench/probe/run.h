// SPDX-License-Identifier: BSD-3-Clause
// The end of visp-probe that travels.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct pg_run_options {
	struct sockaddr_in server; // visp-probe serve, in the tunnel
	struct sockaddr_in outer; // the VPN server's UDP address; family 0 = don't watch
	const char *iface; // outer interface to watch
	const char *device; // bind traffic to this tunnel device; NULL = as the routes say
	const char *json; // file for the figures; NULL = none
	unsigned up_rate; // uplink probes per second, 0 = none
	unsigned down_rate;
	bool tcp; // a TCP stream each way beside the probes
	uint64_t tcp_rate; // bytes per second each way, 0 = as fast as TCP goes
};

// Send and receive until "end" is read from standard input. Returns 0; -errno when the server
// isn't there or the report can't be had.
int pg_run(const struct pg_run_options *opt);

// Send and receive fixed amounts over TCP, one after the other, and print a line for each.
// Returns 0 when all arrived intact, else -errno.
int pg_transfer(const struct pg_run_options *opt, uint64_t up_bytes, uint64_t down_bytes);

// Connect a stream to the server and say what it is for. Returns the socket, or -errno.
int pg_connect(const struct pg_run_options *opt, uint32_t kind, uint32_t token, uint64_t bytes);
