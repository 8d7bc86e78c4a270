// SPDX-License-Identifier: BSD-3-Clause
// One peer: the control channel of one pair of session ids, its current negotiation, and, once it
// is connected, the slot of its session. Everything here belongs to the event loop; the TLS
// connection alone is lent to a TLS thread while tls->busy.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/auth.h"
#include "control/format.h"
#include "control/hash.h"
#include "control/log.h"
#include "control/push_build.h"
#include "control/table.h"
#include "control/tls_pool.h"
#include "protocol/cipher.h"
#include "protocol/tls/channel.h"
#include "protocol/tls/keys.h"
#include "protocol/tls/negotiation.h"
#include "shm/message.h"
#include "shm/record.h"

struct ctl;
struct ctl_command;
struct ctl_grant;
struct ctl_visit;
struct shm_session_info;

#define CTL_TLS_INPUT_MAX 65536u // bytes of the peer in one handshake (decisions.md C13)
#define CTL_CLOSE_MS 5000u // how long a peer that was told to go is kept
#define CTL_EXIT_MS 1000u // ... and one that said good-bye itself, whose EXIT may come twice
#define CTL_PUSH_AGAIN_MS 30000u // PUSH_REQUESTs within this time of a reply are ignored

enum ctl_peer_state {
	CTL_PEER_HANDSHAKE, // first negotiation, no session yet
	CTL_PEER_INSTALLING, // the dataplane makes the session
	CTL_PEER_CONNECTED, // has a session
	CTL_PEER_CLOSING, // was told to go; the session ends at close_ms
	CTL_PEER_DEAD, // waits only for what still points here
};

enum ctl_peer_flag {
	CTL_PEER_NCP = 1u << 0, // the cipher is pushed
	CTL_PEER_PUSHED = 1u << 1, // a PUSH_REPLY was sent in this pair of session ids
	CTL_PEER_WANTS_PUSH = 1u << 2, // PUSH_REQUEST came, or the client expects no request
	CTL_PEER_ADOPTED = 1u << 3, // taken over from an earlier control, no TLS since
	CTL_PEER_HALF_OPEN = 1u << 4, // counted in table.half_open
	CTL_PEER_STATEFUL = 1u << 5, // tls-crypt-v2 client of 2.5 (decisions.md C12)
	CTL_PEER_GHOST = 1u << 6, // a first handshake that an earlier control lost
};

// Who it is, as the certificate says.
struct ctl_identity {
	bool has_cert;
	char cn[OVPN_TLS_CN_MAX]; // of the session: the certificate's, or the user's name
	char serial[OVPN_TLS_SERIAL_MAX]; // hex
	uint8_t chain_hash[32];
};

// One of the two data keys of a session.
struct ctl_key {
	bool valid;
	uint8_t key_id;
	uint32_t age;
	uint64_t made_ms; // when its negotiation began, monotonic
	uint64_t retire_ms; // when it is to be wiped; 0: not planned
};

// The TLS connection of one negotiation.
struct ctl_tls {
	struct ctl_tls_job job; // lent to a TLS thread, or being taken back, while busy
	struct ctl *ctl;
	struct ctl_peer *peer; // NULL: nobody waits any more, free it when it comes back
	bool busy;
	bool ready; // handshake done
	struct ctl_bytes in; // arrived while busy
	struct ctl_bytes messages; // to write, queued while busy
	struct ctl_bytes out; // not taken by the channel yet
	uint64_t used_ms; // last use, for dropping the connections of the most idle sessions
};

enum ctl_nego_step {
	CTL_NEGO_TLS, // handshake, waits for key-method-2
	CTL_NEGO_AUTH, // a program decides about the client
	CTL_NEGO_HOOK, // client-connect and learn-address do, of a session that has its place
	CTL_NEGO_FAREWELL, // waits until programs have been told of the end of an earlier session
	CTL_NEGO_PLACE, // waits until the session that it replaces is removed
	CTL_NEGO_KEYS, // the dataplane installs the keys
	CTL_NEGO_ANSWER, // our key-method-2 is being written
	CTL_NEGO_REFUSED, // our key-method-2 and AUTH_FAILED are on their way
	CTL_NEGO_DONE, // committed; only acknowledgements are missing
};

