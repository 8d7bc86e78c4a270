// SPDX-License-Identifier: BSD-3-Clause
#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define LIMIT_LINES 10u
#define LIMIT_WINDOW_MS 10000u

static int log_fd = STDERR_FILENO;
static unsigned log_verb = 1;
static bool log_stamps = true;
static bool log_journal; // stderr leads to the journal: it wants the level in front of the line

int ctl_log_open(const char *path, bool append, unsigned verb, bool timestamps)
{
	int fd;

	log_verb = verb;
	log_stamps = timestamps;
	log_journal = path == NULL && getenv("JOURNAL_STREAM") != NULL;
	if (path == NULL)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0640);
	if (fd < 0)
		return -errno;
	log_fd = fd;
	return 0;
}

void ctl_log_close(void)
{
	if (log_fd != STDERR_FILENO)
		(void)close(log_fd); // nothing is left to be said about a failure
	log_fd = STDERR_FILENO;
}

bool ctl_log_on(enum ctl_level level)
{
	switch (level) {
	case CTL_ERROR: return true;
	case CTL_WARN:
	case CTL_INFO: return log_verb >= 1;
	case CTL_DEBUG: return log_verb >= 4;
	}
	return false;
}

static size_t put_head(char *line, size_t size, enum ctl_level level)
{
	static const char *const names[] = { "error: ", "warning: ", "", "" };
	static const int priority[] = { 3, 4, 6, 7 };
	struct timespec ts;
	struct tm tm;
	char stamp[32] = "";

	if (log_journal)
		return (size_t)snprintf(line, size, "<%d>%s", priority[level], names[level]);
	if (log_stamps && clock_gettime(CLOCK_REALTIME, &ts) == 0 &&
		localtime_r(&ts.tv_sec, &tm) != NULL) {
		size_t n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);

		(void)snprintf(
			stamp + n, sizeof(stamp) - n, ".%03u ", (unsigned)(ts.tv_nsec / 1000000));
	}
	return (size_t)snprintf(line, size, "%s%s", stamp, names[level]);
}

void ctl_vlog(enum ctl_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t len;
	int n;

	if (!ctl_log_on(level))
		return;
	len = put_head(line, sizeof(line) - 1, level);
	n = vsnprintf(line + len, sizeof(line) - 1 - len, fmt, ap);
	if (n < 0)
		return;
	len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	// One write, so that lines of several threads don't mix. A log that can't be written must
	// not stop the server.
	if (write(log_fd, line, len) < 0)
		return;
}

void ctl_log(enum ctl_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ctl_vlog(level, fmt, ap);
	va_end(ap);
}

bool ctl_limit_pass(struct ctl_limit *limit, uint64_t now_ms, uint32_t *ret_suppressed)
{
	if (limit->window_ms == 0 || now_ms - limit->window_ms >= LIMIT_WINDOW_MS) {
		limit->window_ms = now_ms;
		limit->used = 0;
	}
	if (limit->used >= LIMIT_LINES) {
		limit->suppressed++;
		return false;
	}
	limit->used++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}

const char *ctl_log_word(const char *text, char *ret_text, unsigned size)
{
	unsigned n = 0;

	for (; text[n] != '\0' && n + 1 < size; n++) {
		char c = text[n];

		ret_text[n] = c > ' ' && c < 0x7f && c != '"' && c != '=' ? c : '_';
	}
	ret_text[n] = '\0';
	return ret_text;
}
