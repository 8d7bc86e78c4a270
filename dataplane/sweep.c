// SPDX-License-Identifier: BSD-3-Clause
// The walk over the session table: keep-alive Pings, time-outs, key switches that are due. Once a
// second over all slots, in slices that follow from the time that passed, so that a million
// Pings don't go out together. Source: protocol.md 10.3; decisions.md D22.
#include "dataplane/path.h"

#define PERIOD_MS 1000u

// tx_owner's part: our own silence. A Ping goes out with the visit that is nearest to the end of
// its interval: the next one may be a whole period too late for a client that counts whole seconds.
static void sweep_tx(struct dp_worker *w, uint32_t slot, uint16_t generation)
{
	struct shm_session *s = dp_session(w, slot);
	uint64_t last = atomic_load_explicit(&s->last_tx_ms, memory_order_relaxed);

	if (dp_tx_slot(w, slot) < 0 || s->ping_interval_ms == 0)
		return;
	if (w->now_ms >= last && w->now_ms - last + PERIOD_MS / 2 >= s->ping_interval_ms)
		dp_send_ping(w, NULL, slot, generation, 0);
}

// owner's part: the client's silence. Control decides what to do about it.
static void sweep_rx(struct dp_worker *w, uint32_t slot)
{
	struct shm_session *s = dp_session(w, slot);
	uint64_t last = atomic_load_explicit(&s->last_rx_ms, memory_order_relaxed);

	if (s->timeout_ms == 0 || w->now_ms < last || w->now_ms - last < s->timeout_ms)
		return;
	if ((uint32_t)w->now_ms - s->timeout_told_ms < s->timeout_ms)
		return;
	s->timeout_told_ms = (uint32_t)w->now_ms;
	dp_event(w, SHM_EVENT_TIMEOUT, slot, 0, NULL, NULL);
}

static void visit(struct dp_worker *w, uint32_t slot)
{
	struct shm_dir *d = &w->core->dir[slot];

	if (likely(atomic_load_explicit(&d->state, memory_order_acquire) != SHM_STATE_LIVE))
		return;
	if (dp_tx_owner(w->core, slot) == w->index)
		sweep_tx(w, slot, atomic_load_explicit(&d->generation, memory_order_relaxed));
	if (dp_owner(w->core, slot) == w->index)
		sweep_rx(w, slot);
}

// Slots that the clock asks for, not yet limited.
static uint64_t due(const struct dp_worker *w)
{
	uint64_t wanted = (w->now_ms - w->sweep_ms) * w->core->sessions / PERIOD_MS;

	return wanted > w->sweep_done ? wanted - w->sweep_done : 0;
}

bool dp_sweep_behind(const struct dp_worker *w)
{
	return due(w) > DP_SWEEP_MAX;
}

unsigned dp_sweep(struct dp_worker *w)
{
	uint32_t sessions = w->core->sessions;
	uint64_t n = due(w);

	if (n < (sessions < DP_SWEEP_MIN ? sessions : DP_SWEEP_MIN))
		return 0;
	if (n > sessions) { // away for longer than a whole walk takes
		w->sweep_ms = w->now_ms - PERIOD_MS;
		w->sweep_done = 0;
		n = sessions;
	}
	if (n > DP_SWEEP_MAX)
		n = DP_SWEEP_MAX;
	for (uint64_t i = 0; i < n; i++) {
		visit(w, w->sweep_slot);
		if (++w->sweep_slot == sessions) {
			w->sweep_slot = 0;
			dp_count(w, DP_COUNT_sweeps, 1);
		}
	}
	w->sweep_done += n;
	while (w->sweep_done >= sessions) {
		w->sweep_done -= sessions;
		w->sweep_ms += PERIOD_MS;
	}
	dp_stage_encrypt(w);
	return (unsigned)n;
}