// A negotiation under way; freed when it is done and everything is acknowledged.
struct ctl_nego {
	struct ovpn_negotiation bufs;
	enum ctl_nego_step step;
	uint64_t started_ms;
	uint64_t input; // bytes of TLS received
	bool first; // of this pair of session ids: key id 0
	unsigned waiting; // commands not yet acknowledged
	bool deferred; // keys wait until transmission has left their key slot
	int failed; // first error of these
	uint8_t which; // key slot that the new key goes to
	uint32_t age;
	struct ctl_peer *peer; // whose it is
	bool waits; // step PLACE: found in ctl->waiting by old_slot
	uint32_t old_slot; // of that session
	UT_hash_handle hh;
	struct ctl_peer *takes_over; // in-place reset: the session whose slot it gets
	struct ctl_auth *auth; // step AUTH, else NULL
	char cert_cn[OVPN_TLS_CN_MAX]; // as the certificate says
	struct ctl_bytes cert_env; // the client's certificates as variables for programs
	uint64_t deadline_ms; // step AUTH: end of the time that a program asked for; 0: hand-window
	bool answered; // our key-method-2 was written while a program decides
	struct ctl_bytes answer; // our key-method-2 message, until it may be sent
	char suite[64]; // "TLSv1.3 TLS_AES_256_GCM_SHA384"
	bool exported;
	struct ovpn_data_keys keys; // until they are committed
	uint8_t data_keys[256];
	uint8_t dynamic_key[256];
};

struct ctl_peer {
	struct ctl_peer_key key;
	bool keyed; // in the table by it
	struct ctl_peer *name_prev, *name_next; // same common name
	struct ctl_name *name;
	uint32_t place_hash; // of name and endpoint; valid while it has a name
	struct ctl_peer *active_prev, *active_next; // looked at every tick
	struct ctl_peer *dead_next; // waits for the end of the round
	struct ctl_peer *heir; // in-place reset: who is about to take its slot; it says takes_over
	struct ctl_command *commands; // whose answers it waits for
	bool active;
	bool touched; // in ctl->touched

	enum ctl_peer_state state;
	uint32_t flags; // enum ctl_peer_flag
	struct shm_endpoint endpoint; // where it is, as far as the events tell
	uint16_t worker; // whose ring its last packet came from
	struct ovpn_channel ch;
	struct ctl_nego *nego;
	struct ctl_tls *tls; // of the newest negotiation, also after it; NULL: none is kept
	struct ovpn_wrap_keys *base; // tls-crypt-v2: its own keys; else NULL
	struct ovpn_wrap_keys *dynamic;
	struct ovpn_static_key *kc; // until the dynamic key is made; else NULL
	enum shm_record_wrap wrap;

	uint32_t slot; // SHM_SLOT_NONE before it has one
	uint16_t generation;
	struct ctl_identity id;
	struct ctl_user user;
	struct ctl_visit *visit; // what programs know of it; NULL: there are none
	struct ctl_grant *grant; // what policy gave it: addresses, options
	struct shm_addr tunnel4;
	struct shm_addr tunnel6;
	uint32_t iv_proto;
	unsigned agreed; // enum ctl_push_agreed
	struct ctl_format format; // of its data packets
	uint8_t primary; // key slot of the newest key
	uint32_t age; // newest age used
	struct ctl_key keys[SHM_KEY_SLOTS];
	uint64_t created_ms;
	uint64_t connected_ms;
	uint64_t connected_wall_s;
	uint64_t pushed_ms;
	uint64_t reneg_ms; // next renegotiation; CTL_NEVER
	uint64_t reneg_bytes_at; // bytes of the session when the newest key was made
	uint64_t reneg_packets_at;
	uint64_t idle_since_ms; // when it had last carried enough for `inactive`; 0: not looked yet
	uint64_t idle_bytes_at; // bytes of the session then
	uint64_t close_ms; // state CLOSING
	uint64_t takeover_ms; // last in-place reset
	uint32_t parked; // entry of the parking place, SHM_SLOT_NONE: none
	uint32_t parked_next; // next message id when it was written
	uint32_t record_sequence;
	uint32_t shaking; // entry of the list of handshakes, SHM_SLOT_NONE: none
	uint64_t abort_next_ms; // next alert for a lost negotiation
	uint64_t abort_until_ms; // last one; 0: none is sent
	const char *why; // reason of closing, for the log; a literal
};

// ---- Life (peer.c) ---------------------------------------------------------------------------

// A new peer with a channel that is initialised by the caller. Returns NULL with errno.
struct ctl_peer *ctl_peer_create(struct ctl *ctl, const struct shm_endpoint *endpoint);

// Take a peer out of every table; its memory goes at the end of the round, so that whoever works on
// it may go on. Its session in the dataplane is not touched.
void ctl_peer_drop(struct ctl *ctl, struct ctl_peer *peer);

// Free what was dropped; at the end of a round.
void ctl_peer_reap(struct ctl *ctl);

// Begin a negotiation: buffers and a fresh TLS connection. Returns 0 or -ENOMEM.
int ctl_nego_begin(struct ctl *ctl, struct ctl_peer *peer, bool first);

