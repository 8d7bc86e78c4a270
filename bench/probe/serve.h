// SPDX-License-Identifier: BSD-3-Clause
// The end of visp-probe that waits behind the tunnel.
#pragma once

#include <netinet/in.h>

// Serve probes and streams on an address (UDP and TCP, the same port) until SIGTERM.
// Returns 0, or -errno when a socket can't be made.
int pg_serve(const struct sockaddr_in *local);
