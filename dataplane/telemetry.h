// SPDX-License-Identifier: BSD-3-Clause
// Commands under /visp/ of rte_telemetry. They run in a thread of EAL's and only read.
#pragma once

struct dp_main;

// Register the commands; m must live as long as EAL. Returns 0 or -errno.
int dp_telemetry_register(const struct dp_main *m);

// From now on every command answers with an error: what they read is about to go.
void dp_telemetry_stop(void);
