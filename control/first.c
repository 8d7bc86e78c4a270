// SPDX-License-Identifier: BSD-3-Clause
#include "control/first.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/hash.h"
#include "control/peer.h"

#define COOKIE_ADDRESS 40u // bytes of struct cookie_address

// What binds a cookie to a client and to our own address.
struct cookie_address {
	struct shm_addr remote;
	struct shm_addr local;
	uint16_t remote_port_be;
	uint16_t local_port_be;
};
static_assert(sizeof(struct cookie_address) == COOKIE_ADDRESS, "no byte of unknown content");

static void cookie_address(const struct shm_endpoint *from, uint8_t ret_addr[COOKIE_ADDRESS])
{
	struct cookie_address addr = { .remote = from->remote,
		.local = from->local,
		.remote_port_be = from->remote_port_be,
		.local_port_be = from->local_port_be };

	memcpy(ret_addr, &addr, sizeof(addr));
}

static struct ctl_bucket *bucket_of(struct ctl *ctl, const struct shm_endpoint *e)
{
	size_t len = e->remote.family == AF_INET ? 3 : 7; // /24 and /56

	return &ctl->first.bucket[ctl_hash(e->remote.bytes, len) % CTL_FIRST_BUCKETS];
}

// May another hard reset of this prefix be answered?
static bool reset_allowed(struct ctl *ctl, struct ctl_bucket *b, uint64_t now_ms)
{
	uint64_t period = (uint64_t)ctl->cfg->connect_freq_initial_s * 1000;

	if (ctl->cfg->connect_freq_initial_n == 0)
		return true;
	if (b->start_ms == 0 || now_ms - b->start_ms > period) {
		b->start_ms = now_ms;
		b->resets = 0;
	}
	return b->resets < ctl->cfg->connect_freq_initial_n;
}

// connect-freq: new peers of all prefixes together.
static bool new_allowed(struct ctl *ctl, uint64_t now_ms)
{
	struct ctl_first *f = &ctl->first;

	if (ctl->cfg->connect_freq_n == 0)
		return true;
	if (now_ms - f->new_start_ms > (uint64_t)ctl->cfg->connect_freq_s * 1000) {
		f->new_start_ms = now_ms;
		f->new_count = 0;
	}
	return f->new_count++ < ctl->cfg->connect_freq_n;
}

static void log_drop(struct ctl *ctl, const struct shm_punt *punt, const char *reason)
{
	char addr[CTL_ENDPOINT_TEXT];
	uint32_t suppressed = 0;

	if (!ctl_limit_pass(&ctl->first.limit, ctl_now_ms(), &suppressed))
		return;
	ctl_log(CTL_WARN, "first packet refused reason=%s addr=%s len=%u suppressed=%u", reason,
		ctl_endpoint_text(&punt->from, addr), punt->len, suppressed);
}

// ---- Peers -----------------------------------------------------------------------------------

static void mark_half_open(struct ctl *ctl, struct ctl_peer *peer, bool stateful)
{
	peer->flags |= CTL_PEER_HALF_OPEN;
	peer->shaking = ctl_shaking_take(&ctl->records);
	ctl->table.half_open++;
	bucket_of(ctl, &peer->endpoint)->half_open++;
	if (!stateful)
		return;
	peer->flags |= CTL_PEER_STATEFUL;
	ctl->first.stateful++;
}

void ctl_first_ghost(struct ctl *ctl, struct ctl_peer *peer)
{
	peer->flags |= CTL_PEER_GHOST;
	bucket_of(ctl, &peer->endpoint)->ghosts++;
}

