// SPDX-License-Identifier: BSD-3-Clause
// User name, password, token, and answers to challenges: where they come from and what is sent.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct vc_client;

// Ask on the terminal. Returns the length, or -errno (-ENXIO: there is no terminal, -EINTR: a
// signal came, -EIO: no answer).
int vc_ask(const char *prompt, bool secret, char *buf, size_t size);

// Get user name, password and the answer to a static challenge as the profile says, from its file
// or the terminal; what is known already stays. Waits for an answer, so not while there is a
// tunnel. Returns 0 or a negative errno after logging.
int vc_creds_get(struct vc_client *c);

// What goes out as password: the token, else the answer to a dynamic challenge, else the password
// with the answer to a static one. ret: VC_PASSWORD_MAX bytes, secret. Returns 0 or a negative
// errno after logging.
#define VC_PASSWORD_MAX 4096
int vc_creds_password(struct vc_client *c, char *ret_password);

// A token came: it is used from now on; with auth-nocache the password is forgotten.
void vc_creds_token(struct vc_client *c, const char *token, const char *user64);

// The server refused what was sent; perhaps something else is asked for. Returns 0 when another
// attempt makes sense, a negative errno when not.
int vc_creds_refused(struct vc_client *c);

// The server wants an answer: "CRV1:flags:state:user64:question". Asks for it.
// Returns 0 when another attempt makes sense, a negative errno when not.
int vc_creds_challenge(struct vc_client *c, const char *text, size_t len);

// Parse such a challenge. flags, state, user, question: VC_CHALLENGE_MAX bytes each.
// Returns 0 or -EBADMSG.
#define VC_CHALLENGE_MAX 512
struct vc_challenge {
	bool echo; // flag E: the answer may be shown
	bool response; // flag R: an answer is wanted
	char state[VC_CHALLENGE_MAX];
	char user[VC_CHALLENGE_MAX];
	char question[VC_CHALLENGE_MAX];
};
int vc_challenge_parse(const char *text, size_t len, struct vc_challenge *ret_challenge);
