// SPDX-License-Identifier: BSD-3-Clause
// IPv4 fragments: those of clients' datagrams are put together, ours are cut.
//
// A stock client with tun-mtu 1500 sends every full-size inner packet as two fragments, so a lost
// one must not keep its client's next datagrams out for two seconds: when a source has too many
// unfinished ones, its oldest makes room. rte_ip_frag can't do that, and it chains buffers, which
// decryption in place would have to copy together anyway; here each fragment is copied once to
// where it belongs. Overlaps are refused (RFC 8900 section 3.7). Source: RFC 791; C15.
#include <stdlib.h>
#include <string.h>

#include "dataplane/path.h"

#define ENTRIES 256u // unfinished datagrams a worker
#define PER_SOURCE 8u // and source address; behind one NAT there may be many clients
#define LIFE_MS 2000u
#define UNIT 8u // bytes of a fragment offset
#define PAYLOAD_MAX (DP_FRAME_MAX - 128u) // bytes of IP payload that fit a buffer with headers
#define WORDS ((PAYLOAD_MAX / UNIT + 63) / 64)

struct entry {
	struct rte_mbuf *m; // NULL: free. Frame with the first fragment's headers, being filled
	uint32_t src_be;
	uint32_t dst_be;
	uint16_t id_be;
	uint16_t units; // of the whole payload; 0: the last fragment hasn't come
	uint16_t have; // units that have come
	uint16_t payload_len; // bytes; with units
	uint16_t pieces;
	uint64_t born_ms;
	uint64_t seen[WORDS]; // a bit a unit
};

struct dp_frag_table {
	struct entry entry[ENTRIES];
	uint32_t used;
	uint64_t expired_ms; // when dp_frag_expire looked last
};

struct dp_frag_table *dp_frag_table_create(void)
{
	return calloc(1, sizeof(struct dp_frag_table));
}

struct dp_frag_table *dp_frag_table_free(struct dp_frag_table *t)
{
	if (t == NULL)
		return NULL;
	for (unsigned i = 0; i < ENTRIES; i++)
		rte_pktmbuf_free(t->entry[i].m);
	free(t);
	return NULL;
}

// The frame that carries an entry stands for all its fragments but the last, which were counted
// as merged when they came.
static void discard(struct dp_worker *w, struct entry *e, enum dp_drop why)
{
	dp_drop(w, e->m, why);
	e->m = NULL;
	w->frags->used--;
}

static struct entry *find(struct dp_frag_table *t, const struct rte_ipv4_hdr *ip)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *e = &t->entry[i];

		if (e->m != NULL && e->id_be == ip->packet_id && e->src_be == ip->src_addr &&
			e->dst_be == ip->dst_addr)
			return e;
	}
	return NULL;
}

// A place for a new datagram: a free one, or that of the oldest of its source or of all.
static struct entry *place(struct dp_worker *w, uint32_t src_be)
{
	struct dp_frag_table *t = w->frags;
	struct entry *empty = NULL, *oldest = NULL, *oldest_own = NULL;
	unsigned own = 0;

	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *e = &t->entry[i];

		if (e->m == NULL) {
			empty = e;
			continue;
		}
		if (oldest == NULL || e->born_ms < oldest->born_ms)
			oldest = e;
		if (e->src_be != src_be)
			continue;
		own++;
		if (oldest_own == NULL || e->born_ms < oldest_own->born_ms)
			oldest_own = e;
	}
	if (own < PER_SOURCE && empty != NULL)
		return empty;
	if (own >= PER_SOURCE)
		oldest = oldest_own;
	discard(w, oldest, DP_DROP_frag_evicted);
	return oldest;
}

static bool mark(struct entry *e, unsigned first, unsigned n)
{
	for (unsigned u = first; u < first + n; u++) {
		if (e->seen[u / 64] >> (u % 64) & 1)
			return false;
		e->seen[u / 64] |= 1ull << (u % 64);
	}
	e->have += n;
	return true;
}

// Start with this fragment: a new buffer with its headers, so that payload can be copied to its
// place whatever comes first. NULL: no buffer.
static struct entry *start(struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l3_off);
	struct rte_mbuf *whole = rte_pktmbuf_alloc(w->core->pool);
	struct entry *e;
	uint8_t *head;

	if (whole == NULL)
		return NULL;
	head = (uint8_t *)rte_pktmbuf_append(whole, (uint16_t)(l3_off + sizeof(*ip)));
	memcpy(head, rte_pktmbuf_mtod(m, uint8_t *), l3_off + sizeof(*ip)); // options are left out
	e = place(w, ip->src_addr);
	memset(e, 0, sizeof(*e));
	e->m = whole;
	e->src_be = ip->src_addr;
	e->dst_be = ip->dst_addr;
	e->id_be = ip->packet_id;
	e->born_ms = w->now_ms;
	w->frags->used++;
	return e;
}

// All there: one datagram as if it had never been cut.
static struct rte_mbuf *finish(struct dp_worker *w, struct entry *e, uint16_t l3_off)
{
	struct rte_mbuf *m = e->m;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, l3_off);

	e->m = NULL;
	w->frags->used--;
	m->data_len = (uint16_t)(l3_off + sizeof(*ip) + e->payload_len);
	m->pkt_len = m->data_len;
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + e->payload_len));
	ip->fragment_offset = 0;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	dp_count(w, DP_COUNT_reassembled, 1);
	return m;
}

