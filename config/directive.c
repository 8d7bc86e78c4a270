// SPDX-License-Identifier: BSD-3-Clause
#include "config/directive.h"

#include <string.h>

#include "config/table_rows.h"

#define PARTS 3
#define NAME_MAX_LEN 40 // longer names aren't compared for likeness

static const struct {
	const struct cfg_directive *rows;
	const size_t *n;
} parts[PARTS] = {
	{ cfg_rows_tunnel, &cfg_rows_tunnel_n },
	{ cfg_rows_tls, &cfg_rows_tls_n },
	{ cfg_rows_daemon, &cfg_rows_daemon_n },
};

const struct cfg_directive *cfg_directive_at(size_t i)
{
	for (unsigned p = 0; p < PARTS; p++) {
		if (i < *parts[p].n)
			return &parts[p].rows[i];
		i -= *parts[p].n;
	}
	return NULL;
}

static unsigned places(const struct cfg_directive *d)
{
	return d->works | d->ignored | d->refused;
}

const struct cfg_directive *cfg_directive_find(const char *name, enum cfg_where where)
{
	const struct cfg_directive *d;

	for (size_t i = 0; (d = cfg_directive_at(i)) != NULL; i++) {
		if ((places(d) & where) != 0 && strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

enum cfg_status cfg_directive_status(const struct cfg_directive *d, enum cfg_where where)
{
	if (d->works & where)
		return CFG_WORKS;
	if (d->ignored & where)
		return CFG_IGNORED;
	return d->refused & where ? CFG_REFUSED : CFG_NOWHERE;
}

unsigned cfg_directive_places(const char *name)
{
	const struct cfg_directive *d;
	unsigned mask = 0;

	for (size_t i = 0; (d = cfg_directive_at(i)) != NULL; i++) {
		if (strcmp(d->name, name) == 0)
			mask |= places(d);
	}
	return mask;
}

// Levenshtein's distance with swapped neighbours counted once (restricted form of Damerau).
static unsigned distance(const char *a, const char *b)
{
	unsigned row[3][NAME_MAX_LEN + 1];
	unsigned la = (unsigned)strlen(a), lb = (unsigned)strlen(b);

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (unsigned j = 0; j <= lb; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

		cur[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			cur[j] = best;
		}
	}
	return row[la % 3][lb];
}

const char *cfg_directive_nearest(const char *name, enum cfg_where where)
{
	const struct cfg_directive *d;
	const char *best_name = NULL;
	size_t len = strlen(name);
	// A third of the name may be wrong; less than that is a guess.
	unsigned best = len < 3 ? 1 : (unsigned)len / 3 + 1;

	for (size_t i = 0; (d = cfg_directive_at(i)) != NULL; i++) {
		unsigned dist;

		if ((places(d) & where) == 0 || (d->refused & where) != 0)
			continue;
		dist = distance(name, d->name);
		if (dist < best) {
			best = dist;
			best_name = d->name;
		}
	}
	return best_name;
}

const char *cfg_where_name(enum cfg_where where)
{
	switch (where) {
	case CFG_SERVER: return "server.conf";
	case CFG_CLIENT: return "a client profile";
	case CFG_DATAPLANE: return "dataplane.conf";
	case CFG_PUSHED: return "a pushed option";
	case CFG_CCD: return "a client-config-dir file";
	case CFG_CONNECTION: return "<connection>";
	}
	return "?";
}
