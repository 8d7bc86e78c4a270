// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/eal.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "dataplane/log.h"
#include "shm/table.h"

#define MIB ((size_t)1 << 20)
#define HUGE_FREE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define EAL_OWN (64 * MIB) // heaps, rings, drivers
#define INDEX_BYTES_PER_SESSION 512u // address and session-id tables with room to spare

// Append one argument. Returns 0 or -E2BIG.
static int add(struct dp_eal *eal, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int add(struct dp_eal *eal, const char *fmt, ...)
{
	size_t room = sizeof(eal->text) - eal->text_len;
	char *at = eal->text + eal->text_len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || eal->argc >= DP_EAL_ARGS)
		return -E2BIG;
	eal->argv[eal->argc++] = at;
	eal->text_len += (size_t)n + 1;
	return 0;
}

static size_t free_huge_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen(HUGE_FREE, "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	(void)fclose(f); // read only
	return pages * 2 * MIB;
}

static size_t index_bytes(const struct cfg_dataplane *cfg)
{
	return (size_t)cfg->sessions * INDEX_BYTES_PER_SESSION;
}

static int choose_pages(struct dp_eal *eal, const struct cfg_dataplane *cfg, size_t pool_bytes)
{
	size_t table = shm_sessions_bytes(cfg->sessions) + shm_keys_bytes(cfg->sessions) + 4 * MIB;
	size_t own = EAL_OWN + pool_bytes + index_bytes(cfg);
	size_t there = cfg->hugepages == CFG_HUGEPAGES_OFF ? 0 : free_huge_bytes();

	eal->huge = there >= own;
	eal->huge_table = there >= own + table;
	if (cfg->hugepages == CFG_HUGEPAGES_ON && !eal->huge_table) {
		dp_log(DP_LOG_ERROR,
			"hugepages on: %zu MiB are needed and %zu MiB are free; raise them with "
			"\"sysctl vm.nr_hugepages=%zu\" or say \"hugepages auto\"",
			(own + table) / MIB, there / MIB, (own + table) / MIB / 2 + 1);
		return -ENOMEM;
	}
	if (cfg->hugepages == CFG_HUGEPAGES_AUTO && !eal->huge_table)
		dp_log(DP_LOG_NOTICE,
			"%s huge pages are free (%zu MiB of %zu MiB): using 4 KiB pages%s, which "
			"costs speed",
			there == 0 ? "no" : "too few", there / MIB, (own + table) / MIB,
			eal->huge ? " for the session table" : "");
	return 0;
}

static bool is_worker(const struct dp_eal *eal, unsigned lcore)
{
	for (uint16_t i = 0; i < eal->workers; i++) {
		if (eal->lcore[i] == lcore)
			return true;
	}
	return false;
}

// CPUs that this process may run on.
static unsigned usable_cpus(uint16_t cpu[CFG_LCORE_MAX + 1])
{
	cpu_set_t set;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		CPU_ZERO(&set);
	for (unsigned i = 0; i <= CFG_LCORE_MAX; i++) {
		if (CPU_ISSET(i, &set))
			cpu[n++] = (uint16_t)i;
	}
	if (n == 0)
		cpu[n++] = 0;
	return n;
}

static bool listed(const uint16_t *list, unsigned n, uint16_t what)
{
	for (unsigned i = 0; i < n; i++) {
		if (list[i] == what)
			return true;
	}
	return false;
}

static void choose_workers(
	struct dp_eal *eal, const struct cfg_dataplane *cfg, const uint16_t *cpu, unsigned cpus)
{
	if (cfg->n_workers == 0) {
		eal->workers = 1;
		eal->lcore[0] = 1; // CPU 1 if there is one
		return;
	}
	eal->workers = (uint16_t)cfg->n_workers;
	memcpy(eal->lcore, cfg->workers, cfg->n_workers * sizeof(eal->lcore[0]));
	for (unsigned i = 0; i < cfg->n_workers; i++) {
		if (!listed(cpu, cpus, cfg->workers[i])) {
			dp_log(DP_LOG_NOTICE,
				"workers: there is no CPU %u for this process; workers share CPUs",
				cfg->workers[i]);
			break;
		}
	}
}

