// SPDX-License-Identifier: BSD-3-Clause
// The event log: one line an event, a short sentence and then key=value. Never a secret.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum ctl_level {
	CTL_ERROR = 0,
	CTL_WARN = 1,
	CTL_INFO = 2,
	CTL_DEBUG = 3,
};

// Where and how much. path NULL: stderr. verb is OpenVPN's: 0 errors only, 1 to 3 events, 4 and
// more debug lines. Returns 0, or the negative errno of the file that can't be opened.
int ctl_log_open(const char *path, bool append, unsigned verb, bool timestamps);
void ctl_log_close(void);

// Write one line (without a newline in fmt). Any thread.
void ctl_log(enum ctl_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ctl_vlog(enum ctl_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

// Would a line of this level be written?
bool ctl_log_on(enum ctl_level level);

// Keeps lines that strangers can cause from filling the disk: 10 in 10 s, then a count.
struct ctl_limit {
	uint64_t window_ms; // when the window began, monotonic
	uint32_t used;
	uint32_t suppressed;
};

// May a line be written now? *ret_suppressed: lines left out since the last one that was written.
bool ctl_limit_pass(struct ctl_limit *limit, uint64_t now_ms, uint32_t *ret_suppressed);

// Escape what a client chose for a value of key=value: printable ASCII without blanks, '"' and '='
// stays, everything else becomes '_'. ret_text has size bytes. Returns ret_text.
const char *ctl_log_word(const char *text, char *ret_text, unsigned size);
