// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

int dp_loop_init(struct dp_loop *loop)
{
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll_fd < 0 ? -errno : 0;
}

void dp_loop_done(struct dp_loop *loop)
{
	if (loop->epoll_fd >= 0)
		(void)close(loop->epoll_fd); // holds nothing that could be lost
	loop->epoll_fd = -1;
}

int dp_loop_add(struct dp_loop *loop, struct dp_watch *watch, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = watch };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &ev) < 0 ? -errno : 0;
}

void dp_loop_del(struct dp_loop *loop, struct dp_watch *watch)
{
	if (watch->fd >= 0)
		(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); // maybe not added
}

int dp_loop_wait(struct dp_loop *loop, uint64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout_ns / NS_PER_S),
		.tv_nsec = (long)(timeout_ns % NS_PER_S) };
	struct epoll_event ev;
	struct dp_watch *watch;
	int n = epoll_pwait2(loop->epoll_fd, &ev, 1, &ts, NULL);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return 0;
	watch = ev.data.ptr;
	watch->ready(watch->arg, ev.events);
	return 1;
}
