// SPDX-License-Identifier: BSD-3-Clause
// The order of a start and of an end (D25).
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "dataplane/address.h"
#include "dataplane/fdstore.h"
#include "dataplane/log.h"
#include "dataplane/main.h"
#include "dataplane/telemetry.h"
#include "dataplane/wake.h"
#include "dataplane/worker.h"
#include "dataplane/xdp.h"
#include "shm/session.h"

#define ADOPTION_MS 1500u // how long a living control has for bringing the table
#define FREE_TRIES 200 // times 10 ms
#define POOL_CACHE 256u
#define POOL_MIN 8191u
#define FEW_CPUS 3 // below, workers sleep when idle (D13)

// ---- Before EAL ------------------------------------------------------------------------------

static int parse_devices(struct dp_main *m)
{
	const struct cfg_dataplane *cfg = m->cfg;
	bool one = cfg->inner == NULL || strcmp(cfg->inner, cfg->outer) == 0;
	char err[256];
	int rc;

	rc = dp_device_parse(cfg->outer, one ? "outer and inner" : "outer", cfg->outer_queues,
		&m->device[0], err, sizeof(err));
	m->devices = one ? 1 : 2;
	if (rc == 0 && !one)
		rc = dp_device_parse(cfg->inner, "inner", 0, &m->device[1], err, sizeof(err));
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "%s", err);
		return rc;
	}
	if (!one && strcmp(m->device[0].name, m->device[1].name) == 0) {
		dp_log(DP_LOG_ERROR,
			"outer and inner are both called %s: give them numbers, as in "
			"\"visp_tap0\" and \"visp_tap1\"",
			m->device[0].name);
		return -EINVAL;
	}
	return 0;
}

// Interfaces of a dataplane that was killed a moment ago go a little later than its lock.
static int check_free(const struct dp_main *m)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	char err[256];
	int rc = 0;

	for (unsigned i = 0; i < m->devices && rc == 0; i++) {
		rc = dp_device_check_free(&m->device[i], err, sizeof(err));
		for (int n = 0; n < FREE_TRIES && m->state.found && rc == -EEXIST; n++) {
			(void)nanosleep(&pause, NULL); // a shorter pause is fine
			rc = dp_device_check_free(&m->device[i], err, sizeof(err));
		}
	}
	if (rc < 0)
		dp_log(DP_LOG_ERROR, "%s", err);
	return rc;
}

static int check_user(const char *directive, const char *user)
{
	if (user == NULL || getpwnam(user) != NULL)
		return 0;
	dp_log(DP_LOG_ERROR, "%s: no user \"%s\" on this host", directive, user);
	return -ENOENT;
}

int dp_main_check(struct dp_main *m)
{
	int rc = parse_devices(m);

	if (rc == 0)
		rc = check_user("control-user", m->cfg->control_user);
	if (rc == 0)
		rc = check_user("drop-privileges", m->cfg->drop_privileges);
	return rc;
}

// Buffers that may be on their way at the same time (D19).
static unsigned pool_size(const struct dp_main *m, unsigned workers)
{
	unsigned queues = 0, n;

	for (unsigned i = 0; i < m->devices; i++) {
		bool pci = (m->device[i].flags & DP_DRIVER_PCI) != 0;
		unsigned q = i == 0 && m->cfg->outer_queues > 0 ? m->cfg->outer_queues : 1;

		queues += pci ? RTE_MAX(q, workers) * 2 : q; // their rings are twice as long
	}
	n = queues * 2 * 512 + workers * (workers - 1) * DP_HANDOFF_ENTRIES;
	n += workers * (2 * DP_KERNEL_ENTRIES + 2 * POOL_CACHE + 1024); // reassembly, bursts
	return RTE_MAX(n, POOL_MIN);
}

// The size that mbufs will have, for the plan of EAL's memory.
static size_t pool_bytes(unsigned n)
{
	return (size_t)n *
		(sizeof(struct rte_mbuf) + sizeof(struct dp_meta) + RTE_PKTMBUF_HEADROOM +
			DP_FRAME_MAX + 192);
}

