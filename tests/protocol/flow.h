// SPDX-License-Identifier: BSD-3-Clause
// Makes TCP and UDP packets over IPv4 and IPv6 for tests, and checks them with sums of its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct flow_packet {
	bool ip6;
	bool tcp;
	uint8_t host; // last byte of the source address
	uint16_t port; // of the source
	uint16_t id; // IPv4
	bool df;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	uint8_t options; // bytes of TCP options: NOPs
	size_t payload; // bytes, a pattern that begins with seq
};

// The sum of RFC 1071 word by word, as the RFC has it.
static inline uint16_t flow_sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len % 2 == 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint16_t flow_pseudo(const uint8_t *ip, uint8_t proto, size_t part)
{
	uint32_t sum = (uint32_t)proto + (uint32_t)part;

	if (ip[0] >> 4 == 4)
		return flow_sum(sum, ip + 12, 8);
	return flow_sum(sum, ip + 8, 32);
}

static inline void flow_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void flow_put32(uint8_t *p, uint32_t v)
{
	flow_put16(p, (uint16_t)(v >> 16));
	flow_put16(p + 2, (uint16_t)v);
}

// Write a packet. partial: its checksum covers the pseudo header alone, as the kernel leaves it.
// Returns its length.
static inline size_t flow_make(uint8_t *p, const struct flow_packet *in, bool partial)
{
	size_t transport = in->ip6 ? 40 : 20;
	size_t header = transport + (in->tcp ? 20u + in->options : 8u);
	size_t len = header + in->payload, part = len - transport;
	uint8_t *head = p + transport;
	uint8_t proto = in->tcp ? 6 : 17;
	size_t at = in->tcp ? 16 : 6;
	uint16_t sum;

	memset(p, 0, header);
	if (in->ip6) {
		p[0] = 0x60;
		flow_put16(p + 4, (uint16_t)part);
		p[6] = proto;
		p[7] = 64;
		p[8] = 0xfd;
		p[23] = in->host;
		p[24] = 0xfd;
		p[39] = 0x99;
	} else {
		p[0] = 0x45;
		flow_put16(p + 2, (uint16_t)len);
		flow_put16(p + 4, in->id);
		p[6] = in->df ? 0x40 : 0;
		p[8] = 64;
		p[9] = proto;
		flow_put32(p + 12, 0x0A080000u | in->host);
		flow_put32(p + 16, 0x0A080001u);
		flow_put16(p + 10, (uint16_t)~flow_sum(0, p, 20));
	}
	flow_put16(head, in->port);
	flow_put16(head + 2, 5201);
	if (in->tcp) {
		flow_put32(head + 4, in->seq);
		flow_put32(head + 8, in->ack);
		head[12] = (uint8_t)((20 + in->options) / 4 << 4);
		head[13] = in->flags;
		flow_put16(head + 14, in->window);
		memset(head + 20, 1, in->options);
	} else {
		flow_put16(head + 4, (uint16_t)part);
	}
	for (size_t i = 0; i < in->payload; i++)
		p[header + i] = (uint8_t)((in->seq + i) * 13 + (in->seq + i) / 256);
	sum = flow_pseudo(p, proto, part);
	if (!partial) {
		sum = (uint16_t)~flow_sum(sum, head, part);
		if (sum == 0 && !in->tcp)
			sum = UINT16_MAX;
	}
	flow_put16(head + at, sum);
	return len;
}

// Are lengths and checksums of a packet right?
static inline bool flow_right(const uint8_t *p, size_t len)
{
	bool ip6 = p[0] >> 4 == 6;
	size_t transport = ip6 ? 40 : 20;
	uint8_t proto = ip6 ? p[6] : p[9];
	const uint8_t *head = p + transport;

	if (ip6 && (size_t)(p[4] << 8 | p[5]) != len - 40)
		return false;
	if (!ip6 && ((size_t)(p[2] << 8 | p[3]) != len || flow_sum(0, p, 20) != UINT16_MAX))
		return false;
	if (proto == 17 && (size_t)(head[4] << 8 | head[5]) != len - transport)
		return false;
	return flow_sum(flow_pseudo(p, proto, len - transport), head, len - transport) ==
		UINT16_MAX;
}
