// SPDX-License-Identifier: BSD-3-Clause
// EAL's arguments, made from the configuration and the machine: the user names cores and ports and
// nothing else. Start-up.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/dataplane.h"
#include "dataplane/device.h"

#define DP_EAL_ARGS 48
#define DP_EAL_TEXT 2048
#define DP_EAL_PREFIX 32

struct dp_eal {
	bool huge; // packet buffers in huge pages
	bool huge_table; // the session table too
	uint16_t workers; // number of workers
	uint16_t lcore[CFG_WORKERS_MAX]; // EAL's number of each
	char prefix[DP_EAL_PREFIX]; // --file-prefix
	int argc;
	char *argv[DP_EAL_ARGS + 1];
	char text[DP_EAL_TEXT]; // the arguments themselves
	size_t text_len;
	char run_folder[256]; // EAL's files; emptied by dp_eal_cleanup()
};

// EAL's --file-prefix of the dataplane that listens on this socket. The same name for the same
// socket, so that a restart finds and replaces the files of a process that was killed; the lock on
// dataplane.state keeps two processes apart. Any thread.
void dp_eal_prefix(const char *socket_path, char prefix[DP_EAL_PREFIX]);

// Decide. pool_bytes: what packet buffers will take. extra: arguments behind "--". Returns 0;
// -ENOMEM when huge pages are demanded and not there, -E2BIG; logs why.
int dp_eal_plan(struct dp_eal *eal, const struct cfg_dataplane *cfg, const struct dp_device *device,
	unsigned devices, size_t pool_bytes, int extra_argc, char **extra_argv);

// Start EAL. Returns 0 or -errno, after logging why.
int dp_eal_start(struct dp_eal *eal);

// Stop it and remove what it leaves behind.
void dp_eal_cleanup(struct dp_eal *eal);

// Remove what an EAL of that name left; the folder may be gone. For a process that may.
void dp_eal_remove_files(const char *run_folder);
