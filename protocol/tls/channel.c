// SPDX-License-Identifier: BSD-3-Clause
// Life of a control channel and what it receives; channel_send.c sends.
#include "protocol/tls/channel.h"

#include <errno.h>
#include <string.h>

#include "protocol/tls/channel_private.h"

// A received packet on its way through ovpn_channel_recv().
struct incoming {
	struct ovpn_control c;
	struct ovpn_wrap *wrap;
	struct ovpn_wrap_id id;
	size_t plain_len;
	uint8_t plain[OVPN_CHANNEL_DATAGRAM_MAX];
};

void ovpn_channel_init(struct ovpn_channel *ch, const struct ovpn_channel_config *config,
	bool server, const uint8_t own_sid[OVPN_SID_LEN], const struct ovpn_wrap_keys *base,
	uint32_t now_s)
{
	memset(ch, 0, sizeof(*ch));
	ch->config = config;
	ch->flags = server ? OVPN_CHANNEL_SERVER : 0;
	memcpy(ch->own_sid, own_sid, sizeof(ch->own_sid));
	ovpn_wrap_init(&ch->base, base, 1, now_s);
}

int ovpn_channel_set_wkc(struct ovpn_channel *ch, const uint8_t *wkc, size_t wkc_len)
{
	if (wkc_len < OVPN_WKC_MIN || wkc_len > OVPN_WKC_MAX)
		return -EINVAL;
	ch->wkc = wkc;
	ch->wkc_len = (uint16_t)wkc_len;
	ch->base.send.next = OVPN_EARLY_REPLAY_ID;
	return 0;
}

void ovpn_channel_set_dynamic(
	struct ovpn_channel *ch, const struct ovpn_wrap_keys *keys, uint32_t now_s)
{
	ovpn_wrap_init(&ch->dynamic, keys, 1, now_s);
	ch->flags |= OVPN_CHANNEL_DYNAMIC;
}

static void queue_reset(struct ovpn_channel *ch, uint8_t opcode, uint64_t now_ms)
{
	// Can't fail: it is the first message of an empty window.
	(void)ovpn_rel_queue(&ch->neg->rel, opcode, NULL, 0, now_ms);
}

void ovpn_channel_start(struct ovpn_channel *ch, struct ovpn_negotiation *neg, uint64_t now_ms)
{
	ch->neg = neg;
	ch->key_id = 0;
	neg->read_offset = 0;
	neg->started = false;
	neg->got_reset = false;
	ovpn_rel_init(&neg->rel, ch->config->retransmit_ms);
	if (!ovpn_channel_is_server(ch))
		queue_reset(ch,
			ch->wkc_len > 0 ? OVPN_P_CONTROL_HARD_RESET_CLIENT_V3
					: OVPN_P_CONTROL_HARD_RESET_CLIENT_V2,
			now_ms);
}

// Buffers of a negotiation whose resets are done.
static void resume(struct ovpn_channel *ch, struct ovpn_negotiation *neg)
{
	const struct ovpn_rel_state numbers = {
		.next_send = ch->next_send,
		.lowest_unacked = ch->lowest_unacked,
		.next_recv = ch->next_recv,
	};

	ch->neg = neg;
	neg->read_offset = 0;
	neg->started = true;
	neg->got_reset = true;
	ovpn_rel_import(&neg->rel, &numbers, ch->config->retransmit_ms);
}

void ovpn_channel_accept(struct ovpn_channel *ch, struct ovpn_negotiation *neg,
	const uint8_t remote_sid[OVPN_SID_LEN], uint64_t now_ms)
{
	(void)now_ms; // nothing is due before the third packet was taken
	memcpy(ch->remote_sid, remote_sid, sizeof(ch->remote_sid));
	ch->flags |= OVPN_CHANNEL_REMOTE_KNOWN;
	ch->key_id = 0;
	ch->next_send = 1;
	ch->lowest_unacked = 1;
	ch->next_recv = 1;
	ch->base.send.next = 2; // the stateless answer was 1
	resume(ch, neg);
}

