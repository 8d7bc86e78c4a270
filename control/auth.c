// SPDX-License-Identifier: BSD-3-Clause
// Steps, each left out where it isn't configured: tls-verify for every certificate from the
// authority down, then the token, else PAM and auth-user-pass-verify, which both have to agree.
#include "control/auth.h"

#include <errno.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "control/auth_env.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/hook.h"
#include "control/peer.h"
#include "protocol/key_method2.h"
#include "protocol/peer_info.h"
#include "protocol/push.h"

#define UNAVAILABLE "the server can't check log-ins at the moment"

enum step {
	STEP_TLS,
	STEP_USER, // what is known without asking anybody
	STEP_PAM,
	STEP_SCRIPT,
	STEP_END,
};

// An authentication under way.
struct ctl_auth {
	enum step step;
	int depth; // STEP_TLS: of the next certificate
	bool too_long; // a credential didn't fit: it can't be right
	char user[OVPN_KM2_TOKEN_MAX + 1];
	char password[OVPN_KM2_TOKEN_MAX + 1];
	enum ctl_token_state state;
	struct ctl_token token; // what the client is to hold from now on
	struct ctl_bytes env; // "NAME=VALUE" strings
	char sso[256]; // IV_SSO: ways of a second factor that the client knows
};

static void go_on(struct ctl *ctl, struct ctl_peer *peer);

void ctl_auth_end(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_auth *auth = peer->nego != NULL ? peer->nego->auth : NULL;

	if (auth == NULL)
		return;
	ctl_hooks_forget(ctl->hooks, peer);
	ctl_bytes_done(&auth->env);
	explicit_bzero(auth, sizeof(*auth));
	free(auth);
	peer->nego->auth = NULL;
}

static void deny(struct ctl *ctl, struct ctl_peer *peer, const char *reason, const char *why)
{
	ctl_auth_end(ctl, peer);
	ctl_connect_denied(ctl, peer, reason, why);
}

// ---- What came from the client ---------------------------------------------------------------

// A copy with a NUL, control characters replaced as OpenVPN does.
static void copy(const struct ovpn_span *span, char *ret_text)
{
	size_t n = span->data != NULL ? span->len : 0;

	if (n > OVPN_KM2_TOKEN_MAX)
		n = OVPN_KM2_TOKEN_MAX; // the parser allows no more
	if (n > 0)
		memcpy(ret_text, span->data, n);
	ret_text[n] = '\0';
	ctl_env_remap(ret_text);
}

static int base_env(struct ctl_peer *peer, struct ctl_auth *auth, const struct ovpn_km2 *km)
{
	const char *info = (const char *)km->peer_info.data;
	const struct ctl_bytes *certs = &peer->nego->cert_env;
	int rc = ctl_bytes_add(&auth->env, certs->data, certs->len);

	if (rc == 0)
		rc = ctl_env_add(&auth->env, "common_name",
			peer->nego->cert_cn[0] != '\0' ? peer->nego->cert_cn : "UNDEF");
	if (rc == 0)
		rc = ctl_env_add_endpoint(&auth->env, "untrusted", peer);
	if (rc == 0 && info != NULL)
		rc = ctl_env_add_peer_info(&auth->env, info, km->peer_info.len);
	return rc;
}

static void learn_sso(struct ctl_auth *auth, const struct ovpn_km2 *km)
{
	struct ovpn_peer_var var;

	if (km->peer_info.data == NULL ||
		!ovpn_peer_info_find(
			(const char *)km->peer_info.data, km->peer_info.len, "IV_SSO", &var))
		return;
	(void)snprintf(auth->sso, sizeof(auth->sso), "%.*s", (int)var.value_len, var.value); // cut
}

// Number of certificates in the chain, less one.
static int top_depth(const struct ctl_bytes *env)
{
	char name[24];
	int depth = 0;

	for (;; depth++) {
		(void)snprintf(name, sizeof(name), "tls_id_%d", depth); // fits
		if (ctl_env_find(env, name) == NULL)
			return depth - 1;
	}
}

