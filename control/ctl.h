// SPDX-License-Identifier: BSD-3-Clause
// The whole of visp-control: one event loop owns everything in here; TLS work alone is done by
// other threads (tls_pool.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "control/command.h"
#include "control/first.h"
#include "control/link.h"
#include "control/record.h"
#include "control/slots.h"
#include "control/table.h"
#include "control/token.h"
#include "control/visit.h"
#include "protocol/ncp.h"
#include "protocol/tls/channel.h"
#include "protocol/tls/cookie.h"
#include "protocol/tls/stateless.h"
#include "protocol/tls/wrap.h"

struct cfg_server;
struct ctl_hooks;
struct ctl_mgmt;
struct ctl_nego;
struct ctl_peer;
struct ctl_policy;
struct ctl_tls_pool;
struct ctl_tunnel;
struct ovpn_tls_ctx;

// What happened since the start; the loop writes, vispctl shows.
struct ctl_counters {
	uint64_t handshakes; // first negotiations that led to a session
	uint64_t in_place; // of these, those that took over a session at the same address
	uint64_t renegotiations; // completed
	uint64_t renegotiations_failed;
	uint64_t tls_failed; // first negotiations that TLS ended
	uint64_t refused; // AUTH_FAILED was said
	uint64_t handovers; // endpoints that moved
	uint64_t timeouts; // sessions removed for silence
	uint64_t inactive; // sessions ended by `inactive`
	uint64_t session_timeouts; // ... and by `session-timeout`
	uint64_t exits; // sessions that said good-bye
	uint64_t adopted; // sessions taken over from an earlier process
	uint64_t aborted; // lost handshakes that were ended by an alert
	uint64_t stale_messages; // ring messages about a session that is gone
	uint64_t bad_messages; // ring messages that their check refused
	uint64_t inject_full; // datagrams lost to a full inject ring; they are sent again
};

// Keys of the control channel's wrapping, for all sessions; loaded once.
struct ctl_wrap_keys {
	bool tls_auth_set;
	bool tls_crypt_set;
	bool v2_set;
	struct ovpn_wrap_keys tls_auth;
	struct ovpn_wrap_keys tls_crypt;
	struct ovpn_static_key tls_auth_key; // for the dynamic key (protocol.md 11.4)
	struct ovpn_static_key tls_crypt_key;
	struct ovpn_v2_server_key v2;
};

// Peers that datagrams came from in this round.
#define CTL_TOUCHED_MAX 64u
struct ctl_touched {
	struct ctl_peer *peer[CTL_TOUCHED_MAX]; // NULL: dropped since
	unsigned n;
};

// Buffers of negotiations that are over, all zero: 30 KiB each that a new one would have the kernel
// find and clear again.
#define CTL_NEGO_SPARES 64u
struct ctl_nego_spares {
	struct ctl_nego *nego[CTL_NEGO_SPARES];
	unsigned n;
};

struct ctl {
	uv_loop_t *loop;
	const struct cfg_server *cfg;
	struct ovpn_tls_ctx *tls_ctx;
	struct ctl_tls_pool *tls_pool;
	struct ctl_policy *policy;
	struct ctl_mgmt *mgmt;
	struct ctl_hooks *hooks; // helper processes; NULL: none is needed
	struct ctl_token_rules token_rules;
	bool token_key_own; // no file has the key: it is kept for the next control
	struct ctl_wrap_keys wrap;
	struct ovpn_stateless stateless;
	struct ovpn_channel_config channel4; // outer path over IPv4
	struct ovpn_channel_config channel6;
	struct ovpn_ncp_list ciphers;
	struct ctl_link link;
	struct ctl_commands commands;
	struct ctl_slots slots;
	struct ctl_table table;
	struct ctl_records records;
	struct ctl_first first;
	struct ctl_visits visits;
	struct ctl_tunnel *tunnels; // cfg->n_tunnels of them, or NULL
	struct ctl_counters count;
	struct ctl_peer *active; // looked at every tick
	struct ctl_touched touched;
	struct ctl_nego_spares spares;
	struct ctl_nego *waiting; // for the end of another session, by its slot
	uint32_t tls_kept; // TLS connections that exist
	unsigned tls_shard; // of the next one
	struct ctl_peer *dead; // freed at the end of the round
	char options[512]; // options string for clients whose cipher isn't in it
	uint64_t started_wall_s;
	uint64_t policy_next_ms; // when the policy's files are looked at again
	uint32_t sweep_slot; // whose turn is next
	uint32_t revoke_slot; // from here on sessions aren't compared with the newest CRL yet
	uv_timer_t tick; // retransmissions, rekeying, time-outs
	uv_signal_t sigterm;
	uv_signal_t sigint;
	uv_signal_t sighup;
	bool stopping; // SIGTERM came: no new sessions
	uint64_t stop_at_ms; // when it ends at the latest
	uint64_t farewell_ms; // ... and with programs that are told of sessions; 0: not yet
	int exit_status;
};

// Start the timer that looks at peers and sessions. In timer.c. Returns 0 or a negative errno.
int ctl_timer_start(struct ctl *ctl);

// SIGTERM: tell the clients, remove the sessions, end the loop. In stop.c.
void ctl_stop_begin(struct ctl *ctl);
void ctl_stop_tick(struct ctl *ctl, uint64_t now_ms);
