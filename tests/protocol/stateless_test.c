// SPDX-License-Identifier: BSD-3-Clause
// First contact and its cookies.
#include "protocol/tls/stateless.h"

#include <errno.h>

#include "protocol/control_packet.h"
#include "tests/gtc.h"

#define NOW_MS (1700000000ull * 1000)

static const uint8_t addr[] = { 192, 0, 2, 2, 0x9c, 0x40 };
static const uint8_t other[] = { 192, 0, 2, 2, 0x9c, 0x41 };
static const uint8_t sid[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

GTC_TEST(cookie, bound_to_everything)
{
	struct ovpn_cookie_keys keys;
	struct ovpn_cookie_keys foreign;
	uint8_t cookie[8];
	uint8_t sid2[8] = { 1 };

	GTC_ASSERT_INT(ovpn_cookie_keys_init(&keys), 0);
	GTC_ASSERT_INT(ovpn_cookie_keys_init(&foreign), 0);
	GTC_ASSERT_INT(ovpn_cookie_make(&keys, addr, sizeof(addr), sid, 100, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 100, cookie), 1);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 102, cookie), 1);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 103, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 99, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, other, sizeof(other), sid, 100, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, 4, sid, 100, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid2, 100, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&foreign, addr, sizeof(addr), sid, 100, cookie), 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
		GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 100, cookie), 0);
		cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	GTC_EXPECT_INT(ovpn_cookie_make(&keys, addr, 65, sid, 100, cookie), -EINVAL);
}

GTC_TEST(cookie, two_generations)
{
	struct ovpn_cookie_keys keys;
	uint8_t cookie[8];

	GTC_ASSERT_INT(ovpn_cookie_keys_init(&keys), 0);
	GTC_ASSERT_INT(ovpn_cookie_make(&keys, addr, sizeof(addr), sid, 0, cookie), 0);
	GTC_ASSERT_INT(ovpn_cookie_keys_rotate(&keys), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 1, cookie), 1);
	GTC_ASSERT_INT(ovpn_cookie_keys_rotate(&keys), 0);
	GTC_EXPECT_INT(ovpn_cookie_verify(&keys, addr, sizeof(addr), sid, 1, cookie), 0);
	GTC_EXPECT_INT(ovpn_cookie_slot_ms(60), 30000);
	ovpn_cookie_keys_wipe(&keys);
	GTC_EXPECT_INT(ovpn_cookie_make(&keys, addr, sizeof(addr), sid, 0, cookie), -EINVAL);
}

// A server and what it answered last.
struct server {
	struct ovpn_stateless st;
	struct ovpn_cookie_keys cookies;
	struct ovpn_first first;
	uint8_t reply[128];
	size_t reply_len;
};

static void server_init(struct server *s)
{
	memset(s, 0, sizeof(*s));
	GTC_EXPECT_INT(ovpn_cookie_keys_init(&s->cookies), 0);
	s->st.cookies = &s->cookies;
	s->st.hand_window_s = 60;
}

static enum ovpn_first_verdict ask(
	struct server *s, uint64_t now_ms, const uint8_t *dgram, size_t len)
{
	return ovpn_stateless_recv(&s->st, addr, sizeof(addr), now_ms, dgram, len, &s->first,
		s->reply, sizeof(s->reply), &s->reply_len);
}

// An unwrapped packet of the client; acks < 0: none, else this id is acknowledged.
static size_t craft(uint8_t opcode, uint32_t message_id, int ack, const uint8_t *server_sid,
	uint8_t *buf, size_t size)
{
	struct ovpn_control c = { .opcode = opcode, .message_id = message_id };
	size_t len = 0;

	memcpy(c.sid, sid, 8);
	if (ack >= 0) {
		c.ack_count = 1;
		c.acks[0] = (uint32_t)ack;
		memcpy(c.acked_sid, server_sid, 8);
	}
	GTC_EXPECT_INT(ovpn_control_build(&c, buf, size, &len), 0);
	return len;
}

