// SPDX-License-Identifier: BSD-3-Clause
#include "client/privs.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

int vc_privs_drop(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno; // keys belong in no core file
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
		    CAP_NET_ADMIN, -1) < 0)
		return -EPERM;
	// The bounding set needs CAP_SETPCAP, which root in a container may lack.
	if (capng_apply(CAPNG_SELECT_BOTH) < 0 && capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
}
