// SPDX-License-Identifier: BSD-3-Clause
// Where the event loop finds a peer: by its endpoint and session id, by its slot, by its common
// name. Never by session id alone, which a hostile client may copy (decisions.md C9).
#pragma once

#include <stdint.h>

#include "control/set.h"
#include "shm/layout.h"

struct ctl_peer;
struct ctl_name;

// Packed by construction: no byte of unknown content is hashed.
struct ctl_peer_key {
	struct shm_addr remote;
	uint16_t remote_port_be;
	uint8_t client_sid[SHM_SID_LEN];
};
static_assert(sizeof(struct ctl_peer_key) == 28, "hashed as bytes");

struct ctl_table {
	struct ctl_set by_key; // of struct ctl_peer
	struct ctl_peer **by_slot; // `slots` entries
	struct ctl_set by_cn; // of struct ctl_name
	struct ctl_set by_place; // of struct ctl_peer: those by_cn, by name and endpoint together
	uint32_t slots;
	uint32_t peers; // all of them
	uint32_t half_open; // without a slot
	uint32_t live; // with a slot
};

// Make room for so many slots; peers with a slot must be gone before. Returns 0 or -ENOMEM.
int ctl_table_resize(struct ctl_table *t, uint32_t slots);
void ctl_table_done(struct ctl_table *t);

// Key of a peer at an endpoint.
struct ctl_peer_key ctl_peer_key(
	const struct shm_endpoint *endpoint, const uint8_t client_sid[SHM_SID_LEN]);

// Peer of an endpoint and session id, or NULL.
struct ctl_peer *ctl_table_find(
	const struct ctl_table *t, const struct shm_endpoint *endpoint, const uint8_t *client_sid);

// Add a peer under the key of its endpoint and session id. Returns 0, -EEXIST, -ENOMEM.
int ctl_table_add(struct ctl_table *t, struct ctl_peer *peer);
void ctl_table_del(struct ctl_table *t, struct ctl_peer *peer);

// The peer moved: find it at the new endpoint from now on. When another peer with the same session
// id is already there (a copied one), this one stays where it was. Returns 0 or -EEXIST.
int ctl_table_move(struct ctl_table *t, struct ctl_peer *peer, const struct shm_endpoint *endpoint);

// Peer of a slot, NULL when there is none or the generation is another.
struct ctl_peer *ctl_table_at(const struct ctl_table *t, uint32_t slot, uint16_t generation);
void ctl_table_set_slot(struct ctl_table *t, uint32_t slot, struct ctl_peer *peer);

// Peers by common name: add one that has a slot, remove it, walk through those of one name
// (prev NULL: the first one).
int ctl_table_name_add(struct ctl_table *t, struct ctl_peer *peer);
void ctl_table_name_del(struct ctl_table *t, struct ctl_peer *peer);

// A peer of this name at this endpoint for which same(peer, key) is true, or NULL. However many
// peers share the name, only those of the endpoint are looked at.
struct ctl_peer *ctl_table_name_at(const struct ctl_table *t, const char *cn,
	const struct shm_endpoint *endpoint, ctl_set_same_fn *same, const void *key);

struct ctl_peer *ctl_table_name_next(
	const struct ctl_table *t, const char *cn, const struct ctl_peer *prev);
