// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "control/clock.h"
#include "control/ctl.h"
#include "control/first.h"
#include "control/peer.h"
#include "protocol/control_packet.h"
#include "protocol/ssl/tls_conn.h"

// The client may have missed one of our last packets: the alert is put at every id that it may be
// waiting for. What it has already it only acknowledges again.
#define ALERT_BACK 3u

static bool open_any(struct ctl *ctl, const struct shm_punt *punt, uint8_t *plain, size_t size,
	size_t *ret_len, const struct ovpn_wrap_keys **ret_keys)
{
	const struct ovpn_wrap_keys *keys[] = { ctl->stateless.tls_crypt, ctl->stateless.tls_auth };
	struct ovpn_wrap_id id;

	if (keys[0] == NULL && keys[1] == NULL && ctl->stateless.v2 == NULL) {
		*ret_keys = NULL;
		return ovpn_wrap_open(NULL, punt->data, punt->len, plain, size, ret_len, &id) == 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (keys[i] == NULL ||
			ovpn_wrap_open(keys[i], punt->data, punt->len, plain, size, ret_len, &id) <
				0)
			continue;
		*ret_keys = keys[i];
		return true;
	}
	return false;
}

static void send_alert(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker,
	const struct ovpn_wrap_keys *keys, const struct ovpn_control *theirs, uint32_t message_id,
	uint32_t replay_id)
{
	struct shm_inject m = { .slot = SHM_SLOT_NONE, .to = punt->from };
	struct ovpn_wrap_id id = { .id = replay_id, .time_s = ctl_wall_s() };
	uint8_t alert[7];
	uint8_t plain[64];
	size_t plain_len, len;
	struct ovpn_control c = { .opcode = OVPN_P_CONTROL_V1,
		.ack_count = ovpn_control_has_message_id(theirs->opcode) ? 1 : 0,
		.acks = { theirs->message_id },
		.message_id = message_id,
		.payload = alert,
		.payload_len = sizeof(alert) };

	ovpn_tls_alert(80, alert); // internal_error
	memcpy(c.sid, theirs->acked_sid, sizeof(c.sid));
	memcpy(c.acked_sid, theirs->sid, sizeof(c.acked_sid));
	if (ovpn_control_build(&c, plain, sizeof(plain), &plain_len) < 0 ||
		ovpn_wrap_seal_as(keys, id, plain, plain_len, m.data, sizeof(m.data), &len) < 0)
		return; // libcrypto failed: the client's own time-out remains
	m.len = (uint16_t)len;
	if (ctl_link_inject(&ctl->link, worker, &m) < 0)
		ctl->count.inject_full++;
}

void ctl_first_orphan(struct ctl *ctl, const struct shm_punt *punt, uint16_t worker,
	const struct ovpn_first *first)
{
	uint64_t slot = ctl_wall_ms() / ovpn_cookie_slot_ms(ctl->stateless.hand_window_s);
	const struct ovpn_wrap_keys *keys = NULL;
	uint8_t addr[CTL_COOKIE_ADDRESS];
	uint8_t plain[SHM_DATAGRAM_MAX];
	struct ovpn_control c;
	uint32_t newest = 0;
	size_t len;

	if (first->reason != OVPN_FIRST_MESSAGE_ID ||
		!open_any(ctl, punt, plain, sizeof(plain), &len, &keys))
		return;
	if (ovpn_control_parse(plain, len, &c) < 0 || c.ack_count == 0)
		return;
	ctl_cookie_address(&punt->from, addr);
	if (ovpn_cookie_verify(&ctl->first.cookies, addr, sizeof(addr), c.sid, slot, c.acked_sid) !=
		1)
		return;
	for (unsigned i = 0; i < c.ack_count; i++) {
		if (c.acks[i] > newest)
			newest = c.acks[i];
	}
	ctl->first.orphans++;
	for (uint32_t n = 0; n <= ALERT_BACK; n++) {
		uint32_t id = newest + 1 >= ALERT_BACK ? newest + 1 - ALERT_BACK + n : n;

		send_alert(ctl, punt, worker, keys, &c, id, n + 1);
	}
}
