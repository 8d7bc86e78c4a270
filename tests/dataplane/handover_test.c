// SPDX-License-Identifier: BSD-3-Clause
// Sessions that move: who is believed, who is answered, and what happens when the new address
// belongs to another worker's queue. Source: protocol.md 13; decisions.md D4, D12, C9, C16.
// Long because each test is one sentence of those pages.
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/index_addr.h"
#include "dataplane/path.h"
#include "harness.h"
#include "protocol/ping.h"
#include "tests/gtc.h"

#define NEW 0xcb00710au // 203.0.113.10, the next hotspot
#define OTHER 0xcb00710bu
#define OUTSIDE 0xc0000263u

static unsigned owner(struct h *h, uint32_t slot)
{
	return atomic_load(&h->core.dir[slot].owner);
}

static void skip_events(struct h *h)
{
	struct shm_event ev;

	for (uint16_t i = 0; i < h->core.workers; i++) {
		while (h_event(h, i, &ev))
			;
	}
}

// A plain data packet from elsewhere: the lazy way of P_DATA_V2. Nothing is answered.
GTC_TEST(handover, float_v2)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t inner[100], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	struct shm_event ev;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	skip_events(h);
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 100, false);
	h_outer(h, 0, NEW, 5555, wire, h_seal(&c, inner, 100, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 5555));
	GTC_EXPECT_INT(h_inner_out(h, got), 100);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), 1);
	GTC_EXPECT_INT(atomic_load(&h->core.session[1].handovers), 1);
	GTC_ASSERT(h_event(h, 0, &ev));
	GTC_EXPECT_INT(ev.kind, SHM_EVENT_HANDOVER);
	GTC_EXPECT_INT(ev.endpoint.remote_port_be, rte_cpu_to_be_16(5555));
	GTC_EXPECT_INT(ev.old.remote_port_be, rte_cpu_to_be_16(c.port));
	h_inner(inner, OUTSIDE, H_TUNNEL(1), 100, false);
	h_inner_in(h, 0, inner, 100);
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(NEW, 5555));
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// Reconfiguration Pings of both formats: one answer each, at once, to the new address.
static void reconf(bool v1)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	struct h_client_opt opt = { .v1 = v1 };
	uint8_t wire[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	h_outer(h, 0, NEW, 5555, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 5555));
	h_expect_ping(h, &c, NEW, 5555);
	GTC_EXPECT(!h_datagram_out(h, &d));
	// The next ones of the same volley come from where the session is now: answered, no move.
	h_outer(h, 0, NEW, 5555, wire, h_reconf(&c, wire));
	h_outer(h, 0, NEW, 5555, wire, h_reconf(&c, wire));
	h_run(h);
	h_expect_ping(h, &c, NEW, 5555);
	h_expect_ping(h, &c, NEW, 5555);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), 1);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_answers_sent), 3);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_reconf_received), 3);
	// And an ordinary packet from there, and one to there.
	h_outer(h, 0, NEW, 5555, wire, h_ping(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 1);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	if (v1)
		GTC_EXPECT_INT(dp_addr_index_count(h->core.addr), 1);
	h_destroy(h);
}

GTC_TEST(handover, reconf_v2)
{
	reconf(false);
}

GTC_TEST(handover, reconf_v1)
{
	reconf(true);
}

// Peer-id 0xFFFFFF: found by the session id alone.
GTC_TEST(handover, unassigned_peer_id)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX], ping[OVPN_PING_LEN];
	struct h_client c;
	size_t len;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	ovpn_ping_put(ping);
	len = ossl_seal(c.cipher, c.c2s.cipher_key, c.c2s.hmac_key, false, 0, OVPN_PEER_ID_NONE,
		c.next_id++, ping, sizeof(ping), wire);
	memcpy(wire + len, c.sid, 8);
	h_outer(h, 0, NEW, 5555, wire, len + 8);
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 5555));
	h_expect_ping(h, &c, NEW, 5555);
	h_destroy(h);
}