static void expect_drop(
	struct server *s, const uint8_t *dgram, size_t len, enum ovpn_first_reason reason)
{
	GTC_EXPECT_INT(ask(s, NOW_MS, dgram, len), OVPN_FIRST_DROP);
	GTC_EXPECT_STR(ovpn_first_reason_name((enum ovpn_first_reason)s->first.reason),
		ovpn_first_reason_name(reason));
}

GTC_TEST(stateless, plain)
{
	struct server s;
	struct ovpn_control c;
	uint8_t server_sid[8];
	uint8_t buf[64];
	size_t len;

	server_init(&s);
	len = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, -1, NULL, buf, sizeof(buf));
	GTC_ASSERT_INT(ask(&s, NOW_MS, buf, len), OVPN_FIRST_REPLY);
	GTC_EXPECT_INT(s.reply_len, 26);
	GTC_ASSERT_INT(ovpn_control_parse(s.reply, s.reply_len, &c), 0);
	GTC_EXPECT_INT(c.opcode, OVPN_P_CONTROL_HARD_RESET_SERVER_V2);
	GTC_EXPECT_INT(c.ack_count, 1);
	GTC_EXPECT_INT(c.acks[0], 0);
	GTC_EXPECT_MEM(c.acked_sid, sid, 8);
	memcpy(server_sid, c.sid, 8);
	// The third packet, in each of its forms, up to 60 s later.
	len = craft(OVPN_P_CONTROL_V1, 1, 0, server_sid, buf, sizeof(buf));
	GTC_EXPECT_INT(ask(&s, NOW_MS + 59000, buf, len), OVPN_FIRST_ACCEPT);
	GTC_EXPECT_MEM(s.first.server_sid, server_sid, 8);
	GTC_EXPECT_MEM(s.first.client_sid, sid, 8);
	GTC_EXPECT(s.first.keys == NULL && !s.first.v2);
	GTC_EXPECT_INT(ask(&s, NOW_MS + 120000, buf, len), OVPN_FIRST_DROP);
	GTC_EXPECT_INT(s.first.reason, OVPN_FIRST_BAD_COOKIE);
	len = craft(OVPN_P_ACK_V1, 0, 0, server_sid, buf, sizeof(buf));
	GTC_EXPECT_INT(ask(&s, NOW_MS, buf, len), OVPN_FIRST_ACCEPT);
	len = craft(OVPN_P_CONTROL_V1, 2, 0, server_sid, buf, sizeof(buf));
	expect_drop(&s, buf, len, OVPN_FIRST_MESSAGE_ID);
	len = craft(OVPN_P_CONTROL_V1, 1, 2, server_sid, buf, sizeof(buf));
	expect_drop(&s, buf, len, OVPN_FIRST_MESSAGE_ID);
	server_sid[0] ^= 1;
	len = craft(OVPN_P_CONTROL_V1, 1, 0, server_sid, buf, sizeof(buf));
	expect_drop(&s, buf, len, OVPN_FIRST_BAD_COOKIE);
}

GTC_TEST(stateless, refused)
{
	struct server s;
	uint8_t buf[64];
	size_t len;

	server_init(&s);
	len = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, -1, NULL, buf, sizeof(buf));
	for (size_t n = 0; n < 10; n++)
		expect_drop(&s, buf, n, OVPN_FIRST_LENGTH);
	for (size_t n = 10; n < len; n++)
		expect_drop(&s, buf, n, OVPN_FIRST_MALFORMED);
	buf[0] |= 1;
	expect_drop(&s, buf, len, OVPN_FIRST_KEY_ID);
	for (unsigned first = 0; first < 256; first += 8) {
		unsigned opcode = first >> 3;

		if (opcode == 4 || opcode == 5 || opcode == 7 || opcode >= 10)
			continue;
		buf[0] = (uint8_t)first;
		expect_drop(&s, buf, len, OVPN_FIRST_OPCODE);
	}
	buf[0] = OVPN_P_CONTROL_HARD_RESET_CLIENT_V3 << 3;
	expect_drop(&s, buf, len, OVPN_FIRST_NO_KEY);
	len = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 1, -1, NULL, buf, sizeof(buf));
	expect_drop(&s, buf, len, OVPN_FIRST_MESSAGE_ID);
	len = craft(OVPN_P_CONTROL_V1, 2, -1, NULL, buf, sizeof(buf));
	expect_drop(&s, buf, len, OVPN_FIRST_NO_ACK);
	memset(buf + 1, 0, 8);
	expect_drop(&s, buf, len, OVPN_FIRST_MALFORMED);
}

