// SPDX-License-Identifier: BSD-3-Clause
// What the dataplane's table holds when the connection to it comes up: sessions of an earlier
// control, sessions that were lost, slots that are free. Source: decisions.md C1 to C8.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/connect.h"
#include "control/ctl.h"
#include "control/notify.h"
#include "control/peer.h"
#include "control/policy.h"
#include "control/tunnel.h"
#include "shm/session.h"

#define PACE_FIRST_MS 1000u // own soft resets begin this long after the adoption ...
#define PACE_EACH_MS 50u // ... one every so often (C2) ...
#define PACE_YOUNG_MS 60000u // ... for keys older than this

static enum shm_state slot_state(struct ctl *ctl, uint32_t slot, uint16_t *ret_generation)
{
	struct shm_dir *d = (struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, slot); // loaded

	*ret_generation = atomic_load_explicit(&d->generation, memory_order_relaxed);
	return (enum shm_state)atomic_load_explicit(&d->state, memory_order_acquire);
}

// ---- One session -----------------------------------------------------------------------------

static bool key_is_there(
	const struct shm_session *s, unsigned which, const struct shm_record_key *k)
{
	struct shm_rx_key rx;

	memcpy(&rx, &s->rx_key[which], sizeof(rx));
	return k->valid == 1 && rx.installed == 1 && rx.age == k->age && rx.key_id == k->key_id;
}

static uint32_t peer_flags(const struct shm_control_record *rec)
{
	uint32_t flags = CTL_PEER_ADOPTED;

	if ((rec->flags & SHM_RECORD_NCP) != 0)
		flags |= CTL_PEER_NCP;
	if ((rec->flags & SHM_RECORD_PUSHED) != 0)
		flags |= CTL_PEER_PUSHED;
	return flags;
}

static int restore_key(const uint8_t bytes[SHM_RECORD_KEY], struct ovpn_wrap_keys **ret_keys)
{
	struct ovpn_wrap_saved saved;
	struct ovpn_wrap_keys *keys = malloc(sizeof(*keys));

	if (keys == NULL)
		return -ENOMEM;
	memcpy(saved.bytes, bytes, sizeof(saved.bytes));
	ovpn_wrap_keys_restore(&saved, keys);
	explicit_bzero(&saved, sizeof(saved));
	*ret_keys = keys;
	return 0;
}

// channel, base_key, dynamic_key: as stored; dynamic_key NULL: none.
static int restore_channel(struct ctl *ctl, struct ctl_peer *peer, uint8_t wrap,
	const uint8_t channel[SHM_RECORD_CHANNEL], const uint8_t base_key[SHM_RECORD_KEY],
	const uint8_t *dynamic_key)
{
	const struct ovpn_wrap_keys *base = NULL;
	struct ovpn_channel_state state;
	int rc = 0;

	peer->wrap = (enum shm_record_wrap)wrap;
	if (wrap == SHM_RECORD_WRAP_TLS_AUTH) {
		base = &ctl->wrap.tls_auth;
		rc = ctl->wrap.tls_auth_set ? 0 : -ENOKEY;
	} else if (wrap == SHM_RECORD_WRAP_TLS_CRYPT) {
		base = &ctl->wrap.tls_crypt;
		rc = ctl->wrap.tls_crypt_set ? 0 : -ENOKEY;
	} else if (wrap == SHM_RECORD_WRAP_V2) {
		rc = restore_key(base_key, &peer->base);
		base = peer->base;
	}
	if (rc == 0 && dynamic_key != NULL)
		rc = restore_key(dynamic_key, &peer->dynamic);
	if (rc < 0)
		return rc;
	memcpy(&state, channel, sizeof(state));
	return ovpn_channel_import(&peer->ch,
		peer->endpoint.remote.family == AF_INET6 ? &ctl->channel6 : &ctl->channel4, &state,
		base, peer->dynamic, ctl_wall_s());
}