// Nothing here may move a session, and each has its reason.
static void refused(bool v1)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	struct h_client_opt opt = { .v1 = v1 };
	uint8_t wire[H_FRAME_MAX], first[H_FRAME_MAX], late[H_FRAME_MAX], inner[100];
	struct h_client c, other, forger;
	uint64_t home;
	size_t len, first_len, late_len;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	GTC_ASSERT_INT(h_install(h, 2, &opt, &other), 0);
	home = H_AT(c.addr, c.port);

	// Replayed: accepted at home, copied to elsewhere.
	first_len = h_reconf(&c, first);
	h_from(h, 0, &c, first, first_len);
	h_run(h);
	h_expect_ping(h, &c, c.addr, c.port);
	h_outer(h, 0, NEW, 1, first, first_len);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 1);
	// A plain Ping with the session id appended, replayed: the paper's man in the middle.
	len = h_ping(&c, wire);
	h_from(h, 0, &c, wire, len);
	h_run(h);
	memcpy(wire + len, c.sid, 8);
	h_outer(h, 0, NEW, 2, wire, len + 8);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 2);
	// Reordered: older than what came since, but never seen. Delivered, not followed.
	late_len = h_reconf(&c, late);
	h_from(h, 0, &c, wire, h_ping(&c, wire));
	h_run(h);
	h_outer(h, 0, NEW, 3, late, late_len);
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_old), 1);
	h_expect_ping(h, &c, c.addr, c.port); // the answer goes to where the client is
	// Forged: another key.
	forger = c;
	memset(&forger.c2s, 0x99, sizeof(forger.c2s));
	forger.next_id = 100;
	h_outer(h, 0, NEW, 4, wire, h_reconf(&forger, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag_reconf), 1);
	// Somebody else's session id under one's own key.
	forger = c;
	memcpy(forger.sid, other.sid, 8);
	forger.next_id = 200;
	h_outer(h, 0, NEW, 5, wire, h_reconf(&forger, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, v1 ? DP_DROP_bad_tag_reconf : DP_DROP_bad_tag_moved), v1 ? 2 : 1);
	// Unknown session id.
	memset(forger.sid, 0xee, 8);
	h_outer(h, 0, NEW, 6, wire, h_reconf(&forger, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, v1 ? DP_DROP_unknown_sid : DP_DROP_bad_tag_moved), v1 ? 1 : 2);
	// Right session id, right key, right size, but no Ping.
	c.next_id = 300;
	memset(inner, 0x45, 16);
	len = h_seal(&c, inner, 16, wire);
	memcpy(wire + len, c.sid, 8);
	h_outer(h, 0, NEW, 7, wire, len + 8);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_reconf_not_ping), 1);
	// Truncated and with a tail too long.
	len = h_reconf(&c, wire);
	for (size_t cut = 0; cut < len; cut++)
		h_outer(h, 0, NEW, 8, wire, cut);
	wire[len] = 0;
	h_outer(h, 0, NEW, 8, wire, len + 1);
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), v1 ? 0 : 1);
	// (P_DATA_V2 cut to its Ping is a genuine packet from a new address: stock clients' float.)
	if (v1)
		GTC_EXPECT_INT(h_endpoint(h, 1), home);
	GTC_EXPECT_INT(h_endpoint(h, 2), H_AT(other.addr, other.port));
	h_destroy(h);
}

GTC_TEST(handover, refused_v2)
{
	refused(false);
}

GTC_TEST(handover, refused_v1)
{
	refused(true);
}

GTC_TEST(handover, switched_off)
{
	struct h *h = h_create(1, 0);
	struct h_client_opt v1 = { .v1 = true };
	uint8_t wire[H_FRAME_MAX];
	struct h_client a, b;

	GTC_ASSERT_INT(h_install(h, 1, &v1, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, NULL, &b), 0);
	h_outer(h, 0, NEW, 1, wire, h_reconf(&a, wire));
	h_outer(h, 0, NEW, 1, wire, h_reconf(&b, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_mobility_off), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag_moved), 1);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), 0);
	h_destroy(h);
}

// "Newest" is ordered by age of the key first: a packet of the retired key that somebody held back
// moves nothing, however high its id.
GTC_TEST(handover, withheld_packet_of_old_key)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX], held[H_FRAME_MAX];
	struct h_client c, old;
	size_t len;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_from(h, 0, &c, wire, h_ping(&c, wire));
	h_run(h);
	old = c;
	old.next_id = 1000;
	len = h_reconf(&old, held);
	GTC_ASSERT_INT(h_key(h, &c, 1, 1, 2, 0), 0);
	h_from(h, 0, &c, wire, h_ping(&c, wire)); // under the new key
	h_run(h);
	h_outer(h, 0, NEW, 1, held, len);
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(c.addr, c.port));
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_old), 1);
	// While the new key has carried nothing, the old one may still move: transition window.
	h_destroy(h);
	h = h_create(1, SHM_HELLO_MOBILITY);
	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	old = c;
	GTC_ASSERT_INT(h_key(h, &c, 1, 1, 2, 60000), 0);
	h_outer(h, 0, NEW, 1, wire, h_reconf(&old, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 1));
	h_destroy(h);
}

