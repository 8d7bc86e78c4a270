// SPDX-License-Identifier: BSD-3-Clause
// What the process may still do once its ports are open. Start-up and main.
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

// Has every thread give up its rights; must not be blocked in any.
#define DP_PRIVS_SIGNAL (SIGRTMAX - 3)

// Nothing of this process' memory reaches a core dump. Before anything secret is mapped.
void dp_privs_no_dumps(void);

// As many descriptors as root may have: a static-key tunnel takes one. Before rights are dropped.
void dp_privs_many_files(void);

// A child that stays root and removes files at the end, for a process that has become somebody
// else. Only made when drop-privileges is set.
struct dp_janitor {
	pid_t pid; // 0: none
	int fd; // paths go here, NUL-terminated
};

// Fork it: before EAL starts and before tables are mapped. Returns 0 or -errno.
int dp_janitor_start(struct dp_janitor *janitor);

// Have it remove a file, an empty folder, or a folder of EAL's with all in it (path ends in '/').
void dp_janitor_remove(struct dp_janitor *janitor, const char *path);

// Let it finish; waits for it.
void dp_janitor_stop(struct dp_janitor *janitor);

// Keep only the capabilities that are needed later (interfaces, neighbours, UDP ports below 1024),
// become `user` if that isn't NULL, and restrict system calls to a list, in all threads. Returns 0
// or -errno, after logging why.
int dp_privs_drop(const char *user);
