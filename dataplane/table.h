// SPDX-License-Identifier: BSD-3-Clause
// Where the session table comes from: made anew, or taken over from an earlier dataplane with the
// help of dataplane.state (D7, D8, D25). Main and start-up.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/dataplane.h"
#include "dataplane/iface.h"
#include "shm/table.h"

#define DP_STATE_PATH_MAX 256

// Content of dataplane.state, root-only, beside the socket.
struct dp_state {
	struct shm_record record;
	struct dp_iface_saved offloads[2]; // of the ports; a killed process couldn't put them back
	uint32_t made_folder; // 1: the folder didn't exist before, so it goes at the end
	uint32_t reserved;
};

// The open and locked state file. One process has it at a time.
struct dp_state_file {
	int fd;
	char path[DP_STATE_PATH_MAX];
	bool made_folder; // this process or the earlier one made the folder
	bool found; // `old` was left by an earlier dataplane
	struct dp_state old;
};

// Open and lock the state file beside the socket, making its folder if needed. Waits up to 2 s for
// a dataplane that is ending. Returns 0, -EBUSY when one lives, or another error; logs why.
int dp_state_open(const char *socket_path, struct dp_state_file *ret_state);

// Write down what this process would leave behind.
int dp_state_write(struct dp_state_file *state, const struct dp_state *content);

// Close it, and remove it unless the table is to be found by the next dataplane.
void dp_state_close(struct dp_state_file *state, bool keep);

// Does the record speak of a table that this program could take over, and is the control process
// that holds it still there?
bool dp_table_expect_adoption(const struct dp_state_file *state);

// Make a new table, as the configuration says, and touch all of its memory. Logs what pages it is
// made of. Returns 0 or -errno, after logging why.
int dp_table_make(const struct cfg_dataplane *cfg, bool huge, struct shm_table *ret_table);

// Take over the table whose descriptors somebody kept. Returns 0 or -errno, after one log line.
int dp_table_take(const struct dp_state_file *state, int sessions_fd, int keys_fd,
	struct shm_table *ret_table);
