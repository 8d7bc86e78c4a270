// SPDX-License-Identifier: BSD-3-Clause
// The one timer: peers with something under way every 100 ms; all sessions once a second, a tenth
// of the table at a time, or more rarely when there are very many.
#include <errno.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"
#include "control/tunnel.h"

#define TICK_MS 100u
#define POLICY_MS 1000u
#define SWEEPS 10u // ticks for the whole table ...
#define SWEEP_MAX                                                                                  \
	8192u // ... but so many sessions in a tick at most: of a million each has its turn
	      // every 13 s, and handshakes wait some milliseconds at most
#define SWEEP_AHEAD 8u // sessions that are fetched before their turn

typedef void visit_fn(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms);

// The next sessions of the table from *slot on. Returns false when it has no more.
static bool visit(struct ctl *ctl, uint32_t *slot, visit_fn *fn, uint64_t now_ms)
{
	struct ctl_peer **by_slot = ctl->table.by_slot;
	uint32_t slots = (ctl->table.slots + SWEEPS - 1) / SWEEPS;
	uint32_t end = ctl->table.slots - *slot > slots ? *slot + slots : ctl->table.slots;
	uint32_t seen = 0;

	for (; *slot < end && seen < SWEEP_MAX; (*slot)++) {
		struct ctl_peer *peer = by_slot[*slot];

		if (*slot + SWEEP_AHEAD < end)
			ctl_peer_fetch(by_slot[*slot + SWEEP_AHEAD]);
		if (peer == NULL)
			continue;
		seen++;
		fn(ctl, peer, now_ms);
	}
	return *slot < ctl->table.slots;
}

static void sweep_one(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	ctl_rekey_sweep(ctl, peer, now_ms);
	ctl_limits_sweep(ctl, peer, now_ms);
}

static void sweep(struct ctl *ctl, uint64_t now_ms)
{
	if (!ctl_link_is_up(&ctl->link) || ctl->table.live == 0)
		return;
	if (ctl->sweep_slot >= ctl->table.slots || !visit(ctl, &ctl->sweep_slot, sweep_one, now_ms))
		ctl->sweep_slot = 0;
}

// Whoever was revoked since it connected goes now, not only at its next renegotiation.
static void drop_revoked(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	(void)now_ms;
	if (peer->state != CTL_PEER_CONNECTED || !ctl_policy_revoked(ctl->policy, peer->id.serial))
		return;
	ctl_peer_log(CTL_WARN, peer, "certificate was revoked serial=%s", peer->id.serial);
	ctl_peer_deauthenticate(ctl, peer, "revoked");
}

static void tick_policy(struct ctl *ctl, uint64_t now_ms)
{
	if (now_ms >= ctl->policy_next_ms) {
		ctl->policy_next_ms = now_ms + POLICY_MS;
		if (ctl_policy_tick(ctl->policy, ctl->tls_ctx, now_ms))
			ctl->revoke_slot = 0; // from the beginning
	}
	if (ctl->revoke_slot < ctl->table.slots)
		(void)visit(ctl, &ctl->revoke_slot, drop_revoked, now_ms); // goes on next time
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
	ctl_visits_tick(ctl);
	ctl_peer_reap(ctl);
	ctl_stop_tick(ctl, now);
}

int ctl_timer_start(struct ctl *ctl)
{
	int rc = uv_timer_init(ctl->loop, &ctl->tick);

	ctl->tick.data = ctl;
	return rc < 0 ? rc : uv_timer_start(&ctl->tick, tick_cb, TICK_MS, TICK_MS);
}
