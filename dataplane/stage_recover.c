// SPDX-License-Identifier: BSD-3-Clause
// Packets that don't come from their session's endpoint, and reconfiguration Pings: what proves
// itself moves its session. They are served after the proven ones, and while a worker is loaded
// with a share of its time only. No limit counts failures of a session: whoever knows a peer-id
// or session id could use it to lock the owner out. Source: protocol.md 13.5; C11, D15.
#include <rte_cycles.h>

#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "protocol/ping.h"

bool dp_admit(struct dp_worker *w, struct rte_mbuf *m, uint64_t start, unsigned served)
{
	uint64_t hash;

	if (!w->loaded || (dp_meta(m)->flags & DP_META_UNPROVEN) == 0)
		return true;
	if (served >= DP_UNPROVEN_MIN && rte_rdtsc() - start > w->unproven_cycles) {
		dp_drop(w, m, DP_DROP_budget_worker);
		return false;
	}
	hash = dp_prefix_hash(m);
	if (!dp_bucket_take(&w->prefix_unproven[hash % DP_BUCKETS], w->now_ms,
		    DP_UNPROVEN_PREFIX_RATE, DP_UNPROVEN_PREFIX_RATE)) {
		dp_drop(w, m, DP_DROP_budget_prefix);
		return false;
	}
	return true;
}

// A packet before this one in the list may have given the session away.
static bool still_ours(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	uint16_t owner = dp_owner(w->core, meta->slot);

	if (owner == w->index) {
		// And one before it may have moved the session to where this one comes from.
		if (dp_frame_is_from(m, dp_own_endpoint(dp_session(w, meta->slot))))
			meta->flags &= ~(uint16_t)DP_META_UNPROVEN;
		return true;
	}
	if (meta->flags & DP_META_RECONF)
		meta->data_len += SHM_SID_LEN; // the next owner looks at it from the start
	dp_handoff(w, owner, m, DP_HANDOFF_RX);
	return false;
}

static void reconf(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	uint32_t slot = meta->slot;
	uint16_t origin = meta->origin;
	struct shm_endpoint from;
	bool newest;
	int rc;

	dp_frame_endpoint(m, &from);
	rc = dp_decrypt_one(w, m, &newest);
	if (rc < 0) {
		dp_drop(w, m, (enum dp_drop)(-1 - rc));
		return;
	}
	if (!ovpn_is_ping(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_pkt_len(m))) {
		dp_drop(w, m, DP_DROP_reconf_not_ping);
		return;
	}
	dp_count(w, DP_COUNT_reconf_received, 1);
	if (meta->flags & DP_META_UNPROVEN) {
		if (newest)
			dp_move(w, slot, &from);
		else
			dp_count(w, DP_COUNT_moves_old, 1);
	}
	// One answer for each that was accepted, also when the session was there already; it goes
	// to the endpoint as it is now.
	dp_send_ping(w, m, slot, meta->generation, DP_META_ANSWER);
	if (newest)
		dp_give_owner(w, slot, origin);
}

static void moved(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	uint32_t slot = meta->slot;
	uint16_t origin = meta->origin;
	struct dp_burst one;
	struct shm_endpoint from;
	bool newest;
	int rc;

	dp_frame_endpoint(m, &from);
	rc = dp_decrypt_one(w, m, &newest);
	if (rc < 0) {
		dp_drop(w, m, (enum dp_drop)(-1 - rc));
		return;
	}
	if (meta->flags & DP_META_UNPROVEN) {
		// First the move, so that an answer (to OCC REQUEST) goes to the new address.
		if (newest)
			dp_move(w, slot, &from);
		else
			dp_count(w, DP_COUNT_moves_old, 1);
	}
	one.n = 1;
	one.pkt[0] = m;
	dp_stage_inner(w, &one);
	if (newest)
		dp_give_owner(w, slot, origin);
}

// What was spent is no longer saved. An idle worker has time for everybody.
static void pay(struct dp_worker *w, uint64_t start)
{
	uint64_t spent = rte_rdtsc() - start;

	if (w->loaded)
		w->unproven_cycles -= RTE_MIN(spent, w->unproven_cycles);
}

void dp_stage_recover(struct dp_worker *w)
{
	uint64_t start;
	unsigned served = 0;

	if (unlikely(w->legacy->rx.n > 0))
		dp_stage_legacy_open(w);
	if (w->reconf.n + w->moved.n == 0)
		return;
	start = rte_rdtsc();

	// Who names the right session id first (C11).
	for (uint16_t i = 0; i < w->reconf.n; i++) {
		struct rte_mbuf *m = w->reconf.pkt[i];

		if (still_ours(w, m) && dp_admit(w, m, start, served)) {
			reconf(w, m);
			served++;
		}
	}
	w->reconf.n = 0;
	for (uint16_t i = 0; i < w->moved.n; i++) {
		struct rte_mbuf *m = w->moved.pkt[i];

		if (still_ours(w, m) && dp_admit(w, m, start, served)) {
			moved(w, m);
			served++;
		}
	}
	w->moved.n = 0;
	pay(w, start);
}
