// SPDX-License-Identifier: BSD-3-Clause
// All state of one client process, and the decisions that belong to no part alone: begin again,
// give up, leave. The event loop owns everything but what the data thread was given (engine.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "client/connect.h"
#include "client/engine.h"
#include "client/instance.h"
#include "client/link.h"
#include "client/mobility.h"
#include "client/nl.h"
#include "client/session.h"
#include "client/tunnel.h"
#include "client/watch.h"
#include "config/client.h"
#include "protocol/ssl/tls_ctx.h"

// User name and password, or the token that the server gave instead. Secret.
struct vc_creds {
	char user[256];
	char password[1024];
	char token[CFG_TOKEN_MAX];
	char token_user[256]; // user name that goes with the token, "" for the one above
	bool answered;
	char answer[512]; // to the static challenge
	char challenge[1200]; // answer to a dynamic challenge, for the next attempt
};

enum vc_phase {
	VC_PHASE_CONNECT, // resolving, waiting for a path or for the next attempt, handshake
	VC_PHASE_UP, // data flows
	VC_PHASE_LEAVE, // saying good-bye
};

struct vc_client {
	uv_loop_t loop;
	const struct cfg_client *cfg;
	struct ovpn_tls_ctx *tls;
	struct vc_creds creds;
	struct vc_nl nl;
	struct vc_instance instance;
	struct vc_engine *engine; // the data thread
	uv_async_t notes; // it has notes for us
	struct vc_link link;
	struct vc_watch watch;
	struct vc_connect connect;
	struct vc_session session;
	struct vc_mobility mobility;
	struct vc_tunnel tunnel;
	uv_signal_t sig_term, sig_int, sig_hup, sig_usr1, sig_usr2;
	uv_timer_t tick;
	uv_timer_t later; // begins again, out of the call that found the need
	uint64_t boot_offset_ms; // CLOCK_BOOTTIME - CLOCK_MONOTONIC at the last tick
	uint64_t last_rx_ms; // last authentic packet
	uint64_t last_rx_boot_ms; // the same, time asleep included
	uint64_t last_data_tx_ms; // last IP packet that was sent
	uint64_t last_tx_ms; // last datagram that was sent
	uint64_t last_payload_ms; // last IP packet in either direction, for `inactive`
	uint64_t payload_bytes; // of the data thread's counter, at that time
	uint64_t up_since_ms; // monotonic; 0: not up
	uint64_t leave_ms; // end of the good-bye
	uint64_t control_dropped;
	enum vc_phase phase;
	bool was_up; // the tunnel worked once in this process
	bool again_pending;
	bool offline; // there is no path now
	uint32_t again_delay_s;
	int status; // exit status
};

// Run a profile until the end. Returns the exit status of the process.
int vc_client_run(const struct cfg_client *cfg);

// End the session and connect anew after a pause: at least delay_s seconds (0: the usual
// back-off). The tunnel device stays, so that nothing leaks meanwhile. why is for people.
void vc_client_again(struct vc_client *c, const char *why, uint32_t delay_s);

// The same after a failed TLS handshake: with no other server to try, and if the tunnel has never
// worked, the client ends with status 1.
void vc_client_tls_failed(struct vc_client *c, const char *why);

// End with status 1.
void vc_client_fatal(struct vc_client *c, const char *why);

// Leave in peace: tell the server if that is configured, then end.
void vc_client_leave(struct vc_client *c, int status);

// The session has its keys and c->session.pushed: set up the tunnel.
void vc_client_up(struct vc_client *c);

// The first authentic packet of a peer with a static key is what a handshake is for others: the
// tunnel is said to be up. Does nothing later, and without a static key.
void vc_client_heard(struct vc_client *c);

// An authentic packet came.
void vc_client_alive(struct vc_client *c);

// Time asleep included, ms.
uint64_t vc_boot_ms(void);
