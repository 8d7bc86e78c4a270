// SPDX-License-Identifier: BSD-3-Clause
// Requests of vispctl.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_request r;
	const char *error;
	int rc = ctl_request_parse((const char *)data, size, &r, &error);

	if ((rc == 0) != (error == NULL))
		abort();
	if (rc == 0 && memchr(r.peer, '\0', sizeof(r.peer)) == NULL)
		abort();
	return 0;
}
