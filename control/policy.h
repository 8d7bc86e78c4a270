// SPDX-License-Identifier: BSD-3-Clause
// What a client gets: tunnel addresses, the options that are pushed to it, networks behind it; or
// why it gets nothing. Everything here runs in the event loop.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"

struct cfg_server;
struct ctl_policy;
struct ovpn_tls_ctx;

struct ctl_iroute {
	struct shm_addr addr;
	uint8_t prefix_len;
};

// Given to one session, given back by ctl_grant_free().
struct ctl_grant {
	struct shm_addr tunnel4; // family 0: none
	struct shm_addr tunnel6;
	const struct ctl_iroute *iroutes;
	size_t n_iroutes;
	void *inside; // policy.c's
};

// What the PUSH_REPLY depends on besides the grant.
struct ctl_push_facts {
	bool peer_id_set;
	uint32_t peer_id;
	const char *cipher; // NULL: not pushed
	bool cc_exit; // protocol-flags may be pushed
	bool ekm;
	bool dynamic;
	bool mobility;
	bool tun_mtu; // the client said IV_MTU
};

// Takes one PUSH_REPLY message, NUL included. Returns 0 or a negative errno, which ends the
// writing.
typedef int ctl_push_write_fn(void *arg, const char *message, size_t len);

// Make it from the configuration. Returns NULL with errno.
struct ctl_policy *ctl_policy_create(const struct cfg_server *cfg);
struct ctl_policy *ctl_policy_free(struct ctl_policy *policy);

// Grant something to a client.
//
// cn: its common name, "" without one. wanted: address it had before, or family 0.
//
// Returns 0; -EACCES (disabled for this client), -ENOSPC (no address is left), -EINVAL (its file of
// client-config-dir is wrong), -ENOMEM; then *ret_text is what the client is told.
int ctl_policy_grant(struct ctl_policy *policy, const char *cn, const struct shm_addr *wanted,
	struct ctl_grant **ret_grant, const char **ret_text);

// Give it back. NULL is fine. Returns NULL.
struct ctl_grant *ctl_grant_free(struct ctl_policy *policy, struct ctl_grant *grant);

// Write the PUSH_REPLY for a client, in as many messages as it needs.
// Returns 0, -EINVAL when an option can't be pushed, -ENOMEM, or what write returned.
int ctl_policy_push(struct ctl_policy *policy, const struct ctl_grant *grant,
	const struct ctl_push_facts *facts, ctl_push_write_fn *write, void *arg);

// Read again what may have changed on disk (CRL).
void ctl_policy_reload(struct ctl_policy *policy, struct ovpn_tls_ctx *tls_ctx);
