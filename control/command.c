// SPDX-License-Identifier: BSD-3-Clause
#include "control/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "control/clock.h"
#include "control/ctl.h"
#include "control/hash.h"
#include "control/log.h"
#include "control/peer.h"

#define TRIES_MAX 100u // of a session whose owner changes again and again
#define ANSWER_MS 5000u // an answer that takes longer is worth a line
#define LOOKED_AT_MAX 4096u // commands in one tick

struct ctl_command {
	struct shm_cmd cmd; // holds keys: wiped when done
	uint16_t worker; // preferred
	uint16_t tries;
	bool sent;
	bool complained;
	uint64_t sent_ms;
	struct ctl_peer *peer;
	ctl_command_done_fn *done;
	UT_hash_handle hh;
	struct ctl_command *prev, *next;
	struct ctl_command *peer_prev, *peer_next; // of the same peer
	struct ctl_command *unsent_prev, *unsent_next; // not yet in a ring
};

// The worker that owns the session, or the preferred one for a session that isn't there yet.
static uint16_t worker_of(struct ctl *ctl, const struct ctl_command *c)
{
	const struct shm_dir *dir = ctl_link_dir(&ctl->link, c->cmd.slot);
	struct shm_dir *d = (struct shm_dir *)(uintptr_t)dir; // loaded only
	uint16_t owner = c->worker;

	if (d != NULL && atomic_load_explicit(&d->state, memory_order_acquire) == SHM_STATE_LIVE)
		owner = atomic_load_explicit(&d->owner, memory_order_acquire);
	return owner < ctl->link.workers ? owner : 0;
}

static void queue(struct ctl *ctl, struct ctl_command *c)
{
	c->sent = false;
	DL_APPEND2(ctl->commands.unsent, c, unsent_prev, unsent_next);
}

static void unqueue(struct ctl *ctl, struct ctl_command *c)
{
	if (!c->sent)
		DL_DELETE2(ctl->commands.unsent, c, unsent_prev, unsent_next);
	c->sent = true;
}

// Put a command that is queued into its worker's ring. Returns 0, or negative when that is full.
static int try_send(struct ctl *ctl, struct ctl_command *c)
{
	int rc = ctl_link_command(&ctl->link, worker_of(ctl, c), &c->cmd);

	if (rc < 0)
		return rc;
	unqueue(ctl, c);
	c->tries++;
	c->sent_ms = ctl_now_ms();
	return 0;
}

// In the order of the calls, so that a key doesn't overtake its session.
static void send_queued(struct ctl *ctl)
{
	while (ctl->commands.unsent != NULL && try_send(ctl, ctl->commands.unsent) == 0)
		;
}

// Who waited for it is gone, or has its answer.
static void leave_peer(struct ctl_command *c)
{
	if (c->peer != NULL)
		DL_DELETE2(c->peer->commands, c, peer_prev, peer_next);
	c->peer = NULL;
}

static void finish(struct ctl *ctl, struct ctl_command *c, int status)
{
	struct ctl_peer *peer = c->peer;
	ctl_command_done_fn *done = c->done;
	struct shm_cmd cmd = c->cmd;

	if (cmd.kind == SHM_CMD_KEY) {
		explicit_bzero(&cmd.key.rx, sizeof(cmd.key.rx));
		explicit_bzero(&cmd.key.tx, sizeof(cmd.key.tx));
	}

	leave_peer(c);
	unqueue(ctl, c);
	HASH_DEL(ctl->commands.pending, c);
	DL_DELETE(ctl->commands.first, c);
	ctl->commands.count--;
	explicit_bzero(c, sizeof(*c));
	free(c);
	if (done != NULL)
		done(ctl, peer, &cmd, status);
}

int ctl_command_send(struct ctl *ctl, const struct shm_cmd *cmd, uint16_t worker,
	struct ctl_peer *peer, ctl_command_done_fn *done)
{
	struct ctl_command *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->cmd = *cmd;
	c->cmd.seq = ++ctl->commands.seq;
	c->worker = worker;
	c->peer = peer;
	c->done = done;
	HASH_ADD(hh, ctl->commands.pending, cmd.seq, sizeof(c->cmd.seq), c);
	DL_APPEND(ctl->commands.first, c);
	if (peer != NULL)
		DL_APPEND2(peer->commands, c, peer_prev, peer_next);
	ctl->commands.count++;
	queue(ctl, c);
	if (c == ctl->commands.unsent)
		(void)try_send(ctl, c); // full: after the next answers
	return 0;
}