void ovpn_channel_attach(struct ovpn_channel *ch, struct ovpn_negotiation *neg)
{
	resume(ch, neg);
}

// Bring the numbers that outlive the buffers up to date.
static void save_numbers(struct ovpn_channel *ch)
{
	struct ovpn_rel_state numbers;

	if (ch->neg == NULL)
		return;
	ovpn_rel_export(&ch->neg->rel, &numbers);
	ch->next_send = numbers.next_send;
	ch->lowest_unacked = numbers.lowest_unacked;
	ch->next_recv = numbers.next_recv;
}

struct ovpn_negotiation *ovpn_channel_detach(struct ovpn_channel *ch)
{
	struct ovpn_negotiation *neg = ch->neg;

	save_numbers(ch);
	ch->neg = NULL;
	return neg;
}

bool ovpn_channel_idle(const struct ovpn_channel *ch)
{
	if (ch->reack_count > 0 || (ch->flags & OVPN_CHANNEL_ESTABLISHED) == 0)
		return false;
	if (ch->neg == NULL)
		return true;
	if (!ovpn_rel_all_acked(&ch->neg->rel) || ovpn_rel_acks_pending(&ch->neg->rel) > 0)
		return false;
	// What lies ahead of a gap was acknowledged already, so it must not be lost either.
	return !ovpn_rel_holds_messages(&ch->neg->rel);
}

bool ovpn_channel_started(const struct ovpn_channel *ch)
{
	return ch->neg == NULL || ch->neg->started;
}

bool ovpn_channel_all_acked(const struct ovpn_channel *ch)
{
	if (ch->neg == NULL)
		return ch->lowest_unacked == ch->next_send;
	return ovpn_rel_all_acked(&ch->neg->rel);
}

void ovpn_channel_established(struct ovpn_channel *ch)
{
	ch->flags |= OVPN_CHANNEL_ESTABLISHED;
}

uint8_t ovpn_channel_next_key_id(const struct ovpn_channel *ch)
{
	return ovpn_key_id_next(ch->key_id);
}

// Leave the current negotiation and begin one with this key id: our soft reset is its message 0.
static void renegotiate(
	struct ovpn_channel *ch, struct ovpn_negotiation *neg, uint8_t key_id, uint64_t now_ms)
{
	save_numbers(ch);
	// A negotiation that the peer never answered leaves nothing to acknowledge.
	if (ch->neg == NULL || ch->neg->got_reset) {
		ch->old_key_id = ch->key_id;
		ch->old_next_recv = ch->next_recv;
		ch->flags |= OVPN_CHANNEL_HAS_OLD;
	}
	ch->flags &= (uint16_t)~OVPN_CHANNEL_ESTABLISHED;
	ch->key_id = key_id;
	ch->neg = neg;
	neg->read_offset = 0;
	neg->started = false;
	neg->got_reset = false;
	ovpn_rel_init(&neg->rel, ch->config->retransmit_ms);
	queue_reset(ch, OVPN_P_CONTROL_SOFT_RESET_V1, now_ms);
}

int ovpn_channel_soft_reset(struct ovpn_channel *ch, struct ovpn_negotiation *neg, uint64_t now_ms)
{
	if ((ch->flags & OVPN_CHANNEL_ESTABLISHED) == 0)
		return -EAGAIN;
	if (!ovpn_channel_all_acked(ch))
		return -EBUSY;
	if (neg == NULL)
		neg = ch->neg;
	if (neg == NULL)
		return -ENOBUFS;
	renegotiate(ch, neg, ovpn_channel_next_key_id(ch), now_ms);
	return 0;
}

