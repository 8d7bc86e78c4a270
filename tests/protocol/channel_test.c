// SPDX-License-Identifier: BSD-3-Clause
// The control channel packet by packet, without TLS: bytes stand in for it.
// Long because all cases share one pair of channels and its helpers.
#include "protocol/tls/channel.h"

#include <errno.h>

#include "protocol/control_packet.h"
#include "protocol/tls/negotiation.h"
#include "tests/gtc.h"

#define NOW_S 1700000000u

static const struct ovpn_channel_config config = { .max_packet = 1250, .retransmit_ms = 2000 };
static const uint8_t client_sid[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
static const uint8_t server_sid[8] = { 2, 2, 2, 2, 2, 2, 2, 2 };

// A client and a server on a perfect line.
struct pair {
	struct ovpn_wrap_keys keys[2];
	struct ovpn_channel client;
	struct ovpn_channel server;
	struct ovpn_negotiation client_neg;
	struct ovpn_negotiation server_neg;
	struct ovpn_negotiation spare;
	uint64_t now_ms;
};

struct dgram {
	size_t len;
	uint8_t data[OVPN_CHANNEL_DATAGRAM_MAX];
};

static bool next_dgram(struct ovpn_channel *ch, uint64_t now_ms, struct dgram *d)
{
	int rc = ovpn_channel_output(ch, now_ms, d->data, sizeof(d->data), &d->len);

	GTC_EXPECT(rc >= 0);
	return rc > 0;
}

static int give(struct ovpn_channel *ch, const struct dgram *d, unsigned *ret_events)
{
	*ret_events = 0;
	return ovpn_channel_recv(ch, d->data, d->len, 0, ret_events);
}

// Carry everything both have to say, until both are quiet.
static void settle(struct pair *p)
{
	struct dgram d;
	unsigned events;
	bool more = true;

	while (more) {
		more = false;
		while (next_dgram(&p->client, p->now_ms, &d)) {
			GTC_EXPECT_INT(give(&p->server, &d, &events), 0);
			more = true;
		}
		while (next_dgram(&p->server, p->now_ms, &d)) {
			GTC_EXPECT_INT(give(&p->client, &d, &events), 0);
			more = true;
		}
	}
}

static void pair_init(struct pair *p, bool wrapped)
{
	struct ovpn_static_key key;

	memset(p, 0, sizeof(*p));
	memset(key.bytes, 5, 128);
	memset(key.bytes + 128, 6, 128);
	ovpn_wrap_keys_tls_crypt(&key, false, &p->keys[0]);
	ovpn_wrap_keys_tls_crypt(&key, true, &p->keys[1]);
	ovpn_channel_init(
		&p->client, &config, false, client_sid, wrapped ? &p->keys[0] : NULL, NOW_S);
	ovpn_channel_init(
		&p->server, &config, true, server_sid, wrapped ? &p->keys[1] : NULL, NOW_S);
	ovpn_channel_start(&p->client, &p->client_neg, 0);
	ovpn_channel_start(&p->server, &p->server_neg, 0);
}

static void pair_up(struct pair *p, bool wrapped)
{
	pair_init(p, wrapped);
	settle(p);
	GTC_EXPECT(ovpn_channel_started(&p->client) && ovpn_channel_started(&p->server));
	ovpn_channel_established(&p->client);
	ovpn_channel_established(&p->server);
	GTC_EXPECT(ovpn_channel_idle(&p->client) && ovpn_channel_idle(&p->server));
}

static void write_text(struct ovpn_channel *ch, const char *text)
{
	GTC_EXPECT_INT(
		ovpn_channel_tls_write(ch, (const uint8_t *)text, strlen(text), 0), strlen(text));
}

static void expect_text(struct ovpn_channel *ch, const char *text)
{
	uint8_t buf[64] = { 0 };

	GTC_EXPECT_INT(ovpn_channel_tls_read(ch, buf, sizeof(buf) - 1), strlen(text));
	GTC_EXPECT_STR((const char *)buf, text);
}

// Take an unwrapped datagram apart.
static struct ovpn_control parse(const struct dgram *d)
{
	struct ovpn_control c = { 0 };

	GTC_EXPECT_INT(ovpn_control_parse(d->data, d->len, &c), 0);
	return c;
}

GTC_TEST(channel, start_and_text)
{
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_init(&p, false);
	GTC_EXPECT_INT(ovpn_channel_tls_write(&p.client, client_sid, 8, 0), 0); // too early
	GTC_EXPECT_INT(ovpn_channel_deadline(&p.server), OVPN_CHANNEL_NEVER);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.len, 14);
	GTC_EXPECT_INT(d.data[0], 0x38);
	GTC_EXPECT_INT(ovpn_channel_deadline(&p.client), 2000);
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_RESET);
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0); // repeated: acknowledged again
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_DUPLICATE);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(d.len, 26);
	GTC_EXPECT_INT(d.data[0], 0x40);
	GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
	GTC_EXPECT_INT(
		events, OVPN_CHANNEL_GOT_ACK | OVPN_CHANNEL_GOT_START | OVPN_CHANNEL_GOT_RESET);
	write_text(&p.client, "hello");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.len, 26 + 5); // the acknowledgement rides along
	GTC_EXPECT(!next_dgram(&p.client, 0, &d));
	settle(&p);
	GTC_EXPECT(!ovpn_channel_all_acked(&p.client)); // that datagram was lost
	p.now_ms = 2000;
	settle(&p);
	expect_text(&p.server, "hello");
	GTC_EXPECT(ovpn_channel_all_acked(&p.client));
	GTC_EXPECT(ovpn_channel_all_acked(&p.server));
}

