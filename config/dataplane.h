// SPDX-License-Identifier: BSD-3-Clause
// dataplane.conf as a struct.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/lexer.h"
#include "config/mem.h"
#include "config/report.h"

#define CFG_WORKERS_MAX 64
#define CFG_LCORE_MAX 127 // highest lcore id of a default DPDK build
#define CFG_SESSIONS_DEFAULT 4096
#define CFG_SESSIONS_MAX (1u << 20)

enum cfg_hugepages {
	CFG_HUGEPAGES_AUTO,
	CFG_HUGEPAGES_ON,
	CFG_HUGEPAGES_OFF,
};

enum cfg_idle {
	CFG_IDLE_AUTO, // adaptive below 3 CPUs, else poll
	CFG_IDLE_POLL,
	CFG_IDLE_ADAPTIVE,
};

struct cfg_dataplane {
	struct cfg_mem *mem;
	const char *socket; // default "/run/visp/dataplane.sock"
	const char *outer; // devargs: PCI address or vdev with arguments; never NULL
	const char *inner; // may equal outer: one port for both
	uint16_t workers[CFG_WORKERS_MAX]; // lcore ids in the order of the file
	unsigned n_workers; // 0: not given, the dataplane chooses (one, on CPU 1 if there is one)
	uint32_t sessions; // slots; default 4096
	enum cfg_hugepages hugepages;
	enum cfg_idle idle;
	uint16_t outer_queues; // 0: auto
	const char *control_user; // besides root; or NULL
	const char *drop_privileges; // user, or NULL
	uint32_t verb; // default 1
	const char *log; // file, or NULL for stderr
	const char *writepid;
};

// As cfg_server_parse and cfg_server_load.
int cfg_dataplane_parse(struct cfg_lines *lines, unsigned flags, struct cfg_notes *notes,
	struct cfg_dataplane **ret_cfg, struct cfg_error *err);
int cfg_dataplane_load(const char *path, struct cfg_notes *notes, struct cfg_dataplane **ret_cfg,
	struct cfg_error *err);

// Free. NULL is fine. Returns NULL.
struct cfg_dataplane *cfg_dataplane_free(struct cfg_dataplane *cfg);
