// SPDX-License-Identifier: BSD-3-Clause
// The helper processes of visp-control: they run what may block, so that control never does.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cfg_server;

#define CTL_HOOK_JOBS 1024u // requests under way, most of them waiting for a deferred answer
#define CTL_HOOK_PROGRAMS 64u // programs at a time; further requests wait in the socket

// Fork a helper: for programs, with the user of `user`, or for PAM, which needs root's rights.
// Before threads are made and rights are dropped. The helper ends with this process.
// Returns 0 and our end of the socket, or a negative errno.
int ctl_hook_fork(const struct cfg_server *cfg, bool pam, int *ret_fd, pid_t *ret_pid);
