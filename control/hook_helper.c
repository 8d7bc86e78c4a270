// SPDX-License-Identifier: BSD-3-Clause
#include "control/hook_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/hook_run.h"
#include "control/privs.h"

#define LOOK_MS 50 // how often the files of deferred answers are looked at
#define LOOK_SHARE 4 // at most one part in five of the time, however many they are
#define REST_MS 1000

struct helper {
	const struct cfg_server *cfg;
	bool pam;
	int sock;
	int signals;
	pid_t daemon_pid;
	uint64_t start_s;
	uint64_t look_ms; // when the files of deferred answers are looked at next
	unsigned programs; // jobs with a pid
	struct ctl_hook_job jobs[CTL_HOOK_JOBS];
	uint8_t buf[CTL_HOOK_MESSAGE_MAX];
	char text[CTL_HOOK_ANSWER_MAX];
	uint8_t out[CTL_HOOK_ANSWER_MAX + 256];
};

// ---- Answers ---------------------------------------------------------------------------------

static void send_answer(struct helper *h, struct ctl_hook_message *m, uint64_t id)
{
	size_t len;

	m->id = id;
	m->timeout_ms = 0;
	m->n_env = 0;
	if (ctl_hook_build(m, h->out, sizeof(h->out), &len) < 0)
		return; // control's own time-out remains; not reached, for texts are bounded
	(void)send(h->sock, h->out, len, MSG_NOSIGNAL); // its end shows when we read
}

static void send_error(struct helper *h, uint64_t id, const char *text)
{
	struct ctl_hook_message m = { .what = CTL_HOOK_ERROR, .n_args = 1, .args = { text } };

	send_answer(h, &m, id);
}

static void end_job(struct helper *h, struct ctl_hook_job *job)
{
	if (job->pid > 0) {
		(void)kill(-job->pid, SIGKILL); // it may have ended this moment
		h->programs--;
	}
	ctl_hook_clear(job);
	// A program that was killed is still to be reaped; waitpid() finds no job for it then.
	*job = (struct ctl_hook_job){ 0 };
}

// ---- Requests --------------------------------------------------------------------------------

static struct ctl_hook_job *free_job(struct helper *h)
{
	for (unsigned i = 0; i < CTL_HOOK_JOBS; i++) {
		if (!h->jobs[i].used)
			return &h->jobs[i];
	}
	return NULL;
}

// Requests are taken only when they can be worked at. One whose program has ended and who decides
// later costs a place in the table, but isn't a program at work.
static bool has_room(struct helper *h)
{
	return h->programs < CTL_HOOK_PROGRAMS && free_job(h) != NULL;
}

static void cancel(struct helper *h, uint64_t id)
{
	for (unsigned i = 0; i < CTL_HOOK_JOBS; i++) {
		if (h->jobs[i].used && h->jobs[i].id == id)
			end_job(h, &h->jobs[i]);
	}
}

static void start(struct helper *h, const struct ctl_hook_message *m)
{
	struct ctl_hook_job *job = free_job(h);
	int rc;

	if (job == NULL || (m->what == CTL_HOOK_PAM) != h->pam) {
		send_error(h, m->id, "the helper can't do this");
		return;
	}
	job->id = m->id;
	job->kind = m->what;
	job->deadline_ms = ctl_now_ms() + m->timeout_ms;
	rc = ctl_hook_run(h->cfg, m, h->daemon_pid, h->start_s, job);
	if (rc < 0) {
		*job = (struct ctl_hook_job){ 0 };
		send_error(h, m->id, strerror(-rc));
		return;
	}
	job->used = true;
	h->programs++;
}

