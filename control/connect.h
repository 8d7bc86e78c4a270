// SPDX-License-Identifier: BSD-3-Clause
// Values of the configuration as sessions need them.
#pragma once

#include <stdint.h>

struct cfg_server;
struct ctl;
struct ctl_peer;

// From the start of a negotiation until its key is used for sending: min(hand-window, reneg-sec/2)
// in ms. Source: protocol.md 11.3.
uint64_t ctl_key_activation_ms(const struct cfg_server *cfg);

// What the dataplane clamps the MSS of TCP through this peer's tunnel to, bytes; 0: not at all.
void ctl_connect_mss(const struct cfg_server *cfg, const struct ctl_peer *peer, uint16_t *ret_mss4,
	uint16_t *ret_mss6);

// Tell the dataplane about the networks behind this client.
void ctl_connect_iroutes(struct ctl *ctl, struct ctl_peer *peer);
