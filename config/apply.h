// SPDX-License-Identifier: BSD-3-Clause
// From directives to the fields of a struct; private to config/.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/directive.h"
#include "config/lexer.h"
#include "config/mem.h"
#include "config/report.h"

struct cfg_apply;

// How one directive changes a struct.
struct cfg_option {
	const char *name;
	// Checks the words and writes to at = base + offset. Returns 0, or a negative errno after
	// cfg_fail.
	int (*set)(struct cfg_apply *a, const struct cfg_line *l, void *at);
	size_t offset; // of the field in the struct
	uint64_t min; // range of numbers
	uint64_t max;
};

// Options of one struct.
struct cfg_target {
	const struct cfg_option *options; // ends with a NULL name
	void *base;
};

#define CFG_TARGETS_MAX 5

// One run over a list of directives.
struct cfg_apply {
	enum cfg_where where;
	struct cfg_mem *mem;
	struct cfg_target targets[CFG_TARGETS_MAX]; // searched in order; ends with NULL options
	const struct cfg_option *option; // the one being set
	struct cfg_notes *notes;
	struct cfg_error *err; // gets the first error
	int rc; // the first error's errno
	bool lenient; // errors become warnings (pushed options)
	bool tolerate_all; // setenv FORWARD_COMPATIBLE 1
	const char **tolerated; // ignore-unknown-option
	size_t n_tolerated;
};

// Record an error about a directive: a remark, and the first one also in a->err.
// Returns -EINVAL for `return cfg_fail(...)`.
int cfg_fail(struct cfg_apply *a, const struct cfg_line *l, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// The same for the configuration as a whole.
int cfg_fail_file(struct cfg_apply *a, const struct cfg_lines *lines, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// Record a warning or a remark about a directive.
void cfg_remark(struct cfg_apply *a, enum cfg_note_kind kind, const struct cfg_line *l,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

// Out of memory while handling a directive. Returns -ENOMEM.
int cfg_fail_memory(struct cfg_apply *a, const struct cfg_line *l);

// Apply one directive. Returns 0, -ENOENT unknown, -EPERM refused, -EINVAL, -ENOMEM; the error is
// recorded.
int cfg_apply_line(struct cfg_apply *a, const struct cfg_line *l);

// Apply all directives and go on after errors, so that all of them are found. Returns 0 or the
// first error.
int cfg_apply_lines(struct cfg_apply *a, const struct cfg_lines *lines);

// Parse a number of a directive within the option's min..max. Returns 0 or -EINVAL, recorded.
int cfg_word_number(
	struct cfg_apply *a, const struct cfg_line *l, unsigned word, uint64_t *ret_value);

// The same with a range of its own and 32 bits.
int cfg_word_u32(struct cfg_apply *a, const struct cfg_line *l, unsigned word, uint32_t min,
	uint32_t max, uint32_t *ret_value);

// Which of the words in choices (NULL-terminated) is it? Returns the index or -EINVAL, recorded.
int cfg_word_choice(
	struct cfg_apply *a, const struct cfg_line *l, unsigned word, const char *const *choices);

// Setters for simple fields.
int cfg_set_flag(struct cfg_apply *a, const struct cfg_line *l, void *at); // bool: true
int cfg_set_u16(struct cfg_apply *a, const struct cfg_line *l, void *at);
int cfg_set_u32(struct cfg_apply *a, const struct cfg_line *l, void *at);
int cfg_set_u64(struct cfg_apply *a, const struct cfg_line *l, void *at);
int cfg_set_str(struct cfg_apply *a, const struct cfg_line *l, void *at); // const char *
int cfg_set_blob(struct cfg_apply *a, const struct cfg_line *l, void *at); // struct cfg_blob
int cfg_set_none(struct cfg_apply *a, const struct cfg_line *l, void *at); // nothing to store

// Put cd before a relative path. Returns the path, or NULL without memory.
const char *cfg_path_under(struct cfg_mem *mem, const char *cd, const char *path);
