// SPDX-License-Identifier: BSD-3-Clause
// Addresses and prefixes of either family.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CFG_ADDR_TEXT 56 // longest text of an address with prefix, and its NUL

// An address, or a network when prefix is shorter than the family's length.
struct cfg_addr {
	uint16_t family; // AF_INET, AF_INET6; AF_UNSPEC (0) when not set
	uint8_t prefix; // bits: 0..32 or 0..128; a plain address has 32 or 128
	uint8_t bytes[16]; // network byte order; IPv4 uses the first four
};

// A UDP address of ours.
struct cfg_listen {
	struct cfg_addr addr; // all bytes zero: every address of the family
	uint16_t port; // host byte order
};

// Parse a numeric address (no names). Returns 0 or -EINVAL.
int cfg_addr_parse(const char *text, struct cfg_addr *ret_addr);

// Parse "address/bits"; without "/bits" it is a single address. Host bits are kept.
// Returns 0 or -EINVAL.
int cfg_prefix_parse(const char *text, struct cfg_addr *ret_addr);

// Parse an IPv4 netmask ("255.255.255.0") to its length in bits. Returns 0, or -EINVAL when it is
// no address or its bits aren't contiguous.
int cfg_netmask_parse(const char *text, uint8_t *ret_prefix);

// Address and netmask as two words. Returns 0 or -EINVAL.
int cfg_network_parse(const char *address, const char *netmask, struct cfg_addr *ret_addr);

// 32, 128, or 0 for an unset address.
unsigned cfg_addr_bits(const struct cfg_addr *addr);

// The netmask of a prefix as an address (bytes in network order; family as in addr).
struct cfg_addr cfg_addr_netmask(const struct cfg_addr *addr);

// addr with all bits behind its prefix cleared.
struct cfg_addr cfg_addr_network(const struct cfg_addr *addr);

// addr with all bits behind its prefix set (IPv4: the broadcast address).
struct cfg_addr cfg_addr_last(const struct cfg_addr *addr);

// addr + offset as a single address. Returns 0, or -ERANGE past the end of the family.
int cfg_addr_add(const struct cfg_addr *addr, uint64_t offset, struct cfg_addr *ret_addr);

// b - a, both of one family. Returns 0; -EINVAL when families differ; -ERANGE when b is below a
// or the distance doesn't fit 64 bits.
int cfg_addr_distance(const struct cfg_addr *a, const struct cfg_addr *b, uint64_t *ret_distance);

// Is addr within net (same family, same first net->prefix bits)?
bool cfg_addr_within(const struct cfg_addr *addr, const struct cfg_addr *net);

// Same family and bytes; the prefix isn't compared.
bool cfg_addr_equal(const struct cfg_addr *a, const struct cfg_addr *b);

// Do the two networks share an address?
bool cfg_addr_overlap(const struct cfg_addr *a, const struct cfg_addr *b);

// Text of the address, with "/bits" if with_prefix. buf has CFG_ADDR_TEXT bytes. Returns buf; an
// unset address gives "any".
const char *cfg_addr_text(const struct cfg_addr *addr, bool with_prefix, char *buf);
