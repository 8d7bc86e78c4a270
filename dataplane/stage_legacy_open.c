// SPDX-License-Identifier: BSD-3-Clause
// Uplink of the legacy branch, at the session's owner: authenticate, decrypt, packet-id, framing,
// then as any other packet. Source: protocol.md 9, 13.5, 13.8.
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/legacy.h"
#include "protocol/mobility.h"
#include "protocol/ping.h"

#define SHORT_ID_LEN 4u
#define LONG_ID_LEN 8u

// What dp_legacy_item.delivered asks for when the burst is done; 0: nothing.
enum {
	DELIVERED_FOLLOW = 1, // the newest, from the known endpoint
	DELIVERED_GIVE = 2, // the newest, from elsewhere or a reconfiguration Ping
};

static int refuse(enum dp_drop why)
{
	return -1 - (int)why;
}

static bool usable(struct shm_session *s, unsigned which, uint8_t key_id)
{
	return atomic_load_explicit(&s->rx_key[which].installed, memory_order_acquire) != 0 &&
		s->rx_key[which].key_id == key_id;
}

static unsigned id_len(uint8_t flags)
{
	return flags & SHM_DIR_STATIC ? LONG_ID_LEN : SHORT_ID_LEN;
}

// Framed AEAD in the classic format.
static int prepare_aead(struct dp_worker *w, struct rte_mbuf *m, struct dp_crypto_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	struct ovpn_data_packet p;
	int rc = ovpn_data_parse(
		meta->opcode == OVPN_P_DATA_V1 ? OVPN_DATA_FORMAT_V1 : OVPN_DATA_FORMAT_V2,
		rte_pktmbuf_mtod_offset(m, uint8_t *, meta->data_off), meta->data_len, &p);

	if (rc < 0)
		return refuse(rc == -EINVAL ? DP_DROP_packet_id_zero : DP_DROP_truncated);
	meta->long_id = p.packet_id;
	op->cell = w->core->keys[meta->slot].key[meta->which].rx_cell;
	op->data = p.ct;
	op->len = p.ct_len;
	op->aad = p.aad;
	op->aad_len = (uint8_t)p.aad_len;
	op->tag = p.tag;
	op->packet_id = (uint32_t)p.packet_id;
	op->cipher = dp_session(w, meta->slot)->rx_key[meta->which].cipher;
	return 0;
}

static int prepare_old(struct dp_worker *w, struct rte_mbuf *m, struct dp_legacy_op *op)
{
	struct dp_meta *meta = dp_meta(m);
	uint8_t flags = dp_dir_flags(w->core, meta->slot);
	const struct dp_legacy_cell *cell =
		(const struct dp_legacy_cell *)w->core->keys[meta->slot].key[meta->which].rx_cell;
	size_t head = flags & SHM_DIR_STATIC	 ? 0
		: meta->opcode == OVPN_P_DATA_V1 ? OVPN_HDR_V1_LEN
						 : OVPN_HDR_V2_LEN;
	size_t fixed = head + cell->digest_len + cell->iv_len;

	if (meta->data_len <= fixed + (cell->mode == OVPN_MODE_NONE ? id_len(flags) : 0) ||
		(meta->data_len - fixed) % cell->block_len != 0)
		return refuse(DP_DROP_truncated);
	op->cell = cell;
	op->mac = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->data_off) + head;
	op->iv = op->mac + cell->digest_len;
	op->text = op->iv + cell->iv_len;
	op->text_len = (uint16_t)(meta->data_len - fixed);
	return 0;
}

// Key, headers and operation of one packet. Returns 0 or a reason to drop it.
static int prepare(struct dp_worker *w, struct rte_mbuf *m, unsigned which,
	struct dp_legacy_item *item, uint16_t *aead_n, uint16_t *old_n)
{
	struct dp_meta *meta = dp_meta(m);
	struct dp_legacy *l = w->legacy;
	int rc;

	meta->which = (uint8_t)which;
	item->m = m;
	item->delivered = 0;
	item->aead = false;
	item->epoch = (dp_dir_flags(w->core, meta->slot) & SHM_DIR_EPOCH) != 0;
	if (item->epoch)
		return meta->data_len > OVPN_DATA_EPOCH_OVERHEAD ? 0 : refuse(DP_DROP_truncated);
	item->aead = ovpn_cipher_is_aead(
		(enum ovpn_cipher)dp_session(w, meta->slot)->rx_key[which].cipher);
	if (item->aead) {
		item->index = *aead_n;
		rc = prepare_aead(w, m, &l->aead[*aead_n]);
		*aead_n = (uint16_t)(*aead_n + (rc == 0));
	} else {
		item->index = *old_n;
		rc = prepare_old(w, m, &l->old[*old_n]);
		*old_n = (uint16_t)(*old_n + (rc == 0));
	}
	return rc;
}

