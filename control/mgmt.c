// SPDX-License-Identifier: BSD-3-Clause
#include "control/mgmt.h"

#include "control/ctl.h"

int ctl_mgmt_open(struct ctl *ctl)
{
	(void)ctl;
	return 0;
}

int ctl_mgmt_start(struct ctl *ctl)
{
	(void)ctl;
	return 0;
}

void ctl_mgmt_stop(struct ctl *ctl)
{
	(void)ctl;
}
