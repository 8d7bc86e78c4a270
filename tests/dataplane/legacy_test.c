// SPDX-License-Identifier: BSD-3-Clause
// The ciphers that aren't AEAD, framing and lazy mode, through whole workers.
// Long because each format is tried in each of its circumstances.
#include <errno.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/command.h"
#include "legacy_client.h"
#include "protocol/data_size.h"
#include "protocol/framing.h"
#include "protocol/mobility.h"
#include "protocol/ping.h"
#include "protocol/tls/data_legacy.h"
#include "tests/gtc.h"

GTC_TEST(legacy, up_and_down)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < LC_FAMILIES * 2; k++) {
		struct h_client_opt opt = { .v1 = k % 2 };
		struct lc l;

		lc_install(h, k, &lc_families[k / 2], opt, &l);
		lc_up_and_down(h, &l);
		lc_done(&l);
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// One burst with every format in it, so that jobs of all kinds are in the library at once.
GTC_TEST(legacy, mixed_burst)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct lc l[LC_FAMILIES];
	struct h_client aead;
	unsigned up = 0, down = 0;
	struct h_datagram d;

	for (unsigned k = 0; k < LC_FAMILIES; k++)
		lc_install(h, k, &lc_families[k], (struct h_client_opt){ .v1 = k % 2 }, &l[k]);
	GTC_ASSERT_INT(h_install(h, 60, NULL, &aead), 0);
	for (unsigned i = 0; i < 200; i++) {
		unsigned k = i * 5 % (LC_FAMILIES + 1);
		uint32_t slot = k < LC_FAMILIES ? k : 60;
		size_t len = 28 + i * 53 % 1400;

		h_inner(inner, H_TUNNEL(slot), LC_OUTSIDE, len, false);
		h_from(h, 0, k < LC_FAMILIES ? &l[k].c : &aead, wire,
			k < LC_FAMILIES ? lc_seal(&l[k], inner, len, wire)
					: h_seal(&aead, inner, len, wire));
		h_inner(inner, LC_OUTSIDE, H_TUNNEL(slot), len, false);
		h_inner_in(h, 0, inner, len);
	}
	h_run(h);
	while (h_inner_out(h, got) > 0)
		up++;
	while (h_datagram_out(h, &d)) {
		unsigned k = d.port - 40000;

		GTC_EXPECT((k < LC_FAMILIES ? lc_open_dgram(&l[k], &d, got, NULL)
					    : h_open(&aead, &d, got)) >= 28);
		down++;
	}
	GTC_EXPECT_INT(up, 200);
	GTC_EXPECT_INT(down, 200);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	for (unsigned k = 0; k < LC_FAMILIES; k++)
		lc_done(&l[k]);
	h_destroy(h);
}

// Flipped, cut, replayed, too old: named, and nothing gets through.
GTC_TEST(legacy, hostile)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < LC_FAMILIES; k++) {
		uint8_t wire[H_FRAME_MAX], bad[H_FRAME_MAX], got[H_FRAME_MAX];
		uint64_t before, counted;
		struct lc l;
		size_t len;

		lc_install(h, k, &lc_families[k], (struct h_client_opt){ .v1 = k % 2 }, &l);
		len = lc_ping(&l, wire);
		counted = h_count(h, DP_COUNT_pings_received);
		before = h_drops(h, DP_DROP_bad_tag);
		for (size_t at = l.c.v1 ? 1 : 4; at < len && lc_families[k].digest; at++) {
			memcpy(bad, wire, len);
			bad[at] ^= 0x10;
			h_from(h, 0, &l.c, bad, len);
			h_run(h);
		}
		if (lc_families[k].digest != OVPN_DIGEST_NONE)
			GTC_EXPECT_INT(
				h_drops(h, DP_DROP_bad_tag) - before, len - (l.c.v1 ? 1 : 4));
		before = h_all_drops(h);
		for (size_t cut = 1; cut < len && lc_families[k].digest; cut++) {
			h_from(h, 0, &l.c, wire, cut);
			h_run(h);
		}
		if (lc_families[k].digest != OVPN_DIGEST_NONE)
			GTC_EXPECT_INT(h_all_drops(h) - before, len - 1);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), counted);
		before = h_drops(h, DP_DROP_replay);
		h_from(h, 0, &l.c, wire, len);
		h_from(h, 0, &l.c, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), counted + 1);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), before + 1);
		before = h_drops(h, DP_DROP_replay_old);
		l.id += OVPN_REPLAY_BITS;
		h_from(h, 0, &l.c, bad, lc_ping(&l, bad));
		h_from(h, 0, &l.c, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_replay_old), before + 1);
		GTC_EXPECT_INT(h_inner_out(h, got), 0);
		lc_done(&l);
	}
	h_destroy(h);
}

