// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side of a port: does its interface exist, and with which offloads. Main and
// start-up.
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define DP_OFFLOADS 5

// What an interface's offloads were before we changed them. Plain data: it is written to
// dataplane.state, so that a restart after a kill still knows them.
struct dp_iface_saved {
	char iface[IFNAMSIZ]; // "": nothing was changed
	uint32_t was_on; // bit i: offload i of the table in iface.c was on
	uint32_t changed; // bit i: we switched it off
};

// Turn off what makes packets arrive that were never on a wire: checksum offload and segmentation
// towards the interface, receive offload from it. Each that the driver refuses is left alone.
// Returns 0 or -errno (no such interface, no right). *saved is what dp_iface_restore() needs.
int dp_iface_offloads_off(const char *iface, struct dp_iface_saved *ret_saved);

// Put back what was on. An interface that is gone meanwhile is fine.
void dp_iface_restore(const struct dp_iface_saved *saved);

// MTU and MAC address as the kernel has them. Returns 0 or -errno.
int dp_iface_mtu(const char *iface, uint16_t *ret_mtu);

// Bring an interface up. Returns 0 or -errno.
int dp_iface_up(const char *iface);
