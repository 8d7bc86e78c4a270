// SPDX-License-Identifier: BSD-3-Clause
// Who is let in: programs that decide about certificates, passwords and sessions, PAM, and tokens
// of our own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/blob.h"

#define CFG_COMMAND_ARGS 16 // words of a program's command line
#define CFG_PAM_RULES 16

// A program with its arguments, as words. argv[0] is NULL when the directive is absent.
struct cfg_command {
	const char *argv[CFG_COMMAND_ARGS + 1]; // ends with NULL
	const char *file; // where it was said
	unsigned line;
};

// How a question of a PAM module is answered: one that contains `prompt` with `answer`, which is
// USERNAME, PASSWORD, COMMONNAME, OTP, or a text of its own.
struct cfg_pam_rule {
	const char *prompt;
	const char *answer;
};

// `plugin .../openvpn-plugin-auth-pam.so "SERVICE [PROMPT ANSWER]..."`
struct cfg_pam {
	const char *service; // NULL: PAM isn't asked
	struct cfg_pam_rule rules[CFG_PAM_RULES];
	size_t n_rules;
};

struct cfg_auth {
	struct cfg_command verify_user; // auth-user-pass-verify
	bool verify_user_via_file;
	struct cfg_command tls_verify;
	struct cfg_command client_connect;
	struct cfg_command client_disconnect;
	struct cfg_command learn_address;
	struct cfg_pam pam;
	uint32_t script_security; // default 1: no program is run
	const char *tmp_dir; // default /tmp
	bool username_as_cn;
	bool user_optional; // auth-user-pass-optional

	bool gen_token;
	bool token_external; // programs are asked also about a good token
	uint32_t token_lifetime_s; // 0: for ever
	uint32_t token_renewal_s; // default: reneg-sec
	struct cfg_blob token_secret;

	const char **setenv; // "NAME=VALUE" for programs
	size_t n_setenv;
};

// Is a client asked for user name and password?
bool cfg_auth_asks(const struct cfg_auth *auth);

// Is a program told of sessions: client-connect, client-disconnect, learn-address?
bool cfg_auth_sessions(const struct cfg_auth *auth);

// Is any program run?
bool cfg_auth_programs(const struct cfg_auth *auth);

// Is any program run, or PAM asked?
bool cfg_auth_runs(const struct cfg_auth *auth);
