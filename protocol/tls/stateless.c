// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/tls/stateless.h"

#include <errno.h>
#include <string.h>

#include "protocol/bytes.h"
#include "protocol/control_packet.h"

// The stateless answer is the first packet of the session's replay space; the session goes on at 2.
#define ANSWER_REPLAY_ID 1
// Longest datagram that is looked at: a first flight on Ethernet with a wrapped key.
#define FIRST_MAX 2048

// The sender, as far as this file needs it.
struct sender {
	const void *addr;
	size_t addr_len;
	uint64_t slot;
	uint32_t now_s;
};

const char *ovpn_first_reason_name(enum ovpn_first_reason reason)
{
	static const char *const names[] = {
#define NAME(name, text) text,
		OVPN_FIRST_REASONS(NAME)
#undef NAME
	};

	return (unsigned)reason < OVPN_FIRST_REASON_COUNT ? names[reason] : names[0];
}

void ovpn_first_wipe(struct ovpn_first *first)
{
	explicit_bzero(first, sizeof(*first));
}

static enum ovpn_first_verdict drop(struct ovpn_first *first, enum ovpn_first_reason reason)
{
	ovpn_static_key_wipe(&first->kc);
	ovpn_wrap_keys_wipe(&first->v2_keys);
	first->v2 = false;
	first->keys = NULL;
	first->verdict = OVPN_FIRST_DROP;
	first->reason = (uint8_t)reason;
	return OVPN_FIRST_DROP;
}

// Is a client's key young enough? One whose metadata is no time is of unknown age. A key from the
// future comes of a clock that is wrong here or there, and is no older than the others.
static bool v2_age_fits(const struct ovpn_stateless *st, uint64_t now_s,
	const struct ovpn_first *first, size_t metadata_len)
{
	uint64_t made_s;

	if (st->v2_max_age_s == 0)
		return true;
	if (metadata_len != 9 || first->metadata[0] != OVPN_WKC_METADATA_TIME)
		return false;
	made_s = ovpn_get_be64(first->metadata + 1);
	return made_s >= now_s || now_s - made_s <= st->v2_max_age_s;
}

// tls-crypt-v2: open the wrapped key at the end and use it.
static enum ovpn_first_reason open_v2(const struct ovpn_stateless *st, uint64_t now_s,
	const uint8_t *dgram, size_t len, struct ovpn_first *first, uint8_t *plain, size_t *ret_len,
	struct ovpn_wrap_id *ret_id)
{
	size_t body_len;
	size_t metadata_len = 0;
	int rc;

	if (st->v2 == NULL)
		return OVPN_FIRST_NO_KEY;
	if (ovpn_wkc_cut(dgram, len, &body_len) < 0)
		return OVPN_FIRST_BAD_CLIENT_KEY;
	rc = ovpn_wkc_open(st->v2, dgram + body_len, len - body_len, &first->kc, first->metadata,
		&metadata_len);
	if (rc < 0)
		return rc == -EIO ? OVPN_FIRST_INTERNAL : OVPN_FIRST_BAD_CLIENT_KEY;
	first->v2 = true;
	first->metadata_len = (uint16_t)metadata_len;
	ovpn_wrap_keys_tls_crypt(&first->kc, true, &first->v2_keys);
	rc = ovpn_wrap_open(&first->v2_keys, dgram, body_len, plain, FIRST_MAX, ret_len, ret_id);
	if (rc == -EIO)
		return OVPN_FIRST_INTERNAL;
	if (rc < 0)
		return OVPN_FIRST_BAD_WRAP;
	return v2_age_fits(st, now_s, first, metadata_len) ? OVPN_FIRST_NONE
							   : OVPN_FIRST_OLD_CLIENT_KEY;
}

