// SPDX-License-Identifier: BSD-3-Clause
// Moving to another path with the session alive: the reconfiguration state of the paper. Event loop
// only. Source: protocol.md 13; decisions.md C16, C17, C21, C22, C24.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "client/path.h"

struct vc_client;
struct vc_sock;

// How a server can be made to answer from a new address.
enum vc_probe {
	VC_PROBE_NONE, // not to be asked: the next data packet moves the session, if anything does
	VC_PROBE_PING, // a plain Ping, as a keep-alive one
	VC_PROBE_RECONF, // reconfiguration Ping
	VC_PROBE_OCC, // OCC REQUEST as P_DATA_V2: stock servers follow and answer
};

struct vc_mobility {
	bool active; // reconfiguration state: probing until evidence comes
	bool silent; // without a move: the downlink has gone quiet
	struct vc_sock *cand; // socket that is probed; may be the current one
	bool guess; // cand leads to an address that need not be this server's
	struct vc_sock *other; // probed beside it, in the other family; or NULL
	unsigned sent; // probes in this state
	uint64_t begun_us;
	uint64_t probe_us; // when the last probe went out
	uv_timer_t timer;
	uint64_t probes; // totals since the start of the process
	uint64_t answers; // Pings and OCC REPLYs that came shortly after a probe
	uint64_t moves; // proven changes of path
};

// What to send to a server. announced: it pushed `mobility`. v2: the session has a peer-id.
// aggressive: the profile's `mobility`. Pure.
enum vc_probe vc_probe_kind(bool announced, bool v2, bool aggressive);

int vc_mobility_init(struct vc_client *c);

// The path moved, or was lost, while a session is up.
void vc_mobility_moved(struct vc_client *c, const struct vc_path *path);
void vc_mobility_lost(struct vc_client *c);

// An authentic DATA message came over a socket. answer: it is a Ping or an OCC REPLY.
void vc_mobility_heard(struct vc_client *c, struct vc_sock *sock, bool answer);

// Called by the tick: looks for a downlink that has gone quiet.
void vc_mobility_tick(struct vc_client *c, uint64_t now_ms);

// Probe the current path at once (resume from sleep).
void vc_mobility_probe_now(struct vc_client *c);

// Leave the reconfiguration state without a result.
void vc_mobility_stop(struct vc_client *c);

// True while a move is being proven: control packets of the active session wait until then.
bool vc_mobility_busy(const struct vc_mobility *m);
