// SPDX-License-Identifier: BSD-3-Clause
// Options that the server pushes, in the grammar of the profiles.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/client.h"

#define CFG_PEER_ID_NONE 0xFFFFFFu
#define CFG_TOKEN_MAX 1024
#define CFG_PUSHED_MAX 4096 // options of one PUSH_REPLY, all parts together

// Words of `protocol-flags`; key-derivation tls-ekm sets CFG_PF_TLS_EKM too.
enum cfg_protocol_flag {
	CFG_PF_CC_EXIT = 1u << 0,
	CFG_PF_TLS_EKM = 1u << 1,
	CFG_PF_DYN_TLS_CRYPT = 1u << 2,
	CFG_PF_AEAD_EPOCH = 1u << 3,
};

// What a server pushed, filled option by option. Starts from the profile's own values.
struct cfg_pushed {
	struct cfg_mem *mem;
	struct cfg_tunnel tunnel;
	uint32_t peer_id; // CFG_PEER_ID_NONE when not pushed
	bool cipher_set;
	char cipher[32];
	unsigned protocol_flags; // bits of enum cfg_protocol_flag
	uint32_t tun_mtu; // the profile's when not pushed
	bool mobility; // `mobility 1`: the server knows reconfiguration Pings
	bool mobility_lazy; // `mobility 1 lazy`
	bool auth_token_set;
	char auth_token[CFG_TOKEN_MAX]; // secret
	char auth_token_user[256];
	uint32_t n_applied;
	uint32_t n_unknown;
};

// Start with what the profile says. Returns 0 or -ENOMEM.
int cfg_pushed_init(struct cfg_pushed *p, const struct cfg_client *cfg);

// Apply one option (text between two commas of a PUSH_REPLY), after pull-filter and route-nopull.
//
// Returns 0 applied; 1 left out by the profile (pull-filter ignore, route-nopull); -ENOENT not an
// option that may be pushed (go on without it); -EINVAL wrong arguments (go on without it);
// -EPERM refused by pull-filter reject, or asks for something that we can't do (connection must
// end); -ENOMEM. notes (may be NULL) gets a sentence for everything but 0.
int cfg_pushed_apply(struct cfg_pushed *p, const struct cfg_client *cfg, const char *option,
	struct cfg_notes *notes);

// After the last option: turn the netmask of ifconfig into a prefix (topology subnet) and check
// that there is an address to use. Returns 0 or -EINVAL with err set.
int cfg_pushed_finish(struct cfg_pushed *p, struct cfg_error *err);

// Wipe and free. Fine for a zeroed one.
void cfg_pushed_done(struct cfg_pushed *p);
