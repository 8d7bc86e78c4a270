// SPDX-License-Identifier: BSD-3-Clause
// Programs of the operator: command line, environment and files as OpenVPN 2.6 gives them.
#include "control/hook_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/server.h"

#define ENV_OWN 32 // variables that are made here
#define ENV_TEXT 320
#define EXIT_NO_PROGRAM 127 // what shells say when there is none

// ---- Files -----------------------------------------------------------------------------------

static int make_file(const struct cfg_server *cfg, const char *prefix, char *ret_path)
{
	int n = snprintf(
		ret_path, CTL_HOOK_PATH, "%s/openvpn_%s_XXXXXX.tmp", cfg->auth.tmp_dir, prefix);
	int fd;

	if (n < 0 || n >= CTL_HOOK_PATH) {
		ret_path[0] = '\0';
		return -ENAMETOOLONG;
	}
	fd = mkostemps(ret_path, 4, O_CLOEXEC); // mode 0600
	if (fd < 0)
		ret_path[0] = '\0';
	return fd < 0 ? -errno : fd;
}

static int make_empty(const struct cfg_server *cfg, const char *prefix, char *ret_path)
{
	int fd = make_file(cfg, prefix, ret_path);

	if (fd < 0)
		return fd;
	(void)close(fd); // nothing was written
	return 0;
}

static int make_userpass(const struct cfg_server *cfg, const struct ctl_hook_message *m, char *path)
{
	int fd = make_file(cfg, "up", path);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (dprintf(fd, "%s\n%s\n", m->args[0], m->args[1]) < 0)
		rc = -EIO;
	(void)close(fd); // dprintf has written
	return rc;
}

static int make_files(const struct cfg_server *cfg, const struct ctl_hook_message *m,
	struct ctl_hook_files *files)
{
	int rc = 0;

	if (m->what == CTL_HOOK_USER && cfg->auth.verify_user_via_file)
		rc = make_userpass(cfg, m, files->userpass);
	if (rc == 0 && m->what == CTL_HOOK_USER) {
		rc = make_empty(cfg, "acf", files->control);
		if (rc == 0)
			rc = make_empty(cfg, "apf", files->pending);
		if (rc == 0)
			rc = make_empty(cfg, "afr", files->reason);
	}
	if (rc == 0 && m->what == CTL_HOOK_CONNECT) {
		rc = make_empty(cfg, "cc", files->config);
		if (rc == 0)
			rc = make_empty(cfg, "ccr", files->verdict);
	}
	return rc;
}

static void remove_file(char *path)
{
	if (path[0] != '\0')
		(void)unlink(path); // the program may have removed it
	path[0] = '\0';
}

void ctl_hook_clear(struct ctl_hook_job *job)
{
	remove_file(job->files.userpass);
	remove_file(job->files.control);
	remove_file(job->files.pending);
	remove_file(job->files.reason);
	remove_file(job->files.config);
	remove_file(job->files.verdict);
}

// Text of a small file, "" when it is empty or gone; what is longer than size - 1 is cut. Returns
// how many bytes were read.
static size_t read_file(const char *path, char *text, size_t size)
{
	int fd = path[0] != '\0' ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;

	if (fd >= 0)
		(void)close(fd); // only read from
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

// ---- Environment -----------------------------------------------------------------------------

struct env {
	const char *list[CTL_HOOK_ENV_MAX + ENV_OWN + 64 + 1];
	size_t n;
	char text[ENV_OWN][ENV_TEXT];
	size_t n_text;
};

static void env_add(struct env *env, const char *name, const char *value)
{
	char *text = env->text[env->n_text];

	if (env->n_text == ENV_OWN)
		return; // not reached: there are fewer
	(void)snprintf(text, ENV_TEXT, "%s=%s", name, value); // long paths are cut
	env->n_text++;
	env->list[env->n++] = text;
}

static void env_number(struct env *env, const char *name, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value); // fits
	env_add(env, name, text);
}

// What OpenVPN tells every program about the server itself.
static void env_server(
	struct env *env, const struct cfg_server *cfg, pid_t daemon_pid, uint64_t start_s)
{
	const struct cfg_listen *listen = &cfg->listens[0];
	struct cfg_addr mask = { .family = cfg->address.family };
	char text[CFG_ADDR_TEXT];

