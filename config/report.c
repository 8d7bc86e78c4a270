// SPDX-License-Identifier: BSD-3-Clause
#include "config/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_make(
	char *buf, size_t size, const char *file, unsigned line, const char *fmt, va_list ap)
{
	int n = line > 0 ? snprintf(buf, size, "%s:%u: ", file, line)
			 : snprintf(buf, size, "%s: ", file);

	if (n > 0 && (size_t)n < size)
		vsnprintf(buf + n, size - (size_t)n, fmt, ap);
}

void cfg_error_set(struct cfg_error *err, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return;
	va_start(ap, fmt);
	text_make(err->text, sizeof(err->text), file, line, fmt, ap);
	va_end(ap);
	err->line = line;
}

static int note_append(
	struct cfg_notes *notes, enum cfg_note_kind kind, unsigned line, const char *text)
{
	char *copy;

	// One mistake that several settings share is said once.
	if (notes->n > 0 && strcmp(notes->list[notes->n - 1].text, text) == 0)
		return 0;
	if (notes->n == notes->cap) {
		size_t cap = notes->cap > 0 ? notes->cap * 2 : 16;
		struct cfg_note *list = reallocarray(notes->list, cap, sizeof(*list));

		if (list == NULL)
			return -ENOMEM;
		notes->list = list;
		notes->cap = cap;
	}
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	notes->list[notes->n++] = (struct cfg_note){ .kind = kind, .line = line, .text = copy };
	return 0;
}

int cfg_notes_add(struct cfg_notes *notes, enum cfg_note_kind kind, const char *file, unsigned line,
	const char *fmt, ...)
{
	char buf[CFG_TEXT_MAX];
	va_list ap;

	if (notes == NULL)
		return 0;
	va_start(ap, fmt);
	text_make(buf, sizeof(buf), file, line, fmt, ap);
	va_end(ap);
	return note_append(notes, kind, line, buf);
}

int cfg_notes_add_error(struct cfg_notes *notes, const struct cfg_error *err)
{
	return notes != NULL ? note_append(notes, CFG_NOTE_ERROR, err->line, err->text) : 0;
}

const char *cfg_note_kind_name(enum cfg_note_kind kind)
{
	switch (kind) {
	case CFG_NOTE_IGNORED: return "no effect";
	case CFG_NOTE_WARNING: return "warning";
	case CFG_NOTE_ERROR: return "error";
	}
	return "?";
}

void cfg_notes_done(struct cfg_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		free(notes->list[i].text);
	free(notes->list);
	*notes = (struct cfg_notes){ 0 };
}
