// SPDX-License-Identifier: BSD-3-Clause
#include "client/notify.h"

#include <systemd/sd-daemon.h>

void vc_notify(const char *state)
{
	(void)sd_notify(0, state); // who doesn't listen isn't told
}
