// SPDX-License-Identifier: BSD-3-Clause
// Moves of sessions: of their endpoint, when a packet proved where the client is now, and of their
// owner, so that the worker whose queue gets the packets also works on them.
// Source: protocol.md 13.5, 13.6; decisions.md D12, C9, C16.
#include "dataplane/index_addr.h"
#include "dataplane/path.h"
#include "shm/session.h"

static bool same(const struct shm_endpoint *a, const struct shm_endpoint *b)
{
	return memcmp(a, b, offsetof(struct shm_endpoint, next_hop)) == 0;
}

// At most so many moves a second; above that packets are delivered without one.
static bool move_allowed(struct dp_worker *w, struct shm_session *s)
{
	if ((uint32_t)w->now_ms - s->move_refill_ms >= 1000) {
		s->move_refill_ms = (uint32_t)w->now_ms;
		s->move_tokens = DP_MOVES_PER_SECOND;
	}
	if (s->move_tokens == 0)
		return false;
	s->move_tokens--;
	return true;
}

// The address table holds sessions with P_DATA_V1 only. Whoever had the address loses the entry,
// not its keys: see paused() in stage_encrypt.c.
static int reindex(struct dp_worker *w, uint32_t slot, const struct shm_endpoint *old,
	const struct shm_endpoint *ep)
{
	struct dp_core *core = w->core;
	uint32_t other = SHM_SLOT_NONE;
	int rc = dp_addr_index_add(core->addr, core->session, ep, slot, &other);

	if (rc < 0)
		return rc;
	if (other != SHM_SLOT_NONE)
		atomic_fetch_or(&core->dir[other].flags, SHM_DIR_ADDRESS_TAKEN);
	dp_addr_index_del(core->addr, old, slot);
	return 0;
}

void dp_move(struct dp_worker *w, uint32_t slot, const struct shm_endpoint *ep)
{
	struct shm_session *s = dp_session(w, slot);
	struct shm_endpoint old = *dp_own_endpoint(s);
	uint8_t flags = dp_dir_flags(w->core, slot);

	if (same(&old, ep))
		return;
	if (!dp_endpoint_allowed(w, ep)) {
		dp_count(w, DP_COUNT_moves_refused, 1);
		return;
	}
	if (!move_allowed(w, s)) {
		dp_count(w, DP_COUNT_moves_limited, 1);
		return;
	}
	shm_endpoint_write(s, ep);
	if (flags & SHM_DIR_DATA_V1 && reindex(w, slot, &old, ep) < 0) {
		shm_endpoint_write(s, &old);
		dp_count(w, DP_COUNT_moves_refused, 1);
		return;
	}
	// Clients that know about mobility confirm a move with a second packet; stock ones can't.
	if ((flags & SHM_DIR_MOBILITY) == 0)
		atomic_store_explicit(&s->confirmed_index,
			atomic_load_explicit(&s->endpoint_index, memory_order_relaxed),
			memory_order_release);
	if (flags & SHM_DIR_ADDRESS_TAKEN)
		atomic_fetch_and(&w->core->dir[slot].flags, (uint8_t)~SHM_DIR_ADDRESS_TAKEN);
	dp_set64(&s->last_move_ms, w->now_ms);
	atomic_store_explicit(&s->handovers,
		atomic_load_explicit(&s->handovers, memory_order_relaxed) + 1,
		memory_order_relaxed);
	s->foreign_run = 0;
	dp_count(w, DP_COUNT_handovers, 1);
	dp_event(w, SHM_EVENT_HANDOVER, slot, 0, ep, &old);
}

void dp_give_owner(struct dp_worker *w, uint32_t slot, uint16_t to)
{
	struct shm_session *s = dp_session(w, slot);

	if (to == w->index || to >= w->core->workers)
		return;
	if ((uint32_t)w->now_ms - s->owner_change_ms < DP_OWNER_CHANGE_MS)
		return;
	if (dp_pending_has(w, slot)) // what waits for its grace period is ours to finish
		return;
	s->owner_change_ms = (uint32_t)w->now_ms;
	s->foreign_run = 0;
	atomic_store_explicit(&w->core->dir[slot].owner, to, memory_order_release);
	dp_count(w, DP_COUNT_owner_given, 1);
}

void dp_follow_queue(struct dp_worker *w, uint32_t slot, uint16_t origin)
{
	struct shm_session *s = dp_session(w, slot);

	if (likely(origin == w->index)) {
		if (unlikely(s->foreign_run != 0) && dp_owner(w->core, slot) == w->index)
			s->foreign_run = 0;
		return;
	}
	// An earlier packet of the same burst may have given it away already.
	if (dp_owner(w->core, slot) != w->index)
		return;
	if (s->foreign_worker != origin) {
		s->foreign_worker = origin;
		s->foreign_run = 0;
	}
	if (++s->foreign_run >= DP_OWNER_RUN)
		dp_give_owner(w, slot, origin);
}
