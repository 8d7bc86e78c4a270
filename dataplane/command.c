// SPDX-License-Identifier: BSD-3-Clause
// The queue of control's commands. What a command takes away from workers it first unpublishes; it
// then waits until every worker has passed a quiescent state, and is finished (wiped, acknowledged)
// after that. The owner of the session does all of it, so each slot keeps its single writer.
// Source: decisions.md D5, D15, C10.
#include "dataplane/command.h"

#include <string.h>

#include "dataplane/path.h"

#define PENDING_PER_TURN 4u
#define MAIN_MESSAGES_MAX 4u // that one command may send

static int start(struct dp_worker *w, const struct shm_cmd *cmd)
{
	if (cmd->kind == SHM_CMD_INSTALL)
		return dp_cmd_install(w, cmd);
	// Everything else is about a live session that is ours.
	if (!dp_live(w->core, cmd->slot, cmd->generation))
		return -ESTALE;
	if (dp_owner(w->core, cmd->slot) != w->index)
		return -EAGAIN;
	switch (cmd->kind) {
	case SHM_CMD_KEY: return dp_cmd_key(w, cmd);
	case SHM_CMD_KEY_DROP: return dp_cmd_key_drop(w, cmd);
	case SHM_CMD_REMOVE: return dp_cmd_remove(w, cmd);
	case SHM_CMD_IROUTE_ADD:
	case SHM_CMD_IROUTE_DEL: return dp_cmd_iroute(w, cmd);
	default: return -EINVAL;
	}
}

static int finish(struct dp_worker *w, const struct shm_cmd *cmd)
{
	switch (cmd->kind) {
	case SHM_CMD_KEY: return dp_cmd_key_finish(w, cmd);
	case SHM_CMD_KEY_DROP: return dp_cmd_key_drop_finish(w, cmd);
	default: return dp_cmd_remove_finish(w, cmd);
	}
}

static void acknowledge(struct dp_worker *w, const struct shm_cmd *cmd, int status, uint64_t epoch)
{
	struct shm_event ev = {
		.kind = SHM_EVENT_ACK,
		.seq = cmd->seq,
		.status = status,
		.slot = cmd->slot,
		.generation = cmd->generation,
		.which = cmd->kind == SHM_CMD_KEY ? cmd->key.which : cmd->which,
		.at_ms = w->now_ms,
	};

	dp_count(w, status == 0 ? DP_COUNT_commands : DP_COUNT_commands_refused, 1);
	if (w->ctl == NULL || w->ctl->epoch != epoch)
		return; // who asked is gone
	if (shm_ring_put(&w->ctl->ring[SHM_RING_EVENT], &ev, sizeof(ev)) < 0)
		dp_count(w, DP_COUNT_events_lost, 1);
	w->tell_control = true;
}

// Carry out, from the beginning or from where it waited. Returns false when it has to stay.
static bool step(struct dp_worker *w, struct dp_pending *p)
{
	int rc;

	if (p->waits && rte_rcu_qsbr_check(w->core->qsbr, p->token, false) == 0)
		return false;
	rc = p->waits ? finish(w, &p->cmd) : start(w, &p->cmd);
	if (rc == DP_CMD_RETRY)
		return false;
	if (rc == DP_CMD_WAIT) {
		p->token = rte_rcu_qsbr_start(w->core->qsbr);
		p->waits = true;
		return false;
	}
	acknowledge(w, &p->cmd, rc, p->epoch);
	return true;
}

unsigned dp_pending_run(struct dp_worker *w)
{
	unsigned n = 0;

	while (w->pending_n > 0 && n < PENDING_PER_TURN) {
		struct dp_pending *p = &w->pending[w->pending_head];

		if (!step(w, p))
			break;
		explicit_bzero(p, sizeof(*p));
		w->pending_head = (w->pending_head + 1) % DP_PENDING;
		w->pending_n--;
		n++;
	}
	return n;
}

bool dp_pending_has(const struct dp_worker *w, uint32_t slot)
{
	for (uint32_t i = 0; i < w->pending_n; i++) {
		if (w->pending[(w->pending_head + i) % DP_PENDING].cmd.slot == slot)
			return true;
	}
	return false;
}

// One more command may be taken: its acknowledgement, those of all that wait, and an event of its
// own (a first key is used at once) have a place, and so has what it may tell main.
static bool room(struct dp_worker *w)
{
	int rc;

	return w->pending_n < DP_PENDING &&
		shm_ring_reserve(&w->ctl->ring[SHM_RING_EVENT], w->pending_n + 1, &rc) != NULL &&
		(w->to_main == NULL || rte_ring_free_count(w->to_main) > MAIN_MESSAGES_MAX);
}

static void broken(struct dp_worker *w)
{
	atomic_store_explicit(&w->control_broken, 1, memory_order_relaxed);
	w->tell_main = true;
}

// Take one command out of the ring. Returns its kind, 0 when there is none.
static uint32_t take(struct dp_worker *w)
{
	struct dp_pending p = { .epoch = w->ctl->epoch };
	uint32_t kind;
	int rc = shm_ring_get(&w->ctl->ring[SHM_RING_COMMAND], &p.cmd, sizeof(p.cmd));

	if (rc < 0)
		broken(w);
	if (rc <= 0)
		return 0;
	kind = p.cmd.kind;
	w->commanded = true;
	if (shm_cmd_check(&p.cmd, w->core->sessions) < 0)
		acknowledge(w, &p.cmd, -EINVAL, p.epoch);
	else if (dp_pending_has(w, p.cmd.slot) || !step(w, &p)) // behind those of its session
		w->pending[(w->pending_head + w->pending_n++) % DP_PENDING] = p;
	w->commanded = false;
	explicit_bzero(&p, sizeof(p));
	return kind == 0 ? UINT32_MAX : kind;
}

unsigned dp_commands(struct dp_worker *w)
{
	unsigned n = 0, installs = 0;

	if (w->ctl == NULL)
		return 0;
	while (n < DP_COMMANDS_PER_TURN && installs < DP_INSTALLS_PER_TURN && room(w)) {
		uint32_t kind = take(w);

		if (kind == 0)
			break;
		if (kind == SHM_CMD_INSTALL || kind == SHM_CMD_KEY)
			installs++;
		n++;
	}
	return n;
}