// Is it a hard reset that the other end may send?
static bool is_peers_reset(const struct ovpn_channel *ch, uint8_t opcode)
{
	return ovpn_opcode_is_hard_reset(opcode) &&
		ovpn_channel_is_server(ch) == (opcode != OVPN_P_CONTROL_HARD_RESET_SERVER_V2);
}

// What can be judged before any cryptography (protocol.md 2.4 steps 1 to 7).
static int check_prefix(const struct ovpn_channel *ch, const uint8_t *dgram, size_t len)
{
	uint8_t opcode;

	if (len <= OVPN_CONTROL_PREFIX_LEN)
		return -EINVAL;
	opcode = ovpn_opcode_of(dgram[0]);
	if (!ovpn_opcode_is_control(opcode))
		return -EINVAL;
	if (ovpn_opcode_is_hard_reset(opcode) && !is_peers_reset(ch, opcode))
		return -EINVAL;
	if (opcode == OVPN_P_CONTROL_WKC_V1 && !ovpn_channel_is_server(ch))
		return -EINVAL;
	if ((ch->flags & OVPN_CHANNEL_REMOTE_KNOWN) == 0)
		return is_peers_reset(ch, opcode) ? 0 : -ESTALE;
	return memcmp(dgram + 1, ch->remote_sid, OVPN_SID_LEN) == 0 ? 0 : -ESTALE;
}

// Whose packet is it, by its key id and opcode?
enum target {
	TARGET_NONE,
	TARGET_CURRENT,
	TARGET_OLD,
	TARGET_SOFT_RESET,
};

static enum target find_target(const struct ovpn_channel *ch, uint8_t opcode, uint8_t key_id)
{
	bool old = (ch->flags & OVPN_CHANNEL_HAS_OLD) != 0 && key_id == ch->old_key_id;

	if (key_id == ch->key_id)
		return TARGET_CURRENT;
	if (opcode == OVPN_P_CONTROL_SOFT_RESET_V1 && key_id != 0) {
		if ((ch->flags & OVPN_CHANNEL_ESTABLISHED) != 0 &&
			key_id == ovpn_channel_next_key_id(ch))
			return TARGET_SOFT_RESET;
		if ((ch->flags & OVPN_CHANNEL_ANY_KEY_ID) != 0 && !old)
			return TARGET_SOFT_RESET;
	}
	return old ? TARGET_OLD : TARGET_NONE;
}

// Unwrap and parse. Nothing of the channel changes.
static int open_packet(
	struct ovpn_channel *ch, const uint8_t *dgram, size_t len, struct incoming *in)
{
	uint8_t key_id = ovpn_key_id_of(dgram[0]);
	bool dynamic = key_id > 0 && (ch->flags & OVPN_CHANNEL_DYNAMIC) != 0;
	int rc;

	in->wrap = dynamic ? &ch->dynamic : &ch->base;
	// A wrapped client key in a running session is cut off and ignored (protocol.md 3.5).
	if (ovpn_opcode_has_wkc(ovpn_opcode_of(dgram[0])) && ovpn_wkc_cut(dgram, len, &len) < 0)
		return -EINVAL;
	rc = ovpn_wrap_open(
		in->wrap->keys, dgram, len, in->plain, sizeof(in->plain), &in->plain_len, &in->id);
	if (rc < 0)
		return rc;
	if (ovpn_control_parse(in->plain, in->plain_len, &in->c) < 0)
		return -EINVAL;
	if (in->c.ack_count > 0 && memcmp(in->c.acked_sid, ch->own_sid, OVPN_SID_LEN) != 0)
		return -ESTALE;
	return 0;
}

// Message 0 is a reset, hard for key id 0 and soft for the others, and nothing else is.
static bool message_fits(const struct ovpn_control *c)
{
	bool hard = ovpn_opcode_is_hard_reset(c->opcode);
	bool soft = c->opcode == OVPN_P_CONTROL_SOFT_RESET_V1;

	if (!ovpn_control_has_message_id(c->opcode))
		return true;
	if ((c->message_id == 0) != (hard || soft))
		return false;
	return !(hard && c->key_id != 0) && !(soft && c->key_id == 0);
}

