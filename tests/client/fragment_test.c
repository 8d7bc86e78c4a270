// SPDX-License-Identifier: BSD-3-Clause
// `fragment` in the client: packets of a stock peer, and what one end cuts the other puts together.
#include "client/fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/tls/data_legacy.h"
#include "protocol/tls/static_key.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

#define PACKET_MAX 1628
#define PIECES 16

struct format {
	enum ovpn_cipher cipher;
	enum ovpn_digest digest;
	bool v2, epoch, is_static;
	enum cfg_comp comp;
};

static const struct format formats[] = {
	{ .cipher = OVPN_CIPHER_AES_256_GCM, .v2 = true },
	{ .cipher = OVPN_CIPHER_AES_256_GCM, .comp = CFG_COMP_STUB },
	{ .cipher = OVPN_CIPHER_CHACHA20_POLY1305, .v2 = true, .epoch = true },
	{ .cipher = OVPN_CIPHER_AES_256_CBC,
		.digest = OVPN_DIGEST_SHA512,
		.v2 = true,
		.comp = CFG_COMP_LZO_STUB },
	{ .cipher = OVPN_CIPHER_AES_128_CFB, .digest = OVPN_DIGEST_SHA1, .comp = CFG_COMP_STUB_V2 },
	{ .cipher = OVPN_CIPHER_AES_256_CBC, .digest = OVPN_DIGEST_SHA256, .is_static = true },
	{ .cipher = OVPN_CIPHER_NONE, .digest = OVPN_DIGEST_SHA256, .is_static = true },
};

// One of two ends; other: the one that has the halves of the key the other way round.
static void install(
	struct vc_data *d, const struct format *f, uint16_t fragment, bool other, uint32_t session)
{
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	struct ovpn_data_keys keys;
	struct ovpn_direction_key swap;
	struct vc_crypt_params params = { .keys = &keys,
		.auth = f->digest,
		.v2 = f->v2,
		.epoch = f->epoch,
		.static_key = f->is_static,
		.comp = f->comp,
		.fragment_max = fragment };
	struct vc_key *key = NULL;

	for (unsigned i = 0; i < sizeof(material); i++)
		material[i] = (uint8_t)(i * 7 + 1 + session);
	GTC_EXPECT_INT(ovpn_data_keys_cut(material, f->cipher, &keys), 0);
	if (other) {
		swap = keys.dir[OVPN_KEY_C2S];
		keys.dir[OVPN_KEY_C2S] = keys.dir[OVPN_KEY_S2C];
		keys.dir[OVPN_KEY_S2C] = swap;
	}
	GTC_ASSERT_INT(vc_key_create(&params, 1, session, 0, &key), 0);
	vc_data_add(d, key, VC_DATA_NEVER);
}

static uint8_t plain[VC_DATA_HEADROOM + PACKET_MAX + VC_DATA_TAILROOM], framed[PACKET_MAX + 2];
static uint8_t wire[PIECES][PACKET_MAX + 200], scratch[PACKET_MAX + 200];
static size_t wire_len[PIECES];

static uint8_t byte_of(size_t len, size_t i)
{
	return (uint8_t)(i == 0 ? 0x50 : len * 3 + i * 5 + i / 256);
}

// Have a payload of so many bytes sealed into wire. Returns the number of datagrams.
static unsigned send(struct vc_data *d, size_t len)
{
	struct vc_pieces pieces = { .buf = framed, .room = sizeof(framed) };
	uint8_t *p = plain + VC_DATA_HEADROOM, *dgram;
	unsigned n = 0;
	int rc;

	for (size_t i = 0; i < len; i++)
		p[i] = byte_of(len, i);
	rc = vc_data_cut(d, 0, p, len, &pieces);
	GTC_EXPECT(rc == 0 || rc == 1);
	if (rc == 0) {
		GTC_EXPECT_INT(vc_data_seal(d, 0, p, len, &dgram, &wire_len[0]), 0);
		GTC_EXPECT(dgram >= plain);
		memcpy(wire[0], dgram, wire_len[0]);
		return 1;
	}
	while (vc_pieces_left(&pieces) && n < PIECES) {
		GTC_EXPECT_INT(vc_data_seal_piece(d, 0, &pieces, p, &dgram, &wire_len[n]), 0);
		GTC_EXPECT(dgram >= plain);
		memcpy(wire[n], dgram, wire_len[n]);
		n++;
	}
	GTC_EXPECT(!vc_pieces_left(&pieces));
	return n;
}

// Open a datagram of wire. Returns as vc_data_open; 0 only when the payload is what was sent.
static int take(struct vc_data *d, unsigned i, size_t want)
{
	uint8_t copy[PACKET_MAX + 200], *p;
	size_t len;
	int rc;

	memcpy(copy, wire[i], wire_len[i]);
	rc = vc_data_open(d, copy, wire_len[i], scratch, &p, &len);
	if (rc != 0)
		return rc;
	GTC_EXPECT_INT(len, want);
	for (size_t k = 0; k < len && k < want; k++) {
		if (p[k] != byte_of(want, k))
			return -EILSEQ;
	}
	return 0;
}

