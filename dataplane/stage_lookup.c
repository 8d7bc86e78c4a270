// SPDX-License-Identifier: BSD-3-Clause
// Which session is a datagram from: by peer-id (P_DATA_V2), by address (P_DATA_V1), by the session
// id at its tail (a reconfiguration Ping of those from elsewhere). Packets of sessions that another
// worker owns are handed to it; here they are only looked up, never judged.
// Source: protocol.md 13.5, 15.1; decisions.md D2, D3, C11.
#include <stdalign.h>
#include <string.h>

#include "dataplane/index_addr.h"
#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "protocol/mobility.h"
#include "protocol/opcode.h"
#include "shm/session.h"

static inline uint8_t *data_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, dp_meta(m)->data_off);
}

static bool mobility_on(const struct dp_worker *w)
{
	return w->config != NULL && (w->config->flags & SHM_HELLO_MOBILITY) != 0;
}

// True when the datagram has the length of a reconfiguration Ping of its format.
static inline bool reconf_size(const struct dp_meta *meta)
{
	enum ovpn_data_format f =
		meta->opcode == OVPN_P_DATA_V1 ? OVPN_DATA_FORMAT_V1 : OVPN_DATA_FORMAT_V2;

	return meta->data_len == ovpn_reconf_len_aead(f, 0);
}

// Cut the session id off the tail if it is the session's: the rest is an ordinary Ping.
static inline bool take_sid(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	const struct shm_session *s = dp_session(w, meta->slot);

	if (likely(!reconf_size(meta)) || !mobility_on(w))
		return false;
	if (!ovpn_sid_equal(ovpn_reconf_tail(data_of(m), meta->data_len), s->server_sid))
		return false;
	meta->data_len -= OVPN_SID_LEN;
	meta->flags |= DP_META_RECONF;
	return true;
}

static void push(struct dp_worker *w, struct dp_burst *list, struct rte_mbuf *m)
{
	dp_burst_push(list, m);
	if (list->n < DP_BURST)
		return;
	// Proven packets come first: what they decide (a move, a key) the others shall see.
	dp_stage_decrypt(w);
	if (list != &w->rx)
		dp_stage_recover(w);
}

static inline void owned(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	bool known = dp_frame_is_from(m, dp_own_endpoint(s));

	meta->flags &= ~(uint16_t)(DP_META_UNPROVEN | DP_META_RECONF);
	if (!known)
		meta->flags |= DP_META_UNPROVEN;
	if (unlikely(take_sid(w, m))) {
		push(w, &w->reconf, m);
		return;
	}
	if (likely(known)) {
		push(w, &w->rx, m);
		return;
	}
	if (meta->opcode == OVPN_P_DATA_V1) {
		dp_drop(w, m, DP_DROP_v1_unknown_source);
		return;
	}
	push(w, &w->moved, m);
}

void dp_lookup_owned(struct dp_worker *w, struct rte_mbuf *m)
{
	owned(w, m);
}

// The slot in meta is in range: is there a session, of this format, and whose is it?
static inline void found(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_dir *d = &w->core->dir[meta->slot];
	struct shm_endpoint ep;
	uint16_t owner;
	uint8_t flags;

	if (atomic_load_explicit(&d->state, memory_order_acquire) != SHM_STATE_LIVE) {
		dp_drop(w, m, DP_DROP_no_session);
		return;
	}
	meta->generation = atomic_load_explicit(&d->generation, memory_order_relaxed);
	flags = atomic_load_explicit(&d->flags, memory_order_relaxed);
	// Another format than the opcode's, or one with stages of its own.
	if (unlikely((flags & (SHM_DIR_DATA_V1 | SHM_DIR_LEGACY)) !=
		    (meta->opcode == OVPN_P_DATA_V1 ? SHM_DIR_DATA_V1 : 0))) {
		dp_legacy_found(w, m, flags);
		return;
	}
	owner = dp_owner(w->core, meta->slot);
	if (likely(owner == w->index)) {
		owned(w, m);
		return;
	}
	// Only the owner judges; but what is unproven gets a smaller share of the ring.
	if (shm_endpoint_read(dp_session(w, meta->slot), &ep) < 0 || !dp_frame_is_from(m, &ep))
		meta->flags |= DP_META_UNPROVEN;
	dp_handoff(w, owner, m, DP_HANDOFF_RX);
}

