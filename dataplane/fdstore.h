// SPDX-License-Identifier: BSD-3-Clause
// What systemd does for us where it is: "ready", and a store of descriptors that outlives the
// process. Without systemd nothing happens. Start-up and main.
#pragma once

#include <stdbool.h>

// Say that the service is up, with a word about its state.
void dp_systemd_ready(const char *status);
void dp_systemd_stopping(void);

// Have the table's memfds kept for the next start.
void dp_fdstore_put(int sessions_fd, int keys_fd);

// What an earlier process had kept. The descriptors are the caller's to close.
bool dp_fdstore_get(int *ret_sessions_fd, int *ret_keys_fd);
