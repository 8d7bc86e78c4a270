// SPDX-License-Identifier: BSD-3-Clause
// The epoch data format through whole workers; the client is that of protocol/tls.
#include <string.h>

#include "dataplane/command.h"
#include "harness.h"
#include "protocol/ping.h"
#include "protocol/tls/data_epoch.h"
#include "tests/gtc.h"

#define OUTSIDE 0xcb007107u // 203.0.113.7
#define NEW_PLACE 0xc6336501u // 198.51.101.1

struct ec {
	struct h_client c;
	struct ovpn_epoch_seal seal;
	struct ovpn_epoch_open open;
};

static const enum ovpn_cipher ciphers[] = { OVPN_CIPHER_AES_128_GCM, OVPN_CIPHER_AES_192_GCM,
	OVPN_CIPHER_AES_256_GCM, OVPN_CIPHER_CHACHA20_POLY1305 };

static void install(struct h *h, uint32_t slot, struct ec *e)
{
	struct h_client_opt opt = { .cipher = ciphers[slot % 4],
		.dir_flags = SHM_DIR_LEGACY | SHM_DIR_EPOCH | SHM_DIR_MOBILITY };

	memset(e, 0, sizeof(*e));
	GTC_ASSERT_INT(h_install(h, slot, &opt, &e->c), 0);
	GTC_ASSERT_INT(ovpn_epoch_seal_init(&e->seal, opt.cipher, e->c.c2s.cipher_key), 0);
	GTC_ASSERT_INT(ovpn_epoch_open_init(&e->open, opt.cipher, e->c.s2c.cipher_key), 0);
}

static void done(struct ec *e)
{
	ovpn_epoch_seal_done(&e->seal);
	ovpn_epoch_open_done(&e->open);
}

static size_t seal(struct ec *e, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t header[4];
	size_t n = 0;

	header[0] = ovpn_first_byte(OVPN_P_DATA_V2, e->c.key_id);
	ovpn_put_be24(header + 1, e->c.slot);
	GTC_EXPECT_INT(ovpn_epoch_seal(&e->seal, header, plain, len, out, &n), 0);
	return n;
}

static size_t ping(struct ec *e, uint8_t *out)
{
	uint8_t p[OVPN_PING_LEN];

	ovpn_ping_put(p);
	return seal(e, p, sizeof(p), out);
}

// One packet down. Returns the epoch it came in.
static unsigned down(struct h *h, struct ec *e, size_t len)
{
	uint8_t inner[H_FRAME_MAX], got[H_FRAME_MAX];
	struct h_datagram d;
	uint64_t id = 0;
	size_t n = 0;

	h_inner(inner, OUTSIDE, H_TUNNEL(e->c.slot), len, false);
	h_inner_in(h, 0, inner, len);
	h_run(h);
	if (!GTC_EXPECT(h_datagram_out(h, &d)))
		return 0;
	GTC_EXPECT_INT(ovpn_epoch_open(&e->open, d.data, d.len, got, &n, &id), 0);
	GTC_EXPECT_INT(n, len);
	GTC_EXPECT_MEM(got, inner, len);
	return (unsigned)(id >> OVPN_EPOCH_COUNTER_BITS);
}

// Up and down in every cipher; the server follows into the peer's later epochs.
GTC_TEST(epoch, up_and_down)
{
	struct h *h = h_create(1, 0);
	uint8_t inner[H_FRAME_MAX], wire[H_FRAME_MAX], got[H_FRAME_MAX];

	for (unsigned k = 0; k < 4; k++) {
		struct ec e;

		install(h, k, &e);
		for (uint16_t epoch = 1; epoch < 60; epoch += 7) {
			GTC_EXPECT_INT(ovpn_epoch_seal_raise(&e.seal, epoch), 0);
			for (size_t len = 28; len <= 1500; len += 368) {
				h_inner(inner, H_TUNNEL(k), OUTSIDE, len, false);
				h_from(h, 0, &e.c, wire, seal(&e, inner, len, wire));
				h_run(h);
				GTC_EXPECT_INT(h_inner_out(h, got), len);
				GTC_EXPECT_MEM(got, inner, len);
				GTC_EXPECT_INT(down(h, &e, len), epoch);
			}
		}
		done(&e);
	}
	GTC_EXPECT_INT(h_all_drops(h), 0);
	h_destroy(h);
}

