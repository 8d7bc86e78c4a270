// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/telemetry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_telemetry.h>

#include "config/number.h"
#include "dataplane/address.h"
#include "dataplane/main.h"
#include "dataplane/worker.h"
#include "protocol/cipher.h"
#include "shm/session.h"

// rte_telemetry has no argument for callbacks. The lock keeps what they read alive meanwhile.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct dp_main *program; // NULL: nothing to read

static uint64_t load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint64_t sum_drops(enum dp_drop which)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < program->core.workers; i++)
		sum += load(&program->core.worker[i]->drop[which]);
	return sum;
}

static uint64_t sum_counts(enum dp_count which)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < program->core.workers; i++)
		sum += load(&program->core.worker[i]->count[which]);
	return sum;
}

static uint64_t live_sessions(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < program->core.sessions; i++)
		n += atomic_load_explicit(&program->core.dir[i].state, memory_order_relaxed) ==
			SHM_STATE_LIVE;
	return n;
}

static int totals(const char *cmd, const char *params, struct rte_tel_data *d)
{
	uint64_t drops = 0;

	(void)cmd;
	(void)params;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "sessions", live_sessions());
	rte_tel_data_add_dict_u64(d, "sessions_max", program->core.sessions);
	rte_tel_data_add_dict_u64(d, "workers", program->core.workers);
	rte_tel_data_add_dict_u64(d, "control_connected", dp_link_up(&program->link));
	rte_tel_data_add_dict_u64(d, "control_connections", program->link.epoch);
	rte_tel_data_add_dict_u64(d, "control_refused", program->link.refused);
	rte_tel_data_add_dict_u64(d, "control_broken", program->link.broken);
	rte_tel_data_add_dict_u64(d, "session_ids", dp_sid_index_count(program->core.sid));
	rte_tel_data_add_dict_u64(
		d, "session_ids_refused", dp_sid_index_refused(program->core.sid));
	rte_tel_data_add_dict_u64(d, "adopted", program->adopted);
	rte_tel_data_add_dict_u64(d, "huge_pages", program->eal.huge && program->table.huge);
	rte_tel_data_add_dict_u64(d, "kernel_frames_lost", program->exception.lost);
	rte_tel_data_add_dict_u64(d, "next_hop_pictures", program->kernel.pictures);
	for (unsigned i = 0; i < DP_DROP_COUNT; i++)
		drops += sum_drops(i);
	rte_tel_data_add_dict_u64(d, "drops", drops);
	for (unsigned i = 0; i < DP_COUNT_COUNT; i++)
		rte_tel_data_add_dict_u64(d, dp_count_name[i], sum_counts(i));
	return 0;
}

static int all_drops(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	(void)params;
	rte_tel_data_start_dict(d);
	for (unsigned i = 0; i < DP_DROP_COUNT; i++)
		rte_tel_data_add_dict_u64(d, dp_drop_name[i], sum_drops(i));
	return 0;
}

static int workers(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	(void)params;
	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	for (uint16_t i = 0; i < program->core.workers; i++)
		rte_tel_data_add_array_int(d, i);
	return 0;
}

// The worker that a command names, NULL when there is none.
static const struct dp_worker *worker_of(const char *params)
{
	uint32_t index;

	if (params == NULL || cfg_u32(params, 0, SHM_WORKERS_MAX - 1, &index) < 0 ||
		index >= program->core.workers)
		return NULL;
	return program->core.worker[index];
}

static int one_worker(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct dp_worker *w = worker_of(params);

	(void)cmd;
	if (w == NULL)
		return -EINVAL;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "lcore", program->eal.lcore[w->index]);
	rte_tel_data_add_dict_int(d, "outer_rx_queue", w->outer.rxq);
	rte_tel_data_add_dict_int(d, "inner_rx_queue", w->inner.rxq);
	for (unsigned i = 0; i < DP_COUNT_COUNT; i++)
		rte_tel_data_add_dict_u64(d, dp_count_name[i], load(&w->count[i]));
	return 0;
}

static int worker_drops(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct dp_worker *w = worker_of(params);

	(void)cmd;
	if (w == NULL)
		return -EINVAL;
	rte_tel_data_start_dict(d);
	for (unsigned i = 0; i < DP_DROP_COUNT; i++)
		rte_tel_data_add_dict_u64(d, dp_drop_name[i], load(&w->drop[i]));
	return 0;
}

static int ports(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	(void)params;
	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	for (uint16_t i = 0; i < program->core.ports; i++)
		rte_tel_data_add_array_int(d, i);
	return 0;
}

// net_null, which is below, counts only what it frees.
static void tap_stats(const struct dp_tap *tap, struct rte_eth_stats *stats)
{
	const struct dp_tap_stats *s = dp_tap_stats(tap);

	*stats = (struct rte_eth_stats){ .ipackets = s->rx_packets,
		.ibytes = s->rx_bytes,
		.imissed = s->rx_missed,
		.opackets = s->tx_packets,
		.obytes = s->tx_bytes,
		.oerrors = s->tx_errors };
}

