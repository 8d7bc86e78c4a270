// SPDX-License-Identifier: BSD-3-Clause
// When keys begin and end: renegotiations of ours, keys that are retired.
#include <errno.h>
#include <string.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/hash.h"
#include "control/peer.h"

#define TLS_KEPT_MAX 4096u // connections that are kept for good
#define TLS_IDLE_MS 30000u // the others go after so long without use
#define ADOPTED_AGAIN_MS 300000u // an adopted session whose client didn't answer
#define AGAIN_MS 1000u // a peer that isn't ready is asked again after this

// A number below limit that differs from session to session and from key to key. It needs no random
// numbers of libcrypto's, which take longer than all else that is done for a key here.
static uint64_t spread(const struct ctl_peer *peer, uint64_t limit)
{
	struct {
		uint8_t sid[OVPN_SID_LEN];
		uint32_t age;
	} of = { .age = peer->age };

	memcpy(of.sid, peer->ch.own_sid, sizeof(of.sid));
	return ctl_hash(&of, sizeof(of)) % limit;
}

// reneg-sec MAX MIN draws between the two; one value alone is shortened by up to a tenth, so that
// sessions that began together don't renegotiate together (protocol.md 11.2).
static uint64_t reneg_interval_ms(const struct cfg_server *cfg, const struct ctl_peer *peer)
{
	uint64_t max = (uint64_t)cfg->tls.reneg_sec * 1000;
	uint64_t min = (uint64_t)cfg->tls.reneg_sec_min * 1000;

	if (min >= max)
		min = max - max / 10;
	return max - spread(peer, max - min + 1);
}

static void note_traffic(struct ctl *ctl, struct ctl_peer *peer)
{
	struct shm_session *s = (struct shm_session *)(uintptr_t)ctl_link_session(
		&ctl->link, peer->slot); // loaded only

	if (s == NULL)
		return;
	peer->reneg_bytes_at = atomic_load_explicit(&s->rx_bytes, memory_order_relaxed) +
		atomic_load_explicit(&s->tx_bytes, memory_order_relaxed);
	peer->reneg_packets_at = atomic_load_explicit(&s->rx_packets, memory_order_relaxed) +
		atomic_load_explicit(&s->tx_packets, memory_order_relaxed);
}

bool ctl_rekey_asks(const struct ctl_peer *peer)
{
	return peer->user.proven && !peer->user.token.set;
}

void ctl_rekey_plan(struct ctl *ctl, struct ctl_peer *peer)
{
	peer->reneg_ms = CTL_NEVER;
	if (ctl->cfg->tls.reneg_sec != 0)
		peer->reneg_ms = ctl_now_ms() + reneg_interval_ms(ctl->cfg, peer);
	else if ((peer->flags & CTL_PEER_ADOPTED) != 0 && !ctl_rekey_asks(peer))
		peer->reneg_ms = ctl_now_ms() + ADOPTED_AGAIN_MS; // still without TLS
	note_traffic(ctl, peer);
}

int ctl_rekey_start(struct ctl *ctl, struct ctl_peer *peer, const char *why)
{
	int rc;

	if (peer->state != CTL_PEER_CONNECTED || ctl->stopping || peer->nego != NULL)
		return -EAGAIN;
	rc = ctl_nego_begin(ctl, peer, false);
	if (rc < 0)
		return rc;
	rc = ovpn_channel_soft_reset(&peer->ch, &peer->nego->bufs, ctl_now_ms());
	if (rc < 0) {
		ctl_nego_end(ctl, peer);
		return -EAGAIN;
	}
	peer->reneg_ms = CTL_NEVER; // planned again at its end
	ctl_peer_log(
		CTL_DEBUG, peer, "renegotiation begins reason=%s key_id=%u", why, peer->ch.key_id);
	ctl_peer_pump(ctl, peer);
	return 0;
}

