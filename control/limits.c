// SPDX-License-Identifier: BSD-3-Clause
// `inactive` and `session-timeout` on the server: sessions that carry too little, or that have
// lasted long enough, end. Their clients are told to connect anew, which one that was still in use
// does with a fresh log-in; OpenVPN's server says nothing, and its clients find out by
// ping-restart.
#include "config/server.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"
#include "shm/layout.h"

static void end(struct ctl *ctl, struct ctl_peer *peer, const char *why)
{
	// Without TLS it can't be told; its client comes back when it hears nothing.
	if (peer->tls == NULL || !peer->tls->ready)
		ctl_peer_remove(ctl, peer, why);
	else
		ctl_peer_close(ctl, peer, "RESTART,[P]", why);
}

// Has the session carried less than `bytes` since more than `seconds`? Looks at the counters of
// what was in the tunnel, which Pings don't touch.
static bool idle(
	struct ctl *ctl, struct ctl_peer *peer, const struct cfg_limits *limits, uint64_t now_ms)
{
	struct shm_session *s = (struct shm_session *)(uintptr_t)ctl_link_session(
		&ctl->link, peer->slot); // loaded only
	uint64_t carried;

	if (s == NULL)
		return false;
	carried = atomic_load_explicit(&s->rx_bytes, memory_order_relaxed) +
		atomic_load_explicit(&s->tx_bytes, memory_order_relaxed);
	// From the first look on, which is the beginning of the session or its adoption.
	if (peer->idle_since_ms == 0 ||
		(carried != peer->idle_bytes_at &&
			carried - peer->idle_bytes_at >= limits->inactive_bytes)) {
		peer->idle_since_ms = now_ms;
		peer->idle_bytes_at = carried;
		return false;
	}
	return now_ms - peer->idle_since_ms >= (uint64_t)limits->inactive_s * 1000;
}

void ctl_limits_sweep(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	const struct cfg_ccd *ccd = peer->grant != NULL ? peer->grant->ccd : NULL;
	const struct cfg_limits limits =
		cfg_limits_of(&ctl->cfg->limits, ccd != NULL ? &ccd->limits : NULL);

	if (peer->state != CTL_PEER_CONNECTED)
		return;
	if (limits.session_s != 0 &&
		now_ms >= peer->connected_ms + (uint64_t)limits.session_s * 1000) {
		ctl->count.session_timeouts++;
		ctl_peer_log(CTL_INFO, peer, "session-timeout of %u s is over", limits.session_s);
		end(ctl, peer, "session-timeout");
	} else if (limits.inactive_s != 0 && idle(ctl, peer, &limits, now_ms)) {
		ctl->count.inactive++;
		ctl_peer_log(CTL_INFO, peer, "too little traffic for %u s", limits.inactive_s);
		end(ctl, peer, "inactive");
	}
}
