// SPDX-License-Identifier: BSD-3-Clause
// What the process gives up once everything is read: capabilities, and system calls.
#pragma once

// Keep CAP_NET_ADMIN alone (devices, routes, marks), without a way back.
// Returns 0 or -errno.
int vc_privs_drop(void);
