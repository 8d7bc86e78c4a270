// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "protocol/reliable.h"

// Message ids wrap: a comes before b when the distance is negative as a signed number.
static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t lowest_unacked(const struct ovpn_reliable *r)
{
	uint32_t lowest = r->next_send;

	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		if (r->out[i].used && before(r->out[i].message_id, lowest))
			lowest = r->out[i].message_id;
	}
	return lowest;
}

// The slot of an outstanding message, or NULL. The index isn't the id modulo the window: the
// window isn't a power of two, so that would break where ids wrap.
static struct ovpn_rel_out *find_out(struct ovpn_reliable *r, uint32_t message_id)
{
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		if (r->out[i].used && r->out[i].message_id == message_id)
			return &r->out[i];
	}
	return NULL;
}

static const struct ovpn_rel_in *find_in(const struct ovpn_reliable *r, uint32_t message_id)
{
	for (unsigned i = 0; i < OVPN_REL_RECV_WINDOW; i++) {
		if (r->in[i].used && r->in[i].message_id == message_id)
			return &r->in[i];
	}
	return NULL;
}

static bool contains(const uint32_t *ids, unsigned count, uint32_t id)
{
	for (unsigned i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

void ovpn_rel_init(struct ovpn_reliable *r, uint32_t retransmit_ms)
{
	memset(r, 0, sizeof(*r));
	r->retransmit_ms = retransmit_ms != 0 ? retransmit_ms : OVPN_REL_RETRANSMIT_MS;
	if (r->retransmit_ms > OVPN_REL_RETRANSMIT_MAX_MS)
		r->retransmit_ms = OVPN_REL_RETRANSMIT_MAX_MS;
}

void ovpn_rel_import(
	struct ovpn_reliable *r, const struct ovpn_rel_state *state, uint32_t retransmit_ms)
{
	ovpn_rel_init(r, retransmit_ms);
	r->next_send = state->next_send;
	r->next_recv = state->next_recv;
}

void ovpn_rel_export(const struct ovpn_reliable *r, struct ovpn_rel_state *ret_state)
{
	ret_state->next_send = r->next_send;
	ret_state->lowest_unacked = lowest_unacked(r);
	ret_state->next_recv = r->next_recv;
}

unsigned ovpn_rel_room(const struct ovpn_reliable *r)
{
	return OVPN_REL_SEND_WINDOW - (r->next_send - lowest_unacked(r));
}

bool ovpn_rel_all_acked(const struct ovpn_reliable *r)
{
	return lowest_unacked(r) == r->next_send;
}

int ovpn_rel_queue(struct ovpn_reliable *r, uint8_t opcode, const uint8_t *payload, size_t len,
	uint64_t now_ms)
{
	struct ovpn_rel_out *out = NULL;

	if (!ovpn_opcode_is_control(opcode) || !ovpn_control_has_message_id(opcode))
		return -EPROTO;
	if (len > OVPN_REL_SEND_MAX)
		return -EMSGSIZE;
	if (ovpn_rel_room(r) == 0)
		return -EAGAIN;
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW && out == NULL; i++) {
		if (!r->out[i].used)
			out = &r->out[i];
	}
	if (out == NULL) // can't be: room counts at least the used slots
		return -EAGAIN;
	out->used = true;
	out->sent = false;
	out->opcode = opcode;
	out->later_acks = 0;
	out->len = (uint16_t)len;
	out->message_id = r->next_send++;
	out->due_ms = now_ms;
	out->timeout_ms = r->retransmit_ms;
	if (len > 0)
		memcpy(out->payload, payload, len);
	return 0;
}

// Remember an acknowledgement as sent, most recent first.
static void remember(struct ovpn_reliable *r, uint32_t id)
{
	unsigned at = 0;

	while (at < r->recent_count && r->recent[at] != id)
		at++;
	if (at == r->recent_count) {
		if (r->recent_count < OVPN_CONTROL_MAX_ACKS)
			r->recent_count++;
		at = r->recent_count - 1u;
	}
	memmove(r->recent + 1, r->recent, at * sizeof(r->recent[0]));
	r->recent[0] = id;
}

// Move up to max acknowledgements into a packet: the newest pending ones, then repetitions.
static void take_acks(struct ovpn_reliable *r, unsigned max, struct ovpn_control *c)
{
	unsigned fresh;

	if (max > OVPN_CONTROL_MAX_ACKS)
		max = OVPN_CONTROL_MAX_ACKS;
	fresh = r->ack_count < max ? r->ack_count : max;
	// Remembered oldest first, so that the newest ends up in front of the list.
	for (unsigned i = r->ack_count - fresh; i < r->ack_count; i++)
		remember(r, r->ack[i]);
	r->ack_count = (uint8_t)(r->ack_count - fresh);
	c->ack_count = (uint8_t)(r->recent_count < max ? r->recent_count : max);
	memcpy(c->acks, r->recent, c->ack_count * sizeof(c->acks[0]));
}

static uint32_t next_pause(const struct ovpn_reliable *r, uint32_t pause_ms)
{
	uint32_t most = r->retransmit_ms;

	if (most < OVPN_REL_BACKOFF_MAX_MS)
		most = OVPN_REL_BACKOFF_MAX_MS;
	return 2 * pause_ms < most ? 2 * pause_ms : most;
}

bool ovpn_rel_next(struct ovpn_reliable *r, uint64_t now_ms, unsigned max_acks,
	struct ovpn_control *ret_control)
{
	struct ovpn_rel_out *out = NULL;

	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		struct ovpn_rel_out *o = &r->out[i];

		if (!o->used || o->due_ms > now_ms)
			continue;
		if (out == NULL || before(o->message_id, out->message_id))
			out = o;
	}
	if (out == NULL)
		return false;
	out->sent = true;
	out->later_acks = 0;
	out->due_ms = now_ms + out->timeout_ms;
	out->timeout_ms = next_pause(r, out->timeout_ms);
	memset(ret_control, 0, sizeof(*ret_control));
	ret_control->opcode = out->opcode;
	ret_control->message_id = out->message_id;
	ret_control->payload = out->len > 0 ? out->payload : NULL;
	ret_control->payload_len = out->len;
	take_acks(r, max_acks, ret_control);
	return true;
}

