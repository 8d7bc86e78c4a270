// SPDX-License-Identifier: BSD-3-Clause
#include "control/table.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "control/hash.h"
#include "control/peer.h"

// All live peers of one common name.
struct ctl_name {
	struct ctl_peer *first;
	char cn[];
};

int ctl_table_resize(struct ctl_table *t, uint32_t slots)
{
	struct ctl_peer **by_slot;

	if (slots == t->slots)
		return 0;
	by_slot = calloc(slots, sizeof(struct ctl_peer *));
	if (by_slot == NULL)
		return -ENOMEM;
	free(t->by_slot);
	t->by_slot = by_slot;
	t->slots = slots;
	return 0;
}

void ctl_table_done(struct ctl_table *t)
{
	free(t->by_slot);
	t->by_slot = NULL;
	t->slots = 0;
	ctl_set_done(&t->by_key);
	ctl_set_done(&t->by_cn);
	ctl_set_done(&t->by_place);
}

struct ctl_peer_key ctl_peer_key(
	const struct shm_endpoint *endpoint, const uint8_t client_sid[SHM_SID_LEN])
{
	struct ctl_peer_key key = { .remote = endpoint->remote,
		.remote_port_be = endpoint->remote_port_be };

	memcpy(key.client_sid, client_sid, SHM_SID_LEN);
	return key;
}

static bool same_key(const void *elem, const void *key)
{
	return memcmp(&((const struct ctl_peer *)elem)->key, key, sizeof(struct ctl_peer_key)) == 0;
}

static struct ctl_peer *find_key(const struct ctl_table *t, const struct ctl_peer_key *key)
{
	return ctl_set_find(&t->by_key, ctl_hash(key, sizeof(*key)), same_key, key);
}

struct ctl_peer *ctl_table_find(
	const struct ctl_table *t, const struct shm_endpoint *endpoint, const uint8_t *client_sid)
{
	struct ctl_peer_key key = ctl_peer_key(endpoint, client_sid);

	return find_key(t, &key);
}

int ctl_table_add(struct ctl_table *t, struct ctl_peer *peer)
{
	int rc;

	peer->key = ctl_peer_key(&peer->endpoint, peer->ch.remote_sid);
	if (find_key(t, &peer->key) != NULL)
		return -EEXIST;
	rc = ctl_set_add(&t->by_key, peer, ctl_hash(&peer->key, sizeof(peer->key)));
	if (rc < 0)
		return rc;
	peer->keyed = true;
	t->peers++;
	return 0;
}

void ctl_table_del(struct ctl_table *t, struct ctl_peer *peer)
{
	if (!peer->keyed)
		return;
	ctl_set_del(&t->by_key, peer, ctl_hash(&peer->key, sizeof(peer->key)));
	peer->keyed = false;
	t->peers--;
}

// Packed by construction, as a key is.
struct place {
	struct shm_addr remote;
	uint16_t port_be;
	char cn[OVPN_TLS_CN_MAX];
};
static_assert(offsetof(struct place, cn) == 20, "hashed as bytes");

static uint32_t hash_place(const char *cn, const struct shm_endpoint *endpoint)
{
	struct place place = { .remote = endpoint->remote, .port_be = endpoint->remote_port_be };
	size_t len = strnlen(cn, sizeof(place.cn));

	memcpy(place.cn, cn, len);
	return ctl_hash(&place, offsetof(struct place, cn) + len);
}

static int place_add(struct ctl_table *t, struct ctl_peer *peer)
{
	peer->place_hash = hash_place(peer->name->cn, &peer->endpoint);
	return ctl_set_add(&t->by_place, peer, peer->place_hash);
}

static void place_del(struct ctl_table *t, struct ctl_peer *peer)
{
	ctl_set_del(&t->by_place, peer, peer->place_hash);
}

int ctl_table_move(struct ctl_table *t, struct ctl_peer *peer, const struct shm_endpoint *endpoint)
{
	struct ctl_peer_key key = ctl_peer_key(endpoint, peer->ch.remote_sid);
	struct ctl_peer *there = find_key(t, &key);

	if (peer->name != NULL)
		place_del(t, peer);
	peer->endpoint = *endpoint;
	if (peer->name != NULL)
		(void)place_add(t, peer); // room is there: one was taken out
	if (there == peer)
		return 0;
	if (there != NULL)
		return -EEXIST;
	ctl_table_del(t, peer);
	return ctl_table_add(t, peer);
}

struct ctl_peer *ctl_table_at(const struct ctl_table *t, uint32_t slot, uint16_t generation)
{
	struct ctl_peer *peer = slot < t->slots ? t->by_slot[slot] : NULL;

	return peer != NULL && peer->generation == generation ? peer : NULL;
}

void ctl_table_set_slot(struct ctl_table *t, uint32_t slot, struct ctl_peer *peer)
{
	if (slot >= t->slots)
		return; // the table shrank under a session that is being dropped
	if (t->by_slot[slot] == NULL && peer != NULL)
		t->live++;
	if (t->by_slot[slot] != NULL && peer == NULL)
		t->live--;
	t->by_slot[slot] = peer;
}

static bool same_name(const void *elem, const void *key)
{
	return strcmp(((const struct ctl_name *)elem)->cn, key) == 0;
}

static struct ctl_name *find_name(const struct ctl_table *t, const char *cn)
{
	return ctl_set_find(&t->by_cn, ctl_hash(cn, strlen(cn)), same_name, cn);
}

static void drop_unused(struct ctl_table *t, struct ctl_name *name)
{
	if (name->first != NULL)
		return;
	ctl_set_del(&t->by_cn, name, ctl_hash(name->cn, strlen(name->cn)));
	free(name);
}

int ctl_table_name_add(struct ctl_table *t, struct ctl_peer *peer)
{
	const char *cn = peer->id.cn;
	size_t len = strlen(cn);
	struct ctl_name *name = find_name(t, cn);

	if (name == NULL) {
		name = calloc(1, sizeof(*name) + len + 1);
		if (name == NULL)
			return -ENOMEM;
		memcpy(name->cn, cn, len + 1);
		if (ctl_set_add(&t->by_cn, name, ctl_hash(cn, len)) < 0) {
			free(name);
			return -ENOMEM;
		}
	}
	peer->name = name;
	if (place_add(t, peer) < 0) {
		peer->name = NULL;
		drop_unused(t, name);
		return -ENOMEM;
	}
	DL_APPEND2(name->first, peer, name_prev, name_next);
	return 0;
}

void ctl_table_name_del(struct ctl_table *t, struct ctl_peer *peer)
{
	struct ctl_name *name = peer->name;

	if (name == NULL)
		return;
	place_del(t, peer);
	DL_DELETE2(name->first, peer, name_prev, name_next);
	peer->name = NULL;
	drop_unused(t, name);
}

struct ctl_peer *ctl_table_name_at(const struct ctl_table *t, const char *cn,
	const struct shm_endpoint *endpoint, ctl_set_same_fn *same, const void *key)
{
	return ctl_set_find(&t->by_place, hash_place(cn, endpoint), same, key);
}

struct ctl_peer *ctl_table_name_next(
	const struct ctl_table *t, const char *cn, const struct ctl_peer *prev)
{
	const struct ctl_name *name;

	if (prev != NULL)
		return prev->name_next;
	name = find_name(t, cn);
	return name != NULL ? name->first : NULL;
}
