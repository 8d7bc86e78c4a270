// SPDX-License-Identifier: BSD-3-Clause
// Decryption and replay window, for packets of sessions that this worker owns.
// Source: protocol.md 9.4, 9.6, 13.8, 15.1.
#include <string.h>

#include "dataplane/path.h"

#define ASK_AGAIN 4u // packets ahead whose session's lines are asked for once more

static inline struct shm_session *session_of(struct dp_worker *w, struct rte_mbuf *m)
{
	return dp_session(w, dp_meta(m)->slot);
}

static int refuse(enum dp_drop why)
{
	return -1 - (int)why;
}

static inline bool usable(struct shm_session *s, unsigned which, uint8_t key_id)
{
	return atomic_load_explicit(&s->rx_key[which].installed, memory_order_acquire) != 0 &&
		s->rx_key[which].key_id == key_id;
}

// After an in-place reset both keys may have the same id until control drops the old one (C6):
// then only the tag tells whose a packet is.
static inline bool twins(struct shm_session *s, uint8_t key_id)
{
	return unlikely(s->rx_key[0].key_id == s->rx_key[1].key_id) && usable(s, 0, key_id) &&
		usable(s, 1, key_id);
}

// Key slot that decrypts packets of this key id, or -1.
static inline int find_key(struct shm_session *s, uint8_t key_id)
{
	if (usable(s, 0, key_id))
		return 0;
	return usable(s, 1, key_id) ? 1 : -1;
}

bool dp_is_newest(const struct shm_session *s, unsigned which, uint64_t id)
{
	const struct shm_rx_key *own = &s->rx_key[which];
	const struct shm_rx_key *other = &s->rx_key[which ^ 1];
	struct shm_rx_key *shared = (struct shm_rx_key *)(uintptr_t)other; // loaded only

	if (id <= s->window[which].top)
		return false;
	// Nothing may have been accepted under a younger key. A slot that isn't installed says
	// nothing: keys are dropped oldest first.
	return atomic_load_explicit(&shared->installed, memory_order_acquire) == 0 ||
		other->age < own->age || s->window[which ^ 1].top == 0;
}

// Headers and key of one packet. Returns 0 and the operation, or a reason to drop it.
static inline int prepare(struct dp_worker *w, struct rte_mbuf *m, struct dp_crypto_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	uint8_t *data = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->data_off);
	struct ovpn_data_packet p;
	int which = find_key(s, meta->key_id);
	const uint64_t *word;
	int rc;

	// Two calls, so that each has its offsets as constants.
	if (likely(meta->opcode == OVPN_P_DATA_V2))
		rc = ovpn_data_parse(OVPN_DATA_FORMAT_V2, data, meta->data_len, &p);
	else
		rc = ovpn_data_parse(OVPN_DATA_FORMAT_V1, data, meta->data_len, &p);
	if (unlikely(rc < 0))
		return refuse(rc == -EINVAL ? DP_DROP_packet_id_zero : DP_DROP_truncated);
	if (unlikely(which < 0))
		return refuse(DP_DROP_no_key);
	meta->which = (uint8_t)which;
	meta->packet_id = (uint32_t)p.packet_id;
	word = ovpn_replay_beside(&s->window[which], p.packet_id);
	if (unlikely(word != NULL))
		rte_prefetch0(word);
	op->cell = w->core->keys[meta->slot].key[which].rx_cell;
	op->data = p.ct;
	op->len = p.ct_len;
	op->aad = p.aad;
	op->aad_len = (uint8_t)p.aad_len;
	op->tag = p.tag;
	op->packet_id = (uint32_t)p.packet_id;
	op->cipher = s->rx_key[which].cipher;
	return 0;
}

static int refuse_id(struct shm_session *s, int rc)
{
	uint32_t n = atomic_load_explicit(&s->replays, memory_order_relaxed);

	atomic_store_explicit(&s->replays, n + 1, memory_order_relaxed);
	return refuse(rc == -EEXIST ? DP_DROP_replay : DP_DROP_replay_old);
}

// Before decryption: what the window refuses needn't be decrypted, authentic or not. Whatever
// passes meets the window again when its tag was right. Returns 0 or a reason to drop it.
static inline int check_id(struct dp_worker *w, const struct dp_meta *meta)
{
	struct shm_session *s = dp_session(w, meta->slot);
	int rc = ovpn_replay_check(&s->window[meta->which], meta->packet_id);

	return likely(rc == 0) ? 0 : refuse_id(s, rc);
}

// After the tag was right: the window, and the packet is cut to its plaintext. The headers in
// front of it stay readable. Returns 0 or a reason to drop it.
static inline int accept_id(struct dp_worker *w, struct rte_mbuf *m, const struct dp_crypto_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	int rc = ovpn_replay_accept(&s->window[meta->which], meta->packet_id);

	if (unlikely(rc < 0))
		return refuse_id(s, rc);
	m->data_off = (uint16_t)(op->data - (uint8_t *)m->buf_addr);
	m->data_len = op->len;
	m->pkt_len = op->len;
	dp_set64(&s->last_rx_ms, w->now_ms);
	return 0;
}

