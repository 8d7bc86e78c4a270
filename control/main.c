// SPDX-License-Identifier: BSD-3-Clause
// visp-control: start, run, end.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "config/server.h"
#include "control/auth.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/hash.h"
#include "control/hook.h"
#include "control/log.h"
#include "control/mgmt.h"
#include "control/peer.h"
#include "control/policy.h"
#include "control/privs.h"
#include "control/tls_pool.h"
#include "control/tls_setup.h"
#include "control/tunnel.h"
#include "protocol/options_string.h"

static void usage(FILE *to)
{
	(void)fputs("usage: visp-control --config FILE [--check]\n"
		    "\n"
		    "The OpenVPN control channel of a Visp server; FILE is an OpenVPN-style "
		    "server.conf.\n"
		    "\n"
		    "  --config FILE  read this configuration\n"
		    "  --check        only say what is wrong with it\n"
		    "  --help         this text\n"
		    "  --version      the version\n",
		to);
}

struct arguments {
	const char *config;
	bool check;
};

// Returns 0 to go on, 1 when the program is done, -1 for wrong arguments.
static int parse_arguments(int argc, char **argv, struct arguments *ret_args)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hv", options, NULL)) != -1) {
		switch (c) {
		case 'c': ret_args->config = optarg; break;
		case 'k': ret_args->check = true; break;
		case 'h': usage(stdout); return 1;
		case 'v': (void)puts("visp-control " VISP_VERSION); return 1;
		default: usage(stderr); return -1;
		}
	}
	if (ret_args->config == NULL || optind != argc) {
		usage(stderr);
		return -1;
	}
	return 0;
}

static int load_config(const struct arguments *args, struct cfg_server **ret_cfg)
{
	struct cfg_notes notes = { 0 };
	struct cfg_error err;
	int rc = cfg_server_load(args->config, &notes, ret_cfg, &err);

	for (size_t i = 0; i < notes.n; i++)
		(void)fprintf(stderr, "%s: %s\n", cfg_note_kind_name(notes.list[i].kind),
			notes.list[i].text);
	if (rc < 0 && notes.n == 0)
		(void)fprintf(stderr, "error: %s\n", err.text);
	cfg_notes_done(&notes);
	return rc;
}

// ---- Set-up ----------------------------------------------------------------------------------

static void make_options(struct ctl *ctl)
{
	const struct cfg_tls *t = &ctl->cfg->tls;
	struct ovpn_options o = { .server = true,
		.tls_auth = ctl->wrap.tls_auth_set,
		.key_direction = ctl->wrap.tls_auth_set ? t->wrap.key_direction : -1,
		.tun_mtu = ctl->cfg->tun_mtu,
		.cipher = OVPN_CIPHER_BF_CBC,
		.digest = OVPN_DIGEST_SHA1 };

	if (t->auth != NULL)
		(void)ovpn_digest_by_name(t->auth, strlen(t->auth), &o.digest); // config checked
	if (t->cipher != NULL && ovpn_cipher_by_name(t->cipher, strlen(t->cipher), &o.cipher) == 0)
		o.show_cipher = ovpn_ncp_contains(&ctl->ciphers, o.cipher);
	if (ovpn_options_build(&o, ctl->options, sizeof(ctl->options), NULL) < 0)
		ctl->options[0] = '\0';
}

static int make_ciphers(struct ctl *ctl)
{
	const char *list = ctl->cfg->tls.data_ciphers;
	int rc = ovpn_ncp_parse(
		list, strlen(list), OVPN_CIPHERS_AEAD | OVPN_CIPHERS_LEGACY, &ctl->ciphers, NULL);

	if (rc < 0)
		ctl_log(CTL_ERROR, "data-ciphers: none of %s can be used", list);
	return rc;
}

static void make_channel_config(struct ctl *ctl)
{
	ctl->channel4 = (struct ovpn_channel_config){ .max_packet = OVPN_CONTROL_MTU_DEFAULT,
		.retransmit_ms = ctl->cfg->tls.tls_timeout_s * 1000 };
	ctl->channel6 = ctl->channel4;
	ctl->channel6.ipv6 = true;
}

static unsigned tls_threads(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 2 ? (unsigned)cpus - 1 : 2;
}

static void on_stop_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	ctl_stop_begin(handle->data);
}

static void on_reload_signal(uv_signal_t *handle, int signum)
{
	struct ctl *ctl = handle->data;

	(void)signum;
	ctl->policy_next_ms = 0; // the next tick looks at the CRL
}

// While there are files that only a clean end removes, but no loop yet that could bring it about,
// the signals that ask for one wait.
static void hold_signals(int how)
{
	sigset_t set;

	(void)sigemptyset(&set); // none of these fails for numbers that exist
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(how, &set, NULL);
}

static int watch_signals(struct ctl *ctl)
{
	const struct {
		uv_signal_t *handle;
		uv_signal_cb cb;
		int signum;
	} list[] = {
		{ &ctl->sigterm, on_stop_signal, SIGTERM },
		{ &ctl->sigint, on_stop_signal, SIGINT },
		{ &ctl->sighup, on_reload_signal, SIGHUP },
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && rc == 0; i++) {
		rc = uv_signal_init(ctl->loop, list[i].handle);
		list[i].handle->data = ctl;
		if (rc == 0)
			rc = uv_signal_start(list[i].handle, list[i].cb, list[i].signum);
	}
	if (rc == 0)
		hold_signals(SIG_UNBLOCK);
	return rc;
}

