// SPDX-License-Identifier: BSD-3-Clause
// The ciphers that aren't AEAD, framing, static keys and lazy mode, through whole workers. The
// client's packets are those of protocol/tls, which shares no code with the dataplane.
// Long because every format goes through the same helpers.
#include <errno.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/command.h"
#include "dataplane/tunnel_ports.h"
#include "harness.h"
#include "protocol/data_size.h"
#include "protocol/framing.h"
#include "protocol/mobility.h"
#include "protocol/ping.h"
#include "protocol/tls/data_legacy.h"
#include "tests/gtc.h"

#define PING_MS 60000u // longer than any pause of the machine: a Ping comes when it is asked for
#define OUTSIDE 0xcb007107u // 203.0.113.7
#define NEW_PLACE 0xc6336501u // 198.51.101.1
#define NET_TIME 1795350563u
#define STATIC_PORT 1195

// A client of one of these formats.
struct lc {
	struct h_client c;
	struct ovpn_legacy seal, open;
	struct ovpn_legacy_format format;
	enum ovpn_compress compress;
	uint64_t id;
};

struct family {
	enum ovpn_cipher cipher;
	enum ovpn_digest digest;
};

// Every cipher, and every digest with one of each family.
static const struct family families[] = {
	{ OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_AES_192_CBC, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA512 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_MD5 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA224 },
	{ OVPN_CIPHER_AES_256_CBC, OVPN_DIGEST_SHA384 },
	{ OVPN_CIPHER_AES_128_CBC, OVPN_DIGEST_NONE },
	{ OVPN_CIPHER_AES_128_CFB, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_AES_192_CFB, OVPN_DIGEST_MD5 },
	{ OVPN_CIPHER_AES_256_CFB, OVPN_DIGEST_SHA512 },
	{ OVPN_CIPHER_AES_128_OFB, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_AES_192_OFB, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_AES_256_OFB, OVPN_DIGEST_NONE },
	{ OVPN_CIPHER_BF_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_BF_CFB, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_BF_OFB, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_DES_EDE3_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_CAST5_CBC, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_CAMELLIA_128_CBC, OVPN_DIGEST_SHA256 },
	{ OVPN_CIPHER_CAMELLIA_256_CBC, OVPN_DIGEST_SHA512 },
	{ OVPN_CIPHER_NONE, OVPN_DIGEST_SHA1 },
	{ OVPN_CIPHER_NONE, OVPN_DIGEST_SHA512 },
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static void as_direction(const struct shm_raw_key *raw, struct ovpn_direction_key *ret_key)
{
	memcpy(ret_key->cipher_key, raw->cipher_key, sizeof(ret_key->cipher_key));
	memcpy(ret_key->hmac_key, raw->hmac_key, sizeof(ret_key->hmac_key));
}

static void rekey(struct lc *l)
{
	struct ovpn_direction_key c2s, s2c;

	ovpn_legacy_done(&l->seal);
	ovpn_legacy_done(&l->open);
	as_direction(&l->c.c2s, &c2s);
	as_direction(&l->c.s2c, &s2c);
	GTC_EXPECT_INT(ovpn_legacy_init(&l->seal, &l->format, &c2s, true), 0);
	GTC_EXPECT_INT(ovpn_legacy_init(&l->open, &l->format, &s2c, false), 0);
	l->id = ovpn_legacy_long_ids(&l->format) ? ovpn_long_id(NET_TIME, 1) : 1;
}

static void install(
	struct h *h, uint32_t slot, const struct family *f, struct h_client_opt opt, struct lc *l)
{
	memset(l, 0, sizeof(*l));
	opt.legacy = true;
	opt.cipher = f->cipher;
	opt.digest = f->digest;
	opt.net_time = NET_TIME;
	opt.dir_flags |= SHM_DIR_LEGACY;
	l->format = (struct ovpn_legacy_format){ (uint8_t)f->cipher, (uint8_t)f->digest,
		(opt.dir_flags & SHM_DIR_STATIC) != 0 };
	l->compress = (enum ovpn_compress)opt.compress;
	GTC_ASSERT_INT(h_install(h, slot, &opt, &l->c), 0);
	rekey(l);
}

static void done(struct lc *l)
{
	ovpn_legacy_done(&l->seal);
	ovpn_legacy_done(&l->open);
}

static size_t header_of(const struct lc *l, uint8_t *header)
{
	if (l->format.static_key)
		return 0;
	header[0] = ovpn_first_byte(l->c.v1 ? OVPN_P_DATA_V1 : OVPN_P_DATA_V2, l->c.key_id);
	ovpn_put_be24(header + 1, l->c.slot);
	return l->c.v1 ? 1 : 4;
}

// Bytes that are framed already.
static size_t seal_raw(struct lc *l, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t header[4];
	size_t n = 0;

	GTC_EXPECT_INT(ovpn_legacy_seal(&l->seal, header, header_of(l, header), l->id++, NULL,
			       plain, len, out, &n),
		0);
	return n;
}

static size_t seal(struct lc *l, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t buf[H_FRAME_MAX + 8];
	uint8_t *p = buf + 4;

	memcpy(p, plain, len);
	p = ovpn_compress_add(l->compress, p, &len);
	return seal_raw(l, p, len, out);
}

static size_t ping(struct lc *l, uint8_t *out)
{
	uint8_t p[OVPN_PING_LEN];

	ovpn_ping_put(p);
	return seal(l, p, sizeof(p), out);
}

static size_t reconf(struct lc *l, uint8_t *out)
{
	size_t len = ping(l, out);

	memcpy(out + len, l->c.sid, 8);
	return len + 8;
}

// Open a datagram of the server. Returns the length of the payload, -1: not authentic.
static int open_dgram(struct lc *l, struct h_datagram *d, uint8_t *plain, uint64_t *ret_id)
{
	struct ovpn_legacy_packet p;
	uint8_t *at;
	size_t len;

	if (ovpn_legacy_open(&l->open, d->data, d->len, &p) < 0)
		return -1;
	at = p.plain;
	len = p.len;
	if (ret_id != NULL)
		*ret_id = p.id;
	if (ovpn_compress_strip(l->compress, &at, &len) < 0)
		return -1;
	memcpy(plain, at, len);
	return (int)len;
}

// Packets up and down, of every length that a block cares about.
static void up_and_down(struct h *h, struct lc *l)
{
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	uint64_t last = 0;

	for (size_t len = 28; len <= 1500; len += len < 60 ? 1 : 113) {
		uint64_t id = 0;

		h_inner(inner, H_TUNNEL(l->c.slot), OUTSIDE, len, false);
		h_outer(h, 0, l->c.addr, l->c.port, wire, seal(l, inner, len, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), len);
		GTC_EXPECT_MEM(got, inner, len);
		h_inner(inner, OUTSIDE, H_TUNNEL(l->c.slot), len, false);
		h_inner_in(h, 0, inner, len);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(l->c.addr, l->c.port));
		GTC_EXPECT_INT(open_dgram(l, &d, got, &id), len);
		GTC_EXPECT_MEM(got, inner, len);
		GTC_EXPECT(id > last);
		last = id;
	}
	if (ovpn_legacy_long_ids(&l->format))
		GTC_EXPECT_INT(last >> 32, NET_TIME);
}

