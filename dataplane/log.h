// SPDX-License-Identifier: BSD-3-Clause
// Lines for people: set-up and faults only, never a packet. Main core and start-up.
#pragma once

enum dp_log_level {
	DP_LOG_ERROR = 0, // the program ends, or something is lost
	DP_LOG_NOTICE = 1, // worth knowing once
	DP_LOG_INFO = 3, // `verb 3`
	DP_LOG_DEBUG = 5,
};

// Lines above this level are left out. Set once at start.
void dp_log_set_level(unsigned level);

// Write "visp-dataplane: text\n" to stderr with one system call. Cut at 1,000 bytes.
void dp_log(enum dp_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