// The server's own keys, whichever fits; without any the packet isn't wrapped.
static enum ovpn_first_reason open_shared(const struct ovpn_stateless *st, const uint8_t *dgram,
	size_t len, struct ovpn_first *first, uint8_t *plain, size_t *ret_len,
	struct ovpn_wrap_id *ret_id)
{
	const struct ovpn_wrap_keys *keys[] = { st->tls_crypt, st->tls_auth };
	bool wrapped = st->tls_crypt != NULL || st->tls_auth != NULL;
	int rc;

	if (!wrapped && st->v2 != NULL)
		return OVPN_FIRST_NO_KEY;
	if (!wrapped) {
		rc = ovpn_wrap_open(NULL, dgram, len, plain, FIRST_MAX, ret_len, ret_id);
		return rc < 0 ? OVPN_FIRST_LENGTH : OVPN_FIRST_NONE;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (keys[i] == NULL)
			continue;
		rc = ovpn_wrap_open(keys[i], dgram, len, plain, FIRST_MAX, ret_len, ret_id);
		if (rc == -EIO)
			return OVPN_FIRST_INTERNAL;
		if (rc == 0) {
			first->keys = keys[i];
			return OVPN_FIRST_NONE;
		}
	}
	return OVPN_FIRST_BAD_WRAP;
}

// Build the stateless answer to a hard reset.
static enum ovpn_first_verdict answer(const struct ovpn_stateless *st, const struct sender *from,
	struct ovpn_first *first, uint8_t *reply, size_t size, size_t *ret_reply_len)
{
	const struct ovpn_wrap_id id = { .id = ANSWER_REPLAY_ID, .time_s = from->now_s };
	struct ovpn_control c = {
		.opcode = OVPN_P_CONTROL_HARD_RESET_SERVER_V2,
		.ack_count = 1, // message id 0
	};
	uint8_t tlv[OVPN_RESET_TLV_LEN];
	uint8_t plain[64];
	size_t len;

	if (ovpn_cookie_make(st->cookies, from->addr, from->addr_len, first->client_sid, from->slot,
		    first->server_sid) < 0)
		return drop(first, OVPN_FIRST_INTERNAL);
	memcpy(c.sid, first->server_sid, sizeof(c.sid));
	memcpy(c.acked_sid, first->client_sid, sizeof(c.acked_sid));
	if (first->v2) {
		ovpn_reset_tlv_put(tlv, OVPN_RESET_FLAG_RESEND_WKC);
		c.payload = tlv;
		c.payload_len = sizeof(tlv);
	}
	if (ovpn_control_build(&c, plain, sizeof(plain), &len) < 0)
		return drop(first, OVPN_FIRST_INTERNAL);
	if (ovpn_wrap_seal_as(first->v2 ? &first->v2_keys : first->keys, id, plain, len, reply,
		    size, ret_reply_len) < 0)
		return drop(first, OVPN_FIRST_INTERNAL);
	first->verdict = OVPN_FIRST_REPLY;
	return OVPN_FIRST_REPLY;
}

// The third packet: its acknowledgement must prove that the client saw our answer.
static enum ovpn_first_verdict third(const struct ovpn_stateless *st, const struct sender *from,
	const struct ovpn_control *c, struct ovpn_first *first)
{
	int rc;

	for (unsigned i = 0; i < c->ack_count; i++) {
		if (c->acks[i] > 1)
			return drop(first, OVPN_FIRST_MESSAGE_ID);
	}
	if (ovpn_control_has_message_id(c->opcode) && c->message_id > 1)
		return drop(first, OVPN_FIRST_MESSAGE_ID);
	rc = ovpn_cookie_verify(st->cookies, from->addr, from->addr_len, first->client_sid,
		from->slot, c->acked_sid);
	if (rc < 0)
		return drop(first, OVPN_FIRST_INTERNAL);
	if (rc == 0)
		return drop(first, OVPN_FIRST_BAD_COOKIE);
	memcpy(first->server_sid, c->acked_sid, sizeof(first->server_sid));
	first->verdict = OVPN_FIRST_ACCEPT;
	return OVPN_FIRST_ACCEPT;
}

