// SPDX-License-Identifier: BSD-3-Clause
// Control-channel datagrams: those that came go to control, those that control wrote go out.
// Source: decisions.md D21, C10, C12.
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/path.h"
#include "protocol/control_packet.h"
#include "shm/session.h"

// A broken peer: main disconnects it.
static void broken(struct dp_worker *w)
{
	atomic_store_explicit(&w->control_broken, 1, memory_order_relaxed);
	w->tell_main = true;
}

// The session that this datagram belongs to: its client session id is known, and it came from
// where that session is. Returns false when it may open a session at best.
static bool known(struct dp_worker *w, struct rte_mbuf *m, const uint8_t *data)
{
	struct dp_meta *meta = dp_meta(m);
	alignas(8) uint8_t sid[OVPN_SID_LEN];
	struct shm_endpoint ep;
	uint32_t slot;
	uint16_t generation;

	memcpy(sid, data + 1, sizeof(sid));
	if (dp_sid_find(w->core, DP_SID_CLIENT, sid, &slot, &generation) < 0)
		return false;
	if (slot >= w->core->sessions || !dp_live(w->core, slot, generation))
		return false;
	if (shm_endpoint_read(dp_session(w, slot), &ep) < 0 || !dp_frame_is_from(m, &ep))
		return false;
	meta->slot = slot;
	meta->generation = generation;
	return true;
}

static bool udp_checksum_ok(struct rte_mbuf *m)
{
	const struct dp_meta *meta = dp_meta(m);
	const void *ip = rte_pktmbuf_mtod_offset(m, const void *, meta->l3_off);
	const struct rte_udp_hdr *udp =
		rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, meta->l4_off);

	if (udp->dgram_cksum == 0) // not computed: legal over IPv4 alone
		return (meta->flags & DP_META_IP6) == 0;
	// Summed with its own checksum a good datagram gives zero, which is written as all ones.
	if (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	if (meta->flags & DP_META_IP6)
		return rte_ipv6_udptcp_cksum(ip, udp) == 0xffff;
	return rte_ipv4_udptcp_cksum(ip, udp) == 0xffff;
}

static int put(struct dp_worker *w, enum shm_ring_kind kind, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_punt *p;
	int rc = 0;

	p = shm_ring_reserve(&w->ctl->ring[kind], 0, &rc);
	if (p == NULL) {
		if (rc == -EPROTO)
			broken(w);
		return rc;
	}
	memset(p, 0, offsetof(struct shm_punt, data));
	p->slot = meta->slot;
	p->generation = meta->generation;
	p->len = meta->data_len;
	dp_frame_endpoint(m, &p->from);
	p->at_ms = w->now_ms;
	memcpy(p->data, rte_pktmbuf_mtod_offset(m, uint8_t *, meta->data_off), meta->data_len);
	shm_ring_commit(&w->ctl->ring[kind], 1);
	w->tell_control = true;
	return 0;
}

// Everything that can be said before the rings. Returns DP_DROP_COUNT when it may go on.
static enum dp_drop check(struct dp_worker *w, struct rte_mbuf *m, bool *ret_known)
{
	struct dp_meta *meta = dp_meta(m);
	const uint8_t *data = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->data_off);
	struct shm_endpoint from;
	uint64_t hash;

	if (w->ctl == NULL)
		return DP_DROP_no_control;
	if (meta->data_len <= OVPN_CONTROL_PREFIX_LEN || ovpn_sid_is_zero(data + 1))
		return DP_DROP_punt_malformed;
	if (meta->data_len > SHM_DATAGRAM_MAX)
		return DP_DROP_punt_too_long;
	if (!udp_checksum_ok(m))
		return DP_DROP_bad_udp_checksum;
	*ret_known = known(w, m, data);
	if (*ret_known) {
		hash = dp_mix64(meta->slot);
		return dp_bucket_take(&w->slot_punt[hash % DP_BUCKETS], w->now_ms,
			       DP_PUNT_KNOWN_RATE, DP_PUNT_KNOWN_BURST)
			? DP_DROP_COUNT
			: DP_DROP_punt_known_limit;
	}
	dp_frame_endpoint(m, &from);
	if (!dp_endpoint_allowed(w, &from))
		return DP_DROP_bad_source;
	hash = dp_prefix_hash(m);
	return dp_bucket_take(&w->prefix_punt[hash % DP_BUCKETS], w->now_ms, DP_PUNT_NEW_RATE,
		       DP_PUNT_NEW_BURST)
		? DP_DROP_COUNT
		: DP_DROP_punt_limit;
}

