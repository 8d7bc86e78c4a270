// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdlib.h>

#include "protocol/reliable.h"
#include "tests/gtc.h"
#include "tests/protocol/vector.h"

static struct ovpn_control message(uint32_t id, const char *text)
{
	struct ovpn_control c = { .opcode = OVPN_P_CONTROL_V1, .message_id = id };

	c.payload = (const uint8_t *)text;
	c.payload_len = strlen(text);
	return c;
}

static int queue(struct ovpn_reliable *r, const char *text, uint64_t now_ms)
{
	return ovpn_rel_queue(r, OVPN_P_CONTROL_V1, (const uint8_t *)text, strlen(text), now_ms);
}

GTC_TEST(reliable, back_off)
{
	// Doubling up to four seconds: over a dozen tries in a hand-window of a minute.
	static const uint64_t at[] = { 0, 2000, 6000, 10000, 14000 };
	static struct ovpn_reliable r;
	struct ovpn_control c;

	ovpn_rel_init(&r, 0);
	GTC_EXPECT(ovpn_rel_deadline(&r) == OVPN_REL_NEVER);
	GTC_EXPECT_INT(queue(&r, "x", 0), 0);
	for (unsigned i = 0; i < 5; i++) {
		GTC_EXPECT_INT(ovpn_rel_deadline(&r), at[i]);
		if (i > 0)
			GTC_EXPECT(!ovpn_rel_next(&r, at[i] - 1, 4, &c));
		GTC_EXPECT(ovpn_rel_next(&r, at[i], 4, &c));
		GTC_EXPECT_INT(c.message_id, 0);
		GTC_EXPECT(!ovpn_rel_next(&r, at[i], 4, &c));
	}
	for (unsigned i = 0; i < 40; i++)
		GTC_EXPECT(ovpn_rel_next(&r, ovpn_rel_deadline(&r), 4, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), 18000 + 40 * 4000ull);
	// A first pause beyond that is what the operator wants, and stays.
	ovpn_rel_init(&r, 10000);
	GTC_EXPECT_INT(queue(&r, "x", 0), 0);
	GTC_EXPECT(ovpn_rel_next(&r, 0, 4, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), 10000);
	GTC_EXPECT(ovpn_rel_next(&r, 10000, 4, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), 20000);
}

GTC_TEST(reliable, send_window)
{
	static struct ovpn_reliable r;
	struct ovpn_control c;
	uint32_t ack = 1;

	ovpn_rel_init(&r, 0);
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		GTC_EXPECT_INT(ovpn_rel_room(&r), OVPN_REL_SEND_WINDOW - i);
		GTC_EXPECT_INT(queue(&r, "m", 0), 0);
	}
	GTC_EXPECT_INT(queue(&r, "m", 0), -EAGAIN);
	ovpn_rel_on_acks(&r, &ack, 1, 0); // never sent: can't be acknowledged
	GTC_EXPECT_INT(ovpn_rel_room(&r), 0);
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		GTC_ASSERT(ovpn_rel_next(&r, 0, 4, &c));
		GTC_EXPECT_INT(c.message_id, i); // lowest first
	}
	// The window counts from the lowest one that is missing, not the number of messages.
	ovpn_rel_on_acks(&r, &ack, 1, 0);
	GTC_EXPECT_INT(ovpn_rel_room(&r), 0);
	ack = 0;
	ovpn_rel_on_acks(&r, &ack, 1, 0);
	GTC_EXPECT_INT(ovpn_rel_room(&r), 2);
	GTC_EXPECT(!ovpn_rel_all_acked(&r));
	for (ack = 2; ack < 6; ack++)
		ovpn_rel_on_acks(&r, &ack, 1, 0);
	GTC_EXPECT(ovpn_rel_all_acked(&r));
	GTC_EXPECT_INT(ovpn_rel_room(&r), OVPN_REL_SEND_WINDOW);
	GTC_EXPECT(ovpn_rel_deadline(&r) == OVPN_REL_NEVER);
}

