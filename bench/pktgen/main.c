// SPDX-License-Identifier: BSD-3-Clause
// visp-pktgen: thousands to a million clients against a dataplane.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "bench/host/host.h"
#include "bench/noise.h"
#include "bench/pktgen/options.h"
#include "bench/pktgen/output.h"
#include "shm/fdpass.h"

#define POOL_SIZE 32767u
#define QUEUE 1024u
#define LINK_WAIT_MS 5000u
#define START_WAIT_MS 15000u
#define LEARN_MS 50u // what a quiet moment looks like

struct run {
	struct pg_options o;
	struct pg_fleet fleet;
	struct pg_load load;
	struct pg_ends ends;
	struct pg_about about;
	struct pg_result result;
};

static int say(const char *what, int rc)
{
	(void)fprintf(stderr, "visp-pktgen: %s: %s\n", what, strerror(-rc));
	return rc;
}

// Open a port by its devargs.
static int open_port(const char *devargs, struct rte_mempool *pool, uint16_t *ret_port)
{
	struct rte_eth_conf conf = { 0 };
	char name[64];
	uint16_t port;
	int rc;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs); // a name
	rc = rte_dev_probe(devargs);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &port);
	if (rc == 0)
		rc = rte_eth_dev_configure(port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port, 0, QUEUE, 0, NULL, pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port, 0, QUEUE, 0, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(port);
	if (rc < 0)
		return say(devargs, rc);
	*ret_port = port;
	return 0;
}

// memif's link comes up when both sides have met.
static int wait_link(uint16_t port)
{
	struct rte_eth_link link = { 0 };
	uint64_t end = pg_tsc() + (uint64_t)(pg_tsc_hz() / 1000 * LINK_WAIT_MS);

	while (pg_tsc() < end) {
		if (rte_eth_link_get_nowait(port, &link) == 0 && link.link_status != 0)
			return 0;
	}
	return -ENETDOWN;
}

// The dataplane may be started after us.
static int wait_dataplane(const char *path)
{
	for (unsigned ms = 0; ms < START_WAIT_MS; ms += 50) {
		int sock = shm_socket_connect(path);

		if (sock >= 0) {
			shm_close_all(&sock, 1);
			return 0;
		}
		(void)usleep(50000);
	}
	return -ETIMEDOUT;
}

