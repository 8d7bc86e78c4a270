// SPDX-License-Identifier: BSD-3-Clause
// Gives an interface an address and a default route, as a DHCP client does at a hotspot.
#pragma once

#include <stdint.h>

// iface: name; address: "192.0.2.7/24"; gateway: "192.0.2.1".
// ret_ns: monotonic time at which the kernel had confirmed the address.
// Returns 0 or -errno.
int pg_join(const char *iface, const char *address, const char *gateway, uint64_t *ret_ns);