// Length of PKCS #7 padding, 0 when it is wrong; takes as long wherever it is wrong.
static unsigned padding_of(const uint8_t *text, size_t len, unsigned block)
{
	uint8_t pad = text[len - 1];
	uint8_t bad = pad == 0 || pad > block;

	for (unsigned i = 1; i <= block; i++)
		bad |= (uint8_t)((text[len - i] != pad) & (i <= pad));
	return bad ? 0 : pad;
}

// Padding and packet-id of an authentic packet. Returns 0 with the payload, or a reason.
static int take_id(struct dp_worker *w, struct dp_meta *meta, const struct dp_legacy_op *op,
	uint8_t **ret_p, size_t *ret_len)
{
	uint8_t mode = op->cell->mode;
	uint8_t *text = op->text;
	size_t len = op->text_len;
	unsigned n = id_len(dp_dir_flags(w->core, meta->slot));

	if (mode == OVPN_MODE_CFB || mode == OVPN_MODE_OFB) {
		meta->long_id = ovpn_long_id(ovpn_get_be32(op->iv + 4), ovpn_get_be32(op->iv));
		*ret_p = text;
		*ret_len = len;
		return 0;
	}
	if (mode == OVPN_MODE_CBC) {
		unsigned pad = padding_of(text, len, op->cell->block_len);

		if (pad == 0)
			return refuse(DP_DROP_bad_padding);
		len -= pad;
	}
	if (len <= n)
		return refuse(DP_DROP_truncated);
	meta->long_id = n == LONG_ID_LEN
		? ovpn_long_id(ovpn_get_be32(text + 4), ovpn_get_be32(text))
		: ovpn_get_be32(text);
	*ret_p = text + n;
	*ret_len = len - n;
	return 0;
}

static struct dp_epoch_rx *epoch_rx(struct dp_worker *w, const struct dp_meta *meta)
{
	struct shm_key_slot *k = &w->core->keys[meta->slot].key[meta->which];

	return ((struct dp_epoch_cell *)k->rx_cell)->rx;
}

// The window of the session is over whole ids of the current epoch; when that changes, the window
// becomes that of the epoch before, if there was one.
static int accept_epoch(struct dp_worker *w, const struct dp_meta *meta, struct ovpn_replay *win)
{
	struct dp_epoch_rx *rx = epoch_rx(w, meta);
	uint16_t epoch = (uint16_t)(meta->long_id >> OVPN_EPOCH_COUNTER_BITS);
	uint16_t seen = (uint16_t)(win->top >> OVPN_EPOCH_COUNTER_BITS);

	if (epoch != rx->current.epoch)
		return ovpn_replay_accept(&rx->previous_window, meta->long_id);
	if (seen != epoch) {
		if (seen == rx->previous.epoch)
			rx->previous_window = *win;
		else
			memset(&rx->previous_window, 0, sizeof(rx->previous_window));
	}
	return ovpn_replay_accept(win, meta->long_id);
}

static int accept_any(struct dp_worker *w, const struct dp_meta *meta, struct ovpn_replay *win)
{
	uint8_t flags = dp_dir_flags(w->core, meta->slot);
	uint8_t cipher = dp_session(w, meta->slot)->rx_key[meta->which].cipher;

	if (flags & SHM_DIR_EPOCH)
		return accept_epoch(w, meta, win);
	return dp_legacy_long_ids(flags, cipher) ? ovpn_replay_accept_long(win, meta->long_id)
						 : ovpn_replay_accept(win, meta->long_id);
}

static int accept_id(struct dp_worker *w, struct rte_mbuf *m, bool *ret_newest)
{
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	struct ovpn_replay *win = &s->window[meta->which];
	bool newest = dp_is_newest(s, meta->which, meta->long_id);
	uint32_t index = atomic_load_explicit(&s->endpoint_index, memory_order_relaxed);
	int rc = accept_any(w, meta, win);

	if (rc == -EINVAL)
		return refuse(DP_DROP_packet_id_zero);
	if (rc < 0) {
		uint32_t n = atomic_load_explicit(&s->replays, memory_order_relaxed);

		atomic_store_explicit(&s->replays, n + 1, memory_order_relaxed);
		return refuse(rc == -EEXIST ? DP_DROP_replay : DP_DROP_replay_old);
	}
	// A second, newer packet from an endpoint that was waiting for it (C16).
	if (newest && (meta->flags & DP_META_UNPROVEN) == 0)
		atomic_store_explicit(&s->confirmed_index, index, memory_order_release);
	dp_set64(&s->last_rx_ms, w->now_ms);
	dp_count(w, DP_COUNT_decrypted, 1);
	*ret_newest = newest;
	return 0;
}