// Returns false at the end of the connection.
static bool receive(struct helper *h)
{
	struct ctl_hook_message m;
	ssize_t n = recv(h->sock, h->buf, sizeof(h->buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (ctl_hook_parse_request(h->buf, (size_t)n, &m) < 0)
		return true; // nobody to answer to: its id isn't known to be good
	if (m.what == CTL_HOOK_CANCEL)
		cancel(h, m.id);
	else
		start(h, &m);
	explicit_bzero(h->buf, (size_t)n);
	return true;
}

// ---- Programs --------------------------------------------------------------------------------

static void on_end(struct helper *h, pid_t pid, int status)
{
	struct ctl_hook_message m = { 0 };

	for (unsigned i = 0; i < CTL_HOOK_JOBS; i++) {
		struct ctl_hook_job *job = &h->jobs[i];

		if (!job->used || job->pid != pid)
			continue;
		bool decided = ctl_hook_ended(job, status, h->text, &m); // its pid is gone

		h->programs--;
		if (m.what != 0)
			send_answer(h, &m, job->id);
		if (decided)
			end_job(h, job);
		return;
	}
}

static void reap(struct helper *h)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(h->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_end(h, pid, status);
}

static void look(struct helper *h, struct ctl_hook_job *job, uint64_t now_ms)
{
	struct ctl_hook_message m = { 0 };
	bool decided;

	if (now_ms >= job->deadline_ms) {
		send_error(h, job->id, "the program took too long");
		end_job(h, job);
		return;
	}
	if (!job->deferred || now_ms < h->look_ms)
		return;
	decided = ctl_hook_look(job, h->text, &m);
	if (m.what != 0)
		send_answer(h, &m, job->id);
	if (decided)
		end_job(h, job);
}

static void look_all(struct helper *h)
{
	uint64_t now = ctl_now_ms();
	bool due = now >= h->look_ms;

	for (unsigned i = 0; i < CTL_HOOK_JOBS; i++) {
		if (h->jobs[i].used)
			look(h, &h->jobs[i], now);
	}
	if (due) {
		uint64_t end = ctl_now_ms();

		h->look_ms = end + LOOK_MS + LOOK_SHARE * (end - now);
	}
}

static int rest_ms(const struct helper *h)
{
	for (unsigned i = 0; i < CTL_HOOK_JOBS; i++) {
		if (h->jobs[i].used && h->jobs[i].deferred)
			return LOOK_MS;
	}
	return REST_MS;
}

static _Noreturn void run(struct helper *h)
{
	struct pollfd fds[2];

	for (;;) {
		fds[0] = (struct pollfd){ .fd = has_room(h) ? h->sock : -1, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = h->signals, .events = POLLIN };
		(void)poll(fds, 2, rest_ms(h)); // an interruption is as good as a time-out
		reap(h);
		if ((fds[0].revents & (POLLIN | POLLHUP)) != 0 && !receive(h))
			break;
		look_all(h);
	}
	for (unsigned i = 0; i < CTL_HOOK_JOBS; i++) {
		if (h->jobs[i].used)
			end_job(h, &h->jobs[i]);
	}
	_exit(0);
}

// ---- Start -----------------------------------------------------------------------------------

// In the new process: nothing of control but its configuration stays.
static _Noreturn void helper_main(const struct cfg_server *cfg, bool pam, int sock, pid_t parent)
{
	const struct rlimit none = { 0, 0 };
	struct helper *h = calloc(1, sizeof(*h));
	int null = open("/dev/null", O_RDONLY);
	sigset_t set;

	if (h == NULL || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
		dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(sock, 3) < 0)
		_exit(1);
	if (close_range(4, ~0u, 0) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0)
		_exit(1);
	if (!pam && ctl_privs_become(cfg) < 0)
		_exit(1);
	(void)setrlimit(RLIMIT_CORE, &none); // passwords pass through here; best effort
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, pam ? "visp-hook-pam" : "visp-hook"); // for people only
	(void)sigemptyset(&set); // doesn't fail, nor do the next ones
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM); // control's end shows as the end of the connection
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	h->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (h->signals < 0)
		_exit(1);
	h->cfg = cfg;
	h->pam = pam;
	h->sock = 3;
	h->daemon_pid = parent;
	h->start_s = ctl_wall_s();
	run(h);
}

int ctl_hook_fork(const struct cfg_server *cfg, bool pam, int *ret_fd, pid_t *ret_pid)
{
	pid_t parent = getpid();
	pid_t pid;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int rc = -errno;

		(void)close(fds[0]); // the first error counts
		(void)close(fds[1]);
		return rc;
	}
	if (pid == 0)
		helper_main(cfg, pam, fds[1], parent);
	(void)close(fds[1]); // the helper's
	*ret_fd = fds[0];
	*ret_pid = pid;
	return 0;
}