static int block_signals(struct dp_main *m)
{
	sigset_t set;

	(void)sigemptyset(&set); // these never fail for signals that exist
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) // EAL's threads inherit it
		return -errno;
	m->signal_watch.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_watch.fd < 0 ? -errno : 0;
}

// ---- Ports -----------------------------------------------------------------------------------

static uint16_t wanted_queues(const struct dp_main *m, unsigned i)
{
	if (i == 0 && m->cfg->outer_queues > 0)
		return m->cfg->outer_queues;
	return (m->device[i].flags & DP_DRIVER_PCI) != 0 ? m->eal.workers : 1;
}

// af_xdp takes our own program, so that ARP and the rest stay the kernel's.
static void add_xdp_program(struct dp_device *d, bool after_kill)
{
	char path[256];
	int rc;

	if ((d->flags & DP_DRIVER_XDP) == 0)
		return;
	rc = after_kill ? dp_xdp_remove_left(if_nametoindex(d->iface)) : 0;
	if (rc < 0)
		dp_log(DP_LOG_NOTICE, "%s: the XDP program that was left on %s stays: %s", d->role,
			d->iface, strerror(-rc));
	if (dp_xdp_program(path, sizeof(path)) < 0 || dp_device_add_arg(d, "xdp_prog", path) < 0)
		dp_log(DP_LOG_NOTICE,
			"%s: our XDP program isn't installed; the port takes all "
			"packets, the kernel none",
			d->role);
}

static void open_xdp(struct dp_main *m)
{
	struct dp_port_state *p = &m->ports[0];

	if ((p->device.flags & DP_DRIVER_XDP) == 0)
		return;
	m->xdp = dp_xdp_open(p->ifindex);
	if (m->xdp != NULL)
		p->port.flags |= DP_PORT_KERNEL_SEES;
	else
		dp_log(DP_LOG_NOTICE,
			"%s: the XDP program of %s isn't ours (%s): the port takes "
			"all packets, the kernel none",
			p->device.role, p->device.iface, strerror(errno));
}

// A process that was killed has left offloads switched off; what they were before is in the state.
static void remember_offloads(struct dp_main *m, unsigned i)
{
	const struct dp_iface_saved *old = &m->state.old.offloads[i];
	struct dp_iface_saved *saved = &m->ports[i].saved;

	if (m->state.found && saved->iface[0] != '\0' &&
		strncmp(old->iface, saved->iface, IFNAMSIZ) == 0)
		saved->changed |= old->changed;
}

static int open_ports(struct dp_main *m)
{
	unsigned n = pool_size(m, m->eal.workers);
	int rc;

	for (unsigned i = 0; i < m->devices; i++) {
		add_xdp_program(&m->device[i], m->state.found);
		m->ports[i].device = m->device[i];
		rc = dp_port_probe(
			&m->ports[i], wanted_queues(m, i), i == 0 && m->cfg->outer_queues > 0);
		if (rc < 0)
			return rc;
	}
	m->core.pool = rte_pktmbuf_pool_create("visp_frames", n, POOL_CACHE, sizeof(struct dp_meta),
		RTE_PKTMBUF_HEADROOM + DP_FRAME_MAX, SOCKET_ID_ANY);
	if (m->core.pool == NULL) {
		dp_log(DP_LOG_ERROR, "no memory for %u packet buffers (%zu MiB)", n,
			pool_bytes(n) >> 20);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < m->devices; i++) {
		rc = dp_port_start(&m->ports[i], m->core.pool);
		if (rc < 0)
			return rc;
		remember_offloads(m, i);
	}
	open_xdp(m);
	dp_log(DP_LOG_INFO, "%u packet buffers, %zu MiB", n, pool_bytes(n) >> 20);
	for (unsigned i = 0; i < m->devices; i++)
		dp_port_describe(&m->ports[i]);
	return 0;
}

// ---- Table -----------------------------------------------------------------------------------

// An earlier dataplane's table, from systemd's store or from the control that still runs.
static bool adopt_table(struct dp_main *m)
{
	int fds[2] = { -1, -1 };
	int rc;

	if (!dp_fdstore_get(&fds[0], &fds[1]) &&
		(!dp_table_expect_adoption(&m->state) || !dp_link_wait(&m->link, ADOPTION_MS, fds)))
		return false;
	rc = dp_table_take(&m->state, fds[0], fds[1], &m->table);
	shm_close_all(fds, 2);
	return rc == 0;
}

