// SPDX-License-Identifier: BSD-3-Clause
// A table that an earlier dataplane left: made sane, and the indexes built again.
// Source: decisions.md D7, D25; design.md section 2.
#include <string.h>

#include "dataplane/command.h"
#include "dataplane/index_addr.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "shm/session.h"

#define ID_MARGIN 64u // ids that the old process may have used beyond the one it stored

static void free_slot(struct dp_core *core, uint32_t slot)
{
	struct shm_dir *d = &core->dir[slot];

	explicit_bzero(&core->keys[slot], sizeof(struct shm_keys));
	atomic_store_explicit(&d->owner, SHM_OWNER_NONE, memory_order_relaxed);
	atomic_store_explicit(&d->tx_owner, SHM_OWNER_NONE, memory_order_relaxed);
	atomic_store_explicit(&d->state, SHM_STATE_FREE, memory_order_release);
}

static bool has_cipher(struct dp_worker *w, const struct shm_key_slot *k, uint8_t flags)
{
	if (dp_crypto_has(k->cipher))
		return true;
	return (flags & SHM_DIR_LEGACY) != 0 &&
		dp_legacy_has(w->legacy->crypto, k->cipher, k->digest);
}

// Epoch of a packet-id in the epoch format; the first when there was none yet.
static uint16_t epoch_of(uint64_t id)
{
	uint16_t epoch = (uint16_t)(id >> OVPN_EPOCH_COUNTER_BITS);

	return epoch != 0 ? epoch : 1;
}

// One key slot. What was not complete, or was on its way out, is wiped.
static void restore_key(struct dp_core *core, uint32_t slot, unsigned which)
{
	struct dp_worker *w = core->worker[0];
	struct shm_session *s = &core->session[slot];
	struct shm_key_slot *k = &core->keys[slot].key[which];
	uint64_t next = atomic_load_explicit(&s->tx_key[which].next, memory_order_relaxed);
	uint8_t flags = dp_dir_flags(core, slot);
	bool ok = k->used == 1 && has_cipher(w, k, flags) && k->key_id <= OVPN_KEY_ID_MAX &&
		k->cipher == s->rx_key[which].cipher && k->cipher == s->tx_key[which].cipher &&
		k->key_id == s->rx_key[which].key_id && k->key_id == s->tx_key[which].key_id &&
		atomic_load_explicit(&s->rx_key[which].installed, memory_order_acquire) == 1;

	if (ok && k->stamp != dp_crypto_stamp(w->crypto))
		ok = dp_key_expand(w, k, epoch_of(s->window[which].top), epoch_of(next)) == 0;
	if (!ok) {
		explicit_bzero(k, sizeof(*k));
		atomic_store_explicit(&s->rx_key[which].installed, 0, memory_order_relaxed);
		return;
	}
	if (flags & SHM_DIR_LEGACY)
		dp_legacy_shape(core, slot, k->cipher, k->digest);
	if (next <= OVPN_PACKET_ID_MAX || dp_legacy_long_ids(flags, k->cipher) ||
		(flags & SHM_DIR_EPOCH) != 0)
		atomic_store_explicit(
			&s->tx_key[which].next, next + ID_MARGIN, memory_order_relaxed);
}

// Sending needs a key that is there.
static void restore_tx(struct dp_core *core, uint32_t slot)
{
	struct shm_session *s = &core->session[slot];
	const struct shm_keys *keys = &core->keys[slot];
	uint8_t now = atomic_load_explicit(&s->tx_slot, memory_order_relaxed);
	uint8_t plan = atomic_load_explicit(&s->tx_plan, memory_order_relaxed);

	if (now >= SHM_KEY_SLOTS || keys->key[now].used == 0)
		now = 0xff;
	if (plan >= SHM_KEY_SLOTS || keys->key[plan].used == 0)
		plan = now;
	if (plan == 0xff)
		plan = keys->key[0].used ? 0 : keys->key[1].used ? 1 : 0xff;
	atomic_store_explicit(&s->tx_slot, now, memory_order_relaxed);
	atomic_store_explicit(&s->tx_plan, plan, memory_order_relaxed);
}

static void restore_owner(_Atomic uint16_t *owner, uint32_t slot, uint16_t workers)
{
	if (atomic_load_explicit(owner, memory_order_relaxed) >= workers)
		atomic_store_explicit(owner, (uint16_t)(slot % workers), memory_order_relaxed);
}

static int restore_indexes(struct dp_core *core, uint32_t slot, uint16_t generation)
{
	struct dp_config *config = atomic_load_explicit(&core->config, memory_order_relaxed);
	struct shm_session *s = &core->session[slot];
	struct shm_dir *d = &core->dir[slot];
	uint8_t flags = atomic_load_explicit(&d->flags, memory_order_relaxed);
	uint32_t other;

	if (config != NULL && config->tunnel != NULL) {
		if (s->tunnel4.family != 0 &&
			dp_tunnel_index_add(
				config->tunnel, core->dir, &s->tunnel4, slot, generation) < 0)
			return -EINVAL;
		if (s->tunnel6.family != 0 &&
			dp_tunnel_index_add(
				config->tunnel, core->dir, &s->tunnel6, slot, generation) < 0)
			return -EINVAL;
	}
	if (flags & SHM_DIR_STATIC)
		(void)dp_legacy_port_add(core, slot, dp_own_endpoint(s)->local_port_be);
	if (flags & SHM_DIR_DATA_V1)
		(void)dp_addr_index_add(
			core->addr, core->session, dp_own_endpoint(s), slot, &other);
	flags &= (uint8_t)~SHM_DIR_NO_SID;
	if (core->sid != NULL) {
		if (dp_sid_add(core, DP_SID_SERVER, s->server_sid, slot, generation) < 0)
			flags |= SHM_DIR_NO_SID;
		(void)dp_sid_add(core, DP_SID_CLIENT, s->client_sid, slot, generation);
	}
	atomic_store_explicit(&d->flags, flags, memory_order_relaxed);
	return 0;
}

// The peer of a static key may be unknown yet.
static bool endpoint_ok(struct dp_core *core, uint32_t slot)
{
	const struct shm_endpoint *ep = dp_own_endpoint(&core->session[slot]);

	return shm_endpoint_check(ep) == 0 ||
		((dp_dir_flags(core, slot) & SHM_DIR_STATIC) != 0 && ep->remote.family == 0);
}

static bool restore_slot(struct dp_core *core, uint32_t slot)
{
	struct shm_dir *d = &core->dir[slot];
	struct shm_session *s = &core->session[slot];
	uint8_t state = atomic_load_explicit(&d->state, memory_order_acquire);
	uint16_t generation = atomic_load_explicit(&d->generation, memory_order_relaxed);

	if (state == SHM_STATE_FREE)
		return false;
	if (state != SHM_STATE_LIVE || !endpoint_ok(core, slot)) {
		free_slot(core, slot);
		return false;
	}
	for (unsigned i = 0; i < SHM_KEY_SLOTS; i++)
		restore_key(core, slot, i);
	restore_tx(core, slot);
	restore_owner(&d->owner, slot, core->workers);
	restore_owner(&d->tx_owner, slot, core->workers);
	s->name[SHM_NAME_LEN - 1] = '\0';
	if (restore_indexes(core, slot, generation) < 0) {
		free_slot(core, slot);
		return false;
	}
	return true;
}

uint32_t dp_restore(struct dp_core *core)
{
	uint32_t live = 0;

	for (uint32_t slot = 0; slot < core->sessions; slot++)
		live += restore_slot(core, slot);
	return live;
}
