// SPDX-License-Identifier: BSD-3-Clause
#include "config/apply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/blob.h"
#include "config/number.h"

static void fail_record(
	struct cfg_apply *a, const char *file, unsigned line, int rc, const char *fmt, va_list ap)
{
	char text[CFG_TEXT_MAX - 128];

	vsnprintf(text, sizeof(text), fmt, ap);
	(void)cfg_notes_add(a->notes, a->lenient ? CFG_NOTE_WARNING : CFG_NOTE_ERROR, file, line,
		"%s", text); // without memory the error itself still says it
	if (a->rc == 0) {
		cfg_error_set(a->err, file, line, "%s", text);
		a->rc = rc;
	}
}

int cfg_fail(struct cfg_apply *a, const struct cfg_line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_record(a, l->file, l->line, -EINVAL, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int cfg_fail_file(struct cfg_apply *a, const struct cfg_lines *lines, const char *fmt, ...)
{
	const char *file = lines->file; // counts more than the command line before it
	va_list ap;

	if (file == NULL)
		file = lines->n > 0 ? lines->list[0].file : "configuration";
	va_start(ap, fmt);
	fail_record(a, file, 0, -EINVAL, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void cfg_remark(struct cfg_apply *a, enum cfg_note_kind kind, const struct cfg_line *l,
	const char *fmt, ...)
{
	char text[CFG_TEXT_MAX - 128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)cfg_notes_add(a->notes, kind, l->file, l->line, "%s", text); // a remark may be lost
}

int cfg_fail_memory(struct cfg_apply *a, const struct cfg_line *l)
{
	if (a->rc == 0)
		cfg_error_set(a->err, l->file, l->line, "'%s': out of memory", l->argv[0]);
	a->rc = -ENOMEM;
	return -ENOMEM;
}

static bool tolerated(const struct cfg_apply *a, const char *name)
{
	for (size_t i = 0; i < a->n_tolerated; i++) {
		if (strcmp(a->tolerated[i], name) == 0)
			return true;
	}
	return a->tolerate_all;
}

// The name isn't known here: known elsewhere, misspelt, or neither.
static int unknown(struct cfg_apply *a, const struct cfg_line *l)
{
	const char *name = l->argv[0];
	unsigned places = cfg_directive_places(name);
	const char *near = cfg_directive_nearest(name, a->where);

	if (tolerated(a, name)) {
		cfg_remark(a, CFG_NOTE_IGNORED, l, "'%.100s' is unknown; tolerated as asked", name);
		return 0;
	}
	if (a->where == CFG_CONNECTION && (places & CFG_CLIENT) != 0)
		places = CFG_CLIENT;
	if (places != 0)
		(void)cfg_fail(a, l, "'%s' isn't allowed in %s; it belongs in %s", name,
			cfg_where_name(a->where),
			cfg_where_name((enum cfg_where)(places & -places)));
	else if (near != NULL)
		(void)cfg_fail(a, l, "unknown directive '%.100s'; did you mean '%s'?", name, near);
	else
		(void)cfg_fail(a, l, "unknown directive '%.100s'", name);
	return -ENOENT;
}

static int arity_check(struct cfg_apply *a, const struct cfg_line *l, const struct cfg_directive *d)
{
	unsigned n = l->argc - 1;

	if (l->text != NULL && !d->inline_ok)
		return cfg_fail(a, l, "'%s' can't be given inline", d->name);
	if (n >= d->min_args && n <= d->max_args)
		return 0;
	if (d->max_args == 0)
		return cfg_fail(a, l, "'%s' takes no argument, got %u", d->name, n);
	if (d->min_args == d->max_args)
		return cfg_fail(a, l, "'%s' takes %u argument%s (%s), got %u", d->name, d->min_args,
			d->min_args == 1 ? "" : "s", d->args, n);
	return cfg_fail(a, l, "'%s' takes %u to %u arguments (%s), got %u", d->name, d->min_args,
		d->max_args, d->args, n);
}

// Find the setter of a name. Returns it and the struct's address, or NULL.
static const struct cfg_option *option_find(
	const struct cfg_apply *a, const char *name, void **ret_at)
{
	for (unsigned t = 0; t < CFG_TARGETS_MAX && a->targets[t].options != NULL; t++) {
		for (const struct cfg_option *o = a->targets[t].options; o->name != NULL; o++) {
			if (strcmp(o->name, name) != 0)
				continue;
			*ret_at = (char *)a->targets[t].base + o->offset;
			return o;
		}
	}
	return NULL;
}

// `setenv opt NAME WORD...`: NAME may be unknown.
static int apply_optional(struct cfg_apply *a, const struct cfg_line *l)
{
	struct cfg_line inner = *l;

	inner.argc -= 2;
	memmove(inner.argv, inner.argv + 2, (inner.argc + 1) * sizeof(inner.argv[0]));
	if (cfg_directive_find(inner.argv[0], a->where) != NULL)
		return cfg_apply_line(a, &inner);
	cfg_remark(a, CFG_NOTE_IGNORED, l, "'%.100s' is unknown; optional", inner.argv[0]);
	return 0;
}

int cfg_apply_line(struct cfg_apply *a, const struct cfg_line *l)
{
	const struct cfg_directive *d = cfg_directive_find(l->argv[0], a->where);
	void *at;
	int rc;

	if (d == NULL)
		return unknown(a, l);
	if (strcmp(d->name, "setenv") == 0 && l->argc > 2 && strcmp(l->argv[1], "opt") == 0)
		return apply_optional(a, l);
	if (cfg_directive_status(d, a->where) == CFG_REFUSED) {
		(void)cfg_fail(a, l, "'%s' is refused: %s", d->name, d->why);
		return -EPERM;
	}
	rc = arity_check(a, l, d);
	if (rc < 0)
		return rc;
	a->option = option_find(a, d->name, &at);
	if (a->option != NULL)
		rc = a->option->set(a, l, at);
	if (rc == 0 && cfg_directive_status(d, a->where) == CFG_IGNORED)
		cfg_remark(a, CFG_NOTE_IGNORED, l, "'%s' has no effect: %s", d->name, d->why);
	return rc;
}

// Collect ignore-unknown-option and setenv FORWARD_COMPATIBLE first: they count for lines before
// them too.
static int tolerate_collect(struct cfg_apply *a, const struct cfg_line *l)
{
	if (strcmp(l->argv[0], "setenv") == 0 && l->argc == 3 &&
		strcmp(l->argv[1], "FORWARD_COMPATIBLE") == 0 && strcmp(l->argv[2], "1") == 0)
		a->tolerate_all = true;
	if (strcmp(l->argv[0], "ignore-unknown-option") != 0)
		return 0;
	for (unsigned i = 1; i < l->argc; i++) {
		int rc = cfg_mem_grow(
			a->mem, &a->tolerated, a->n_tolerated, 1024, sizeof(*a->tolerated));

		if (rc == -E2BIG)
			return cfg_fail(a, l, "'%s': too many names", l->argv[0]);
		if (rc < 0)
			return cfg_fail_memory(a, l);
		a->tolerated[a->n_tolerated++] = l->argv[i];
	}
	return 0;
}

int cfg_apply_lines(struct cfg_apply *a, const struct cfg_lines *lines)
{
	int rc = 0;

	for (size_t i = 0; i < lines->n && rc != -ENOMEM; i++)
		rc = tolerate_collect(a, &lines->list[i]);
	for (size_t i = 0; i < lines->n && rc != -ENOMEM; i++)
		rc = cfg_apply_line(a, &lines->list[i]);
	return a->rc;
}

static int number_fail(
	struct cfg_apply *a, const struct cfg_line *l, unsigned word, uint64_t min, uint64_t max)
{
	return cfg_fail(a, l, "'%s' takes a number from %" PRIu64 " to %" PRIu64 ", got '%.60s'",
		l->argv[0], min, max, l->argv[word]);
}

int cfg_word_number(
	struct cfg_apply *a, const struct cfg_line *l, unsigned word, uint64_t *ret_value)
{
	if (cfg_u64(l->argv[word], a->option->min, a->option->max, ret_value) < 0)
		return number_fail(a, l, word, a->option->min, a->option->max);
	return 0;
}

int cfg_word_u32(struct cfg_apply *a, const struct cfg_line *l, unsigned word, uint32_t min,
	uint32_t max, uint32_t *ret_value)
{
	if (cfg_u32(l->argv[word], min, max, ret_value) < 0)
		return number_fail(a, l, word, min, max);
	return 0;
}

int cfg_word_choice(
	struct cfg_apply *a, const struct cfg_line *l, unsigned word, const char *const *choices)
{
	char list[160];
	size_t len = 0;

	for (int i = 0; choices[i] != NULL; i++) {
		if (strcmp(l->argv[word], choices[i]) == 0)
			return i;
	}
	list[0] = '\0';
	for (int i = 0; choices[i] != NULL && len < sizeof(list); i++)
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "", choices[i]);
	return cfg_fail(a, l, "'%s' takes one of %s, got '%.60s'", l->argv[0], list, l->argv[word]);
}

int cfg_set_flag(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	(void)a;
	(void)l;
	*(bool *)at = true;
	return 0;
}

int cfg_set_u16(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	uint64_t value;
	int rc = cfg_word_number(a, l, 1, &value);

	if (rc == 0)
		*(uint16_t *)at = (uint16_t)value;
	return rc;
}

int cfg_set_u32(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	uint64_t value;
	int rc = cfg_word_number(a, l, 1, &value);

	if (rc == 0)
		*(uint32_t *)at = (uint32_t)value;
	return rc;
}

int cfg_set_u64(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	return cfg_word_number(a, l, 1, at);
}

int cfg_set_str(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (l->argv[1][0] == '\0')
		return cfg_fail(a, l, "'%s' has an empty argument", l->argv[0]);
	*(const char **)at = l->argv[1];
	return 0;
}

int cfg_set_blob(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_blob *blob = at;

	if (l->argc > 1 && l->argv[1][0] == '\0')
		return cfg_fail(a, l, "'%s' has an empty file name", l->argv[0]);
	// "ca [inline]" announces a block that comes later, in older profiles.
	if (l->argc < 2 || (l->text == NULL && strcmp(l->argv[1], "[inline]") == 0))
		return 0;
	*blob = (struct cfg_blob){
		.path = l->text == NULL ? l->argv[1] : NULL,
		.text = l->text,
		.len = l->text_len,
		.option = l->argv[0],
		.file = l->file,
		.line = l->line,
	};
	return 0;
}

int cfg_set_none(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	(void)a;
	(void)l;
	(void)at;
	return 0;
}

const char *cfg_path_under(struct cfg_mem *mem, const char *cd, const char *path)
{
	size_t cd_len, len;
	char *out;

	if (cd == NULL || path == NULL || path[0] == '/')
		return path;
	cd_len = strlen(cd);
	len = strlen(path);
	out = cfg_mem_alloc(mem, cd_len + len + 2);
	if (out == NULL)
		return NULL;
	memcpy(out, cd, cd_len);
	out[cd_len] = '/';
	memcpy(out + cd_len + 1, path, len + 1);
	return out;
}
