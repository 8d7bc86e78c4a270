// SPDX-License-Identifier: BSD-3-Clause
// Fragments: those of clients' datagrams are put together, ours are cut.
//
// A stock client with tun-mtu 1500 sends every full-size inner packet as two fragments, so a lost
// one must not keep its client's next datagrams out for two seconds: when a source has too many
// unfinished ones, its oldest makes room. rte_ip_frag can't do that, and it chains buffers, which
// decryption in place would have to copy together anyway; here each fragment is copied once to
// where it belongs. Overlaps are refused (RFC 8900 section 3.7). Source: RFC 791, RFC 8200 4.5;
// C15.
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dataplane/path.h"
#include "protocol/bytes.h"

#define ENTRIES 256u // unfinished datagrams a worker
#define PER_SOURCE 8u // and source address; behind one NAT there may be many clients
#define LIFE_MS 2000u
#define FRAG6_LEN 8u // fragment header of IPv6
#define UNIT 8u // bytes of a fragment offset
#define PAYLOAD_MAX (DP_FRAME_MAX - 128u) // bytes of IP payload that fit a buffer with headers
#define WORDS ((PAYLOAD_MAX / UNIT + 63) / 64)

// What all fragments of a datagram have in common; no holes, compared by memcmp.
struct frag_key {
	struct shm_addr src;
	struct shm_addr dst;
	uint32_t id;
};
static_assert(sizeof(struct frag_key) == 40, "no holes");

// One fragment.
struct piece {
	struct frag_key key;
	const uint8_t *data;
	uint16_t len;
	uint16_t head; // bytes of the IP header that the whole datagram will have
	uint32_t offset;
	bool more;
	uint8_t proto; // what the datagram carries
};

struct entry {
	struct rte_mbuf *m; // NULL: free. Frame with the first fragment's headers, being filled
	struct frag_key key;
	uint16_t units; // of the whole payload; 0: the last fragment hasn't come
	uint16_t have; // units that have come
	uint16_t payload_len; // bytes; with units
	uint16_t pieces;
	uint8_t proto; // as the first fragment says
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

static struct entry *find(struct dp_frag_table *t, const struct frag_key *key)
{
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *e = &t->entry[i];

		if (e->m != NULL && memcmp(&e->key, key, sizeof(*key)) == 0)
			return e;
	}
	return NULL;
}

// A place for a new datagram: a free one, or that of the oldest of its source or of all.
static struct entry *place(struct dp_worker *w, const struct shm_addr *src)
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
		if (memcmp(&e->key.src, src, sizeof(*src)) != 0)
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
static struct entry *start(
	struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off, const struct piece *f)
{
	struct rte_mbuf *whole = rte_pktmbuf_alloc(w->core->pool);
	struct entry *e;
	uint8_t *head;

	if (whole == NULL)
		return NULL;
	head = (uint8_t *)rte_pktmbuf_append(whole, (uint16_t)(l3_off + f->head));
	memcpy(head, rte_pktmbuf_mtod(m, uint8_t *), l3_off + f->head); // options are left out
	e = place(w, &f->key.src);
	memset(e, 0, sizeof(*e));
	e->m = whole;
	e->key = f->key;
	e->proto = f->proto;
	e->born_ms = w->now_ms;
	w->frags->used++;
	return e;
}

// All there: one datagram as if it had never been cut.
static struct rte_mbuf *finish(struct dp_worker *w, struct entry *e, uint16_t l3_off, uint16_t head)
{
	struct rte_mbuf *m = e->m;
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, struct rte_ipv4_hdr *, l3_off);
	struct rte_ipv6_hdr *ip6 = (struct rte_ipv6_hdr *)ip;

	e->m = NULL;
	w->frags->used--;
	m->data_len = (uint16_t)(l3_off + head + e->payload_len);
	m->pkt_len = m->data_len;
	dp_count(w, DP_COUNT_reassembled, 1);
	if (e->key.src.family == AF_INET6) {
		ip6->payload_len = rte_cpu_to_be_16(e->payload_len);
		ip6->proto = e->proto;
		return m;
	}
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + e->payload_len));
	ip->fragment_offset = 0;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return m;
}