static void restore_keys(struct ctl *ctl, struct ctl_peer *peer, const struct shm_session *s,
	const struct shm_control_record *rec)
{
	struct shm_cmd cmd = {
		.kind = SHM_CMD_KEY_DROP, .slot = rec->slot, .generation = rec->generation
	};

	for (unsigned i = 0; i < SHM_KEY_SLOTS; i++) {
		struct shm_rx_key rx;

		if (key_is_there(s, i, &rec->key[i])) {
			peer->keys[i] = (struct ctl_key){ .valid = true,
				.key_id = rec->key[i].key_id,
				.age = rec->key[i].age,
				.made_ms = rec->key[i].made_ms,
				.retire_ms = rec->key[i].retire_ms };
			continue;
		}
		memcpy(&rx, &s->rx_key[i], sizeof(rx));
		if (rx.age > peer->age)
			peer->age = rx.age;
		// Installed for a negotiation that was never committed: its client doesn't have it.
		cmd.which = (uint16_t)i;
		if (rx.installed == 1)
			(void)ctl_command_send(ctl, &cmd, 0, NULL, NULL); // else it is replaced
	}
	peer->primary = rec->primary;
}

static void restore_user(struct ctl_user *user, const struct shm_control_record *rec)
{
	user->proven = (rec->flags & SHM_RECORD_USER) != 0;
	memcpy(user->hash, rec->user_hash, sizeof(user->hash));
	user->token.set = (rec->flags & SHM_RECORD_TOKEN) != 0;
	user->token.no_user = (rec->flags & SHM_RECORD_TOKEN_NOBODY) != 0;
	memcpy(user->token.session, rec->token_session, sizeof(user->token.session));
	user->token.initial_s = rec->token_initial_s;
}

static struct ctl_peer *restore_peer(struct ctl *ctl, const struct shm_control_record *rec,
	const struct shm_session *s, const char **ret_why)
{
	struct shm_endpoint endpoint;
	struct ctl_peer *peer;

	*ret_why = "endpoint";
	if (shm_endpoint_read(s, &endpoint) < 0 ||
		!key_is_there(s, rec->primary, &rec->key[rec->primary]))
		return NULL;
	*ret_why = "memory";
	peer = ctl_peer_create(ctl, &endpoint);
	if (peer == NULL)
		return NULL;
	peer->flags = peer_flags(rec);
	peer->slot = rec->slot;
	peer->generation = rec->generation;
	peer->id.has_cert = (rec->flags & SHM_RECORD_HAS_CERT) != 0;
	memcpy(peer->id.cn, rec->cn, sizeof(peer->id.cn));
	peer->id.cn[sizeof(peer->id.cn) - 1] = '\0';
	memcpy(peer->id.serial, rec->serial, sizeof(peer->id.serial));
	memcpy(peer->id.chain_hash, rec->chain_hash, sizeof(peer->id.chain_hash));
	restore_user(&peer->user, rec);
	peer->tunnel4 = rec->tunnel4;
	peer->tunnel6 = rec->tunnel6;
	peer->iv_proto = rec->iv_proto;
	peer->agreed = rec->agreed;
	peer->format.cipher = rec->cipher;
	peer->format.digest = rec->digest;
	peer->format.compress = rec->compress;
	peer->format.fragment = rec->fragment;
	peer->age = rec->age;
	peer->connected_ms = rec->connected_ms;
	peer->connected_wall_s = rec->connected_wall_s;
	peer->pushed_ms = rec->pushed_ms;
	peer->reneg_ms = rec->reneg_ms != 0 ? rec->reneg_ms : CTL_NEVER;
	peer->record_sequence = rec->sequence;
	*ret_why = "channel";
	if (restore_channel(ctl, peer, rec->wrap, rec->channel, rec->base_key,
		    (rec->flags & SHM_RECORD_DYNAMIC) != 0 ? rec->dynamic_key : NULL) < 0)
		goto drop_peer;
	*ret_why = "address";
	if (ctl_policy_grant(ctl->policy, peer->id.cn, &peer->tunnel4, &peer->tunnel6, &peer->grant,
		    ret_why) < 0)
		goto drop_peer;
	if ((rec->flags & SHM_RECORD_NOTE) != 0 && cfg_auth_sessions(&ctl->cfg->auth))
		ctl_visit_restore(ctl, peer);
	*ret_why = "duplicate";
	if (ctl_table_add(&ctl->table, peer) < 0)
		goto drop_peer;
	restore_keys(ctl, peer, s, rec);
	return peer;

drop_peer:
	peer->slot = SHM_SLOT_NONE;
	ctl_peer_drop(ctl, peer);
	return NULL;
}

