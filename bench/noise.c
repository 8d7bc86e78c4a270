// SPDX-License-Identifier: BSD-3-Clause
#include "bench/noise.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define ROUNDS 640u // of 160 additions: about 6 µs undisturbed
#define ADDS_PER_ROUND 160u
#define TOLERANCE (1.0 + 1.0 / 9)

static double least = 1e9;

double pg_noise_probe(void)
{
	uint64_t start = pg_tsc();
	uint64_t rounds = ROUNDS;
	double v;

	// Eight registers in turn: nothing waits for anything but a free execution unit.
	__asm__ volatile(
		"1:\n\t"
		".rept 20\n\t"
		"add %%rcx, %%rax\n\tadd %%rcx, %%rdx\n\tadd %%rcx, %%rsi\n\tadd %%rcx, %%rdi\n\t"
		"add %%rcx, %%r8\n\tadd %%rcx, %%r9\n\tadd %%rcx, %%r10\n\tadd %%rcx, %%r11\n\t"
		".endr\n\t"
		"dec %0\n\tjnz 1b"
		: "+r"(rounds)
		:
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
	v = (double)(pg_tsc() - start) / (ROUNDS * ADDS_PER_ROUND);
	if (v < least)
		least = v;
	return v;
}

double pg_noise_learn(unsigned ms)
{
	uint64_t end = pg_tsc() + (uint64_t)(pg_tsc_hz() * ms / 1000);

	while (pg_tsc() < end)
		(void)pg_noise_probe(); // the least value is what counts
	return least;
}

bool pg_noise_quiet(double probe)
{
	return probe <= least * TOLERANCE;
}

double pg_noise_floor(void)
{
	return least;
}

static uint64_t raw_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_RAW, &ts); // can't fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

double pg_tsc_hz(void)
{
	static double hz;
	uint64_t ns, tsc, ns_end;

	if (hz != 0)
		return hz;
	ns = raw_ns();
	tsc = pg_tsc();
	do
		ns_end = raw_ns();
	while (ns_end - ns < 50000000u);
	hz = (double)(pg_tsc() - tsc) * 1e9 / (double)(ns_end - ns);
	return hz;
}

int pg_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		cpu = sched_getcpu();
	if (cpu < 0)
		return -errno;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : cpu;
}
