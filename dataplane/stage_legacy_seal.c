// SPDX-License-Identifier: BSD-3-Clause
// Downlink of the legacy branch, at the session's tx_owner: framing, packet-id, IV, then encryption
// and HMAC in bursts. Source: protocol.md 9.
#include <string.h>

#include "dataplane/legacy.h"
#include "protocol/data_size.h"
#include "shm/session.h"

// Most bytes in front of a payload: Ethernet, IPv6, UDP, then opcode 4, HMAC 64, IV 16, id 8,
// fragment header 4, compression 2. More than a buffer's headroom, so some packets are copied.
#define FRONT_MAX 160u
#define BACK_MAX 18u // padding and the byte of swap framing
#define EPOCH_REKEY 0xF000u // from this epoch on a new key is asked for
#define SHORT_ID_LEN 4u
#define LONG_ID_LEN 8u

// The packet with room around it: itself, or a copy that took its place. NULL: dropped.
static struct rte_mbuf *with_room(struct dp_worker *w, struct rte_mbuf *m)
{
	uint16_t len = (uint16_t)rte_pktmbuf_pkt_len(m);
	struct rte_mbuf *copy;

	if (rte_pktmbuf_headroom(m) >= FRONT_MAX && rte_pktmbuf_tailroom(m) >= BACK_MAX)
		return m;
	copy = rte_pktmbuf_alloc(w->core->pool);
	if (copy == NULL) {
		dp_drop(w, m, DP_DROP_no_buffer);
		return NULL;
	}
	if (FRONT_MAX + len + BACK_MAX > copy->buf_len) {
		rte_pktmbuf_free(copy);
		dp_drop(w, m, DP_DROP_inner_too_big);
		return NULL;
	}
	copy->data_off = FRONT_MAX;
	memcpy(rte_pktmbuf_append(copy, len), rte_pktmbuf_mtod(m, const uint8_t *), len);
	*dp_meta(copy) = *dp_meta(m);
	rte_pktmbuf_free(m);
	return copy;
}

// Draw a packet-id; the store precedes the encryption. Returns 0 when all are used.
static uint64_t draw(struct dp_worker *w, uint32_t slot, unsigned which, bool is_static)
{
	struct shm_tx_key *key = &dp_session(w, slot)->tx_key[which];
	uint64_t id = atomic_load_explicit(&key->next, memory_order_relaxed);

	if ((uint32_t)id == 0) {
		if (id >> 32 == 1) // short ids have no time that could go on
			return 0;
		id++; // the time has gone on by itself
	}
	if ((uint32_t)id >= OVPN_PACKET_ID_REKEY && (id & 0xffff) == 0 && !is_static)
		dp_event(w, SHM_EVENT_REKEY, slot, (uint16_t)which, NULL, NULL);
	atomic_store_explicit(&key->next, id + 1, memory_order_relaxed);
	return id;
}

static void put_opcode(struct dp_worker *w, uint8_t *p, uint32_t slot, unsigned which)
{
	uint8_t key_id = dp_session(w, slot)->tx_key[which].key_id;

	if (dp_dir_flags(w->core, slot) & SHM_DIR_DATA_V1) {
		p[0] = ovpn_first_byte(OVPN_P_DATA_V1, key_id);
		return;
	}
	p[0] = ovpn_first_byte(OVPN_P_DATA_V2, key_id);
	ovpn_put_be24(p + 1, slot);
}

static void put_aead(struct dp_worker *w, struct rte_mbuf *m, unsigned which, uint64_t id)
{
	struct dp_legacy *l = w->legacy;
	uint32_t slot = dp_meta(m)->slot;
	enum ovpn_data_format format = dp_format(w->core, slot);
	const struct ovpn_data_layout *lay = &ovpn_data_layouts[format];
	struct shm_tx_key *key = &dp_session(w, slot)->tx_key[which];
	struct dp_crypto_op *op = &l->tx_aead[l->tx_aead_n++];
	uint8_t *head;

	op->packet_id = (uint32_t)id;
	op->data = rte_pktmbuf_mtod(m, uint8_t *);
	op->len = (uint16_t)rte_pktmbuf_pkt_len(m);
	head = dp_prepend(m, lay->overhead);
	ovpn_data_put_head(head, format, key->key_id, slot, id);
	op->aad = head + lay->aad_off;
	op->aad_len = lay->aad_len;
	op->tag = head + lay->tag_off;
	op->cell = w->core->keys[slot].key[which].tx_cell;
	op->cipher = key->cipher;
}

static void put_iv(struct dp_legacy *l, const struct dp_legacy_cell *cell, uint8_t *iv, uint64_t id)
{
	if (cell->mode == OVPN_MODE_CBC) {
		dp_legacy_random(l->crypto, iv, cell->iv_len);
		return;
	}
	memset(iv, 0, cell->iv_len);
	ovpn_put_be32(iv, (uint32_t)id);
	ovpn_put_be32(iv + 4, (uint32_t)(id >> 32));
}