// What was under way when the earlier control ended.
static void go_on(struct ctl *ctl, struct ctl_peer *peer, const struct shm_control_record *rec,
	const struct shm_session *s)
{
	struct ovpn_channel_state state;

	// An in-place reset was installed but never committed: the session is what it was.
	if (memcmp(s->server_sid, peer->ch.own_sid, SHM_SID_LEN) != 0)
		(void)ctl_connect_install(ctl, peer, false); // else it is found by its address
	memcpy(&state, rec->channel, sizeof(state));
	if (state.in_flight != 0) {
		if (ctl_rekey_resume(ctl, peer) < 0)
			ctl_abort_negotiation(ctl, peer);
		return;
	}
	if (state.lowest_unacked == state.next_send)
		return;
	if ((rec->flags & SHM_RECORD_PARKED) == 0 || ctl_unpark(ctl, peer, rec->parked) < 0)
		ctl_abort_negotiation(ctl, peer);
}

// Returns false when the session can't be taken over.
static bool adopt(struct ctl *ctl, uint32_t slot, uint16_t generation)
{
	const struct shm_session *s = ctl_link_session(&ctl->link, slot);
	struct shm_control_record rec;
	const char *why = "no-record";
	struct ctl_peer *peer = NULL;
	int rc = ctl_record_read(&ctl->records, slot, &rec);

	if (rc == 0 && rec.generation == generation)
		peer = restore_peer(ctl, &rec, s, &why);
	if (peer == NULL) {
		ctl_log(rc == -ENOENT ? CTL_INFO : CTL_WARN,
			"session can't be adopted, it is removed slot=%u reason=\"%s\"", slot,
			rc == -EBADMSG ? "damaged-record" : why);
		return false;
	}
	peer->state = CTL_PEER_CONNECTED;
	ctl_table_set_slot(&ctl->table, slot, peer);
	if (ctl_table_name_add(&ctl->table, peer) < 0)
		ctl_peer_log(CTL_ERROR, peer, "out of memory, not found by its name");
	go_on(ctl, peer, &rec, s);
	explicit_bzero(&rec, sizeof(rec));
	ctl_peer_pump(ctl, peer);
	ctl->count.adopted++;
	return true;
}

// A first handshake whose TLS state is lost: its client is told by alerts to start again.
static void end_handshake(struct ctl *ctl, const struct shm_shaking *entry, uint32_t index)
{
	struct ctl_peer *peer = ctl_peer_create(ctl, &entry->endpoint);

	if (peer == NULL)
		return; // the client's own time-out remains
	peer->shaking = index; // the next control goes on if this one is killed, too
	if (restore_channel(ctl, peer, entry->wrap, entry->channel, entry->base_key, NULL) < 0 ||
		ctl_table_add(&ctl->table, peer) < 0) {
		ctl_peer_drop(ctl, peer);
		return;
	}
	ctl_first_ghost(ctl, peer);
	ctl_abort_negotiation(ctl, peer);
	ctl_peer_close(ctl, peer, NULL, "lost-handshake");
}

static void end_handshakes(struct ctl *ctl)
{
	struct shm_shaking entry;

	for (uint32_t i = 0; i < SHM_SHAKING_MAX; i++) {
		if (ctl_shaking_recover(&ctl->records, i, &entry) == 0)
			end_handshake(ctl, &entry, i);
	}
	explicit_bzero(&entry, sizeof(entry));
}

// ---- All of them -----------------------------------------------------------------------------

static int by_age(const void *a, const void *b)
{
	const struct ctl_peer *x = *(const struct ctl_peer *const *)a;
	const struct ctl_peer *y = *(const struct ctl_peer *const *)b;
	uint64_t xm = x->keys[x->primary].made_ms;
	uint64_t ym = y->keys[y->primary].made_ms;

	return xm < ym ? -1 : xm > ym;
}

