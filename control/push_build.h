// SPDX-License-Identifier: BSD-3-Clause
// What a client is told after its log-in: the options of PUSH_REPLY, in the order of stock servers
// and limited to what the client said it knows. Event loop only. Source: protocol.md 7.4, 8.4.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/addr.h"
#include "protocol/push.h"

struct cfg_ccd;
struct cfg_server;
struct ovpn_peer_caps;

struct ctl_push_input {
	const struct cfg_server *cfg;
	const struct cfg_ccd *ccd; // the client's own file, or NULL
	const struct ovpn_peer_caps *caps; // what it announced; all zero without peer-info
	struct cfg_addr address; // tunnel address with the network's prefix
	uint32_t peer_id; // pushed only to clients that know P_DATA_V2
	const char *cipher; // NULL: don't push one (ovpn_ncp_select_server)
	bool epoch; // the session uses the epoch format
	bool no_dyn_tls_crypt; // we can't do it with this session
};

// What was agreed by the push, from the same rules; for whoever sets up keys.
enum ctl_push_agreed {
	CTL_PUSH_PEER_ID = 1u << 0, // P_DATA_V2
	CTL_PUSH_CC_EXIT = 1u << 1,
	CTL_PUSH_TLS_EKM = 1u << 2,
	CTL_PUSH_DYN_TLS_CRYPT = 1u << 3,
	CTL_PUSH_EPOCH = 1u << 4,
	CTL_PUSH_MOBILITY = 1u << 5,
	CTL_PUSH_TUN_MTU = 1u << 6,
};

struct ctl_push;

// The bits of enum ctl_push_agreed for a client, before it has an address or a peer-id: only cfg,
// caps, epoch and no_dyn_tls_crypt of input are read.
unsigned ctl_push_agree(const struct ctl_push_input *input);

// Put the options together.
// Returns 0, -EINVAL when an option can't be pushed (too long), -ENOMEM.
int ctl_push_create(const struct ctl_push_input *input, struct ctl_push **ret_push);

// NULL is fine. Returns NULL.
struct ctl_push *ctl_push_free(struct ctl_push *push);

// The options one by one, for logs and tests. Returns NULL at the end.
const char *ctl_push_option(const struct ctl_push *push, size_t i);

// Start writing them as PUSH_REPLY messages with ovpn_push_build_next (protocol/push.h); push must
// live until the last part. May be called again to write them once more.
void ctl_push_start(const struct ctl_push *push, struct ovpn_push_build *ret_build);