static void put_old(struct dp_worker *w, struct rte_mbuf *m, unsigned which, uint64_t id)
{
	struct dp_legacy *l = w->legacy;
	uint32_t slot = dp_meta(m)->slot;
	bool is_static = (dp_dir_flags(w->core, slot) & SHM_DIR_STATIC) != 0;
	const struct dp_legacy_cell *cell =
		(const struct dp_legacy_cell *)w->core->keys[slot].key[which].tx_cell;
	bool inside = cell->mode == OVPN_MODE_CBC || cell->mode == OVPN_MODE_NONE;
	struct dp_legacy_op *op = &l->tx_old[l->tx_old_n++];
	uint8_t *p;

	if (inside) {
		p = dp_prepend(m, is_static ? LONG_ID_LEN : SHORT_ID_LEN);
		ovpn_put_be32(p, (uint32_t)id);
		if (is_static)
			ovpn_put_be32(p + SHORT_ID_LEN, (uint32_t)(id >> 32));
	}
	if (cell->mode == OVPN_MODE_CBC) {
		uint8_t pad = (uint8_t)(cell->block_len - rte_pktmbuf_pkt_len(m) % cell->block_len);

		memset(rte_pktmbuf_append(m, pad), pad, pad); // with_room() made sure of it
	}
	op->cell = cell;
	op->text = rte_pktmbuf_mtod(m, uint8_t *);
	op->text_len = (uint16_t)rte_pktmbuf_pkt_len(m);
	op->iv = dp_prepend(m, cell->iv_len);
	if (cell->iv_len > 0)
		put_iv(l, cell, op->iv, id);
	op->mac = dp_prepend(m, cell->digest_len);
	if (!is_static) {
		bool v1 = (dp_dir_flags(w->core, slot) & SHM_DIR_DATA_V1) != 0;

		p = dp_prepend(m, v1 ? OVPN_HDR_V1_LEN : OVPN_HDR_V2_LEN);
		put_opcode(w, p, slot, which);
	}
}

// Epoch, id, encryption: each by itself, since the key may change from one packet to the next.
static bool put_epoch(struct dp_worker *w, struct rte_mbuf *m, unsigned which)
{
	struct dp_legacy *l = w->legacy;
	uint32_t slot = dp_meta(m)->slot;
	struct shm_tx_key *key = &dp_session(w, slot)->tx_key[which];
	struct shm_key_slot *k = &w->core->keys[slot].key[which];
	struct dp_epoch_tx *tx = ((struct dp_epoch_cell *)k->tx_cell)->tx;
	uint16_t len = (uint16_t)rte_pktmbuf_pkt_len(m);
	uint64_t id = dp_epoch_draw(
		l->crypto, tx, atomic_load_explicit(&key->next, memory_order_relaxed), len);
	uint8_t *head;

	if (id == 0) {
		dp_drop(w, m, DP_DROP_tx_id_exhausted);
		return false;
	}
	if (id >> OVPN_EPOCH_COUNTER_BITS >= EPOCH_REKEY && (id & 0xffff) == 1)
		dp_event(w, SHM_EVENT_REKEY, slot, (uint16_t)which, NULL, NULL);
	atomic_store_explicit(&key->next, id + 1, memory_order_relaxed);
	(void)rte_pktmbuf_append(m, OVPN_AEAD_TAG_LEN); // with_room() made sure of it
	head = dp_prepend(m, OVPN_DATA_EPOCH_HEAD);
	ovpn_data_put_head(head, OVPN_DATA_FORMAT_EPOCH, key->key_id, slot, id);
	dp_epoch_seal(l->crypto, tx, head, len);
	return true;
}

// One datagram's worth of framed payload, with room around it.
static void seal_one(struct dp_worker *w, struct rte_mbuf *m, unsigned which, uint16_t payload)
{
	struct dp_legacy *l = w->legacy;
	uint32_t slot = dp_meta(m)->slot;
	struct dp_legacy_item *item = &l->tx_item[l->tx_n];
	bool is_static = (dp_dir_flags(w->core, slot) & SHM_DIR_STATIC) != 0;
	bool epoch = (dp_dir_flags(w->core, slot) & SHM_DIR_EPOCH) != 0;
	uint64_t id = epoch ? 1 : draw(w, slot, which, is_static);

	if (id == 0) {
		dp_drop(w, m, DP_DROP_tx_id_exhausted);
		return;
	}
	item->m = m;
	item->len = payload;
	item->epoch = epoch;
	item->aead = !epoch &&
		ovpn_cipher_is_aead((enum ovpn_cipher)dp_session(w, slot)->tx_key[which].cipher);
	item->index = item->aead ? l->tx_aead_n : l->tx_old_n;
	if (epoch && !put_epoch(w, m, which))
		return;
	if (epoch)
		dp_count(w, DP_COUNT_encrypted, 1);
	else if (item->aead)
		put_aead(w, m, which, id);
	else
		put_old(w, m, which, id);
	if (++l->tx_n == DP_BURST)
		dp_stage_legacy_seal(w);
}