struct rte_mbuf *dp_frag_add(struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l3_off);
	uint16_t hdr_len = (ip->version_ihl & 0xf) * 4;
	uint16_t len = rte_be_to_cpu_16(ip->total_length) - hdr_len; // checked by the caller
	uint16_t frag = rte_be_to_cpu_16(ip->fragment_offset);
	uint32_t offset = (uint32_t)(frag & RTE_IPV4_HDR_OFFSET_MASK) * UNIT;
	bool more = (frag & RTE_IPV4_HDR_MF_FLAG) != 0;
	struct entry *e;

	dp_count(w, DP_COUNT_frags_received, 1);
	if (len == 0 || (more && len % UNIT != 0) || offset + len > PAYLOAD_MAX ||
		rte_raw_cksum(ip, hdr_len) != 0xffff) {
		dp_drop(w, m, DP_DROP_frag_malformed);
		return NULL;
	}
	e = find(w->frags, ip);
	if (e == NULL)
		e = start(w, m, l3_off);
	if (e == NULL) {
		dp_drop(w, m, DP_DROP_no_buffer);
		return NULL;
	}
	// Two last fragments, data behind the last one, or bytes that came already.
	if ((!more && e->units != 0) || (e->units != 0 && offset + len > e->payload_len) ||
		!mark(e, offset / UNIT, (len + UNIT - 1) / UNIT)) {
		discard(w, e, DP_DROP_frag_malformed);
		dp_drop(w, m, DP_DROP_frag_malformed);
		return NULL;
	}
	if (!more) {
		e->units = (uint16_t)(offset / UNIT + (len + UNIT - 1) / UNIT);
		e->payload_len = (uint16_t)(offset + len);
	}
	memcpy(rte_pktmbuf_mtod_offset(e->m, uint8_t *, l3_off + sizeof(*ip)) + offset,
		(const uint8_t *)ip + hdr_len, len);
	rte_pktmbuf_free(m);
	if (e->pieces++ > 0) // the first one's end is that of the datagram
		dp_count(w, DP_COUNT_frags_merged, 1);
	if (e->units == 0 || e->have < e->units)
		return NULL;
	if (e->have > e->units) { // data behind the last fragment had come before it
		discard(w, e, DP_DROP_frag_malformed);
		return NULL;
	}
	return finish(w, e, l3_off);
}

void dp_frag_expire(struct dp_worker *w)
{
	struct dp_frag_table *t = w->frags;

	if (t->used == 0 || w->now_ms - t->expired_ms < LIFE_MS / 4)
		return;
	t->expired_ms = w->now_ms;
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *e = &t->entry[i];

		if (e->m != NULL && w->now_ms - e->born_ms >= LIFE_MS)
			discard(w, e, DP_DROP_frag_timeout);
	}
}

// One piece of a packet: its own buffer, headers and len bytes from offset of the payload.
static struct rte_mbuf *piece(struct dp_worker *w, struct rte_mbuf *m, uint16_t hdr_len,
	uint32_t offset, uint16_t len, bool last)
{
	const struct rte_ipv4_hdr *from = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	struct rte_mbuf *p = rte_pktmbuf_alloc(w->core->pool);
	struct rte_ipv4_hdr *ip;
	uint16_t frag = rte_be_to_cpu_16(from->fragment_offset);

	if (p == NULL)
		return NULL;
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_append(p, hdr_len + len);
	if (ip == NULL) {
		rte_pktmbuf_free(p);
		return NULL;
	}
	memcpy(ip, from, hdr_len);
	memcpy((uint8_t *)ip + hdr_len, (const uint8_t *)from + hdr_len + offset, len);
	// The packet may be a fragment itself: its offset and its "more" go on.
	frag = (uint16_t)((frag & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) +
		offset / UNIT);
	if (!last)
		frag |= RTE_IPV4_HDR_MF_FLAG;
	ip->fragment_offset = rte_cpu_to_be_16(frag);
	ip->total_length = rte_cpu_to_be_16(hdr_len + len);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	*dp_meta(p) = *dp_meta(m);
	return p;
}

unsigned dp_frag4(struct dp_worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_pkt,
	unsigned max)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);
	uint16_t hdr_len = (ip->version_ihl & 0xf) * 4;
	uint32_t payload = rte_pktmbuf_pkt_len(m) - hdr_len;
	uint32_t step, offset = 0;
	unsigned n = 0;

	if (mtu < hdr_len + UNIT) {
		dp_drop(w, m, DP_DROP_inner_too_big);
		return 0;
	}
	step = (mtu - hdr_len) / UNIT * UNIT;
	while (offset < payload) {
		uint16_t len = (uint16_t)(payload - offset < step ? payload - offset : step);

		struct rte_mbuf *p = NULL;

		if (n < max)
			p = piece(w, m, hdr_len, offset, len, offset + len == payload);
		if (p == NULL) {
			rte_pktmbuf_free_bulk(ret_pkt, n);
			dp_drop(w, m, n == max ? DP_DROP_inner_too_big : DP_DROP_no_buffer);
			return 0;
		}
		ret_pkt[n++] = p;
		offset += len;
	}
	dp_count(w, DP_COUNT_frags_made, n);
	rte_pktmbuf_free(m);
	return n;
}