// Does the session get its TLS state back by a soft reset of ours? Young keys have a planned
// renegotiation before them, but with `reneg-sec 0` none ever comes, and without TLS the client
// can't be told anything. Only one who would be asked for a password (which `reneg-sec 0` is set to
// avoid, as with one-time passwords) and has no token instead is left in peace.
static bool needs_tls(const struct ctl *ctl, const struct ctl_peer *peer, uint64_t now_ms)
{
	if (ctl->cfg->tls.reneg_sec == 0)
		return !ctl_rekey_asks(peer);
	return now_ms - peer->keys[peer->primary].made_ms >= PACE_YOUNG_MS;
}

// TLS state comes back by soft resets of ours, oldest key first, so many a second (C2).
static void pace(struct ctl *ctl, uint64_t now_ms)
{
	struct ctl_peer **list = calloc(ctl->table.live + 1, sizeof(struct ctl_peer *));
	uint32_t n = 0;

	if (list == NULL)
		return; // the planned renegotiations bring it, later
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		struct ctl_peer *peer = ctl->table.by_slot[slot];

		if (peer != NULL && n < ctl->table.live && needs_tls(ctl, peer, now_ms))
			list[n++] = peer;
	}
	qsort(list, n, sizeof(list[0]), by_age);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = now_ms + PACE_FIRST_MS + (uint64_t)i * PACE_EACH_MS;
		uint64_t old_at = list[i]->keys[list[i]->primary].made_ms + PACE_YOUNG_MS;

		if (at < old_at)
			at = old_at;
		if (list[i]->reneg_ms > at)
			list[i]->reneg_ms = at;
	}
	free(list);
}

// From when on a free slot may be used again, 0: at once. A time that can't be counts as unknown.
static uint64_t rested_ms(struct ctl *ctl, uint32_t slot, uint16_t generation, uint64_t now_ms)
{
	struct shm_session *s =
		(struct shm_session *)(uintptr_t)ctl_link_session(&ctl->link, slot); // loaded only
	uint64_t removed = atomic_load_explicit(&s->removed_ms, memory_order_relaxed);

	if (generation == 0)
		return 0; // never used
	if (removed == 0 || removed > now_ms)
		return now_ms + CTL_SLOT_REST_MS;
	return now_ms - removed >= CTL_SLOT_REST_MS ? 0 : removed + CTL_SLOT_REST_MS;
}

// Look at every slot of a table that is new to this control.
static void take_stock(struct ctl *ctl, bool records)
{
	uint64_t now = ctl_now_ms();
	uint32_t lost = 0;

	// From the last, so that the first is in front of those that are put in front.
	for (uint32_t slot = ctl->table.slots; slot-- > 0;) {
		uint16_t generation;
		enum shm_state state = slot_state(ctl, slot, &generation);

		if (state == SHM_STATE_FREE) {
			uint64_t ready = rested_ms(ctl, slot, generation, now);

			// What is free at once mustn't wait behind what rests.
			if (ready == 0)
				ctl_slots_put_first(&ctl->slots, slot);
			else
				ctl_slots_put(&ctl->slots, slot, ready);
			continue;
		}
		if (records && state == SHM_STATE_LIVE && adopt(ctl, slot, generation))
			continue;
		if (records)
			ctl_record_clear(&ctl->records, slot);
		ctl_session_remove(ctl, slot, generation);
		lost++;
	}
	if (ctl->table.live > 0 || lost > 0)
		ctl_log(CTL_INFO, "sessions adopted count=%u removed=%u", ctl->table.live, lost);
	pace(ctl, now);
}

// The same table again, perhaps behind a new dataplane: sessions that it lost, routes it forgot.
static void reconcile(struct ctl *ctl)
{
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		struct ctl_peer *peer = ctl->table.by_slot[slot];
		uint16_t generation;
		enum shm_state state = slot_state(ctl, slot, &generation);

		if (peer == NULL || peer->state < CTL_PEER_CONNECTED)
			continue;
		if (state == SHM_STATE_LIVE && generation == peer->generation) {
			ctl_connect_iroutes(ctl, peer);
			ctl_peer_pump(ctl, peer);
			continue;
		}
		ctl_peer_log(CTL_WARN, peer, "session was lost by the dataplane slot=%u", slot);
		ctl_record_clear(&ctl->records, slot);
		ctl_peer_drop(ctl, peer);
		ctl_slots_put(&ctl->slots, slot, ctl_now_ms() + CTL_SLOT_REST_MS);
	}
}