static bool opcode_opens(uint8_t opcode)
{
	switch (opcode) {
	case OVPN_P_CONTROL_HARD_RESET_CLIENT_V2:
	case OVPN_P_CONTROL_HARD_RESET_CLIENT_V3:
	case OVPN_P_CONTROL_V1:
	case OVPN_P_ACK_V1:
	case OVPN_P_CONTROL_WKC_V1: return true;
	default: return false;
	}
}

static enum ovpn_first_reason open_first(const struct ovpn_stateless *st, uint64_t now_s,
	const uint8_t *dgram, size_t len, struct ovpn_first *first, uint8_t plain[FIRST_MAX],
	struct ovpn_control *ret_c, struct ovpn_wrap_id *ret_id)
{
	enum ovpn_first_reason reason;
	size_t plain_len = 0;

	if (len <= OVPN_CONTROL_PREFIX_LEN || len > FIRST_MAX)
		return OVPN_FIRST_LENGTH;
	first->opcode = ovpn_opcode_of(dgram[0]);
	if (!opcode_opens(first->opcode))
		return OVPN_FIRST_OPCODE;
	if (ovpn_key_id_of(dgram[0]) != 0)
		return OVPN_FIRST_KEY_ID;
	memcpy(first->client_sid, dgram + 1, sizeof(first->client_sid));
	if (ovpn_opcode_has_wkc(first->opcode))
		reason = open_v2(st, now_s, dgram, len, first, plain, &plain_len, ret_id);
	else
		reason = open_shared(st, dgram, len, first, plain, &plain_len, ret_id);
	if (reason == OVPN_FIRST_NONE && ovpn_control_parse(plain, plain_len, ret_c) < 0)
		reason = OVPN_FIRST_MALFORMED;
	return reason;
}

enum ovpn_first_verdict ovpn_stateless_recv(const struct ovpn_stateless *st, const void *addr,
	size_t addr_len, uint64_t now_ms, const uint8_t *dgram, size_t len,
	struct ovpn_first *ret_first, uint8_t *reply, size_t size, size_t *ret_reply_len)
{
	const struct sender from = {
		.addr = addr,
		.addr_len = addr_len,
		.slot = now_ms / ovpn_cookie_slot_ms(st->hand_window_s),
		.now_s = (uint32_t)(now_ms / 1000),
	};
	uint8_t plain[FIRST_MAX];
	struct ovpn_wrap_id id = { 0 };
	struct ovpn_control c;
	enum ovpn_first_reason reason;

	memset(ret_first, 0, sizeof(*ret_first));
	reason = open_first(st, from.now_s, dgram, len, ret_first, plain, &c, &id);
	if (reason != OVPN_FIRST_NONE)
		return drop(ret_first, reason);
	if (!ovpn_opcode_is_hard_reset(c.opcode)) {
		if (c.ack_count > 0)
			return third(st, &from, &c, ret_first);
		// A client up to 2.5 whose separate acknowledgement was lost: it acknowledges our
		// answer once more when it sees it again (protocol.md 4.4).
		if (c.opcode != OVPN_P_CONTROL_V1 || c.message_id != 1)
			return drop(ret_first, OVPN_FIRST_NO_ACK);
		return answer(st, &from, ret_first, reply, size, ret_reply_len);
	}
	if (c.message_id != 0)
		return drop(ret_first, OVPN_FIRST_MESSAGE_ID);
	if (!ret_first->v2 || ovpn_early_negotiation(id.id))
		return answer(st, &from, ret_first, reply, size, ret_reply_len);
	if (st->force_cookie)
		return drop(ret_first, OVPN_FIRST_NEEDS_STATE);
	ret_first->verdict = OVPN_FIRST_STATEFUL;
	return OVPN_FIRST_STATEFUL;
}
