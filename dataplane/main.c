// SPDX-License-Identifier: BSD-3-Clause
// visp-dataplane: command line.
#include "dataplane/main.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/log.h"
#include "dataplane/privs.h"

static const char usage_text[] =
	"usage: visp-dataplane --config FILE [--check] [-- EAL-ARGUMENTS]\n"
	"\n"
	"Carries the packets of a Visp server through DPDK ports.\n"
	"\n"
	"  -c, --config FILE   dataplane.conf: socket, outer, inner, workers, sessions,\n"
	"                      hugepages, idle, outer-queues, control-user, drop-privileges\n"
	"      --check         read the configuration, look at devices and users, and end\n"
	"  -h, --help          this text\n"
	"  -V, --version       version\n"
	"\n"
	"What follows \"--\" goes to DPDK's EAL; nothing is needed there.\n"
	"SIGTERM and SIGINT end the program and remove all that it made; SIGQUIT ends it and\n"
	"leaves the sessions to the visp-dataplane that is started next.\n";

enum { OPT_CHECK = 256 };

struct options {
	const char *config;
	bool check;
};

// Returns 0 to go on, 1 when all is done, -EINVAL after a message.
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option list[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, OPT_CHECK },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+c:hV", list, NULL)) != -1) {
		switch (opt) {
		case 'c': o->config = optarg; break;
		case OPT_CHECK: o->check = true; break;
		case 'h': (void)fputs(usage_text, stdout); return 1;
		case 'V': (void)puts("visp-dataplane " VISP_VERSION); return 1;
		default: return -EINVAL; // getopt has said why
		}
	}
	if (o->config == NULL) {
		dp_log(DP_LOG_ERROR, "--config FILE is missing; see --help");
		return -EINVAL;
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		dp_log(DP_LOG_ERROR, "\"%s\" isn't understood; see --help", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

// Errors and remarks name file and line themselves.
static int load(const char *path, struct cfg_dataplane **ret_cfg)
{
	struct cfg_notes notes = { 0 };
	struct cfg_error err = { 0 };
	int rc = cfg_dataplane_load(path, &notes, ret_cfg, &err);
	bool said = false;

	for (size_t i = 0; i < notes.n; i++) {
		bool error = notes.list[i].kind == CFG_NOTE_ERROR;

		dp_log(error ? DP_LOG_ERROR : DP_LOG_NOTICE, "%s", notes.list[i].text);
		said |= error;
	}
	if (rc < 0 && !said)
		dp_log(DP_LOG_ERROR, "%s", err.text);
	cfg_notes_done(&notes);
	return rc;
}

// `log FILE`: standard error goes there, so that DPDK's messages do as well.
static int open_log(const char *path)
{
	int fd, rc = 0;

	if (path == NULL)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
		rc = -errno;
		dp_log(DP_LOG_ERROR, "log %s: %s", path, strerror(-rc));
	}
	if (fd >= 0)
		(void)close(fd); // standard error has its own copy
	return rc;
}

static int write_pid(const char *path)
{
	FILE *f;

	if (path == NULL)
		return 0;
	f = fopen(path, "we");
	if (f == NULL || fprintf(f, "%d\n", getpid()) < 0 || fclose(f) != 0) {
		int rc = -errno;

		dp_log(DP_LOG_ERROR, "writepid %s: %s", path, strerror(-rc));
		return rc;
	}
	return 0;
}

// A signal that ended the process now would leave the file; dp_main_start() serves them. Those by
// which net_tap's driver hears of packets stay off for good, in all threads: after the first of
// them it would read only when there was another, and port.c has them sent no more.
static void hold_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set); // these never fail for signals that exist
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGIO); // comes when no more of the others can be queued
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) {
		if (sig != DP_PRIVS_SIGNAL)
			(void)sigaddset(&set, sig);
	}
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int run(struct dp_main *m, const struct options *o, int eal_argc, char **eal_argv)
{
	int rc;

	dp_log_set_level(m->cfg->verb);
	if (o->check) {
		rc = dp_main_check(m);
		if (rc == 0)
			(void)printf("%s: ok\n", o->config);
		return rc;
	}
	hold_signals();
	rc = open_log(m->cfg->log);
	if (rc == 0)
		rc = write_pid(m->cfg->writepid);
	if (rc < 0)
		return rc;
	rc = dp_main_start(m, eal_argc, eal_argv);
	if (rc == 0)
		rc = dp_main_run(m);
	if (m->cfg->writepid != NULL) {
		(void)unlink(m->cfg->writepid); // may be the janitor's
		if (m->janitor.pid > 0)
			dp_janitor_remove(&m->janitor, m->cfg->writepid);
	}
	dp_main_done(m);
	return rc;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct dp_main *m;
	int rc = parse(argc, argv, &options);

	if (rc != 0)
		return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return EXIT_FAILURE;
	m->state.fd = m->loop.epoll_fd = m->signal_watch.fd = m->main_watch.fd = -1;
	m->link.listener.fd = -1;
	m->table.sessions_fd = m->table.keys_fd = -1;
	m->core.main_fd = -1;
	rc = load(options.config, &m->cfg);
	if (rc == 0)
		rc = run(m, &options, argc - optind, argv + optind);
	m->cfg = cfg_dataplane_free(m->cfg);
	free(m);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
