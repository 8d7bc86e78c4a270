// SPDX-License-Identifier: BSD-3-Clause
// The checksum of IP, TCP and UDP. Sums are of 16-bit words in the byte order of memory, so that
// no byte is swapped on the way; a folded sum is stored with memcpy. Source: RFC 1071.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Add len bytes to a sum. All parts of a sum but the last have an even length.
static inline uint64_t ovpn_sum_add(uint64_t sum, const uint8_t *p, size_t len)
{
	uint64_t word[4], even = 0, odd = 0;
	uint32_t half;
	uint16_t tail;

	for (; len >= 32; len -= 32, p += 32) {
		memcpy(word, p, 32);
		for (unsigned i = 0; i < 4; i++) {
			even += word[i] & UINT32_MAX;
			odd += word[i] >> 32;
		}
	}
	sum += even + odd;
	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&half, p, 4);
		sum += half;
	}
	if (len >= 2) {
		memcpy(&tail, p, 2);
		sum += tail;
		p += 2;
		len -= 2;
	}
	if (len == 1) {
		const uint8_t last[2] = { *p, 0 };

		memcpy(&tail, last, 2);
		sum += tail;
	}
	return sum;
}

// Fold a sum to 16 bits, not complemented.
static inline uint16_t ovpn_sum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

// Sum of the pseudo header of a packet's TCP or UDP part.
//
// ip: IPv4 or IPv6 header. proto: 6 or 17. len: bytes of header and payload of that part.
static inline uint64_t ovpn_sum_pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
	const uint8_t rest[4] = { 0, proto, (uint8_t)(len >> 8), (uint8_t)len };
	uint64_t sum = ovpn_sum_add(0, rest, sizeof(rest));

	return ip[0] >> 4 == 4 ? ovpn_sum_add(sum, ip + 12, 8) : ovpn_sum_add(sum, ip + 8, 32);
}
