// SPDX-License-Identifier: BSD-3-Clause
#include "config/lexer.h"

#include <errno.h>
#include <string.h>

#include "config/blob.h"

int cfg_lines_init(struct cfg_lines *lines)
{
	*lines = (struct cfg_lines){ .mem = cfg_mem_create() };
	return lines->mem != NULL ? 0 : -ENOMEM;
}

void cfg_lines_done(struct cfg_lines *lines)
{
	lines->mem = cfg_mem_free(lines->mem);
	lines->list = NULL;
	lines->n = 0;
}

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

// A text with a place in it; used for one line while it is cut into words.
struct cursor {
	const char *at;
	const char *end;
};

// Copy one word to out (which has room for the rest of the line). quote is 0, '"' or '\''; the
// cursor is behind an opening quote. Returns the length, or -EINVAL with *ret_why.
static int word_take(struct cursor *c, char quote, char *out, const char **ret_why)
{
	int n = 0;

	while (c->at < c->end && (quote != 0 ? *c->at != quote : !blank(*c->at))) {
		if (*c->at == '\\' && quote != '\'') {
			c->at++;
			if (c->at == c->end ||
				(*c->at != '\\' && *c->at != '"' && !blank(*c->at))) {
				*ret_why = "a backslash may stand only before a blank, a double "
					   "quote or a backslash";
				return -EINVAL;
			}
		}
		out[n++] = *c->at++;
	}
	if (quote == 0)
		return n;
	if (c->at == c->end) {
		*ret_why = quote == '"' ? "no closing double quote" : "no closing single quote";
		return -EINVAL;
	}
	c->at++;
	return n;
}

int cfg_split(
	struct cfg_mem *mem, const char *text, size_t len, const char **words, const char **ret_why)
{
	struct cursor c = { .at = text, .end = text + len };
	char buf[CFG_LINE_MAX];
	int n = 0;

	words[0] = NULL;
	*ret_why = "out of memory";
	if (len > CFG_LINE_MAX) {
		*ret_why = "the line is too long";
		return -EINVAL;
	}
	if (memchr(text, '\0', len) != NULL) {
		*ret_why = "a NUL byte";
		return -EINVAL;
	}
	for (;;) {
		char quote = 0;
		int rc;

		while (c.at < c.end && blank(*c.at))
			c.at++;
		if (c.at == c.end || *c.at == '#' || *c.at == ';')
			break;
		if (n == CFG_WORDS_MAX) {
			*ret_why = "too many words";
			rc = -EINVAL;
		} else {
			if (*c.at == '"' || *c.at == '\'')
				quote = *c.at++;
			rc = word_take(&c, quote, buf, ret_why);
		}
		if (rc >= 0) {
			words[n] = cfg_mem_strndup(mem, buf, (size_t)rc);
			if (words[n++] == NULL)
				rc = -ENOMEM;
		}
		if (rc < 0) {
			explicit_bzero(buf, sizeof(buf));
			return rc;
		}
	}
	explicit_bzero(buf, sizeof(buf));
	words[n] = NULL;
	return n;
}

// A file while it is read.
struct reader {
	struct cfg_lines *lines;
	const char *name; // in the arena
	const char *at;
	const char *end;
	unsigned line; // number of the line last taken
	int depth; // nesting of `config FILE`; -1: not allowed
	struct cfg_error *err;
};

static int file_add(struct cfg_lines *lines, const char *path, const char *from, unsigned line,
	int depth, struct cfg_error *err);

// The next line without its end. Returns its length, -ENODATA at the end, -EINVAL when it is too
// long or holds a NUL.
static int line_next(struct reader *r, const char **ret_text)
{
	const char *nl;
	size_t len;

	if (r->at == r->end)
		return -ENODATA;
	nl = memchr(r->at, '\n', (size_t)(r->end - r->at));
	len = (size_t)((nl != NULL ? nl : r->end) - r->at);
	*ret_text = r->at;
	r->at = nl != NULL ? nl + 1 : r->end;
	r->line++;
	if (len > 0 && (*ret_text)[len - 1] == '\r')
		len--;
	if (len > CFG_LINE_MAX) {
		cfg_error_set(
			r->err, r->name, r->line, "the line is longer than %d bytes", CFG_LINE_MAX);
		return -EINVAL;
	}
	if (memchr(*ret_text, '\0', len) != NULL) {
		cfg_error_set(r->err, r->name, r->line, "a NUL byte; is this a text file?");
		return -EINVAL;
	}
	return (int)len;
}

// Is the line "</name>", blanks before it allowed?
static bool closes(const char *text, size_t len, const char *name, size_t name_len)
{
	while (len > 0 && blank(*text)) {
		text++;
		len--;
	}
	return len >= name_len + 3 && memcmp(text, "</", 2) == 0 &&
		memcmp(text + 2, name, name_len) == 0 && text[2 + name_len] == '>';
}

