// SPDX-License-Identifier: BSD-3-Clause
#include "control/janitor.h"

#include <cap-ng.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

// An unprivileged user with the one right to remove files from folders of others, and only the
// system calls for that. Failing here leaves a janitor that may do more; it still does the same.
static void confine(void)
{
	const struct passwd *pw = getpwnam("nobody");
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	static const int calls[] = { SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(unlink),
		SCMP_SYS(unlinkat), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
		SCMP_SYS(rt_sigreturn) };

	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_OVERRIDE);
	if (pw != NULL)
		(void)capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
			CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	for (size_t i = 0; filter != NULL && i < sizeof(calls) / sizeof(calls[0]); i++)
		(void)seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (filter != NULL)
		(void)seccomp_load(filter);
}

static _Noreturn void wait_and_clean(int fd, char paths[CTL_JANITOR_FILES][PATH_MAX])
{
	char byte;
	ssize_t n;

	(void)prctl(PR_SET_NAME, "visp-janitor");
	(void)setsid(); // Ctrl-C is for visp-control
	confine();
	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	// The end of the file alone means that visp-control was killed: its successor may already
	// use the same names.
	for (unsigned i = 0; n == 1 && i < CTL_JANITOR_FILES; i++) {
		if (paths[i][0] != '\0')
			(void)unlink(paths[i]); // it may be gone
	}
	if (n == 1)
		(void)write(fd, &byte, 1); // who waits sees the end anyway
	_exit(0);
}

int ctl_janitor_start(struct ctl_janitor *janitor, const char *const *files)
{
	char paths[CTL_JANITOR_FILES][PATH_MAX] = { { 0 } };
	int pair[2];
	pid_t pid;
	int rc;

	janitor->fd = -1;
	if (geteuid() != 0)
		return 0;
	for (unsigned i = 0; i < CTL_JANITOR_FILES && files[i] != NULL; i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s", files[i]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		rc = -errno;
		(void)close(pair[0]); // nothing was sent
		(void)close(pair[1]);
		return rc;
	}
	if (pid == 0) {
		(void)close_range(3, (unsigned)pair[1] - 1, 0); // nothing else is its business
		(void)close_range((unsigned)pair[1] + 1, UINT32_MAX, 0);
		wait_and_clean(pair[1], paths);
	}
	(void)close(pair[1]); // the child's end
	janitor->fd = pair[0];
	return 0;
}

void ctl_janitor_clean(struct ctl_janitor *janitor)
{
	char byte = 'c';

	if (janitor->fd < 0)
		return;
	// Both fail only when the child is gone.
	if (write(janitor->fd, &byte, 1) == 1)
		(void)!read(janitor->fd, &byte, 1);
	(void)close(janitor->fd);
	janitor->fd = -1;
}
