// SPDX-License-Identifier: BSD-3-Clause
#include "control/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/policy.h"

#define OUTPUT_MAX 32u // datagrams of one peer in one go

const char *ctl_addr_text(const struct shm_addr *addr, char *buf)
{
	if (addr->family == 0 ||
		inet_ntop(addr->family, addr->bytes, buf, CTL_ENDPOINT_TEXT) == NULL)
		(void)snprintf(buf, CTL_ENDPOINT_TEXT, "none");
	return buf;
}

const char *ctl_endpoint_text(const struct shm_endpoint *endpoint, char *buf)
{
	char addr[CTL_ENDPOINT_TEXT];
	bool six = endpoint->remote.family == AF_INET6;

	(void)snprintf(buf, CTL_ENDPOINT_TEXT, "%s%.45s%s:%u", six ? "[" : "",
		ctl_addr_text(&endpoint->remote, addr), six ? "]" : "",
		__builtin_bswap16(endpoint->remote_port_be));
	return buf;
}

void ctl_peer_log(enum ctl_level level, const struct ctl_peer *peer, const char *fmt, ...)
{
	char text[640];
	char addr[CTL_ENDPOINT_TEXT];
	char name[OVPN_TLS_CN_MAX];
	va_list ap;
	int n;

	if (!ctl_log_on(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	ctl_log(level, "%s peer=%s session=%016llx addr=%s", text,
		peer->id.cn[0] != '\0' ? ctl_log_word(peer->id.cn, name, sizeof(name)) : "-",
		(unsigned long long)ovpn_get_be64(peer->ch.own_sid),
		ctl_endpoint_text(&peer->endpoint, addr));
}

// ---- Life ------------------------------------------------------------------------------------

struct ctl_peer *ctl_peer_create(struct ctl *ctl, const struct shm_endpoint *endpoint)
{
	struct ctl_peer *peer = calloc(1, sizeof(*peer));

	(void)ctl;
	if (peer == NULL)
		return NULL;
	peer->endpoint = *endpoint;
	peer->slot = SHM_SLOT_NONE;
	peer->parked = SHM_SLOT_NONE;
	peer->shaking = SHM_SLOT_NONE;
	peer->reneg_ms = CTL_NEVER;
	peer->created_ms = ctl_now_ms();
	return peer;
}

static void untouch(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_touched *t = &ctl->touched;

	for (unsigned i = 0; peer->touched && i < t->n; i++) {
		if (t->peer[i] == peer)
			t->peer[i] = NULL;
	}
	peer->touched = false;
}

static void deactivate(struct ctl *ctl, struct ctl_peer *peer)
{
	if (!peer->active)
		return;
	DL_DELETE2(ctl->active, peer, active_prev, active_next);
	peer->active = false;
}

void ctl_peer_activate(struct ctl *ctl, struct ctl_peer *peer)
{
	if (peer->active || peer->state == CTL_PEER_DEAD)
		return;
	DL_APPEND2(ctl->active, peer, active_prev, active_next);
	peer->active = true;
}

void ctl_peer_drop(struct ctl *ctl, struct ctl_peer *peer)
{
	if (peer->state == CTL_PEER_DEAD)
		return;
	ctl_peer_abandon(ctl, peer);
	ctl_nego_let_go(ctl, peer);
	ctl_auth_end(ctl, peer);
	ctl_visit_leave(ctl, peer);
	if (peer->slot != SHM_SLOT_NONE && peer->slot < ctl->table.slots &&
		ctl->table.by_slot[peer->slot] == peer)
		ctl_table_set_slot(&ctl->table, peer->slot, NULL);
	ctl_table_name_del(&ctl->table, peer);
	ctl_table_del(&ctl->table, peer);
	ctl_first_closed(ctl, peer);
	ctl_shaking_drop(&ctl->records, peer->shaking);
	ctl_command_forget(peer);
	deactivate(ctl, peer);
	untouch(ctl, peer);
	if (peer->parked != SHM_SLOT_NONE)
		ctl_parked_drop(&ctl->records, peer->parked);
	peer->state = CTL_PEER_DEAD;
	peer->dead_next = ctl->dead;
	ctl->dead = peer;
}

static void free_key(void *key, size_t len)
{
	if (key != NULL)
		explicit_bzero(key, len);
	free(key);
}

void ctl_peer_reap(struct ctl *ctl)
{
	struct ctl_peer *peer;

	while ((peer = ctl->dead) != NULL) {
		ctl->dead = peer->dead_next;
		ctl_command_forget(peer); // of what was sent since
		ctl_nego_end(ctl, peer);
		ctl_tls_drop(ctl, peer);
		peer->grant = ctl_grant_free(ctl->policy, peer->grant);
		free_key(peer->base, sizeof(*peer->base));
		free_key(peer->dynamic, sizeof(*peer->dynamic));
		free_key(peer->kc, sizeof(*peer->kc));
		free(peer->user.name);
		free_key(peer, sizeof(*peer));
	}
}

// ---- Moving bytes ----------------------------------------------------------------------------

static void read_channel(struct ctl_peer *peer)
{
	uint8_t buf[4096];
	size_t n;

	while ((n = ovpn_channel_tls_read(&peer->ch, buf, sizeof(buf))) > 0) {
		peer->nego->input += n;
		if (ctl_bytes_add(&peer->tls->in, buf, n) < 0)
			peer->nego->input = CTL_TLS_INPUT_MAX + 1; // ends like too much input
	}
}

static void swap_bytes(struct ctl_bytes *a, struct ctl_bytes *b)
{
	struct ctl_bytes tmp = *a;

	*a = *b;
	*b = tmp;
}

static void submit(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_tls *tls = peer->tls;

	if (tls->busy || (tls->in.len == 0 && tls->messages.len == 0 && !tls->job.more))
		return;
	if (tls->in.len == 0 && !tls->ready)
		return; // messages wait for the end of the handshake
	swap_bytes(&tls->in, &tls->job.in);
	tls->in.len = 0;
	if (tls->messages.len > 0 &&
		ctl_bytes_add(&tls->job.messages, tls->messages.data, tls->messages.len) == 0)
		tls->messages.len = 0;
	tls->busy = true;
	tls->used_ms = ctl_now_ms();
	ctl_tls_pool_submit(ctl->tls_pool, &tls->job);
}

static uint16_t worker_of(struct ctl *ctl, const struct ctl_peer *peer)
{
	struct shm_dir *d; // loaded only
	uint16_t owner;

	if (peer->slot == SHM_SLOT_NONE)
		return peer->worker;
	d = (struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, peer->slot);
	if (d == NULL)
		return peer->worker;
	owner = atomic_load_explicit(&d->owner, memory_order_relaxed);
	return owner < ctl->link.workers ? owner : peer->worker;
}

// Is something being made that goes to the peer within milliseconds? Then the acknowledgements of
// what it answers go along: a datagram less, which it costs to wrap and to send.
static bool answer_is_near(const struct ctl_peer *peer)
{
	return (peer->tls != NULL && peer->tls->busy) ||
		(peer->nego != NULL && peer->nego->step == CTL_NEGO_KEYS && !peer->nego->deferred);
}

static void output(struct ctl *ctl, struct ctl_peer *peer)
{
	// One that is refused before it was installed has a slot that nobody knows.
	bool by_slot = peer->slot != SHM_SLOT_NONE && peer->connected_ms != 0;
	struct shm_inject m = { .slot = by_slot ? peer->slot : SHM_SLOT_NONE,
		.generation = by_slot ? peer->generation : 0,
		.to = peer->endpoint };
	uint64_t now = ctl_now_ms();
	size_t len;

	for (unsigned i = 0; i < OUTPUT_MAX; i++) {
		if (ovpn_channel_output(&peer->ch, now, m.data, sizeof(m.data), &len) <= 0)
			return;
		m.len = (uint16_t)len;
		if (ctl_link_inject(&ctl->link, worker_of(ctl, peer), &m) < 0)
			ctl->count.inject_full++; // the reliability layer sends it again
	}
}

// If the negotiation is over its buffers go. Returns true when they did.
static bool settle(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct ctl_tls *tls = peer->tls;

	if (peer->nego == NULL || peer->nego->step != CTL_NEGO_DONE ||
		!ovpn_channel_idle(&peer->ch))
		return false;
	if (tls != NULL &&
		(tls->busy || tls->out.len != 0 || tls->in.len != 0 || tls->messages.len != 0))
		return false;
	ctl_rekey_settled(ctl, peer);
	ctl_nego_end(ctl, peer);
	return true;
}

static void pump(struct ctl *ctl, struct ctl_peer *peer, bool hold_acks)
{
	size_t taken;

	if (peer->state == CTL_PEER_DEAD)
		return;
	if (peer->nego != NULL && peer->tls != NULL) {
		read_channel(peer);
		submit(ctl, peer);
		taken = ovpn_channel_tls_write(
			&peer->ch, peer->tls->out.data, peer->tls->out.len, ctl_now_ms());
		ctl_bytes_consume(&peer->tls->out, taken);
	}
	settle(ctl, peer);
	ctl_park(ctl, peer);
	// A control that takes over must know at least what the peer will have seen.
	ctl_peer_save(ctl, peer);
	ovpn_channel_hold_acks(&peer->ch, hold_acks && answer_is_near(peer));
	output(ctl, peer);
	if (settle(ctl, peer)) // an acknowledgement was all that was missing
		ctl_peer_save(ctl, peer);
	if (peer->nego != NULL)
		ctl_peer_activate(ctl, peer);
}

void ctl_peer_pump(struct ctl *ctl, struct ctl_peer *peer)
{
	pump(ctl, peer, true);
}

void ctl_peer_touch(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_touched *t = &ctl->touched;

	if (peer->touched)
		return;
	if (t->n == CTL_TOUCHED_MAX)
		ctl_peer_pump_touched(ctl);
	peer->touched = true;
	t->peer[t->n++] = peer;
}

void ctl_peer_pump_touched(struct ctl *ctl)
{
	struct ctl_touched *t = &ctl->touched;

	// On the way others of them may be dropped: untouch() takes them out.
	for (unsigned i = 0; i < t->n; i++) {
		struct ctl_peer *peer = t->peer[i];

		if (peer == NULL)
			continue;
		peer->touched = false;
		ctl_peer_pump(ctl, peer);
	}
	t->n = 0;
}

int ctl_peer_say(struct ctl *ctl, struct ctl_peer *peer, const char *text)
{
	char message[OVPN_TLS_MESSAGE_MAX];
	size_t len = strlen(text) + 1;
	int rc;

	if (peer->tls == NULL || !peer->tls->ready)
		return -ENOTCONN;
	if (len > sizeof(message))
		return -EMSGSIZE;
	rc = ctl_nego_attach(ctl, peer);
	if (rc < 0)
		return rc;
	memcpy(message, text, len);
	rc = ctl_tls_message(peer, message, len);
	if (rc == 0)
		ctl_peer_pump(ctl, peer);
	return rc;
}

// ---- Time ------------------------------------------------------------------------------------

static bool nego_expired(struct ctl *ctl, const struct ctl_peer *peer, uint64_t now_ms)
{
	uint64_t window = (uint64_t)ctl->cfg->tls.hand_window_s * 1000;

	if (peer->nego->step == CTL_NEGO_AUTH && peer->nego->deadline_ms != 0)
		return now_ms >= peer->nego->deadline_ms;
	return peer->nego->step < CTL_NEGO_DONE && now_ms - peer->nego->started_ms >= window;
}

void ctl_peer_tick(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	if (peer->state == CTL_PEER_CLOSING && now_ms >= peer->close_ms) {
		ctl_peer_remove(ctl, peer, peer->why);
		return;
	}
	if (peer->nego != NULL && peer->nego->input > CTL_TLS_INPUT_MAX) {
		ctl_nego_failed(ctl, peer, "too much TLS input");
		return;
	}
	if (peer->nego != NULL && nego_expired(ctl, peer, now_ms)) {
		if (peer->nego->step == CTL_NEGO_AUTH)
			ctl_connect_denied(ctl, peer, NULL, "authentication-too-slow");
		else if (peer->nego->step == CTL_NEGO_HOOK)
			ctl_connect_denied(ctl, peer, NULL, "client-connect-too-slow");
		else
			ctl_nego_failed(ctl, peer, "hand-window is over");
		return;
	}
	if (peer->abort_until_ms != 0 && now_ms >= peer->abort_next_ms)
		ctl_abort_negotiation(ctl, peer);
	if (peer->nego != NULL && peer->nego->step == CTL_NEGO_FAREWELL)
		ctl_connect_farewell_over(ctl, peer);
	if (peer->nego != NULL && peer->nego->deferred)
		ctl_connect_resume(ctl, peer);
	if (ovpn_channel_deadline(&peer->ch) <= now_ms)
		pump(ctl, peer, false);
	if (peer->nego == NULL && peer->state == CTL_PEER_CONNECTED && peer->abort_until_ms == 0)
		deactivate(ctl, peer);
}

// ---- Record ----------------------------------------------------------------------------------

static void save_key(struct shm_record_key *dst, const struct ctl_key *src)
{
	dst->valid = src->valid;
	dst->key_id = src->key_id;
	dst->age = src->age;
	dst->made_ms = src->made_ms;
	dst->retire_ms = src->retire_ms;
}

static uint16_t record_flags(const struct ctl_peer *peer)
{
	uint16_t flags = SHM_RECORD_LIVE;

	if ((peer->flags & CTL_PEER_NCP) != 0)
		flags |= SHM_RECORD_NCP;
	if ((peer->flags & CTL_PEER_PUSHED) != 0)
		flags |= SHM_RECORD_PUSHED;
	if (peer->id.has_cert)
		flags |= SHM_RECORD_HAS_CERT;
	if (peer->parked != SHM_SLOT_NONE)
		flags |= SHM_RECORD_PARKED;
	if (peer->user.proven)
		flags |= SHM_RECORD_USER;
	if (peer->user.token.set)
		flags |= SHM_RECORD_TOKEN;
	if (peer->user.token.no_user)
		flags |= SHM_RECORD_TOKEN_NOBODY;
	if (peer->visit != NULL)
		flags |= SHM_RECORD_NOTE;
	return flags;
}

// Fills what belongs to the wrapping.
static void save_wrap(struct shm_control_record *rec, const struct ctl_peer *peer)
{
	struct ovpn_wrap_saved saved;

	rec->wrap = (uint8_t)peer->wrap;
	if (peer->base != NULL && ovpn_wrap_keys_save(peer->base, &saved) == 0) {
		memcpy(rec->base_key, saved.bytes, sizeof(rec->base_key));
		rec->flags |= SHM_RECORD_BASE_KEY;
	}
	if (peer->dynamic != NULL && ovpn_wrap_keys_save(peer->dynamic, &saved) == 0) {
		memcpy(rec->dynamic_key, saved.bytes, sizeof(rec->dynamic_key));
		rec->flags |= SHM_RECORD_DYNAMIC;
	}
	explicit_bzero(&saved, sizeof(saved));
}

// A first handshake: what is needed to end it by an alert.
static void save_shaking(struct ctl *ctl, const struct ctl_peer *peer)
{
	struct shm_shaking entry = { .wrap = (uint8_t)peer->wrap, .endpoint = peer->endpoint };
	struct ovpn_channel_state channel;
	struct ovpn_wrap_saved saved;

	if (peer->shaking == SHM_SLOT_NONE)
		return;
	ovpn_channel_export(&peer->ch, &channel);
	memcpy(entry.channel, &channel, sizeof(channel));
	if (peer->base != NULL && ovpn_wrap_keys_save(peer->base, &saved) == 0)
		memcpy(entry.base_key, saved.bytes, sizeof(entry.base_key));
	ctl_shaking_write(&ctl->records, peer->shaking, &entry);
	explicit_bzero(&entry, sizeof(entry));
	explicit_bzero(&saved, sizeof(saved));
}

void ctl_peer_save(struct ctl *ctl, struct ctl_peer *peer)
{
	struct shm_control_record rec = { 0 };
	struct ovpn_channel_state channel;

	save_shaking(ctl, peer);
	if (peer->state != CTL_PEER_CONNECTED && peer->state != CTL_PEER_CLOSING)
		return;
	if (peer->slot == SHM_SLOT_NONE || ctl->table.by_slot[peer->slot] != peer)
		return;
	rec.sequence = peer->record_sequence;
	rec.slot = peer->slot;
	rec.generation = peer->generation;
	rec.flags = record_flags(peer);
	save_wrap(&rec, peer);
	rec.cipher = peer->format.cipher;
	rec.digest = peer->format.digest;
	rec.compress = peer->format.compress;
	rec.fragment = peer->format.fragment;
	rec.primary = peer->primary;
	rec.negotiating = peer->nego != NULL && peer->nego->step < CTL_NEGO_DONE;
	rec.iv_proto = peer->iv_proto;
	rec.agreed = peer->agreed;
	rec.age = peer->age;
	rec.parked = peer->parked;
	ovpn_channel_export(&peer->ch, &channel);
	memcpy(rec.channel, &channel, sizeof(channel));
	memcpy(rec.chain_hash, peer->id.chain_hash, sizeof(rec.chain_hash));
	memcpy(rec.cn, peer->id.cn, sizeof(peer->id.cn));
	memcpy(rec.serial, peer->id.serial, sizeof(rec.serial));
	memcpy(rec.user_hash, peer->user.hash, sizeof(rec.user_hash));
	memcpy(rec.token_session, peer->user.token.session, sizeof(rec.token_session));
	rec.token_initial_s = peer->user.token.initial_s;
	rec.tunnel4 = peer->tunnel4;
	rec.tunnel6 = peer->tunnel6;
	for (unsigned i = 0; i < SHM_KEY_SLOTS; i++)
		save_key(&rec.key[i], &peer->keys[i]);
	rec.connected_ms = peer->connected_ms;
	rec.connected_wall_s = peer->connected_wall_s;
	rec.reneg_ms = peer->reneg_ms == CTL_NEVER ? 0 : peer->reneg_ms;
	rec.pushed_ms = peer->pushed_ms;
	ctl_record_write(&ctl->records, &rec);
	peer->record_sequence = rec.sequence;
	explicit_bzero(&rec, sizeof(rec));
}
