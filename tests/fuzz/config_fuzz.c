// SPDX-License-Identifier: BSD-3-Clause
// Lexer and loaders on arbitrary text. The first byte chooses the kind of configuration.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/ccd.h"
#include "config/client.h"
#include "config/dataplane.h"
#include "config/pushed.h"
#include "config/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Each line is a pushed option.
static void pushed(const char *text)
{
	static const char profile[] = "client\nremote a\nca a\nroute 10.0.0.0\n";
	struct cfg_client *cfg = NULL;
	struct cfg_lines lines;
	struct cfg_pushed p;

	if (cfg_lines_init(&lines) == 0 &&
		cfg_lines_add_text(&lines, "f", 1, profile, sizeof(profile) - 1, NULL) == 0 &&
		cfg_client_parse(&lines, CFG_LOAD_NO_FILES, NULL, &cfg, NULL) == 0 &&
		cfg_pushed_init(&p, cfg) == 0) {
		char *copy = strdup(text);
		char *save = NULL;

		for (char *o = copy == NULL ? NULL : strtok_r(copy, "\n", &save); o != NULL;
			o = strtok_r(NULL, "\n", &save))
			(void)cfg_pushed_apply(&p, cfg, o, NULL); // any result is right
		(void)cfg_pushed_finish(&p, NULL);
		free(copy);
		cfg_pushed_done(&p);
	}
	cfg_client_free(cfg);
	cfg_lines_done(&lines);
}

static void load(uint8_t kind, struct cfg_lines *lines, struct cfg_notes *notes)
{
	struct cfg_dataplane *dataplane = NULL;
	struct cfg_server *server = NULL;
	struct cfg_client *client = NULL;
	struct cfg_ccd *ccd = NULL;
	struct cfg_error err;

	// Any result is right; the memory checkers look for what isn't.
	switch (kind % 5) {
	case 0: (void)cfg_server_parse(lines, CFG_LOAD_NO_FILES, notes, &server, &err); break;
	case 1: (void)cfg_client_parse(lines, CFG_LOAD_NO_FILES, notes, &client, &err); break;
	case 2: (void)cfg_ccd_parse(lines, notes, &ccd, &err); break;
	default: (void)cfg_dataplane_parse(lines, CFG_LOAD_NO_FILES, notes, &dataplane, &err);
	}
	cfg_server_free(server);
	cfg_client_free(client);
	cfg_ccd_free(ccd);
	cfg_dataplane_free(dataplane);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_notes notes = { 0 };
	struct cfg_lines lines;
	struct cfg_error err;
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	if (text == NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] % 5 == 4) {
		pushed(text);
	} else if (cfg_lines_init(&lines) == 0) {
		if (cfg_lines_add_text(&lines, "f", 1, text, size - 1, &err) == 0)
			load(data[0], &lines, &notes);
		cfg_lines_done(&lines);
	}
	cfg_notes_done(&notes);
	free(text);
	return 0;
}