GTC_TEST(reliable, queue_refuses)
{
	static uint8_t big[OVPN_REL_SEND_MAX + 1];
	static struct ovpn_reliable r;

	ovpn_rel_init(&r, 0);
	GTC_EXPECT_INT(ovpn_rel_queue(&r, OVPN_P_ACK_V1, big, 0, 0), -EPROTO);
	GTC_EXPECT_INT(ovpn_rel_queue(&r, OVPN_P_DATA_V2, big, 0, 0), -EPROTO);
	GTC_EXPECT_INT(ovpn_rel_queue(&r, OVPN_P_CONTROL_V1, big, sizeof(big), 0), -EMSGSIZE);
	GTC_EXPECT_INT(ovpn_rel_queue(&r, OVPN_P_CONTROL_V1, big, sizeof(big) - 1, 0), 0);
}

GTC_TEST(reliable, early_retransmission)
{
	static const uint32_t later[] = { 1, 2, 2, 3 };
	static struct ovpn_reliable r;
	struct ovpn_control c;

	ovpn_rel_init(&r, 0);
	for (unsigned i = 0; i < 5; i++)
		GTC_EXPECT_INT(queue(&r, "m", 0), 0);
	while (ovpn_rel_next(&r, 0, 4, &c))
		;
	// Two later ones, one of them repeated, are not enough; the third is.
	ovpn_rel_on_acks(&r, later, 3, 100);
	GTC_EXPECT(!ovpn_rel_next(&r, 100, 4, &c));
	ovpn_rel_on_acks(&r, later + 3, 1, 100);
	GTC_ASSERT(ovpn_rel_next(&r, 100, 4, &c));
	GTC_EXPECT_INT(c.message_id, 0);
	GTC_EXPECT(!ovpn_rel_next(&r, 100, 4, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), 2000); // message 4; message 0 waits 4 s more
}

GTC_TEST(reliable, delivery_in_order)
{
	static struct ovpn_reliable r;
	struct ovpn_control b = message(1, "b");
	struct ovpn_control a = message(0, "a");

	ovpn_rel_init(&r, 0);
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &b), 0);
	GTC_EXPECT(ovpn_rel_peek(&r) == NULL);
	ovpn_rel_pop(&r); // nothing to take
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &b), -EALREADY);
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &a), 0);
	GTC_ASSERT(ovpn_rel_peek(&r) != NULL);
	GTC_EXPECT_INT(ovpn_rel_peek(&r)->payload[0], 'a');
	ovpn_rel_pop(&r);
	GTC_ASSERT(ovpn_rel_peek(&r) != NULL);
	GTC_EXPECT_INT(ovpn_rel_peek(&r)->payload[0], 'b');
	ovpn_rel_pop(&r);
	GTC_EXPECT(ovpn_rel_peek(&r) == NULL);
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &a), -EALREADY); // delivered: acknowledged again
}

GTC_TEST(reliable, receive_window)
{
	static uint8_t big[OVPN_REL_RECV_MAX + 1];
	static struct ovpn_reliable r;
	struct ovpn_control c = message(OVPN_REL_RECV_WINDOW, "x");
	struct ovpn_control ack;

	ovpn_rel_init(&r, 0);
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -ERANGE);
	GTC_EXPECT_INT(ovpn_rel_acks_pending(&r), 0); // not acknowledged
	for (uint32_t id = 1; id < OVPN_REL_RECV_WINDOW; id++) {
		c = message(id, "x");
		GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
	}
	GTC_EXPECT_INT(ovpn_rel_acks_pending(&r), OVPN_REL_RECV_WINDOW - 1);
	c = message(0, "");
	c.payload = big;
	c.payload_len = sizeof(big);
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EMSGSIZE);
	c.payload_len--;
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
	GTC_EXPECT_INT(ovpn_rel_peek(&r)->len, OVPN_REL_RECV_MAX);
	// Old ids fill the queue of acknowledgements; then the caller must send some.
	for (uint32_t id = 0xFFFFFFFF; ovpn_rel_acks_pending(&r) < OVPN_REL_ACK_QUEUE; id--) {
		c = message(id, "x");
		GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EALREADY);
	}
	c = message(0xFFFFFF00, "x");
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EAGAIN);
	GTC_EXPECT(ovpn_rel_next_ack(&r, 8, &ack));
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EALREADY);
	c.opcode = OVPN_P_ACK_V1;
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EPROTO);
}