// Give up what it waits for of another session: to take it over, or its end.
void ctl_nego_let_go(struct ctl *ctl, struct ctl_peer *peer);

// End it: buffers go, keys are wiped; the TLS connection stays for texts unless it never got ready.
void ctl_nego_end(struct ctl *ctl, struct ctl_peer *peer);

// Free the buffers that are kept for the next ones; at the end of the program.
void ctl_nego_spares_free(struct ctl *ctl);

// Buffers for a channel that has none: for a message outside of a negotiation. Returns 0, -ENOMEM.
int ctl_nego_attach(struct ctl *ctl, struct ctl_peer *peer);

// Look at this peer in the next ticks.
void ctl_peer_activate(struct ctl *ctl, struct ctl_peer *peer);

// Have what a sweep looks at come near; NULL is fine.
static inline void ctl_peer_fetch(const struct ctl_peer *peer)
{
	if (peer == NULL)
		return;
	__builtin_prefetch(&peer->state);
	__builtin_prefetch(&peer->nego);
	__builtin_prefetch(&peer->primary);
	__builtin_prefetch(&peer->reneg_ms);
}

// A datagram of this peer; in peer_rx.c.
void ctl_peer_recv(
	struct ctl *ctl, struct ctl_peer *peer, const struct shm_punt *punt, uint16_t worker);

// Pump this peer at the end of the round's datagrams, once for all that came from it.
void ctl_peer_touch(struct ctl *ctl, struct ctl_peer *peer);
void ctl_peer_pump_touched(struct ctl *ctl);

// Move everything that can move: received bytes to TLS, TLS bytes to the channel, the record, then
// datagrams to the dataplane. May free nothing.
void ctl_peer_pump(struct ctl *ctl, struct ctl_peer *peer);

// Every 100 ms for active peers: retransmissions and time-outs. May drop the peer.
void ctl_peer_tick(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms);

// Write a text message ("RESTART,[P]") if TLS is there. Returns 0, -ENOTCONN, -ENOMEM.
int ctl_peer_say(struct ctl *ctl, struct ctl_peer *peer, const char *text);

// Bring the record of a connected peer up to date; peers without a slot have none.
void ctl_peer_save(struct ctl *ctl, struct ctl_peer *peer);

