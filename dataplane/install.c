// SPDX-License-Identifier: BSD-3-Clause
// Sessions are made, replaced in place (C6), given networks, and removed.
// Source: protocol.md 13.2; decisions.md C6, C10, C18, D5, D20.
#include <string.h>

#include "dataplane/command.h"
#include "dataplane/index_addr.h"
#include "dataplane/index_iroute.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "protocol/opcode.h"
#include "shm/session.h"

// What control may say of a session's format.
#define DIR_FLAGS                                                                                  \
	(SHM_DIR_DATA_V1 | SHM_DIR_MOBILITY | SHM_DIR_LEGACY | SHM_DIR_EPOCH | SHM_DIR_STATIC |    \
		SHM_DIR_LAZY)

// Room in the ring was made sure of before the command was taken.
static void tell_main(struct dp_worker *w, enum dp_main_kind kind, enum dp_sid_kind sid_kind,
	const uint8_t *sid, uint32_t slot, uint16_t generation)
{
	struct dp_main_msg msg = {
		.kind = kind,
		.slot = slot,
		.generation = generation,
		.sid_kind = (uint16_t)sid_kind,
	};

	if (w->to_main == NULL || ovpn_sid_is_zero(sid))
		return;
	memcpy(msg.sid, sid, SHM_SID_LEN);
	(void)rte_ring_sp_enqueue_elem(w->to_main, &msg, sizeof(msg));
	w->tell_main = true;
}

// Another live session has this server session id: the older one keeps the entry (13.2).
static bool sid_taken(struct dp_worker *w, const uint8_t *sid, uint32_t slot)
{
	uint32_t other;
	uint16_t generation;

	return dp_sid_find(w->core, DP_SID_SERVER, sid, &other, &generation) == 0 &&
		other != slot && other < w->core->sessions && dp_live(w->core, other, generation);
}

static int tunnel_add(
	struct dp_worker *w, const struct shm_addr *a, uint32_t slot, uint16_t generation)
{
	if (a->family == 0)
		return 0;
	if (w->config == NULL || w->config->tunnel == NULL)
		return -ENOENT;
	return dp_tunnel_index_add(w->config->tunnel, w->core->dir, a, slot, generation);
}

static void tunnel_del(
	struct dp_worker *w, const struct shm_addr *a, uint32_t slot, uint16_t generation)
{
	if (a->family != 0 && w->config != NULL && w->config->tunnel != NULL)
		dp_tunnel_index_del(w->config->tunnel, a, slot, generation);
}