// P_DATA_V1, or peer-id 0xFFFFFF. The tail comes first: a reconfiguration Ping may come from an
// address that meanwhile is another session's, and decrypting in place with that one's key would
// spoil it. That an ordinary packet ends in somebody's session id by chance doesn't happen.
static void by_address(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_endpoint ep;
	bool size = reconf_size(meta) || dp_legacy_reconf_len(w->core, meta->data_len);

	if (size && mobility_on(w)) {
		alignas(8) uint8_t sid[OVPN_SID_LEN];
		uint32_t slot;
		uint16_t generation;

		memcpy(sid, ovpn_reconf_tail(data_of(m), meta->data_len), sizeof(sid));
		if (dp_sid_find(w->core, DP_SID_SERVER, sid, &slot, &generation) == 0 &&
			slot < w->core->sessions && dp_live(w->core, slot, generation)) {
			meta->slot = slot;
			found(w, m);
			return;
		}
	}
	dp_frame_endpoint(m, &ep);
	meta->slot = dp_addr_index_find(w->core->addr, w->core->session, &ep);
	if (meta->slot == SHM_SLOT_NONE)
		meta->slot = dp_legacy_lazy_find(w, m);
	if (meta->slot != SHM_SLOT_NONE) {
		found(w, m);
		return;
	}
	if (size)
		dp_drop(w, m, mobility_on(w) ? DP_DROP_unknown_sid : DP_DROP_mobility_off);
	else
		dp_drop(w, m, DP_DROP_no_session);
}

// Opcode and peer-id of what isn't a data packet with the number of a slot of ours. Returns true
// when the packet names its slot.
static bool parse_other(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	struct ovpn_hdr hdr;
	int rc = ovpn_hdr_parse(data_of(m), meta->data_len, &hdr);

	if (unlikely(rc < 0)) {
		dp_drop(w, m, rc == -EBADMSG ? DP_DROP_truncated : DP_DROP_bad_opcode);
		return false;
	}
	meta->opcode = hdr.opcode;
	meta->key_id = hdr.key_id;
	if (unlikely(!ovpn_opcode_is_data(hdr.opcode))) {
		dp_punt(w, m);
		return false;
	}
	if (unlikely(hdr.peer_id == OVPN_PEER_ID_NONE)) {
		by_address(w, m);
		return false;
	}
	if (unlikely(hdr.peer_id >= w->core->sessions)) {
		dp_drop(w, m, DP_DROP_peer_id_range);
		return false;
	}
	meta->slot = hdr.peer_id;
	return true;
}

// Opcode and peer-id. Returns true when the packet names its slot.
static inline bool parse(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	const uint8_t *p = data_of(m);

	if (likely(meta->data_len >= OVPN_HDR_V2_LEN && ovpn_opcode_of(p[0]) == OVPN_P_DATA_V2)) {
		uint32_t slot = ovpn_get_be24(p + 1);

		if (likely(slot < w->core->sessions)) {
			meta->opcode = OVPN_P_DATA_V2;
			meta->key_id = ovpn_key_id_of(p[0]);
			meta->slot = slot;
			return true;
		}
	}
	return parse_other(w, m);
}

void dp_stage_lookup(struct dp_worker *w, struct dp_burst *in)
{
	uint16_t kept = 0;

	if (unlikely(
		    atomic_load_explicit(&w->core->legacy->static_keys, memory_order_relaxed) != 0))
		dp_legacy_take_static(w, in);
	for (uint16_t i = 0; i < in->n; i++) {
		struct rte_mbuf *m = in->pkt[i];

		if (!parse(w, m))
			continue;
		dp_prefetch_rx(w, dp_meta(m)->slot);
		in->pkt[kept++] = m;
	}
	in->n = kept;
	for (uint16_t i = 0; i < kept; i++)
		found(w, in->pkt[i]);
	in->n = 0;
}
