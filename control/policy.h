// SPDX-License-Identifier: BSD-3-Clause
// What a client gets: tunnel address, the options that are pushed to it, networks behind it; or why
// it gets nothing. Joins pool.h, ccd.h, push_build.h and crl.h. Event loop only.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/ccd.h"
#include "control/push_build.h"
#include "shm/layout.h"

struct cfg_server;
struct ctl_policy;
struct ovpn_tls_ctx;

// Given to one session, given back by ctl_grant_free().
struct ctl_grant {
	struct cfg_addr address; // family 0: none; prefix: the network's
	struct cfg_addr address6;
	bool far6; // address6 lies beyond what the pool manages
	struct cfg_ccd *ccd; // the client's own file, or NULL
};

// What the PUSH_REPLY depends on besides the grant.
struct ctl_push_facts {
	unsigned agreed; // bits of enum ctl_push_agreed
	const char *auth_token; // whole option, or NULL
	uint32_t peer_id;
	const char *cipher; // NULL: not pushed
	const char *compress; // NULL: not pushed
};

// Takes one PUSH_REPLY message, NUL included. Returns 0 or a negative errno, which ends the
// writing.
typedef int ctl_push_write_fn(void *arg, const char *message, size_t len);

// Make it from the configuration; reads client-config-dir, the file of ifconfig-pool-persist and
// the CRL. Returns 0 or a negative errno after logging why.
int ctl_policy_create(const struct cfg_server *cfg, struct ctl_policy **ret_policy);

// Write what is to be kept, free. NULL is fine. Returns NULL.
struct ctl_policy *ctl_policy_free(struct ctl_policy *policy);

// Grant something to a client.
//
// cn: its common name, "" without one. wanted, wanted6: the addresses that it must get (a session
// that is taken over), both NULL for a new one; one of family 0 then means "none of this family".
//
// Returns 0; -EACCES (disabled for this client), -ENOSPC or -EADDRINUSE (no address for it),
// another negative errno (its file of client-config-dir is wrong, or memory); then *ret_text is
// what the client is told, and the log says more.
int ctl_policy_grant(struct ctl_policy *policy, const char *cn, const struct shm_addr *wanted,
	const struct shm_addr *wanted6, struct ctl_grant **ret_grant, const char **ret_text);

// Apply what client-connect has written for a client, text, behind the client's own file: the
// grant gets what both say together. keep: with the addresses that it has, as the session is there
// already.
//
// Returns 0; -EACCES for `disable`; another negative errno (a wrong directive, an address that
// can't be given), and then the log says why. The grant is what it was then.
int ctl_policy_extend(struct ctl_policy *policy, const char *cn, const char *text, bool keep,
	struct ctl_grant *grant);

// What the dataplane is told of an address.
struct shm_addr ctl_policy_tunnel(const struct cfg_addr *addr);

// The other end of a point-to-point tunnel, as the client is told it.
struct cfg_addr ctl_policy_other_end(
	const struct ctl_policy *policy, const struct ctl_grant *grant);

// Give it back. NULL is fine. Returns NULL.
struct ctl_grant *ctl_grant_free(struct ctl_policy *policy, struct ctl_grant *grant);

// Write the PUSH_REPLY for a client, in as many messages as it needs.
// Returns 0, -EINVAL when an option can't be pushed, -ENOMEM, or what write returned.
int ctl_policy_push(struct ctl_policy *policy, const struct ctl_grant *grant,
	const struct ctl_push_facts *facts, ctl_push_write_fn *write, void *arg);

// Once a second: has the CRL changed, are there addresses to be written down?
// Returns true when another CRL is in force now.
bool ctl_policy_tick(struct ctl_policy *policy, struct ovpn_tls_ctx *tls_ctx, uint64_t now_ms);

// Is the certificate with this serial number (hex) revoked by now?
bool ctl_policy_revoked(const struct ctl_policy *policy, const char *serial);
