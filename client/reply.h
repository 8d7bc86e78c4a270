// SPDX-License-Identifier: BSD-3-Clause
// Text messages of the server: PUSH_REPLY becomes a configuration and data keys, the others an
// action. Event loop only. Source: protocol.md 8.
#pragma once

#include "client/slot.h"
#include "protocol/push.h"

struct vc_client;

// All parts of a PUSH_REPLY are there: apply the options, select the cipher, make the data keys,
// bring the tunnel up. Failures end the session (vc_client_again or vc_client_fatal).
void vc_reply_pushed(struct vc_client *c, struct vc_slot *slot);

// One message that isn't PUSH_REPLY.
void vc_reply_message(struct vc_client *c, struct vc_slot *slot, const struct ovpn_message *m);
