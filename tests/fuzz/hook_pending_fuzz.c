// SPDX-License-Identifier: BSD-3-Clause
// auth_pending_file, which a program of the operator writes.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/hook_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_hook_message m = { 0 };
	char *text = malloc(size + 1);
	size_t len = 0;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (ctl_hook_split_pending(text, &m) != (m.n_args == 3))
		abort();
	for (size_t i = 0; i < m.n_args; i++) {
		if (m.args[i] < text || m.args[i] > text + size || strchr(m.args[i], '\n') != NULL)
			abort();
		len += strlen(m.args[i]);
	}
	if (len > size)
		abort();
	free(text);
	return 0;
}
