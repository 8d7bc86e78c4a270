// SPDX-License-Identifier: BSD-3-Clause
// What commands do to sessions and keys. All of it on the session's owner. Each returns 0, -errno
// for the acknowledgement, DP_CMD_WAIT when something was unpublished and the _finish function is
// to be called after a grace period, or DP_CMD_RETRY when it has to be called again later.
#pragma once

#include "dataplane/worker.h"
#include "shm/message.h"

#define DP_CMD_WAIT 1
#define DP_CMD_RETRY 2

// install.c: sessions.
int dp_cmd_install(struct dp_worker *w, const struct shm_cmd *cmd);
int dp_cmd_remove(struct dp_worker *w, const struct shm_cmd *cmd);
int dp_cmd_remove_finish(struct dp_worker *w, const struct shm_cmd *cmd);
int dp_cmd_iroute(struct dp_worker *w, const struct shm_cmd *cmd);

// keys.c: key slots.
int dp_cmd_key(struct dp_worker *w, const struct shm_cmd *cmd);
int dp_cmd_key_finish(struct dp_worker *w, const struct shm_cmd *cmd);
int dp_cmd_key_drop(struct dp_worker *w, const struct shm_cmd *cmd);
int dp_cmd_key_drop_finish(struct dp_worker *w, const struct shm_cmd *cmd);

// Expand both directions of a key slot whose raw keys are filled. Returns 0 or -errno.
// rx_epoch, tx_epoch: of the epoch format, where the key goes on; 1 for a new one.
int dp_key_expand(
	struct dp_worker *w, struct shm_key_slot *k, uint16_t rx_epoch, uint16_t tx_epoch);
// Wipe a key slot that this process filled or expanded, and what its cells point to.
void dp_key_wipe(struct shm_key_slot *k);
// Free what all cells point to, for dp_core_done(): the table stays for the next dataplane.
void dp_keys_forget(struct dp_core *core);