static int get_table(struct dp_main *m)
{
	m->adopted = adopt_table(m);
	if (!m->adopted)
		return dp_table_make(m->cfg, m->eal.huge_table, &m->table);
	if (m->table.sessions != m->cfg->sessions)
		dp_log(DP_LOG_NOTICE, "the table that was taken over has %u sessions, not %u",
			m->table.sessions, m->cfg->sessions);
	return 0;
}

// ---- Workers ---------------------------------------------------------------------------------

static void give_queues(struct dp_worker_port *wp, const struct dp_port_state *p,
	const struct dp_port *port, uint16_t worker)
{
	bool own = worker < p->queues;

	wp->port = port;
	wp->rxq = own ? worker : -1;
	wp->txq = own ? worker : -1;
	wp->rx_fd = own ? p->rx_fd[worker] : -1;
	wp->tx_peer = worker % p->queues;
}

static int make_core(struct dp_main *m)
{
	struct dp_core *core = &m->core;
	int rc;

	core->dir = m->table.dir;
	core->session = m->table.session;
	core->keys = m->table.keys;
	core->sessions = m->table.sessions;
	core->workers = m->eal.workers;
	core->ports = (uint16_t)m->devices;
	for (unsigned i = 0; i < m->devices; i++)
		core->port[i] = m->ports[i].port;
	core->port[0].flags |= DP_PORT_OUTER;
	core->port[m->devices - 1].flags |= DP_PORT_INNER;
	core->adaptive = m->cfg->idle == CFG_IDLE_ADAPTIVE ||
		(m->cfg->idle == CFG_IDLE_AUTO && sysconf(_SC_NPROCESSORS_ONLN) < FEW_CPUS);
	core->main_fd = dp_wake_open();
	if (core->main_fd < 0)
		return core->main_fd;
	rc = dp_core_init(core);
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "workers can't be made: %s", strerror(-rc));
		return rc;
	}
	for (uint16_t i = 0; i < core->workers; i++) {
		struct dp_worker *w = core->worker[i];

		give_queues(&w->outer, &m->ports[0], &core->port[0], i);
		give_queues(&w->inner, &m->ports[m->devices - 1], &core->port[m->devices - 1], i);
		if (m->devices == 1) // one-armed: frames are received once
			w->inner.rxq = w->inner.rx_fd = -1;
	}
	dp_grace_init(&m->grace, core->qsbr);
	core->sid = dp_sid_index_create(core, &m->grace);
	return core->sid == NULL ? -errno : 0;
}

// The UDP addresses of the static-key tunnels among the sessions that were left.
static uint16_t tunnels_left(const struct dp_core *core, struct shm_listen tunnel[SHM_TUNNELS_MAX])
{
	struct shm_endpoint ep;
	uint16_t n = 0;

	for (uint32_t slot = 0; slot < core->sessions && n < SHM_TUNNELS_MAX; slot++) {
		if (atomic_load_explicit(&core->dir[slot].state, memory_order_relaxed) !=
				SHM_STATE_LIVE ||
			(atomic_load_explicit(&core->dir[slot].flags, memory_order_relaxed) &
				SHM_DIR_STATIC) == 0 ||
			shm_endpoint_read(&core->session[slot], &ep) < 0 || ep.local_port_be == 0)
			continue;
		tunnel[n++] = (struct shm_listen){ .addr = ep.local, .port_be = ep.local_port_be };
	}
	return n;
}

// What the earlier control had said holds until the next one speaks.
static void restore(struct dp_main *m)
{
	struct shm_greeting *said;
	char err[200];
	uint32_t live;

	if (!m->adopted)
		return;
	said = calloc(1, sizeof(*said));
	if (said != NULL && shm_saved_read(m->table.saved, &said->hello) == 0) {
		said->hello.tunnels = tunnels_left(&m->core, said->tunnel);
		if (dp_serve_apply(&m->serve, &said->hello, said->tunnel, err, sizeof(err)) < 0)
			dp_log(DP_LOG_NOTICE, "the earlier configuration has no effect: %s", err);
	}
	free(said);
	live = dp_restore(&m->core);
	m->link.adopted = live > 0;
	dp_log(DP_LOG_NOTICE, "took over %u sessions of an earlier dataplane", live);
}

