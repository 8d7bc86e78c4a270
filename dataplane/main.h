// SPDX-License-Identifier: BSD-3-Clause
// Everything that the process visp-dataplane has. Main owns it; the telemetry thread reads it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/dataplane.h"
#include "dataplane/dp.h"
#include "dataplane/eal.h"
#include "dataplane/exception.h"
#include "dataplane/grace.h"
#include "dataplane/kernel.h"
#include "dataplane/link.h"
#include "dataplane/loop.h"
#include "dataplane/port.h"
#include "dataplane/privs.h"
#include "dataplane/serve.h"
#include "dataplane/sid_index.h"
#include "dataplane/table.h"
#include "shm/table.h"

struct dp_xdp;

struct dp_main {
	struct cfg_dataplane *cfg;
	struct dp_device device[DP_PORTS_MAX];
	unsigned devices; // 1 or 2
	struct dp_state_file state;
	struct dp_state left; // what dataplane.state says
	struct dp_eal eal;
	struct dp_port_state ports[DP_PORTS_MAX];
	struct shm_table table;
	bool adopted; // the table is an earlier dataplane's
	struct dp_core core;
	struct dp_loop loop;
	struct dp_grace grace;
	struct dp_xdp *xdp;
	struct dp_serve serve;
	struct dp_link link;
	struct dp_kernel kernel;
	struct dp_exception exception;
	struct dp_janitor janitor;
	struct dp_watch main_watch; // core.main_fd
	struct dp_watch signal_watch;
	unsigned launched; // workers that run
	bool stop; // a signal came
	bool keep_state; // leave the table to the next dataplane
};

// Bring everything up in the order of D25, from a loaded configuration: lock, ports, table,
// workers. Returns 0 or -errno, after logging why; dp_main_done() then undoes what was done.
int dp_main_start(struct dp_main *m, int eal_argc, char **eal_argv);

// Look at devices and files without touching anything (--check). Returns 0 or -errno.
int dp_main_check(struct dp_main *m);

// Serve until a signal ends it. Returns 0 or -errno.
int dp_main_run(struct dp_main *m);

// Take everything down again in reverse order.
void dp_main_done(struct dp_main *m);
