// SPDX-License-Identifier: BSD-3-Clause
// What a control channel sends.
#include <errno.h>
#include <string.h>

#include "protocol/tls/channel.h"
#include "protocol/tls/channel_private.h"

// Fatal alert internal_error in a TLS 1.2 record (decisions.md C5).
static const uint8_t fatal_alert[] = { 0x15, 3, 3, 0, 2, 2, 80 };

static struct ovpn_wrap *wrap_of(struct ovpn_channel *ch, uint8_t key_id)
{
	if (key_id > 0 && (ch->flags & OVPN_CHANNEL_DYNAMIC) != 0)
		return &ch->dynamic;
	return &ch->base;
}

// Must the next message of ours be P_CONTROL_WKC_V1?
static bool next_has_wkc(const struct ovpn_channel *ch)
{
	struct ovpn_rel_state numbers;

	if ((ch->flags & OVPN_CHANNEL_SEND_WKC) == 0 || ch->key_id != 0)
		return false;
	ovpn_rel_export(&ch->neg->rel, &numbers);
	return numbers.next_send == 1;
}

// Largest piece of the TLS stream for the next message. Counted with the most acknowledgements that
// any transmission of it may carry.
static size_t piece_max(struct ovpn_channel *ch, bool wkc)
{
	const struct ovpn_wrap_keys *keys = wrap_of(ch, ch->key_id)->keys;
	size_t overhead = OVPN_WRAP_OVERHEAD_NONE;
	size_t max;

	if (keys != NULL && keys->mode == OVPN_WRAP_TLS_AUTH)
		overhead = OVPN_WRAP_OVERHEAD_TLS_AUTH((size_t)keys->digest_len);
	else if (keys != NULL && keys->mode == OVPN_WRAP_TLS_CRYPT)
		overhead = OVPN_WRAP_OVERHEAD_TLS_CRYPT;
	if (wkc)
		overhead += ch->wkc_len;
	max = ovpn_control_payload_max(
		ch->config->max_packet, ch->config->ipv6, OVPN_CONTROL_PIGGYBACK, overhead);
	return max < OVPN_REL_SEND_MAX ? max : OVPN_REL_SEND_MAX;
}

size_t ovpn_channel_tls_write(
	struct ovpn_channel *ch, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
	size_t taken = 0;

	if (ch->neg == NULL || !ch->neg->started)
		return 0;
	while (taken < len && ovpn_rel_room(&ch->neg->rel) > 0) {
		bool wkc = next_has_wkc(ch);
		size_t n = piece_max(ch, wkc);

		if (n > len - taken)
			n = len - taken;
		if (n == 0 && !wkc)
			break; // max_packet leaves no room
		if (ovpn_rel_queue(&ch->neg->rel, wkc ? OVPN_P_CONTROL_WKC_V1 : OVPN_P_CONTROL_V1,
			    bytes + taken, n, now_ms) < 0)
			break;
		taken += n;
	}
	return taken;
}

// Wrap a packet and append the wrapped client key where its opcode asks for it.
static int emit(
	struct ovpn_channel *ch, struct ovpn_control *c, uint8_t *out, size_t size, size_t *ret_len)
{
	uint8_t plain[OVPN_CHANNEL_DATAGRAM_MAX];
	size_t plain_len;
	size_t len;
	int rc;

	memcpy(c->sid, ch->own_sid, sizeof(c->sid));
	memcpy(c->acked_sid, ch->remote_sid, sizeof(c->acked_sid));
	if (ovpn_control_build(c, plain, sizeof(plain), &plain_len) < 0)
		return -ENOSPC;
	rc = ovpn_wrap_seal(wrap_of(ch, c->key_id), plain, plain_len, out, size, &len);
	if (rc < 0)
		return rc;
	if (ovpn_opcode_has_wkc(c->opcode)) {
		if (size - len < ch->wkc_len)
			return -ENOSPC;
		memcpy(out + len, ch->wkc, ch->wkc_len);
		len += ch->wkc_len;
	}
	*ret_len = len;
	return 1;
}

