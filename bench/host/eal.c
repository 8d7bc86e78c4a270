// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "bench/host/host.h"

// Free huge pages of 2 MiB.
static unsigned long free_pages(void)
{
	unsigned long n = 0;
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	(void)fclose(f); // only read
	return n;
}

int pg_eal_start(unsigned memory_mb, bool huge)
{
	bool use = huge && free_pages() >= memory_mb / 2;
	char cpu[16], memory[16];
	char *with[] = { "visp-bench", "-l", cpu, "--no-pci", "--in-memory", "--no-telemetry",
		"--single-file-segments", "--log-level=error", NULL };
	char *without[] = { "visp-bench", "-l", cpu, "--no-pci", "--no-huge", "-m", memory,
		"--no-telemetry", "--no-shconf", "--log-level=error", NULL };
	int rc;

	// In one file: net_virtio_user hands at most eight to its far end.
	(void)snprintf(cpu, sizeof(cpu), "%d", sched_getcpu()); // always fits
	(void)snprintf(memory, sizeof(memory), "%u", memory_mb);
	if (use)
		rc = rte_eal_init(RTE_DIM(with) - 1, with);
	else
		rc = rte_eal_init(RTE_DIM(without) - 1, without);
	if (rc < 0) {
		(void)fprintf(stderr, "DPDK does not start: %s\n", rte_strerror(rte_errno));
		return -rte_errno;
	}
	printf("Packet buffers in %s pages.\n", use ? "huge" : "ordinary");
	return 0;
}
