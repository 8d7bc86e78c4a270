// SPDX-License-Identifier: BSD-3-Clause
#include "client/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	unsigned verb;
	bool stamps;
	int fd;
} vc_logger = { .verb = 1, .stamps = false, .fd = STDERR_FILENO };

int vc_log_init(const struct vc_log_options *options)
{
	vc_logger.verb = options->verb;
	vc_logger.stamps = options->stamps;
	if (options->path != NULL) {
		int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (options->append ? O_APPEND : O_TRUNC);
		int fd = open(options->path, flags, 0600);

		if (fd < 0)
			return -errno;
		vc_logger.fd = fd;
	}
	return 0;
}

bool vc_log_on(enum vc_level level)
{
	return (unsigned)level <= vc_logger.verb;
}

void vc_log(enum vc_level level, const char *fmt, ...)
{
	char line[1200];
	size_t n = 0;
	va_list ap;
	int len;

	if (!vc_log_on(level))
		return;
	if (vc_logger.stamps) {
		struct timespec now;
		struct tm tm;

		clock_gettime(CLOCK_REALTIME, &now);
		if (localtime_r(&now.tv_sec, &tm) != NULL)
			n = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S ", &tm);
	}
	n += (size_t)snprintf(line + n, sizeof(line) - n, "visp-client: ");
	va_start(ap, fmt);
	len = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	n += (size_t)len;
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2; // a line that is too long is cut
	line[n++] = '\n';
	(void)!write(vc_logger.fd, line, n); // nobody is left to be told when this fails
}