static struct rte_mbuf *add(
	struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off, const struct piece *f)
{
	struct entry *e;

	if (f->len == 0 || (f->more && f->len % UNIT != 0) || f->offset + f->len > PAYLOAD_MAX) {
		dp_drop(w, m, DP_DROP_frag_malformed);
		return NULL;
	}
	e = find(w->frags, &f->key);
	if (e == NULL)
		e = start(w, m, l3_off, f);
	if (e == NULL) {
		dp_drop(w, m, DP_DROP_no_buffer);
		return NULL;
	}
	// Two last fragments, data behind the last one, or bytes that came already.
	if ((!f->more && e->units != 0) || (e->units != 0 && f->offset + f->len > e->payload_len) ||
		!mark(e, f->offset / UNIT, (f->len + UNIT - 1) / UNIT)) {
		discard(w, e, DP_DROP_frag_malformed);
		dp_drop(w, m, DP_DROP_frag_malformed);
		return NULL;
	}
	if (!f->more) {
		e->units = (uint16_t)(f->offset / UNIT + (f->len + UNIT - 1) / UNIT);
		e->payload_len = (uint16_t)(f->offset + f->len);
	}
	if (f->offset == 0)
		e->proto = f->proto;
	memcpy(rte_pktmbuf_mtod_offset(e->m, uint8_t *, l3_off + f->head) + f->offset, f->data,
		f->len);
	rte_pktmbuf_free(m);
	if (e->pieces++ > 0) // the first one's end is that of the datagram
		dp_count(w, DP_COUNT_frags_merged, 1);
	if (e->units == 0 || e->have < e->units)
		return NULL;
	if (e->have > e->units) { // data behind the last fragment had come before it
		discard(w, e, DP_DROP_frag_malformed);
		return NULL;
	}
	return finish(w, e, l3_off, f->head);
}

struct rte_mbuf *dp_frag_add(struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, l3_off);
	uint16_t hdr_len = (ip->version_ihl & 0xf) * 4;
	uint16_t frag = rte_be_to_cpu_16(ip->fragment_offset);
	struct piece f = {
		.key = { .src.family = AF_INET, .dst.family = AF_INET, .id = ip->packet_id },
		.data = (const uint8_t *)ip + hdr_len,
		.len = rte_be_to_cpu_16(ip->total_length) - hdr_len, // checked by the caller
		.head = sizeof(*ip),
		.offset = (uint32_t)(frag & RTE_IPV4_HDR_OFFSET_MASK) * UNIT,
		.more = (frag & RTE_IPV4_HDR_MF_FLAG) != 0,
		.proto = ip->next_proto_id,
	};

	memcpy(f.key.src.bytes, &ip->src_addr, 4);
	memcpy(f.key.dst.bytes, &ip->dst_addr, 4);
	dp_count(w, DP_COUNT_frags_received, 1);
	if (rte_raw_cksum(ip, hdr_len) != 0xffff) {
		dp_drop(w, m, DP_DROP_frag_malformed);
		return NULL;
	}
	return add(w, m, l3_off, &f);
}

struct rte_mbuf *dp_frag_add6(
	struct dp_worker *w, struct rte_mbuf *m, uint16_t l3_off, uint16_t frag_off)
{
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, l3_off);
	const uint8_t *h = rte_pktmbuf_mtod_offset(m, const uint8_t *, frag_off);
	uint16_t end = (uint16_t)(l3_off + sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len));
	uint16_t frag = ovpn_get_be16(h + 2);
	struct piece f = {
		.key = { .src.family = AF_INET6, .dst.family = AF_INET6 },
		.data = h + FRAG6_LEN,
		.len = end - frag_off - FRAG6_LEN, // checked by the caller
		.head = sizeof(*ip),
		.offset = frag & ~7u,
		.more = (frag & 1) != 0,
		.proto = h[0],
	};

	memcpy(f.key.src.bytes, ip->src_addr, 16);
	memcpy(f.key.dst.bytes, ip->dst_addr, 16);
	memcpy(&f.key.id, h + 4, 4);
	dp_count(w, DP_COUNT_frags_received, 1);
	return add(w, m, l3_off, &f);
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