static bool same_addr(const struct shm_addr *a, const struct shm_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

// What may change at an in-place reset, too.
static void fill_limits(struct shm_session *s, const struct shm_cmd_install *c)
{
	memcpy(s->server_sid, c->server_sid, SHM_SID_LEN);
	memcpy(s->client_sid, c->client_sid, SHM_SID_LEN);
	shm_session_set_tunnel4(s, &c->tunnel4);
	s->tunnel6 = c->tunnel6;
	s->ping_interval_ms = c->ping_interval_ms;
	s->timeout_ms = c->timeout_ms;
	s->mss4 = c->mss4;
	s->mss6 = c->mss6;
	s->tun_mtu = c->tun_mtu;
	s->compress = c->compress;
	s->fragment_max = c->fragment_max;
	memcpy(s->name, c->name, SHM_NAME_LEN);
	s->name[SHM_NAME_LEN - 1] = '\0';
}

static void fill_new(struct dp_worker *w, struct shm_session *s, const struct shm_cmd_install *c)
{
	uint32_t low = (uint32_t)w->now_ms;

	memset(s, 0, sizeof(*s));
	s->endpoint[0] = c->endpoint;
	fill_limits(s, c);
	atomic_store_explicit(&s->last_rx_ms, w->now_ms, memory_order_relaxed);
	atomic_store_explicit(&s->last_tx_ms, w->now_ms, memory_order_relaxed);
	atomic_store_explicit(&s->tx_slot, 0xff, memory_order_relaxed);
	atomic_store_explicit(&s->tx_plan, 0xff, memory_order_relaxed);
	s->installed_ms = w->now_ms;
	s->move_refill_ms = low - 1000; // limits start full
	s->occ_refill_ms = low - 1000;
	s->owner_change_ms = low - DP_OWNER_CHANGE_MS;
	s->timeout_told_ms = low;
}

// Addresses of a session that isn't live yet. Returns 0 or -errno with nothing left behind.
static int index_new(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_install *c = &cmd->install;
	uint32_t other = SHM_SLOT_NONE;
	int rc = tunnel_add(w, &c->tunnel4, cmd->slot, cmd->generation);

	if (rc < 0)
		return rc;
	rc = tunnel_add(w, &c->tunnel6, cmd->slot, cmd->generation);
	if (rc < 0)
		goto undo_tunnel4;
	if (c->dir_flags & SHM_DIR_DATA_V1) {
		rc = dp_addr_index_add(
			w->core->addr, w->core->session, &c->endpoint, cmd->slot, &other);
		if (rc < 0)
			goto undo_tunnel6;
	}
	if (c->dir_flags & SHM_DIR_STATIC) {
		rc = dp_legacy_port_add(w->core, cmd->slot, c->endpoint.local_port_be);
		if (rc < 0)
			goto undo_tunnel6;
	}
	if (other != SHM_SLOT_NONE)
		atomic_fetch_or(&w->core->dir[other].flags, SHM_DIR_ADDRESS_TAKEN);
	return 0;

undo_tunnel6:
	tunnel_del(w, &c->tunnel6, cmd->slot, cmd->generation);
undo_tunnel4:
	tunnel_del(w, &c->tunnel4, cmd->slot, cmd->generation);
	return rc;
}

// The peer of a static key may be unknown yet.
static bool endpoint_allowed(struct dp_worker *w, const struct shm_cmd_install *c)
{
	return ((c->dir_flags & SHM_DIR_STATIC) != 0 && c->endpoint.remote.family == 0) ||
		dp_endpoint_allowed(w, &c->endpoint);
}

static int install_new(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_install *c = &cmd->install;
	struct shm_dir *d = &w->core->dir[cmd->slot];
	uint8_t flags = c->dir_flags & DIR_FLAGS;
	uint8_t expected = SHM_STATE_FREE;
	int rc;

	if (cmd->generation !=
		(uint16_t)(atomic_load_explicit(&d->generation, memory_order_relaxed) + 1))
		return -ESTALE;
	if (w->config == NULL || !endpoint_allowed(w, c) ||
		!dp_is_listener(w->config, c->endpoint.local.family, c->endpoint.local.bytes,
			c->endpoint.local_port_be))
		return -EINVAL;
	// Two workers may be told to use one slot by a control that lost its mind: one gets it.
	// DYING is what a slot is that nobody may use and a restart frees.
	if (!atomic_compare_exchange_strong(&d->state, &expected, SHM_STATE_DYING))
		return -EBUSY;
	fill_new(w, dp_session(w, cmd->slot), c);
	rc = index_new(w, cmd);
	if (rc < 0) {
		atomic_store_explicit(&d->state, SHM_STATE_FREE, memory_order_release);
		return rc;
	}
	if (sid_taken(w, c->server_sid, cmd->slot))
		flags |= SHM_DIR_NO_SID;
	atomic_store_explicit(&d->generation, cmd->generation, memory_order_relaxed);
	atomic_store_explicit(&d->flags, flags, memory_order_relaxed);
	atomic_store_explicit(&d->owner, w->index, memory_order_relaxed);
	atomic_store_explicit(&d->tx_owner, w->index, memory_order_relaxed);
	atomic_store_explicit(&d->state, SHM_STATE_LIVE, memory_order_release);
	if ((flags & SHM_DIR_NO_SID) == 0)
		tell_main(w, DP_MAIN_SID_ADD, DP_SID_SERVER, c->server_sid, cmd->slot,
			cmd->generation);
	tell_main(w, DP_MAIN_SID_ADD, DP_SID_CLIENT, c->client_sid, cmd->slot, cmd->generation);
	return 0;
}

static void replace_sid(struct dp_worker *w, enum dp_sid_kind kind, const uint8_t *old,
	const uint8_t *sid, uint32_t slot, uint16_t generation)
{
	if (ovpn_sid_equal(old, sid))
		return;
	tell_main(w, DP_MAIN_SID_DEL, kind, old, slot, generation);
	tell_main(w, DP_MAIN_SID_ADD, kind, sid, slot, generation);
}

// Move one tunnel address of a live session.
static int replace_tunnel(struct dp_worker *w, const struct shm_addr *old, const struct shm_addr *a,
	uint32_t slot, uint16_t generation)
{
	int rc;

	if (same_addr(old, a))
		return 0;
	rc = tunnel_add(w, a, slot, generation);
	if (rc == 0)
		tunnel_del(w, old, slot, generation);
	return rc;
}

// The data format may change with a new client behind the same identity.
static int replace_format(struct dp_worker *w, uint32_t slot, uint8_t new_flags)
{
	uint8_t old_flags = dp_dir_flags(w->core, slot);
	const struct shm_endpoint *ep = dp_own_endpoint(dp_session(w, slot));
	uint32_t other = SHM_SLOT_NONE;
	int rc;

	if ((new_flags & SHM_DIR_STATIC) != (old_flags & SHM_DIR_STATIC))
		return -EINVAL; // the port is another server then
	if ((new_flags & SHM_DIR_DATA_V1) == (old_flags & SHM_DIR_DATA_V1))
		return 0;
	if (old_flags & SHM_DIR_DATA_V1) {
		dp_addr_index_del(w->core->addr, ep, slot);
		return 0;
	}
	rc = dp_addr_index_add(w->core->addr, w->core->session, ep, slot, &other);
	if (rc == 0 && other != SHM_SLOT_NONE)
		atomic_fetch_or(&w->core->dir[other].flags, SHM_DIR_ADDRESS_TAKEN);
	return rc;
}

static int replace(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_install *c = &cmd->install;
	struct shm_session *s = dp_session(w, cmd->slot);
	struct shm_dir *d = &w->core->dir[cmd->slot];
	uint8_t wanted = c->dir_flags & DIR_FLAGS;
	uint8_t keep;
	int rc;

	rc = replace_tunnel(w, &s->tunnel4, &c->tunnel4, cmd->slot, cmd->generation);
	if (rc < 0)
		return rc;
	shm_session_set_tunnel4(s, &c->tunnel4);
	rc = replace_tunnel(w, &s->tunnel6, &c->tunnel6, cmd->slot, cmd->generation);
	if (rc < 0)
		return rc;
	rc = replace_format(w, cmd->slot, wanted);
	if (rc < 0)
		return rc;
	keep = sid_taken(w, c->server_sid, cmd->slot) ? SHM_DIR_NO_SID : 0;
	if (keep != 0)
		tell_main(w, DP_MAIN_SID_DEL, DP_SID_SERVER, s->server_sid, cmd->slot,
			cmd->generation);
	else
		replace_sid(
			w, DP_SID_SERVER, s->server_sid, c->server_sid, cmd->slot, cmd->generation);
	replace_sid(w, DP_SID_CLIENT, s->client_sid, c->client_sid, cmd->slot, cmd->generation);
	keep |= dp_dir_flags(w->core, cmd->slot) & SHM_DIR_ADDRESS_TAKEN;
	fill_limits(s, c);
	atomic_store_explicit(&d->flags, wanted | keep, memory_order_release);
	return 0;
}

int dp_cmd_install(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_install *c = &cmd->install;

	if (ovpn_sid_is_zero(c->server_sid) || ovpn_sid_is_zero(c->client_sid))
		return -EINVAL;
	if (!dp_live(w->core, cmd->slot, cmd->generation))
		return install_new(w, cmd);
	if (dp_owner(w->core, cmd->slot) != w->index)
		return -EAGAIN;
	return replace(w, cmd);
}

int dp_cmd_remove(struct dp_worker *w, const struct shm_cmd *cmd)
{
	struct shm_session *s = dp_session(w, cmd->slot);
	struct shm_dir *d = &w->core->dir[cmd->slot];

	atomic_store_explicit(&d->state, SHM_STATE_DYING, memory_order_release);
	tell_main(w, DP_MAIN_SID_DEL, DP_SID_SERVER, s->server_sid, cmd->slot, cmd->generation);
	tell_main(w, DP_MAIN_SID_DEL, DP_SID_CLIENT, s->client_sid, cmd->slot, cmd->generation);
	tunnel_del(w, &s->tunnel4, cmd->slot, cmd->generation);
	tunnel_del(w, &s->tunnel6, cmd->slot, cmd->generation);
	if (dp_dir_flags(w->core, cmd->slot) & SHM_DIR_DATA_V1)
		dp_addr_index_del(w->core->addr, dp_own_endpoint(s), cmd->slot);
	if (dp_dir_flags(w->core, cmd->slot) & SHM_DIR_STATIC)
		dp_legacy_port_del(w->core, cmd->slot, dp_own_endpoint(s)->local_port_be);
	return DP_CMD_WAIT;
}

int dp_cmd_remove_finish(struct dp_worker *w, const struct shm_cmd *cmd)
{
	struct shm_dir *d = &w->core->dir[cmd->slot];

	if (dp_iroute_index_del_slot(w->core->iroute, cmd->slot) == -EAGAIN)
		return DP_CMD_RETRY;
	for (unsigned i = 0; i < SHM_KEY_SLOTS; i++)
		dp_key_wipe(&w->core->keys[cmd->slot].key[i]);
	atomic_store_explicit(&d->owner, SHM_OWNER_NONE, memory_order_relaxed);
	atomic_store_explicit(&d->tx_owner, SHM_OWNER_NONE, memory_order_relaxed);
	atomic_store_explicit(
		&dp_session(w, cmd->slot)->removed_ms, w->now_ms, memory_order_relaxed);
	atomic_store_explicit(&d->state, SHM_STATE_FREE, memory_order_release);
	return 0;
}

int dp_cmd_iroute(struct dp_worker *w, const struct shm_cmd *cmd)
{
	const struct shm_cmd_iroute *c = &cmd->iroute;
	int rc;

	if (cmd->kind == SHM_CMD_IROUTE_ADD)
		rc = dp_iroute_index_add(
			w->core->iroute, &c->addr, c->prefix_len, cmd->slot, cmd->generation);
	else
		rc = dp_iroute_index_del(
			w->core->iroute, &c->addr, c->prefix_len, cmd->slot, cmd->generation);
	return rc == -EAGAIN ? DP_CMD_RETRY : rc;
}