void ctl_auth_begin(struct ctl *ctl, struct ctl_peer *peer, const struct ovpn_km2 *km)
{
	const struct cfg_auth *cfg = &ctl->cfg->auth;
	struct ctl_auth *auth;

	if (!cfg_auth_asks(cfg) && cfg->tls_verify.argv[0] == NULL &&
		!(peer->nego->first && cfg_auth_sessions(cfg))) {
		ctl_connect_admitted(ctl, peer);
		return;
	}
	ctl_auth_end(ctl, peer);
	auth = calloc(1, sizeof(*auth));
	peer->nego->auth = auth;
	if (auth == NULL || base_env(peer, auth, km) < 0) {
		deny(ctl, peer, "internal error", "out-of-memory");
		return;
	}
	copy(&km->username, auth->user);
	copy(&km->password, auth->password);
	auth->too_long = km->too_long;
	learn_sso(auth, km);
	auth->step = STEP_TLS;
	auth->depth = cfg->tls_verify.argv[0] != NULL ? top_depth(&auth->env) : -1;
	go_on(ctl, peer);
}

// ---- Tokens ----------------------------------------------------------------------------------

// Look at what may be a token. Returns false when that alone refuses the client.
static bool check_token(struct ctl *ctl, struct ctl_peer *peer, struct ctl_auth *auth)
{
	const struct cfg_auth *cfg = &ctl->cfg->auth;
	const struct ctl_token *locked = peer->user.token.set ? &peer->user.token : NULL;
	uint64_t now_s = ctl_wall_s();

	auth->token = peer->user.token;
	if (!cfg->gen_token)
		return true;
	auth->state = ctl_token_check(
		&ctl->token_rules, auth->password, auth->user, locked, now_s, &auth->token);
	if (!auth->token.set && ctl_token_begin(&auth->token, now_s) < 0)
		return false;
	if (auth->state == CTL_TOKEN_NONE || cfg->token_external)
		return true;
	if (auth->state == CTL_TOKEN_GOOD && !auth->token.no_user)
		return true;
	ctl_peer_log(CTL_WARN, peer, "auth-token refused reason=%s",
		auth->state == CTL_TOKEN_EXPIRED ? "expired" : "invalid");
	return false;
}

static const char *state_text(const struct ctl_auth *auth)
{
	switch (auth->state) {
	case CTL_TOKEN_GOOD:
		return auth->token.no_user ? "AuthenticatedEmptyUser" : "Authenticated";
	case CTL_TOKEN_EXPIRED: return auth->token.no_user ? "ExpiredEmptyUser" : "Expired";
	case CTL_TOKEN_INVALID: return "Invalid";
	case CTL_TOKEN_NONE: break;
	}
	return "Initial";
}

static int user_env(struct ctl *ctl, struct ctl_auth *auth)
{
	char session[CTL_TOKEN_SESSION_TEXT];
	int rc = ctl_env_add(&auth->env, "username", auth->user);

	if (rc == 0 && ctl->cfg->auth.gen_token) {
		ctl_token_session(&auth->token, session);
		rc = ctl_env_add(&auth->env, "session_state", state_text(auth));
		if (rc == 0)
			rc = ctl_env_add(&auth->env, "session_id", session);
	}
	return rc;
}

void ctl_auth_token_option(struct ctl *ctl, const struct ctl_peer *peer, char *ret_option)
{
	char token[CTL_TOKEN_TEXT];

	ret_option[0] = '\0';
	if (!ctl->cfg->auth.gen_token || !peer->user.token.set)
		return;
	if (ctl_token_write(&ctl->token_rules, &peer->user.token,
		    peer->user.name != NULL ? peer->user.name : "", ctl_wall_s(), token) < 0)
		return; // without one it sends its password again
	(void)snprintf(ret_option, CTL_AUTH_TOKEN_OPTION, "auth-token %s", token); // fits
	explicit_bzero(token, sizeof(token));
}

void ctl_auth_send_token(struct ctl *ctl, struct ctl_peer *peer)
{
	char option[CTL_AUTH_TOKEN_OPTION], text[CTL_AUTH_TOKEN_OPTION + 16];

	ctl_auth_token_option(ctl, peer, option);
	if (option[0] == '\0')
		return;
	(void)snprintf(text, sizeof(text), "%s,%s", OVPN_PUSH_REPLY, option); // fits
	if (ctl_peer_say(ctl, peer, text) == 0)
		peer->user.token_sent_ms = ctl_now_ms();
	explicit_bzero(text, sizeof(text));
	explicit_bzero(option, sizeof(option));
}

