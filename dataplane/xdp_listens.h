// SPDX-License-Identifier: BSD-3-Clause
// What the XDP program and the dataplane share: the UDP addresses that are ours. Included by BPF
// code as well, so it has kernel types only.
#pragma once

#include <linux/types.h>

#define DP_XDP_LISTENS 16
#define DP_XDP_TUNNELS 4096

struct dp_xdp_listen {
	__u16 family; // 4 or 6
	__be16 port;
	__u32 any; // 1: every address of the interface
	__u8 addr[16]; // network order; IPv4 in the first four bytes
};

// One element of an array map, which the dataplane maps into its memory.
struct dp_xdp_listens {
	__u32 n;
	__u32 addrs;
	struct dp_xdp_listen listen[DP_XDP_LISTENS];
	// Static-key tunnels. Their addresses each once, for fragments, the first so many of them;
	// by port in network order the index in tunnel plus 1; and the tunnels.
	struct dp_xdp_listen addr[DP_XDP_LISTENS];
	__u16 of_port[65536];
	struct dp_xdp_listen tunnel[DP_XDP_TUNNELS];
};
