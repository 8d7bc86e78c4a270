// SPDX-License-Identifier: BSD-3-Clause
// What control asks its helper processes: programs of the operator and PAM. Event loop only;
// nothing here waits.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/hook_msg.h"

struct cfg_server;
struct ctl;
struct ctl_hooks;

// An answer to whoever asked. `answer` is valid during the call. CTL_HOOK_PENDING is followed by
// another one; each other one is the last.
typedef void ctl_hook_done_fn(struct ctl *ctl, void *who, const struct ctl_hook_message *answer);

// Fork the helpers that the configuration needs, none when it needs none. While there is one thread
// and before rights are dropped. Returns 0 or a negative errno after logging.
int ctl_hooks_create(struct ctl *ctl, struct ctl_hooks **ret_hooks);

// Look at their answers from now on. Returns 0 or a negative errno.
int ctl_hooks_start(struct ctl_hooks *hooks);

// The helpers end. NULL is fine. Returns NULL.
struct ctl_hooks *ctl_hooks_free(struct ctl_hooks *hooks);

// Ask for who, which ctl_hooks_forget() knows again. The id is filled in.
// Returns 0; -EBUSY when too many wait; -EMSGSIZE; -ENOMEM; -ENOTCONN without such a helper.
int ctl_hooks_ask(struct ctl_hooks *hooks, void *who, struct ctl_hook_message *request,
	ctl_hook_done_fn *done);

// Nobody waits for the answers to who any more; what runs for it is ended. NULL is fine.
void ctl_hooks_forget(struct ctl_hooks *hooks, const void *who);