GTC_TEST(fragment, vector)
{
	struct vec *v = vec_load("static_aes256cbc_fragment");
	struct vc_data d[2] = { 0 };
	unsigned whole = 0, pieces = 0, joined = 0;

	for (unsigned c2s = 0; c2s < 2; c2s++) {
		struct ovpn_data_keys keys = { .cipher = OVPN_CIPHER_AES_256_CBC };
		struct vc_crypt_params params = { .keys = &keys,
			.auth = OVPN_DIGEST_SHA1,
			.static_key = true,
			.fragment_max = 600 };
		struct ovpn_static_key file;
		struct vc_key *key = NULL;

		GTC_ASSERT_INT(vec_hex(v->json, "static_key", file.bytes, 256), 256);
		// No direction: both ways have the same key.
		GTC_ASSERT_INT(ovpn_static_keys_cut(&file, -1, &keys.dir[0], &keys.dir[1]), 0);
		GTC_ASSERT_INT(vc_key_create(&params, 1, 0, 0, &key), 0);
		vc_data_add(&d[c2s], key, VC_DATA_NEVER);
		GTC_ASSERT_INT(vc_data_defrag_init(&d[c2s], PACKET_MAX), 0);
	}
	for (size_t i = 0; i < v->count; i++) {
		struct vc_data *to = &d[v->packet[i].c2s];
		uint8_t buf[2048], *p;
		size_t len;
		int rc;

		memcpy(buf, v->packet[i].data, v->packet[i].len);
		rc = vc_data_open(to, buf, v->packet[i].len, scratch, &p, &len);
		GTC_ASSERT(rc == 0 || rc == 1);
		pieces += rc == 1;
		if (rc == 1)
			continue;
		joined += to->joined;
		whole += !to->joined;
		if (p[0] >> 4 == 4)
			GTC_EXPECT_INT(ovpn_get_be16(p + 2), len);
	}
	GTC_EXPECT(whole >= 2 && joined >= 2 && pieces >= joined);
	vc_data_done(&d[0]);
	vc_data_done(&d[1]);
	vec_free(v);
}

// Every length in every format: no datagram is longer than it may be, and what arrives, in order or
// not, is what was sent.
GTC_TEST(fragment, round_trip)
{
	for (size_t k = 0; k < sizeof(formats) / sizeof(formats[0]); k++) {
		struct vc_data ours = { 0 }, theirs = { 0 };
		unsigned most = 0;

		install(&ours, &formats[k], 500, false, 1);
		install(&theirs, &formats[k], 500, true, 1);
		GTC_ASSERT_INT(vc_data_defrag_init(&theirs, PACKET_MAX), 0);
		for (size_t len = 1; len <= 1500; len += len < 300 || len > 1490 ? 1 : 7) {
			unsigned n = send(&ours, len);

			most = n > most ? n : most;
			for (unsigned i = 0; i < n; i++)
				GTC_EXPECT(wire_len[i] <= 500);
			for (unsigned i = 0; i < n; i++) {
				unsigned at = len % 2 == 0 ? i : n - 1 - i;

				GTC_ASSERT_INT(take(&theirs, at, len), i + 1 < n ? 1 : 0);
			}
			GTC_EXPECT(take(&theirs, 0, len) < 0); // seen before
		}
		GTC_EXPECT(most >= 4);
		vc_data_done(&ours);
		vc_data_done(&theirs);
	}
}

// A lost piece loses its packet alone, however many follow; one of another session doesn't fit.
GTC_TEST(fragment, lost_pieces)
{
	struct vc_data ours = { 0 }, theirs = { 0 };
	uint8_t first[PACKET_MAX];
	size_t first_len;

	install(&ours, &formats[0], 500, false, 1);
	install(&theirs, &formats[0], 500, true, 1);
	GTC_ASSERT_INT(vc_data_defrag_init(&theirs, PACKET_MAX), 0);
	for (unsigned i = 0; i < 600; i++) {
		GTC_ASSERT_INT(send(&ours, 1450), 4);
		for (unsigned k = 0; k < 4; k++) {
			if (i % 3 != 0 || k != i / 3 % 4)
				GTC_EXPECT_INT(take(&theirs, k, 1450), k < 3 || i % 3 == 0 ? 1 : 0);
		}
	}
	GTC_ASSERT_INT(send(&ours, 1450), 4);
	memcpy(first, wire[3], wire_len[3]);
	first_len = wire_len[3];
	for (unsigned k = 0; k < 3; k++)
		GTC_EXPECT_INT(take(&theirs, k, 1450), 1);
	// The session is replaced in place; the number of the packet is the same by chance.
	install(&ours, &formats[0], 500, false, 2);
	install(&theirs, &formats[0], 500, true, 2);
	ours.fragment_seq--;
	GTC_ASSERT_INT(send(&ours, 1450), 4);
	GTC_EXPECT_INT(take(&theirs, 3, 1450), 1);
	memcpy(wire[4], first, first_len);
	wire_len[4] = first_len;
	GTC_EXPECT_INT(take(&theirs, 4, 1450), 0); // of the session before
	for (unsigned k = 0; k < 3; k++)
		GTC_EXPECT_INT(take(&theirs, k, 1450), k < 2 ? 1 : 0);
	vc_data_done(&ours);
	vc_data_done(&theirs);
}

// A peer without `fragment`, and one that has it where we don't: dropped, by name.
GTC_TEST(fragment, both_or_none)
{
	struct vc_data with = { 0 }, without = { 0 };

	install(&with, &formats[0], 500, false, 1);
	install(&without, &formats[0], 0, true, 1);
	GTC_EXPECT_INT(send(&without, 100), 1);
	GTC_EXPECT_INT(take(&with, 0, 100), -EPROTO);
	GTC_EXPECT_INT(with.bad_frame, 1);
	GTC_EXPECT_INT(send(&with, 1450), 4);
	GTC_EXPECT_INT(send(&without, 1450), 1); // one datagram, whatever its length
	// No room was made for pieces.
	install(&without, &formats[0], 500, true, 2);
	install(&with, &formats[0], 500, false, 2);
	GTC_EXPECT_INT(send(&with, 1450), 4);
	GTC_EXPECT_INT(take(&without, 0, 1450), -EPROTO);
	vc_data_done(&with);
	vc_data_done(&without);
}