GTC_TEST(reliable, acks_newest_first_and_repeated)
{
	static struct ovpn_reliable r;
	struct ovpn_control c;

	ovpn_rel_init(&r, 0);
	GTC_EXPECT(!ovpn_rel_next_ack(&r, 8, &c));
	for (uint32_t id = 0; id < 3; id++) {
		c = message(id, "x");
		GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
	}
	GTC_EXPECT_INT(ovpn_rel_acks_available(&r), 3);
	GTC_ASSERT(ovpn_rel_next_ack(&r, 8, &c));
	GTC_EXPECT_INT(c.opcode, OVPN_P_ACK_V1);
	GTC_ASSERT_INT(c.ack_count, 3);
	for (unsigned i = 0; i < 3; i++)
		GTC_EXPECT_INT(c.acks[i], 2 - i);
	GTC_EXPECT(!ovpn_rel_next_ack(&r, 8, &c)); // repetitions alone are no reason to send
	GTC_EXPECT_INT(ovpn_rel_acks_available(&r), 3);
	// A message carries the new one in front of the repeated ones, at most four: [5 2 1 0].
	c = message(5, "x");
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
	GTC_EXPECT_INT(queue(&r, "m", 0), 0);
	GTC_ASSERT(ovpn_rel_next(&r, 0, OVPN_CONTROL_PIGGYBACK, &c));
	GTC_ASSERT_INT(c.ack_count, 4);
	GTC_EXPECT_INT(c.acks[0], 5);
	GTC_EXPECT_INT(c.acks[1], 2);
	GTC_EXPECT_INT(c.acks[3], 0);
	// A duplicate moves to the front and is listed once.
	c = message(1, "x");
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EALREADY);
	GTC_ASSERT(ovpn_rel_next_ack(&r, 8, &c));
	GTC_ASSERT_INT(c.ack_count, 4);
	GTC_EXPECT_INT(c.acks[0], 1);
	GTC_EXPECT_INT(c.acks[1], 5);
	GTC_EXPECT_INT(c.acks[2], 2);
}

GTC_TEST(reliable, more_acks_than_fit)
{
	static struct ovpn_reliable r;
	struct ovpn_control c;

	ovpn_rel_init(&r, 0);
	for (uint32_t id = 0; id < 11; id++) {
		c = message(id, "x");
		GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
	}
	GTC_ASSERT(ovpn_rel_next_ack(&r, 8, &c));
	GTC_EXPECT_INT(c.ack_count, 8);
	GTC_EXPECT_INT(c.acks[0], 10);
	GTC_EXPECT_INT(ovpn_rel_acks_pending(&r), 3);
	GTC_ASSERT(ovpn_rel_next_ack(&r, 8, &c));
	GTC_EXPECT_INT(c.ack_count, 8);
	GTC_EXPECT_INT(c.acks[0], 2);
	GTC_EXPECT_INT(c.acks[1], 1);
	GTC_EXPECT_INT(c.acks[2], 0);
	GTC_EXPECT_INT(c.acks[3], 10);
}

GTC_TEST(reliable, ids_wrap)
{
	static struct ovpn_reliable r;
	struct ovpn_rel_state state = { 0xFFFFFFFE, 0xFFFFFFFE, 0xFFFFFFFE };
	struct ovpn_control c;

	ovpn_rel_import(&r, &state, 0);
	for (unsigned i = 0; i < 30; i++) {
		uint32_t id = 0xFFFFFFFEu + i;

		c = message(id, "x");
		GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
		GTC_ASSERT(ovpn_rel_peek(&r) != NULL);
		ovpn_rel_pop(&r);
		GTC_EXPECT_INT(queue(&r, "y", i), 0);
		GTC_ASSERT(ovpn_rel_next(&r, i, 4, &c));
		GTC_EXPECT_INT(c.message_id, id);
		ovpn_rel_on_acks(&r, &id, 1, i);
		GTC_EXPECT(ovpn_rel_all_acked(&r));
	}
}

