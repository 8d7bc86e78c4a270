// SPDX-License-Identifier: BSD-3-Clause
// A datagram of the control channel without wrapping: what parses is built again to the same bytes,
// and survives the reliability layer.
#include <stdlib.h>

#include "protocol/control_packet.h"
#include "protocol/reliable.h"

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void feed_reliable(const struct ovpn_control *c)
{
	static struct ovpn_reliable r;
	struct ovpn_control out;

	ovpn_rel_init(&r, 0);
	check(ovpn_rel_queue(&r, OVPN_P_CONTROL_V1, NULL, 0, 0) == 0);
	check(ovpn_rel_next(&r, 0, 4, &out));
	ovpn_rel_on_acks(&r, c->acks, c->ack_count, 1);
	if (ovpn_rel_on_message(&r, c) == 0) {
		const struct ovpn_rel_in *in = ovpn_rel_peek(&r);

		check((in != NULL) == (c->message_id == 0));
		check(in == NULL || in->len == c->payload_len);
		ovpn_rel_pop(&r);
	}
	check(ovpn_rel_acks_pending(&r) <= 1);
	if (ovpn_rel_next_ack(&r, 8, &out))
		check(out.ack_count == 1 && out.acks[0] == c->message_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[8192];
	struct ovpn_control c;
	uint16_t flags;
	size_t len = 0;

	(void)ovpn_reset_tlv_parse(data, size, &flags); // only that it stays in bounds
	if (ovpn_control_parse(data, size, &c) < 0)
		return 0;
	check(ovpn_control_build(&c, again, sizeof(again), &len) == 0);
	// Bytes after the acknowledgements of a P_ACK_V1 are dropped.
	check(c.opcode == OVPN_P_ACK_V1 ? len <= size : len == size);
	check(memcmp(again, data, len) == 0);
	feed_reliable(&c);
	return 0;
}
