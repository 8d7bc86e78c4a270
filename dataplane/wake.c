// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/dp.h"
#include "dataplane/worker.h"

int dp_wake_open(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void dp_wake_fd(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return; // EAGAIN: the counter is full, so the reader is awake or about to be
}

void dp_wake_drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return; // EAGAIN: somebody wrote the flag but not yet the descriptor
}

void dp_main_wake(struct dp_core *core)
{
	if (shm_wake_needed(&core->main_sleeps))
		dp_wake_fd(core->main_fd);
}

bool dp_wake_main_begin(struct dp_core *core)
{
	shm_sleep_begin(&core->main_sleeps);
	for (uint16_t i = 0; i < core->workers; i++) {
		if (atomic_load_explicit(&core->worker[i]->main_attention, memory_order_relaxed))
			return true;
	}
	return false;
}

void dp_wake_main_end(struct dp_core *core)
{
	shm_sleep_end(&core->main_sleeps);
}
