// SPDX-License-Identifier: BSD-3-Clause
// Packets that another worker has to go on with: one ring for each pair of workers, filled in
// batches. Source: decisions.md D4, D12, D14.
#include "dataplane/legacy.h"
#include "dataplane/path.h"

static void flush_to(struct dp_worker *w, uint16_t to)
{
	struct dp_worker *peer = w->core->worker[to];
	unsigned n = w->handoff_n[to];
	unsigned put;

	w->handoff_n[to] = 0;
	put = rte_ring_sp_enqueue_burst(
		peer->handoff_in[w->index], (void **)w->handoff[to], n, NULL);
	for (unsigned i = put; i < n; i++)
		dp_drop(w, w->handoff[to][i], DP_DROP_handoff_full);
	dp_count(w, DP_COUNT_handoff_out, put);
	w->wake[to] = true;
	w->wake_any = true;
}

void dp_handoff(struct dp_worker *w, uint16_t to, struct rte_mbuf *m, enum dp_handoff_kind kind)
{
	struct dp_meta *meta = dp_meta(m);

	if (to >= w->core->workers || to == w->index) {
		dp_drop(w, m, DP_DROP_no_session); // an owner that isn't there any more
		return;
	}
	if (meta->hops >= DP_HOPS_MAX) {
		dp_drop(w, m, DP_DROP_handoff_loop);
		return;
	}
	// What nobody has authenticated may fill a quarter of a ring.
	if (kind == DP_HANDOFF_RX && meta->flags & DP_META_UNPROVEN &&
		rte_ring_count(w->core->worker[to]->handoff_in[w->index]) + w->handoff_n[to] >=
			DP_HANDOFF_ENTRIES / 4) {
		dp_drop(w, m, DP_DROP_handoff_budget);
		return;
	}
	meta->hops++;
	meta->kind = kind;
	w->handoff[to][w->handoff_n[to]++] = m;
	if (w->handoff_n[to] == DP_BURST)
		flush_to(w, to);
}

void dp_handoff_flush(struct dp_worker *w)
{
	for (uint16_t i = 0; i < w->core->workers; i++) {
		if (w->handoff_n[i] > 0)
			flush_to(w, i);
	}
}

// Sending follows the queue that brings the session's downlink (D4). Only after everything that
// was gathered has its packet-id.
static void follow_tx(struct dp_worker *w, uint32_t slot, uint16_t origin)
{
	struct shm_session *s = dp_session(w, slot);

	if (s->tx_foreign_worker != origin) {
		s->tx_foreign_worker = origin;
		s->tx_foreign_run = 0;
	}
	if (++s->tx_foreign_run < DP_TX_OWNER_RUN || origin >= w->core->workers)
		return;
	dp_stage_encrypt(w);
	s->tx_foreign_run = 0;
	atomic_store_explicit(&w->core->dir[slot].tx_owner, origin, memory_order_release);
	dp_count(w, DP_COUNT_tx_owner_given, 1);
}

static void take_tx(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	uint32_t slot = meta->slot;
	uint16_t owner = dp_tx_owner(w->core, slot);
	// What a client or a worker itself sends says nothing about the inner port's queues.
	bool from_port = (meta->flags & (DP_META_FROM_CLIENT | DP_META_COUNTED)) == DP_META_COUNTED;
	uint16_t origin = meta->origin;

	if (owner != w->index) {
		dp_handoff(w, owner, m, meta->kind);
		return;
	}
	if (meta->kind == DP_HANDOFF_PING) {
		dp_send_ping(w, m, slot, meta->generation, meta->flags);
		return;
	}
	dp_down(w, m);
	if (from_port && origin != w->index)
		follow_tx(w, slot, origin);
}

static void take(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);

	if (meta->kind == DP_HANDOFF_FRAME) {
		dp_port_send(w, meta->flags & DP_META_FRAME_INNER ? &w->inner : &w->outer, m);
		return;
	}
	if (!dp_live(w->core, meta->slot, meta->generation)) {
		dp_drop(w, m, DP_DROP_stale_handoff);
		return;
	}
	if (meta->kind != DP_HANDOFF_RX) {
		take_tx(w, m);
		return;
	}
	if (dp_owner(w->core, meta->slot) != w->index)
		dp_handoff(w, dp_owner(w->core, meta->slot), m, DP_HANDOFF_RX);
	else if (dp_dir_flags(w->core, meta->slot) & SHM_DIR_LEGACY)
		dp_legacy_owned(w, m);
	else
		dp_lookup_owned(w, m);
}

unsigned dp_handoff_take(struct dp_worker *w)
{
	struct rte_mbuf *pkt[DP_BURST];
	unsigned total = 0;

	for (uint16_t i = 0; i < w->core->workers; i++) {
		unsigned n;

		if (i == w->index)
			continue;
		n = rte_ring_sc_dequeue_burst(w->handoff_in[i], (void **)pkt, DP_BURST, NULL);
		for (unsigned k = 0; k < n; k++)
			rte_prefetch0(dp_meta(pkt[k]));
		for (unsigned k = 0; k < n; k++)
			take(w, pkt[k]);
		total += n;
	}
	if (total > 0) {
		dp_count(w, DP_COUNT_handoff_in, total);
		dp_stage_decrypt(w);
		dp_stage_recover(w);
	}
	return total;
}
