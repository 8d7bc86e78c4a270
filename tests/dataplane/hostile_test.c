// SPDX-License-Identifier: BSD-3-Clause
// A million and more forged, replayed, truncated and bit-flipped packets from a fixed seed, all
// sizes from 0 to 1,500, onto two workers: no session moves, and each frame ends under a name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ip.h>

#include "dataplane/path.h"
#include "harness.h"
#include "tests/gtc.h"

#define CLIENTS 16u
#define ROUNDS_DEFAULT 1100000u
#define BATCH 64u

static uint64_t state = 0x5649535056495350ull; // the seed: always the same packets

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

// Genuine packets that were accepted once: what an attacker on the path has.
static struct {
	uint8_t data[1600];
	size_t len;
	unsigned client;
} seen[CLIENTS * 4];
static unsigned seen_n;

static void record(struct h *h, struct h_client *c, unsigned i)
{
	uint8_t inner[1500];
	size_t sizes[3] = { 40, 200, 1400 };

	for (unsigned k = 0; k < 4; k++) {
		size_t len;

		if (k == 3)
			len = h_reconf(c, seen[seen_n].data);
		else
			len = h_seal(c, inner,
				h_inner(inner, H_TUNNEL(c->slot), 0xcb007109, sizes[k], false),
				seen[seen_n].data);
		seen[seen_n].len = len;
		seen[seen_n].client = i;
		h_from(h, 0, c, seen[seen_n].data, len);
		seen_n++;
	}
	h_run(h);
}

static void flip(uint8_t *p, size_t from, size_t len)
{
	for (uint64_t n = 1 + rnd() % 3; len > from && n > 0; n--) {
		uint64_t bit = from * 8 + rnd() % ((len - from) * 8);

		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

// A reconfiguration Ping that looks right from outside: opcode, peer-id, size, session id.
static size_t forge_reconf(struct h_client *c, uint8_t *p)
{
	size_t len = c->v1 ? 45 : 48;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t r = rnd();

		memcpy(p + i, &r, 8);
	}
	p[0] = (uint8_t)((c->v1 ? 6 : 9) << 3);
	if (!c->v1) {
		p[1] = p[2] = 0;
		p[3] = (uint8_t)c->slot;
		if (rnd() % 8 == 0)
			p[1] = p[2] = p[3] = 0xff;
	}
	if (rnd() % 2)
		memset(p + (c->v1 ? 1 : 4), 0, 3); // a small packet-id, else mostly a huge one
	memcpy(p + len - 8, c->sid, 8);
	return len;
}

// One hostile datagram. Never one that was not accepted before and is intact: that would be the
// client's own.
static size_t make(struct h_client *c, uint8_t *p)
{
	unsigned pick = (unsigned)(rnd() % seen_n);
	struct h_client *who = &c[rnd() % CLIENTS];
	size_t len;

	switch (rnd() % 8) {
	case 0: // noise of any size
		len = rnd() % 1501;
		for (size_t i = 0; i < len; i += 8) {
			uint64_t r = rnd();

			memcpy(p + i, &r, 8);
		}
		return len;
	case 1: // noise behind a header of a session
		len = rnd() % 1501;
		memset(p, (int)rnd(), 1504);
		p[0] = (uint8_t)((who->v1 ? 6 : 9) << 3 | (rnd() % 16 == 0 ? rnd() & 7 : 0));
		p[1] = p[2] = 0;
		p[3] = (uint8_t)who->slot;
		return len;
	case 2: // replayed
		memcpy(p, seen[pick].data, seen[pick].len);
		return seen[pick].len;
	case 3: // truncated
		memcpy(p, seen[pick].data, seen[pick].len);
		len = rnd() % seen[pick].len;
		// Without its session id a reconfiguration Ping is the Ping that it was: a replay.
		return len;
	case 4: // flipped anywhere
		memcpy(p, seen[pick].data, seen[pick].len);
		flip(p, 0, seen[pick].len);
		return seen[pick].len;
	case 5: // longer than it was
		memcpy(p, seen[pick].data, seen[pick].len);
		len = seen[pick].len + 1 + rnd() % 64;
		memset(p + seen[pick].len, 0x5a, 64);
		return len;
	case 6: // another session's id behind a genuine packet, or its own
		memcpy(p, seen[pick].data, seen[pick].len);
		len = seen[pick].len;
		memcpy(p + len, (rnd() % 2 ? who : &c[seen[pick].client])->sid, 8);
		return len + 8;
	default: return forge_reconf(who, p);
	}
}

static uint64_t ends(struct h *h)
{
	return h_count(h, DP_COUNT_inner_tx_packets) + h_count(h, DP_COUNT_pings_received) +
		h_count(h, DP_COUNT_reconf_received) + h_count(h, DP_COUNT_occ_received) +
		h_count(h, DP_COUNT_punted_new) + h_count(h, DP_COUNT_punted_known) +
		h_count(h, DP_COUNT_frags_merged);
}

static void punts_away(struct h *h)
{
	struct shm_punt p;

	for (unsigned w = 0; w < h->core.workers; w++) {
		for (int kind = SHM_RING_PUNT_NEW; kind <= SHM_RING_PUNT_KNOWN; kind++) {
			while (shm_ring_get(&h->ctl[w][kind], &p, sizeof(p)) > 0)
				GTC_EXPECT_INT(shm_punt_check(&p, H_SESSIONS), 0);
		}
	}
}

GTC_TEST(hostile, million)
{
	const char *more = getenv("VISP_HOSTILE_ROUNDS"); // scripts/test --full asks for more
	uint64_t rounds = more != NULL ? strtoull(more, NULL, 10) : ROUNDS_DEFAULT;
	struct h *h = h_create(2, SHM_HELLO_MOBILITY | SHM_HELLO_CLIENT_TO_CLIENT);
	uint64_t drops, ended, home[CLIENTS], moved_before, decrypted;
	struct h_client c[CLIENTS];
	uint8_t p[2048], out[H_FRAME_MAX];
	uint64_t sum = 0, sent = 0;
	struct h_frame f;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct h_client_opt opt = { .v1 = i % 4 == 3,
			.worker = i % 2,
			.cipher = i % 5 == 4 ? OVPN_CIPHER_CHACHA20_POLY1305
					     : OVPN_CIPHER_AES_128_GCM };

		GTC_ASSERT_INT(h_install(h, i + 1, &opt, &c[i]), 0);
		record(h, &c[i], i);
		home[i] = h_endpoint(h, i + 1);
		GTC_EXPECT_INT(home[i], H_AT(c[i].addr, c[i].port));
	}
	while (h_frame_out(h, 0, &f) || h_inner_out(h, out) > 0)
		;
	GTC_ASSERT_INT(h_all_drops(h), 0);
	ended = ends(h);
	decrypted = h_count(h, DP_COUNT_decrypted);
	moved_before = h_count(h, DP_COUNT_handovers);

	while (sent < rounds) {
		for (unsigned i = 0; i < BATCH; i++) {
			size_t len = make(c, p);
			struct h_client *as = &c[rnd() % CLIENTS];
			uint32_t addr = rnd() % 2 ? as->addr : (uint32_t)rnd();
			uint16_t port = rnd() % 2 ? as->port : (uint16_t)rnd();

			h_outer(h, (uint16_t)(rnd() % 2), addr, port, p, len);
			sent++;
		}
		h_run(h);
		if (sent % 4096 == 0)
			punts_away(h);
	}
	drops = h_all_drops(h);
	GTC_EXPECT_INT(drops + ends(h) - ended, sent); // each one, once
	GTC_EXPECT_INT(h_count(h, DP_COUNT_decrypted), decrypted); // nothing passed
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), moved_before);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_answers_sent), CLIENTS);
	GTC_EXPECT(!h_frame_out(h, 0, &f)); // and nobody is answered
	GTC_EXPECT_INT(h_inner_out(h, out), 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		GTC_EXPECT_INT(h_endpoint(h, i + 1), home[i]);
		h_from(h, i % 2, &c[i], p, h_ping(&c[i], p)); // and still works
	}
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), CLIENTS);
	for (int why = 0; why < DP_DROP_COUNT; why++) {
		uint64_t n = h_drops(h, (enum dp_drop)why);

		sum += n;
		if (n > 0)
			printf("%-22s %9llu\n", dp_drop_name[why], (unsigned long long)n);
	}
	GTC_EXPECT_INT(sum, drops);
	h_destroy(h);
}

