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

// What server and client agreed on; each is pushed only if its bit is set.
enum ctl_push_agreed {
	CTL_PUSH_PEER_ID = 1u << 0, // P_DATA_V2
	CTL_PUSH_CC_EXIT = 1u << 1, // the client knows protocol-flags
	CTL_PUSH_TLS_EKM = 1u << 2,
	CTL_PUSH_DYN_TLS_CRYPT = 1u << 3, // only with CTL_PUSH_CC_EXIT
	CTL_PUSH_EPOCH = 1u << 4, // only with CTL_PUSH_CC_EXIT and CTL_PUSH_TLS_EKM
	CTL_PUSH_MOBILITY = 1u << 5,
	CTL_PUSH_TUN_MTU = 1u << 6,
	CTL_PUSH_LAZY = 1u << 7, // only with CTL_PUSH_MOBILITY
};

struct ctl_push_input {
	const struct cfg_server *cfg;
	const struct cfg_ccd *ccd; // the client's own file, or NULL
	unsigned agreed; // bits of enum ctl_push_agreed, as ctl_push_agree gives them
	struct cfg_addr address; // tunnel address with the prefix to be told
	struct cfg_addr peer; // its other end, in topology net30 and p2p
	const char *auth_token; // whole option, or NULL
	struct cfg_addr address6; // the same of IPv6; AF_UNSPEC: none
	uint32_t peer_id;
	const char *cipher; // NULL: don't push one (ovpn_ncp_select_server)
	const char *compress; // "compress stub-v2": framing to be used; NULL: don't push one
	uint32_t tun_mtu; // 0: as the configuration has it
};

struct ctl_push;

// What may be agreed with a client by its announcement. can: bits that this server can do at all;
// of these the ones that the client doesn't know, or that need others, are taken away; mobility
// also follows `mobility off`.
unsigned ctl_push_agree(
	const struct cfg_server *cfg, const struct ovpn_peer_caps *caps, unsigned can);

// Put the options together.
// Returns 0, -EINVAL when an option can't be pushed (too long), -ENOMEM.
int ctl_push_create(const struct ctl_push_input *input, struct ctl_push **ret_push);

// NULL is fine. Returns NULL.
struct ctl_push *ctl_push_free(struct ctl_push *push);

// Option number i, for logs and tests; NULL behind the last.
const char *ctl_push_option(const struct ctl_push *push, size_t i);

// Start writing them as PUSH_REPLY messages with ovpn_push_build_next (protocol/push.h); push must
// live until the last part. May be called again to write them once more.
void ctl_push_start(const struct ctl_push *push, struct ovpn_push_build *ret_build);