static int open_outside(struct run *r)
{
	struct pg_ends *e = &r->ends;
	double seconds = 0;
	int rc;

	e->pool = rte_pktmbuf_pool_create("pg_frames", POOL_SIZE, 256, sizeof(struct dp_meta),
		RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (e->pool == NULL)
		return say("packet buffers", -ENOMEM);
	rc = open_port(r->o.outer, e->pool, &e->outer);
	if (rc == 0)
		rc = open_port(r->o.inner, e->pool, &e->inner);
	if (rc < 0)
		return rc;
	(void)fprintf(stderr, "ports are open\n"); // a memif server comes before its clients
	e->forwarder = r->o.forwarder;
	rc = e->forwarder ? 0 : wait_dataplane(r->o.socket);
	if (rc == 0)
		rc = wait_link(e->outer);
	if (rc == 0)
		rc = wait_link(e->inner);
	if (rc < 0)
		return say("waiting for the dataplane", rc);
	if (e->forwarder)
		return 0;
	e->control = pg_control_connect(r->o.socket, r->o.mobility);
	if (e->control == NULL)
		return -errno;
	if (!r->o.trial.restarts) // the one that is killed takes its counters along
		e->telemetry_fd = pg_telemetry_open(r->o.socket, r->o.telemetry);
	if (e->telemetry_fd < 0 && r->o.telemetry != NULL)
		return say(r->o.telemetry, e->telemetry_fd);
	rc = pg_control_install(e->control, &r->fleet, &seconds);
	r->about.install_per_second = seconds > 0 ? r->fleet.n / seconds : 0;
	return rc < 0 ? say("installing sessions", rc) : 0;
}

static int open_in_process(struct run *r)
{
	struct pg_host_options o = {
		.sessions = r->o.sessions, .workers = 1, .mobility = r->o.mobility
	};
	int outer, inner;

	r->ends.host = pg_host_create(&o);
	if (r->ends.host == NULL)
		return say("a dataplane in this process", -errno);
	r->ends.pool = pg_host_pool(r->ends.host);
	outer = pg_host_far_end(r->ends.host, true);
	inner = pg_host_far_end(r->ends.host, false);
	if (outer < 0 || inner < 0)
		return say("rings", outer < 0 ? outer : inner);
	r->ends.outer = (uint16_t)outer;
	r->ends.inner = (uint16_t)inner;
	return pg_host_install(r->ends.host, &r->fleet, 0, r->fleet.n);
}

// The MAC addresses of the dataplane's ports can't be asked for, so frames go to everybody.
static void broadcast(struct pg_fleet *f)
{
	memset(f->server_mac, 0xff, sizeof(f->server_mac));
	memset(f->inner_mac, 0xff, sizeof(f->inner_mac));
}

static int measure(struct run *r)
{
	int rc = r->ends.forwarder ? 0 : pg_trial_warm_up(&r->ends, &r->load);

	if (rc < 0)
		return say("nothing comes back through the dataplane", rc);
	(void)pg_noise_learn(LEARN_MS);
	(void)fprintf(stderr, "sending\n"); // for scripts that wait for it
	if (r->o.search)
		rc = pg_trial_search(&r->ends, &r->load, &r->o.trial, r->o.search_loss, &r->result);
	else
		rc = pg_trial_run(&r->ends, &r->load, &r->o.trial, &r->result);
	if (rc < 0)
		return say("no rate without loss", rc);
	pg_result_print(&r->result, &r->about);
	if (r->o.json == NULL)
		return 0;
	rc = pg_result_json(&r->result, &r->about, r->o.json);
	return rc < 0 ? say(r->o.json, rc) : 0;
}

static int with_ports(struct run *r)
{
	bool outside = r->o.socket != NULL || r->o.forwarder;
	int rc = pg_pin(r->o.cpu);

	r->ends.telemetry_fd = -1;
	if (rc >= 0)
		rc = pg_eal_start(r->o.memory_mb, true);
	if (rc < 0)
		return say("start", rc);
	rc = outside ? open_outside(r) : open_in_process(r);
	if (rc == 0)
		rc = measure(r);
	if (r->ends.control != NULL && rc == 0)
		rc = pg_control_remove(r->ends.control, &r->fleet);
	r->ends.control = pg_control_free(r->ends.control);
	if (r->ends.telemetry_fd >= 0)
		(void)close(r->ends.telemetry_fd); // nothing was written
	if (outside) {
		(void)rte_eth_dev_stop(r->ends.outer); // nothing is left to be lost
		(void)rte_eth_dev_stop(r->ends.inner);
		(void)rte_eth_dev_close(r->ends.outer);
		(void)rte_eth_dev_close(r->ends.inner);
	}
	r->ends.host = pg_host_free(r->ends.host);
	(void)rte_eal_cleanup(); // the process ends anyway
	return rc;
}

static int run(struct run *r)
{
	int rc = pg_fleet_create(&r->fleet, r->o.sessions, r->o.cipher);

	if (rc < 0)
		return say("clients", rc);
	if (r->o.socket != NULL || r->o.forwarder)
		broadcast(&r->fleet); // before forged frames are made
	r->fleet.flows = r->o.flows;
	r->about.sessions = r->o.sessions;
	r->about.size = r->o.load.size;
	r->about.search_loss = r->o.search ? r->o.search_loss : -1;
	rc = pg_load_init(&r->load, &r->fleet, &r->o.load, r->o.trial.moves_per_second > 0);
	if (rc == 0 && r->o.pcap != NULL) {
		rc = pg_write_pcap(&r->load, r->o.pcap_frames, r->o.pcap);
		if (rc < 0)
			rc = say(r->o.pcap, rc);
	} else if (rc == 0) {
		rc = with_ports(r);
	}
	pg_load_done(&r->load);
	pg_fleet_done(&r->fleet);
	return rc;
}

int main(int argc, char **argv)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return 1;
	rc = pg_options_read(&r->o, argc, argv);
	if (rc == 0)
		rc = run(r) < 0 ? 2 : 1;
	free(r);
	return rc - 1;
}
