// SPDX-License-Identifier: BSD-3-Clause
#include "control/notify.h"

#include <systemd/sd-daemon.h>

#include "control/ctl.h"

// Failures only mean that nobody listens.
void ctl_notify_ready(struct ctl *ctl)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%u sessions", ctl->table.live);
}

void ctl_notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}
