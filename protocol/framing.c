// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/framing.h"

#include <errno.h>
#include <string.h>

#define BYTE_LZO 0x66
#define BYTE_LZ4 0x69
#define BYTE_NONE 0xFA
#define BYTE_NONE_SWAP 0xFB
#define V2_MARK 0x50
#define V2_NONE 0

#define TYPE_SHIFT 0
#define SEQ_SHIFT 2
#define NUMBER_SHIFT 10
#define SIZE_SHIFT 15
#define SIZE_BITS 14

uint8_t *ovpn_compress_add(enum ovpn_compress c, uint8_t *p, size_t *len)
{
	switch (c) {
	case OVPN_COMPRESS_BYTE:
		*--p = BYTE_NONE;
		++*len;
		return p;
	case OVPN_COMPRESS_SWAP:
		p[*len] = p[0];
		p[0] = BYTE_NONE_SWAP;
		++*len;
		return p;
	case OVPN_COMPRESS_V2:
		if (p[0] != V2_MARK)
			return p;
		*--p = V2_NONE;
		*--p = V2_MARK;
		*len += 2;
		return p;
	default: return p;
	}
}

static int strip_byte(uint8_t **p, size_t *len)
{
	uint8_t *q = *p;

	if (*len < 2)
		return -EBADMSG;
	switch (q[0]) {
	case BYTE_NONE:
		++*p;
		--*len;
		return 0;
	case BYTE_NONE_SWAP:
		q[0] = q[*len - 1];
		--*len;
		return 0;
	case BYTE_LZO:
	case BYTE_LZ4: return -EPROTO;
	default: return -EBADMSG;
	}
}

static int strip_v2(uint8_t **p, size_t *len)
{
	uint8_t *q = *p;

	if (*len == 0)
		return -EBADMSG;
	if (q[0] != V2_MARK)
		return 0;
	if (*len < 3)
		return -EBADMSG;
	if (q[1] != V2_NONE)
		return -EPROTO;
	*p += 2;
	*len -= 2;
	return 0;
}

int ovpn_compress_strip(enum ovpn_compress c, uint8_t **p, size_t *len)
{
	switch (c) {
	case OVPN_COMPRESS_BYTE:
	case OVPN_COMPRESS_SWAP: return strip_byte(p, len);
	case OVPN_COMPRESS_V2: return strip_v2(p, len);
	default: return *len > 0 ? 0 : -EBADMSG;
	}
}

int ovpn_fragment_parse(const uint8_t *p, size_t len, struct ovpn_fragment *ret_fragment)
{
	struct ovpn_fragment f;
	uint32_t word;
	size_t rest;

	if (len <= OVPN_FRAGMENT_HDR)
		return -EBADMSG;
	word = ovpn_get_be32(p);
	rest = len - OVPN_FRAGMENT_HDR;
	f.type = word >> TYPE_SHIFT & 3;
	f.seq = (uint8_t)(word >> SEQ_SHIFT);
	f.number = word >> NUMBER_SHIFT & (OVPN_FRAGMENTS_MAX - 1);
	f.size = (uint16_t)((word >> SIZE_SHIFT & ((1u << SIZE_BITS) - 1)) * 4);
	switch (f.type) {
	case OVPN_FRAGMENT_WHOLE:
		if (word != 0)
			return -EBADMSG;
		break;
	case OVPN_FRAGMENT_MORE:
		if (rest % 4 != 0 || rest > OVPN_FRAGMENT_SIZE_MAX || f.size != 0)
			return -EBADMSG;
		f.size = (uint16_t)rest;
		break;
	case OVPN_FRAGMENT_LAST:
		// A packet that was cut has two pieces at least.
		if (f.size == 0 || rest > f.size || f.number == 0)
			return -EBADMSG;
		break;
	default: return -EBADMSG;
	}
	*ret_fragment = f;
	return 0;
}

void ovpn_fragment_put(uint8_t *p, const struct ovpn_fragment *f)
{
	uint32_t word = (uint32_t)f->type << TYPE_SHIFT;

	if (f->type != OVPN_FRAGMENT_WHOLE)
		word |= (uint32_t)f->seq << SEQ_SHIFT | (uint32_t)f->number << NUMBER_SHIFT;
	if (f->type == OVPN_FRAGMENT_LAST)
		word |= (uint32_t)(f->size / 4) << SIZE_SHIFT;
	ovpn_put_be32(p, word);
}