static int one_port(const char *cmd, const char *params, struct rte_tel_data *d)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	const struct dp_port_state *p;
	struct rte_eth_stats stats;
	uint32_t index;

	(void)cmd;
	if (params == NULL || cfg_u32(params, 0, DP_PORTS_MAX - 1, &index) < 0 ||
		index >= program->core.ports)
		return -EINVAL;
	p = &program->ports[index];
	rte_ether_format_addr(mac, sizeof(mac), &p->port.mac);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "role", p->device.role);
	rte_tel_data_add_dict_string(d, "name", p->device.name);
	rte_tel_data_add_dict_string(d, "interface", p->device.iface);
	rte_tel_data_add_dict_string(d, "mac", mac);
	rte_tel_data_add_dict_string(d, "rss", dp_rss_class_name(p->rss));
	rte_tel_data_add_dict_u64(d, "rss_types", p->rss_types);
	rte_tel_data_add_dict_u64(d, "reta_size", p->reta_size);
	rte_tel_data_add_dict_u64(d, "mtu", p->port.mtu);
	rte_tel_data_add_dict_u64(d, "queues", p->queues);
	rte_tel_data_add_dict_u64(d, "link_up", p->link_up);
	if (rte_eth_stats_get(p->port.id, &stats) < 0)
		return 0;
	if (p->tap != NULL)
		tap_stats(p->tap, &stats);
	rte_tel_data_add_dict_u64(d, "rx_packets", stats.ipackets);
	rte_tel_data_add_dict_u64(d, "rx_bytes", stats.ibytes);
	rte_tel_data_add_dict_u64(d, "rx_missed", stats.imissed);
	rte_tel_data_add_dict_u64(d, "rx_no_buffer", stats.rx_nombuf);
	rte_tel_data_add_dict_u64(d, "tx_packets", stats.opackets);
	rte_tel_data_add_dict_u64(d, "tx_bytes", stats.obytes);
	rte_tel_data_add_dict_u64(d, "tx_errors", stats.oerrors);
	return 0;
}

static void add_text(struct rte_tel_data *d, const char *name, const struct shm_addr *addr)
{
	char text[DP_ADDRESS_TEXT];

	rte_tel_data_add_dict_string(d, name, dp_address_text(addr, text));
}

static int session(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct shm_session_info s;
	uint32_t peer_id;
	int rc;

	(void)cmd;
	if (params == NULL || cfg_u32(params, 0, program->core.sessions - 1, &peer_id) < 0)
		return -EINVAL;
	rc = shm_session_read(&program->core.dir[peer_id], &program->core.session[peer_id], &s);
	if (rc < 0)
		return rc;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", s.name);
	add_text(d, "remote", &s.endpoint.remote);
	rte_tel_data_add_dict_u64(d, "remote_port", ntohs(s.endpoint.remote_port_be));
	add_text(d, "local", &s.endpoint.local);
	rte_tel_data_add_dict_u64(d, "local_port", ntohs(s.endpoint.local_port_be));
	add_text(d, "tunnel4", &s.tunnel4);
	add_text(d, "tunnel6", &s.tunnel6);
	rte_tel_data_add_dict_u64(d, "generation", s.generation);
	rte_tel_data_add_dict_u64(d, "owner", s.owner);
	rte_tel_data_add_dict_u64(d, "tx_owner", s.tx_owner);
	rte_tel_data_add_dict_u64(d, "cipher", s.cipher);
	rte_tel_data_add_dict_u64(d, "key_id", s.key_id);
	rte_tel_data_add_dict_u64(d, "rx_packets", s.rx_packets);
	rte_tel_data_add_dict_u64(d, "rx_bytes", s.rx_bytes);
	rte_tel_data_add_dict_u64(d, "tx_packets", s.tx_packets);
	rte_tel_data_add_dict_u64(d, "tx_bytes", s.tx_bytes);
	rte_tel_data_add_dict_u64(d, "last_rx_ms", s.last_rx_ms);
	rte_tel_data_add_dict_u64(d, "last_tx_ms", s.last_tx_ms);
	rte_tel_data_add_dict_u64(d, "handovers", s.handovers);
	rte_tel_data_add_dict_u64(d, "replays", s.replays);
	return 0;
}

static const struct {
	const char *name;
	telemetry_cb fn;
	const char *help;
} commands[] = {
	{ "/visp/totals", totals, "Sums over all workers. No parameter." },
	{ "/visp/drops", all_drops, "Dropped packets by reason, all workers. No parameter." },
	{ "/visp/workers", workers, "Numbers of the workers. No parameter." },
	{ "/visp/worker", one_worker, "Counters of one worker. Parameter: its number." },
	{ "/visp/worker/drops", worker_drops,
		"Dropped packets of one worker by reason. Parameter: its number." },
	{ "/visp/ports", ports, "Numbers of the ports. No parameter." },
	{ "/visp/port", one_port, "What one port is and does. Parameter: its number." },
	{ "/visp/session", session, "One session. Parameter: peer-id." },
};

static int dispatch(const char *cmd, const char *params, struct rte_tel_data *d)
{
	int rc = -ENOENT;

	(void)pthread_mutex_lock(&lock); // fails for broken locks only
	for (size_t i = 0; i < RTE_DIM(commands) && program != NULL; i++) {
		if (strcmp(commands[i].name, cmd) == 0)
			rc = commands[i].fn(cmd, params, d);
	}
	(void)pthread_mutex_unlock(&lock);
	return rc;
}

int dp_telemetry_register(const struct dp_main *m)
{
	program = m;
	for (size_t i = 0; i < RTE_DIM(commands); i++) {
		int rc = rte_telemetry_register_cmd(commands[i].name, dispatch, commands[i].help);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void dp_telemetry_stop(void)
{
	(void)pthread_mutex_lock(&lock); // fails for broken locks only
	program = NULL;
	(void)pthread_mutex_unlock(&lock);
}