// A client of 2.5 whose separate acknowledgement was lost sees the same answer again.
GTC_TEST(stateless, lost_acknowledgement)
{
	struct server s;
	uint8_t first_reply[26];
	uint8_t buf[64];
	size_t len;

	server_init(&s);
	len = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, -1, NULL, buf, sizeof(buf));
	GTC_ASSERT_INT(ask(&s, NOW_MS, buf, len), OVPN_FIRST_REPLY);
	memcpy(first_reply, s.reply, sizeof(first_reply));
	len = craft(OVPN_P_CONTROL_V1, 1, -1, NULL, buf, sizeof(buf));
	GTC_ASSERT_INT(ask(&s, NOW_MS, buf, len), OVPN_FIRST_REPLY);
	GTC_EXPECT_MEM(s.reply, first_reply, sizeof(first_reply));
}

GTC_TEST(stateless, keys_side_by_side)
{
	struct server s;
	struct ovpn_static_key key = { { 1 } };
	struct ovpn_wrap_keys auth[2];
	struct ovpn_wrap_keys crypt[2];
	struct ovpn_wrap_id id = { .id = 1, .time_s = 5 };
	uint8_t plain[64];
	uint8_t buf[128];
	size_t n;
	size_t len;

	server_init(&s);
	GTC_EXPECT_INT(
		ovpn_wrap_keys_tls_auth(&key, OVPN_DIGEST_SHA1, OVPN_DIRECTION_NORMAL, &auth[0]),
		0);
	GTC_EXPECT_INT(
		ovpn_wrap_keys_tls_auth(&key, OVPN_DIGEST_SHA1, OVPN_DIRECTION_INVERSE, &auth[1]),
		0);
	ovpn_wrap_keys_tls_crypt(&key, true, &crypt[0]);
	ovpn_wrap_keys_tls_crypt(&key, false, &crypt[1]);
	s.st.tls_auth = &auth[0];
	s.st.tls_crypt = &crypt[0];
	n = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, -1, NULL, plain, sizeof(plain));
	GTC_EXPECT_INT(ovpn_wrap_seal_as(&auth[1], id, plain, n, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(ask(&s, NOW_MS, buf, len), OVPN_FIRST_REPLY);
	GTC_EXPECT(s.first.keys == &auth[0]);
	GTC_EXPECT_INT(s.reply_len, 26 + 28);
	GTC_EXPECT_INT(ovpn_wrap_seal_as(&crypt[1], id, plain, n, buf, sizeof(buf), &len), 0);
	GTC_EXPECT_INT(ask(&s, NOW_MS, buf, len), OVPN_FIRST_REPLY);
	GTC_EXPECT(s.first.keys == &crypt[0]);
	GTC_EXPECT_INT(s.reply_len, 26 + 40);
	GTC_EXPECT_INT(
		ovpn_wrap_open(&crypt[1], s.reply, s.reply_len, plain, sizeof(plain), &n, &id), 0);
	GTC_EXPECT_INT(id.id, 1);
	GTC_EXPECT_INT(id.time_s, NOW_MS / 1000);
	buf[20] ^= 1;
	expect_drop(&s, buf, len, OVPN_FIRST_BAD_WRAP);
	n = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, -1, NULL, plain, sizeof(plain));
	expect_drop(&s, plain, n, OVPN_FIRST_BAD_WRAP); // not wrapped at all
}