// Everything that needs files or rights; no byte of the network is looked at before its end.
static int set_up(struct ctl *ctl)
{
	int rc = ctl_log_open(ctl->cfg->log, ctl->cfg->log_append, ctl->cfg->verb,
		!ctl->cfg->suppress_timestamps);

	if (rc < 0) {
		ctl_log(CTL_ERROR, "log file can't be opened path=%s error=\"%s\"", ctl->cfg->log,
			strerror(-rc));
		return rc;
	}
	rc = ctl_hash_seed();
	if (rc == 0)
		rc = make_ciphers(ctl);
	if (rc == 0)
		rc = ctl_tls_setup(ctl);
	if (rc == 0)
		rc = ctl_tunnels_load(ctl);
	if (rc < 0)
		return rc;
	make_options(ctl);
	make_channel_config(ctl);
	rc = ctl_policy_create(ctl->cfg, &ctl->policy);
	hold_signals(SIG_BLOCK);
	if (rc == 0)
		rc = ctl_auth_setup(ctl);
	if (rc == 0)
		rc = ctl_hooks_create(ctl, &ctl->hooks);
	if (rc == 0)
		rc = ctl_mgmt_open(ctl);
	if (rc == 0)
		rc = ctl_privs_drop(ctl->cfg);
	return rc;
}

static int start(struct ctl *ctl)
{
	int rc = watch_signals(ctl);

	if (rc == 0)
		rc = ctl_timer_start(ctl);
	if (rc == 0)
		rc = ctl_link_init(&ctl->link, ctl);
	if (rc < 0)
		return rc;
	ctl->tls_pool = ctl_tls_pool_create(ctl->loop, tls_threads());
	if (ctl->tls_pool == NULL)
		return -errno;
	rc = ctl_mgmt_start(ctl);
	if (rc == 0)
		rc = ctl_hooks_start(ctl->hooks);
	if (rc == 0)
		rc = ctl_privs_confine();
	if (rc == 0)
		ctl_link_start(&ctl->link);
	return rc;
}

// ---- End -------------------------------------------------------------------------------------

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void tear_down(struct ctl *ctl)
{
	ctl_visits_close(ctl);
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		if (ctl->table.by_slot[slot] != NULL)
			ctl_peer_drop(ctl, ctl->table.by_slot[slot]);
	}
	while (ctl->active != NULL)
		ctl_peer_drop(ctl, ctl->active);
	ctl_peer_reap(ctl);
	ctl_command_fail_all(ctl);
	ctl->hooks = ctl_hooks_free(ctl->hooks);
	ctl_mgmt_stop(ctl);
	if (ctl->link.ctl != NULL)
		ctl_link_stop(&ctl->link);
	ctl->tls_pool = ctl_tls_pool_free(ctl->tls_pool);
	(void)uv_run(ctl->loop, UV_RUN_NOWAIT); // closed handles get their callbacks
	uv_walk(ctl->loop, close_handle, NULL);
	(void)uv_run(ctl->loop, UV_RUN_DEFAULT);
	ctl_records_done(&ctl->records);
	ctl_slots_done(&ctl->slots);
	ctl_table_done(&ctl->table);
	ctl_nego_spares_free(ctl);
	ctl->policy = ctl_policy_free(ctl->policy);
	ctl_tunnels_done(ctl);
	ctl_tls_teardown(ctl);
}

static int run(struct cfg_server *cfg)
{
	struct ctl *ctl = calloc(1, sizeof(*ctl));
	uv_loop_t loop;
	int rc;
	int status;

	if (ctl == NULL || uv_loop_init(&loop) < 0) {
		free(ctl);
		(void)fputs("error: out of memory\n", stderr);
		return 1;
	}
	ctl->loop = &loop;
	ctl->cfg = cfg;
	ctl->started_wall_s = ctl_wall_s();
	rc = set_up(ctl);
	if (rc == 0)
		rc = start(ctl);
	if (rc == 0) {
		ctl_log(CTL_INFO, "visp-control %s started pid=%d", VISP_VERSION, getpid());
		(void)uv_run(&loop, UV_RUN_DEFAULT);
	} else {
		ctl_log(CTL_ERROR, "not started error=\"%s\"", strerror(-rc));
		ctl->exit_status = 1;
	}
	tear_down(ctl);
	status = ctl->exit_status;
	if (rc == 0)
		ctl_log(CTL_INFO, "visp-control ended");
	(void)uv_loop_close(&loop);
	explicit_bzero(ctl, sizeof(*ctl));
	free(ctl);
	ctl_log_close();
	return status;
}

int main(int argc, char **argv)
{
	struct arguments args = { 0 };
	struct cfg_server *cfg = NULL;
	int rc = parse_arguments(argc, argv, &args);
	int status;

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	(void)prctl(PR_SET_DUMPABLE, 0); // keys are in this process; best effort
	if (load_config(&args, &cfg) < 0)
		return 1;
	status = args.check ? 0 : run(cfg);
	cfg_server_free(cfg);
	return status;
}
