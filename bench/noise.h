// SPDX-License-Identifier: BSD-3-Clause
// Is the machine quiet? On a virtual CPU whose sibling thread is busy with somebody else's work,
// code that is bound by throughput takes up to twice its time, from one moment to the next. A loop
// of independent additions feels that at once; samples between two quiet probes can be compared.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Run the loop of additions, about 6 µs. Returns TSC cycles an addition. The measuring thread.
double pg_noise_probe(void);

// Probe for up to ms milliseconds to learn what a quiet moment looks like. Returns the least value
// seen, which pg_noise_quiet() compares with; later probes may lower it. The measuring thread.
double pg_noise_learn(unsigned ms);

// True when a probe is within a ninth of the least one seen.
bool pg_noise_quiet(double probe);

// Least value seen so far.
double pg_noise_floor(void);

// TSC of this core, read after everything before it has ended.
static inline uint64_t pg_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi)::"memory");
	return (uint64_t)hi << 32 | lo;
}

// TSC cycles a second, compared with CLOCK_MONOTONIC_RAW for 50 ms at the first call.
double pg_tsc_hz(void);

// Keep this thread on one CPU; cpu < 0: the one it is on. Returns the CPU or -errno.
int pg_pin(int cpu);
