// SPDX-License-Identifier: BSD-3-Clause
// Addresses as text, and addresses of kernel interfaces over netlink. Main and start-up.
#pragma once

#include <stdint.h>

#include "shm/layout.h"

#define DP_ADDRESS_TEXT 48

// Text of an address; buf has DP_ADDRESS_TEXT bytes. Returns buf, "none" for an empty address.
const char *dp_address_text(const struct shm_addr *addr, char *buf);

// Give an interface an address with its prefix. An address that it has already is fine. Needs
// CAP_NET_ADMIN. Returns 0 or -errno.
int dp_address_add(unsigned ifindex, const struct shm_addr *addr, uint8_t prefix_len);

// Set an interface's MTU in bytes and bring it up. Needs CAP_NET_ADMIN. Returns 0 or -errno.
int dp_address_link(unsigned ifindex, uint16_t mtu);

// Ask the kernel to find the MAC address of a neighbour, as if it wanted to send to it; the answer
// comes as an event. Needs CAP_NET_ADMIN. Returns 0 or -errno.
int dp_address_resolve(unsigned ifindex, const struct shm_addr *addr);

// Open the socket that these use, before privileges are dropped. Returns 0 or -errno.
int dp_address_open(void);
void dp_address_close(void);
