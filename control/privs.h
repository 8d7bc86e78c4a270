// SPDX-License-Identifier: BSD-3-Clause
// Rights: none after the start. Source: design.md section 1.
#pragma once

struct cfg_server;

// Become `user` and `group` (default nobody) for good, without any capability; a process that isn't
// root stays who it is. Returns 0 or a negative errno after logging why.
int ctl_privs_drop(const struct cfg_server *cfg);

// The same for a helper process, which runs programs of the operator: they may get rights of their
// own (sudo), so that the capability bounding set stays as it is.
int ctl_privs_become(const struct cfg_server *cfg);

// Leave only the system calls that the event loop and the TLS threads need: no network sockets, no
// other programs, no ptrace. Returns 0 or a negative errno after logging why.
int ctl_privs_confine(void);
