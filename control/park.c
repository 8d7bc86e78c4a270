// SPDX-License-Identifier: BSD-3-Clause
// After our key-method-2 is written the rest of a negotiation is retransmission. The packets are
// kept where a restarted control finds them (decisions.md C8).
#include <errno.h>
#include <string.h>

#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"

// Alerts may get lost; a client that has given up ignores them.
#define ABORT_EACH_MS 1000u
#define ABORT_FOR_MS 4000u

static const struct ovpn_rel_out *find_out(const struct ovpn_reliable *rel, uint32_t message_id)
{
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		if (rel->out[i].used && rel->out[i].message_id == message_id)
			return &rel->out[i];
	}
	return NULL;
}

// Copies of the messages from `first` to before `next`. Returns false when they don't fit: then a
// restart ends this negotiation by an alert.
static bool collect(
	const struct ovpn_reliable *rel, uint32_t first, uint32_t next, struct shm_parked *parked)
{
	size_t used = 0;

	for (uint32_t id = first; id != next; id++) {
		const struct ovpn_rel_out *out = find_out(rel, id);

		// A message in between that was acknowledged already is kept as an empty one: the
		// client ignores what it has.
		size_t len = out != NULL ? out->len : 0;

		if (parked->count >= 8 || used + len > sizeof(parked->bytes))
			return false;
		if (out != NULL)
			memcpy(parked->bytes + used, out->payload, len);
		parked->len[parked->count++] = (uint16_t)len;
		used += len;
	}
	return true;
}

void ctl_park(struct ctl *ctl, struct ctl_peer *peer)
{
	struct shm_parked parked = { 0 };
	struct ovpn_rel_state numbers;
	uint32_t before = peer->parked;
	uint32_t index;

	if (peer->nego == NULL || peer->nego->step != CTL_NEGO_DONE ||
		peer->state != CTL_PEER_CONNECTED)
		return;
	ovpn_rel_export(&peer->nego->bufs.rel, &numbers);
	if (numbers.lowest_unacked == numbers.next_send ||
		(before != SHM_SLOT_NONE && peer->parked_next == numbers.next_send))
		return;
	if (!collect(&peer->nego->bufs.rel, numbers.lowest_unacked, numbers.next_send, &parked))
		return;
	parked.slot = peer->slot;
	parked.generation = peer->generation;
	parked.first_id = numbers.lowest_unacked;
	parked.key_id = peer->ch.key_id;
	if (ctl_parked_put(&ctl->records, &parked, &index) < 0)
		return;
	// The record still names the old entry, which nobody overwrites before it is saved.
	peer->parked = index;
	peer->parked_next = numbers.next_send;
	if (before != SHM_SLOT_NONE) {
		ctl_peer_save(ctl, peer);
		ctl_parked_drop(&ctl->records, before);
	}
}

int ctl_unpark(struct ctl *ctl, struct ctl_peer *peer, uint32_t index)
{
	struct ovpn_rel_state numbers = { .next_recv = peer->ch.next_recv };
	struct shm_parked parked;
	struct ovpn_reliable *rel;
	size_t at = 0;
	int rc = ctl_parked_get(&ctl->records, index, peer->slot, peer->generation, &parked);

	if (rc < 0)
		return rc;
	peer->parked = index;
	peer->parked_next = parked.first_id + parked.count;
	if (parked.key_id != peer->ch.key_id || peer->ch.next_send != peer->parked_next)
		return -ESTALE;
	rc = ctl_nego_attach(ctl, peer);
	if (rc < 0)
		return rc;
	rel = &peer->nego->bufs.rel;
	numbers.next_send = parked.first_id;
	numbers.lowest_unacked = parked.first_id;
	ovpn_rel_import(rel, &numbers, 0);
	for (unsigned i = 0; i < parked.count; i++) {
		// The window holds as many as were parked.
		(void)ovpn_rel_queue(
			rel, OVPN_P_CONTROL_V1, parked.bytes + at, parked.len[i], ctl_now_ms());
		at += parked.len[i];
	}
	return 0;
}

void ctl_abort_negotiation(struct ctl *ctl, struct ctl_peer *peer)
{
	struct shm_inject m = { .slot = peer->slot, .generation = peer->generation };
	uint64_t now = ctl_now_ms();
	size_t len;

	m.to = peer->endpoint;
	for (unsigned i = 0; ovpn_channel_abort(&peer->ch, i, m.data, sizeof(m.data), &len) > 0;
		i++) {
		m.len = (uint16_t)len;
		if (ctl_link_inject(&ctl->link, peer->worker, &m) < 0)
			ctl->count.inject_full++; // another one follows
	}
	peer->abort_next_ms = now + ABORT_EACH_MS;
	if (peer->abort_until_ms == 0) {
		peer->abort_until_ms = now + ABORT_FOR_MS;
		ctl->count.aborted++;
		ctl_peer_log(CTL_INFO, peer,
			"lost negotiation ended by an alert key_id=%u sent=%u acked=%u received=%u",
			peer->ch.key_id, peer->ch.next_send, peer->ch.lowest_unacked,
			peer->ch.next_recv);
		ctl_peer_activate(ctl, peer);
	} else if (now >= peer->abort_until_ms) {
		peer->abort_until_ms = 0;
	}
}