// A second, newer packet from an endpoint that was waiting for it (C16).
static inline void confirm(struct shm_session *s, const struct dp_meta *meta)
{
	uint32_t index = atomic_load_explicit(&s->endpoint_index, memory_order_relaxed);

	if (likely(atomic_load_explicit(&s->confirmed_index, memory_order_relaxed) == index))
		return;
	if (dp_is_newest(s, meta->which, meta->packet_id))
		atomic_store_explicit(&s->confirmed_index, index, memory_order_release);
}

// Decryption in place spoils a packet for a second try, so the ciphertext is kept aside.
static bool open_twins(struct dp_worker *w, struct rte_mbuf *m, struct dp_crypto_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	uint8_t aside[DP_FRAME_MAX];

	if (op->len > sizeof(aside))
		return false;
	memcpy(aside, op->data, op->len);
	for (uint8_t which = 0; which < SHM_KEY_SLOTS; which++) {
		meta->which = which;
		op->cell = w->core->keys[meta->slot].key[which].rx_cell;
		op->cipher = s->rx_key[which].cipher;
		if (dp_crypto_open(w->crypto, op, 1) == 1)
			return true;
		memcpy(op->data, aside, op->len);
	}
	return false;
}

int dp_decrypt_one(struct dp_worker *w, struct rte_mbuf *m, bool *ret_newest)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	struct dp_crypto_op op;
	int rc = prepare(w, m, &op);
	bool ok;

	if (rc < 0)
		return rc;
	ok = twins(s, meta->key_id) ? open_twins(w, m, &op)
				    : dp_crypto_open(w->crypto, &op, 1) == 1;
	if (!ok) {
		if (meta->flags & DP_META_RECONF)
			return refuse(DP_DROP_bad_tag_reconf);
		return refuse(
			meta->flags & DP_META_UNPROVEN ? DP_DROP_bad_tag_moved : DP_DROP_bad_tag);
	}
	*ret_newest = dp_is_newest(s, meta->which, meta->packet_id);
	if ((meta->flags & DP_META_UNPROVEN) == 0)
		confirm(s, meta);
	rc = accept_id(w, m, &op);
	dp_count(w, DP_COUNT_decrypted, rc == 0);
	return rc;
}

// Packets of sessions whose keys share an id go one by one; the others stay in the list. A
// session's lines are asked for again a few packets ahead, here and behind the crypto: since the
// look-up so much else has come that they have left the first level cache, or their page its TLB.
static uint16_t gather(struct dp_worker *w, struct dp_burst *in)
{
	uint16_t n = 0;
	bool newest;
	int rc;

	for (uint16_t i = 0; i < in->n; i++) {
		struct rte_mbuf *m = in->pkt[i];
		struct dp_meta *meta = dp_meta(m);

		if (i + ASK_AGAIN < in->n)
			rte_prefetch0(session_of(w, in->pkt[i + ASK_AGAIN])->rx_key);
		if (twins(dp_session(w, meta->slot), meta->key_id)) {
			rc = dp_decrypt_one(w, m, &newest);
			if (rc == 0) {
				dp_burst_push(&w->plain, m);
				continue;
			}
		} else {
			rc = prepare(w, m, &w->op[n]);
			if (rc == 0)
				rc = check_id(w, meta);
			if (rc == 0 && !w->ahead.rx_asked)
				dp_crypto_prefetch(&w->op[n], false);
		}
		if (unlikely(rc < 0)) {
			dp_drop(w, m, (enum dp_drop)(-1 - rc));
			continue;
		}
		in->pkt[n++] = m;
	}
	in->n = 0;
	return n;
}

void dp_stage_decrypt(struct dp_worker *w)
{
	struct dp_burst *in = &w->rx;
	struct dp_burst *out = &w->plain;
	uint32_t slot[DP_BURST];
	uint16_t origin[DP_BURST];
	bool follow = false;
	uint16_t n, before;
	int rc;

	if (in->n == 0)
		return;
	out->n = 0;
	n = gather(w, in);
	before = out->n;
	(void)dp_crypto_open(w->crypto, w->op, n); // each operation says for itself
	dp_ahead_keys(w);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = in->pkt[i];
		struct dp_meta *meta = dp_meta(m);

		if (i + ASK_AGAIN < n) {
			rte_prefetch0(&session_of(w, in->pkt[i + ASK_AGAIN])->endpoint_index);
			rte_prefetch0(session_of(w, in->pkt[i + ASK_AGAIN])->rx_key);
		}
		if (unlikely(!w->op[i].ok)) {
			dp_drop(w, m, DP_DROP_bad_tag);
			continue;
		}
		confirm(dp_session(w, meta->slot), meta);
		rc = accept_id(w, m, &w->op[i]);
		if (unlikely(rc < 0)) {
			dp_drop(w, m, (enum dp_drop)(-1 - rc));
			continue;
		}
		dp_burst_push(out, m);
	}
	dp_count(w, DP_COUNT_decrypted, out->n - before);
	// Whose they were is kept: the next stage takes the packets.
	n = out->n;
	for (uint16_t i = 0; i < n; i++) {
		slot[i] = dp_meta(out->pkt[i])->slot;
		origin[i] = dp_meta(out->pkt[i])->origin;
		follow |= dp_follows(w, slot[i], origin[i]);
	}
	dp_stage_inner(w, out);
	// Last, because a session that is given away is no longer ours to write.
	for (uint16_t i = 0; i < n && follow; i++)
		dp_follow_queue(w, slot[i], origin[i]);
}