// One log line: sentence and further key=value, to which peer=, session=, addr= are added.
void ctl_peer_log(enum ctl_level level, const struct ctl_peer *peer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// Text of an endpoint, "192.0.2.1:1194" or "[2001:db8::1]:1194". buf: CTL_ENDPOINT_TEXT bytes.
#define CTL_ENDPOINT_TEXT 56
const char *ctl_endpoint_text(const struct shm_endpoint *endpoint, char *buf);
const char *ctl_addr_text(const struct shm_addr *addr, char *buf);

// ---- Ends of a session (close.c) -------------------------------------------------------------

// Say `text` (NULL: nothing) and remove the session after a while; why, a literal, is for the log.
void ctl_peer_close(struct ctl *ctl, struct ctl_peer *peer, const char *text, const char *why);

// Remove the session and the peer now; its memory goes at the end of the round.
void ctl_peer_remove(struct ctl *ctl, struct ctl_peer *peer, const char *why);

// Remove it because its client has a newer session; one that was closing ends for the reason it
// had.
void ctl_peer_replaced(struct ctl *ctl, struct ctl_peer *peer);

// Counters of its session; all zero when they can't be read.
void ctl_peer_counters(
	const struct ctl *ctl, const struct ctl_peer *peer, struct shm_session_info *ret_info);

// Have the dataplane remove a session; its slot rests and is then free again.
void ctl_session_remove(struct ctl *ctl, uint32_t slot, uint16_t generation);

// Close the handshake that was about to take over this session, if there is one.
void ctl_peer_abandon(struct ctl *ctl, struct ctl_peer *old);

// Take the data keys of a session away at once: nothing is accepted from it any more.
void ctl_peer_drop_keys(struct ctl *ctl, struct ctl_peer *peer);

// Take the data keys away at once and close: the peer isn't who it was.
void ctl_peer_deauthenticate(struct ctl *ctl, struct ctl_peer *peer, const char *why);

// Once in a while for every session: has it been idle too long, or lasted long enough? May drop
// the peer. In limits.c.
void ctl_limits_sweep(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms);

// ---- Negotiation (nego.c, connect.c) ---------------------------------------------------------

// TLS has done something; in nego.c.
void ctl_nego_tls_done(struct ctl_tls_job *job);

// The negotiation of a peer is over without success; in nego.c.
void ctl_nego_failed(struct ctl *ctl, struct ctl_peer *peer, const char *why);

// Let go of the TLS connection; in nego.c.
void ctl_tls_drop(struct ctl *ctl, struct ctl_peer *peer);

// Queue a message for TLS. Returns 0, -ENOTCONN without TLS, -ENOMEM.
int ctl_tls_message(struct ctl_peer *peer, const void *message, size_t len);

// The client's key-method-2 of the current negotiation; in connect.c.
void ctl_connect_key_method(
	struct ctl *ctl, struct ctl_peer *peer, const uint8_t *message, size_t len);

// The client is who it says, or not: reason is what it is told after AUTH_FAILED, NULL for nothing;
// why is for the log. In connect.c; auth.c calls them.
void ctl_connect_admitted(struct ctl *ctl, struct ctl_peer *peer);
void ctl_connect_denied(
	struct ctl *ctl, struct ctl_peer *peer, const char *reason, const char *why);
void ctl_connect_denied_for_now(struct ctl *ctl, struct ctl_peer *peer, const char *reason);

// A program decides, which may take time: the client of a first negotiation has our key-method-2
// meanwhile. step: what the negotiation is in from now on. In connect.c.
void ctl_connect_waits(struct ctl *ctl, struct ctl_peer *peer, enum ctl_nego_step step);

// Programs have nothing against the session: install it. In connect.c; visit.c calls it.
void ctl_connect_welcomed(struct ctl *ctl, struct ctl_peer *peer);

// Go on if no farewell is waited for any more (step FAREWELL). In connect.c.
void ctl_connect_farewell_over(struct ctl *ctl, struct ctl_peer *peer);

// Our answer is in the TLS stream: keys count from now on. In connect_commit.c.
void ctl_connect_commit(struct ctl *ctl, struct ctl_peer *peer);

// A slot is free again: who waited for that goes on. In connect.c.
void ctl_connect_place_free(struct ctl *ctl, uint32_t slot);

// Install what was deferred, if its time has come. In connect.c.
void ctl_connect_resume(struct ctl *ctl, struct ctl_peer *peer);

// The key slot that the dataplane encrypts with, which must not be overwritten; 0xff: none yet.
uint8_t ctl_connect_sending(struct ctl *ctl, const struct ctl_peer *peer);

// Write a PUSH_REPLY if it is time for one. In connect_commit.c.
void ctl_connect_push(struct ctl *ctl, struct ctl_peer *peer);

// Send the install command of a peer that has a slot, also to put back the session ids of one that
// was to be taken over. wait: its acknowledgement counts for the negotiation. In connect.c.
int ctl_connect_install(struct ctl *ctl, struct ctl_peer *peer, bool wait);

// ---- Restart (park.c, adopt.c) ---------------------------------------------------------------

// Keep copies of the packets that the client hasn't acknowledged, so that they can be sent again
// without TLS state. Before the record is saved.
void ctl_park(struct ctl *ctl, struct ctl_peer *peer);

// Send the parked packets of an adopted session. Returns 0, or a negative errno when there are
// none.
int ctl_unpark(struct ctl *ctl, struct ctl_peer *peer, uint32_t index);

// End a negotiation whose TLS state is lost by fatal alerts, now and a few times more.
void ctl_abort_negotiation(struct ctl *ctl, struct ctl_peer *peer);

// ---- Rekeying (rekey.c) ----------------------------------------------------------------------

// Begin a soft reset of ours. Returns 0, -EAGAIN when the peer isn't ready for one, -ENOMEM.
int ctl_rekey_start(struct ctl *ctl, struct ctl_peer *peer, const char *why);

// Go on with a negotiation that was under way when an earlier control ended, if nothing of its TLS
// handshake had happened. Returns 0, -EINVAL when TLS state is missing, -ENOMEM.
int ctl_rekey_resume(struct ctl *ctl, struct ctl_peer *peer);

// Would a renegotiation have its user asked for a password, as there is no token instead?
bool ctl_rekey_asks(const struct ctl_peer *peer);

// Plan the next one after a key was committed, or a negotiation failed.
void ctl_rekey_plan(struct ctl *ctl, struct ctl_peer *peer);

// The peer's reset of a next negotiation has come. It has forgotten all keys but the newest one, so
// transmission goes over to that at once, also before its time (protocol.md 11.3: both keys that
// it holds are then the newest and the one being made).
void ctl_rekey_retire(struct ctl *ctl, struct ctl_peer *peer);

// The negotiation is over and everything acknowledged: in-place resets drop the keys of the session
// that they replaced.
void ctl_rekey_settled(struct ctl *ctl, struct ctl_peer *peer);

// Once in a while for every connected peer: is a renegotiation or a key's end due?
void ctl_rekey_sweep(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms);
