// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static unsigned max_level = DP_LOG_NOTICE;

void dp_log_set_level(unsigned level)
{
	max_level = level;
}

void dp_log(enum dp_log_level level, const char *fmt, ...)
{
	static const char prefix[] = "visp-dataplane: ";
	char line[1024];
	size_t at = sizeof(prefix) - 1;
	va_list ap;
	int n;

	if ((unsigned)level > max_level)
		return;
	__builtin_memcpy(line, prefix, at);
	va_start(ap, fmt);
	n = vsnprintf(line + at, sizeof(line) - at - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	at += (size_t)n < sizeof(line) - at - 1 ? (size_t)n : sizeof(line) - at - 2;
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0)
		return; // there is no better place to say so
}