// Ids with a time: a later one starts the window anew, an earlier one is refused.
GTC_TEST(legacy, long_ids)
{
	struct h *h = h_create(1, 0);
	uint8_t wire[H_FRAME_MAX];
	struct lc l;

	lc_install(h, 1, &lc_families[9], (struct h_client_opt){ 0 }, &l);
	h_from(h, 0, &l.c, wire, lc_ping(&l, wire));
	l.id = ovpn_long_id(LC_NET_TIME + 5, 1);
	h_from(h, 0, &l.c, wire, lc_ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	l.id = ovpn_long_id(LC_NET_TIME, 2);
	h_from(h, 0, &l.c, wire, lc_ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay_old), 1);
	lc_done(&l);
	h_destroy(h);
}

// A reconfiguration Ping in every format, V1 and V2, from a new address: one answer, there.
GTC_TEST(legacy, reconfiguration)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);

	for (unsigned k = 0; k < LC_FAMILIES * 2; k++) {
		struct h_client_opt opt = { .v1 = k % 2,
			.dir_flags = SHM_DIR_MOBILITY,
			.compress = (uint8_t)(k / 2 % OVPN_COMPRESS_COUNT) };
		uint8_t wire[H_FRAME_MAX], got[H_FRAME_MAX];
		uint32_t addr = LC_NEW_PLACE + k;
		struct h_datagram d;
		struct lc l;
		size_t len;

		if (lc_families[k / 2].digest == OVPN_DIGEST_NONE)
			continue; // anybody could make one
		lc_install(h, k, &lc_families[k / 2], opt, &l);
		len = lc_reconf(&l, wire);
		wire[len - 9] ^= 1; // forged
		h_outer(h, 1, addr, 5000, wire, len);
		h_run(h);
		GTC_EXPECT(!h_datagram_out(h, &d));
		wire[len - 9] ^= 1;
		h_outer(h, 1, addr, 5000, wire, len); // by the other worker
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(addr, 5000));
		GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, NULL), OVPN_PING_LEN);
		GTC_EXPECT(ovpn_is_ping(got, OVPN_PING_LEN));
		GTC_EXPECT(!h_datagram_out(h, &d));
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(addr, 5000));
		// Replayed from elsewhere it moves nothing.
		h_outer(h, 0, addr + 512, 5001, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(addr, 5000));
		GTC_EXPECT(!h_datagram_out(h, &d));
		// At the known address it is answered, too.
		h_outer(h, 1, addr, 5000, wire, lc_reconf(&l, wire));
		h_run(h);
		GTC_EXPECT(h_datagram_out(h, &d));
		lc_done(&l);
	}
	GTC_EXPECT(h_drops(h, DP_DROP_bad_tag_reconf) > 0);
	h_destroy(h);
}

// Without an HMAC a session id proves nothing: no move.
GTC_TEST(legacy, no_reconfiguration_without_hmac)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t wire[H_FRAME_MAX];
	struct lc l;

	lc_install(h, 1, &lc_families[6], (struct h_client_opt){ .v1 = true }, &l);
	h_outer(h, 0, LC_NEW_PLACE, 5000, wire, lc_reconf(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(l.c.addr, l.c.port));
	lc_done(&l);
	h_destroy(h);
}

// Lazy mode: the next data packet of a P_DATA_V1 session brings it along.
GTC_TEST(legacy, lazy)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	unsigned moved = 0;

	for (unsigned k = 0; k < LC_FAMILIES; k++) {
		struct h_client_opt opt = { .v1 = true,
			.dir_flags = SHM_DIR_MOBILITY | SHM_DIR_LAZY };
		uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
		uint32_t addr = LC_NEW_PLACE + k;
		struct lc l;
		size_t len;

		lc_install(h, k, &lc_families[k], opt, &l);
		h_inner(inner, H_TUNNEL(k), LC_OUTSIDE, 300, false);
		if (ovpn_legacy_set_sid(&l.seal, l.c.sid) < 0) {
			// No room in the IV: the packet is unknown there.
			h_outer(h, 1, addr, 6000, wire, lc_seal(&l, inner, 300, wire));
			h_run(h);
			GTC_EXPECT_INT(h_inner_out(h, got), 0);
			lc_done(&l);
			continue;
		}
		len = lc_seal(&l, inner, 300, wire);
		wire[len - 1] ^= 1;
		h_outer(h, 1, addr, 6000, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 0);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(l.c.addr, l.c.port));
		h_outer(h, 1, addr, 6000, wire, lc_seal(&l, inner, 300, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 300);
		GTC_EXPECT_MEM(got, inner, 300);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(addr, 6000));
		// Where it is now the id isn't needed.
		GTC_EXPECT_INT(ovpn_legacy_set_sid(&l.seal, NULL), 0);
		h_outer(h, 1, addr, 6000, wire, lc_seal(&l, inner, 300, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 300);
		moved++;
		lc_done(&l);
	}
	GTC_EXPECT_INT(moved, 16);
	h_destroy(h);
}