// While an answer is under way a few acknowledgements wait for it; more than it carries don't, and
// none is kept back once the owner lets go.
GTC_TEST(channel, acks_wait_for_an_answer)
{
	struct pair p;
	struct dgram d;
	struct ovpn_channel_state state;
	unsigned events;

	pair_up(&p, false);
	ovpn_channel_hold_acks(&p.server, true);
	write_text(&p.client, "one");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT(!next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(ovpn_channel_deadline(&p.server), 0);
	GTC_EXPECT(!ovpn_channel_idle(&p.server)); // it can't be detached with that
	write_text(&p.server, "answer");
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT(parse(&d).ack_count >= 1); // earlier ones are repeated
	GTC_EXPECT_INT(parse(&d).payload_len, 6);
	GTC_EXPECT(!next_dgram(&p.server, 0, &d)); // its own retransmission isn't due

	for (unsigned i = 0; i < OVPN_CONTROL_PIGGYBACK; i++) {
		GTC_EXPECT(!next_dgram(&p.server, 0, &d));
		write_text(&p.client, "more");
		GTC_ASSERT(next_dgram(&p.client, 0, &d));
		GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	}
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(parse(&d).opcode, OVPN_P_ACK_V1);
	GTC_EXPECT(parse(&d).ack_count >= OVPN_CONTROL_PIGGYBACK);

	write_text(&p.client, "last");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT(!next_dgram(&p.server, 0, &d));
	ovpn_channel_export(&p.server, &state);
	GTC_EXPECT(
		(state.flags & OVPN_CHANNEL_HOLD_ACKS) == 0); // nobody would let go after a restart
	ovpn_channel_hold_acks(&p.server, false);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(parse(&d).opcode, OVPN_P_ACK_V1);
}

GTC_TEST(channel, stream_is_cut)
{
	struct pair p;
	struct dgram d;
	uint8_t bytes[20000];
	uint8_t back[20000];
	size_t sent = 0;
	size_t got = 0;
	unsigned events;

	pair_up(&p, true);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	while (got < sizeof(bytes)) {
		sent += ovpn_channel_tls_write(&p.server, bytes + sent, sizeof(bytes) - sent, 0);
		GTC_ASSERT(next_dgram(&p.server, 0, &d));
		GTC_EXPECT(d.len <= 1222);
		GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
		// Read in pieces that fit nothing.
		got += ovpn_channel_tls_read(&p.client, back + got, 700);
		got += ovpn_channel_tls_read(&p.client, back + got, sizeof(back) - got);
		while (next_dgram(&p.client, 0, &d))
			GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	}
	GTC_EXPECT_MEM(back, bytes, sizeof(bytes));
}

GTC_TEST(channel, refused)
{
	struct pair p;
	struct dgram d;
	struct dgram copy;
	unsigned events;

	pair_up(&p, true);
	write_text(&p.client, "x");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	for (size_t bit = 0; bit < 8 * d.len; bit++) {
		copy = d;
		copy.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		GTC_EXPECT(give(&p.server, &copy, &events) < 0);
	}
	for (size_t len = 0; len < d.len; len++) {
		copy = d;
		copy.len = len;
		GTC_EXPECT(give(&p.server, &copy, &events) < 0);
	}
	GTC_EXPECT_INT(give(&p.client, &d, &events), -ESTALE); // our own
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EEXIST);
	expect_text(&p.server, "x");
	d.data[0] = 0x48;
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EINVAL); // data
	d.data[0] = 0x40;
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EINVAL); // a server's reset
	d.data[0] = 0x20 | 3;
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EPROTO); // key id 3
}

