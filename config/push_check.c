// SPDX-License-Identifier: BSD-3-Clause
#include "config/push_check.h"

#include <errno.h>
#include <string.h>

#define PUSH_LEN_MAX 255 // protocol.md 8.4

int cfg_push_check(struct cfg_apply *a, const struct cfg_line *l)
{
	const char *words[CFG_WORDS_MAX + 1];
	const char *text = l->argv[1];
	const struct cfg_directive *d;
	const char *why;
	int n;

	if (strlen(text) > PUSH_LEN_MAX)
		return cfg_fail(
			a, l, "'push': the option is longer than %d characters", PUSH_LEN_MAX);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			return cfg_fail(a, l, "'push': clients accept printable ASCII only");
		if (*p == ',')
			return cfg_fail(a, l, "'push': a comma would end the option");
	}
	n = cfg_split(a->mem, text, strlen(text), words, &why);
	if (n < 0)
		return cfg_fail(a, l, "'push': %s", why);
	if (n == 0)
		return cfg_fail(a, l, "'push': the option is empty");
	d = cfg_directive_find(words[0], CFG_PUSHED);
	if (d == NULL)
		cfg_remark(a, CFG_NOTE_WARNING, l,
			"'push': '%.60s' isn't known as an option for clients", words[0]);
	else if (n - 1 < d->min_args || n - 1 > d->max_args)
		return cfg_fail(a, l, "'push': '%s' takes %u to %u arguments, got %d", d->name,
			d->min_args, d->max_args, n - 1);
	return 0;
}
