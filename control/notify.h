// SPDX-License-Identifier: BSD-3-Clause
// What systemd is told; without systemd nothing happens.
#pragma once

struct ctl;

// The dataplane is connected: READY=1, and a status line.
void ctl_notify_ready(struct ctl *ctl);
void ctl_notify_stopping(void);