// Build a packet by hand, unwrapped, as the client would.
static struct dgram craft(uint8_t opcode, uint8_t key_id, uint32_t message_id, bool ack)
{
	struct dgram d = { 0 };
	struct ovpn_control c = { .opcode = opcode, .key_id = key_id, .message_id = message_id };

	memcpy(c.sid, client_sid, 8);
	memcpy(c.acked_sid, server_sid, 8);
	c.ack_count = ack;
	GTC_EXPECT_INT(ovpn_control_build(&c, d.data, sizeof(d.data), &d.len), 0);
	return d;
}

GTC_TEST(channel, odd_packets)
{
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_up(&p, false);
	d = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, 1, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EINVAL);
	d = craft(OVPN_P_CONTROL_V1, 0, 0, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EINVAL);
	d = craft(OVPN_P_CONTROL_SOFT_RESET_V1, 0, 0, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EINVAL);
	d = craft(OVPN_P_CONTROL_SOFT_RESET_V1, 1, 1, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EINVAL);
	d = craft(OVPN_P_CONTROL_SOFT_RESET_V1, 2, 0, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EPROTO); // 1 would be next
	d = craft(OVPN_P_CONTROL_V1, 0, 1 + 12, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ENOSPC);
	d = craft(OVPN_P_ACK_V1, 0, 0, true);
	d.data[14] ^= 1; // another receiver
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ESTALE);
	d.data[1] ^= 1; // another sender
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ESTALE);
	// A new session's reset from the same address is no business of this channel.
	d = craft(OVPN_P_CONTROL_HARD_RESET_CLIENT_V2, 0, 0, false);
	d.data[1] ^= 1;
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ESTALE);
}

GTC_TEST(channel, soft_reset_rules)
{
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_init(&p, false);
	settle(&p);
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.client, NULL, 0), -EAGAIN);
	d = craft(OVPN_P_CONTROL_SOFT_RESET_V1, 1, 0, false);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -EPROTO); // not before it is established
	ovpn_channel_established(&p.client);
	write_text(&p.client, "x");
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.client, NULL, 0), -EBUSY);
	settle(&p);
	ovpn_channel_established(&p.server);
	expect_text(&p.server, "x");
	GTC_EXPECT(ovpn_channel_detach(&p.client) == &p.client_neg);
	GTC_EXPECT(ovpn_channel_detach(&p.client) == NULL);
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.client, NULL, 0), -ENOBUFS);
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.client, &p.client_neg, 0), 0);
	// The server has no buffers either: it says so, and the packet isn't used up.
	GTC_EXPECT(ovpn_channel_detach(&p.server) == &p.server_neg);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.data[0], 0x19);
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ENOBUFS);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_SOFT_RESET);
	ovpn_channel_attach(&p.server, &p.spare);
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_SOFT_RESET | OVPN_CHANNEL_GOT_RESET);
	settle(&p);
	GTC_EXPECT_INT(p.server.key_id, 1);
	write_text(&p.server, "new");
	settle(&p);
	expect_text(&p.client, "new");
}

// Buffers come and go within one negotiation.
GTC_TEST(channel, detach_and_attach)
{
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_up(&p, true);
	write_text(&p.client, "one");
	settle(&p);
	GTC_EXPECT(!ovpn_channel_idle(&p.server)); // not read yet
	expect_text(&p.server, "one");
	GTC_EXPECT(ovpn_channel_idle(&p.server));
	(void)ovpn_channel_detach(&p.server); // p has it
	memset(&p.server_neg, 0xee, sizeof(p.server_neg));
	GTC_EXPECT(ovpn_channel_all_acked(&p.server) && ovpn_channel_started(&p.server));
	write_text(&p.client, "two");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ENOBUFS);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_TLS);
	ovpn_channel_attach(&p.server, &p.server_neg);
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	expect_text(&p.server, "two");
	write_text(&p.server, "three");
	settle(&p);
	expect_text(&p.client, "three");
}

