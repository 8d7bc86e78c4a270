// SPDX-License-Identifier: BSD-3-Clause
// How sessions end.
#include <errno.h>
#include <string.h>

#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "shm/session.h"

static bool has_session(const struct ctl *ctl, const struct ctl_peer *peer)
{
	return peer->slot != SHM_SLOT_NONE && peer->slot < ctl->table.slots &&
		ctl->table.by_slot[peer->slot] == peer;
}

static void on_removed(
	struct ctl *ctl, struct ctl_peer *peer, const struct shm_cmd *cmd, int status)
{
	(void)peer; // gone since long
	// -ESTALE: the dataplane had no such session; -ENOTCONN: the table is gone, or we are.
	if (status < 0 && status != -ESTALE && status != -ENOTCONN)
		ctl_log(CTL_WARN, "the dataplane didn't remove a session slot=%u error=%s",
			cmd->slot, strerrorname_np(-status));
	ctl_slots_put(&ctl->slots, cmd->slot, ctl_now_ms() + CTL_SLOT_REST_MS);
	ctl_connect_place_free(ctl, cmd->slot);
}

void ctl_session_remove(struct ctl *ctl, uint32_t slot, uint16_t generation)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_REMOVE, .slot = slot, .generation = generation };

	if (ctl_command_send(ctl, &cmd, 0, NULL, on_removed) < 0)
		ctl_log(CTL_ERROR, "out of memory, a session stays in the dataplane slot=%u", slot);
}

void ctl_peer_abandon(struct ctl *ctl, struct ctl_peer *old)
{
	struct ctl_peer *heir = old->heir;

	if (heir == NULL)
		return;
	ctl_nego_let_go(ctl, heir);
	heir->slot = SHM_SLOT_NONE;
	ctl_peer_close(ctl, heir, NULL, "session-gone");
}

void ctl_peer_counters(
	const struct ctl *ctl, const struct ctl_peer *peer, struct shm_session_info *ret_info)
{
	const struct shm_dir *dir = ctl_link_dir(&ctl->link, peer->slot);
	const struct shm_session *s = ctl_link_session(&ctl->link, peer->slot);

	memset(ret_info, 0, sizeof(*ret_info));
	if (dir != NULL && s != NULL)
		(void)shm_session_read(dir, s, ret_info); // else the counters are unknown
}

static void log_end(struct ctl *ctl, const struct ctl_peer *peer, const char *why)
{
	struct shm_session_info info;

	ctl_peer_counters(ctl, peer, &info);
	ctl_peer_log(CTL_INFO, peer,
		"session ended reason=%s slot=%u seconds=%llu rx_bytes=%llu tx_bytes=%llu "
		"handovers=%u",
		why, peer->slot, (unsigned long long)(ctl_now_ms() - peer->connected_ms) / 1000,
		(unsigned long long)info.rx_bytes, (unsigned long long)info.tx_bytes,
		info.handovers);
}

void ctl_peer_remove(struct ctl *ctl, struct ctl_peer *peer, const char *why)
{
	if (peer->state == CTL_PEER_DEAD)
		return;
	if (has_session(ctl, peer)) {
		if (peer->connected_ms != 0)
			log_end(ctl, peer, why);
		ctl_visit_leave(ctl, peer);
		ctl_record_clear(&ctl->records, peer->slot);
		ctl_session_remove(ctl, peer->slot, peer->generation);
	}
	ctl_peer_drop(ctl, peer);
}

void ctl_peer_replaced(struct ctl *ctl, struct ctl_peer *peer)
{
	ctl_peer_remove(
		ctl, peer, peer->state == CTL_PEER_CLOSING ? peer->why : "replaced-by-newer");
}

void ctl_peer_close(struct ctl *ctl, struct ctl_peer *peer, const char *text, const char *why)
{
	if (peer->state >= CTL_PEER_CLOSING)
		return;
	if (text != NULL && ctl_peer_say(ctl, peer, text) < 0)
		ctl_peer_log(CTL_DEBUG, peer, "can't be told, no TLS text=\"%s\"", text);
	peer->why = why;
	peer->state = CTL_PEER_CLOSING;
	peer->close_ms = ctl_now_ms() + CTL_CLOSE_MS;
	ctl_peer_activate(ctl, peer);
}

void ctl_peer_drop_keys(struct ctl *ctl, struct ctl_peer *peer)
{
	struct shm_cmd cmd = {
		.kind = SHM_CMD_KEY_DROP, .slot = peer->slot, .generation = peer->generation
	};

	if (has_session(ctl, peer)) {
		for (cmd.which = 0; cmd.which < SHM_KEY_SLOTS; cmd.which++) {
			if (ctl_command_send(ctl, &cmd, peer->worker, NULL, NULL) < 0)
				break; // the session itself goes soon
		}
	}
}

void ctl_peer_deauthenticate(struct ctl *ctl, struct ctl_peer *peer, const char *why)
{
	ctl_peer_drop_keys(ctl, peer);
	ctl_peer_close(ctl, peer, "AUTH_FAILED", why);
}
