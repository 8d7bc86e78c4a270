// SPDX-License-Identifier: BSD-3-Clause
// The inside of the tunnel: device, addresses, routes, name servers; when the data thread takes
// packets from the device. Event loop only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/dns.h"
#include "client/plan.h"
#include "client/tun.h"

struct vc_client;

struct vc_tunnel {
	struct vc_tun tun;
	struct vc_plan *plan; // in force
	struct vc_plan *next;
	bool applied;
	struct vc_dns dns;
	bool reading; // packets are taken from the device
	uint64_t paused_ms; // since when they aren't, for want of a path
};

int vc_tunnel_init(struct vc_client *c);

// Packets go out in another family's datagrams from now on: what TCP may fill changes.
void vc_tunnel_resize(struct vc_client *c, uint16_t family);

// Bring device, addresses and routes to what was pushed; what is right already stays as it is.
// Returns 0 or -errno with the reason logged.
int vc_tunnel_up(struct vc_client *c);

// The session's datagrams take another path from now on, or are tried on one beside: rules that
// depend on that follow.
void vc_tunnel_path(struct vc_client *c);

// Take everything back.
void vc_tunnel_down(struct vc_client *c);

// Stop and go on taking packets from the device: while there is no path they wait there, for a
// short while, instead of being lost.
void vc_tunnel_pause(struct vc_client *c);
void vc_tunnel_resume(struct vc_client *c);
void vc_tunnel_tick(struct vc_client *c, uint64_t now_ms);

// Send a message of our own: a keep-alive Ping, or an OCC message. Returns 0 or -errno.
int vc_tunnel_ping(struct vc_client *c);
int vc_tunnel_occ_exit(struct vc_client *c);