// Fragments are put together. Returns 1 with the payload in m, 0 when more are to come, or a
// reason.
static int defragment(struct dp_worker *w, struct rte_mbuf *m, uint8_t **p, size_t *len)
{
	struct dp_meta *meta = dp_meta(m);
	uint64_t owner = (uint64_t)meta->generation << 32 | meta->slot;
	struct ovpn_fragment f;
	struct ovpn_span whole;
	int rc;

	if (ovpn_fragment_parse(*p, *len, &f) < 0)
		return refuse(DP_DROP_bad_fragment);
	*p += OVPN_FRAGMENT_HDR;
	*len -= OVPN_FRAGMENT_HDR;
	if (f.type == OVPN_FRAGMENT_WHOLE)
		return 1;
	rc = ovpn_defrag_add(&w->legacy->defrag, owner, w->now_ms, &f, *p, *len, &whole);
	if (rc < 0)
		return refuse(DP_DROP_bad_fragment);
	if (rc == 0)
		return 0;
	rte_pktmbuf_reset(m);
	*p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)whole.len);
	if (*p == NULL)
		return refuse(DP_DROP_bad_fragment);
	memcpy(*p, whole.data, whole.len);
	*len = whole.len;
	return 1;
}

// Framing off; the packet is cut to its payload. Returns as defragment.
static int deframe(struct dp_worker *w, struct rte_mbuf *m, uint8_t *p, size_t len)
{
	const struct shm_session *s = dp_session(w, dp_meta(m)->slot);
	int rc = 1;

	if (s->fragment_max != 0)
		rc = defragment(w, m, &p, &len);
	if (rc <= 0)
		return rc;
	rc = ovpn_compress_strip((enum ovpn_compress)s->compress, &p, &len);
	if (rc < 0)
		return refuse(rc == -EPROTO ? DP_DROP_compressed : DP_DROP_bad_framing);
	m->data_off = (uint16_t)(p - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return 1;
}

static void drop_bad_tag(struct dp_worker *w, struct rte_mbuf *m)
{
	uint16_t flags = dp_meta(m)->flags;

	if (flags & DP_META_RECONF)
		dp_drop(w, m, DP_DROP_bad_tag_reconf);
	else
		dp_drop(w, m, flags & DP_META_UNPROVEN ? DP_DROP_bad_tag_moved : DP_DROP_bad_tag);
}

// Where the payload goes, and the session with it.
static void deliver(struct dp_worker *w, struct dp_legacy_item *item,
	const struct shm_endpoint *from, bool newest)
{
	struct rte_mbuf *m = item->m;
	struct dp_meta *meta = dp_meta(m);
	bool reconf = (meta->flags & DP_META_RECONF) != 0;
	bool unproven = (meta->flags & DP_META_UNPROVEN) != 0;
	uint32_t slot = meta->slot;
	uint16_t origin = meta->origin;
	struct dp_burst one = { .n = 1, .pkt = { m } };

	if (reconf && !ovpn_is_ping(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_pkt_len(m))) {
		dp_drop(w, m, DP_DROP_reconf_not_ping);
		return;
	}
	if (reconf)
		dp_count(w, DP_COUNT_reconf_received, 1);
	if (unproven && newest)
		dp_move(w, slot, from); // first, so that an answer goes to the new address
	else if (unproven)
		dp_count(w, DP_COUNT_moves_old, 1);
	if (reconf)
		dp_send_ping(w, m, slot, meta->generation, DP_META_ANSWER);
	else
		dp_stage_inner(w, &one);
	item->slot = slot;
	item->origin = origin;
	item->delivered = newest ? (reconf || unproven ? DELIVERED_GIVE : DELIVERED_FOLLOW) : 0;
}

// An authentic packet.
static void complete(struct dp_worker *w, struct dp_legacy_item *item)
{
	const struct dp_legacy *l = w->legacy;
	struct rte_mbuf *m = item->m;
	struct dp_meta *meta = dp_meta(m);
	struct shm_endpoint from;
	bool newest = false;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc = 0;

	dp_frame_endpoint(m, &from); // reassembly overwrites the headers
	if (item->epoch) {
		p = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->data_off) + OVPN_DATA_EPOCH_HEAD;
		len = meta->data_len - OVPN_DATA_EPOCH_OVERHEAD;
	} else if (item->aead) {
		p = l->aead[item->index].data;
		len = l->aead[item->index].len;
	} else {
		rc = take_id(w, meta, &l->old[item->index], &p, &len);
	}
	if (rc == 0)
		rc = accept_id(w, m, &newest);
	if (rc == 0) {
		rc = deframe(w, m, p, len);
		if (rc == 0) {
			dp_count(w, DP_COUNT_inner_frags_merged, 1);
			rte_pktmbuf_free(m);
			return;
		}
	}
	if (rc < 0) {
		dp_drop(w, m, (enum dp_drop)(-1 - rc));
		return;
	}
	deliver(w, item, &from, newest);
}