GTC_TEST(legacy, up_and_down)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < FAMILIES * 2; k++) {
		struct h_client_opt opt = { .v1 = k % 2 };
		struct lc l;

		install(h, k, &families[k / 2], opt, &l);
		up_and_down(h, &l);
		done(&l);
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// One burst with every format in it, so that jobs of all kinds are in the library at once.
GTC_TEST(legacy, mixed_burst)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct lc l[FAMILIES];
	struct h_client aead;
	unsigned up = 0, down = 0;
	struct h_datagram d;

	for (unsigned k = 0; k < FAMILIES; k++)
		install(h, k, &families[k], (struct h_client_opt){ .v1 = k % 2 }, &l[k]);
	GTC_ASSERT_INT(h_install(h, 60, NULL, &aead), 0);
	for (unsigned i = 0; i < 200; i++) {
		unsigned k = i * 5 % (FAMILIES + 1);
		uint32_t slot = k < FAMILIES ? k : 60;
		size_t len = 28 + i * 53 % 1400;

		h_inner(inner, H_TUNNEL(slot), OUTSIDE, len, false);
		h_from(h, 0, k < FAMILIES ? &l[k].c : &aead, wire,
			k < FAMILIES ? seal(&l[k], inner, len, wire)
				     : h_seal(&aead, inner, len, wire));
		h_inner(inner, OUTSIDE, H_TUNNEL(slot), len, false);
		h_inner_in(h, 0, inner, len);
	}
	h_run(h);
	while (h_inner_out(h, got) > 0)
		up++;
	while (h_datagram_out(h, &d)) {
		unsigned k = d.port - 40000;

		GTC_EXPECT((k < FAMILIES ? open_dgram(&l[k], &d, got, NULL)
					 : h_open(&aead, &d, got)) >= 28);
		down++;
	}
	GTC_EXPECT_INT(up, 200);
	GTC_EXPECT_INT(down, 200);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	for (unsigned k = 0; k < FAMILIES; k++)
		done(&l[k]);
	h_destroy(h);
}