// A session that didn't ask for it isn't followed by its IV.
GTC_TEST(legacy, lazy_only_when_agreed)
{
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct lc with, without;

	lc_install(h, 1, &lc_families[0],
		(struct h_client_opt){ .v1 = true, .dir_flags = SHM_DIR_LAZY | SHM_DIR_MOBILITY },
		&with);
	lc_install(h, 2, &lc_families[0],
		(struct h_client_opt){ .v1 = true, .dir_flags = SHM_DIR_MOBILITY }, &without);
	GTC_EXPECT_INT(ovpn_legacy_set_sid(&without.seal, without.c.sid), 0);
	h_inner(inner, H_TUNNEL(2), LC_OUTSIDE, 300, false);
	h_outer(h, 0, LC_NEW_PLACE, 6000, wire, lc_seal(&without, inner, 300, wire));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 0);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_session), 1);
	lc_done(&with);
	lc_done(&without);
	h_destroy(h);
}

// P_DATA_V2 follows its peer-id in every format; a late packet of the old path moves nothing.
GTC_TEST(legacy, float_v2)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < LC_FAMILIES; k++) {
		uint8_t late[H_FRAME_MAX], wire[H_FRAME_MAX];
		size_t late_len;
		struct lc l;

		lc_install(h, k, &lc_families[k], (struct h_client_opt){ 0 }, &l);
		late_len = lc_ping(&l, late);
		h_outer(h, 0, LC_NEW_PLACE + k, 7000, wire, lc_ping(&l, wire));
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(LC_NEW_PLACE + k, 7000));
		h_from(h, 0, &l.c, late, late_len);
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(LC_NEW_PLACE + k, 7000));
		lc_done(&l);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_old), LC_FAMILIES);
	h_destroy(h);
}

// Every framing with a cipher of each kind, Pings of the server included.
GTC_TEST(legacy, compression_framing)
{
	static const unsigned some[] = { 0, 9, 11, 20 };
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < 4 * OVPN_COMPRESS_COUNT; k++) {
		struct h_client_opt opt = { .compress = (uint8_t)(k / 4), .ping_ms = LC_PING_MS };
		uint8_t got[H_FRAME_MAX];
		struct h_datagram d;
		struct lc l;

		lc_install(h, k, &lc_families[some[k % 4]], opt, &l);
		lc_up_and_down(h, &l);
		h_pass(h, LC_PING_MS + 1000);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, NULL), OVPN_PING_LEN);
		GTC_EXPECT(ovpn_is_ping(got, OVPN_PING_LEN));
		while (h_datagram_out(h, &d))
			;
		GTC_EXPECT_INT(h_remove(h, &l.c), 0);
		lc_done(&l);
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

GTC_TEST(legacy, bad_framing)
{
	static const uint8_t compressed[] = { 0x66, 1, 2, 3 }, unknown[] = { 0x45, 1, 2, 3 };
	struct h *h = h_create(1, 0);
	uint8_t wire[H_FRAME_MAX];
	struct lc l;

	lc_install(h, 1, &lc_families[0],
		(struct h_client_opt){ .compress = OVPN_COMPRESS_BYTE, .fragment_max = 1300 }, &l);
	h_from(h, 0, &l.c, wire, lc_seal_raw(&l, compressed, 4, wire)); // no fragment header
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_fragment), 1);
	lc_done(&l);
	lc_install(
		h, 2, &lc_families[0], (struct h_client_opt){ .compress = OVPN_COMPRESS_BYTE }, &l);
	h_from(h, 0, &l.c, wire, lc_seal_raw(&l, compressed, 4, wire));
	h_from(h, 0, &l.c, wire, lc_seal_raw(&l, unknown, 4, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_compressed), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_framing), 1);
	lc_done(&l);
	h_destroy(h);
}