GTC_TEST(stateless, tls_crypt_v2)
{
	static const uint8_t metadata[9] = { OVPN_WKC_METADATA_TIME, 0, 0, 0, 0, 0, 0, 0, 1 };
	struct server s;
	struct ovpn_v2_server_key v2;
	struct ovpn_v2_client_key client;
	struct ovpn_wrap_keys keys;
	struct ovpn_wrap_id id = { .id = 1, .time_s = 5 };
	uint8_t plain[64];
	uint8_t buf[2048];
	size_t n;
	size_t len;

	server_init(&s);
	GTC_ASSERT_INT(ovpn_v2_server_key_generate(&v2), 0);
	GTC_ASSERT_INT(ovpn_v2_client_key_generate(&v2, metadata, sizeof(metadata), &client), 0);
	ovpn_wrap_keys_tls_crypt(&client.kc, false, &keys);
	s.st.v2 = &v2;
	n = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V3, 0, -1, NULL, plain, sizeof(plain));
	// Without the marker of early negotiation state is needed, if the server wants to keep any.
	GTC_EXPECT_INT(ovpn_wrap_seal_as(&keys, id, plain, n, buf, sizeof(buf), &len), 0);
	memcpy(buf + len, client.wkc, client.wkc_len);
	GTC_EXPECT_INT(ask(&s, NOW_MS, buf, len + client.wkc_len), OVPN_FIRST_STATEFUL);
	s.st.force_cookie = true;
	expect_drop(&s, buf, len + client.wkc_len, OVPN_FIRST_NEEDS_STATE);
	id.id = OVPN_EARLY_REPLAY_ID;
	GTC_EXPECT_INT(ovpn_wrap_seal_as(&keys, id, plain, n, buf, sizeof(buf), &len), 0);
	memcpy(buf + len, client.wkc, client.wkc_len);
	GTC_EXPECT_INT(len + client.wkc_len, 353);
	GTC_ASSERT_INT(ask(&s, NOW_MS, buf, 353), OVPN_FIRST_REPLY);
	GTC_EXPECT(s.first.v2);
	GTC_EXPECT_INT(s.reply_len, 72);
	GTC_EXPECT_MEM(&s.first.kc, &client.kc, sizeof(client.kc));
	GTC_EXPECT_INT(s.first.metadata_len, sizeof(metadata));
	GTC_EXPECT_MEM(s.first.metadata, metadata, sizeof(metadata));
	ovpn_first_wipe(&s.first);
	// Made at second 1: as old as the clock says.
	s.st.v2_max_age_s = (uint32_t)(NOW_MS / 1000 - 1);
	GTC_EXPECT_INT(ask(&s, NOW_MS, buf, 353), OVPN_FIRST_REPLY);
	s.st.v2_max_age_s--;
	expect_drop(&s, buf, 353, OVPN_FIRST_OLD_CLIENT_KEY);
	GTC_EXPECT_INT(ask(&s, 0, buf, 353), OVPN_FIRST_REPLY); // its time is still to come
	s.st.v2_max_age_s = 0;
	// A damaged wrapped key, a damaged packet, a packet without the key.
	buf[353 - 40] ^= 1;
	expect_drop(&s, buf, 353, OVPN_FIRST_BAD_CLIENT_KEY);
	buf[353 - 40] ^= 1;
	buf[12] ^= 1;
	expect_drop(&s, buf, 353, OVPN_FIRST_BAD_WRAP);
	for (size_t i = 0; i < sizeof(s.first.kc.bytes); i++)
		GTC_EXPECT_INT(s.first.kc.bytes[i], 0); // nothing of it stays
	n = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, -1, NULL, plain, sizeof(plain));
	expect_drop(&s, plain, n, OVPN_FIRST_NO_KEY);
}