// Flipped, cut, replayed, too old: named, and nothing gets through.
GTC_TEST(legacy, hostile)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < FAMILIES; k++) {
		uint8_t wire[H_FRAME_MAX], bad[H_FRAME_MAX], got[H_FRAME_MAX];
		uint64_t before, counted;
		struct lc l;
		size_t len;

		install(h, k, &families[k], (struct h_client_opt){ .v1 = k % 2 }, &l);
		len = ping(&l, wire);
		counted = h_count(h, DP_COUNT_pings_received);
		before = h_drops(h, DP_DROP_bad_tag);
		for (size_t at = l.c.v1 ? 1 : 4; at < len && families[k].digest; at++) {
			memcpy(bad, wire, len);
			bad[at] ^= 0x10;
			h_from(h, 0, &l.c, bad, len);
			h_run(h);
		}
		if (families[k].digest != OVPN_DIGEST_NONE)
			GTC_EXPECT_INT(
				h_drops(h, DP_DROP_bad_tag) - before, len - (l.c.v1 ? 1 : 4));
		before = h_all_drops(h);
		for (size_t cut = 1; cut < len && families[k].digest; cut++) {
			h_from(h, 0, &l.c, wire, cut);
			h_run(h);
		}
		if (families[k].digest != OVPN_DIGEST_NONE)
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
		h_from(h, 0, &l.c, bad, ping(&l, bad));
		h_from(h, 0, &l.c, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_replay_old), before + 1);
		GTC_EXPECT_INT(h_inner_out(h, got), 0);
		done(&l);
	}
	h_destroy(h);
}

// Ids with a time: a later one starts the window anew, an earlier one is refused.
GTC_TEST(legacy, long_ids)
{
	struct h *h = h_create(1, 0);
	uint8_t wire[H_FRAME_MAX];
	struct lc l;

	install(h, 1, &families[9], (struct h_client_opt){ 0 }, &l);
	h_from(h, 0, &l.c, wire, ping(&l, wire));
	l.id = ovpn_long_id(NET_TIME + 5, 1);
	h_from(h, 0, &l.c, wire, ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	l.id = ovpn_long_id(NET_TIME, 2);
	h_from(h, 0, &l.c, wire, ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay_old), 1);
	done(&l);
	h_destroy(h);
}