// The session follows the client to the worker that its new address hashes to; nothing that comes
// meanwhile is lost, in either direction.
static void across(uint16_t workers, bool v1, bool lazy)
{
	struct h *h = h_create(workers, SHM_HELLO_MOBILITY);
	struct h_client_opt opt = { .v1 = v1 };
	uint8_t inner[100], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	uint16_t b = workers - 1;
	struct h_datagram d;
	struct h_client c;
	unsigned ups = 0, downs = 0, pings = 0;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &c), 0);
	GTC_EXPECT_INT(owner(h, 1), 0);
	h_pass(h, 1000);
	if (lazy) {
		h_inner(inner, H_TUNNEL(1), OUTSIDE, 100, false);
		h_outer(h, b, NEW, 5555, wire, h_seal(&c, inner, 100, wire));
		ups--; // this one comes out, too
	} else {
		h_outer(h, b, NEW, 5555, wire, h_reconf(&c, wire));
	}
	// Right behind it, before any worker has run: data both ways. P_DATA_V1 names nobody, so
	// its client must have seen the answer first.
	if (v1)
		h_run(h);
	for (unsigned i = 0; i < 20; i++) {
		h_inner(inner, H_TUNNEL(1), OUTSIDE, 100, false);
		h_outer(h, b, NEW, 5555, wire, h_seal(&c, inner, 100, wire));
		h_inner(inner, OUTSIDE, H_TUNNEL(1), 100, false);
		h_inner_in(h, (uint16_t)(i % workers), inner, 100);
	}
	h_run(h);
	while (h_inner_out(h, got) == 100)
		ups++;
	while (h_datagram_out(h, &d)) {
		int len = h_open(&c, &d, got);

		if (len == OVPN_PING_LEN) {
			GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(NEW, 5555));
			pings++;
		} else {
			GTC_EXPECT_INT(len, 100);
			downs++;
		}
	}
	GTC_EXPECT_INT(ups, 20);
	GTC_EXPECT_INT(downs, 20);
	GTC_EXPECT_INT(pings, lazy ? 0 : 1);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 5555));
	GTC_EXPECT_INT(owner(h, 1), b);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_owner_given), 1);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	// From now on without a hand-off.
	skip_events(h);
	GTC_EXPECT_INT(atomic_load(&h->core.dir[1].tx_owner), 0);
	h_inner(inner, H_TUNNEL(1), OUTSIDE, 100, false);
	h_outer(h, b, NEW, 5555, wire, h_seal(&c, inner, 100, wire));
	b = (uint16_t)h_count(h, DP_COUNT_handoff_out);
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handoff_out), b);
	GTC_EXPECT_INT(h_inner_out(h, got), 100);
	h_destroy(h);
}

GTC_TEST(handover, across_workers)
{
	for (uint16_t workers = 2; workers <= 4; workers++) {
		across(workers, false, false);
		across(workers, true, false);
		across(workers, false, true);
	}
}

// Forth and back within the time in which an owner stays: the endpoint follows, the owner doesn't.
GTC_TEST(handover, owner_stays_for_a_while)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX];
	struct h_client c;
	uint32_t since;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_pass(h, 1000);
	h_outer(h, 1, NEW, 1, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(owner(h, 1), 1);
	since = h->core.session[1].owner_change_ms;
	h_outer(h, 0, OTHER, 2, wire, h_reconf(&c, wire));
	h_run(h);
	// A busy machine may have let more time pass than the owner stays.
	if ((uint32_t)h->core.worker[1]->now_ms - since < DP_OWNER_CHANGE_MS)
		GTC_EXPECT_INT(owner(h, 1), 1);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(OTHER, 2));
	h_pass(h, 200);
	h_outer(h, 0, NEW, 1, wire, h_reconf(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(owner(h, 1), 0);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_answers_sent), 3);
	h_destroy(h);
}

// A queue that changed without a move (another hash): after 32 packets in a row it gets the
// session; the same with the downlink after 64.
GTC_TEST(handover, follows_the_queue)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	uint8_t inner[100], wire[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_pass(h, 1000);
	for (unsigned i = 0; i < DP_OWNER_RUN; i++) {
		GTC_EXPECT_INT(owner(h, 1), 0);
		h_from(h, 1, &c, wire, h_ping(&c, wire));
		h_run(h);
	}
	GTC_EXPECT_INT(owner(h, 1), 1);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), 0);
	h_inner(inner, OUTSIDE, H_TUNNEL(1), 100, false);
	for (unsigned i = 0; i < DP_TX_OWNER_RUN; i++) {
		GTC_EXPECT_INT(atomic_load(&h->core.dir[1].tx_owner), 0);
		h_inner_in(h, 1, inner, 100);
		h_run(h);
	}
	GTC_EXPECT_INT(atomic_load(&h->core.dir[1].tx_owner), 1);
	for (unsigned i = 0; i < DP_TX_OWNER_RUN; i++) {
		GTC_EXPECT(h_datagram_out(h, &d)); // all under different ids, in order
		GTC_EXPECT_INT(d.data[7], i + 1);
	}
	h_destroy(h);
}