// AEAD with framing goes the same way.
GTC_TEST(legacy, framed_aead)
{
	static const enum ovpn_cipher ciphers[] = { OVPN_CIPHER_AES_128_GCM,
		OVPN_CIPHER_AES_256_GCM, OVPN_CIPHER_CHACHA20_POLY1305 };
	struct h *h = h_create(1, SHM_HELLO_MOBILITY);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];

	for (unsigned k = 0; k < 3 * OVPN_COMPRESS_COUNT * 2; k++) {
		struct h_client_opt opt = { .cipher = ciphers[k % 3],
			.v1 = k % 2,
			.compress = (uint8_t)(k / 6),
			.dir_flags = SHM_DIR_LEGACY | SHM_DIR_MOBILITY };
		enum ovpn_compress comp = (enum ovpn_compress)opt.compress;
		struct h_datagram d;
		struct h_client c;
		uint8_t *p = inner + 8;
		size_t len = 700;
		int n;

		GTC_ASSERT_INT(h_install(h, k, &opt, &c), 0);
		h_inner(p, H_TUNNEL(k), LC_OUTSIDE, len, false);
		p = ovpn_compress_add(comp, p, &len);
		h_from(h, 0, &c, wire, h_seal(&c, p, len, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 700);
		h_inner(inner, LC_OUTSIDE, H_TUNNEL(k), 700, false);
		h_inner_in(h, 0, inner, 700);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		n = h_open(&c, &d, got);
		GTC_ASSERT(n > 0);
		p = got;
		len = (size_t)n;
		GTC_EXPECT_INT(ovpn_compress_strip(comp, &p, &len), 0);
		GTC_EXPECT_INT(len, 700);
		GTC_EXPECT_MEM(p, inner, 700);
		// And its reconfiguration Ping has the length of its framing.
		p = inner + 8;
		len = OVPN_PING_LEN;
		ovpn_ping_put(p);
		p = ovpn_compress_add(comp, p, &len);
		len = h_seal(&c, p, len, wire);
		memcpy(wire + len, c.sid, 8);
		h_outer(h, 0, LC_NEW_PLACE + k, 5000, wire, len + 8);
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(LC_NEW_PLACE + k, 5000));
		GTC_EXPECT(h_datagram_out(h, &d));
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// `fragment`: long packets come and go in pieces that keep within their limit.
GTC_TEST(legacy, fragment)
{
	static const unsigned some[] = { 0, 2, 9, 13, 20 };
	struct h *h = h_create(1, 0);
	void *mem = calloc(1, ovpn_defrag_bytes(4, 2048));
	struct ovpn_defrag defrag;

	ovpn_defrag_init(&defrag, mem, 4, 2048);
	for (unsigned k = 0; k < 10; k++) {
		struct h_client_opt opt = { .fragment_max = 600,
			.compress = k % 2 ? OVPN_COMPRESS_SWAP : 0 };
		uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
		uint8_t buf[H_FRAME_MAX];
		struct h_datagram d;
		struct lc l;

		lc_install(h, k, &lc_families[some[k / 2]], opt, &l);
		for (size_t len = 28; len <= 1500; len += 184) {
			uint8_t *p = buf + 8;
			size_t framed = len;
			uint16_t size = 0;
			unsigned n;
			bool whole = false;

			h_inner(inner, H_TUNNEL(k), LC_OUTSIDE, len, false);
			memcpy(p, inner, len);
			p = ovpn_compress_add(l.compress, p, &framed);
			n = ovpn_fragment_cut(framed, 400, &size);
			for (unsigned i = n; i-- > 0;) { // the last comes first
				struct ovpn_fragment f = { .number = (uint8_t)i,
					.seq = (uint8_t)len };
				size_t part = i == n - 1 ? framed - (size_t)i * size : size;
				uint8_t piece[H_FRAME_MAX];

				f.type = n == 1	     ? OVPN_FRAGMENT_WHOLE
					: i == n - 1 ? OVPN_FRAGMENT_LAST
						     : OVPN_FRAGMENT_MORE;
				f.size = i == n - 1 ? size : 0;
				ovpn_fragment_put(piece, &f);
				memcpy(piece + 4, p + (size_t)i * size, part);
				h_from(h, 0, &l.c, wire, lc_seal_raw(&l, piece, part + 4, wire));
				h_run(h);
			}
			GTC_EXPECT_INT(h_inner_out(h, got), len);
			GTC_EXPECT_MEM(got, inner, len);

			h_inner(inner, LC_OUTSIDE, H_TUNNEL(k), len, false);
			h_inner_in(h, 0, inner, len);
			h_run(h);
			while (h_datagram_out(h, &d)) {
				struct ovpn_legacy_packet q;
				struct ovpn_fragment f;
				struct ovpn_span out;

				GTC_EXPECT(d.len <= 600);
				GTC_ASSERT_INT(ovpn_legacy_open(&l.open, d.data, d.len, &q), 0);
				GTC_ASSERT_INT(ovpn_fragment_parse(q.plain, q.len, &f), 0);
				out.data = q.plain + 4;
				out.len = q.len - 4;
				if (f.type != OVPN_FRAGMENT_WHOLE &&
					ovpn_defrag_add(&defrag, k, 1, &f, q.plain + 4, q.len - 4,
						&out) != 1)
					continue;
				memcpy(got, out.data, out.len);
				p = got;
				framed = out.len;
				GTC_EXPECT_INT(ovpn_compress_strip(l.compress, &p, &framed), 0);
				GTC_EXPECT_INT(framed, len);
				GTC_EXPECT_MEM(p, inner, len);
				whole = true;
			}
			GTC_EXPECT(whole);
		}
		lc_done(&l);
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	GTC_EXPECT(h_count(h, DP_COUNT_inner_frags_made) > 0);
	free(mem);
	h_destroy(h);
}

// A new key, and the old one until it is dropped; after that nothing of it is left.
GTC_TEST(legacy, rekey)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < LC_FAMILIES; k++) {
		uint8_t wire[H_FRAME_MAX], old[H_FRAME_MAX], got[H_FRAME_MAX];
		struct shm_cmd drop = { .kind = SHM_CMD_KEY_DROP, .slot = k };
		struct h_datagram d;
		struct lc l;
		size_t old_len;

		lc_install(h, k, &lc_families[k], (struct h_client_opt){ 0 }, &l);
		h_from(h, 0, &l.c, wire, lc_ping(&l, wire));
		old_len = lc_ping(&l, old);
		GTC_ASSERT_INT(h_key(h, &l.c, 1, 1, 2, 0), 0);
		lc_rekey(&l);
		h_from(h, 0, &l.c, wire, lc_ping(&l, wire));
		h_from(h, 0, &l.c, old, old_len);
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 3 * (k + 1));
		h_inner(got, LC_OUTSIDE, H_TUNNEL(k), 100, false);
		h_inner_in(h, 0, got, 100);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, NULL), 100);
		drop.generation = l.c.generation;
		GTC_EXPECT_INT(h_cmd(h, 0, &drop), 0);
		h_from(h, 0, &l.c, old, old_len);
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_no_key), k + 1);
		GTC_EXPECT_INT(h_remove(h, &l.c), 0);
		lc_done(&l);
	}
	h_destroy(h);
}

