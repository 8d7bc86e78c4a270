// SPDX-License-Identifier: BSD-3-Clause
// Who a client is beyond its certificate: tls-verify, user name and password, tokens. What may take
// time is asked of the helpers (hook.h), so that nothing waits here. Event loop only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/hook_msg.h"
#include "control/tls_pool.h"
#include "control/token.h"

struct cfg_server;
struct ctl;
struct ctl_auth;
struct ctl_peer;
struct ovpn_km2;

#define CTL_USER_MAX 128u // a user name and its NUL: what stock clients send

// The user of a session, locked when it was proven first.
struct ctl_user {
	bool proven; // a password, a token or a program has proven it
	uint8_t hash[32]; // SHA-256 of its name
	char *name; // for tokens; NULL without any, and in a session that was adopted, until its
		    // next renegotiation
	struct ctl_token token; // of auth-gen-token
	uint64_t token_sent_ms; // monotonic
};

// The client's key-method-2 came. Ends in ctl_connect_admitted() or ctl_connect_denied(), perhaps
// at once.
void ctl_auth_begin(struct ctl *ctl, struct ctl_peer *peer, const struct ovpn_km2 *km);

// How long a program may take, ms.
uint32_t ctl_auth_ask_ms(const struct cfg_server *cfg);

// Give it up, if one is under way.
void ctl_auth_end(struct ctl *ctl, struct ctl_peer *peer);

// The option that gives the client its token, "auth-token ..."; "" when it gets none.
#define CTL_AUTH_TOKEN_OPTION 128u
void ctl_auth_token_option(struct ctl *ctl, const struct ctl_peer *peer, char *ret_option);

// Send a fresh token to a session that has one, after a renegotiation or when it is time.
void ctl_auth_send_token(struct ctl *ctl, struct ctl_peer *peer);
void ctl_auth_sweep(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms);

// The key of the tokens: from its file, else a fresh one. Returns 0 or a negative errno after
// logging why.
int ctl_auth_setup(struct ctl *ctl);