void ctl_first_closed(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_bucket *b;

	if ((peer->flags & (CTL_PEER_GHOST | CTL_PEER_HALF_OPEN)) == 0)
		return;
	b = bucket_of(ctl, &peer->endpoint);
	if ((peer->flags & CTL_PEER_GHOST) != 0)
		b->ghosts--;
	peer->flags &= ~(uint32_t)CTL_PEER_GHOST;
	if ((peer->flags & CTL_PEER_HALF_OPEN) == 0)
		return;
	ctl_shaking_drop(&ctl->records, peer->shaking);
	peer->shaking = SHM_SLOT_NONE;
	ctl->table.half_open--;
	if (b->half_open > 0)
		b->half_open--;
	if ((peer->flags & CTL_PEER_STATEFUL) != 0)
		ctl->first.stateful--;
	peer->flags &= ~(uint32_t)(CTL_PEER_HALF_OPEN | CTL_PEER_STATEFUL);
}

static void *copy(const void *src, size_t len)
{
	void *p = malloc(len);

	if (p != NULL)
		memcpy(p, src, len);
	return p;
}

// The wrapping that the first packet came in.
static int set_wrap(struct ctl *ctl, struct ctl_peer *peer, const struct ovpn_first *first,
	const struct ovpn_wrap_keys **ret_keys)
{
	*ret_keys = first->keys;
	if (first->v2) {
		peer->wrap = SHM_RECORD_WRAP_V2;
		peer->base = copy(&first->v2_keys, sizeof(first->v2_keys));
		peer->kc = copy(&first->kc, sizeof(first->kc));
		*ret_keys = peer->base;
		return peer->base != NULL && peer->kc != NULL ? 0 : -ENOMEM;
	}
	if (first->keys == NULL)
		peer->wrap = SHM_RECORD_WRAP_NONE;
	else if (first->keys == &ctl->wrap.tls_auth)
		peer->wrap = SHM_RECORD_WRAP_TLS_AUTH;
	else
		peer->wrap = SHM_RECORD_WRAP_TLS_CRYPT;
	return 0;
}

static struct ctl_peer *make_peer(
	struct ctl *ctl, const struct shm_punt *punt, const struct ovpn_first *first)
{
	bool stateful = first->verdict == OVPN_FIRST_STATEFUL;
	struct ctl_peer *peer = ctl_peer_create(ctl, &punt->from);
	const struct ovpn_wrap_keys *keys = NULL;
	uint8_t sid[OVPN_SID_LEN];

	if (peer == NULL)
		return NULL;
	memcpy(sid, first->server_sid, sizeof(sid));
	if (stateful && RAND_bytes(sid, sizeof(sid)) != 1)
		goto drop_peer;
	if (set_wrap(ctl, peer, first, &keys) < 0)
		goto drop_peer;
	ovpn_channel_init(&peer->ch,
		punt->from.remote.family == AF_INET6 ? &ctl->channel6 : &ctl->channel4, true, sid,
		keys, ctl_wall_s());
	if (ctl_nego_begin(ctl, peer, true) < 0)
		goto drop_peer;
	if (stateful)
		ovpn_channel_start(&peer->ch, &peer->nego->bufs, ctl_now_ms());
	else
		ovpn_channel_accept(&peer->ch, &peer->nego->bufs, first->client_sid, ctl_now_ms());
	// The table's key is the client's session id, which a stateful channel learns only from
	// the packet that it is about to get.
	memcpy(peer->ch.remote_sid, first->client_sid, sizeof(peer->ch.remote_sid));
	if (ctl_table_add(&ctl->table, peer) < 0)
		goto drop_peer;
	mark_half_open(ctl, peer, stateful);
	return peer;

drop_peer:
	ctl_peer_drop(ctl, peer);
	return NULL;
}

// Lost handshakes of the same sender: it has begun anew, so they need no alerts any more. Only in
// the seconds after a restart, and only for its own prefix, is there anything to look for.
static void forget_ghosts(
	struct ctl *ctl, const struct ctl_bucket *b, const struct shm_endpoint *from)
{
	struct ctl_peer *p, *next;

	for (p = ctl->active; p != NULL && b->ghosts > 0; p = next) {
		next = p->active_next;
		if ((p->flags & CTL_PEER_GHOST) != 0 &&
			p->endpoint.remote_port_be == from->remote_port_be &&
			memcmp(&p->endpoint.remote, &from->remote, sizeof(from->remote)) == 0)
			ctl_peer_drop(ctl, p);
	}
}