// One epoch back is taken, once each; forged, replayed, too far ahead isn't.
GTC_TEST(epoch, window)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < 4; k++) {
		uint8_t first[128], second[128], wire[128];
		struct ec e;
		size_t len;

		install(h, k, &e);
		len = ping(&e, first);
		(void)ping(&e, second);
		h_from(h, 0, &e.c, first, len);
		GTC_EXPECT_INT(ovpn_epoch_seal_raise(&e.seal, 3), 0);
		(void)ping(&e, wire);
		wire[15] ^= 1;
		h_from(h, 0, &e.c, wire, len);
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag), 3 * k + 1);
		wire[15] ^= 1;
		h_from(h, 0, &e.c, wire, len);
		h_from(h, 0, &e.c, second, len); // late, of the epoch before
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 3 * k + 3);
		h_from(h, 0, &e.c, wire, len);
		h_from(h, 0, &e.c, second, len);
		h_from(h, 0, &e.c, first, len);
		h_run(h);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_replay), 3 * k + 3);
		GTC_EXPECT_INT(ovpn_epoch_seal_raise(&e.seal, 20), 0);
		h_from(h, 0, &e.c, wire, ping(&e, wire));
		GTC_EXPECT_INT(ovpn_epoch_seal_raise(&e.seal, 40), 0);
		for (size_t cut = 1; cut < 29; cut++)
			h_from(h, 0, &e.c, second, cut);
		h_from(h, 0, &e.c, second, 29);
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 3 * k + 3);
		GTC_EXPECT_INT(h_drops(h, DP_DROP_bad_tag), 3 * k + 3);
		done(&e);
	}
	h_destroy(h);
}

// A change of any byte of a packet is noticed, and the packet itself is taken afterwards.
GTC_TEST(epoch, flips)
{
	struct h *h = h_create(1, 0);

	for (unsigned k = 0; k < 4; k++) {
		uint8_t good[128], wire[128];
		uint64_t before = h_all_drops(h);
		struct ec e;
		size_t len;

		install(h, k, &e);
		len = ping(&e, good);
		for (size_t at = 1; at < len; at++) {
			memcpy(wire, good, len);
			wire[at] ^= 0x10;
			h_from(h, 0, &e.c, wire, len);
			h_run(h);
		}
		GTC_EXPECT_INT(h_all_drops(h) - before, len - 1);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), k);
		h_from(h, 0, &e.c, good, len);
		h_run(h);
		GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), k + 1);
		done(&e);
	}
	h_destroy(h);
}

// A reconfiguration Ping and a move by peer-id; a packet of the epoch before moves nothing.
GTC_TEST(epoch, moves)
{
	struct h *h = h_create(2, SHM_HELLO_MOBILITY);
	uint8_t wire[256], late[256];
	struct h_datagram d;
	struct ec e;
	size_t len, late_len;

	install(h, 2, &e);
	h_from(h, 0, &e.c, wire, ping(&e, wire));
	late_len = ping(&e, late);
	GTC_EXPECT_INT(ovpn_epoch_seal_raise(&e.seal, 2), 0);
	len = ping(&e, wire);
	memcpy(wire + len, e.c.sid, 8);
	h_outer(h, 1, NEW_PLACE, 5000, wire, len + 8);
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 2), H_AT(NEW_PLACE, 5000));
	GTC_EXPECT(h_datagram_out(h, &d));
	GTC_EXPECT(!h_datagram_out(h, &d));
	h_from(h, 0, &e.c, late, late_len);
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_moves_old), 1);
	GTC_EXPECT_INT(h_endpoint(h, 2), H_AT(NEW_PLACE, 5000));
	h_outer(h, 1, NEW_PLACE + 1, 5001, wire, ping(&e, wire));
	h_run(h);
	GTC_EXPECT_INT(h_endpoint(h, 2), H_AT(NEW_PLACE + 1, 5001));
	done(&e);
	h_destroy(h);
}

// A dataplane that starts anew goes on in the same epochs, with later ids.
GTC_TEST(epoch, restore)
{
	struct h *h = h_create(1, 0);
	uint8_t wire[256];
	struct ec e;

	install(h, 1, &e);
	GTC_EXPECT_INT(ovpn_epoch_seal_raise(&e.seal, 5), 0);
	h_from(h, 0, &e.c, wire, ping(&e, wire));
	h_run(h);
	GTC_EXPECT_INT(down(h, &e, 100), 5);
	dp_keys_forget(&h->core);
	GTC_EXPECT_INT(dp_restore(&h->core), 1);
	h_from(h, 0, &e.c, wire, ping(&e, wire));
	h_run(h);
	GTC_EXPECT_INT(h_count(h, DP_COUNT_pings_received), 2);
	GTC_EXPECT_INT(down(h, &e, 100), 5);
	GTC_EXPECT_INT(h_all_drops(h), 0);
	done(&e);
	h_destroy(h);
}