// Longest piece of a packet, without its fragment header, that fragment_max leaves room for.
static size_t piece_max(struct dp_worker *w, uint32_t slot, unsigned which)
{
	const struct shm_session *s = dp_session(w, slot);
	struct ovpn_data_shape shape = {
		.format = dp_legacy_data_format(w->core, slot),
		.static_key = (dp_dir_flags(w->core, slot) & SHM_DIR_STATIC) != 0,
		.cipher = (enum ovpn_cipher)s->tx_key[which].cipher,
		.digest = (enum ovpn_digest)s->tx_key[which].digest,
		.fragment = true, // and compression's byte is part of what is cut
	};

	return ovpn_data_plain_max(&shape, s->fragment_max);
}

// Cut a framed payload in pieces, each in a buffer of its own.
static void seal_pieces(
	struct dp_worker *w, struct rte_mbuf *m, unsigned which, uint16_t size, unsigned n)
{
	struct shm_session *s = dp_session(w, dp_meta(m)->slot);
	const uint8_t *data = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t len = rte_pktmbuf_pkt_len(m);
	struct ovpn_fragment f = { .type = OVPN_FRAGMENT_MORE, .seq = s->fragment_seq++ };

	for (unsigned i = 0; i < n; i++) {
		struct rte_mbuf *piece = rte_pktmbuf_alloc(w->core->pool);
		uint32_t at = i * size;
		uint16_t part = (uint16_t)RTE_MIN(len - at, size);

		if (piece == NULL) {
			w->drop[DP_DROP_no_buffer]++;
			break;
		}
		f.number = (uint8_t)i;
		if (i == n - 1) {
			f.type = OVPN_FRAGMENT_LAST;
			f.size = size;
		}
		piece->data_off = FRONT_MAX;
		memcpy(rte_pktmbuf_append(piece, part), data + at, part);
		*dp_meta(piece) = *dp_meta(m);
		ovpn_fragment_put(dp_prepend(piece, OVPN_FRAGMENT_HDR), &f);
		seal_one(w, piece, which, part);
	}
	dp_count(w, DP_COUNT_inner_frags_made, n);
	rte_pktmbuf_free(m);
}

void dp_legacy_down(struct dp_worker *w, struct rte_mbuf *m, unsigned which)
{
	struct shm_session *s = dp_session(w, dp_meta(m)->slot);
	uint16_t payload = (uint16_t)rte_pktmbuf_pkt_len(m);
	size_t len = payload;
	uint16_t size = 0;
	unsigned n;
	uint8_t *p;

	m = with_room(w, m);
	if (m == NULL)
		return;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	p = ovpn_compress_add((enum ovpn_compress)s->compress, p, &len);
	m->data_off = (uint16_t)(p - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	if (s->fragment_max == 0) {
		seal_one(w, m, which, payload);
		return;
	}
	n = ovpn_fragment_cut(len, piece_max(w, dp_meta(m)->slot, which), &size);
	if (n == 0) {
		dp_drop(w, m, DP_DROP_inner_too_big);
	} else if (n == 1) {
		memset(dp_prepend(m, OVPN_FRAGMENT_HDR), 0, OVPN_FRAGMENT_HDR);
		seal_one(w, m, which, payload);
	} else {
		seal_pieces(w, m, which, size, n);
	}
}

static void finish(struct dp_worker *w, const struct dp_legacy_item *item)
{
	const struct dp_legacy *l = w->legacy;
	struct rte_mbuf *m = item->m;
	struct dp_meta *meta = dp_meta(m);
	struct shm_session *s = dp_session(w, meta->slot);
	bool ok = item->epoch ? true
		: item->aead  ? l->tx_aead[item->index].ok
			      : l->tx_old[item->index].ok;
	struct shm_endpoint ep;

	if (!ok || shm_endpoint_read(s, &ep) < 0) {
		dp_drop(w, m, DP_DROP_no_tx_key);
		return;
	}
	if (ep.remote.family == 0) {
		dp_drop(w, m, DP_DROP_no_peer);
		return;
	}
	if (meta->flags & DP_META_COUNTED) {
		dp_add64(&s->tx_packets, 1);
		dp_add64(&s->tx_bytes, item->len);
	}
	dp_set64(&s->last_tx_ms, w->now_ms);
	dp_frame_send(w, m, &ep, false);
}

void dp_stage_legacy_seal(struct dp_worker *w)
{
	struct dp_legacy *l = w->legacy;
	unsigned n = l->tx_n;

	dp_count(w, DP_COUNT_encrypted, dp_crypto_seal(w->crypto, l->tx_aead, l->tx_aead_n));
	dp_count(w, DP_COUNT_encrypted, dp_legacy_seal(l->crypto, l->tx_old, l->tx_old_n));
	l->tx_n = 0;
	l->tx_aead_n = 0;
	l->tx_old_n = 0;
	for (unsigned i = 0; i < n; i++)
		finish(w, &l->tx_item[i]);
}