	for (unsigned bit = 0; bit < cfg->address.prefix; bit++)
		mask.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	env_add(env, "config", cfg->file != NULL ? cfg->file : "");
	env_add(env, "daemon", "0");
	env_add(env, "daemon_log_redirect", cfg->log != NULL ? "1" : "0");
	env_number(env, "daemon_pid", (uint64_t)daemon_pid);
	env_number(env, "daemon_start_time", start_s);
	env_add(env, "dev", cfg->dev != NULL ? cfg->dev : "tun");
	env_add(env, "dev_type", "tun");
	env_add(env, "ifconfig_local", cfg_addr_text(&cfg->address, false, text));
	env_add(env, "ifconfig_netmask", cfg_addr_text(&mask, false, text));
	if (listen->addr.family != 0)
		env_add(env, "local_1", cfg_addr_text(&listen->addr, false, text));
	env_number(env, "local_port_1", listen->port);
	env_add(env, "proto_1", "udp");
	env_add(env, "redirect_gateway", "0");
	env_number(env, "remote_port_1", listen->port);
	env_add(env, "script_context", "init");
	env_number(env, "tun_mtu", cfg->tun_mtu);
	env_number(env, "verb", cfg->verb);
}

static void env_request(struct env *env, const struct cfg_server *cfg,
	const struct ctl_hook_message *m, const struct ctl_hook_files *files)
{
	static const char *const types[CTL_HOOK_KIND_END] = {
		[CTL_HOOK_USER] = "user-pass-verify",
		[CTL_HOOK_TLS_VERIFY] = "tls-verify",
		[CTL_HOOK_CONNECT] = "client-connect",
		[CTL_HOOK_DISCONNECT] = "client-disconnect",
		[CTL_HOOK_LEARN] = "learn-address",
	};

	env_add(env, "script_type", types[m->what]);
	if (m->what == CTL_HOOK_USER) {
		env_add(env, "auth_control_file", files->control);
		env_add(env, "auth_pending_file", files->pending);
		env_add(env, "auth_failed_reason_file", files->reason);
	} else if (m->what == CTL_HOOK_CONNECT) {
		env_add(env, "client_connect_config_file", files->config);
		env_add(env, "client_connect_deferred_file", files->verdict);
	}
	for (size_t i = 0; i < cfg->auth.n_setenv; i++)
		env->list[env->n++] = cfg->auth.setenv[i];
	for (uint32_t i = 0; i < m->n_env; i++)
		env->list[env->n++] = m->env[i];
}

// ---- Running ---------------------------------------------------------------------------------

static const struct cfg_command *command_of(const struct cfg_server *cfg, uint32_t kind)
{
	switch (kind) {
	case CTL_HOOK_USER: return &cfg->auth.verify_user;
	case CTL_HOOK_TLS_VERIFY: return &cfg->auth.tls_verify;
	case CTL_HOOK_CONNECT: return &cfg->auth.client_connect;
	case CTL_HOOK_DISCONNECT: return &cfg->auth.client_disconnect;
	case CTL_HOOK_LEARN: return &cfg->auth.learn_address;
	default: return NULL;
	}
}

// Append what a program gets behind the words of its directive. Returns how many there are then.
static size_t add_args(const char **argv, size_t n, const struct ctl_hook_message *m,
	const struct ctl_hook_files *files)
{
	if (m->what == CTL_HOOK_USER && files->userpass[0] != '\0')
		argv[n++] = files->userpass;
	if (m->what == CTL_HOOK_CONNECT)
		argv[n++] = files->config;
	if (m->what == CTL_HOOK_TLS_VERIFY || m->what == CTL_HOOK_LEARN) {
		argv[n++] = m->args[0];
		argv[n++] = m->args[1];
	}
	// A delete tells no name, as nobody has the address any more.
	if (m->what == CTL_HOOK_LEARN && strcmp(m->args[0], "delete") != 0)
		argv[n++] = m->args[2];
	return n;
}

// In the new process.
static _Noreturn void become(const struct cfg_server *cfg, const struct ctl_hook_message *m,
	pid_t daemon_pid, uint64_t start_s, const struct ctl_hook_files *files)
{
	static struct env env;
	const struct cfg_command *command = command_of(cfg, m->what);
	const char *argv[CFG_COMMAND_ARGS + 4];
	size_t n = 0;
	sigset_t none;

	(void)setpgid(0, 0); // a group of its own, so that all of it can be ended
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	while (command->argv[n] != NULL) {
		argv[n] = command->argv[n];
		n++;
	}
	n = add_args(argv, n, m, files);
	argv[n] = NULL;
	env_server(&env, cfg, daemon_pid, start_s);
	env_request(&env, cfg, m, files);
	env.list[env.n] = NULL;
	(void)execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env.list);
	_exit(EXIT_NO_PROGRAM);
}

int ctl_hook_run(const struct cfg_server *cfg, const struct ctl_hook_message *m, pid_t daemon_pid,
	uint64_t start_s, struct ctl_hook_job *job)
{
	const struct cfg_command *command = command_of(cfg, m->what);
	int rc = 0;

	if (m->what != CTL_HOOK_PAM && (command == NULL || command->argv[0] == NULL))
		return -EINVAL;
	if (m->what != CTL_HOOK_PAM)
		rc = make_files(cfg, m, &job->files);
	if (rc == 0) {
		job->pid = fork();
		rc = job->pid < 0 ? -errno : 0;
	}
	if (rc < 0) {
		ctl_hook_clear(job);
		return rc;
	}
	if (job->pid > 0) {
		(void)setpgid(job->pid, job->pid); // whoever is first
		return 0;
	}
	if (m->what != CTL_HOOK_PAM)
		become(cfg, m, daemon_pid, start_s, &job->files);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(ctl_hook_pam(cfg, m));
}

