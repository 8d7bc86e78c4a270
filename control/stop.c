// SPDX-License-Identifier: BSD-3-Clause
// The end: clients are told, sessions are removed, the loop ends.
#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/log.h"
#include "control/notify.h"
#include "control/peer.h"
#include "control/tunnel.h"

#define TELL_MS 1000u // for the clients' acknowledgements
#define REMOVE_MS 1000u // for the dataplane's
#define FAREWELL_MS 30000u // for programs that are told of the sessions' ends

// Is somebody still to be heard from?
static bool anybody_waits(const struct ctl *ctl)
{
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		const struct ctl_peer *peer = ctl->table.by_slot[slot];

		if (peer != NULL && peer->tls != NULL && peer->tls->ready &&
			(peer->tls->busy || peer->tls->out.len > 0 ||
				!ovpn_channel_all_acked(&peer->ch)))
			return true;
	}
	return false;
}

void ctl_stop_begin(struct ctl *ctl)
{
	if (ctl->stopping)
		return;
	ctl->stopping = true;
	ctl->stop_at_ms = ctl_now_ms() + TELL_MS;
	ctl_notify_stopping();
	ctl_log(CTL_INFO, "stopping sessions=%u", ctl->table.live);
	ctl_tunnels_down(ctl);
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		// [P]: a bare RESTART makes clients forget passwords (decisions.md C19).
		if (ctl->table.by_slot[slot] != NULL)
			ctl_peer_close(ctl, ctl->table.by_slot[slot],
				ctl->cfg->explicit_exit_notify == 2 ? "RESTART,[PN]"
								    : "RESTART,[P]",
				"server-stops");
	}
}

static void remove_all(struct ctl *ctl)
{
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		if (ctl->table.by_slot[slot] != NULL)
			ctl_peer_remove(ctl, ctl->table.by_slot[slot], "server-stops");
	}
}

void ctl_stop_tick(struct ctl *ctl, uint64_t now_ms)
{
	if (!ctl->stopping)
		return;
	if (ctl->table.live > 0 && ctl_link_is_up(&ctl->link) && now_ms < ctl->stop_at_ms &&
		anybody_waits(ctl))
		return;
	if (ctl->table.live > 0) {
		remove_all(ctl);
		ctl->stop_at_ms = now_ms + REMOVE_MS;
		ctl->farewell_ms = now_ms + FAREWELL_MS;
		return;
	}
	if (ctl->visits.leaving != NULL && ctl->farewell_ms == 0)
		ctl->farewell_ms = now_ms + FAREWELL_MS; // of sessions that ended before
	if (ctl->visits.leaving != NULL && now_ms < ctl->farewell_ms)
		return;
	if (ctl->commands.count > 0 && ctl_link_is_up(&ctl->link) && now_ms < ctl->stop_at_ms)
		return;
	uv_stop(ctl->loop);
}