// A reconfiguration Ping in every format, V1 and V2, from a new address: one answer, there.
GTC_TEST(legacy, reconfiguration)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);

	for (unsigned k = 0; k < FAMILIES * 2; k++) {
		struct h_client_opt opt = { .v1 = k % 2,
			.dir_flags = SHM_DIR_MOBILITY,
			.compress = (uint8_t)(k / 2 % OVPN_COMPRESS_COUNT) };
		uint8_t wire[H_FRAME_MAX], got[H_FRAME_MAX];
		uint32_t addr = NEW_PLACE + k;
		struct h_datagram d;
		struct lc l;
		size_t len;

		if (families[k / 2].digest == OVPN_DIGEST_NONE)
			continue; // anybody could make one
		install(h, k, &families[k / 2], opt, &l);
		len = reconf(&l, wire);
		wire[len - 9] ^= 1; // forged
		h_outer(h, 1, addr, 5000, wire, len);
		h_run(h);
		GTC_EXPECT(!h_datagram_out(h, &d));
		wire[len - 9] ^= 1;
		h_outer(h, 1, addr, 5000, wire, len); // by the other worker
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(addr, 5000));
		GTC_EXPECT_INT(open_dgram(&l, &d, got, NULL), OVPN_PING_LEN);
		GTC_EXPECT(ovpn_is_ping(got, OVPN_PING_LEN));
		GTC_EXPECT(!h_datagram_out(h, &d));
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(addr, 5000));
		// Replayed from elsewhere it moves nothing.
		h_outer(h, 0, addr + 512, 5001, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(addr, 5000));
		GTC_EXPECT(!h_datagram_out(h, &d));
		// At the known address it is answered, too.
		h_outer(h, 1, addr, 5000, wire, reconf(&l, wire));
		h_run(h);
		GTC_EXPECT(h_datagram_out(h, &d));
		done(&l);
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

	install(h, 1, &families[6], (struct h_client_opt){ .v1 = true }, &l);
	h_outer(h, 0, NEW_PLACE, 5000, wire, reconf(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 1), H_AT(l.c.addr, l.c.port));
	done(&l);
	h_destroy(h);
}

// Lazy mode: the next data packet of a P_DATA_V1 session brings it along.
GTC_TEST(legacy, lazy)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	unsigned moved = 0;

	for (unsigned k = 0; k < FAMILIES; k++) {
		struct h_client_opt opt = { .v1 = true,
			.dir_flags = SHM_DIR_MOBILITY | SHM_DIR_LAZY };
		uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
		uint32_t addr = NEW_PLACE + k;
		struct lc l;
		size_t len;

		install(h, k, &families[k], opt, &l);
		h_inner(inner, H_TUNNEL(k), OUTSIDE, 300, false);
		if (ovpn_legacy_set_sid(&l.seal, l.c.sid) < 0) {
			// No room in the IV: the packet is unknown there.
			h_outer(h, 1, addr, 6000, wire, seal(&l, inner, 300, wire));
			h_run(h);
			GTC_EXPECT_INT(h_inner_out(h, got), 0);
			done(&l);
			continue;
		}
		len = seal(&l, inner, 300, wire);
		wire[len - 1] ^= 1;
		h_outer(h, 1, addr, 6000, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 0);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(l.c.addr, l.c.port));
		h_outer(h, 1, addr, 6000, wire, seal(&l, inner, 300, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 300);
		GTC_EXPECT_MEM(got, inner, 300);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(addr, 6000));
		// Where it is now the id isn't needed.
		GTC_EXPECT_INT(ovpn_legacy_set_sid(&l.seal, NULL), 0);
		h_outer(h, 1, addr, 6000, wire, seal(&l, inner, 300, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 300);
		moved++;
		done(&l);
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

	install(h, 1, &families[0],
		(struct h_client_opt){ .v1 = true, .dir_flags = SHM_DIR_LAZY | SHM_DIR_MOBILITY },
		&with);
	install(h, 2, &families[0],
		(struct h_client_opt){ .v1 = true, .dir_flags = SHM_DIR_MOBILITY }, &without);
	GTC_EXPECT_INT(ovpn_legacy_set_sid(&without.seal, without.c.sid), 0);
	h_inner(inner, H_TUNNEL(2), OUTSIDE, 300, false);
	h_outer(h, 0, NEW_PLACE, 6000, wire, seal(&without, inner, 300, wire));
	h_run(h);
	GTC_EXPECT_INT(h_inner_out(h, got), 0);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_no_session), 1);
	done(&with);
	done(&without);
	h_destroy(h);
}