// "--lcores 0@(0-3),1@1,2@2": the main core sleeps, so it may run anywhere; workers are pinned. A
// worker whose CPU doesn't exist shares one.
static int add_lcores(struct dp_eal *eal, const uint16_t *cpu, unsigned cpus)
{
	char map[DP_EAL_TEXT / 2];
	unsigned main_lcore = 0;
	size_t at = 0;

	while (is_worker(eal, main_lcore))
		main_lcore++;
	at += (size_t)snprintf(map, sizeof(map), "%u@(%u", main_lcore, cpu[0]);
	for (unsigned i = 1; i < cpus && at < sizeof(map) / 2; i++)
		at += (size_t)snprintf(map + at, sizeof(map) - at, ",%u", cpu[i]);
	at += (size_t)snprintf(map + at, sizeof(map) - at, ")");
	for (uint16_t i = 0; i < eal->workers && at < sizeof(map); i++) {
		bool there = listed(cpu, cpus, eal->lcore[i]);

		at += (size_t)snprintf(map + at, sizeof(map) - at, ",%u@%u", eal->lcore[i],
			there ? eal->lcore[i] : cpu[(cpus - 1 + i) % cpus]);
	}
	if (at >= sizeof(map) || add(eal, "--lcores") < 0 || add(eal, "%s", map) < 0 ||
		add(eal, "--main-lcore") < 0)
		return -E2BIG;
	return add(eal, "%u", main_lcore);
}

// Did the user say on which cores EAL runs?
static bool names_cores(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "-l", 2) == 0 || strncmp(argv[i], "-c", 2) == 0 ||
			strncmp(argv[i], "--lcores", 8) == 0)
			return true;
	}
	return false;
}

static bool has(int argc, char **argv, const char *option)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], option) == 0)
			return true;
	}
	return false;
}