static int launch(struct dp_main *m)
{
	for (uint16_t i = 0; i < m->core.workers; i++) {
		int rc = rte_eal_remote_launch(dp_worker_run, m->core.worker[i], m->eal.lcore[i]);

		if (rc < 0) {
			dp_log(DP_LOG_ERROR, "worker %u doesn't start: %s", i, strerror(-rc));
			return rc;
		}
		m->launched++;
	}
	return 0;
}

// ---- The whole -------------------------------------------------------------------------------

static void signal_ready(void *arg, uint32_t events)
{
	struct dp_main *m = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(m->signal_watch.fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			continue; // nothing here can be changed while it runs
		// SIGQUIT ends as well, but leaves the sessions to the dataplane that comes next.
		m->keep_state = si.ssi_signo == SIGQUIT;
		m->stop = true;
	}
}

static void main_woken(void *arg, uint32_t events)
{
	struct dp_main *m = arg;

	(void)events;
	dp_wake_drain(m->core.main_fd);
}

static int prepare_loop(struct dp_main *m)
{
	int rc = dp_loop_init(&m->loop);

	if (rc < 0)
		return rc;
	m->signal_watch.ready = signal_ready;
	m->signal_watch.arg = m;
	rc = dp_loop_add(&m->loop, &m->signal_watch, EPOLLIN);
	return rc < 0 ? rc : dp_address_open();
}

static int connect_kernel(struct dp_main *m)
{
	uint32_t ifindex[2];
	int rc;

	m->main_watch = (struct dp_watch){ .fd = m->core.main_fd, .ready = main_woken, .arg = m };
	rc = dp_loop_add(&m->loop, &m->main_watch, EPOLLIN);
	if (rc == 0)
		rc = dp_exception_open(&m->exception, &m->core, &m->loop, m->ports);
	if (rc < 0)
		return rc;
	ifindex[0] = m->ports[0].ifindex;
	ifindex[1] = m->ports[m->devices - 1].ifindex;
	rc = dp_kernel_open(&m->kernel, &m->core, &m->grace, &m->loop, ifindex);
	dp_serve_init(&m->serve, &m->core, &m->grace, m->ports, m->xdp);
	return rc;
}

static int write_state(struct dp_main *m)
{
	int rc = shm_table_record(&m->table, &m->left.record);

	for (unsigned i = 0; i < m->devices; i++)
		m->left.offloads[i] = m->ports[i].saved;
	m->left.made_folder = m->state.made_folder;
	if (rc == 0)
		rc = dp_state_write(&m->state, &m->left);
	m->keep_state = false;
	if (rc < 0)
		dp_log(DP_LOG_ERROR, "%s: %s", m->state.path, strerror(-rc));
	return rc;
}

// What needs the rights of root, before they go.
static int become_ready(struct dp_main *m)
{
	char status[80];
	int rc = dp_link_start(&m->link, &m->core, &m->table, &m->loop, &m->grace, &m->serve);

	if (rc == 0)
		rc = write_state(m);
	if (rc == 0)
		rc = dp_telemetry_register(m);
	if (rc == 0)
		rc = dp_privs_drop(m->cfg->drop_privileges);
	if (rc < 0)
		return rc;
	if (!m->adopted)
		dp_fdstore_put(m->link.sessions_ro_fd, m->link.keys_path_fd);
	(void)snprintf(status, sizeof(status), "%u workers, %u sessions at most", m->core.workers,
		m->core.sessions); // always fits
	dp_log(DP_LOG_NOTICE, "ready: %s, idle %s, socket %s", status,
		m->core.adaptive ? "adaptive" : "poll", m->cfg->socket);
	dp_systemd_ready(status);
	// Its memory is there, but this process' page tables are empty: fill them while workers
	// run.
	if (m->adopted)
		(void)shm_table_populate(&m->table, NULL, NULL); // else by page faults
	return 0;
}

