// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/framing.h"
#include "protocol/replay.h"
#include "tests/gtc.h"

GTC_TEST(framing, compress_round_trip)
{
	for (unsigned c = 0; c < OVPN_COMPRESS_COUNT; c++) {
		for (unsigned first = 0; first < 256; first++) {
			uint8_t buf[8] = { 0, 0, (uint8_t)first, 7, 9 };
			uint8_t *p = buf + 2;
			size_t len = 3;

			p = ovpn_compress_add((enum ovpn_compress)c, p, &len);
			GTC_EXPECT(len >= 3 + ovpn_compress_len((enum ovpn_compress)c));
			GTC_EXPECT_INT(ovpn_compress_strip((enum ovpn_compress)c, &p, &len), 0);
			GTC_EXPECT_INT(len, 3);
			GTC_EXPECT_INT(p[0], first);
			GTC_EXPECT_INT(p[1], 7);
			GTC_EXPECT_INT(p[2], 9);
		}
	}
}

GTC_TEST(framing, compress_hostile)
{
	static const struct {
		enum ovpn_compress c;
		uint8_t bytes[4];
		size_t len;
		int rc;
	} row[] = {
		{ OVPN_COMPRESS_NONE, { 0 }, 0, -EBADMSG },
		{ OVPN_COMPRESS_BYTE, { 0xfa }, 1, -EBADMSG },
		{ OVPN_COMPRESS_BYTE, { 0xfb }, 1, -EBADMSG },
		{ OVPN_COMPRESS_BYTE, { 0x66, 1 }, 2, -EPROTO },
		{ OVPN_COMPRESS_SWAP, { 0x69, 1 }, 2, -EPROTO },
		{ OVPN_COMPRESS_SWAP, { 0x45, 1 }, 2, -EBADMSG },
		{ OVPN_COMPRESS_SWAP, { 0xfa, 1 }, 2, 0 },
		{ OVPN_COMPRESS_BYTE, { 0xfb, 1, 2 }, 3, 0 },
		{ OVPN_COMPRESS_V2, { 0 }, 0, -EBADMSG },
		{ OVPN_COMPRESS_V2, { 0x50, 0 }, 2, -EBADMSG },
		{ OVPN_COMPRESS_V2, { 0x50, 1, 1 }, 3, -EPROTO },
		{ OVPN_COMPRESS_V2, { 0x50, 0, 1 }, 3, 0 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t bytes[4];
		uint8_t *p = bytes;
		size_t len = row[i].len;

		memcpy(bytes, row[i].bytes, 4);
		GTC_EXPECT_INT(ovpn_compress_strip(row[i].c, &p, &len), row[i].rc);
	}
}

GTC_TEST(framing, fragment_header)
{
	static const struct {
		uint32_t word;
		size_t rest;
		int rc;
	} row[] = {
		{ 0, 1, 0 }, { 0, 0, -EBADMSG },
		{ 4, 8, -EBADMSG }, // whole, but with a sequence id
		{ 3, 8, -EBADMSG }, { 1, 8, 0 }, { 1, 7, -EBADMSG },
		{ 1 | 1u << 15, 8, -EBADMSG }, // a size where there is none
		{ 2 | 1u << 10 | 2u << 15, 8, 0 },
		{ 2 | 1u << 10 | 2u << 15, 9, -EBADMSG }, // longer than the others
		{ 2 | 2u << 15, 8, -EBADMSG }, // the last is the first
		{ 2 | 1u << 10, 8, -EBADMSG }, // no size
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint8_t buf[32] = { 0 };
		struct ovpn_fragment f;

		ovpn_put_be32(buf, row[i].word);
		GTC_EXPECT_INT(ovpn_fragment_parse(buf, 4 + row[i].rest, &f), row[i].rc);
	}
}

// Cut packets of every length, put them together in a wild order.
GTC_TEST(framing, fragments_any_order)
{
	void *mem = calloc(1, ovpn_defrag_bytes(4, 2000));
	struct ovpn_defrag d;
	uint8_t in[2000];

	ovpn_defrag_init(&d, mem, 4, 2000);
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 7 + i / 256);
	for (size_t len = 1; len <= sizeof(in); len += 13) {
		uint16_t size = 0;
		unsigned n = ovpn_fragment_cut(len, 100, &size);
		struct ovpn_span out = { 0 };
		int done = 0;

		GTC_ASSERT(n > 0 && size <= 100 && size % 4 == 0);
		for (unsigned k = 0; k < n && n > 1; k++) {
			unsigned at = (k * 7 + 3) % n; // any order, when 7 and n have no divisor
			struct ovpn_fragment f = { .type = at == n - 1 ? OVPN_FRAGMENT_LAST
								       : OVPN_FRAGMENT_MORE,
				.seq = (uint8_t)len,
				.number = (uint8_t)at,
				.size = size };
			size_t piece = at == n - 1 ? len - (size_t)at * size : size;

			if (n % 7 == 0) {
				at = k;
				f.number = (uint8_t)k;
				f.type = k == n - 1 ? OVPN_FRAGMENT_LAST : OVPN_FRAGMENT_MORE;
				piece = k == n - 1 ? len - (size_t)k * size : size;
			}
			done = ovpn_defrag_add(&d, 5, 1, &f, in + (size_t)at * size, piece, &out);
			GTC_EXPECT(done >= 0);
		}
		if (n > 1) {
			GTC_EXPECT_INT(done, 1);
			GTC_EXPECT_INT(out.len, len);
			GTC_EXPECT_MEM(out.data, in, len);
		}
	}
	GTC_EXPECT_INT(ovpn_fragment_cut(3201, 100, &(uint16_t){ 0 }), 0);
	free(mem);
}