// A message behind a gap was acknowledged: the buffers that hold it can't be given away.
GTC_TEST(channel, gap_is_not_idle)
{
	struct pair p;
	struct dgram lost;
	struct dgram d;
	unsigned events;

	pair_up(&p, false);
	write_text(&p.client, "a");
	GTC_ASSERT(next_dgram(&p.client, 0, &lost));
	write_text(&p.client, "b");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT(!ovpn_channel_idle(&p.server));
	GTC_EXPECT_INT(give(&p.server, &lost, &events), 0);
	expect_text(&p.server, "ab");
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT(ovpn_channel_idle(&p.server));
}

// A peer whose last acknowledgement was lost gets it although we are a negotiation further.
GTC_TEST(channel, old_key_is_acknowledged)
{
	struct pair p;
	struct dgram d;
	struct dgram last;
	struct ovpn_control c;
	unsigned events;

	pair_up(&p, false);
	write_text(&p.client, "last");
	GTC_ASSERT(next_dgram(&p.client, 0, &last));
	GTC_EXPECT_INT(give(&p.server, &last, &events), 0);
	expect_text(&p.server, "last");
	GTC_ASSERT(next_dgram(&p.server, 0, &d)); // the acknowledgement, lost
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.server, NULL, 0), 0);
	GTC_ASSERT(next_dgram(&p.server, 0, &d)); // the soft reset
	GTC_EXPECT_INT(give(&p.server, &last, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_OLD_KEY | OVPN_CHANNEL_GOT_DUPLICATE);
	GTC_EXPECT_INT(ovpn_channel_deadline(&p.server), 0);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	c = parse(&d);
	GTC_EXPECT_INT(c.opcode, OVPN_P_ACK_V1);
	GTC_EXPECT_INT(c.key_id, 0);
	GTC_EXPECT_INT(c.ack_count, 1);
	GTC_EXPECT_INT(c.acks[0], 1);
	GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
	GTC_EXPECT(ovpn_channel_all_acked(&p.client));
	// What it never got isn't acknowledged.
	write_text(&p.client, "too late");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_OLD_KEY);
	GTC_EXPECT(!next_dgram(&p.server, 0, &d));
}

// Store the server's channel and take it up in another process.
static void restart(struct pair *p, uint32_t now_s)
{
	const struct ovpn_wrap_keys *keys = p->client.base.keys != NULL ? &p->keys[1] : NULL;
	struct ovpn_channel_state state;

	ovpn_channel_export(&p->server, &state);
	memset(&p->server, 0xee, sizeof(p->server));
	memset(&p->server_neg, 0xee, sizeof(p->server_neg));
	GTC_EXPECT_INT(ovpn_channel_import(&p->server, &config, &state, keys, NULL, now_s), 0);
}

GTC_TEST(channel, restart_at_rest)
{
	struct pair p;
	struct dgram d;
	struct dgram old;
	unsigned events;

	pair_up(&p, true);
	write_text(&p.client, "x");
	GTC_ASSERT(next_dgram(&p.client, 0, &old));
	GTC_EXPECT_INT(give(&p.server, &old, &events), 0);
	expect_text(&p.server, "x");
	restart(&p, NOW_S); // the clock stands still: the net time mustn't
	GTC_EXPECT_INT(give(&p.server, &old, &events), -EEXIST);
	// The acknowledgement wasn't sent; the client repeats, and is answered without TLS.
	GTC_ASSERT(next_dgram(&p.client, 2000, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_DUPLICATE);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(ovpn_get_be32(d.data + 13), NOW_S + 1);
	GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
	GTC_EXPECT(ovpn_channel_all_acked(&p.client));
	// New bytes for a TLS connection that is gone.
	write_text(&p.client, "y");
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), -ENOBUFS);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_TLS);
	// Our own soft reset.
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.server, &p.server_neg, 0), 0);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_SOFT_RESET | OVPN_CHANNEL_GOT_RESET);
	settle(&p);
	write_text(&p.client, "z");
	settle(&p);
	expect_text(&p.server, "z");
}