// C9: the new client of a recycled address takes the index entry; the one before keeps its keys,
// and its downlink pauses only when it has been silent.
GTC_TEST(handover, v1_address_taken)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	struct h_client_opt opt = { .v1 = true, .ping_ms = 10000 };
	uint8_t inner[100], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	struct h_client a, b;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, &opt, &b), 0);
	h_from(h, 0, &a, wire, h_ping(&a, wire));
	h_run(h);
	h_outer(h, 1, a.addr, a.port, wire, h_reconf(&b, wire)); // b is where a was
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 2), H_AT(a.addr, a.port));
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(a.addr, a.port));
	h_expect_ping(h, &b, a.addr, a.port);
	h_from(h, 0, &a, wire,
		h_seal(&b, inner, h_inner(inner, H_TUNNEL(2), OUTSIDE, 60, false), wire));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 60); // b's packet under b's key
	// a was heard a moment ago: its downlink goes on, until it has been silent.
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(1), 60, false));
	h_run(h);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_open(&a, &d, got), 60);
	h_pass(h, 9000);
	h_pass(h, 2000);
	while (h_datagram_out(h, &d))
		; // keep-alive
	h_inner_in(h, 0, inner, 60);
	h_run(h);
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT_INT(h_drops(h, DP_DROP_paused), 1);
	// a turns up somewhere else, by its session id; then it has its downlink again.
	h_outer(h, 0, NEW, 7, wire, h_reconf(&a, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 7));
	h_expect_ping(h, &a, NEW, 7);
	h_inner_in(h, 0, inner, 60);
	h_run(h);
	GTC_EXPECT(h_datagram_out(h, &d));
	// And back to the shared address: entry and flag change hands again.
	h_pass(h, 1000);
	while (h_datagram_out(h, &d))
		;
	h_outer(h, 0, a.addr, a.port, wire, h_reconf(&a, wire));
	h_run(h);
	h_expect_ping(h, &a, a.addr, a.port);
	h_from(h, 1, &a, wire, h_ping(&a, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag), 0);
	GTC_EXPECT_INT(dp_addr_index_count(h->core.addr), 1);
	h_destroy(h);
}

// Two P_DATA_V2 sessions may share an address: they are told apart by their peer-id.
GTC_TEST(handover, v2_share_an_address)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX];
	struct h_client a, b;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &a), 0);
	GTC_ASSERT_INT(h_install(h, 2, NULL, &b), 0);
	h_from(h, 0, &a, wire, h_reconf(&b, wire));
	h_run(h);
	h_expect_ping(h, &b, a.addr, a.port);
	h_from(h, 0, &a, wire, h_ping(&a, wire));
	h_from(h, 0, &a, wire, h_ping(&b, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// Everybody moves at the same instant, in bursts that are full: what was saved up serves them all.
// A flood that goes on gets no more than its share.
GTC_TEST(handover, crowd)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	struct dp_worker *w = h->core.worker[0];
	struct h_client c[H_SESSIONS - 1];
	uint8_t wire[H_FRAME_MAX];
	struct h_datagram d;
	unsigned answers = 0;
	uint64_t before = 0; // drops when a try began
	size_t len = 0;

	for (uint32_t i = 0; i < H_SESSIONS - 1; i++)
		GTC_ASSERT_INT(h_install(h, i + 1, NULL, &c[i]), 0);
	// A try may be interrupted for longer than what was saved up lasts.
	for (uint16_t attempt = 0; attempt < 100 && answers < H_SESSIONS - 1; attempt++) {
		h_pass(h, 1000); // a session may move again
		while (h_datagram_out(h, &d))
			; // keep-alive
		before = h_drops(h, DP_DROP_budget_worker);
		w->now_tsc = 0; // saves up as much as a worker may
		for (uint32_t i = 0; i < H_SESSIONS - 1; i++)
			h_outer(h, 0, NEW + i * 256, 5555 + attempt, wire, h_reconf(&c[i], wire));
		h_run(h);
		for (answers = 0; h_datagram_out(h, &d);)
			answers++;
		GTC_EXPECT_INT(
			answers + h_drops(h, DP_DROP_budget_worker) - before, H_SESSIONS - 1);
	}
	GTC_EXPECT_INT(answers, H_SESSIONS - 1);
	before = h_drops(h, DP_DROP_budget_worker);
	// Forged ones: a try may be interrupted for so long that they have earned their time.
	for (int i = 0; i < 100 && h_drops(h, DP_DROP_budget_worker) == before; i++) {
		for (uint32_t k = 0; k < DP_BURST; k++) {
			len = h_reconf(&c[k], wire);
			wire[8] ^= 1;
			h_outer(h, 0, OTHER + k * 256, 5555, wire, len);
		}
		w->unproven_cycles = 0;
		w->now_tsc = rte_rdtsc();
		h_run(h);
	}
	GTC_EXPECT(h_drops(h, DP_DROP_budget_worker) > before);
	GTC_EXPECT(h_drops(h, DP_DROP_budget_worker) - before <= DP_BURST - DP_UNPROVEN_MIN);
	h_destroy(h);
}

// C16: where no client can be, no session moves; and not more often than ten times a second.
GTC_TEST(handover, limits)
{
	static const uint32_t never[] = { 0, 0x7f000001, 0xe0000001, 0xffffffff, H_SERVER,
		H_TUNNEL(9), H_KERNEL };
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX];
	struct h_client c;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		h_outer(h, 0, never[i], 1000, wire, h_ping(&c, wire));
	h_outer(h, 0, NEW, 0, wire, h_ping(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(c.addr, c.port));
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_refused), 8);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 8); // authentic all the same
	for (uint16_t i = 1; i <= 15; i++)
		h_outer(h, 0, NEW, i, wire, h_ping(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 10));
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_limited), 5);
	h_pass(h, 1000);
	h_outer(h, 0, NEW, 99, wire, h_ping(&c, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(NEW, 99));
	h_destroy(h);
}