void ctl_auth_sweep(struct ctl *ctl, struct ctl_peer *peer, uint64_t now_ms)
{
	uint64_t renewal_ms = (uint64_t)ctl->cfg->auth.token_renewal_s * 1000;

	if (!ctl->cfg->auth.gen_token || !peer->user.token.set || peer->nego != NULL ||
		peer->tls == NULL || !peer->tls->ready)
		return;
	// A renegotiation that comes first brings one anyway.
	if (now_ms - peer->user.token_sent_ms >= renewal_ms &&
		(ctl->cfg->tls.reneg_sec == 0 ||
			ctl->cfg->auth.token_renewal_s < ctl->cfg->tls.reneg_sec))
		ctl_auth_send_token(ctl, peer);
}

// ---- Asking ----------------------------------------------------------------------------------

static bool knows_method(const struct ctl_auth *auth, const char *method)
{
	size_t n = strcspn(method, ":");
	const char *at = auth->sso;

	while (*at != '\0') {
		size_t len = strcspn(at, ",");

		if (len == n && strncmp(at, method, n) == 0)
			return true;
		at += len + (at[len] == ',' ? 1 : 0);
	}
	return false;
}

// The program wants more time, and the client to do something meanwhile.
static void on_pending(struct ctl *ctl, struct ctl_peer *peer, const struct ctl_hook_message *m)
{
	const struct cfg_tls *tls = &ctl->cfg->tls;
	uint64_t seconds = strtoull(m->args[0], NULL, 10); // 0 for nonsense
	uint32_t most = tls->reneg_sec / 2;
	char text[OVPN_MESSAGE_MAX];

	if (most < tls->hand_window_s)
		most = tls->hand_window_s;
	if (seconds == 0) {
		deny(ctl, peer, NULL, "auth-pending-malformed");
		return;
	}
	if (!knows_method(peer->nego->auth, m->args[1])) {
		(void)snprintf(text, sizeof(text),
			"Authentication failed, required pending auth method '%.64s' not supported",
			m->args[1]);
		deny(ctl, peer, text, "auth-pending-unsupported");
		return;
	}
	if (seconds > most)
		seconds = most;
	peer->nego->deadline_ms = ctl_now_ms() + seconds * 1000;
	if (!peer->nego->first)
		return; // said before the answer to its keys, it would be taken for them
	if ((peer->iv_proto & OVPN_IV_PROTO_AUTH_PENDING_KW) != 0)
		(void)snprintf(text, sizeof(text), "AUTH_PENDING,timeout %u", (unsigned)seconds);
	else
		(void)snprintf(text, sizeof(text), "AUTH_PENDING");
	(void)ctl_tls_message(peer, text, strlen(text) + 1); // its own time-out remains
	(void)snprintf(text, sizeof(text), "INFO_PRE,%.900s", m->args[2]);
	(void)ctl_tls_message(peer, text, strlen(text) + 1);
	ctl_peer_log(CTL_INFO, peer, "authentication pending seconds=%u method=%.32s",
		(unsigned)seconds, m->args[1]);
	ctl_peer_pump(ctl, peer);
}

static void on_answer(struct ctl *ctl, void *who, const struct ctl_hook_message *m)
{
	struct ctl_peer *peer = who;
	struct ctl_auth *auth = peer->nego != NULL ? peer->nego->auth : NULL;
	bool tls = auth != NULL && auth->step == STEP_TLS;

	if (auth == NULL)
		return; // not reached: an authentication that ended is forgotten
	switch (m->what) {
	case CTL_HOOK_PENDING: on_pending(ctl, peer, m); return;
	case CTL_HOOK_OK: break;
	case CTL_HOOK_REFUSED:
		deny(ctl, peer,
			tls					   ? "certificate refused"
				: m->args[0][0] != '\0'		   ? m->args[0]
				: auth->state == CTL_TOKEN_EXPIRED ? "SESSION: token expired"
								   : NULL,
			tls ? "tls-verify" : "password-refused");
		return;
	default:
		ctl_peer_log(
			CTL_ERROR, peer, "authentication can't be done error=\"%s\"", m->args[0]);
		deny(ctl, peer, NULL, "authentication-broken");
		return;
	}
	if (!tls)
		auth->step++;
	go_on(ctl, peer);
}

