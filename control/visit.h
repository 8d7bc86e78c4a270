// SPDX-License-Identifier: BSD-3-Clause
// What programs of the operator are told of a session, from its arrival to its farewell:
// client-connect, learn-address, client-disconnect. They run in the helper (hook.h), so that nobody
// else waits for them. Event loop only.
//
// A session's own programs run one after the other. Its addresses, and its name for the next
// session of the same client, are free only when its last program has ended: what a program undoes
// isn't what another has just done.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/addr.h"
#include "control/tls_pool.h"

struct ctl;
struct ctl_grant;
struct ctl_hook_message;
struct ctl_learned;
struct ctl_peer;
struct shm_session_info;

// One session as programs know it. There is none without such a program.
struct ctl_visit {
	struct ctl_peer *peer; // NULL: it has left
	struct ctl_visit *prev, *next; // in one of the lists below
	struct ctl_bytes env; // known since its log-in; of one that has left, all for the farewell
	char *config; // what client-connect has written; NULL: nothing
	uint64_t since_s; // unix time of its arrival
	uint64_t since_ms; // monotonic
	bool arriving; // between its log-in and its session: in that list
	bool blocked; // an address isn't free yet, looked at again in the next tick
	bool asked; // a program is at work for it
	bool connected; // client-connect has said yes: client-disconnect is due
	size_t learned; // of its addresses, those that learn-address was told of, from the first on
	size_t deleted; // ... and of these, those that it was told to forget
	struct ctl_grant *grant; // of one that has left, else NULL: the peer has it
	char cn[OVPN_TLS_CN_MAX]; // of one that has left
};

struct ctl_visits {
	struct ctl_visit *arriving;
	struct ctl_visit *leaving;
	struct ctl_learned *learned; // addresses and whose they are, a hash
	unsigned asked; // programs at work for those that leave
	bool closed; // this control ends: nobody is told any more
};

// ---- Arrival (visit.c) -----------------------------------------------------------------------

// A log-in has succeeded: begin the visit of peer, with the variables that are known, which are
// taken over. Returns 0 or -ENOMEM.
int ctl_visit_begin(struct ctl *ctl, struct ctl_peer *peer, struct ctl_bytes *env);

// The peer has its place: ask client-connect, apply what it has written, and learn-address. Ends in
// ctl_connect_welcomed(), at once where nothing is to be asked, or ctl_connect_denied().
void ctl_visit_ask(struct ctl *ctl, struct ctl_peer *peer);

// The session counts from now on.
void ctl_visit_commit(struct ctl *ctl, struct ctl_peer *peer);

// An in-place reset: the visit of the old session goes on in the new one.
void ctl_visit_inherit(struct ctl *ctl, struct ctl_peer *peer, struct ctl_peer *old);

// A session of an earlier control goes on: its variables, and what client-connect had written.
void ctl_visit_restore(struct ctl *ctl, struct ctl_peer *peer);

// End those of the same client that are still arriving, as it has come again. Returns the slot of
// one of them, SHM_SLOT_NONE when there was none.
uint32_t ctl_visits_replace(struct ctl *ctl, const struct ctl_peer *peer);

// ---- Farewell (visit_leave.c) ----------------------------------------------------------------

// The session ends, or never began: have client-disconnect and learn-address told. While its
// counters can still be read. Takes the grant where they are.
void ctl_visit_leave(struct ctl *ctl, struct ctl_peer *peer);

// Is a session of that name still saying farewell?
bool ctl_visits_leaving(const struct ctl *ctl, const char *cn);

// Start programs for those that leave, as many as may be at work.
void ctl_visits_run(struct ctl *ctl);

// Every 100 ms, in visit.c: go on with those that had to wait.
void ctl_visits_tick(struct ctl *ctl);

// Tell nobody any more, free what is left of those that have gone. Peers may still be dropped.
void ctl_visits_close(struct ctl *ctl);

// Free one; what runs for it ends.
void ctl_visit_free(struct ctl *ctl, struct ctl_visit *visit);

// ---- Addresses (visit_learn.c) ---------------------------------------------------------------

// Its address number i: the tunnel's, then networks behind the client. Returns false behind the
// last.
bool ctl_visit_address(const struct ctl_grant *grant, size_t i, struct cfg_addr *ret_addr);

// Text of it as learn-address gets it: "10.8.0.2", "192.168.5.0/24". buf: CFG_ADDR_TEXT bytes.
const char *ctl_visit_address_text(const struct cfg_addr *addr, char *buf);

// Whose it is, or NULL.
struct ctl_visit *ctl_visit_owner(const struct ctl *ctl, const struct cfg_addr *addr);

// Claim a free one. Returns 0 or -ENOMEM.
int ctl_visit_claim(struct ctl *ctl, struct ctl_visit *visit, const struct cfg_addr *addr);

// Give it back, if it is this one's.
void ctl_visit_unclaim(struct ctl *ctl, struct ctl_visit *visit, const struct cfg_addr *addr);

// Give all of them back.
void ctl_visit_unclaim_all(struct ctl *ctl, struct ctl_visit *visit, const struct ctl_grant *grant);

// ---- Variables (visit_env.c) -----------------------------------------------------------------

// Append all variables of a session that is arriving or there. Returns 0 or -ENOMEM.
int ctl_visit_env(struct ctl *ctl, const struct ctl_visit *visit, struct ctl_bytes *env);

// Append what is known only at its end. info: its counters. Returns 0 or -ENOMEM.
int ctl_visit_env_end(const struct ctl_visit *visit, const struct shm_session_info *info,
	uint64_t now_ms, struct ctl_bytes *env);