// The table that the sessions were in is gone.
static void forget_all(struct ctl *ctl)
{
	ctl_command_fail_all(ctl);
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		if (ctl->table.by_slot[slot] != NULL)
			ctl_peer_drop(ctl, ctl->table.by_slot[slot]);
	}
	ctl_slots_done(&ctl->slots);
	ctl_records_done(&ctl->records);
	ctl_link_set_control(&ctl->link, -1);
}

static int new_records(struct ctl *ctl)
{
	const struct shm_welcome *w = &ctl->link.welcome;
	uint8_t hash[32];
	int fd;
	int rc = ovpn_cookie_keys_init(&ctl->first.cookies);

	if (rc < 0)
		return rc;
	ovpn_tls_ctx_hash(ctl->tls_ctx, hash);
	rc = ctl_records_create(
		&ctl->records, w->sessions, w->instance, hash, &ctl->first.cookies, &fd);
	if (rc < 0)
		return rc;
	ctl_records_set_token_key(&ctl->records, ctl->token_rules.key);
	ctl_link_set_control(&ctl->link, fd);
	return 0;
}

// Returns 1 when the records of an earlier control were taken over, 0 when there are new ones.
static int get_records(struct ctl *ctl, int control_fd)
{
	const struct shm_welcome *w = &ctl->link.welcome;
	int rc;

	if (control_fd >= 0) {
		rc = ctl_records_open(&ctl->records, control_fd, w->sessions, w->instance);
		if (rc == 0)
			rc = ctl_records_cookies(&ctl->records, &ctl->first.cookies);
		if (rc == 0) {
			if (ctl->token_key_own)
				ctl_records_token_key(&ctl->records, ctl->token_rules.key);
			ctl_link_set_control(&ctl->link, control_fd);
			return 1;
		}
		ctl_log(CTL_WARN, "records of an earlier control can't be used error=%s",
			strerrorname_np(-rc));
		ctl_records_done(&ctl->records);
		(void)close(control_fd); // of no use to anybody
	}
	return new_records(ctl);
}

void ctl_on_link_up(struct ctl *ctl, int control_fd)
{
	const struct shm_welcome *w = &ctl->link.welcome;
	struct ctl_records *r = &ctl->records;
	int rc;

	if (r->header != NULL && r->sessions == w->sessions &&
		memcmp(r->header->instance, w->instance, sizeof(w->instance)) == 0) {
		if (control_fd >= 0)
			(void)close(control_fd); // the one that is mapped
		ctl_command_resync(ctl);
		reconcile(ctl);
		ctl_tunnels_check(ctl);
		ctl_notify_ready(ctl);
		return;
	}
	if (r->header != NULL) {
		ctl_log(CTL_WARN, "the dataplane has a new table, all sessions are gone count=%u",
			ctl->table.live);
		forget_all(ctl);
	}
	rc = ctl_table_resize(&ctl->table, w->sessions);
	if (rc == 0)
		rc = ctl_slots_init(&ctl->slots, w->sessions, ctl_now_ms());
	if (rc == 0)
		rc = get_records(ctl, control_fd);
	if (rc < 0) {
		ctl_log(CTL_ERROR, "no memory for the sessions error=%s", strerrorname_np(-rc));
		ctl->exit_status = 1;
		uv_stop(ctl->loop);
		return;
	}
	take_stock(ctl, rc == 1);
	ctl_tunnels_check(ctl);
	if (rc == 1)
		end_handshakes(ctl);
	// The dataplane keeps new records for the next control.
	if (rc == 0 && ctl_link_greet_again(&ctl->link) < 0)
		ctl_log(CTL_WARN, "the dataplane didn't take the records");
	ctl_notify_ready(ctl);
}

void ctl_on_link_down(struct ctl *ctl)
{
	if (!ctl->stopping && ctl->table.live > 0)
		ctl_log(CTL_INFO,
			"connection to the dataplane is closed, sessions wait for it count=%u",
			ctl->table.live);
}