// Read the content of <name> up to </name>; line ends become "\n".
static int inline_take(struct reader *r, struct cfg_line *l)
{
	const char *start = r->at;
	size_t name_len = strlen(l->argv[0]);
	size_t size = 0;
	const char *text;
	char *out;
	int len;

	l->text_line = r->line + 1;
	for (;;) {
		len = line_next(r, &text);
		if (len == -ENODATA) {
			cfg_error_set(r->err, r->name, l->line, "'<%s>' has no '</%s>'", l->argv[0],
				l->argv[0]);
			return -EINVAL;
		}
		if (len < 0)
			return len;
		if (closes(text, (size_t)len, l->argv[0], name_len))
			break;
		size += (size_t)len + 1;
	}
	out = cfg_mem_alloc(r->lines->mem, size + 1);
	if (out == NULL)
		return -ENOMEM;
	l->text = out;
	l->text_len = size;
	// Again from the start, now with room for it.
	r->at = start;
	r->line = l->line;
	while ((len = line_next(r, &text)) >= 0 &&
		!closes(text, (size_t)len, l->argv[0], name_len)) {
		memcpy(out, text, (size_t)len);
		out += len;
		*out++ = '\n';
	}
	l->argv[1] = "[inline]";
	l->argv[2] = NULL;
	l->argc = 2;
	return 0;
}

// "<name>" becomes name, and its content is read.
static int inline_open(struct reader *r, struct cfg_line *l)
{
	size_t len = strlen(l->argv[0]);

	if (l->argv[0][1] == '/') {
		cfg_error_set(r->err, r->name, l->line, "'%s' closes nothing", l->argv[0]);
		return -EINVAL;
	}
	l->argv[0] = cfg_mem_strndup(r->lines->mem, l->argv[0] + 1, len - 2);
	if (l->argv[0] == NULL)
		return -ENOMEM;
	return inline_take(r, l);
}

static int line_append(struct cfg_lines *lines, const struct cfg_line *l, struct cfg_error *err)
{
	int rc = cfg_mem_grow(lines->mem, &lines->list, lines->n, CFG_LINES_MAX, sizeof(*l));

	if (rc == 0)
		lines->list[lines->n++] = *l;
	else
		cfg_error_set(err, l->file, l->line, "%s",
			rc == -E2BIG ? "too many directives" : "out of memory");
	return rc;
}

static int include(struct reader *r, const struct cfg_line *l)
{
	if (l->argc != 2) {
		cfg_error_set(
			r->err, r->name, l->line, "'config' takes 1 argument, got %u", l->argc - 1);
		return -EINVAL;
	}
	if (r->depth < 0) {
		cfg_error_set(r->err, r->name, l->line, "'config' can't be used here");
		return -EINVAL;
	}
	if (r->depth >= CFG_INCLUDE_DEPTH) {
		cfg_error_set(r->err, r->name, l->line, "'config' is nested deeper than %d files",
			CFG_INCLUDE_DEPTH);
		return -EINVAL;
	}
	return file_add(r->lines, l->argv[1], r->name, l->line, r->depth + 1, r->err);
}

// Take one directive from the reader. Returns 0, -ENODATA at the end, or an error.
static int directive_take(struct reader *r)
{
	struct cfg_line l = { .file = r->name };
	const char *text;
	const char *why;
	size_t name_len;
	int len = line_next(r, &text);
	int n;

	if (len < 0)
		return len;
	l.line = r->line;
	n = cfg_split(r->lines->mem, text, (size_t)len, l.argv, &why);
	if (n < 0)
		cfg_error_set(r->err, r->name, r->line, "%s", why);
	if (n <= 0)
		return n;
	l.argc = (unsigned)n;
	name_len = strlen(l.argv[0]);
	if (name_len == 0) {
		cfg_error_set(r->err, r->name, r->line, "the name of a directive is empty");
		return -EINVAL;
	}
	if (n == 1 && name_len > 2 && l.argv[0][0] == '<' && l.argv[0][name_len - 1] == '>') {
		int rc = inline_open(r, &l);

		return rc < 0 ? rc : line_append(r->lines, &l, r->err);
	}
	if (name_len > 2 && strncmp(l.argv[0], "--", 2) == 0)
		l.argv[0] += 2;
	if (strcmp(l.argv[0], "config") == 0)
		return include(r, &l);
	return line_append(r->lines, &l, r->err);
}

static int text_add(struct reader *r)
{
	int rc;

	if (r->end - r->at >= 3 && memcmp(r->at, "\xEF\xBB\xBF", 3) == 0)
		r->at += 3;
	while ((rc = directive_take(r)) == 0)
		;
	if (rc == -ENOMEM)
		cfg_error_set(r->err, r->name, r->line, "out of memory");
	return rc == -ENODATA ? 0 : rc;
}

