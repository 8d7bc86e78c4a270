// SPDX-License-Identifier: BSD-3-Clause
// What the dataplane's rings bring: datagrams of peers and strangers, events of sessions.
#include <errno.h>
#include <string.h>

#include "control/clock.h"
#include "control/connect.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "shm/session.h"

static bool same_remote(const struct shm_endpoint *a, const struct shm_endpoint *b)
{
	return a->remote_port_be == b->remote_port_be &&
		memcmp(&a->remote, &b->remote, sizeof(a->remote)) == 0;
}

// ---- Datagrams -------------------------------------------------------------------------------

// Reasons for dropping are counted by their first appearance only in a debug line: strangers can
// cause any number of them.
static void note_drop(const struct ctl_peer *peer, const struct shm_punt *punt, int rc)
{
	ctl_peer_log(CTL_DEBUG, peer, "control packet dropped opcode=%s key_id=%u len=%u error=%s",
		ovpn_opcode_name(ovpn_opcode_of(punt->data[0])), ovpn_key_id_of(punt->data[0]),
		punt->len, strerrorname_np(-rc));
}

// The channel has no buffers for this packet. Returns 0 when it has them now.
static int make_room(struct ctl *ctl, struct ctl_peer *peer, unsigned events)
{
	if ((events & OVPN_CHANNEL_GOT_TLS) != 0 && peer->tls == NULL)
		return -ENOTCONN; // its TLS connection is gone: nothing could read it
	return ctl_nego_attach(ctl, peer);
}

static void on_soft_reset(struct ctl *ctl, struct ctl_peer *peer)
{
	ctl_peer_log(
		CTL_DEBUG, peer, "renegotiation begun by the client key_id=%u", peer->ch.key_id);
	if (ctl_nego_begin(ctl, peer, false) < 0)
		ctl_nego_failed(ctl, peer, "out of memory");
}

void ctl_peer_recv(
	struct ctl *ctl, struct ctl_peer *peer, const struct shm_punt *punt, uint16_t worker)
{
	uint64_t now = ctl_now_ms();
	unsigned events = 0;
	int rc;

	peer->worker = worker;
	rc = ovpn_channel_recv(&peer->ch, punt->data, punt->len, now, &events);
	if (rc == -ENOBUFS) {
		rc = make_room(ctl, peer, events);
		if (rc == 0)
			rc = ovpn_channel_recv(&peer->ch, punt->data, punt->len, now, &events);
	}
	if (rc < 0) {
		note_drop(peer, punt, rc);
		return;
	}
	if ((events & OVPN_CHANNEL_GOT_SOFT_RESET) != 0)
		on_soft_reset(ctl, peer);
	if ((events & (OVPN_CHANNEL_GOT_SOFT_RESET | OVPN_CHANNEL_GOT_RESET)) != 0)
		ctl_rekey_retire(ctl, peer);
	ctl_peer_touch(ctl, peer);
}

// The peer that a datagram belongs to. punt_known names its slot, but what a worker says is only
// believed if session id and address agree.
static struct ctl_peer *find_peer(struct ctl *ctl, const struct shm_punt *punt)
{
	const struct shm_session *s;
	struct shm_endpoint now;
	struct ctl_peer *peer;

	if (punt->len < 1 + SHM_SID_LEN)
		return NULL;
	peer = punt->slot != SHM_SLOT_NONE ? ctl_table_at(&ctl->table, punt->slot, punt->generation)
					   : NULL;
	if (peer != NULL && ovpn_sid_equal(peer->ch.remote_sid, punt->data + 1)) {
		s = ctl_link_session(&ctl->link, punt->slot);
		if (s != NULL && shm_endpoint_read(s, &now) == 0 && same_remote(&now, &punt->from))
			return peer;
	}
	return ctl_table_find(&ctl->table, &punt->from, punt->data + 1);
}

void ctl_on_punt(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker, bool known)
{
	struct ctl_peer *peer = find_peer(ctl, punt);

	(void)known; // the order in which the rings are read is all that it is for
	if (ctl->records.header == NULL)
		return; // between two dataplanes; the client repeats
	if (peer != NULL)
		ctl_peer_recv(ctl, peer, punt, worker);
	else if (punt->len > 0)
		ctl_first_contact(ctl, punt, worker);
}

// ---- Events ----------------------------------------------------------------------------------

static void on_handover(struct ctl *ctl, struct ctl_peer *peer, const struct shm_event *ev)
{
	bool family = ev->old.remote.family != ev->endpoint.remote.family;
	char from[CTL_ENDPOINT_TEXT];

	ctl->count.handovers++;
	(void)ctl_endpoint_text(&ev->old, from);
	(void)ctl_table_move(&ctl->table, peer, &ev->endpoint); // -EEXIST: found by its slot alone
	ctl_peer_log(CTL_INFO, peer, "handover from=%s", from);
	// What TCP may fill depends on the family. While the session is being continued in place
	// its successor will say it.
	if (family && peer->state == CTL_PEER_CONNECTED && peer->heir == NULL)
		(void)ctl_connect_install(ctl, peer, false); // best effort
	// What waits for an acknowledgement was probably lost with the old path.
	if (peer->nego != NULL) {
		ovpn_rel_expedite(&peer->nego->bufs.rel, ctl_now_ms());
		ctl_peer_pump(ctl, peer);
	}
}

// The dataplane says that the peer is gone. One that was closing ends for the reason it had.
static void on_gone(struct ctl *ctl, struct ctl_peer *peer, uint64_t *count, const char *why)
{
	if (peer->state == CTL_PEER_CLOSING) {
		ctl_peer_remove(ctl, peer, peer->why);
		return;
	}
	(*count)++;
	ctl_peer_remove(ctl, peer, why);
}

static void on_session_event(struct ctl *ctl, struct ctl_peer *peer, const struct shm_event *ev)
{
	switch (ev->kind) {
	case SHM_EVENT_HANDOVER: on_handover(ctl, peer, ev); break;
	case SHM_EVENT_TIMEOUT: on_gone(ctl, peer, &ctl->count.timeouts, "ping-restart"); break;
	case SHM_EVENT_EXIT: on_gone(ctl, peer, &ctl->count.exits, "client-exit"); break;
	case SHM_EVENT_REKEY:
		if (ctl_rekey_start(ctl, peer, "packet-ids") == -EAGAIN)
			peer->reneg_ms = ctl_now_ms(); // as soon as it is ready
		break;
	default: break; // TX_SWITCHED: the table says the same
	}
}

void ctl_on_event(struct ctl *ctl, const struct shm_event *event, uint16_t worker)
{
	struct ctl_peer *peer;

	(void)worker; // commands are found by their number, sessions by their slot
	if (event->kind == SHM_EVENT_ACK) {
		ctl_command_ack(ctl, event);
		return;
	}
	peer = ctl_table_at(&ctl->table, event->slot, event->generation);
	if (peer == NULL) {
		ctl->count.stale_messages++;
		return;
	}
	on_session_event(ctl, peer, event);
}

void ctl_on_round(struct ctl *ctl)
{
	ctl_peer_pump_touched(ctl);
	ctl_tls_pool_collect_own(ctl->tls_pool);
	ctl_peer_reap(ctl);
}