// ---- What it said ----------------------------------------------------------------------------

static void answer(struct ctl_hook_message *m, enum ctl_hook_result what, const char *text)
{
	m->what = what;
	m->n_args = 1;
	m->args[0] = text;
}

static void answer_refused(struct ctl_hook_job *job, char *text, struct ctl_hook_message *m)
{
	(void)read_file(job->files.reason, text, CTL_HOOK_TEXT_MAX);
	answer(m, CTL_HOOK_REFUSED, text);
}

static void answer_ok(struct ctl_hook_message *m)
{
	m->what = CTL_HOOK_OK;
	m->n_args = 0;
}

bool ctl_hook_split_pending(char *text, struct ctl_hook_message *ret_answer)
{
	char *save = NULL;

	ret_answer->n_args = 0;
	for (char *line = strtok_r(text, "\n", &save); line != NULL && ret_answer->n_args < 3;
		line = strtok_r(NULL, "\n", &save))
		ret_answer->args[ret_answer->n_args++] = line;
	ret_answer->what = CTL_HOOK_PENDING;
	return ret_answer->n_args == 3;
}

// client-connect said yes: hand over what it wrote.
static void answer_config(struct ctl_hook_job *job, char *text, struct ctl_hook_message *m)
{
	size_t n = read_file(job->files.config, text, CTL_HOOK_ANSWER_MAX);

	answer(m, CTL_HOOK_CONFIG, text);
	if (n == CTL_HOOK_ANSWER_MAX - 1)
		answer(m, CTL_HOOK_ERROR, "client-connect has written more than 16382 bytes");
	else if (strlen(text) != n)
		answer(m, CTL_HOOK_ERROR, "client-connect has written a NUL");
}

// The first character of client_connect_deferred_file decides. None counts as yes when the program
// ends; later it is one that is being written.
static bool look_connect(struct ctl_hook_job *job, char *text, struct ctl_hook_message *ret_answer)
{
	char verdict;

	(void)read_file(job->files.verdict, text, CTL_HOOK_TEXT_MAX);
	verdict = text[0];
	if (verdict == '\0' && !job->deferred)
		verdict = '1';
	job->deferred = verdict == '\0' || verdict == '2';
	if (job->deferred)
		return false;
	if (verdict == '1')
		answer_config(job, text, ret_answer);
	else if (verdict == '0')
		answer(ret_answer, CTL_HOOK_REFUSED, "");
	else
		answer(ret_answer, CTL_HOOK_ERROR,
			"client_connect_deferred_file begins with none of 0, 1, 2");
	return true;
}

bool ctl_hook_look(struct ctl_hook_job *job, char *text, struct ctl_hook_message *ret_answer)
{
	ret_answer->what = 0;
	if (job->kind == CTL_HOOK_CONNECT)
		return look_connect(job, text, ret_answer);
	(void)read_file(job->files.control, text, CTL_HOOK_TEXT_MAX);
	if (text[0] == '1') {
		answer_ok(ret_answer);
		return true;
	}
	if (text[0] == '0') {
		answer_refused(job, text, ret_answer);
		return true;
	}
	if (job->told_pending)
		return false;
	(void)read_file(job->files.pending, text, CTL_HOOK_TEXT_MAX);
	if (text[0] == '\0')
		return false;
	job->told_pending = true;
	if (ctl_hook_split_pending(text, ret_answer))
		return false;
	answer(ret_answer, CTL_HOOK_ERROR, "auth_pending_file has less than three lines");
	return true;
}

bool ctl_hook_ended(
	struct ctl_hook_job *job, int status, char *text, struct ctl_hook_message *ret_answer)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	job->pid = 0;
	remove_file(job->files.userpass);
	ret_answer->what = 0;
	if (code == 0 && job->kind == CTL_HOOK_CONNECT)
		return look_connect(job, text, ret_answer);
	if (code == 0) {
		answer_ok(ret_answer);
		return true;
	}
	if (code == 2 && job->kind == CTL_HOOK_USER) {
		job->deferred = true;
		return ctl_hook_look(job, text, ret_answer);
	}
	if (job->kind == CTL_HOOK_PAM && code == 3)
		answer(ret_answer, CTL_HOOK_ERROR, "PAM can't be asked");
	else if (code == EXIT_NO_PROGRAM)
		answer(ret_answer, CTL_HOOK_ERROR, "the program can't be run");
	else if (code < 0)
		answer(ret_answer, CTL_HOOK_ERROR, "the program was killed");
	else
		answer_refused(job, text, ret_answer);
	return true;
}
