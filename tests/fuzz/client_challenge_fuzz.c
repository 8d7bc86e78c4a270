// SPDX-License-Identifier: BSD-3-Clause
// Challenges of a server to the client.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/creds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vc_challenge c;

	if (vc_challenge_parse((const char *)data, size, &c) == 0 &&
		strlen(c.state) + strlen(c.question) > size)
		abort();
	return 0;
}