uint32_t ctl_auth_ask_ms(const struct cfg_server *cfg)
{
	uint32_t most = cfg->tls.reneg_sec / 2;

	if (most < cfg->tls.hand_window_s)
		most = cfg->tls.hand_window_s;
	if (most > CTL_HOOK_TIMEOUT_MAX_MS / 1000)
		most = CTL_HOOK_TIMEOUT_MAX_MS / 1000;
	return most * 1000;
}

// Ask, with the time that is left for this negotiation.
static void ask(struct ctl *ctl, struct ctl_peer *peer, struct ctl_hook_message *m)
{
	int rc;

	m->timeout_ms = ctl_auth_ask_ms(ctl->cfg);
	ctl_env_point(&peer->nego->auth->env, m);
	rc = ctl_hooks_ask(ctl->hooks, peer, m, on_answer);
	if (rc == 0) {
		ctl_connect_waits(ctl, peer, CTL_NEGO_AUTH);
		return;
	}
	ctl_peer_log(CTL_ERROR, peer, "the helper can't be asked error=%s", strerrorname_np(-rc));
	ctl_auth_end(ctl, peer);
	ctl_connect_denied_for_now(ctl, peer, UNAVAILABLE);
}

static void ask_tls(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_auth *auth = peer->nego->auth;
	struct ctl_hook_message m = { .what = CTL_HOOK_TLS_VERIFY, .n_args = 2 };
	char depth[12], name[24];

	(void)snprintf(depth, sizeof(depth), "%d", auth->depth); // fits
	(void)snprintf(name, sizeof(name), "tls_id_%d", auth->depth--); // fits
	m.args[0] = depth;
	m.args[1] = ctl_env_find(&auth->env, name);
	ask(ctl, peer, &m);
}

static void ask_pam(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct ctl_auth *auth = peer->nego->auth;
	char addr[CTL_ENDPOINT_TEXT];
	struct ctl_hook_message m = { .what = CTL_HOOK_PAM,
		.n_args = 4,
		.args = { auth->user, auth->password, peer->nego->cert_cn,
			ctl_addr_text(&peer->endpoint.remote, addr) } };

	ask(ctl, peer, &m);
}

static void ask_script(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_auth *auth = peer->nego->auth;
	struct ctl_hook_message m = {
		.what = CTL_HOOK_USER, .n_args = 2, .args = { auth->user, auth->password }
	};
	size_t before = auth->env.len;

	if (!ctl->cfg->auth.verify_user_via_file &&
		ctl_env_add(&auth->env, "password", auth->password) < 0) {
		deny(ctl, peer, "internal error", "out-of-memory");
		return;
	}
	ask(ctl, peer, &m);
	if (peer->nego == NULL || peer->nego->auth != auth)
		return;
	explicit_bzero(auth->env.data + before, auth->env.len - before);
	auth->env.len = before;
}

// ---- The verdict -----------------------------------------------------------------------------

// The user of a session can't become another one.
static bool same_user(const struct ctl_peer *peer, const struct ctl_auth *auth)
{
	uint8_t hash[sizeof(peer->user.hash)];

	(void)SHA256((const uint8_t *)auth->user, strlen(auth->user), hash); // can't fail
	return !peer->user.proven || memcmp(hash, peer->user.hash, sizeof(hash)) == 0;
}

static void succeed(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct cfg_auth *cfg = &ctl->cfg->auth;
	struct ctl_auth *auth = peer->nego->auth;

	if (cfg_auth_asks(cfg)) {
		peer->user.proven = auth->user[0] != '\0';
		(void)SHA256((const uint8_t *)auth->user, strlen(auth->user), peer->user.hash);
		if (cfg->gen_token) {
			peer->user.token = auth->token;
			free(peer->user.name);
			peer->user.name = strdup(auth->user); // NULL: it gets no good token
		}
		if (cfg->username_as_cn && peer->nego->first)
			(void)snprintf(peer->id.cn, sizeof(peer->id.cn), "%.*s",
				(int)sizeof(peer->id.cn) - 1, auth->user); // fits
		ctl_peer_log(CTL_INFO, peer, "user accepted token=%s",
			auth->state == CTL_TOKEN_GOOD ? "yes" : "no");
	}
	if (peer->nego->first && cfg_auth_sessions(cfg) &&
		ctl_visit_begin(ctl, peer, &auth->env) < 0) {
		deny(ctl, peer, "internal error", "out-of-memory");
		return;
	}
	ctl_auth_end(ctl, peer);
	ctl_connect_admitted(ctl, peer);
}