GTC_TEST(reliable, state_for_restart)
{
	static struct ovpn_reliable r;
	struct ovpn_rel_state state;
	struct ovpn_control c;
	uint32_t ack = 0;

	ovpn_rel_init(&r, 0);
	for (unsigned i = 0; i < 3; i++)
		GTC_EXPECT_INT(queue(&r, "m", 0), 0);
	while (ovpn_rel_next(&r, 0, 4, &c))
		;
	ovpn_rel_on_acks(&r, &ack, 1, 0);
	for (uint32_t id = 0; id < 2; id++) {
		c = message(id, "x");
		GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
		ovpn_rel_pop(&r);
	}
	ovpn_rel_export(&r, &state);
	GTC_EXPECT_INT(state.next_send, 3);
	GTC_EXPECT_INT(state.lowest_unacked, 1);
	GTC_EXPECT_INT(state.next_recv, 2);
	// The new process acknowledges again what the old one had.
	ovpn_rel_import(&r, &state, 0);
	c = message(1, "x");
	GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), -EALREADY);
	GTC_EXPECT_INT(ovpn_rel_acks_pending(&r), 1);
	GTC_EXPECT_INT(queue(&r, "m", 0), 0);
	GTC_ASSERT(ovpn_rel_next(&r, 0, 4, &c));
	GTC_EXPECT_INT(c.message_id, 3);
}

GTC_TEST(reliable, expedite_after_a_move)
{
	static struct ovpn_reliable r;
	struct ovpn_control c;

	ovpn_rel_init(&r, 500);
	GTC_EXPECT_INT(queue(&r, "m", 0), 0);
	GTC_EXPECT(ovpn_rel_next(&r, 0, 4, &c));
	GTC_EXPECT(ovpn_rel_next(&r, 500, 4, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), 1500);
	ovpn_rel_expedite(&r, 600);
	GTC_EXPECT(ovpn_rel_next(&r, 600, 4, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), 1100);
}

// A path that loses, repeats and reorders packets; deterministic.
struct path {
	struct {
		struct ovpn_control c;
		uint8_t payload[8];
		bool used;
	} slot[64];
	uint32_t seed;
};

static uint32_t draw(struct path *p)
{
	p->seed = p->seed * 1664525u + 1013904223u;
	return p->seed >> 8;
}

static void path_put(struct path *p, const struct ovpn_control *c)
{
	unsigned copies = draw(p) % 10 < 3 ? 0 : 1 + (draw(p) % 10 == 0);

	for (unsigned i = 0; copies > 0 && i < 64; i++) {
		if (p->slot[i].used)
			continue;
		p->slot[i].used = true;
		p->slot[i].c = *c;
		if (c->payload_len > 0)
			memcpy(p->slot[i].payload, c->payload, c->payload_len);
		p->slot[i].c.payload = p->slot[i].payload;
		copies--;
	}
}

static void path_deliver(struct path *p, struct ovpn_reliable *to, uint64_t now_ms)
{
	for (unsigned n = 0; n < 8; n++) {
		unsigned i = draw(p) % 64;

		if (!p->slot[i].used)
			continue;
		ovpn_rel_on_acks(to, p->slot[i].c.acks, p->slot[i].c.ack_count, now_ms);
		if (p->slot[i].c.opcode != OVPN_P_ACK_V1)
			(void)ovpn_rel_on_message(to, &p->slot[i].c); // refusals are repeated
		p->slot[i].used = false;
	}
}

static void send_all(struct ovpn_reliable *r, struct path *p, uint64_t now_ms)
{
	struct ovpn_control c;

	while (ovpn_rel_next(r, now_ms, 4, &c))
		path_put(p, &c);
	if (ovpn_rel_next_ack(r, 8, &c))
		path_put(p, &c);
}

