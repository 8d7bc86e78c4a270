// SPDX-License-Identifier: BSD-3-Clause
// What main does while workers run: it sleeps, and wakes for everything that isn't a packet (D24).
#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_ring.h>

#include "dataplane/log.h"
#include "dataplane/main.h"
#include "dataplane/wake.h"
#include "dataplane/worker.h"

#define SLEEP_NS 100000000u // the net below all wake-ups
#define GRACE_NS 1000000u // how often a grace period is looked at
#define LINK_NS 1000000000u // how often ports are asked for their link
// A sleep that ends by itself so soon needs nobody's wake-up, which costs both sides a system call.
#define SHORT_NS 50000u

static uint64_t clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // never fails for this clock
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// Do what workers ask for. Returns true when there is more to do at once.
static bool serve_workers(struct dp_main *m)
{
	bool more = false;

	for (uint16_t i = 0; i < m->core.workers; i++) {
		struct dp_worker *w = m->core.worker[i];

		if (atomic_exchange_explicit(&w->main_attention, 0, memory_order_acq_rel) == 0)
			continue;
		if (!m->core.adaptive)
			dp_link_want_wake(&m->link);
		(void)dp_sid_index_serve(&m->core, w);
		(void)dp_exception_serve(&m->exception, w);
		if (!rte_ring_empty(w->to_main) || !rte_ring_empty(w->to_kernel)) {
			atomic_store_explicit(&w->main_attention, 1, memory_order_relaxed);
			more = true;
		}
	}
	return more;
}

static void poll_links(struct dp_main *m)
{
	for (unsigned i = 0; i < m->devices; i++) {
		if (dp_port_link_poll(&m->ports[i]))
			dp_log(DP_LOG_NOTICE, "%s: link is %s", m->ports[i].device.role,
				m->ports[i].link_up ? "up" : "down");
	}
}

// A record names the control that holds the table: without one nothing can be taken over.
static void follow_control(struct dp_main *m)
{
	int32_t pid = dp_link_up(&m->link) ? m->link.control.cred.pid : 0;
	int rc;

	if (m->left.record.control_pid == pid)
		return;
	m->left.record.control_pid = pid;
	rc = dp_state_write(&m->state, &m->left);
	if (rc < 0)
		dp_log(DP_LOG_NOTICE, "%s: %s", m->state.path, strerror(-rc));
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int dp_main_run(struct dp_main *m)
{
	uint64_t link_ns = 0;

	while (!m->stop) {
		bool more = serve_workers(m);
		uint64_t now_ns = clock_ns();
		uint64_t wait_ns = SLEEP_NS;
		int rc;

		if (dp_grace_poll(&m->grace))
			wait_ns = GRACE_NS;
		wait_ns = least(wait_ns, dp_link_turn(&m->link, now_ns));
		wait_ns = least(wait_ns, dp_kernel_turn(&m->kernel, now_ns));
		follow_control(m);
		if (dp_kernel_links_changed(&m->kernel) || now_ns >= link_ns) {
			poll_links(m);
			link_ns = now_ns + LINK_NS;
		}
		if (more || (wait_ns > SHORT_NS && dp_wake_main_begin(&m->core)))
			wait_ns = 0;
		rc = dp_loop_wait(&m->loop, wait_ns);
		dp_wake_main_end(&m->core);
		if (rc < 0) {
			dp_log(DP_LOG_ERROR, "the event loop fails: %s", strerror(-rc));
			return rc;
		}
	}
	return 0;
}