// P_DATA_V2 follows its peer-id in every format; a late packet of the old path moves nothing.
GTC_TEST(legacy, float_v2)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < FAMILIES; k++) {
		uint8_t late[H_FRAME_MAX], wire[H_FRAME_MAX];
		size_t late_len;
		struct lc l;

		install(h, k, &families[k], (struct h_client_opt){ 0 }, &l);
		late_len = ping(&l, late);
		h_outer(h, 0, NEW_PLACE + k, 7000, wire, ping(&l, wire));
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(NEW_PLACE + k, 7000));
		h_from(h, 0, &l.c, late, late_len);
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(NEW_PLACE + k, 7000));
		done(&l);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_old), FAMILIES);
	h_destroy(h);
}

// Every framing with a cipher of each kind, Pings of the server included.
GTC_TEST(legacy, compression_framing)
{
	static const unsigned some[] = { 0, 9, 11, 20 };
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < 4 * OVPN_COMPRESS_COUNT; k++) {
		struct h_client_opt opt = { .compress = (uint8_t)(k / 4), .ping_ms = PING_MS };
		uint8_t got[H_FRAME_MAX];
		struct h_datagram d;
		struct lc l;

		install(h, k, &families[some[k % 4]], opt, &l);
		up_and_down(h, &l);
		h_pass(h, PING_MS + 1000);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(open_dgram(&l, &d, got, NULL), OVPN_PING_LEN);
		GTC_EXPECT(ovpn_is_ping(got, OVPN_PING_LEN));
		while (h_datagram_out(h, &d))
			;
		GTC_EXPECT_INT(h_remove(h, &l.c), 0);
		done(&l);
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

	install(h, 1, &families[0],
		(struct h_client_opt){ .compress = OVPN_COMPRESS_BYTE, .fragment_max = 1300 }, &l);
	h_from(h, 0, &l.c, wire, seal_raw(&l, compressed, 4, wire)); // no fragment header
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_fragment), 1);
	done(&l);
	install(h, 2, &families[0], (struct h_client_opt){ .compress = OVPN_COMPRESS_BYTE }, &l);
	h_from(h, 0, &l.c, wire, seal_raw(&l, compressed, 4, wire));
	h_from(h, 0, &l.c, wire, seal_raw(&l, unknown, 4, wire));
	h_run(h);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_compressed), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_framing), 1);
	done(&l);
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
		h_inner(p, H_TUNNEL(k), OUTSIDE, len, false);
		p = ovpn_compress_add(comp, p, &len);
		h_from(h, 0, &c, wire, h_seal(&c, p, len, wire));
		h_run(h);
		GTC_EXPECT_INT(h_inner_out(h, got), 700);
		h_inner(inner, OUTSIDE, H_TUNNEL(k), 700, false);
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
		h_outer(h, 0, NEW_PLACE + k, 5000, wire, len + 8);
		h_run(h);
		GTC_EXPECT_INT(h_endpoint(h, k), H_AT(NEW_PLACE + k, 5000));
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

		install(h, k, &families[some[k / 2]], opt, &l);
		for (size_t len = 28; len <= 1500; len += 184) {
			uint8_t *p = buf + 8;
			size_t framed = len;
			uint16_t size = 0;
			unsigned n;
			bool whole = false;

			h_inner(inner, H_TUNNEL(k), OUTSIDE, len, false);
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
				h_from(h, 0, &l.c, wire, seal_raw(&l, piece, part + 4, wire));
				h_run(h);
			}
			GTC_EXPECT_INT(h_inner_out(h, got), len);
			GTC_EXPECT_MEM(got, inner, len);

			h_inner(inner, OUTSIDE, H_TUNNEL(k), len, false);
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
		done(&l);
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

	for (unsigned k = 0; k < FAMILIES; k++) {
		uint8_t wire[H_FRAME_MAX], old[H_FRAME_MAX], got[H_FRAME_MAX];
		struct shm_cmd drop = { .kind = SHM_CMD_KEY_DROP, .slot = k };
		struct h_datagram d;
		struct lc l;
		size_t old_len;

		install(h, k, &families[k], (struct h_client_opt){ 0 }, &l);
		h_from(h, 0, &l.c, wire, ping(&l, wire));
		old_len = ping(&l, old);
		GTC_ASSERT_INT(h_key(h, &l.c, 1, 1, 2, 0), 0);
		rekey(&l);
		h_from(h, 0, &l.c, wire, ping(&l, wire));
		h_from(h, 0, &l.c, old, old_len);
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 3 * (k + 1));
		h_inner(got, OUTSIDE, H_TUNNEL(k), 100, false);
		h_inner_in(h, 0, got, 100);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(open_dgram(&l, &d, got, NULL), 100);
		drop.generation = l.c.generation;
		GTC_EXPECT_INT(h_cmd(h, 0, &drop), 0);
		h_from(h, 0, &l.c, old, old_len);
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_no_key), k + 1);
		GTC_EXPECT_INT(h_remove(h, &l.c), 0);
		done(&l);
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

	for (unsigned k = 0; k < FAMILIES; k++) {
		uint8_t wire[H_FRAME_MAX], inner[H_FRAME_MAX], got[H_FRAME_MAX];
		uint64_t before = 0, after = 0;
		struct h_datagram d;
		struct lc l;

		install(h, k, &families[k], (struct h_client_opt){ .v1 = k % 2 }, &l);
		h_inner(inner, OUTSIDE, H_TUNNEL(k), 100, false);
		h_inner_in(h, 0, inner, 100);
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(open_dgram(&l, &d, got, &before), 100);
		dp_keys_forget(&h->core);
		GTC_EXPECT_INT(dp_restore(&h->core), k + 1);
		h_inner_in(h, 0, inner, 100);
		h_from(h, 0, &l.c, wire, ping(&l, wire));
		h_run(h);
		GTC_ASSERT(h_datagram_out(h, &d));
		GTC_EXPECT_INT(open_dgram(&l, &d, got, &after), 100);
		GTC_EXPECT(after >= before + 64);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), k + 1);
		done(&l);
	}
	h_destroy(h);
}

