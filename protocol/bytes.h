// SPDX-License-Identifier: BSD-3-Clause
// Big-endian fields and borrowed runs of bytes: what every parser of this folder is made of.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Bytes that belong to somebody else; valid only as long as the buffer they point into. Text in
// a span isn't NUL-terminated. data is NULL only when the field is absent.
struct ovpn_span {
	const uint8_t *data;
	size_t len; // bytes
};

// Read or write an unsigned big-endian number of 2, 3, 4 or 8 bytes at p, at any alignment. The
// caller has checked that the bytes are there.
static inline uint16_t ovpn_get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t ovpn_get_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t ovpn_get_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t ovpn_get_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline void ovpn_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void ovpn_put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void ovpn_put_be32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void ovpn_put_be64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, sizeof(v));
}

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the byte swaps above are written for little-endian machines"
#endif