// One stolen packet can't turn a download onto a victim for long: a client that knows about
// mobility confirms its move with a second packet.
GTC_TEST(handover, reflection_cap)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	struct h_client_opt opt = { .dir_flags = SHM_DIR_MOBILITY };
	uint8_t inner[1500], wire[H_FRAME_MAX];
	struct h_client mobile, stock;
	uint64_t bytes[2] = { 0 };
	struct h_datagram d;

	GTC_ASSERT_INT(h_install(h, 1, &opt, &mobile), 0);
	GTC_ASSERT_INT(h_install(h, 2, NULL, &stock), 0);
	h_outer(h, 0, NEW, 1, wire, h_reconf(&mobile, wire));
	h_outer(h, 0, NEW, 2, wire, h_reconf(&stock, wire));
	h_run(h);
	while (h_datagram_out(h, &d))
		;
	for (unsigned i = 0; i < 300; i++) {
		for (uint32_t slot = 1; slot <= 2; slot++) {
			h_inner_in(
				h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(slot), 1400, false));
			h_run(h);
			while (h_datagram_out(h, &d))
				bytes[d.port - 1] += 1400;
		}
	}
	GTC_EXPECT(bytes[0] <= DP_UNCONFIRMED_BYTES && bytes[0] > DP_UNCONFIRMED_BYTES - 1400);
	GTC_EXPECT_INT(bytes[1], 300 * 1400);
	GTC_EXPECT(h_drops(h, DP_DROP_unconfirmed_move) > 0);
	h_outer(h, 0, NEW, 1, wire, h_ping(&mobile, wire));
	h_run(h);
	h_inner_in(h, 0, inner, h_inner(inner, OUTSIDE, H_TUNNEL(1), 1400, false));
	h_run(h);
	GTC_EXPECT(h_datagram_out(h, &d));
	h_destroy(h);
}

// A session that ended while its packets were in a hand-off ring.
GTC_TEST(handover, stale_handoff)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX];
	struct h_client c, again;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	h_from(h, 1, &c, wire, h_ping(&c, wire));
	dp_worker_iterate(h->core.worker[1]); // now in the ring to worker 0
	GTC_EXPECT_INT(rte_ring_count(h->core.worker[0]->handoff_in[1]), 1);
	// What a removal and a new session would have done meanwhile.
	atomic_fetch_add(&h->core.dir[1].generation, 1);
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_stale_handoff), 1);
	atomic_fetch_sub(&h->core.dir[1].generation, 1);
	GTC_EXPECT_INT(h_remove(h, &c), 0);
	GTC_ASSERT_INT(h_install(h, 1, NULL, &again), 0);
	GTC_EXPECT_INT(again.generation, c.generation + 1);
	h_destroy(h);
}