// After an in-place reset both keys may have the same id (C6): the HMAC tells whose it is. A packet
// that failed is untouched, save by AEAD, whose in-place decryption spoils it: there the newer key
// alone is tried, and the peer sends the rest again.
static bool other_key(struct dp_worker *w, struct dp_legacy_item *item)
{
	struct rte_mbuf *m = item->m;
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	unsigned which = meta->which ^ 1u;
	struct dp_legacy_op op;

	if (item->aead || item->epoch || !usable(s, which, meta->key_id) ||
		ovpn_cipher_is_aead((enum ovpn_cipher)s->rx_key[which].cipher))
		return false;
	meta->which = (uint8_t)which;
	if (prepare_old(w, m, &op) < 0 || dp_legacy_open(w->legacy->crypto, &op, 1) != 1)
		return false;
	w->legacy->old[item->index] = op;
	return true;
}

// One packet in the epoch format. Our own packets follow the peer's epoch.
static bool open_epoch(struct dp_worker *w, struct rte_mbuf *m)
{
	struct dp_meta *meta = dp_meta(m);
	struct dp_epoch_rx *rx = epoch_rx(w, meta);
	struct shm_key_slot *k = &w->core->keys[meta->slot].key[meta->which];
	struct dp_epoch_tx *tx = ((struct dp_epoch_cell *)k->tx_cell)->tx;

	if (dp_epoch_open(w->legacy->crypto, rx,
		    rte_pktmbuf_mtod_offset(m, uint8_t *, meta->data_off), meta->data_len,
		    &meta->long_id) < 0)
		return false;
	if (atomic_load_explicit(&tx->want, memory_order_relaxed) != dp_epoch_want(rx))
		atomic_store_explicit(&tx->want, dp_epoch_want(rx), memory_order_relaxed);
	return true;
}

static int first_key(struct shm_session *s, uint8_t key_id)
{
	bool first = usable(s, 0, key_id);
	bool second = usable(s, 1, key_id);

	if (first && second)
		return s->rx_key[1].age > s->rx_key[0].age;
	return first ? 0 : second ? 1 : -1;
}

// Still ours, and within the share of unproven packets?
static bool admit(struct dp_worker *w, struct rte_mbuf *m, uint64_t start, unsigned served)
{
	struct dp_meta *meta = dp_meta(m);
	uint16_t owner = dp_owner(w->core, meta->slot);

	if (owner != w->index) { // a packet before this one gave the session away
		if (meta->flags & DP_META_RECONF)
			meta->data_len += SHM_SID_LEN; // the next owner looks from the start
		dp_handoff(w, owner, m, DP_HANDOFF_RX);
		return false;
	}
	return (meta->flags & DP_META_UNPROVEN) == 0 || dp_admit(w, m, start, served);
}

void dp_stage_legacy_open(struct dp_worker *w)
{
	struct dp_legacy *l = w->legacy;
	struct dp_burst *in = &l->rx;
	uint64_t start = rte_rdtsc();
	uint16_t aead_n = 0, old_n = 0, n = 0;
	unsigned unproven = 0;

	for (uint16_t i = 0; i < in->n; i++) {
		struct rte_mbuf *m = in->pkt[i];
		int which, rc;

		if (!admit(w, m, start, unproven))
			continue;
		unproven += (dp_meta(m)->flags & DP_META_UNPROVEN) != 0;
		which = first_key(dp_session(w, dp_meta(m)->slot), dp_meta(m)->key_id);
		rc = which < 0 ? refuse(DP_DROP_no_key)
			       : prepare(w, m, (unsigned)which, &l->item[n], &aead_n, &old_n);
		if (rc < 0)
			dp_drop(w, m, (enum dp_drop)(-1 - rc));
		else
			n++;
	}
	in->n = 0;
	(void)dp_crypto_open(w->crypto, l->aead, aead_n); // each operation says for itself
	(void)dp_legacy_open(l->crypto, l->old, old_n);
	for (uint16_t i = 0; i < n; i++) {
		struct dp_legacy_item *item = &l->item[i];
		bool ok = item->epoch ? open_epoch(w, item->m)
			: item->aead  ? l->aead[item->index].ok
				      : l->old[item->index].ok;

		if (ok || other_key(w, item))
			complete(w, item);
		else
			drop_bad_tag(w, item->m);
	}
	// Last, because a session that is given away is no longer ours to write.
	for (uint16_t i = 0; i < n; i++) {
		const struct dp_legacy_item *item = &l->item[i];

		if (item->delivered == DELIVERED_GIVE && dp_owner(w->core, item->slot) == w->index)
			dp_give_owner(w, item->slot, item->origin);
		else if (item->delivered == DELIVERED_FOLLOW)
			dp_follow_queue(w, item->slot, item->origin);
	}
}
