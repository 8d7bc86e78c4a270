// SPDX-License-Identifier: BSD-3-Clause
// What is done to the IP packets inside the tunnel: the MSS option of TCP is lowered so that
// segments fit the outer path. Pure functions. Source: protocol.md 9.10.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/client.h"

// Lower the MSS option of a TCP SYN over IPv4 (mss bytes) or IPv6 (mss - 20). Everything else, and
// what is malformed or a later fragment, is left alone. mss 0: do nothing.
// Returns true when the packet was changed.
bool vc_mss_clamp(uint8_t *packet, size_t len, unsigned mss);

// Bytes of the longest datagram that `fragment` allows; 0: it isn't used. outer_ipv6: of the path.
uint16_t vc_fragment_max(const struct cfg_remote *remote, bool outer_ipv6);

// The MSS for TCP over IPv4 that `mssfix` asks for.
//
// overhead: vc_data_overhead(). outer_ipv6: family of the path. Returns 0 for no clamping.
unsigned vc_mss(
	const struct cfg_remote *remote, uint32_t tun_mtu, unsigned overhead, bool outer_ipv6);
