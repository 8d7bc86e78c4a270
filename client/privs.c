// SPDX-License-Identifier: BSD-3-Clause
#include "client/privs.h"

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

// All that the event loop, the resolver's threads and the clean-up at the end call. No program is
// started, nothing is mounted, no other process is touched.
static const int allowed[] = {
	// files: resolv.conf, /proc/sys, the instance's file, the log
	SCMP_SYS(access), SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(dup3), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(fstat),
	SCMP_SYS(ftruncate), SCMP_SYS(getdents64), SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_rm_watch), SCMP_SYS(ioctl), SCMP_SYS(lseek),
	SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(readv), SCMP_SYS(rmdir), SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(write), SCMP_SYS(writev),
	// sockets
	SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown), SCMP_SYS(socket), SCMP_SYS(socketpair),
	// waiting, time, chance
	SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2), SCMP_SYS(getrandom), SCMP_SYS(gettimeofday), SCMP_SYS(nanosleep),
	SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(restart_syscall),
	SCMP_SYS(select), SCMP_SYS(time),
	// memory, threads, signals
	SCMP_SYS(brk), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(futex), SCMP_SYS(get_robust_list), SCMP_SYS(getegid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getresgid),
	SCMP_SYS(getresuid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(madvise),
	SCMP_SYS(membarrier), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
	SCMP_SYS(munmap), SCMP_SYS(prctl), SCMP_SYS(prlimit64), SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list),
	SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo), SCMP_SYS(tgkill), SCMP_SYS(uname)
};

static int drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN, -1) < 0)
		return -EPERM;
	// The bounding set needs CAP_SETPCAP, which root in a container may lack.
	if (capng_apply(CAPNG_SELECT_BOTH) < 0 && capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
}

// What isn't on the list fails with EPERM instead of killing: a library that asks for something
// new must not take a laptop off the net.
static int filter_calls(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = ctx != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	return rc;
}

int vc_privs_drop(void)
{
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno; // keys belong in no core file
	rc = drop_capabilities();
	return rc < 0 ? rc : filter_calls();
}
