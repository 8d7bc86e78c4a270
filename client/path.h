// SPDX-License-Identifier: BSD-3-Clause
// The path to the server: which link, gateway and source address its packets take, and what in the
// kernel's messages means that it changed. Pure functions over netlink messages; nl.c asks the
// kernel and watch.c listens. Source: decisions.md C21; protocol.md 13.10.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/addr.h"

#define VC_MAC_LEN 6

struct nlmsghdr;

struct vc_path {
	uint16_t family; // AF_UNSPEC: there is no path
	int ifindex;
	struct cfg_addr gateway; // AF_UNSPEC: the server is on the link
	struct cfg_addr source;
	bool mac_known;
	uint8_t mac[VC_MAC_LEN]; // of the gateway, or of the server on the link
	// How often the link lost its carrier or the address was taken away since the client began:
	// two hotspots may give the same address and gateway, and only this tells them apart.
	uint32_t generation;
};

// What a netlink message means for the path in use; several bits at once.
enum vc_path_hint {
	VC_HINT_ASK = 1u << 0, // routes may have changed: ask for the path again
	VC_HINT_BROKEN = 1u << 1, // the link or the address of the path in use is gone
	VC_HINT_MAC = 1u << 2, // the gateway answers with another link-layer address
};

enum vc_path_verdict {
	VC_PATH_SAME,
	VC_PATH_MOVED, // open a socket on the new path
	VC_PATH_LOST, // no path now: wait for the next event
};

// What the kernel's messages are judged against.
struct vc_path_state {
	struct vc_path path; // in use, or last used
	uint32_t generation; // of paths that are found from now on
	int tun_ifindex; // our own tunnel: its events mean nothing, its routes are no path
};

// Read the answer to RTM_GETROUTE. tun_ifindex: a route into it counts as no path.
// Returns 0, -ENETUNREACH when the route leads nowhere or into the tunnel, -EBADMSG when the
// message is malformed.
int vc_path_from_route(const struct nlmsghdr *nlh, int tun_ifindex, struct vc_path *ret_path);

// Judge one message of the watch socket; counts generation up when the path in use broke.
// Returns bits of enum vc_path_hint; 0 for messages that don't matter or are malformed.
unsigned vc_path_hint(struct vc_path_state *st, const struct nlmsghdr *nlh);

// Compare the path in use with the one found now (family AF_UNSPEC: none was found).
enum vc_path_verdict vc_path_judge(const struct vc_path *cur, const struct vc_path *now);

// "wlan0 10.0.0.7 via 10.0.0.1 (02:...)", for logs. Returns buf.
#define VC_PATH_TEXT 192
const char *vc_path_text(const struct vc_path *path, char *buf);
