// SPDX-License-Identifier: BSD-3-Clause
// The operator's socket: JSON requests of vispctl, one a line, one answer each. Who may connect is
// what the socket's owner and mode say. Everything here runs in the event loop.
#pragma once

struct ctl;

// Make the socket, while the process may. Returns 0 or a negative errno after logging why.
int ctl_mgmt_open(struct ctl *ctl);

// Listen. Returns 0 or a negative errno.
int ctl_mgmt_start(struct ctl *ctl);

// Close everything and remove the socket's file.
void ctl_mgmt_stop(struct ctl *ctl);