void dp_eal_prefix(const char *socket_path, char prefix[DP_EAL_PREFIX])
{
	uint32_t hash = 0x811c9dc5u; // FNV-1a

	for (const char *c = socket_path; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 0x01000193u;
	(void)snprintf(prefix, DP_EAL_PREFIX, "visp-%08x", hash); // always fits
}

static int add_memory(
	struct dp_eal *eal, const struct cfg_dataplane *cfg, size_t pool_bytes, bool shared)
{
	size_t mib = (EAL_OWN + pool_bytes + index_bytes(cfg)) / MIB;
	int rc;

	if (eal->huge) {
		rc = add(eal, "--in-memory");
		return rc < 0 || !shared ? rc : add(eal, "--single-file-segments");
	}
	// --no-huge excludes --in-memory. Memory is taken when touched, so more does no harm.
	rc = add(eal, "--no-huge");
	if (rc == 0)
		rc = add(eal, "--no-shconf"); // no other process of DPDK is to join
	if (rc == 0)
		rc = add(eal, "-m");
	return rc < 0 ? rc : add(eal, "%zu", 2 * mib + 192);
}

static bool shares_memory(const struct dp_device *device, unsigned devices)
{
	for (unsigned i = 0; i < devices; i++) {
		if ((device[i].flags & DP_DRIVER_SHARES_MEMORY) != 0)
			return true;
	}
	return false;
}

static int add_devices(struct dp_eal *eal, const struct dp_device *device, unsigned devices)
{
	bool pci = false;
	int rc = 0;

	for (unsigned i = 0; i < devices && rc == 0; i++) {
		if ((device[i].flags & DP_DRIVER_PCI) == 0)
			continue;
		pci = true;
		rc = add(eal, "-a");
		if (rc == 0)
			rc = add(eal, "%s", device[i].args);
	}
	return pci || rc < 0 ? rc : add(eal, "--no-pci");
}

// Only what concerns the user: net_tap warns of missing kernel modules for flow rules that aren't
// used here, telemetry of a socket of the past. What fails has a line of our own.
static int add_quiet(struct dp_eal *eal)
{
	static const char *const levels[] = { "--log-level=warning",
		"--log-level=pmd.net.tap:alert", "--log-level=lib.eal:error",
		"--log-level=lib.telemetry:error", "--log-level=pmd.net.memif:error" };
	int rc = 0;

	for (size_t i = 0; i < RTE_DIM(levels) && rc == 0; i++)
		rc = add(eal, "%s", levels[i]);
	return rc;
}

int dp_eal_plan(struct dp_eal *eal, const struct cfg_dataplane *cfg, const struct dp_device *device,
	unsigned devices, size_t pool_bytes, int extra_argc, char **extra_argv)
{
	uint16_t cpu[CFG_LCORE_MAX + 1];
	unsigned cpus = usable_cpus(cpu);
	int rc;

	*eal = (struct dp_eal){ 0 };
	rc = choose_pages(eal, cfg, pool_bytes);
	if (rc < 0)
		return rc;
	choose_workers(eal, cfg, cpu, cpus);
	dp_eal_prefix(cfg->socket, eal->prefix);
	rc = add(eal, "visp-dataplane");
	if (rc == 0 && !names_cores(extra_argc, extra_argv))
		rc = add_lcores(eal, cpu, cpus);
	if (rc == 0 && !has(extra_argc, extra_argv, "--file-prefix"))
		rc = add(eal, "--file-prefix=%s", eal->prefix);
	if (rc == 0 && !has(extra_argc, extra_argv, "--no-huge") &&
		!has(extra_argc, extra_argv, "--in-memory"))
		rc = add_memory(eal, cfg, pool_bytes, shares_memory(device, devices));
	if (rc == 0)
		rc = add_devices(eal, device, devices);
	if (rc == 0 && cfg->verb < 4)
		rc = add_quiet(eal);
	for (int i = 0; i < extra_argc && rc == 0; i++)
		rc = add(eal, "%s", extra_argv[i]);
	if (rc < 0)
		dp_log(DP_LOG_ERROR, "too many arguments for EAL");
	return rc;
}

int dp_eal_start(struct dp_eal *eal)
{
	char *argv[DP_EAL_ARGS + 1];
	int rc;

	memcpy(argv, eal->argv, sizeof(argv)); // EAL moves them around
	rc = rte_eal_init(eal->argc, argv);
	if (rc < 0) {
		rc = rte_errno != 0 ? -rte_errno : -EINVAL;
		dp_log(DP_LOG_ERROR, "EAL doesn't start: %s", strerror(-rc));
		return rc;
	}
	(void)snprintf(eal->run_folder, sizeof(eal->run_folder), "%s", rte_eal_get_runtime_dir());
	for (uint16_t i = 0; i < eal->workers; i++) {
		if (rte_lcore_is_enabled(eal->lcore[i]) && eal->lcore[i] != rte_get_main_lcore())
			continue;
		dp_log(DP_LOG_ERROR, "worker %u: EAL's arguments give it no core of its own",
			eal->lcore[i]);
		return -EINVAL;
	}
	return 0;
}

void dp_eal_remove_files(const char *run_folder)
{
	DIR *dir = opendir(run_folder);
	struct dirent *entry;
	char *slash;
	char parent[256];

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0); // what remains keeps rmdir
	}
	(void)closedir(dir); // read only
	(void)rmdir(run_folder);
	(void)snprintf(parent, sizeof(parent), "%s", run_folder); // cut: then it isn't found
	slash = strrchr(parent, '/');
	if (slash != NULL) {
		*slash = '\0';
		(void)rmdir(parent); // other programs of DPDK may have their files there
	}
}

void dp_eal_cleanup(struct dp_eal *eal)
{
	if (eal->run_folder[0] == '\0')
		return;
	(void)rte_eal_cleanup(); // the process ends in any case
	dp_eal_remove_files(eal->run_folder);
	eal->run_folder[0] = '\0';
}