// The client may be further than the record: its first soft reset names the key id.
GTC_TEST(channel, adopted_takes_any_key_id)
{
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_up(&p, true);
	p.client.key_id = 4; // it went on with a server that was killed
	restart(&p, NOW_S + 5);
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.client, NULL, 0), 0);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	ovpn_channel_attach(&p.server, &p.server_neg);
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT_INT(events, OVPN_CHANNEL_GOT_SOFT_RESET | OVPN_CHANNEL_GOT_RESET);
	GTC_EXPECT_INT(p.server.key_id, 5);
	settle(&p);
	write_text(&p.client, "z");
	settle(&p);
	expect_text(&p.server, "z");
	// Only once.
	GTC_EXPECT_INT(p.server.flags & OVPN_CHANNEL_ANY_KEY_ID, 0);
}

// Our soft reset has a key id that the client doesn't expect: it begins its own, we follow.
GTC_TEST(channel, adopted_follows_the_peer)
{
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_up(&p, true);
	p.client.key_id = 1;
	restart(&p, NOW_S + 5);
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.server, &p.server_neg, 0), 0);
	GTC_EXPECT_INT(p.server.key_id, 1);
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	GTC_EXPECT_INT(ovpn_channel_soft_reset(&p.client, NULL, 0), 0);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(give(&p.server, &d, &events), 0);
	GTC_EXPECT((events & OVPN_CHANNEL_GOT_SOFT_RESET) != 0);
	GTC_EXPECT_INT(p.server.key_id, 2);
	settle(&p);
	write_text(&p.server, "followed");
	settle(&p);
	expect_text(&p.client, "followed");
}

GTC_TEST(channel, abort_after_restart)
{
	struct pair p;
	struct dgram d;
	unsigned events;
	unsigned n = 0;

	pair_init(&p, false);
	settle(&p);
	write_text(&p.server, "one");
	write_text(&p.server, "two");
	GTC_ASSERT(next_dgram(&p.server, 0, &d)); // both lost
	GTC_ASSERT(next_dgram(&p.server, 0, &d));
	restart(&p, NOW_S + 1);
	while (ovpn_channel_abort(&p.server, n, d.data, sizeof(d.data), &d.len) > 0) {
		struct ovpn_control c = parse(&d);

		GTC_EXPECT_INT(c.message_id, 1 + n);
		GTC_EXPECT_INT(c.payload_len % 7, 0);
		GTC_EXPECT(c.payload_len > 1000); // ends a record that is half there
		GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
		n++;
	}
	GTC_EXPECT_INT(n, 3); // 1, 2, and the next one
	GTC_EXPECT(ovpn_channel_tls_read(&p.client, d.data, sizeof(d.data)) > 1000);
	GTC_EXPECT_INT(d.data[0], 0x15);
	GTC_EXPECT_INT(d.data[7], 0x15);
	GTC_EXPECT_INT(ovpn_channel_abort(&p.server, 7, d.data, sizeof(d.data), &d.len), 0);
}

GTC_TEST(channel, import_refuses)
{
	struct pair p;
	struct ovpn_channel_state state;
	struct ovpn_channel_state bad;

	pair_up(&p, true);
	ovpn_channel_export(&p.server, &state);
	bad = state;
	bad.version++;
	GTC_EXPECT_INT(ovpn_channel_import(&p.server, &config, &bad, &p.keys[1], NULL, 1), -EINVAL);
	bad = state;
	bad.key_id = 8;
	GTC_EXPECT_INT(ovpn_channel_import(&p.server, &config, &bad, &p.keys[1], NULL, 1), -EINVAL);
	bad = state;
	memset(bad.remote_sid, 0, sizeof(bad.remote_sid));
	GTC_EXPECT_INT(ovpn_channel_import(&p.server, &config, &bad, &p.keys[1], NULL, 1), -EINVAL);
	bad = state;
	bad.next_send += 100;
	GTC_EXPECT_INT(ovpn_channel_import(&p.server, &config, &bad, &p.keys[1], NULL, 1), -EINVAL);
	bad = state;
	bad.flags |= OVPN_CHANNEL_DYNAMIC;
	GTC_EXPECT_INT(ovpn_channel_import(&p.server, &config, &bad, &p.keys[1], NULL, 1), -EINVAL);
}

