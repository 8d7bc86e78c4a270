// SPDX-License-Identifier: BSD-3-Clause
// Plaintext on its way to a client, at the one worker that draws the session's packet-ids.
// Source: protocol.md 9.4, 11.3; decisions.md D4, C9, C16.
#include "dataplane/legacy.h"
#include "dataplane/path.h"
#include "protocol/ping.h"
#include "shm/session.h"

#define PAUSE_DEFAULT_MS 10000u // of sessions without keep-alive

int dp_tx_slot(struct dp_worker *w, uint32_t slot)
{
	struct shm_session *s = dp_session(w, slot);
	uint8_t now = atomic_load_explicit(&s->tx_slot, memory_order_relaxed);
	uint8_t plan = atomic_load_explicit(&s->tx_plan, memory_order_acquire);

	if (likely(plan == now))
		return now < SHM_KEY_SLOTS ? now : -1;
	if (plan >= SHM_KEY_SLOTS) { // the key was dropped and there is no other
		atomic_store_explicit(&s->tx_slot, 0xff, memory_order_release);
		return -1;
	}
	// A session's first key is used at once, a later one when its time has come.
	if (now < SHM_KEY_SLOTS &&
		w->now_ms < atomic_load_explicit(&s->tx_switch_ms, memory_order_relaxed))
		return now;
	atomic_store_explicit(&s->tx_slot, plan, memory_order_release);
	dp_count(w, DP_COUNT_key_switches, 1);
	dp_event(w, SHM_EVENT_TX_SWITCHED, slot, plan, NULL, NULL);
	return plan;
}

// Another session proved to be at this one's address: sending goes on only while its own client is
// heard, so that nobody is cut off by a spoofed source (C9).
static bool paused(struct dp_worker *w, struct shm_session *s, uint32_t slot)
{
	uint32_t patience;
	uint64_t last;

	if (likely((dp_dir_flags(w->core, slot) & SHM_DIR_ADDRESS_TAKEN) == 0))
		return false;
	// Not before: it lies in a line that no other packet needs.
	patience = s->ping_interval_ms != 0 ? s->ping_interval_ms : PAUSE_DEFAULT_MS;
	last = atomic_load_explicit(&s->last_rx_ms, memory_order_relaxed);
	return w->now_ms > last && w->now_ms - last > patience;
}

// Towards an endpoint that only one packet has vouched for, no more than this is sent: ends the
// reflection of a download onto a victim (C16).
static bool capped(struct shm_session *s, uint32_t len)
{
	uint32_t index = atomic_load_explicit(&s->endpoint_index, memory_order_relaxed);

	if (likely(atomic_load_explicit(&s->confirmed_index, memory_order_relaxed) == index))
		return false;
	if (s->capped_index != index) {
		s->capped_index = index;
		s->bytes_since_move = 0;
	}
	s->bytes_since_move += len;
	return s->bytes_since_move > DP_UNCONFIRMED_BYTES;
}

// Draw a packet-id: the store of the next one precedes the encryption, so a restarted dataplane
// never uses it again. Returns 0 when all are used.
static uint32_t draw(struct dp_worker *w, struct shm_session *s, uint32_t slot, int which)
{
	struct shm_tx_key *key = &s->tx_key[which];
	uint64_t id = atomic_load_explicit(&key->next, memory_order_relaxed);

	if (unlikely(id >= OVPN_PACKET_ID_REKEY)) {
		if (id > OVPN_PACKET_ID_MAX)
			return 0;
		if ((id & 0xffff) == 0) // repeated, in case the first event was lost
			dp_event(w, SHM_EVENT_REKEY, slot, (uint16_t)which, NULL, NULL);
	}
	atomic_store_explicit(&key->next, id + 1, memory_order_relaxed);
	return (uint32_t)id;
}

// Header, tag room and operation of one packet, whose id is drawn.
static inline void lay_out(struct rte_mbuf *m, enum ovpn_data_format format, uint8_t key_id,
	uint32_t slot, struct dp_crypto_op *op)
{
	const struct ovpn_data_layout *l = &ovpn_data_layouts[format];
	uint8_t *head;

	op->data = rte_pktmbuf_mtod(m, uint8_t *);
	op->len = (uint16_t)rte_pktmbuf_pkt_len(m);
	head = dp_prepend(m, l->overhead);
	ovpn_data_put_head(head, format, key_id, slot, op->packet_id);
	op->aad = head + l->aad_off;
	op->aad_len = l->aad_len;
	op->tag = head + l->tag_off;
}

// The whole of it for one packet; false: dropped.
static bool prepare(struct dp_worker *w, struct rte_mbuf *m, struct dp_crypto_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	uint32_t slot = meta->slot;
	struct shm_session *s = dp_session(w, slot);
	int which = dp_tx_slot(w, slot);

	if (unlikely(which < 0)) {
		dp_drop(w, m, DP_DROP_no_tx_key);
		return false;
	}
	if (meta->flags & DP_META_COUNTED) {
		if (unlikely(paused(w, s, slot))) {
			dp_drop(w, m, DP_DROP_paused);
			return false;
		}
		if (unlikely(capped(s, rte_pktmbuf_pkt_len(m)))) {
			dp_drop(w, m, DP_DROP_unconfirmed_move);
			return false;
		}
	}
	if (unlikely(dp_dir_flags(w->core, slot) & SHM_DIR_LEGACY)) {
		dp_legacy_down(w, m, (unsigned)which);
		return false;
	}
	op->packet_id = draw(w, s, slot, which);
	if (unlikely(op->packet_id == 0)) {
		dp_drop(w, m, DP_DROP_tx_id_exhausted);
		return false;
	}
	// Two calls, so that each has its offsets as constants.
	if (likely(dp_format(w->core, slot) == OVPN_DATA_FORMAT_V2))
		lay_out(m, OVPN_DATA_FORMAT_V2, s->tx_key[which].key_id, slot, op);
	else
		lay_out(m, OVPN_DATA_FORMAT_V1, s->tx_key[which].key_id, slot, op);
	op->cell = w->core->keys[slot].key[which].tx_cell;
	op->cipher = s->tx_key[which].cipher;
	return true;
}