// Acknowledge a message again although no negotiation holds it any more.
static void reack(struct ovpn_channel *ch, uint8_t key_id, uint32_t message_id)
{
	if (ch->reack_key_id != key_id)
		ch->reack_count = 0;
	ch->reack_key_id = key_id;
	for (unsigned i = 0; i < ch->reack_count; i++) {
		if (ch->reack[i] == message_id)
			return;
	}
	if (ch->reack_count < OVPN_CHANNEL_REACK_MAX)
		ch->reack[ch->reack_count++] = message_id;
}

static bool before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

// First packet of the peer: remember it; read what a server says about early negotiation.
static int meet_peer(struct ovpn_channel *ch, const struct ovpn_control *c, uint64_t now_ms)
{
	uint16_t flags = 0;

	if (!ovpn_channel_is_server(ch) &&
		ovpn_reset_tlv_parse(c->payload, c->payload_len, &flags) < 0)
		return -EPROTO;
	if ((flags & OVPN_RESET_FLAG_RESEND_WKC) != 0 && ch->wkc_len > 0)
		ch->flags |= OVPN_CHANNEL_SEND_WKC;
	memcpy(ch->remote_sid, c->sid, sizeof(ch->remote_sid));
	ch->flags |= OVPN_CHANNEL_REMOTE_KNOWN;
	if (ovpn_channel_is_server(ch))
		queue_reset(ch, OVPN_P_CONTROL_HARD_RESET_SERVER_V2, now_ms);
	return 0;
}

// Take resets off the front of what can be read; everything behind them belongs to TLS.
static unsigned take_resets(struct ovpn_channel *ch)
{
	struct ovpn_negotiation *neg = ch->neg;
	const struct ovpn_rel_in *in = ovpn_rel_peek(&neg->rel);
	unsigned events = 0;

	while (in != NULL && in->message_id == 0) {
		neg->got_reset = true;
		ch->flags &= (uint16_t)~OVPN_CHANNEL_ANY_KEY_ID;
		events |= OVPN_CHANNEL_GOT_RESET;
		ovpn_rel_pop(&neg->rel);
		in = ovpn_rel_peek(&neg->rel);
	}
	return in != NULL && neg->got_reset ? events | OVPN_CHANNEL_GOT_TLS : events;
}

static unsigned take_acks(struct ovpn_channel *ch, const struct ovpn_control *c, uint64_t now_ms)
{
	struct ovpn_negotiation *neg = ch->neg;
	struct ovpn_rel_state now;
	unsigned room = ovpn_rel_room(&neg->rel);
	unsigned events = 0;

	ovpn_rel_on_acks(&neg->rel, c->acks, c->ack_count, now_ms);
	ovpn_rel_export(&neg->rel, &now);
	if (ovpn_rel_room(&neg->rel) != room)
		events |= OVPN_CHANNEL_GOT_ACK;
	if (!neg->started && now.lowest_unacked > 0) {
		neg->started = true;
		events |= OVPN_CHANNEL_GOT_START;
	}
	return events;
}

// A packet of the current negotiation (protocol.md 2.4 steps 11 to 13).
static int recv_current(struct ovpn_channel *ch, const struct ovpn_control *c, uint64_t now_ms,
	unsigned *ret_events)
{
	unsigned events = take_acks(ch, c, now_ms);
	int rc = 0;

	if (ovpn_control_has_message_id(c->opcode)) {
		rc = ovpn_rel_on_message(&ch->neg->rel, c);
		if (rc == -EALREADY) {
			events |= OVPN_CHANNEL_GOT_DUPLICATE;
			rc = 0;
		}
		events |= take_resets(ch);
	}
	*ret_events = events;
	return rc == 0 ? 0 : -ENOSPC;
}

