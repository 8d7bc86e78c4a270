// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/privs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cap-ng.h>

#include "dataplane/eal.h"
#include "dataplane/log.h"
#include "dataplane/syscalls.h"

#define KEEP (1u << CAP_NET_ADMIN | 1u << CAP_NET_BIND_SERVICE)
#define THREADS_MS 1000 // how long threads have for taking part

void dp_privs_no_dumps(void)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		dp_log(DP_LOG_NOTICE, "core dumps stay possible: %s", strerror(errno));
}

void dp_privs_many_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return; // what is said when one can't be opened is enough
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); // as above
}

// ---- Janitor ---------------------------------------------------------------------------------

// Read paths until the other end closes; nothing else in here, so nothing can go wrong as root.
static void janitor_run(int fd)
{
	char path[512];
	size_t n = 0;

	while (read(fd, path + n, 1) == 1) {
		if (path[n] != '\0') {
			n = n < sizeof(path) - 1 ? n + 1 : n;
			continue;
		}
		if (n > 1 && path[n - 1] == '/') {
			path[n - 1] = '\0';
			dp_eal_remove_files(path);
		} else {
			// One that is gone already is fine, a folder that others use stays.
			if (unlink(path) < 0 && errno == EISDIR)
				(void)rmdir(path);
		}
		n = 0;
	}
	_exit(0);
}

int dp_janitor_start(struct dp_janitor *janitor)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int rc = -errno;

		(void)close(fds[0]); // nobody has it
		(void)close(fds[1]);
		return rc;
	}
	if (pid == 0) {
		(void)close(fds[1]); // else the end of the parent wouldn't show
		(void)signal(SIGINT, SIG_IGN); // the terminal's Ctrl-C is for the parent
		(void)signal(SIGTERM, SIG_IGN);
		(void)prctl(PR_SET_NAME, "visp-janitor");
		janitor_run(fds[0]);
	}
	(void)close(fds[0]); // the child's
	*janitor = (struct dp_janitor){ .pid = pid, .fd = fds[1] };
	return 0;
}

void dp_janitor_remove(struct dp_janitor *janitor, const char *path)
{
	if (janitor->pid > 0 && write(janitor->fd, path, strlen(path) + 1) < 0)
		dp_log(DP_LOG_NOTICE, "%s stays: %s", path, strerror(errno));
}

void dp_janitor_stop(struct dp_janitor *janitor)
{
	if (janitor->pid <= 0)
		return;
	(void)close(janitor->fd); // its sign to end
	(void)waitpid(janitor->pid, NULL, 0);
	janitor->pid = 0;
}

// ---- Capabilities of all threads ---------------------------------------------------------------

// Capabilities belong to threads, and EAL has started some as root. Each is sent a signal whose
// handler changes it with plain system calls, as the C library does for setuid().
static struct {
	uid_t uid;
	gid_t gid;
	bool change_id;
	_Atomic int done;
	_Atomic int failed; // errno of a thread that couldn't
} order;

static int apply_here(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = KEEP, .permitted = KEEP } };

	if (order.change_id &&
		(prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
			syscall(SYS_setresgid, order.gid, order.gid, order.gid) < 0 ||
			syscall(SYS_setresuid, order.uid, order.uid, order.uid) < 0))
		return -errno;
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static void on_signal(int sig)
{
	int saved = errno;
	int rc = apply_here();

	(void)sig;
	if (rc < 0)
		atomic_store(&order.failed, -rc);
	atomic_fetch_add(&order.done, 1);
	errno = saved;
}

// Signal all other threads. Returns how many there are, or -errno.
static int signal_threads(int sig)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		pid_t tid = atoi(entry->d_name); // "." and ".." give 0

		if (tid <= 0 || tid == gettid())
			continue;
		if (syscall(SYS_tgkill, getpid(), tid, sig) == 0)
			n++;
	}
	(void)closedir(dir); // read only
	return n;
}

static int apply_everywhere(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int sig = DP_PRIVS_SIGNAL;
	int n;

	if (sigaction(sig, &action, NULL) < 0)
		return -errno;
	n = signal_threads(sig);
	if (n < 0)
		return n;
	for (int i = 0; i < THREADS_MS && atomic_load(&order.done) < n; i++)
		(void)nanosleep(&pause, NULL); // a shorter pause is fine
	(void)signal(sig, SIG_IGN);
	if (atomic_load(&order.done) < n)
		return -ETIMEDOUT;
	if (atomic_load(&order.failed) != 0)
		return -atomic_load(&order.failed);
	return apply_here(); // last, as the others needed our rights to be signalled
}

int dp_privs_drop(const char *user)
{
	const struct passwd *pw;
	int rc = 0;

	if (user != NULL) {
		pw = getpwnam(user);
		if (pw == NULL) {
			dp_log(DP_LOG_ERROR, "drop-privileges: no user \"%s\" on this host", user);
			return -ENOENT;
		}
		order.uid = pw->pw_uid;
		order.gid = pw->pw_gid;
		order.change_id = true;
	}
	if (geteuid() == 0) {
		// The bounding set first: changing it needs what is given away next.
		capng_clear(CAPNG_SELECT_BOTH);
		(void)capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN,
			CAP_NET_BIND_SERVICE, CAP_SETPCAP, CAP_SETUID, CAP_SETGID, CAP_KILL, -1);
		if (capng_apply(CAPNG_SELECT_BOTH) < 0)
			dp_log(DP_LOG_NOTICE, "the bounding set of capabilities stays as it is");
		rc = apply_everywhere();
	}
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "privileges can't be dropped: %s", strerror(-rc));
		return rc;
	}
	return dp_seccomp_apply();
}
