// SPDX-License-Identifier: BSD-3-Clause
// What channel.c and channel_send.c share.
#pragma once

#include "protocol/control_packet.h"
#include "protocol/reliable.h"
#include "protocol/tls/channel.h"
#include "protocol/tls/negotiation.h"

static inline bool ovpn_channel_is_server(const struct ovpn_channel *ch)
{
	return (ch->flags & OVPN_CHANNEL_SERVER) != 0;
}

// True when a received message waits that wasn't read, in order or not.
static inline bool ovpn_rel_holds_messages(const struct ovpn_reliable *r)
{
	for (unsigned i = 0; i < OVPN_REL_RECV_WINDOW; i++) {
		if (r->in[i].used)
			return true;
	}
	return false;
}
