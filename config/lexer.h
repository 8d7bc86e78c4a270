// SPDX-License-Identifier: BSD-3-Clause
// From text to directives: OpenVPN's quoting, comments and inline files.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/mem.h"
#include "config/report.h"

#define CFG_LINE_MAX 4096 // bytes of one line, without its end
#define CFG_FILE_MAX (4u << 20) // bytes of one configuration file
#define CFG_WORDS_MAX 24 // words of one directive, its name included
#define CFG_LINES_MAX 65536 // directives of one configuration, included files too
#define CFG_INCLUDE_DEPTH 10 // files in files (`config FILE`)

// One directive. Strings live in the arena of the list.
struct cfg_line {
	const char *file; // name of the file, or "[command line]"
	unsigned line; // 1-based; on the command line the position of the option
	unsigned argc; // at least 1
	const char *argv[CFG_WORDS_MAX + 1]; // argv[0] is the name without "--"; ends with NULL
	const char *text; // content of an inline file (argv[1] is "[inline]"), else NULL
	size_t text_len; // bytes of text, without the NUL behind it
	unsigned text_line; // line number of the content's first line
};

// A configuration as a list of directives in the order in which they take effect.
struct cfg_lines {
	struct cfg_mem *mem;
	struct cfg_line *list;
	size_t n;
	const char *file; // the first file that was read, also an empty one; NULL: none
};

// Make an empty list. Returns 0 or -ENOMEM.
int cfg_lines_init(struct cfg_lines *lines);

// Wipe and free a list (inline keys are secrets). Also fine for a zeroed one.
void cfg_lines_done(struct cfg_lines *lines);

// Cut one line into words in place of OpenVPN's rules: blanks separate; "..." with backslash, '...'
// literally; backslash takes the next character as it is; # and ; at the start of a word begin a
// comment.
//
// words: room for CFG_WORDS_MAX + 1 pointers, NULL-terminated on return; strings come from mem.
// Returns the number of words (0: blank or comment), or -EINVAL with *ret_why set to a text
// without file and line, -ENOMEM.
int cfg_split(struct cfg_mem *mem, const char *text, size_t len, const char **words,
	const char **ret_why);

// Append the directives of a text. name stands for the file in messages; first_line is the number
// of its first line (1 for a file). `config FILE` in it is refused.
// Returns 0, -EINVAL, -EFBIG, -ENOMEM; err names file and line.
int cfg_lines_add_text(struct cfg_lines *lines, const char *name, unsigned first_line,
	const char *text, size_t len, struct cfg_error *err);

// Append the directives of a file, following `config FILE` (relative to the working directory).
// Returns 0, or a negative errno; err names file and line.
int cfg_lines_add_file(struct cfg_lines *lines, const char *path, struct cfg_error *err);

// What the command line asks for besides directives.
struct cfg_cli {
	bool help;
	bool version;
	bool check; // --check: parse, print remarks, end
	bool has_config; // a file was named by --config or as the only argument
	int rest; // index of the first argument after "--" (argc when there is none)
};

// Append what argv says: `--name word...` up to the next `--`, in the grammar of the files, with
// "[command line]" as file and the argument's index as line. `--config F` is read at its place;
// a single argument without dashes is the file. Ends at a bare "--".
// Returns 0, or a negative errno; err is set.
int cfg_lines_add_argv(struct cfg_lines *lines, int argc, char *const argv[],
	struct cfg_cli *ret_cli, struct cfg_error *err);
