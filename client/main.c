// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/event.h"
#include "client/log.h"
#include "config/client.h"

static const char usage[] =
	"Usage: visp-client --config FILE [--OPTION VALUE...]...\n"
	"\n"
	"Connects a laptop to a VPN concentrator: reads an ordinary .ovpn profile, speaks the\n"
	"OpenVPN protocol over UDP, and keeps the tunnel alive across changes of network.\n"
	"\n"
	"  --config FILE   the profile; a single argument without dashes is the same\n"
	"  --OPTION VALUE  any option of a profile, as it would stand there\n"
	"  --check         read the profile, say what has no effect, and end\n"
	"  --events FILE   write what happens, with times, as JSON lines (- is stdout)\n"
	"  --help          this text\n"
	"  --version       the version\n"
	"\n"
	"Own options: mobility aggressive|lazy|off, data-format v1|v2|epoch.\n"
	"Signals: SIGTERM and SIGINT leave, SIGHUP and SIGUSR1 connect anew, SIGUSR2 logs "
	"counters.\n"
	"Exit status: 0 after SIGTERM, 1 when the tunnel can't be had, 2 when the profile is "
	"wrong.\n";

// Take our own `--events FILE` out of the arguments: it isn't an option of profiles.
// Returns the new argc, or -1 when the file name is missing.
static int take_events(int argc, char **argv, const char **ret_path)
{
	int n = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--events") != 0) {
			argv[n++] = argv[i];
			continue;
		}
		if (i + 1 >= argc)
			return -1;
		*ret_path = argv[++i];
	}
	argv[n] = NULL;
	return n;
}

static void print_notes(struct cfg_notes *notes, bool all)
{
	for (size_t i = 0; i < notes->n; i++) {
		if (all || notes->list[i].kind != CFG_NOTE_IGNORED)
			vc_log(VC_WARN, "%s: %s", cfg_note_kind_name(notes->list[i].kind),
				notes->list[i].text);
	}
}

static int run(const struct cfg_client *cfg, const char *events)
{
	struct vc_log_options log = { .verb = cfg->verb,
		.stamps = cfg->log != NULL && !cfg->suppress_timestamps,
		.path = cfg->log,
		.append = cfg->log_append };
	int rc = vc_log_init(&log);

	if (rc < 0) {
		fprintf(stderr, "visp-client: can't open %s: %s\n", cfg->log, strerror(-rc));
		return 2;
	}
	if (events != NULL && (rc = vc_event_open(events)) < 0) {
		vc_log(VC_ERROR, "can't open %s: %s", events, strerror(-rc));
		return 2;
	}
	return vc_client_run(cfg);
}

int main(int argc, char **argv)
{
	const char *events = NULL;
	struct cfg_client *cfg = NULL;
	struct cfg_notes notes = { 0 };
	struct cfg_error err = { 0 };
	struct cfg_lines lines;
	struct cfg_cli cli;
	int status = 2;

	argc = take_events(argc, argv, &events);
	if (argc < 0) {
		fprintf(stderr, "visp-client: --events needs a file name\n");
		return 2;
	}
	if (cfg_lines_init(&lines) < 0)
		return 2;
	if (cfg_lines_add_argv(&lines, argc, argv, &cli, &err) < 0) {
		fprintf(stderr, "visp-client: %s\n", err.text);
		goto done;
	}
	if (cli.help || cli.version) {
		fputs(cli.help ? usage : "visp-client " VISP_VERSION "\n", stdout);
		status = 0;
		goto done;
	}
	if (lines.n == 0 && !cli.has_config) {
		fputs(usage, stderr);
		goto done;
	}
	if (cfg_client_parse(&lines, 0, &notes, &cfg, &err) < 0) {
		print_notes(&notes, false);
		if (notes.n == 0)
			fprintf(stderr, "visp-client: %s\n", err.text);
		goto done;
	}
	print_notes(&notes, cli.check || cfg->verb >= VC_DETAIL);
	status = cli.check ? 0 : run(cfg, events);

done:
	cfg_notes_done(&notes);
	cfg_lines_done(&lines);
	(void)cfg_client_free(cfg);
	return status;
}