// Control may not give a session a cipher that its packets' way can't have.
GTC_TEST(legacy, keys_that_do_not_fit)
{
	struct h_client_opt opt = {
		.legacy = true, .cipher = OVPN_CIPHER_AES_128_CBC, .digest = OVPN_DIGEST_SHA1
	};
	struct h *h = h_create(1, 0);
	struct h_client c;

	GTC_EXPECT_INT(h_install(h, 1, &opt, &c), -EINVAL); // without SHM_DIR_LEGACY
	opt.dir_flags = SHM_DIR_LEGACY | SHM_DIR_STATIC;
	opt.cipher = OVPN_CIPHER_AES_128_GCM;
	opt.digest = OVPN_DIGEST_NONE;
	GTC_EXPECT_INT(h_install(h, 2, &opt, &c), -EINVAL); // no AEAD with a static key
	h_destroy(h);
}

// A dataplane that starts anew: ids go on later, contexts of the old process aren't used.
GTC_TEST(legacy, restore)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < LC_FAMILIES; k++) {
		uint8_t wire[H_FRAME_MAX], inner[H_FRAME_MAX], got[H_FRAME_MAX];
		uint64_t before = 0, after = 0;
		struct h_datagram d;
		struct lc l;

		lc_install(h, k, &lc_families[k], (struct h_client_opt){ .v1 = k % 2 }, &l);
		h_inner(inner, LC_OUTSIDE, H_TUNNEL(k), 100, false);
		h_inner_in(h, 0, inner, 100);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, &before), 100);
		dp_keys_forget(&h->core);
		GTC_EXPECT_INT(dp_restore(&h->core), k + 1);
		h_inner_in(h, 0, inner, 100);
		h_from(h, 0, &l.c, wire, lc_ping(&l, wire));
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(lc_open_dgram(&l, &d, got, &after), 100);
		GTC_EXPECT(after >= before + 64);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), k + 1);
		lc_done(&l);
	}
	h_destroy(h);
}
