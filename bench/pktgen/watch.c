// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/watch.h"

#include <string.h>

#include "bench/host/host.h"
#include "bench/noise.h"

#define PROBES_PER_S 100
#define PAUSES_PER_S 5000 // a turn takes some 0.01 ms

// The work of all workers until now. Returns how many there are, <= 0 when nobody tells.
static int read_work(const struct pg_watch *w, struct pg_work *work)
{
	if (w->host == NULL)
		return w->telemetry_fd < 0
			? 0
			: pg_telemetry_work(w->telemetry_fd, work, SHM_WORKERS_MAX);
	work[0] = (struct pg_work){
		.cycles = w->host_cycles,
		.packets = pg_host_count(w->host, 0, DP_COUNT_outer_rx_packets) +
			pg_host_count(w->host, 0, DP_COUNT_inner_rx_packets),
		.turns = pg_host_count(w->host, 0, DP_COUNT_iterations),
		.busy_turns = pg_host_count(w->host, 0, DP_COUNT_busy_iterations),
	};
	return 1;
}

// What the dataplane dropped until now. False when nobody tells.
static bool read_drops(const struct pg_watch *w, uint64_t drops[DP_DROP_COUNT])
{
	if (w->host == NULL)
		return w->telemetry_fd >= 0 && pg_telemetry_drops(w->telemetry_fd, drops) == 0;
	for (unsigned i = 0; i < DP_DROP_COUNT; i++)
		drops[i] = pg_host_drops(w->host, (enum dp_drop)i);
	return true;
}

void pg_watch_begin(struct pg_watch *w, int telemetry_fd, struct pg_host *host)
{
	memset(w, 0, sizeof(*w));
	w->telemetry_fd = telemetry_fd;
	w->host = host;
	w->workers = read_work(w, w->before);
	w->drops_told = read_drops(w, w->drops);
}

void pg_watch_turn(struct pg_watch *w, uint64_t tsc)
{
	uint64_t hz = (uint64_t)pg_tsc_hz();

	if (w->last_tsc != 0 && tsc - w->last_tsc > hz / PAUSES_PER_S)
		w->paused += tsc - w->last_tsc;
	w->last_tsc = tsc;
	if (tsc < w->next_tsc)
		return;
	w->next_tsc = tsc + hz / PROBES_PER_S;
	(void)pg_samples_add(&w->probes, pg_noise_probe(), false); // one less: no harm
}

void pg_watch_end(struct pg_watch *w, struct pg_seen *ret_seen)
{
	struct pg_summary s = pg_samples_summary(&w->probes);
	struct pg_work *work = ret_seen->work;
	int n = w->workers > 0 ? read_work(w, work) : 0;

	for (int i = 0; i < n; i++) {
		work[i].cycles -= w->before[i].cycles;
		work[i].packets -= w->before[i].packets;
		work[i].turns -= w->before[i].turns;
		work[i].busy_turns -= w->before[i].busy_turns;
	}
	ret_seen->drops_told = w->drops_told && read_drops(w, ret_seen->drops);
	for (unsigned i = 0; ret_seen->drops_told && i < DP_DROP_COUNT; i++)
		ret_seen->drops[i] -= w->drops[i];
	ret_seen->workers = n == w->workers && n > 0 ? (unsigned)n : 0;
	ret_seen->probes = s.total;
	ret_seen->probe_floor = pg_noise_floor();
	ret_seen->probe_median = s.median;
	ret_seen->probe_p90 = s.p90;
	ret_seen->paused_ms = (double)w->paused * 1000 / pg_tsc_hz();
	pg_samples_done(&w->probes);
}