bool ovpn_rel_next_ack(struct ovpn_reliable *r, unsigned max_acks, struct ovpn_control *ret_control)
{
	if (r->ack_count == 0 || max_acks == 0)
		return false;
	memset(ret_control, 0, sizeof(*ret_control));
	ret_control->opcode = OVPN_P_ACK_V1;
	take_acks(r, max_acks, ret_control);
	return true;
}

unsigned ovpn_rel_acks_pending(const struct ovpn_reliable *r)
{
	return r->ack_count;
}

unsigned ovpn_rel_acks_available(const struct ovpn_reliable *r)
{
	unsigned n = r->recent_count;

	for (unsigned i = 0; i < r->ack_count; i++)
		n += !contains(r->recent, r->recent_count, r->ack[i]);
	return n;
}

uint64_t ovpn_rel_deadline(const struct ovpn_reliable *r)
{
	uint64_t deadline = OVPN_REL_NEVER;

	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		if (r->out[i].used && r->out[i].due_ms < deadline)
			deadline = r->out[i].due_ms;
	}
	return deadline;
}

void ovpn_rel_expedite(struct ovpn_reliable *r, uint64_t now_ms)
{
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		r->out[i].due_ms = now_ms;
		r->out[i].timeout_ms = r->retransmit_ms;
	}
}

// A later message was acknowledged: those before it that were sent may have been lost.
static void count_later_ack(struct ovpn_reliable *r, uint32_t acked, uint64_t now_ms)
{
	for (unsigned i = 0; i < OVPN_REL_SEND_WINDOW; i++) {
		struct ovpn_rel_out *o = &r->out[i];

		if (!o->used || !o->sent || !before(o->message_id, acked))
			continue;
		o->later_acks++;
		if (o->later_acks >= OVPN_REL_EARLY_ACKS && o->due_ms > now_ms)
			o->due_ms = now_ms;
	}
}

void ovpn_rel_on_acks(struct ovpn_reliable *r, const uint32_t *ids, unsigned count, uint64_t now_ms)
{
	for (unsigned i = 0; i < count; i++) {
		struct ovpn_rel_out *out = find_out(r, ids[i]);

		// An id that was never sent can't be acknowledged; repetitions find nothing.
		if (out == NULL || !out->sent)
			continue;
		out->used = false;
		explicit_bzero(out->payload, out->len);
		count_later_ack(r, ids[i], now_ms);
	}
}

int ovpn_rel_on_message(struct ovpn_reliable *r, const struct ovpn_control *c)
{
	struct ovpn_rel_in *in = NULL;
	bool known;

	if (!ovpn_control_has_message_id(c->opcode))
		return -EPROTO;
	if (!before(c->message_id, r->next_recv + OVPN_REL_RECV_WINDOW))
		return -ERANGE;
	if (c->payload_len > OVPN_REL_RECV_MAX)
		return -EMSGSIZE;
	if (!contains(r->ack, r->ack_count, c->message_id)) {
		if (r->ack_count == OVPN_REL_ACK_QUEUE)
			return -EAGAIN;
		r->ack[r->ack_count++] = c->message_id;
	}
	known = before(c->message_id, r->next_recv) || find_in(r, c->message_id) != NULL;
	if (known)
		return -EALREADY;
	for (unsigned i = 0; i < OVPN_REL_RECV_WINDOW && in == NULL; i++) {
		if (!r->in[i].used)
			in = &r->in[i];
	}
	if (in == NULL) // can't be: the window holds no more different ids than slots
		return -EAGAIN;
	in->used = true;
	in->opcode = c->opcode;
	in->message_id = c->message_id;
	in->len = (uint16_t)c->payload_len;
	if (c->payload_len > 0)
		memcpy(in->payload, c->payload, c->payload_len);
	return 0;
}

const struct ovpn_rel_in *ovpn_rel_peek(const struct ovpn_reliable *r)
{
	return find_in(r, r->next_recv);
}

void ovpn_rel_pop(struct ovpn_reliable *r)
{
	for (unsigned i = 0; i < OVPN_REL_RECV_WINDOW; i++) {
		if (r->in[i].used && r->in[i].message_id == r->next_recv) {
			r->in[i].used = false;
			r->next_recv++;
			return;
		}
	}
}

void ovpn_rel_wipe(struct ovpn_reliable *r)
{
	explicit_bzero(r, sizeof(*r));
}