int ctl_rekey_resume(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ovpn_rel_state numbers = { .next_send = peer->ch.next_send,
		.lowest_unacked = peer->ch.lowest_unacked,
		.next_recv = peer->ch.next_recv };
	struct ovpn_negotiation *bufs;
	int rc;

	// Message 0 is the reset; the client's message 1 already belongs to its TLS handshake.
	if (peer->ch.key_id == 0 || numbers.next_recv > 1 || numbers.next_send > 1)
		return -EINVAL;
	rc = ctl_nego_begin(ctl, peer, false);
	if (rc < 0)
		return rc;
	bufs = &peer->nego->bufs;
	ovpn_channel_attach(&peer->ch, bufs);
	bufs->got_reset = numbers.next_recv > 0;
	bufs->started = numbers.lowest_unacked > 0;
	if (!bufs->started) {
		numbers.next_send = 0;
		ovpn_rel_import(&bufs->rel, &numbers, 0);
		(void)ovpn_rel_queue(&bufs->rel, OVPN_P_CONTROL_SOFT_RESET_V1, NULL, 0,
			ctl_now_ms()); // the first of an empty window
	}
	peer->reneg_ms = CTL_NEVER;
	return 0;
}

static void drop_key(struct ctl *ctl, struct ctl_peer *peer, uint8_t which)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_KEY_DROP,
		.slot = peer->slot,
		.generation = peer->generation,
		.which = which };

	if (ctl_command_send(ctl, &cmd, peer->worker, NULL, NULL) < 0)
		return; // tried again in the next sweep
	peer->keys[which].valid = false;
	ctl_peer_save(ctl, peer);
}

void ctl_rekey_retire(struct ctl *ctl, struct ctl_peer *peer)
{
	uint8_t old = peer->primary ^ 1;

	if (peer->state != CTL_PEER_CONNECTED || !peer->keys[peer->primary].valid ||
		peer->keys[peer->primary].key_id == peer->ch.key_id)
		return;
	if (peer->keys[old].valid && ctl_connect_sending(ctl, peer) == old)
		drop_key(ctl, peer, old);
}

void ctl_rekey_settled(struct ctl *ctl, struct ctl_peer *peer)
{
	uint8_t old = peer->primary ^ 1;

	// After an in-place reset the client can't use the key of the session before.
	if (peer->nego->first && peer->takeover_ms != 0 && peer->keys[old].valid &&
		peer->state == CTL_PEER_CONNECTED)
		drop_key(ctl, peer, old);
}

// Have reneg-bytes or reneg-pkts passed since the newest key was made?
static bool traffic_due(struct ctl *ctl, const struct ctl_peer *peer)
{
	const struct cfg_tls *tls = &ctl->cfg->tls;
	const uint64_t limit =
		ctl_format_reneg_bytes(ctl->cfg, (enum ovpn_cipher)peer->format.cipher);
	struct shm_session *s;
	uint64_t bytes, packets;

	if (limit == 0 && tls->reneg_pkts == 0)
		return false;
	s = (struct shm_session *)(uintptr_t)ctl_link_session(&ctl->link, peer->slot);
	if (s == NULL)
		return false;
	bytes = atomic_load_explicit(&s->rx_bytes, memory_order_relaxed) +
		atomic_load_explicit(&s->tx_bytes, memory_order_relaxed) - peer->reneg_bytes_at;
	packets = atomic_load_explicit(&s->rx_packets, memory_order_relaxed) +
		atomic_load_explicit(&s->tx_packets, memory_order_relaxed) - peer->reneg_packets_at;
	return (limit != 0 && bytes >= limit) ||
		(tls->reneg_pkts != 0 && packets >= tls->reneg_pkts);
}

// A TLS connection takes some 21 KiB. Beyond a number of them the sessions that are idle do
// without: they can't be told anything before their next renegotiation.
static void sweep_tls(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	if (ctl->tls_kept > TLS_KEPT_MAX && peer->tls != NULL && peer->nego == NULL &&
		!peer->tls->busy && now_ms - peer->tls->used_ms >= TLS_IDLE_MS)
		ctl_tls_drop(ctl, peer);
}

void ctl_rekey_sweep(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	uint8_t old = peer->primary ^ 1;

	if (peer->state != CTL_PEER_CONNECTED)
		return;
	ctl_auth_sweep(ctl, peer, now_ms);
	sweep_tls(ctl, peer, now_ms);
	if (peer->keys[old].valid && peer->keys[old].retire_ms != 0 &&
		now_ms >= peer->keys[old].retire_ms && peer->nego == NULL)
		drop_key(ctl, peer, old);
	if (now_ms >= peer->reneg_ms) {
		if (ctl_rekey_start(ctl, peer, "reneg-sec") < 0)
			peer->reneg_ms = now_ms + AGAIN_MS;
	} else if (peer->nego == NULL && traffic_due(ctl, peer)) {
		(void)ctl_rekey_start(ctl, peer, "traffic"); // tried again in the next sweep
	}
}
