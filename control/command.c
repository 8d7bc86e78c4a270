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

#define TRIES_MAX 100u // of a session whose owner changes again and again
#define ANSWER_MS 5000u // an answer that takes longer is worth a line

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

static void try_send(struct ctl *ctl, struct ctl_command *c)
{
	if (!ctl_link_is_up(&ctl->link))
		return;
	if (ctl_link_command(&ctl->link, worker_of(ctl, c), &c->cmd) < 0)
		return; // full: the next tick
	c->sent = true;
	c->tries++;
	c->sent_ms = ctl_now_ms();
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
	ctl->commands.count++;
	try_send(ctl, c);
	return 0;
}

void ctl_command_forget(struct ctl *ctl, const struct ctl_peer *peer)
{
	struct ctl_command *c;

	DL_FOREACH(ctl->commands.first, c)
	{
		if (c->peer != peer)
			continue;
		c->peer = NULL;
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
	if (event->status == -EAGAIN && c->tries < TRIES_MAX) {
		c->sent = false;
		try_send(ctl, c);
		return;
	}
	finish(ctl, c, event->status);
}

void ctl_command_tick(struct ctl *ctl)
{
	uint64_t now = ctl_now_ms();
	struct ctl_command *c;

	DL_FOREACH(ctl->commands.first, c)
	{
		if (!c->sent) {
			try_send(ctl, c);
		} else if (!c->complained && now - c->sent_ms > ANSWER_MS) {
			c->complained = true;
			ctl_log(CTL_WARN, "the dataplane doesn't answer command=%u slot=%u",
				c->cmd.kind, c->cmd.slot);
		}
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

	// Whatever is added by the callbacks is at the end and isn't marked as sent before.
	DL_FOREACH_SAFE(ctl->commands.first, c, tmp)
	{
		int rc = done_already(ctl, c);

		c->sent = false;
		if (rc != 0)
			finish(ctl, c, rc > 0 ? 0 : rc);
		else
			try_send(ctl, c);
	}
}

void ctl_command_fail_all(struct ctl *ctl)
{
	struct ctl_command *c, *tmp;

	DL_FOREACH_SAFE(ctl->commands.first, c, tmp)
	{
		finish(ctl, c, -ENOTCONN);
	}
}