// A packet that no buffers are there for: of the negotiation before this one, or the channel is
// idle. Only what was delivered already is acknowledged.
static int recv_without_buffers(struct ovpn_channel *ch, const struct ovpn_control *c,
	uint32_t next_recv, unsigned *ret_events)
{
	*ret_events = 0;
	if (!ovpn_control_has_message_id(c->opcode))
		return 0;
	if (before(c->message_id, next_recv)) {
		reack(ch, c->key_id, c->message_id);
		*ret_events = OVPN_CHANNEL_GOT_DUPLICATE;
	}
	return 0;
}

// Does this packet need buffers that aren't there?
static unsigned missing_buffers(
	const struct ovpn_channel *ch, const struct ovpn_control *c, enum target target)
{
	if (ch->neg != NULL)
		return 0;
	if (target == TARGET_SOFT_RESET)
		return OVPN_CHANNEL_GOT_SOFT_RESET;
	if (target == TARGET_CURRENT && ovpn_control_has_message_id(c->opcode) &&
		!before(c->message_id, ch->next_recv))
		return OVPN_CHANNEL_GOT_TLS;
	return 0;
}

static int dispatch(struct ovpn_channel *ch, const struct ovpn_control *c, enum target target,
	uint64_t now_ms, unsigned *ret_events)
{
	unsigned soft = 0;
	int rc;

	if (target == TARGET_OLD) {
		rc = recv_without_buffers(ch, c, ch->old_next_recv, ret_events);
		*ret_events |= OVPN_CHANNEL_GOT_OLD_KEY;
		return rc;
	}
	if (target == TARGET_SOFT_RESET) {
		renegotiate(ch, ch->neg, c->key_id, now_ms);
		soft = OVPN_CHANNEL_GOT_SOFT_RESET;
	}
	if (ch->neg == NULL)
		return recv_without_buffers(ch, c, ch->next_recv, ret_events);
	rc = recv_current(ch, c, now_ms, ret_events);
	*ret_events |= soft;
	return rc;
}

int ovpn_channel_recv(struct ovpn_channel *ch, const uint8_t *dgram, size_t len, uint64_t now_ms,
	unsigned *ret_events)
{
	struct incoming in;
	enum target target;
	unsigned missing;
	int rc = check_prefix(ch, dgram, len);

	if (rc < 0)
		return rc;
	target = find_target(ch, ovpn_opcode_of(dgram[0]), ovpn_key_id_of(dgram[0]));
	if (target == TARGET_NONE)
		return -EPROTO;
	rc = open_packet(ch, dgram, len, &in);
	if (rc == 0 && !message_fits(&in.c))
		rc = -EINVAL;
	if (rc == 0)
		rc = ovpn_wrap_check(in.wrap, in.id);
	if (rc < 0)
		return rc;
	missing = missing_buffers(ch, &in.c, target);
	if (missing != 0) {
		*ret_events = missing;
		return -ENOBUFS;
	}
	if ((ch->flags & OVPN_CHANNEL_REMOTE_KNOWN) == 0) {
		if (ch->neg == NULL)
			return -ESTALE;
		rc = meet_peer(ch, &in.c, now_ms);
		if (rc < 0)
			return rc;
	}
	(void)ovpn_wrap_accept(in.wrap, in.id); // was checked above
	return dispatch(ch, &in.c, target, now_ms, ret_events);
}

size_t ovpn_channel_tls_read(struct ovpn_channel *ch, uint8_t *buf, size_t size)
{
	struct ovpn_negotiation *neg = ch->neg;
	const struct ovpn_rel_in *in;
	size_t total = 0;

	if (neg == NULL || !neg->got_reset)
		return 0;
	while ((in = ovpn_rel_peek(&neg->rel)) != NULL) {
		size_t n = in->len - (size_t)neg->read_offset;

		if (n > size - total)
			n = size - total;
		memcpy(buf + total, in->payload + neg->read_offset, n);
		total += n;
		neg->read_offset = (uint16_t)(neg->read_offset + n);
		if (neg->read_offset < in->len)
			break; // buf is full
		neg->read_offset = 0;
		ovpn_rel_pop(&neg->rel);
	}
	return total;
}

