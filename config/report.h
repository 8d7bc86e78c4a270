// SPDX-License-Identifier: BSD-3-Clause
// What the configuration's readers say to people: one error, or a list of remarks.
#pragma once

#include <stddef.h>

#define CFG_TEXT_MAX 768

// The first error of a load, ready to be printed: "FILE:LINE: text", or "FILE: text" when the
// file as a whole is at fault.
struct cfg_error {
	unsigned line; // 1-based; 0 when no line is at fault
	char text[CFG_TEXT_MAX];
};

enum cfg_note_kind {
	CFG_NOTE_IGNORED, // accepted, but without effect
	CFG_NOTE_WARNING, // works, but deserves a look
	CFG_NOTE_ERROR, // refused, unknown or wrong: the load failed
};

// One remark about one line; the text is complete ("FILE:LINE: ...").
struct cfg_note {
	enum cfg_note_kind kind;
	unsigned line;
	char *text;
};

// Everything worth saying about a configuration, in the order of its lines. Zero-initialise;
// `--check` prints it, the daemons log it once.
struct cfg_notes {
	struct cfg_note *list;
	size_t n;
	size_t cap;
};

// Write "FILE:LINE: " and the printf-like text to err. line 0 leaves the number out. err may be
// NULL. Text that doesn't fit is cut.
void cfg_error_set(struct cfg_error *err, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

// Append a remark. notes may be NULL (nothing happens). Returns 0 or -ENOMEM.
int cfg_notes_add(struct cfg_notes *notes, enum cfg_note_kind kind, const char *file, unsigned line,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

// Append an error as it stands. notes may be NULL. Returns 0 or -ENOMEM.
int cfg_notes_add_error(struct cfg_notes *notes, const struct cfg_error *err);

// The word for a kind of remark: "no effect", "warning", "error".
const char *cfg_note_kind_name(enum cfg_note_kind kind);

// Free all remarks and make the list empty.
void cfg_notes_done(struct cfg_notes *notes);