// The server's answer to a tls-crypt-v2 client, with some payload.
static struct dgram server_reset(struct pair *p, const uint8_t *payload, size_t len)
{
	struct dgram d = { 0 };
	struct ovpn_control c = { .opcode = OVPN_P_CONTROL_HARD_RESET_SERVER_V2, .ack_count = 1 };
	struct ovpn_wrap_id id = { .id = 1, .time_s = NOW_S };
	uint8_t plain[64];
	size_t n;

	memcpy(c.sid, server_sid, 8);
	memcpy(c.acked_sid, client_sid, 8);
	c.payload = payload;
	c.payload_len = len;
	GTC_EXPECT_INT(ovpn_control_build(&c, plain, sizeof(plain), &n), 0);
	GTC_EXPECT_INT(
		ovpn_wrap_seal_as(&p->keys[1], id, plain, n, d.data, sizeof(d.data), &d.len), 0);
	return d;
}

// A client that has nothing to say sends its key in an empty message, and repeats it.
GTC_TEST(channel, empty_wkc)
{
	static const uint8_t wkc[299] = { [297] = 299 >> 8, [298] = 299 & 255 };
	uint8_t tlv[OVPN_RESET_TLV_LEN];
	struct pair p;
	struct dgram d;
	struct dgram again;
	unsigned events;

	pair_init(&p, true);
	ovpn_channel_init(&p.client, &config, false, client_sid, &p.keys[0], NOW_S);
	GTC_EXPECT_INT(ovpn_channel_set_wkc(&p.client, wkc, 10), -EINVAL);
	GTC_EXPECT_INT(ovpn_channel_set_wkc(&p.client, wkc, sizeof(wkc)), 0);
	ovpn_channel_start(&p.client, &p.client_neg, 0);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.len, 353);
	GTC_EXPECT_INT(d.data[0], 0x50);
	GTC_EXPECT_INT(ovpn_get_be32(d.data + 9), OVPN_EARLY_REPLAY_ID);
	d = server_reset(&p, (const uint8_t *)"\0\1\0", 3);
	GTC_EXPECT_INT(give(&p.client, &d, &events), -EPROTO); // a list of early data, cut off
	ovpn_reset_tlv_put(tlv, OVPN_RESET_FLAG_RESEND_WKC);
	d = server_reset(&p, tlv, sizeof(tlv));
	GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.data[0], 0x58);
	GTC_EXPECT_INT(d.len, 40 + 26 + 299);
	GTC_EXPECT_MEM(d.data + d.len - 299, wkc, 299);
	GTC_EXPECT(!next_dgram(&p.client, 0, &again));
	GTC_ASSERT(next_dgram(&p.client, 2000, &again));
	GTC_EXPECT_INT(again.data[0], 0x58);
	GTC_EXPECT_INT(again.len, d.len);
	write_text(&p.client, "ClientHello");
	GTC_ASSERT(next_dgram(&p.client, 2000, &d));
	GTC_EXPECT_INT(d.data[0], 0x20);
}

// With the ClientHello the message is shortened, so that packet and key fit the limit.
GTC_TEST(channel, wkc_with_data)
{
	static const uint8_t wkc[1024] = { [1022] = 4, [1023] = 0 };
	uint8_t tlv[OVPN_RESET_TLV_LEN];
	uint8_t hello[300] = { 0 };
	struct pair p;
	struct dgram d;
	unsigned events;

	pair_init(&p, true);
	ovpn_channel_init(&p.client, &config, false, client_sid, &p.keys[0], NOW_S);
	GTC_EXPECT_INT(ovpn_channel_set_wkc(&p.client, wkc, sizeof(wkc)), 0);
	ovpn_channel_start(&p.client, &p.client_neg, 0);
	ovpn_reset_tlv_put(tlv, OVPN_RESET_FLAG_RESEND_WKC);
	d = server_reset(&p, tlv, sizeof(tlv));
	GTC_EXPECT(next_dgram(&p.client, 0, &d));
	d = server_reset(&p, tlv, sizeof(tlv));
	GTC_EXPECT_INT(give(&p.client, &d, &events), 0);
	GTC_EXPECT_INT(ovpn_channel_tls_write(&p.client, hello, sizeof(hello), 0), sizeof(hello));
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.data[0], 0x58);
	GTC_EXPECT(d.len > 1100 && d.len <= 1222);
	GTC_ASSERT(next_dgram(&p.client, 0, &d));
	GTC_EXPECT_INT(d.data[0], 0x20);
}