GTC_TEST(framing, fragments_hostile)
{
	static const uint8_t data[400];
	void *mem = calloc(1, ovpn_defrag_bytes(2, 400));
	struct ovpn_fragment more = { OVPN_FRAGMENT_MORE, 1, 0, 100 };
	struct ovpn_fragment last = { OVPN_FRAGMENT_LAST, 1, 3, 100 };
	struct ovpn_span out;
	struct ovpn_defrag d;

	ovpn_defrag_init(&d, mem, 2, 400);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &more, data, 100, &out), 0);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &more, data, 100, &out), 0); // again
	more.size = 96;
	more.number = 1;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &more, data, 96, &out), -EBADMSG);
	more.size = 100;
	more.number = 4;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &more, data, 100, &out), -EMSGSIZE);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &last, data, 50, &out), 0);
	more.number = 3;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &more, data, 100, &out), -EBADMSG);
	// A third sender takes the place of the oldest, a late piece finds nothing of its own.
	more.number = 0;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 10, &more, data, 100, &out), 0);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 2, 20, &more, data, 100, &out), 0);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 3, 30, &more, data, 100, &out), 0);
	last.number = 1;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 40, &last, data, 10, &out), 0);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 3, 40, &last, data, 10, &out), 1);
	GTC_EXPECT_INT(out.len, 110);
	// Too late: what was there has expired.
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 20000, &more, data, 100, &out), 0);
	free(mem);
}

// Numbers come round after 256 packets: what is left of a packet of the round before must not be
// taken for a part of this one.
GTC_TEST(framing, fragment_numbers_come_round)
{
	void *mem = calloc(1, ovpn_defrag_bytes(OVPN_FRAGMENT_SEQS, 400));
	struct ovpn_fragment more = { .type = OVPN_FRAGMENT_MORE, .size = 100 };
	struct ovpn_fragment last = { .type = OVPN_FRAGMENT_LAST, .size = 100, .number = 1 };
	uint8_t old[100], data[100];
	struct ovpn_span out;
	struct ovpn_defrag d;

	memset(old, 1, sizeof(old));
	memset(data, 2, sizeof(data));
	ovpn_defrag_init(&d, mem, OVPN_FRAGMENT_SEQS, 400);
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 0, &more, old, 100, &out), 0); // its end is lost
	for (unsigned i = 1; i <= 256; i++) {
		more.seq = last.seq = (uint8_t)i;
		GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, i, &more, data, 100, &out), 0);
		GTC_ASSERT_INT(ovpn_defrag_add(&d, 1, i, &last, data, 50, &out), 1);
		GTC_EXPECT_INT(out.len, 150);
		GTC_EXPECT_INT(out.data[0], 2);
	}
	// What is a little late still counts.
	more.seq = 10;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 300, &more, data, 100, &out), 0);
	more.seq = 34;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 300, &more, data, 100, &out), 0);
	last.seq = 10;
	GTC_EXPECT_INT(ovpn_defrag_add(&d, 1, 300, &last, data, 50, &out), 1);
	free(mem);
}

GTC_TEST(framing, long_ids)
{
	struct ovpn_replay win = { 0 };

	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(100, 0)), -EINVAL);
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(100, 0xffffffff)), 0);
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(101, 1)), 0);
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(101, 1)), -EEXIST);
	// One below the wrap is near as a number, but of an earlier time.
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(100, 0xfffffffe)), -ERANGE);
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(101, 3000)), 0);
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(101, 2)), -ERANGE);
	GTC_EXPECT_INT(ovpn_replay_accept_long(&win, ovpn_long_id(101, 2999)), 0);
}