// ---- Static keys -------------------------------------------------------------------------------

// Beside the clients' port those of many tunnels, STATIC_PORT and on; made once and never freed.
static struct h *static_world(void)
{
	static struct shm_listen tunnel[SHM_TUNNELS_MAX];
	static struct dp_tunnel_ports *ports;
	struct h *h = h_create(2, 0);

	for (uint16_t i = 0; i < SHM_TUNNELS_MAX; i++) {
		tunnel[i] = h->config.listen[0];
		tunnel[i].port_be = rte_cpu_to_be_16(STATIC_PORT + i);
	}
	if (ports == NULL)
		ports = dp_tunnel_ports_create(tunnel, SHM_TUNNELS_MAX);
	h->config.ports = ports;
	h->config.listen[1] = tunnel[0]; // not in the list (listens is 1): what the harness expects
	return h;
}

// To the port of the static key.
static void to_static(struct h *h, uint32_t addr, uint16_t port, const uint8_t *data, size_t len)
{
	uint8_t frame[H_FRAME_MAX + 64];
	void *p;

	// The harness sends to the one port that it knows: take its frame and write another.
	h_outer(h, 0, addr, port, data, len);
	GTC_ASSERT_INT(rte_ring_dequeue(h->rx[0][0], &p), 0);
	memcpy(frame, rte_pktmbuf_mtod((struct rte_mbuf *)p, uint8_t *), 42 + len);
	rte_pktmbuf_free(p);
	frame[14 + 20 + 2] = STATIC_PORT >> 8;
	frame[14 + 20 + 3] = STATIC_PORT & 0xff;
	frame[14 + 20 + 6] = frame[14 + 20 + 7] = 0; // no checksum
	h_frame_in(h, 0, 0, frame, 42 + len);
}

