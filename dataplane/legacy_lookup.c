// SPDX-License-Identifier: BSD-3-Clause
// Whose is a packet of the legacy branch, and is it where its session is?
// Source: protocol.md 13.5, 13.7; decisions.md D2, C9.
#include <stdalign.h>
#include <string.h>

#include "dataplane/legacy.h"
#include "protocol/mobility.h"
#include "protocol/opcode.h"
#include "shm/session.h"

static const uint8_t *data_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, dp_meta(m)->data_off);
}

static bool mobility_on(const struct dp_worker *w)
{
	return w->config != NULL && (w->config->flags & SHM_HELLO_MOBILITY) != 0;
}

// To the session's owner, us or another worker.
static void to_owner(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	uint16_t owner = dp_owner(w->core, meta->slot);
	struct shm_endpoint ep;

	meta->generation =
		atomic_load_explicit(&w->core->dir[meta->slot].generation, memory_order_relaxed);
	if (owner == w->index) {
		dp_legacy_owned(w, m);
		return;
	}
	if (shm_endpoint_read(dp_session(w, meta->slot), &ep) < 0 || !dp_frame_is_from(m, &ep))
		meta->flags |= DP_META_UNPROVEN;
	dp_handoff(w, owner, m, DP_HANDOFF_RX);
}

void dp_legacy_take_static(struct dp_worker *w, struct dp_burst *in)
{
	struct dp_legacy_core *lc = w->core->legacy;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < in->n; i++) {
		struct rte_mbuf *m = in->pkt[i];
		struct dp_meta *meta = dp_meta(m);
		const struct rte_udp_hdr *udp =
			rte_pktmbuf_mtod_offset(m, const struct rte_udp_hdr *, meta->l4_off);
		uint32_t slot =
			atomic_load_explicit(&lc->port_slot[udp->dst_port], memory_order_acquire);

		if (slot == 0) {
			in->pkt[kept++] = m;
			continue;
		}
		meta->slot = slot - 1;
		meta->opcode = 0;
		meta->key_id = 0;
		if (atomic_load_explicit(&w->core->dir[meta->slot].state, memory_order_acquire) !=
			SHM_STATE_LIVE)
			dp_drop(w, m, DP_DROP_no_session);
		else
			to_owner(w, m);
	}
	in->n = kept;
}

void dp_legacy_found(struct dp_worker *w, struct rte_mbuf *m, uint8_t flags)
{
	bool v1 = (flags & SHM_DIR_DATA_V1) != 0;

	if ((flags & SHM_DIR_LEGACY) == 0 || (flags & SHM_DIR_STATIC) != 0 ||
		v1 != (dp_meta(m)->opcode == OVPN_P_DATA_V1)) {
		dp_drop(w, m, DP_DROP_wrong_format);
		return;
	}
	to_owner(w, m);
}

// Cut the session id off the tail if it is the session's: the rest is an ordinary Ping.
static bool take_sid(struct dp_worker *w, struct rte_mbuf *m, const struct shm_session *s)
{
	struct dp_meta *meta = dp_meta(m);

	if (!mobility_on(w) || s->reconf_len == 0 || meta->data_len != s->reconf_len)
		return false;
	if (!ovpn_sid_equal(ovpn_reconf_tail(data_of(m), meta->data_len), s->server_sid))
		return false;
	meta->data_len -= OVPN_SID_LEN;
	meta->flags |= DP_META_RECONF;
	return true;
}

// Does the IV of a packet from elsewhere name this session?
static bool lazy_fits(struct dp_worker *w, struct rte_mbuf *m, const struct shm_session *s)
{
	const struct shm_rx_key *key = &s->rx_key[0];
	int off;

	if (!mobility_on(w))
		return false;
	if (key->cipher == OVPN_CIPHER_NONE)
		key = &s->rx_key[1];
	if (key->digest == OVPN_DIGEST_NONE)
		return false;
	off = ovpn_lazy_sid_offset(
		OVPN_DATA_FORMAT_V1, (enum ovpn_cipher)key->cipher, (enum ovpn_digest)key->digest);
	return off > 0 && dp_meta(m)->data_len >= off + (int)OVPN_SID_LEN &&
		ovpn_sid_equal(data_of(m) + off, s->server_sid);
}

void dp_legacy_owned(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_legacy *l = w->legacy;
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	uint8_t flags = dp_dir_flags(w->core, meta->slot);

	meta->flags &= ~(uint16_t)(DP_META_UNPROVEN | DP_META_RECONF);
	if (!dp_frame_is_from(m, dp_own_endpoint(s)))
		meta->flags |= DP_META_UNPROVEN;
	if (!take_sid(w, m, s) && (meta->flags & DP_META_UNPROVEN) != 0) {
		bool may = (flags & SHM_DIR_DATA_V1) == 0;

		if (flags & SHM_DIR_STATIC)
			may = (flags & SHM_DIR_MOBILITY) != 0; // `float`
		else if (flags & SHM_DIR_LAZY)
			may = lazy_fits(w, m, s);
		if (!may) {
			dp_drop(w, m, DP_DROP_v1_unknown_source);
			return;
		}
	}
	dp_burst_push(&l->rx, m);
	if (l->rx.n == DP_BURST)
		dp_stage_legacy_open(w);
}

uint32_t dp_legacy_lazy_find(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);

	if (!mobility_on(w))
		return SHM_SLOT_NONE;
	for (unsigned word = 0; word < 2; word++) {
		uint64_t offs = atomic_load_explicit(
			&w->core->legacy->lazy_offs[word], memory_order_relaxed);

		for (; offs != 0; offs &= offs - 1) {
			unsigned off = word * 64 + (unsigned)__builtin_ctzll(offs);
			alignas(8) uint8_t sid[OVPN_SID_LEN];
			uint16_t generation;
			uint32_t slot;

			if (meta->data_len < off + OVPN_SID_LEN)
				continue;
			memcpy(sid, data_of(m) + off, sizeof(sid));
			if (dp_sid_find(w->core, DP_SID_SERVER, sid, &slot, &generation) == 0 &&
				slot < w->core->sessions && dp_live(w->core, slot, generation) &&
				(dp_dir_flags(w->core, slot) & SHM_DIR_LAZY) != 0)
				return slot;
		}
	}
	return SHM_SLOT_NONE;
}