unsigned ovpn_fragment_cut(size_t len, size_t max, uint16_t *ret_size)
{
	size_t size, n;

	if (max < 4)
		return 0;
	if (max > OVPN_FRAGMENT_SIZE_MAX)
		max = OVPN_FRAGMENT_SIZE_MAX;
	n = (len + max - 1) / max;
	if (n == 0)
		return 0;
	size = ((len + n - 1) / n + 3) & ~(size_t)3;
	if (size > max) { // rounding up went too far
		size = max & ~(size_t)3;
		n = (len + size - 1) / size;
	}
	if (n > OVPN_FRAGMENTS_MAX)
		return 0;
	*ret_size = (uint16_t)size;
	return (unsigned)((len + size - 1) / size);
}

size_t ovpn_defrag_bytes(uint32_t count, uint32_t max)
{
	return count * (sizeof(struct ovpn_defrag_open) + max);
}

void ovpn_defrag_init(struct ovpn_defrag *d, void *mem, uint32_t count, uint32_t max)
{
	d->open = mem;
	d->data = (uint8_t *)mem + count * sizeof(struct ovpn_defrag_open);
	d->count = count;
	d->max = max;
}

// Are two packets of one sender so far apart that the older one is over? Before its number comes
// round, all those in between have passed.
static bool outdated(uint8_t old, uint8_t now)
{
	uint8_t distance = (uint8_t)(now - old);

	return distance >= OVPN_FRAGMENT_SEQS && distance <= 256 - OVPN_FRAGMENT_SEQS;
}

// The packet that the piece belongs to, else a free place, else that of the oldest.
static struct ovpn_defrag_open *place(
	struct ovpn_defrag *d, uint64_t owner, uint64_t now_ms, uint8_t seq)
{
	struct ovpn_defrag_open *best = NULL;

	for (uint32_t i = 0; i < d->count; i++) {
		struct ovpn_defrag_open *o = &d->open[i];

		if (o->used && now_ms - o->began_ms > OVPN_FRAGMENT_LIFETIME_MS)
			o->used = false;
		if (o->used && o->owner == owner && outdated(o->seq, seq))
			o->used = false;
		if (o->used && o->owner == owner && o->seq == seq)
			return o;
		if (best == NULL || (best->used && (!o->used || o->began_ms < best->began_ms)))
			best = o;
	}
	*best = (struct ovpn_defrag_open){
		.owner = owner,
		.began_ms = now_ms,
		.seq = seq,
		.last = 0xff,
		.used = true,
	};
	return best;
}

// Does the piece fit to those that are here?
static int agree(struct ovpn_defrag_open *o, const struct ovpn_fragment *f, size_t len, size_t max)
{
	bool last = f->type == OVPN_FRAGMENT_LAST;

	if (o->size != 0 && o->size != f->size)
		return -EBADMSG;
	if (last && (o->have >> f->number) > 1) // pieces behind the last one
		return -EBADMSG;
	if (last && o->last != 0xff && (o->last != f->number || o->last_len != len))
		return -EBADMSG;
	if (!last && o->last != 0xff && f->number >= o->last)
		return -EBADMSG;
	if ((size_t)f->number * f->size + len > max)
		return -EMSGSIZE;
	return 0;
}

int ovpn_defrag_add(struct ovpn_defrag *d, uint64_t owner, uint64_t now_ms,
	const struct ovpn_fragment *f, const uint8_t *p, size_t len, struct ovpn_span *ret_packet)
{
	struct ovpn_defrag_open *o = place(d, owner, now_ms, f->seq);
	uint8_t *data = d->data + (size_t)(o - d->open) * d->max;
	int rc = agree(o, f, len, d->max);

	if (rc < 0) {
		o->used = false;
		return rc;
	}
	if (o->have >> f->number & 1)
		return 0;
	memcpy(data + (size_t)f->number * f->size, p, len);
	o->have |= 1u << f->number;
	o->size = f->size;
	if (f->type == OVPN_FRAGMENT_LAST) {
		o->last = f->number;
		o->last_len = (uint16_t)len;
	}
	if (o->last == 0xff || o->have != (uint32_t)((2ull << o->last) - 1))
		return 0;
	o->used = false;
	ret_packet->data = data;
	ret_packet->len = (size_t)o->last * o->size + o->last_len;
	return 1;
}