static void finish(struct dp_worker *w, struct rte_mbuf *m, const struct dp_crypto_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	struct shm_endpoint ep;

	if (unlikely(!op->ok || shm_endpoint_read(s, &ep) < 0)) {
		dp_drop(w, m, DP_DROP_no_tx_key);
		return;
	}
	if (meta->flags & DP_META_COUNTED) {
		dp_add64(&s->tx_packets, 1);
		dp_add64(&s->tx_bytes, op->len);
	}
	dp_set64(&s->last_tx_ms, w->now_ms);
	dp_frame_send(w, m, &ep, false);
}

void dp_stage_encrypt(struct dp_worker *w)
{
	struct dp_burst *in = &w->down;
	unsigned n = 0;

	for (uint16_t i = 0; i < in->n; i++) {
		if (!prepare(w, in->pkt[i], &w->op[n]))
			continue;
		if (!w->ahead.tx_asked)
			dp_crypto_prefetch(&w->op[n], false);
		in->pkt[n++] = in->pkt[i];
	}
	in->n = 0;
	if (unlikely(w->legacy->tx_n > 0))
		dp_stage_legacy_seal(w);
	if (n == 0)
		return;
	dp_count(w, DP_COUNT_encrypted, dp_crypto_seal(w->crypto, w->op, n));
	dp_ahead_keys(w);
	for (unsigned i = 0; i < n; i++)
		finish(w, in->pkt[i], &w->op[i]);
}

static void push(struct dp_worker *w, struct rte_mbuf *m)
{
	dp_burst_push(&w->down, m);
	if (w->down.n == DP_BURST)
		dp_stage_encrypt(w);
}

// Longer than the client's interface takes: tell the sender, or cut it.
static void too_big(struct dp_worker *w, struct rte_mbuf *m, uint16_t mtu, bool ip4)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	const struct rte_ipv6_hdr *ip6 = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	bool client = dp_meta(m)->flags & DP_META_FROM_CLIENT;
	struct rte_mbuf *piece[DP_FRAGS_MAX];
	uint32_t from = SHM_SLOT_NONE;
	uint16_t generation = 0;
	unsigned n;

	if (ip4 && (ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) == 0) {
		n = dp_frag4(w, m, mtu, piece, DP_FRAGS_MAX);
		for (unsigned i = 0; i < n; i++)
			push(w, piece[i]);
		return;
	}
	if (!client ||
		(ip4 ? dp_route4(w, ip->src_addr, &from, &generation)
		     : dp_route6(w, ip6->src_addr, &from, &generation)) == 0) {
		if (ip4)
			dp_icmp_error(w, m, 3, 4, mtu, from, generation);
		else
			dp_icmp6_error(w, m, DP_ICMP6_TOO_BIG, 0, mtu, from, generation);
	}
	dp_drop(w, m, DP_DROP_inner_too_big);
}

void dp_down(struct dp_worker *w, struct rte_mbuf *m)
{
	struct shm_session *s = dp_session(w, dp_meta(m)->slot);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t len = (uint16_t)rte_pktmbuf_pkt_len(m);
	bool ip4 = p[0] >> 4 == 4;

	if (dp_meta(m)->flags & DP_META_COUNTED) {
		if (unlikely(s->tun_mtu != 0 && len > s->tun_mtu)) {
			too_big(w, m, s->tun_mtu, ip4);
			return;
		}
		if (ip4 && s->mss4 != 0 && dp_mss_clamp4(p, len, s->mss4))
			dp_count(w, DP_COUNT_mss_clamped, 1);
		if (!ip4 && s->mss6 != 0 && dp_mss_clamp6(p, len, s->mss6))
			dp_count(w, DP_COUNT_mss_clamped, 1);
	}
	push(w, m);
}

void dp_send_ping(
	struct dp_worker *w, struct rte_mbuf *m, uint32_t slot, uint16_t generation, uint16_t flags)
{
	uint16_t owner = dp_tx_owner(w->core, slot);
	struct dp_meta *meta;

	if (m == NULL) {
		m = rte_pktmbuf_alloc(w->core->pool);
		if (m == NULL) {
			w->drop[DP_DROP_no_buffer]++;
			return;
		}
	}
	meta = dp_meta(m);
	meta->slot = slot;
	meta->generation = generation;
	meta->flags = flags & DP_META_ANSWER;
	meta->origin = w->index;
	meta->hops = 0;
	if (owner != w->index) {
		dp_handoff(w, owner, m, DP_HANDOFF_PING);
		return;
	}
	rte_pktmbuf_reset(m);
	ovpn_ping_put((uint8_t *)rte_pktmbuf_append(m, OVPN_PING_LEN));
	dp_count(w, flags & DP_META_ANSWER ? DP_COUNT_answers_sent : DP_COUNT_pings_sent, 1);
	push(w, m);
}
