// SPDX-License-Identifier: BSD-3-Clause
// Lines for people, on stderr or in the file that `log` names. Secrets never get here.
#pragma once

#include <stdbool.h>

// The verbosity (`verb`) from which on a line is shown.
enum vc_level {
	VC_ERROR = 0, // why something ended or can't work
	VC_WARN = 0, // worth a look, but it goes on
	VC_INFO = 1, // one line an event: connected, moved, rekeyed
	VC_DETAIL = 3, // how it came to it
	VC_DEBUG = 5,
};

struct vc_log_options {
	unsigned verb;
	bool stamps; // date and time in front of each line
	const char *path; // NULL: stderr
	bool append;
};

// Set up once at start. Returns 0, or -errno when the file can't be opened.
int vc_log_init(const struct vc_log_options *options);

// Is a line of this level shown?
bool vc_log_on(enum vc_level level);

// Write one line, without a newline in the format. Text that came from the wire must have been
// made printable by the caller.
void vc_log(enum vc_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
