// SPDX-License-Identifier: BSD-3-Clause
// Key slots: filled whole, then published by one byte each way; unpublished, and wiped when no
// worker can be using them any more. Source: decisions.md D5; protocol.md 11.
#include <string.h>

#include "dataplane/command.h"
#include "dataplane/legacy.h"
#include "dataplane/path.h"

int dp_key_expand(struct dp_worker *w, struct shm_key_slot *k, uint16_t rx_epoch, uint16_t tx_epoch)
{
	struct dp_crypto *crypto = w->crypto;
	int rc;

	if (!dp_crypto_has(k->cipher) || (k->flags & SHM_DIR_EPOCH) != 0) {
		struct dp_legacy_epochs at = { .rx = rx_epoch, .tx = tx_epoch };

		k->stamp = 0; // no other process can use these cells
		return dp_legacy_keys(w->legacy, k, at);
	}
	rc = dp_crypto_expand(
		crypto, k->cipher, k->rx_raw.cipher_key, k->rx_raw.hmac_key, k->rx_cell);
	if (rc == 0)
		rc = dp_crypto_expand(
			crypto, k->cipher, k->tx_raw.cipher_key, k->tx_raw.hmac_key, k->tx_cell);
	if (rc == 0)
		k->stamp = dp_crypto_stamp(crypto);
	return rc;
}

void dp_key_wipe(struct shm_key_slot *k)
{
	if (dp_legacy_owns(k))
		dp_legacy_keys_done(k);
	explicit_bzero(k, sizeof(*k));
}

void dp_keys_forget(struct dp_core *core)
{
	for (uint32_t slot = 0; core->keys != NULL && slot < core->sessions; slot++) {
		for (unsigned i = 0; i < SHM_KEY_SLOTS; i++) {
			struct shm_key_slot *k = &core->keys[slot].key[i];

			if (dp_legacy_owns(k))
				dp_legacy_keys_done(k);
		}
	}
}

static uint8_t tx_slot(struct shm_session *s)
{
	return atomic_load_explicit(&s->tx_slot, memory_order_acquire);
}

// Fill an empty key slot and publish it.
static int fill(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_key *c = &cmd->key;
	struct shm_session *s = dp_session(w, cmd->slot);
	struct shm_key_slot *k = &w->core->keys[cmd->slot].key[c->which];
	uint8_t flags = dp_dir_flags(w->core, cmd->slot);
	int rc;

	k->rx_raw = c->rx;
	k->tx_raw = c->tx;
	k->cipher = c->cipher;
	k->key_id = c->key_id;
	k->digest = c->digest;
	k->flags = flags & (SHM_DIR_EPOCH | SHM_DIR_STATIC);
	rc = dp_key_expand(w, k, 1, 1);
	if (rc < 0) {
		explicit_bzero(k, sizeof(*k));
		return rc;
	}
	k->used = 1;
	memset(&s->window[c->which], 0, sizeof(s->window[0]));
	s->rx_key[c->which].age = c->age;
	s->rx_key[c->which].key_id = c->key_id;
	s->rx_key[c->which].cipher = c->cipher;
	s->rx_key[c->which].digest = c->digest;
	s->tx_key[c->which].key_id = c->key_id;
	s->tx_key[c->which].cipher = c->cipher;
	s->tx_key[c->which].digest = c->digest;
	s->tx_key[c->which].age = c->age;
	atomic_store_explicit(
		&s->tx_key[c->which].next, dp_legacy_first_id(flags, c), memory_order_relaxed);
	if (flags & SHM_DIR_LEGACY)
		dp_legacy_shape(w->core, cmd->slot, c->cipher, c->digest);
	atomic_store_explicit(&s->rx_key[c->which].installed, 1, memory_order_release);
	atomic_store_explicit(&s->tx_switch_ms, w->now_ms + c->tx_delay_ms, memory_order_relaxed);
	atomic_store_explicit(&s->tx_plan, c->which, memory_order_release);
	if (dp_tx_owner(w->core, cmd->slot) == w->index)
		(void)dp_tx_slot(w, cmd->slot); // a first key is used at once
	return 0;
}

// A cipher that this machine has, in a session that goes the way of its packets.
static bool key_fits(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_key *c = &cmd->key;
	uint8_t flags = dp_dir_flags(w->core, cmd->slot);

	if (dp_crypto_has(c->cipher))
		return (flags & SHM_DIR_STATIC) == 0;
	return (flags & SHM_DIR_LEGACY) != 0 && (flags & SHM_DIR_EPOCH) == 0 &&
		dp_legacy_has(w->legacy->crypto, c->cipher, c->digest);
}

int dp_cmd_key(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_key *c = &cmd->key;
	struct shm_session *s = dp_session(w, cmd->slot);
	struct shm_keys *keys = &w->core->keys[cmd->slot];

	if (!key_fits(w, cmd))
		return -EINVAL;
	// "Newest" is ordered by age, so a later key must say that it is later.
	if (keys->key[c->which ^ 1].used != 0 && c->age <= s->rx_key[c->which ^ 1].age)
		return -EINVAL;
	if (keys->key[c->which].used == 0)
		return fill(w, cmd);
	if (tx_slot(s) == c->which)
		return -EBUSY; // what we encrypt with can't be replaced in place
	if (atomic_load_explicit(&s->tx_plan, memory_order_relaxed) == c->which)
		atomic_store_explicit(&s->tx_plan, tx_slot(s), memory_order_release);
	atomic_store_explicit(&s->rx_key[c->which].installed, 0, memory_order_release);
	return DP_CMD_WAIT;
}

int dp_cmd_key_finish(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_key *c = &cmd->key;
	struct shm_session *s = dp_session(w, cmd->slot);

	if (tx_slot(s) == c->which) { // tx_owner switched to it before it saw that it was going
		atomic_store_explicit(&s->tx_plan, c->which, memory_order_release);
		atomic_store_explicit(&s->rx_key[c->which].installed, 1, memory_order_release);
		return -EBUSY;
	}
	dp_key_wipe(&w->core->keys[cmd->slot].key[c->which]);
	return fill(w, cmd);
}

int dp_cmd_key_drop(struct dp_worker *w, const struct shm_cmd *cmd)
{
	struct shm_session *s = dp_session(w, cmd->slot);
	struct shm_keys *keys = &w->core->keys[cmd->slot];
	uint8_t which = (uint8_t)cmd->which;

	if (keys->key[which].used == 0)
		return 0;
	atomic_store_explicit(&s->rx_key[which].installed, 0, memory_order_release);
	// Sending must not need this key any more: tx_owner looks at the plan before each packet,
	// so after the grace period nobody can still be using it.
	if (tx_slot(s) == which ||
		atomic_load_explicit(&s->tx_plan, memory_order_relaxed) == which) {
		uint8_t other = keys->key[which ^ 1].used != 0 ? which ^ 1 : 0xff;

		atomic_store_explicit(&s->tx_switch_ms, 0, memory_order_relaxed);
		atomic_store_explicit(&s->tx_plan, other, memory_order_release);
	}
	return DP_CMD_WAIT;
}

int dp_cmd_key_drop_finish(struct dp_worker *w, const struct shm_cmd *cmd)
{
	struct shm_session *s = dp_session(w, cmd->slot);
	uint8_t which = (uint8_t)cmd->which;

	dp_key_wipe(&w->core->keys[cmd->slot].key[which]);
	s->rx_key[which].key_id = 0;
	s->rx_key[which].cipher = 0;
	return 0;
}
