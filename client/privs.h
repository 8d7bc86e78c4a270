// SPDX-License-Identifier: BSD-3-Clause
// What the process gives up once everything is read: capabilities, and system calls.
#pragma once

// Keep CAP_NET_ADMIN alone (devices, routes, marks) and the system calls that are needed, without a
// way back. Before any thread is started: threads inherit it.
// Returns 0 or -errno.
int vc_privs_drop(void);