void ovpn_channel_export(const struct ovpn_channel *ch, struct ovpn_channel_state *ret_state)
{
	struct ovpn_rel_state numbers = {
		.next_send = ch->next_send,
		.lowest_unacked = ch->lowest_unacked,
		.next_recv = ch->next_recv,
	};

	if (ch->neg != NULL)
		ovpn_rel_export(&ch->neg->rel, &numbers);
	memset(ret_state, 0, sizeof(*ret_state));
	ret_state->version = OVPN_CHANNEL_STATE_VERSION;
	ret_state->key_id = ch->key_id;
	ret_state->old_key_id = ch->old_key_id;
	ret_state->in_flight = (ch->flags & OVPN_CHANNEL_ESTABLISHED) == 0;
	ret_state->flags = ch->flags & (uint16_t)~OVPN_CHANNEL_HOLD_ACKS;
	memcpy(ret_state->own_sid, ch->own_sid, sizeof(ret_state->own_sid));
	memcpy(ret_state->remote_sid, ch->remote_sid, sizeof(ret_state->remote_sid));
	ovpn_wrap_export(&ch->base, &ret_state->base);
	ovpn_wrap_export(&ch->dynamic, &ret_state->dynamic);
	ret_state->next_send = numbers.next_send;
	ret_state->lowest_unacked = numbers.lowest_unacked;
	ret_state->next_recv = numbers.next_recv;
	ret_state->old_next_recv = ch->old_next_recv;
}

int ovpn_channel_import(struct ovpn_channel *ch, const struct ovpn_channel_config *config,
	const struct ovpn_channel_state *state, const struct ovpn_wrap_keys *base,
	const struct ovpn_wrap_keys *dynamic, uint32_t now_s)
{
	static const uint16_t kept = OVPN_CHANNEL_SERVER | OVPN_CHANNEL_REMOTE_KNOWN |
		OVPN_CHANNEL_ESTABLISHED | OVPN_CHANNEL_DYNAMIC | OVPN_CHANNEL_HAS_OLD;
	bool has_dynamic = (state->flags & OVPN_CHANNEL_DYNAMIC) != 0;

	if (state->version != OVPN_CHANNEL_STATE_VERSION || state->key_id > OVPN_KEY_ID_MAX ||
		state->old_key_id > OVPN_KEY_ID_MAX || has_dynamic != (dynamic != NULL))
		return -EINVAL;
	if ((state->flags & OVPN_CHANNEL_REMOTE_KNOWN) == 0 || ovpn_sid_is_zero(state->own_sid) ||
		ovpn_sid_is_zero(state->remote_sid))
		return -EINVAL;
	if (state->next_send - state->lowest_unacked > OVPN_REL_SEND_WINDOW)
		return -EINVAL;
	ovpn_channel_init(
		ch, config, (state->flags & OVPN_CHANNEL_SERVER) != 0, state->own_sid, base, now_s);
	ch->flags = (state->flags & kept) | OVPN_CHANNEL_ANY_KEY_ID;
	memcpy(ch->remote_sid, state->remote_sid, sizeof(ch->remote_sid));
	ovpn_wrap_resume(&ch->base, base, &state->base, now_s);
	if (has_dynamic)
		ovpn_wrap_resume(&ch->dynamic, dynamic, &state->dynamic, now_s);
	ch->key_id = state->key_id;
	ch->old_key_id = state->old_key_id;
	ch->next_send = state->next_send;
	ch->lowest_unacked = state->lowest_unacked;
	ch->next_recv = state->next_recv;
	ch->old_next_recv = state->old_next_recv;
	return 0;
}