int cfg_lines_add_text(struct cfg_lines *lines, const char *name, unsigned first_line,
	const char *text, size_t len, struct cfg_error *err)
{
	struct reader r = {
		.lines = lines,
		.name = cfg_mem_strndup(lines->mem, name, strlen(name)),
		.at = text,
		.end = text + len,
		.line = first_line - 1,
		.depth = -1,
		.err = err,
	};

	if (r.name == NULL)
		return -ENOMEM;
	if (lines->file == NULL)
		lines->file = r.name;
	if (len > CFG_FILE_MAX) {
		cfg_error_set(err, name, 0, "larger than %u bytes", CFG_FILE_MAX);
		return -EFBIG;
	}
	return text_add(&r);
}

// from and line: where `config` was said; from NULL means that the file is the start.
static int file_add(struct cfg_lines *lines, const char *path, const char *from, unsigned line,
	int depth, struct cfg_error *err)
{
	struct cfg_blob blob = { .path = path, .option = "config", .file = from, .line = line };
	struct reader r = { .lines = lines, .depth = depth, .err = err };
	size_t len;
	char *text;
	int rc;

	if (from == NULL)
		rc = cfg_blob_read(&blob, CFG_FILE_MAX, &text, &len, NULL);
	else
		rc = cfg_blob_read(&blob, CFG_FILE_MAX, &text, &len, err);
	if (rc < 0) {
		if (from == NULL)
			cfg_error_set(err, path, 0, "can't read: %s", strerror(-rc));
		return rc;
	}
	r.name = cfg_mem_strndup(lines->mem, path, strlen(path));
	r.at = text;
	r.end = text + len;
	if (lines->file == NULL)
		lines->file = r.name;
	rc = r.name != NULL ? text_add(&r) : -ENOMEM;
	cfg_secret_free(text, len);
	return rc;
}

int cfg_lines_add_file(struct cfg_lines *lines, const char *path, struct cfg_error *err)
{
	return file_add(lines, path, NULL, 0, 0, err);
}

#define ARGV_NAME "[command line]"

// --help, --version, --check and --config. Returns 1 when the option was one of them.
static int argv_special(struct cfg_lines *lines, const struct cfg_line *l, struct cfg_cli *cli,
	struct cfg_error *err)
{
	const char *name = l->argv[0];
	bool *flag = strcmp(name, "help") == 0 ? &cli->help
		: strcmp(name, "version") == 0 ? &cli->version
		: strcmp(name, "check") == 0   ? &cli->check
					       : NULL;
	unsigned want = flag != NULL ? 1 : 2;
	int rc;

	if (flag == NULL && strcmp(name, "config") != 0)
		return 0;
	if (l->argc != want) {
		cfg_error_set(err, ARGV_NAME, l->line, "'--%s' takes %u argument%s, got %u", name,
			want - 1, want == 2 ? "" : "s", l->argc - 1);
		return -EINVAL;
	}
	if (flag != NULL) {
		*flag = true;
		return 1;
	}
	cli->has_config = true;
	rc = file_add(lines, l->argv[1], ARGV_NAME, l->line, 0, err);
	return rc < 0 ? rc : 1;
}

// Collect "--name word..." that starts at argv[*at]; *at moves behind it.
static int argv_take(
	struct cfg_lines *lines, int argc, char *const argv[], int *at, struct cfg_line *l)
{
	l->file = ARGV_NAME;
	l->line = (unsigned)*at;
	for (; *at < argc; (*at)++) {
		const char *word = argv[*at];

		if (l->argc > 0 && strncmp(word, "--", 2) == 0)
			break;
		if (l->argc == CFG_WORDS_MAX || strlen(word) > CFG_LINE_MAX)
			return -EINVAL;
		if (l->argc == 0)
			word += 2;
		l->argv[l->argc] = cfg_mem_strndup(lines->mem, word, strlen(word));
		if (l->argv[l->argc++] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int cfg_lines_add_argv(struct cfg_lines *lines, int argc, char *const argv[],
	struct cfg_cli *ret_cli, struct cfg_error *err)
{
	struct cfg_cli cli = { .rest = argc };
	int at = 1;
	int rc = 0;

	if (argc == 2 && strncmp(argv[1], "--", 2) != 0) {
		cli.has_config = true;
		rc = cfg_lines_add_file(lines, argv[1], err);
		at = argc;
	}
	while (rc >= 0 && at < argc) {
		struct cfg_line l = { 0 };

		if (strcmp(argv[at], "--") == 0) {
			cli.rest = at + 1;
			break;
		}
		if (strncmp(argv[at], "--", 2) != 0) {
			cfg_error_set(err, ARGV_NAME, (unsigned)at,
				"'%.200s': an option begins with '--'", argv[at]);
			return -EINVAL;
		}
		rc = argv_take(lines, argc, argv, &at, &l);
		if (rc < 0)
			cfg_error_set(err, ARGV_NAME, l.line, "'%.200s': %s", argv[l.line],
				rc == -ENOMEM ? "out of memory" : "too many or too long words");
		if (rc == 0)
			rc = argv_special(lines, &l, &cli, err);
		if (rc == 0)
			rc = line_append(lines, &l, err);
	}
	if (rc >= 0)
		*ret_cli = cli;
	return rc < 0 ? rc : 0;
}