// Frames with hostile IP and UDP headers, fragments among them.
GTC_TEST(hostile, headers)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t frame[1600], wire[1600];
	struct h_client c;
	struct h_frame f;
	uint64_t sent = 0, out = 0;

	GTC_ASSERT_INT(h_install(h, 1, NULL, &c), 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
		size_t len = 42 + rnd() % 1459;

		memset(wire, (int)rnd(), sizeof(wire));
		memset(frame, 2, 12);
		frame[12] = 8;
		frame[13] = 0;
		h_inner(frame + 14, c.addr, H_SERVER, len - 14, false);
		ip->packet_id = (uint16_t)(rnd() % 64);
		frame[36] = H_PORT >> 8;
		frame[37] = H_PORT & 0xff;
		if (rnd() % 2)
			ip->fragment_offset = (uint16_t)rnd();
		if (rnd() % 4 == 0)
			ip->fragment_offset = rte_cpu_to_be_16((uint16_t)(0x2000 | rnd() % 300));
		if (rnd() % 3 == 0)
			ip->total_length = (uint16_t)rnd();
		if (rnd() % 5 == 0)
			flip(frame, 12, 42);
		ip->hdr_checksum = 0;
		if (rnd() % 8 != 0)
			ip->hdr_checksum = rte_ipv4_cksum(ip);
		h_frame_in(h, rnd() % 2, 0, frame, rnd() % 8 == 0 ? rnd() % len + 1 : len);
		sent++;
		if (i % 64 == 0) {
			h_run(h);
			if (i % 4096 == 0)
				h_pass(h, 700);
			punts_away(h);
			while (h_frame_out(h, 0, &f) || h_frame_out(h, 1, &f))
				out++;
		}
	}
	h_run(h);
	h_pass(h, 3000); // unfinished datagrams time out
	while (h_frame_out(h, 0, &f) || h_frame_out(h, 1, &f))
		out++;
	GTC_EXPECT_INT(h_all_drops(h) + ends(h), sent);
	GTC_EXPECT_INT(
		h_count(h, DP_COUNT_outer_tx_packets) + h_count(h, DP_COUNT_inner_tx_packets), out);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_handovers), 0);
	h_destroy(h);
}
