// SPDX-License-Identifier: BSD-3-Clause
#include "config/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/number.h"

int cfg_addr_parse(const char *text, struct cfg_addr *ret_addr)
{
	struct cfg_addr a = { 0 };

	if (inet_pton(AF_INET, text, a.bytes) == 1) {
		a.family = AF_INET;
		a.prefix = 32;
	} else if (inet_pton(AF_INET6, text, a.bytes) == 1) {
		a.family = AF_INET6;
		a.prefix = 128;
	} else {
		return -EINVAL;
	}
	*ret_addr = a;
	return 0;
}

int cfg_prefix_parse(const char *text, struct cfg_addr *ret_addr)
{
	const char *slash = strchr(text, '/');
	char buf[CFG_ADDR_TEXT];
	struct cfg_addr a;
	uint32_t bits;

	if (slash == NULL)
		return cfg_addr_parse(text, ret_addr);
	if ((size_t)(slash - text) >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, (size_t)(slash - text));
	buf[slash - text] = '\0';
	if (cfg_addr_parse(buf, &a) < 0 || cfg_u32(slash + 1, 0, a.prefix, &bits) < 0)
		return -EINVAL;
	a.prefix = (uint8_t)bits;
	*ret_addr = a;
	return 0;
}

int cfg_netmask_parse(const char *text, uint8_t *ret_prefix)
{
	struct in_addr in;
	uint32_t mask;

	if (inet_pton(AF_INET, text, &in) != 1)
		return -EINVAL;
	mask = ntohl(in.s_addr);
	// The inverse of a netmask is one less than a power of two.
	if ((~mask & (~mask + 1)) != 0)
		return -EINVAL;
	*ret_prefix = (uint8_t)__builtin_popcount(mask);
	return 0;
}

int cfg_network_parse(const char *address, const char *netmask, struct cfg_addr *ret_addr)
{
	struct cfg_addr a;

	if (cfg_addr_parse(address, &a) < 0 || a.family != AF_INET ||
		cfg_netmask_parse(netmask, &a.prefix) < 0)
		return -EINVAL;
	*ret_addr = a;
	return 0;
}

unsigned cfg_addr_bits(const struct cfg_addr *addr)
{
	return addr->family == AF_INET ? 32 : addr->family == AF_INET6 ? 128 : 0;
}

// Set or clear all bits from bit `from` on.
static void bits_fill(uint8_t *bytes, unsigned from, unsigned bits, bool ones)
{
	for (unsigned i = from; i < bits; i++) {
		uint8_t bit = (uint8_t)(0x80u >> (i % 8));

		if (ones)
			bytes[i / 8] |= bit;
		else
			bytes[i / 8] &= (uint8_t)~bit;
	}
}

struct cfg_addr cfg_addr_netmask(const struct cfg_addr *addr)
{
	struct cfg_addr a = { .family = addr->family, .prefix = (uint8_t)cfg_addr_bits(addr) };

	bits_fill(a.bytes, 0, addr->prefix, true);
	return a;
}

struct cfg_addr cfg_addr_network(const struct cfg_addr *addr)
{
	struct cfg_addr a = *addr;

	bits_fill(a.bytes, a.prefix, cfg_addr_bits(&a), false);
	return a;
}

struct cfg_addr cfg_addr_last(const struct cfg_addr *addr)
{
	struct cfg_addr a = *addr;

	bits_fill(a.bytes, a.prefix, cfg_addr_bits(&a), true);
	return a;
}

int cfg_addr_add(const struct cfg_addr *addr, uint64_t offset, struct cfg_addr *ret_addr)
{
	struct cfg_addr a = *addr;
	unsigned carry = 0;

	for (int i = (int)cfg_addr_bits(&a) / 8 - 1; i >= 0; i--) {
		unsigned sum = a.bytes[i] + (unsigned)(offset & 0xff) + carry;

		a.bytes[i] = (uint8_t)sum;
		carry = sum >> 8;
		offset >>= 8;
	}
	if (carry != 0 || offset != 0)
		return -ERANGE;
	a.prefix = (uint8_t)cfg_addr_bits(&a);
	*ret_addr = a;
	return 0;
}

int cfg_addr_distance(const struct cfg_addr *a, const struct cfg_addr *b, uint64_t *ret_distance)
{
	unsigned len = cfg_addr_bits(a) / 8;
	uint64_t distance = 0;
	uint8_t diff[16];
	int borrow = 0;

	if (a->family != b->family || len == 0)
		return -EINVAL;
	for (int i = (int)len - 1; i >= 0; i--) {
		int d = b->bytes[i] - a->bytes[i] - borrow;

		borrow = d < 0;
		diff[i] = (uint8_t)d;
	}
	if (borrow)
		return -ERANGE;
	for (unsigned i = 0; i < len; i++) {
		if (i + 8 < len && diff[i] != 0)
			return -ERANGE;
		distance = distance << 8 | diff[i];
	}
	*ret_distance = distance;
	return 0;
}

bool cfg_addr_within(const struct cfg_addr *addr, const struct cfg_addr *net)
{
	struct cfg_addr a = *addr;
	struct cfg_addr b = cfg_addr_network(net);

	a.prefix = net->prefix;
	a = cfg_addr_network(&a);
	return cfg_addr_bits(addr) != 0 && cfg_addr_equal(&a, &b);
}

bool cfg_addr_equal(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, cfg_addr_bits(a) / 8) == 0;
}

bool cfg_addr_overlap(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a->prefix <= b->prefix ? cfg_addr_within(b, a) : cfg_addr_within(a, b);
}

const char *cfg_addr_text(const struct cfg_addr *addr, bool with_prefix, char *buf)
{
	if (cfg_addr_bits(addr) == 0 ||
		inet_ntop(addr->family, addr->bytes, buf, CFG_ADDR_TEXT) == NULL) {
		snprintf(buf, CFG_ADDR_TEXT, "any");
		return buf;
	}
	if (with_prefix) {
		size_t len = strlen(buf);

		snprintf(buf + len, CFG_ADDR_TEXT - len, "/%u", addr->prefix);
	}
	return buf;
}