// Cut a packet into pieces of at most step bytes of payload. cut makes one: its own buffer, headers
// and len bytes from offset of the payload; what it needs besides is for IPv4 the length of the
// header, for IPv6 the id. Returns how many there are, m being freed; 0: m is dropped.
static unsigned cut_up(struct dp_worker *w, struct rte_mbuf *m,
	struct rte_mbuf *(*cut)(struct dp_worker *w, struct rte_mbuf *m, uint32_t besides,
		uint32_t offset, uint16_t len, bool last),
	uint32_t besides, uint32_t payload, uint32_t step, struct rte_mbuf **ret_pkt, unsigned max)
{
	unsigned n = 0;

	for (uint32_t offset = 0; offset < payload; offset += step) {
		uint16_t len = (uint16_t)(payload - offset < step ? payload - offset : step);
		struct rte_mbuf *p = NULL;

		if (n < max)
			p = cut(w, m, besides, offset, len, offset + len == payload);
		if (p == NULL) {
			rte_pktmbuf_free_bulk(ret_pkt, n);
			dp_drop(w, m, n == max ? DP_DROP_inner_too_big : DP_DROP_no_buffer);
			return 0;
		}
		ret_pkt[n++] = p;
	}
	dp_count(w, DP_COUNT_frags_made, n);
	rte_pktmbuf_free(m);
	return n;
}

static struct rte_mbuf *cut4(struct dp_worker *w, struct rte_mbuf *m, uint32_t hdr_len,
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
	uint32_t hdr_len = (ip->version_ihl & 0xf) * 4u;

	if (mtu < hdr_len + UNIT) {
		dp_drop(w, m, DP_DROP_inner_too_big);
		return 0;
	}
	return cut_up(w, m, cut4, hdr_len, rte_pktmbuf_pkt_len(m) - hdr_len,
		(mtu - hdr_len) / UNIT * UNIT, ret_pkt, max);
}

// Pieces of IPv6 get a header of their own.
static struct rte_mbuf *cut6(struct dp_worker *w, struct rte_mbuf *m, uint32_t id, uint32_t offset,
	uint16_t len, bool last)
{
	const struct rte_ipv6_hdr *from = rte_pktmbuf_mtod(m, const struct rte_ipv6_hdr *);
	struct rte_mbuf *p = rte_pktmbuf_alloc(w->core->pool);
	struct rte_ipv6_hdr *ip;
	uint8_t *h;

	if (p == NULL)
		return NULL;
	ip = (struct rte_ipv6_hdr *)rte_pktmbuf_append(p, sizeof(*ip) + FRAG6_LEN + len);
	if (ip == NULL) {
		rte_pktmbuf_free(p);
		return NULL;
	}
	*ip = *from;
	ip->proto = IPPROTO_FRAGMENT;
	ip->payload_len = rte_cpu_to_be_16(FRAG6_LEN + len);
	h = (uint8_t *)(ip + 1);
	h[0] = from->proto;
	h[1] = 0;
	ovpn_put_be16(h + 2, (uint16_t)(offset | !last));
	memcpy(h + 4, &id, 4);
	memcpy(h + FRAG6_LEN, (const uint8_t *)(from + 1) + offset, len);
	*dp_meta(p) = *dp_meta(m);
	return p;
}

unsigned dp_frag6(struct dp_worker *w, struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_pkt,
	unsigned max)
{
	const uint32_t hdr_len = sizeof(struct rte_ipv6_hdr);
	uint32_t id = (uint32_t)dp_mix64((uint64_t)w->index << 32 | w->frag_id++);

	if (mtu < 1280) { // no link of IPv6 has less
		dp_drop(w, m, DP_DROP_inner_too_big);
		return 0;
	}
	return cut_up(w, m, cut6, id, rte_pktmbuf_pkt_len(m) - hdr_len,
		(mtu - hdr_len - FRAG6_LEN) / UNIT * UNIT, ret_pkt, max);
}
