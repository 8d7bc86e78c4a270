// SPDX-License-Identifier: BSD-3-Clause
// Buffers of one negotiation of a control channel; an idle channel has none. Separate from
// channel.h so that who only holds channels doesn't need the reliability layer.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "protocol/reliable.h"

// About 30 KiB; plain data without pointers, any content before it is attached. Fields are private
// to channel.c.
struct ovpn_negotiation {
	struct ovpn_reliable rel;
	uint16_t read_offset; // bytes of the oldest received message that were read already
	bool started; // our reset was acknowledged
	bool got_reset; // the peer's reset of this negotiation came
};
