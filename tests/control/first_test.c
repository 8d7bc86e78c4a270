// SPDX-License-Identifier: BSD-3-Clause
// Keys of the cookies change in time, and no handshake notices.
#include "control/first.h"

#include "protocol/control_packet.h"
#include "protocol/tls/stateless.h"
#include "tests/gtc.h"

#define WALL_MS (1700000000ull * 1000)
#define HOUR_MS 3600000ull

static const uint8_t addr[] = { 192, 0, 2, 2, 0x9c, 0x40 };

// The first packet of a client, or the third, which brings the server's session id back.
// Returns the verdict; *sid is what the server answered or is given back.
static enum ovpn_first_verdict send_packet(
	const struct ctl_first *f, uint64_t now_ms, bool third, uint8_t sid[8])
{
	const struct ovpn_stateless st = { .cookies = &f->cookies, .hand_window_s = 60 };
	struct ovpn_control c = { .opcode = OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, .sid = { 7 } };
	struct ovpn_first first;
	uint8_t dgram[64], reply[128];
	size_t len = 0, reply_len = 0;
	enum ovpn_first_verdict verdict;

	if (third) {
		c.opcode = OVPN_P_ACK_V1;
		c.ack_count = 1;
		memcpy(c.acked_sid, sid, 8);
	}
	GTC_EXPECT_INT(ovpn_control_build(&c, dgram, sizeof(dgram), &len), 0);
	verdict = ovpn_stateless_recv(&st, addr, sizeof(addr), WALL_MS + now_ms, dgram, len, &first,
		reply, sizeof(reply), &reply_len);
	if (verdict == OVPN_FIRST_REPLY)
		memcpy(sid, first.server_sid, 8);
	return verdict;
}

GTC_TEST(first, cookie_keys_rotate)
{
	static struct ctl_first f; // 64 KiB of buckets
	struct ovpn_cookie_keys keys;
	uint64_t now = 1000;
	uint8_t sid[8];

	GTC_ASSERT_INT(ovpn_cookie_keys_init(&f.cookies), 0);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 60, now), 0); // begins to count
	keys = f.cookies;
	GTC_EXPECT_INT(ctl_first_rotate(&f, 60, now + HOUR_MS - 1), 0);
	GTC_EXPECT_MEM(&f.cookies, &keys, sizeof(keys));
	// A handshake that began right before goes on after it, to the end of its hand-window.
	now += HOUR_MS;
	GTC_ASSERT_INT(send_packet(&f, now - 1, false, sid), OVPN_FIRST_REPLY);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 60, now), 1);
	GTC_EXPECT_INT(f.cookies.count, 2);
	GTC_EXPECT(memcmp(f.cookies.key[0], keys.key[0], sizeof(keys.key[0])) != 0);
	GTC_EXPECT_MEM(f.cookies.key[1], keys.key[0], sizeof(keys.key[0]));
	GTC_EXPECT_INT(send_packet(&f, now + 59000, true, sid), OVPN_FIRST_ACCEPT);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 60, now + HOUR_MS - 1), 0);
	// One that begins now has the new key, and its own rotation later the old one is gone.
	GTC_ASSERT_INT(send_packet(&f, now + HOUR_MS - 1, false, sid), OVPN_FIRST_REPLY);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 60, now + HOUR_MS), 1);
	GTC_EXPECT_INT(send_packet(&f, now + HOUR_MS + 1000, true, sid), OVPN_FIRST_ACCEPT);
	GTC_EXPECT(memcmp(f.cookies.key[1], keys.key[0], sizeof(keys.key[0])) != 0);
}

// Where handshakes may take an hour, a key lasts for two.
GTC_TEST(first, cookie_keys_outlive_handshakes)
{
	static struct ctl_first f;

	GTC_ASSERT_INT(ovpn_cookie_keys_init(&f.cookies), 0);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 3600, 1), 0);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 3600, HOUR_MS + 1), 0);
	GTC_EXPECT_INT(ctl_first_rotate(&f, 3600, 2 * HOUR_MS + 1), 1);
}