static void admit(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker,
	const struct ovpn_first *first, struct ctl_bucket *b)
{
	struct ctl_first *f = &ctl->first;
	struct ctl_peer *peer;

	if (ctl->table.half_open >= CTL_FIRST_HALF_OPEN_MAX ||
		b->half_open >= CTL_FIRST_PREFIX_MAX || !new_allowed(ctl, ctl_now_ms()) ||
		(first->verdict == OVPN_FIRST_STATEFUL && f->stateful >= CTL_FIRST_STATEFUL_MAX)) {
		f->too_many++;
		log_drop(ctl, punt, "too-many-handshakes");
		return;
	}
	forget_ghosts(ctl, b, &punt->from);
	peer = make_peer(ctl, punt, first);
	if (peer == NULL)
		return;
	f->accepted++;
	if (b->resets > 0)
		b->resets--;
	ctl_peer_log(CTL_DEBUG, peer, "handshake begins worker=%u", worker);
	ctl_peer_recv(ctl, peer, punt, worker);
}

static void reply(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker,
	const uint8_t *dgram, size_t len)
{
	struct shm_inject m = { .slot = SHM_SLOT_NONE, .len = (uint16_t)len, .to = punt->from };

	memcpy(m.data, dgram, len);
	if (ctl_link_inject(&ctl->link, worker, &m) < 0)
		ctl->count.inject_full++; // the client repeats its reset
	else
		ctl->first.replies++;
}

int ctl_first_rotate(struct ctl_first *f, unsigned hand_window_s, uint64_t now_ms)
{
	uint64_t period_ms = 2000 * (uint64_t)hand_window_s;
	int rc;

	if (period_ms < CTL_FIRST_ROTATE_MS)
		period_ms = CTL_FIRST_ROTATE_MS;
	if (f->rotate_ms == 0)
		f->rotate_ms = now_ms + period_ms;
	if (now_ms < f->rotate_ms)
		return 0;
	rc = ovpn_cookie_keys_rotate(&f->cookies);
	if (rc < 0)
		return rc;
	f->rotate_ms = now_ms + period_ms;
	return 1;
}

void ctl_first_contact(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker)
{
	uint8_t addr[COOKIE_ADDRESS];
	struct ctl_bucket *b = bucket_of(ctl, &punt->from);
	struct ovpn_first first;
	uint8_t answer[256];
	size_t answer_len = 0;
	bool allowed = reset_allowed(ctl, b, ctl_now_ms());

	if (ctl->stopping)
		return; // it would be told to go at once
	if (!allowed && punt->len > 0 && ovpn_opcode_is_hard_reset(ovpn_opcode_of(punt->data[0]))) {
		ctl->first.rate_limited++;
		return;
	}
	cookie_address(&punt->from, addr);
	switch (ovpn_stateless_recv(&ctl->stateless, addr, sizeof(addr), ctl_wall_ms(), punt->data,
		punt->len, &first, answer, sizeof(answer), &answer_len)) {
	case OVPN_FIRST_REPLY:
		b->resets++;
		if (allowed)
			reply(ctl, punt, worker, answer, answer_len);
		else
			ctl->first.rate_limited++;
		break;
	case OVPN_FIRST_ACCEPT:
	case OVPN_FIRST_STATEFUL: admit(ctl, punt, worker, &first, b); break;
	case OVPN_FIRST_DROP:
		ctl->first.dropped[first.reason]++;
		if (first.reason == OVPN_FIRST_BAD_WRAP ||
			first.reason == OVPN_FIRST_BAD_CLIENT_KEY ||
			first.reason == OVPN_FIRST_OLD_CLIENT_KEY)
			log_drop(ctl, punt, ovpn_first_reason_name(first.reason));
		break;
	}
	ovpn_first_wipe(&first);
}