// Acknowledgements that no negotiation holds.
static void take_reacks(struct ovpn_channel *ch, struct ovpn_control *c)
{
	memset(c, 0, sizeof(*c));
	c->opcode = OVPN_P_ACK_V1;
	c->key_id = ch->reack_key_id;
	c->ack_count = ch->reack_count;
	memcpy(c->acks, ch->reack, ch->reack_count * sizeof(ch->reack[0]));
	ch->reack_count = 0;
}

void ovpn_channel_hold_acks(struct ovpn_channel *ch, bool hold)
{
	ch->flags &= (uint16_t)~OVPN_CHANNEL_HOLD_ACKS;
	if (hold)
		ch->flags |= OVPN_CHANNEL_HOLD_ACKS;
}

// Shall the acknowledgements that wait go with the answer that the owner is making?
static bool acks_can_wait(const struct ovpn_channel *ch)
{
	return (ch->flags & OVPN_CHANNEL_HOLD_ACKS) != 0 &&
		ovpn_rel_acks_pending(&ch->neg->rel) < OVPN_CONTROL_PIGGYBACK;
}

int ovpn_channel_output(
	struct ovpn_channel *ch, uint64_t now_ms, uint8_t *out, size_t size, size_t *ret_len)
{
	struct ovpn_control c;
	// Some servers take only four acknowledgements of a client that isn't known to be newer.
	bool few = !ovpn_channel_is_server(ch) && ovpn_wrap_overhead(ch->base.keys) == 0;
	unsigned acks = few ? OVPN_CONTROL_PIGGYBACK : OVPN_CONTROL_MAX_ACKS;
	bool known = (ch->flags & OVPN_CHANNEL_REMOTE_KNOWN) != 0;

	if (ch->reack_count > 0) {
		take_reacks(ch, &c);
		return emit(ch, &c, out, size, ret_len);
	}
	if (ch->neg == NULL)
		return 0;
	// The server waits for the wrapped key: an acknowledgement alone would be lost for good,
	// an empty message is repeated (protocol.md 4.3).
	if (ovpn_rel_acks_pending(&ch->neg->rel) > 0 && next_has_wkc(ch))
		(void)ovpn_rel_queue(&ch->neg->rel, OVPN_P_CONTROL_WKC_V1, NULL, 0, now_ms);
	if (!ovpn_rel_next(&ch->neg->rel, now_ms, known ? OVPN_CONTROL_PIGGYBACK : 0, &c) &&
		(acks_can_wait(ch) || !ovpn_rel_next_ack(&ch->neg->rel, acks, &c)))
		return 0;
	c.key_id = ch->key_id;
	return emit(ch, &c, out, size, ret_len);
}

uint64_t ovpn_channel_deadline(const struct ovpn_channel *ch)
{
	if (ch->reack_count > 0)
		return 0;
	if (ch->neg == NULL)
		return OVPN_CHANNEL_NEVER;
	if (ovpn_rel_acks_pending(&ch->neg->rel) > 0)
		return 0;
	return ovpn_rel_deadline(&ch->neg->rel);
}

int ovpn_channel_abort(
	struct ovpn_channel *ch, unsigned index, uint8_t *out, size_t size, size_t *ret_len)
{
	struct ovpn_rel_state numbers = {
		.next_send = ch->next_send,
		.lowest_unacked = ch->lowest_unacked,
	};
	uint8_t alerts[OVPN_REL_SEND_MAX];
	size_t room = piece_max(ch, false);
	struct ovpn_control c = {
		.opcode = OVPN_P_CONTROL_V1,
		.key_id = ch->key_id,
		.payload = alerts,
	};

	if (ch->neg != NULL)
		ovpn_rel_export(&ch->neg->rel, &numbers);
	if (index > numbers.next_send - numbers.lowest_unacked || index > OVPN_REL_SEND_WINDOW)
		return 0;
	c.message_id = numbers.lowest_unacked + index;
	// The peer may be in the middle of a TLS record whose rest it never got: one alert would be
	// taken for a part of it, and it would wait for more. A packet full of them ends any record
	// that the missing packets would have ended.
	while (sizeof(fatal_alert) <= room - c.payload_len) {
		memcpy(alerts + c.payload_len, fatal_alert, sizeof(fatal_alert));
		c.payload_len += sizeof(fatal_alert);
	}
	return emit(ch, &c, out, size, ret_len);
}