void ctl_command_forget(struct ctl_peer *peer)
{
	struct ctl_command *c;

	// Not all that are under way: when many sessions end at once, each has one there.
	while ((c = peer->commands) != NULL) {
		leave_peer(c);
		c->done = NULL;
	}
}

void ctl_command_ack(struct ctl *ctl, const struct shm_event *event)
{
	struct ctl_command *c = NULL;

	HASH_FIND(hh, ctl->commands.pending, &event->seq, sizeof(event->seq), c);
	if (c == NULL || !c->sent) {
		ctl->count.stale_messages++; // of an earlier control, or answered from the table
		return;
	}
	if (event->status == -EAGAIN && c->tries < TRIES_MAX)
		queue(ctl, c);
	else
		finish(ctl, c, event->status);
	send_queued(ctl);
}

// Commands that one worker's full ring holds up don't hold up those for the others for long.
static void send_any(struct ctl *ctl)
{
	bool full[SHM_WORKERS_MAX] = { false };
	struct ctl_command *c, *tmp;
	unsigned n = 0;

	DL_FOREACH_SAFE2(ctl->commands.unsent, c, tmp, unsent_next)
	{
		uint16_t worker = worker_of(ctl, c);

		if (++n > LOOKED_AT_MAX)
			break;
		if (!full[worker])
			full[worker] = try_send(ctl, c) < 0;
	}
}

void ctl_command_tick(struct ctl *ctl)
{
	uint64_t now = ctl_now_ms();
	struct ctl_command *c;
	unsigned n = 0;

	if (ctl_link_is_up(&ctl->link))
		send_any(ctl);
	// The oldest are in front.
	DL_FOREACH(ctl->commands.first, c)
	{
		if (++n > LOOKED_AT_MAX || !c->sent || now - c->sent_ms <= ANSWER_MS)
			break;
		if (c->complained)
			continue;
		c->complained = true;
		ctl_log(CTL_WARN, "the dataplane doesn't answer command=%u slot=%u", c->cmd.kind,
			c->cmd.slot);
	}
}

// Was the command carried out, as far as the table tells? 1 yes, 0 not yet, negative: impossible.
static int done_already(struct ctl *ctl, const struct ctl_command *c)
{
	struct shm_dir *d =
		(struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, c->cmd.slot); // loaded only
	const struct shm_session *s = ctl_link_session(&ctl->link, c->cmd.slot);
	struct shm_rx_key rx;
	bool ours;

	if (d == NULL || s == NULL)
		return -ENOTCONN;
	ours = atomic_load_explicit(&d->state, memory_order_acquire) == SHM_STATE_LIVE &&
		atomic_load_explicit(&d->generation, memory_order_relaxed) == c->cmd.generation;
	switch (c->cmd.kind) {
	case SHM_CMD_INSTALL:
		return ours && memcmp(s->server_sid, c->cmd.install.server_sid, SHM_SID_LEN) == 0;
	case SHM_CMD_KEY:
		if (!ours)
			return -ESTALE;
		memcpy(&rx, &s->rx_key[c->cmd.key.which], sizeof(rx));
		return rx.installed == 1 && rx.age == c->cmd.key.age;
	case SHM_CMD_REMOVE: return !ours;
	case SHM_CMD_KEY_DROP:
		if (!ours)
			return -ESTALE;
		memcpy(&rx, &s->rx_key[c->cmd.which & 1], sizeof(rx));
		return rx.installed == 0;
	default: return ours ? 0 : -ESTALE;
	}
}

void ctl_command_resync(struct ctl *ctl)
{
	struct ctl_command *c, *tmp;

	// What isn't carried out is queued anew, all of it in the order of the calls.
	DL_FOREACH_SAFE(ctl->commands.first, c, tmp)
	{
		int rc = done_already(ctl, c);

		if (rc != 0) {
			finish(ctl, c, rc > 0 ? 0 : rc);
		} else {
			unqueue(ctl, c);
			queue(ctl, c);
		}
	}
	send_queued(ctl);
}

void ctl_command_fail_all(struct ctl *ctl)
{
	struct ctl_command *c, *tmp;

	DL_FOREACH_SAFE(ctl->commands.first, c, tmp)
	{
		finish(ctl, c, -ENOTCONN);
	}
}
