// SPDX-License-Identifier: BSD-3-Clause
// The one timer: peers with something under way every 100 ms, all sessions once a second, a tenth
// of the table at a time.
#include <errno.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"
#include "control/tunnel.h"

#define TICK_MS 100u
#define POLICY_MS 1000u
#define SWEEPS 10u // ticks for the whole table

static void sweep(struct ctl *ctl, uint64_t now_ms)
{
	uint32_t n = (ctl->table.slots + SWEEPS - 1) / SWEEPS;

	if (!ctl_link_is_up(&ctl->link))
		return;
	for (uint32_t i = 0; i < n && ctl->table.live > 0; i++) {
		struct ctl_peer *peer;

		if (ctl->sweep_slot >= ctl->table.slots)
			ctl->sweep_slot = 0;
		peer = ctl->table.by_slot[ctl->sweep_slot++];
		if (peer != NULL) {
			ctl_rekey_sweep(ctl, peer, now_ms);
			ctl_limits_sweep(ctl, peer, now_ms);
		}
	}
}

// Whoever was revoked since it connected goes at once, not only at its next renegotiation.
static void drop_revoked(struct ctl *ctl)
{
	for (uint32_t slot = 0; slot < ctl->table.slots; slot++) {
		struct ctl_peer *peer = ctl->table.by_slot[slot];

		if (peer != NULL && peer->state == CTL_PEER_CONNECTED &&
			ctl_policy_revoked(ctl->policy, peer->id.serial)) {
			ctl_peer_log(CTL_WARN, peer, "certificate was revoked serial=%s",
				peer->id.serial);
			ctl_peer_deauthenticate(ctl, peer, "revoked");
		}
	}
}

static void tick_policy(struct ctl *ctl, uint64_t now_ms)
{
	if (now_ms < ctl->policy_next_ms)
		return;
	ctl->policy_next_ms = now_ms + POLICY_MS;
	if (ctl_policy_tick(ctl->policy, ctl->tls_ctx, now_ms))
		drop_revoked(ctl);
}

// The record is written before anybody gets a cookie of the new key, so a killed control's
// successor knows both.
static void tick_cookies(struct ctl *ctl, uint64_t now_ms)
{
	if (ctl_link_is_up(&ctl->link) &&
		ctl_first_rotate(&ctl->first, ctl->cfg->tls.hand_window_s, now_ms) > 0)
		ctl_records_set_cookies(&ctl->records, &ctl->first.cookies);
}

static void tick_cb(uv_timer_t *timer)
{
	struct ctl *ctl = timer->data;
	uint64_t now = ctl_now_ms();
	struct ctl_peer *peer, *next;

	// A tick may drop the peer itself and others; what is dropped stays in memory until the end
	// of the round, but its list pointers are void, so `next` is looked at before it is used.
	for (peer = ctl->active; peer != NULL; peer = next) {
		next = peer->active_next;
		ctl_peer_tick(ctl, peer, now);
		if (next != NULL && !next->active)
			break; // the rest in 100 ms
	}
	ctl_command_tick(ctl);
	ctl_tunnels_tick(ctl, now);
	sweep(ctl, now);
	tick_policy(ctl, now);
	tick_cookies(ctl, now);
	ctl_peer_reap(ctl);
	ctl_stop_tick(ctl, now);
}

int ctl_timer_start(struct ctl *ctl)
{
	int rc = uv_timer_init(ctl->loop, &ctl->tick);

	ctl->tick.data = ctl;
	return rc < 0 ? rc : uv_timer_start(&ctl->tick, tick_cb, TICK_MS, TICK_MS);
}