// What can be said without asking. Returns false when the client was refused.
static bool check_user(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct cfg_auth *cfg = &ctl->cfg->auth;
	struct ctl_auth *auth = peer->nego->auth;

	if (!cfg_auth_asks(cfg))
		return true;
	if (auth->too_long || strlen(auth->user) >= CTL_USER_MAX) {
		deny(ctl, peer, "user name or password is too long", "credentials-too-long");
		return false;
	}
	if (!check_token(ctl, peer, auth)) {
		deny(ctl, peer, auth->state == CTL_TOKEN_EXPIRED ? "SESSION: token expired" : NULL,
			"auth-token-refused");
		return false;
	}
	if (auth->state >= CTL_TOKEN_EXPIRED && auth->token.no_user)
		auth->user[0] = '\0'; // nobody vouches for what it sent
	if (auth->user[0] == '\0' && !cfg->user_optional) {
		deny(ctl, peer, NULL, "no-user-name");
		return false;
	}
	if (!same_user(peer, auth)) {
		ctl_peer_log(CTL_WARN, peer, "user name changed in a renegotiation");
		deny(ctl, peer, NULL, "user-changed");
		return false;
	}
	if (cfg->username_as_cn && strlen(auth->user) >= OVPN_TLS_CN_MAX) {
		deny(ctl, peer, "user name is too long", "user-name-too-long");
		return false;
	}
	if (user_env(ctl, auth) < 0) {
		deny(ctl, peer, "internal error", "out-of-memory");
		return false;
	}
	return true;
}

static bool token_suffices(const struct ctl *ctl, const struct ctl_auth *auth)
{
	return auth->state == CTL_TOKEN_GOOD && !ctl->cfg->auth.token_external;
}

static void go_on(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct cfg_auth *cfg = &ctl->cfg->auth;
	struct ctl_auth *auth = peer->nego->auth;

	if (auth->step == STEP_TLS && auth->depth >= 0) {
		ask_tls(ctl, peer);
		return;
	}
	if (auth->step <= STEP_USER) {
		if (!check_user(ctl, peer))
			return;
		auth->step = token_suffices(ctl, auth) ? STEP_END : STEP_PAM;
	}
	if (auth->step == STEP_PAM && cfg->pam.service == NULL)
		auth->step++;
	if (auth->step == STEP_SCRIPT && cfg->verify_user.argv[0] == NULL)
		auth->step++;
	if (auth->step == STEP_PAM)
		ask_pam(ctl, peer);
	else if (auth->step == STEP_SCRIPT)
		ask_script(ctl, peer);
	else
		succeed(ctl, peer);
}

// ---- Set-up ----------------------------------------------------------------------------------

int ctl_auth_setup(struct ctl *ctl)
{
	const struct cfg_auth *cfg = &ctl->cfg->auth;
	struct cfg_error err;
	char *text;
	size_t len;
	int rc;

	ctl->token_rules.lifetime_s = cfg->token_lifetime_s;
	ctl->token_rules.renewal_s = cfg->token_renewal_s;
	if (!cfg->gen_token)
		return 0;
	if (!cfg_blob_set(&cfg->token_secret)) {
		ctl->token_key_own = true;
		return RAND_bytes(ctl->token_rules.key, sizeof(ctl->token_rules.key)) == 1 ? 0
											   : -EIO;
	}
	rc = cfg_blob_read(&cfg->token_secret, 0, &text, &len, &err);
	if (rc < 0) {
		ctl_log(CTL_ERROR, "%s", err.text);
		return rc;
	}
	rc = ctl_token_key_parse(text, len, ctl->token_rules.key);
	cfg_secret_free(text, len);
	if (rc < 0)
		ctl_log(CTL_ERROR,
			"%s:%u: auth-gen-token-secret: there is no key in it, make one with "
			"openvpn --genkey auth-token FILE",
			cfg->token_secret.file, cfg->token_secret.line);
	return rc;
}
