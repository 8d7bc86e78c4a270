// SPDX-License-Identifier: BSD-3-Clause
#include "config/dataplane.h"

#include <errno.h>
#include <string.h>

#include "config/apply.h"
#include "config/number.h"
#include "config/option_tables.h"

// "3" or "3-5" of len bytes. Returns 0 or -EINVAL.
static int lcores_item(const char *text, size_t len, uint32_t *first, uint32_t *last)
{
	char buf[16];
	char *dash;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	dash = strchr(buf, '-');
	if (dash != NULL)
		*dash = '\0';
	if (cfg_u32(buf, 0, CFG_LCORE_MAX, first) < 0)
		return -EINVAL;
	*last = *first;
	if (dash != NULL && cfg_u32(dash + 1, *first, CFG_LCORE_MAX, last) < 0)
		return -EINVAL;
	return 0;
}

static int lcore_add(
	struct cfg_apply *a, const struct cfg_line *l, struct cfg_dataplane *cfg, uint32_t lcore)
{
	for (unsigned i = 0; i < cfg->n_workers; i++) {
		if (cfg->workers[i] == lcore)
			return cfg_fail(a, l, "'workers' names lcore %u twice", lcore);
	}
	if (cfg->n_workers == CFG_WORKERS_MAX)
		return cfg_fail(a, l, "'workers' names more than %d lcores", CFG_WORKERS_MAX);
	cfg->workers[cfg->n_workers++] = (uint16_t)lcore;
	return 0;
}

static int set_workers(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_dataplane *cfg = at;
	const char *item = l->argv[1];
	uint32_t first, last;
	int rc = 0;

	cfg->n_workers = 0;
	for (;;) {
		size_t len = strcspn(item, ",");

		if (lcores_item(item, len, &first, &last) < 0)
			return cfg_fail(a, l,
				"'workers' takes lcores from 0 to %d, as 1-3,5, got "
				"'%.60s'",
				CFG_LCORE_MAX, l->argv[1]);
		for (uint32_t c = first; c <= last && rc == 0; c++)
			rc = lcore_add(a, l, cfg, c);
		if (rc < 0 || item[len] == '\0')
			return rc;
		item += len + 1;
	}
}

static int set_hugepages(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "auto", "on", "off", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_hugepages *)at = (enum cfg_hugepages)i;
	return 0;
}

static int set_idle(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "auto", "poll", "adaptive", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_idle *)at = (enum cfg_idle)i;
	return 0;
}

static int set_queues(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (strcmp(l->argv[1], "auto") != 0)
		return cfg_set_u16(a, l, at);
	*(uint16_t *)at = 0;
	return 0;
}

#define DPC(f) offsetof(struct cfg_dataplane, f)

const struct cfg_option cfg_dataplane_options[] = {
	{ "socket", cfg_set_str, DPC(socket), 0, 0 },
	{ "outer", cfg_set_str, DPC(outer), 0, 0 },
	{ "inner", cfg_set_str, DPC(inner), 0, 0 },
	{ "workers", set_workers, 0, 0, 0 },
	{ "sessions", cfg_set_u32, DPC(sessions), 1, CFG_SESSIONS_MAX },
	{ "hugepages", set_hugepages, DPC(hugepages), 0, 0 },
	{ "idle", set_idle, DPC(idle), 0, 0 },
	{ "outer-queues", set_queues, DPC(outer_queues), 1, 1024 },
	{ "control-user", cfg_set_str, DPC(control_user), 0, 0 },
	{ "drop-privileges", cfg_set_str, DPC(drop_privileges), 0, 0 },
	{ "verb", cfg_set_u32, DPC(verb), 0, 11 },
	{ "log", cfg_set_str, DPC(log), 0, 0 },
	{ "writepid", cfg_set_str, DPC(writepid), 0, 0 },
	{ 0 },
};

int cfg_dataplane_parse(struct cfg_lines *lines, unsigned flags, struct cfg_notes *notes,
	struct cfg_dataplane **ret_cfg, struct cfg_error *err)
{
	struct cfg_dataplane *cfg = cfg_mem_alloc(lines->mem, sizeof(*cfg));
	struct cfg_apply a = {
		.where = CFG_DATAPLANE,
		.mem = lines->mem,
		.targets = { { cfg_dataplane_options, cfg } },
		.notes = notes,
		.err = err,
	};

	(void)flags; // no file is named in it
	if (cfg == NULL) {
		cfg_error_set(err, "configuration", 0, "out of memory");
		return -ENOMEM;
	}
	cfg->mem = lines->mem;
	cfg->socket = "/run/visp/dataplane.sock";
	cfg->sessions = CFG_SESSIONS_DEFAULT;
	cfg->verb = 1;
	(void)cfg_apply_lines(&a, lines); // goes on, to find what else is wrong
	if (cfg->outer == NULL)
		(void)cfg_fail_file(&a, lines, "no 'outer' port");
	if (cfg->inner == NULL)
		(void)cfg_fail_file(&a, lines, "no 'inner' port");
	if (a.rc < 0)
		return a.rc;
	*lines = (struct cfg_lines){ 0 };
	*ret_cfg = cfg;
	return 0;
}

int cfg_dataplane_load(const char *path, struct cfg_notes *notes, struct cfg_dataplane **ret_cfg,
	struct cfg_error *err)
{
	struct cfg_lines lines;
	int rc = cfg_lines_init(&lines);

	if (rc == 0)
		rc = cfg_lines_add_file(&lines, path, err);
	if (rc == 0)
		rc = cfg_dataplane_parse(&lines, 0, notes, ret_cfg, err);
	cfg_lines_done(&lines);
	return rc;
}

struct cfg_dataplane *cfg_dataplane_free(struct cfg_dataplane *cfg)
{
	if (cfg != NULL)
		cfg_mem_free(cfg->mem);
	return NULL;
}
