// SPDX-License-Identifier: BSD-3-Clause
// The samples parse without a single remark.
#include <stdio.h>
#include <stdlib.h>

#include "config/client.h"
#include "config/dataplane.h"
#include "config/server.h"
#include "tests/gtc.h"

// Lex CFG_SAMPLES/name. Returns false when the environment doesn't say where the samples are.
static bool sample(const char *name, struct cfg_lines *lines)
{
	const char *dir = getenv("CFG_SAMPLES");
	struct cfg_error err = { .text = "" };
	char path[1024];

	if (dir == NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	GTC_EXPECT_INT(cfg_lines_init(lines), 0);
	GTC_EXPECT_INT(cfg_lines_add_file(lines, path, &err), 0);
	GTC_EXPECT_STR(err.text, "");
	return true;
}

static void no_remarks(struct cfg_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		GTC_FAIL("%s", notes->list[i].text);
	cfg_notes_done(notes);
}

GTC_TEST(cfg_sample, server)
{
	struct cfg_server *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	struct cfg_lines lines;

	if (!sample("server.conf", &lines))
		GTC_SKIP("CFG_SAMPLES is set by meson test");
	GTC_EXPECT_INT(cfg_server_parse(&lines, CFG_LOAD_NO_FILES, &notes, &cfg, &err), 0);
	no_remarks(&notes);
	cfg_lines_done(&lines);
	cfg_server_free(cfg);
}

GTC_TEST(cfg_sample, client)
{
	struct cfg_client *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	struct cfg_lines lines;

	if (!sample("client.ovpn", &lines))
		GTC_SKIP("CFG_SAMPLES is set by meson test");
	GTC_EXPECT_INT(cfg_client_parse(&lines, CFG_LOAD_NO_FILES, &notes, &cfg, &err), 0);
	no_remarks(&notes);
	cfg_lines_done(&lines);
	cfg_client_free(cfg);
}

GTC_TEST(cfg_sample, dataplane)
{
	struct cfg_dataplane *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	struct cfg_lines lines;

	if (!sample("dataplane.conf", &lines))
		GTC_SKIP("CFG_SAMPLES is set by meson test");
	GTC_EXPECT_INT(cfg_dataplane_parse(&lines, 0, &notes, &cfg, &err), 0);
	no_remarks(&notes);
	cfg_lines_done(&lines);
	cfg_dataplane_free(cfg);
}
