// SPDX-License-Identifier: BSD-3-Clause
#include "control/hash.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static uint64_t seed[2];

struct sip {
	uint64_t v[4];
};

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
	s->v[0] += s->v[1];
	s->v[2] += s->v[3];
	s->v[1] = rotl(s->v[1], 13) ^ s->v[0];
	s->v[3] = rotl(s->v[3], 16) ^ s->v[2];
	s->v[0] = rotl(s->v[0], 32);
	s->v[2] += s->v[1];
	s->v[0] += s->v[3];
	s->v[1] = rotl(s->v[1], 17) ^ s->v[2];
	s->v[3] = rotl(s->v[3], 21) ^ s->v[0];
	s->v[2] = rotl(s->v[2], 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	sip_round(s);
	s->v[0] ^= word;
}

int ctl_hash_seed(void)
{
	return getrandom(seed, sizeof(seed), 0) == sizeof(seed) ? 0 : -EIO;
}

// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", section 2.
unsigned ctl_hash(const void *bytes, size_t len)
{
	struct sip s = { { seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
		seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u } };
	const uint8_t *p = bytes;
	uint64_t word;
	size_t left = len;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(&s, word);
	}
	word = 0;
	memcpy(&word, p, left);
	sip_word(&s, word | (uint64_t)len << 56);
	s.v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	word = s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
	return (unsigned)(word ^ word >> 32);
}