int dp_main_start(struct dp_main *m, int eal_argc, char **eal_argv)
{
	const struct cfg_dataplane *cfg = m->cfg;
	unsigned workers = cfg->n_workers == 0 ? 1 : cfg->n_workers;
	bool early_table;
	int rc;

	dp_privs_no_dumps();
	dp_privs_many_files();
	rc = dp_main_check(m);
	if (rc == 0)
		rc = block_signals(m);
	if (rc == 0)
		rc = dp_state_open(cfg->socket, &m->state);
	m->keep_state = m->state.found; // until it is our table that it speaks of
	if (rc == 0)
		rc = check_free(m);
	if (rc == 0 && cfg->drop_privileges != NULL)
		rc = dp_janitor_start(&m->janitor);
	if (rc == 0)
		rc = dp_link_open(&m->link, cfg->socket, cfg->control_user);
	if (rc == 0)
		rc = dp_eal_plan(&m->eal, cfg, m->device, m->devices,
			pool_bytes(pool_size(m, workers)), eal_argc, eal_argv);
	// A new table takes its huge pages before EAL does; one that exists has them already.
	early_table = rc == 0 && !dp_table_expect_adoption(&m->state);
	if (early_table)
		rc = get_table(m);
	if (rc == 0)
		rc = dp_eal_start(&m->eal);
	if (rc == 0)
		rc = prepare_loop(m);
	if (rc == 0)
		rc = open_ports(m);
	if (rc == 0 && !early_table)
		rc = get_table(m);
	if (rc == 0)
		rc = make_core(m);
	if (rc == 0)
		rc = connect_kernel(m);
	if (rc < 0)
		return rc;
	restore(m);
	rc = launch(m);
	return rc < 0 ? rc : become_ready(m);
}

static void stop_workers(struct dp_main *m)
{
	atomic_store_explicit(&m->core.stop, true, memory_order_release);
	for (uint16_t i = 0; i < m->launched; i++)
		dp_worker_wake(m->core.worker[i]);
	for (uint16_t i = 0; i < m->launched; i++)
		(void)rte_eal_wait_lcore(m->eal.lcore[i]); // workers return 0
	m->launched = 0;
}

static void remove_files(struct dp_main *m)
{
	char folder[sizeof(m->eal.run_folder) + 1];

	if (m->janitor.pid <= 0)
		return;
	dp_janitor_remove(&m->janitor, m->cfg->socket);
	if (m->eal.run_folder[0] != '\0') {
		(void)snprintf(folder, sizeof(folder), "%s/", m->eal.run_folder); // always fits
		dp_janitor_remove(&m->janitor, folder);
	}
	if (m->keep_state)
		return;
	dp_janitor_remove(&m->janitor, m->state.path);
	(void)snprintf(folder, sizeof(folder), "%s", m->state.path); // always fits
	if (m->state.made_folder && strrchr(folder, '/') != NULL) {
		*strrchr(folder, '/') = '\0';
		dp_janitor_remove(&m->janitor, folder);
	}
}

void dp_main_done(struct dp_main *m)
{
	dp_systemd_stopping();
	stop_workers(m);
	dp_telemetry_stop();
	dp_link_close(&m->link);
	if (m->grace.qsbr != NULL)
		dp_grace_drain(&m->grace);
	dp_exception_close(&m->exception);
	dp_kernel_close(&m->kernel);
	dp_serve_done(&m->serve);
	if (m->core.qsbr != NULL) {
		dp_grace_drain(&m->grace);
		m->core.sid = dp_sid_index_free(m->core.sid);
		dp_core_done(&m->core);
	}
	for (unsigned i = 0; i < m->devices; i++)
		dp_port_close(&m->ports[i]);
	m->xdp = dp_xdp_close(m->xdp);
	dp_address_close();
	dp_loop_done(&m->loop);
	remove_files(m);
	dp_eal_cleanup(&m->eal);
	shm_table_done(&m->table);
	dp_state_close(&m->state, m->keep_state);
	dp_janitor_stop(&m->janitor);
}