GTC_TEST(legacy, static_key)
{
	static const unsigned some[] = { 0, 2, 6, 13, 18, 20 };

	for (unsigned i = 0; i < 6; i++) {
		struct h_client_opt opt = { .dir_flags = SHM_DIR_STATIC,
			.local_port = STATIC_PORT,
			.compress = (uint8_t)(i % 3) };
		uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];
		struct h *h = static_world();
		struct h_datagram d;
		uint64_t id = 0;
		struct lc l;

		install(h, 5, &families[some[i]], opt, &l);
		for (size_t len = 28; len < 1500; len += 97) {
			h_inner(inner, H_TUNNEL(5), OUTSIDE, len, false);
			to_static(h, l.c.addr, l.c.port, wire, seal(&l, inner, len, wire));
			h_run(h);
			GTC_EXPECT_INT(h_inner_out(h, got), len);
			GTC_EXPECT_MEM(got, inner, len);
			h_inner(inner, OUTSIDE, H_TUNNEL(5), len, false);
			h_inner_in(h, 0, inner, len);
			h_run(h);
			GTC_ASSERT(h_datagram_out(h, &d));
			GTC_EXPECT_INT(open_dgram(&l, &d, got, &id), len);
			GTC_EXPECT_INT(id >> 32, NET_TIME);
		}
		GTC_EXPECT_INT(h_all_drops(h), 0);
		// Without `float` nobody may come from elsewhere.
		to_static(h, NEW_PLACE, 5000, wire, ping(&l, wire));
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_v1_unknown_source), 1);
		GTC_EXPECT_INT(h_remove(h, &l.c), 0);
		to_static(h, l.c.addr, l.c.port, wire, ping(&l, wire));
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 0);
		done(&l);
		h_destroy(h);
	}
}

GTC_TEST(legacy, static_key_hostile)
{
	struct h_client_opt opt = { .dir_flags = SHM_DIR_STATIC, .local_port = STATIC_PORT };
	struct h *h = static_world();
	uint8_t wire[H_FRAME_MAX];
	struct lc l;
	size_t len;

	install(h, 5, &families[0], opt, &l);
	len = ping(&l, wire);
	for (size_t at = 0; at < len; at++) { // each byte changed, each length
		wire[at] ^= 0x10;
		to_static(h, l.c.addr, l.c.port, wire, len);
		wire[at] ^= 0x10;
		h_run(h);
		to_static(h, l.c.addr, l.c.port, wire, at);
		h_run(h);
	}
	GTC_EXPECT_INT(h_all_drops(h), 2 * len);
	for (int i = 0; i < 2; i++) { // once, and replayed
		to_static(h, l.c.addr, l.c.port, wire, len);
		h_run(h);
	}
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 1);
	GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 1);
	done(&l);
	h_destroy(h);
}

GTC_TEST(legacy, static_key_float)
{
	struct h_client_opt opt = { .dir_flags = SHM_DIR_STATIC | SHM_DIR_MOBILITY,
		.local_port = STATIC_PORT,
		.no_remote = true,
		.ping_ms = PING_MS };
	uint8_t wire[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h *h = static_world();
	struct h_datagram d;
	struct lc l, other;

	install(h, 5, &families[0], opt, &l);
	h_pass(h, PING_MS + 1000); // a Ping to nobody
	GTC_EXPECT(!h_datagram_out(h, &d));
	GTC_EXPECT(h_drops(h, DP_DROP_no_peer) > 0);
	to_static(h, NEW_PLACE, 5000, wire, ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 5), H_AT(NEW_PLACE, 5000));
	h_pass(h, PING_MS + 1000);
	GTC_ASSERT(h_datagram_out(h, &d));
	GTC_EXPECT_INT(H_AT(d.addr, d.port), H_AT(NEW_PLACE, 5000));
	GTC_EXPECT_INT(open_dgram(&l, &d, got, NULL), OVPN_PING_LEN);
	to_static(h, NEW_PLACE + 1, 5001, wire, ping(&l, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 5), H_AT(NEW_PLACE + 1, 5001));
	// One tunnel a port.
	opt.legacy = true;
	opt.cipher = OVPN_CIPHER_AES_128_CBC;
	opt.digest = OVPN_DIGEST_SHA1;
	opt.dir_flags |= SHM_DIR_LEGACY;
	GTC_EXPECT_INT(h_install(h, 6, &opt, &other.c), -EEXIST);
	done(&l);
	h_destroy(h);
}
