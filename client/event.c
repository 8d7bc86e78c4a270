// SPDX-License-Identifier: BSD-3-Clause
#include "client/event.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int vc_event_fd = -1;

uint64_t vc_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t vc_now_ms(void)
{
	return vc_now_us() / 1000u;
}

int vc_event_open(const char *path)
{
	if (strcmp(path, "-") == 0) {
		vc_event_fd = STDOUT_FILENO;
		return 0;
	}
	vc_event_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	return vc_event_fd < 0 ? -errno : 0;
}

void vc_event(const char *name, const char *fields, ...)
{
	char line[1024];
	size_t n;

	if (vc_event_fd < 0)
		return;
	n = (size_t)snprintf(
		line, sizeof(line), "{\"t_us\": %" PRIu64 ", \"event\": \"%s\"", vc_now_us(), name);
	if (fields != NULL) {
		va_list ap;
		int len;

		n += (size_t)snprintf(line + n, sizeof(line) - n, ", ");
		va_start(ap, fields);
		len = vsnprintf(line + n, sizeof(line) - n - 3, fields, ap);
		va_end(ap);
		if (len < 0 || (size_t)len >= sizeof(line) - n - 3)
			return; // half a line would break the reader
		n += (size_t)len;
	}
	line[n++] = '}';
	line[n++] = '\n';
	(void)!write(vc_event_fd, line, n); // one write a line: readers see whole lines only
}