void dp_punt(struct dp_worker *w, struct rte_mbuf *m)
{
	bool is_known = false;
	enum dp_drop why = check(w, m, &is_known);

	if (why == DP_DROP_COUNT &&
		put(w, is_known ? SHM_RING_PUNT_KNOWN : SHM_RING_PUNT_NEW, m) < 0)
		why = DP_DROP_punt_full;
	if (why != DP_DROP_COUNT) {
		dp_drop(w, m, why);
		return;
	}
	dp_count(w, is_known ? DP_COUNT_punted_known : DP_COUNT_punted_new, 1);
	rte_pktmbuf_free(m);
}

// Where a datagram of control goes: to its session's endpoint, or before there is one to any
// address from one of ours. Returns 0 or -EINVAL.
static int destination(struct dp_worker *w, const struct shm_inject *in, struct shm_endpoint *ep)
{
	if (shm_inject_check(in, w->core->sessions) < 0 || in->len == 0)
		return -EINVAL;
	if (in->slot != SHM_SLOT_NONE) {
		if (!dp_live(w->core, in->slot, in->generation))
			return -EINVAL;
		return shm_endpoint_read(dp_session(w, in->slot), ep) < 0 ? -EINVAL : 0;
	}
	if (w->config == NULL ||
		!dp_is_listener(
			w->config, in->to.local.family, in->to.local.bytes, in->to.local_port_be))
		return -EINVAL;
	if (shm_endpoint_check(&in->to) < 0 || in->to.remote.family != in->to.local.family)
		return -EINVAL;
	*ep = in->to;
	return 0;
}

// One datagram, already copied out of the ring.
static void inject_one(struct dp_worker *w, const struct shm_inject *in)
{
	struct shm_endpoint ep;
	struct rte_mbuf *m;
	uint8_t *data;

	if (destination(w, in, &ep) < 0) {
		w->drop[DP_DROP_inject_invalid]++;
		return;
	}
	m = rte_pktmbuf_alloc(w->core->pool);
	data = m != NULL ? (uint8_t *)rte_pktmbuf_append(m, in->len) : NULL;
	if (data == NULL) {
		rte_pktmbuf_free(m);
		w->drop[DP_DROP_no_buffer]++;
		return;
	}
	memcpy(data, in->data, in->len);
	if (in->slot != SHM_SLOT_NONE && dp_tx_owner(w->core, in->slot) == w->index)
		dp_set64(&dp_session(w, in->slot)->last_tx_ms, w->now_ms);
	dp_count(w, DP_COUNT_injected, 1);
	dp_frame_send(w, m, &ep, true);
}

unsigned dp_inject(struct dp_worker *w)
{
	struct shm_inject in;
	unsigned n = 0;
	int rc;

	if (w->ctl == NULL)
		return 0;
	while (n < DP_INJECTS_PER_TURN) {
		rc = shm_ring_get(&w->ctl->ring[SHM_RING_INJECT], &in, sizeof(in));
		if (rc < 0)
			broken(w);
		if (rc <= 0)
			break;
		inject_one(w, &in);
		n++;
	}
	return n;
}

void dp_event(struct dp_worker *w, enum shm_event_kind kind, uint32_t slot, uint16_t which,
	const struct shm_endpoint *ep, const struct shm_endpoint *old)
{
	struct shm_event ev = {
		.kind = kind,
		.slot = slot,
		.generation =
			atomic_load_explicit(&w->core->dir[slot].generation, memory_order_relaxed),
		.which = which,
		.at_ms = w->now_ms,
	};
	int rc = -ENOTCONN;

	if (ep != NULL)
		ev.endpoint = *ep;
	if (old != NULL)
		ev.old = *old;
	// Commands that wait, and the one whose doing this is, have been promised a place for their
	// acknowledgements.
	if (w->ctl != NULL &&
		shm_ring_reserve(&w->ctl->ring[SHM_RING_EVENT], w->pending_n + w->commanded, &rc) !=
			NULL)
		rc = shm_ring_put(&w->ctl->ring[SHM_RING_EVENT], &ev, sizeof(ev));
	if (rc == -EPROTO)
		broken(w);
	if (rc < 0)
		dp_count(w, DP_COUNT_events_lost, 1);
	else
		w->tell_control = true;
}