GTC_TEST(reliable, survives_a_bad_path)
{
	static struct ovpn_reliable a, b;
	static struct path to_b, to_a;
	uint32_t sent = 0;
	uint32_t got = 0;
	uint64_t now_ms = 0;

	ovpn_rel_init(&a, 0);
	ovpn_rel_init(&b, 0);
	to_b.seed = 1;
	to_a.seed = 2;
	for (; got < 500 && now_ms < 100000000; now_ms += 100) {
		const struct ovpn_rel_in *in;

		while (sent < 500 && ovpn_rel_room(&a) > 0) {
			GTC_ASSERT_INT(ovpn_rel_queue(&a, OVPN_P_CONTROL_V1, (uint8_t *)&sent,
					       sizeof(sent), now_ms),
				0);
			sent++;
		}
		send_all(&a, &to_b, now_ms);
		path_deliver(&to_b, &b, now_ms);
		while ((in = ovpn_rel_peek(&b)) != NULL) {
			uint32_t number;

			memcpy(&number, in->payload, sizeof(number));
			GTC_ASSERT_INT(number, got);
			GTC_ASSERT_INT(in->message_id, got);
			got++;
			ovpn_rel_pop(&b);
		}
		send_all(&b, &to_a, now_ms);
		path_deliver(&to_a, &a, now_ms);
	}
	GTC_EXPECT_INT(got, 500);
}

// What a stock 2.6 client sent and received, played to our client: it must acknowledge the same ids
// in the same order, and get the same messages.
GTC_TEST(reliable, acks_as_a_stock_client)
{
	static struct ovpn_reliable r;
	struct vec *v = vec_load("tls_plain_aes256gcm");
	unsigned compared = 0;
	uint32_t got = 0;

	ovpn_rel_init(&r, 0);
	for (size_t i = 0; i < v->count; i++) {
		const struct vec_packet *p = &v->packet[i];
		struct ovpn_control ours = { 0 };
		struct ovpn_control c;

		if (ovpn_control_parse(p->data, p->len, &c) < 0)
			continue;
		if (!p->c2s) {
			ovpn_rel_on_acks(&r, c.acks, c.ack_count, i);
			if (c.opcode != OVPN_P_ACK_V1)
				GTC_EXPECT_INT(ovpn_rel_on_message(&r, &c), 0);
			for (; ovpn_rel_peek(&r) != NULL; ovpn_rel_pop(&r))
				GTC_EXPECT_INT(ovpn_rel_peek(&r)->message_id, got++);
			continue;
		}
		if (c.opcode == OVPN_P_ACK_V1) {
			GTC_ASSERT(ovpn_rel_next_ack(&r, 4, &ours));
		} else {
			GTC_ASSERT_INT(
				ovpn_rel_queue(&r, c.opcode, c.payload, c.payload_len, i), 0);
			GTC_ASSERT(ovpn_rel_next(&r, i, OVPN_CONTROL_PIGGYBACK, &ours));
			GTC_EXPECT_INT(ours.message_id, c.message_id);
		}
		GTC_ASSERT_INT(ours.ack_count, c.ack_count);
		GTC_EXPECT_MEM(ours.acks, c.acks, c.ack_count * sizeof(c.acks[0]));
		compared++;
	}
	GTC_EXPECT_INT(got, 6);
	GTC_EXPECT(compared >= 7);
	vec_free(v);
}

GTC_TEST(reliable, limits_and_wipe)
{
	static const struct ovpn_reliable zero;
	static struct ovpn_reliable r;
	struct ovpn_control c;

	ovpn_rel_init(&r, UINT32_MAX);
	GTC_EXPECT_INT(queue(&r, "secret", 0), 0);
	GTC_EXPECT(ovpn_rel_next(&r, 0, 0, &c));
	GTC_EXPECT_INT(ovpn_rel_deadline(&r), OVPN_REL_RETRANSMIT_MAX_MS);
	ovpn_rel_wipe(&r);
	GTC_EXPECT_MEM(&r, &zero, sizeof(r));
}
