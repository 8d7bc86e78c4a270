// SPDX-License-Identifier: BSD-3-Clause
// The two clocks of control. Monotonic time is what timers and the shared memory use; wall time is
// for people, for certificates and for net times that must grow over restarts.
#pragma once

#include <stdint.h>
#include <time.h>

#define CTL_NEVER UINT64_MAX

// CLOCK_MONOTONIC in milliseconds, the clock of every *_ms in shm/layout.h.
static inline uint64_t ctl_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // cannot fail with this clock
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// Unix time in milliseconds.
static inline uint64_t ctl_wall_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts); // cannot fail with this clock
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static inline uint32_t ctl_wall_s(void)
{
	return (uint32_t)(ctl_wall_ms() / 1000);
}
