// SPDX-License-Identifier: BSD-3-Clause
// Commands to the dataplane until they are acknowledged: sent to the worker that owns the session,
// sent again when the owner changed, when the ring was full, or when the dataplane was restarted.
// Everything here runs in the event loop.
#pragma once

#include <stdint.h>

#include "shm/message.h"

struct ctl;
struct ctl_command; // private
struct ctl_peer;

// Called once for each command, with the status of the acknowledgement (0 or a negative errno),
// unless it was forgotten before. cmd: what was sent, without keys.
typedef void ctl_command_done_fn(
	struct ctl *ctl, struct ctl_peer *peer, const struct shm_cmd *cmd, int status);

struct ctl_commands {
	struct ctl_command *pending; // by sequence number
	struct ctl_command *first; // all of them in order of the calls
	struct ctl_command *unsent; // those that aren't in a ring yet
	uint32_t seq; // of the newest
	uint32_t count;
};

// Send a command, now or as soon as possible. worker: preferred one when the slot isn't live.
// done may be NULL. Per session commands are carried out in the order of the calls as long as
// they are for one worker. Returns 0 or -ENOMEM.
int ctl_command_send(struct ctl *ctl, const struct shm_cmd *cmd, uint16_t worker,
	struct ctl_peer *peer, ctl_command_done_fn *done);

// Forget who waits for commands of this peer; the commands themselves go on.
void ctl_command_forget(struct ctl_peer *peer);

// An acknowledgement came.
void ctl_command_ack(struct ctl *ctl, const struct shm_event *event);

// Send what couldn't be sent yet; from the timer.
void ctl_command_tick(struct ctl *ctl);

// The dataplane was connected anew: what was under way is found out from the table, or sent again.
void ctl_command_resync(struct ctl *ctl);

// The table is gone: every command fails with -ENOTCONN.
void ctl_command_fail_all(struct ctl *ctl);
