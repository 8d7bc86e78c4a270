// SPDX-License-Identifier: BSD-3-Clause
#include "client/reply.h"

#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/creds.h"
#include "client/event.h"
#include "client/log.h"
#include "protocol/ncp.h"

// How long keys of the session before an in-place reset are still accepted.
#define VC_OLD_SESSION_MS 15000

// Apply the collected options to a fresh set. Returns 0, or -errno with the reason logged.
static int apply_options(struct vc_client *c, struct cfg_pushed *pushed)
{
	const struct ovpn_push_collect *collect = &c->session.collect;
	struct cfg_notes notes = { 0 };
	const char *option = NULL;
	int rc = cfg_pushed_init(pushed, c->cfg);

	while (rc == 0 && (option = ovpn_push_collect_next(collect, option)) != NULL) {
		rc = cfg_pushed_apply(pushed, c->cfg, option, &notes);
		vc_log(VC_DEBUG, "pushed: %s (%d)",
			strncmp(option, "auth-token", 10) == 0 ? "auth-token ..." : option, rc);
		if (rc == -EPERM || rc == -ENOMEM)
			break;
		rc = 0; // unknown or malformed options are passed over, as stock clients do
	}
	for (size_t i = 0; i < notes.n; i++)
		vc_log(VC_INFO, "%s: %s", cfg_note_kind_name(notes.list[i].kind),
			notes.list[i].text);
	cfg_notes_done(&notes);
	return rc;
}

static int select_cipher(struct vc_client *c, const struct vc_slot *slot,
	const struct cfg_pushed *pushed, enum ovpn_cipher *ret_cipher)
{
	const struct cfg_tls *tls = &c->cfg->tls;
	struct ovpn_ncp_list ours;
	struct ovpn_ncp_client in = {
		.ours = &ours, .options = slot->options, .options_len = slot->options_len
	};
	int rc = ovpn_ncp_parse(tls->data_ciphers, strlen(tls->data_ciphers),
		OVPN_CIPHERS_AEAD | OVPN_CIPHERS_LEGACY, &ours, NULL);

	if (rc < 0)
		return rc;
	if (tls->data_ciphers_fallback != NULL)
		in.has_fallback = ovpn_cipher_by_name(tls->data_ciphers_fallback,
					  strlen(tls->data_ciphers_fallback), &in.fallback) == 0;
	if (pushed->cipher_set) {
		in.pushed = pushed->cipher;
		in.pushed_len = strlen(pushed->cipher);
	}
	rc = ovpn_ncp_select_client(&in, ret_cipher);
	if (rc < 0)
		vc_log(VC_ERROR, "no common cipher: the server wants %s, the profile allows %s%s%s",
			pushed->cipher_set ? pushed->cipher : "what it hasn't said",
			tls->data_ciphers, tls->data_ciphers_fallback != NULL ? ", fallback " : "",
			tls->data_ciphers_fallback != NULL ? tls->data_ciphers_fallback : "");
	return rc;
}

// The epoch format goes with what it is made of, and only when we offered it: a server that chose
// it all the same sends what nobody here can open.
static bool format_usable(
	const struct vc_client *c, const struct cfg_pushed *pushed, enum ovpn_cipher cipher)
{
	if ((pushed->protocol_flags & CFG_PF_AEAD_EPOCH) == 0)
		return true;
	return c->cfg->data_format == CFG_FORMAT_EPOCH && ovpn_cipher_is_aead(cipher) &&
		pushed->peer_id != CFG_PEER_ID_NONE &&
		(pushed->protocol_flags & CFG_PF_TLS_EKM) != 0;
}

static void keep_token(struct vc_client *c, const struct cfg_pushed *pushed)
{
	if (!pushed->auth_token_set)
		return;
	vc_creds_token(c, pushed->auth_token, pushed->auth_token_user);
}

// Data keys of key id 0, and what the session will do from now on.
static int install(struct vc_client *c, struct vc_slot *slot, struct cfg_pushed *pushed,
	enum ovpn_cipher cipher)
{
	struct vc_session *s = &c->session;
	uint64_t now = vc_now_ms();
	int rc;

	s->ekm = (pushed->protocol_flags & CFG_PF_TLS_EKM) != 0;
	s->cipher = cipher;
	if ((pushed->protocol_flags & CFG_PF_DYN_TLS_CRYPT) != 0 && vc_slot_dynamic(c, slot) < 0)
		return -EIO;
	rc = vc_session_install(c, slot, pushed, now, now + VC_OLD_SESSION_MS);
	if (rc < 0)
		return rc;
	slot->keyed = true;
	slot->established_ms = now;
	ovpn_channel_established(&slot->ch);
	s->handshakes++;
	return 0;
}

void vc_reply_pushed(struct vc_client *c, struct vc_slot *slot)
{
	struct vc_session *s = &c->session;
	struct cfg_pushed pushed;
	struct cfg_error err;
	enum ovpn_cipher cipher;
	int rc;

	memset(&pushed, 0, sizeof(pushed));
	rc = apply_options(c, &pushed);
	if (rc < 0) {
		vc_client_fatal(c, "the server's configuration can't be used");
		goto done;
	}
	keep_token(c, &pushed);
	if (slot->keyed)
		goto done; // later pushes only refresh the token
	if (cfg_pushed_finish(&pushed, &err) < 0) {
		vc_client_again(c, err.text, 0);
		goto done;
	}
	if (select_cipher(c, slot, &pushed, &cipher) < 0) {
		vc_client_fatal(c, "no common cipher with the server");
		goto done;
	}
	if (!format_usable(c, &pushed, cipher)) {
		vc_client_fatal(c,
			"the server pushed aead-epoch, which the profile doesn't offer or which "
			"lacks an AEAD cipher, peer-id or tls-ekm");
		goto done;
	}
	rc = install(c, slot, &pushed, cipher);
	if (rc < 0) {
		vc_client_again(c, "can't make the data keys", 0);
		goto done;
	}
	cfg_pushed_done(&s->pushed);
	s->pushed = pushed;
	s->have_pushed = true;
	vc_event("push", "\"peer_id\": %d, \"cipher\": \"%s\", \"mobility\": %s, \"ekm\": %s",
		pushed.peer_id == CFG_PEER_ID_NONE ? -1 : (int)pushed.peer_id,
		ovpn_cipher_info(cipher)->name, pushed.mobility ? "true" : "false",
		s->ekm ? "true" : "false");
	vc_client_up(c);
	return;

done:
	cfg_pushed_done(&pushed);
}

static void auth_failed(struct vc_client *c, const struct ovpn_message *m)
{
	char text[512];
	int n = (int)(m->text_len < 400 ? m->text_len : 400);

	snprintf(text, sizeof(text), "AUTH_FAILED%s%.*s", n > 0 ? ": " : "", n, m->text);
	switch (m->auth_failed) {
	case OVPN_AUTH_FAILED_SESSION:
		explicit_bzero(c->creds.token, sizeof(c->creds.token));
		vc_client_again(c, text, 0);
		return;
	case OVPN_AUTH_FAILED_TEMP:
		vc_client_again(c, text, m->has_backoff ? m->backoff_s : 0);
		return;
	case OVPN_AUTH_FAILED_CHALLENGE:
		if (vc_creds_challenge(c, m->text, m->text_len) == 0)
			vc_client_again(c, "with an answer to the server's question", 0);
		else
			vc_client_fatal(c, "AUTH_FAILED: the server's question wasn't answered");
		return;
	case OVPN_AUTH_FAILED_PLAIN: break;
	}
	if (vc_creds_refused(c) == 0)
		vc_client_again(c, text, 0);
	else
		vc_client_fatal(c, text);
}

void vc_reply_message(struct vc_client *c, struct vc_slot *slot, const struct ovpn_message *m)
{
	int n = (int)(m->text_len < 400 ? m->text_len : 400);
	char text[512];

	(void)slot;
	snprintf(text, sizeof(text), "%s%s%.*s", ovpn_message_name(m->type), n > 0 ? ": " : "", n,
		m->text);
	switch (m->type) {
	case OVPN_MSG_AUTH_FAILED: auth_failed(c, m); return;
	case OVPN_MSG_RESTART:
		if (!m->preserve)
			explicit_bzero(c->creds.token, sizeof(c->creds.token));
		if (m->advance == OVPN_ADVANCE_REMOTE)
			vc_connect_advance(c);
		vc_client_again(c, text, 0);
		return;
	case OVPN_MSG_EXIT: vc_client_again(c, "the server ended the session", 0); return;
	case OVPN_MSG_HALT: vc_client_fatal(c, text); return;
	case OVPN_MSG_AUTH_PENDING:
		c->session.pending_ms =
			vc_now_ms() + 1000 * (uint64_t)(m->has_timeout ? m->timeout_s : 60);
		vc_log(VC_INFO, "%s", text);
		return;
	case OVPN_MSG_INFO_PRE:
	case OVPN_MSG_INFO: vc_log(VC_INFO, "the server says: %s", text); return;
	default: vc_log(VC_DETAIL, "message ignored: %s", text); return;
	}
}

void vc_session_message(struct vc_client *c, struct vc_slot *slot, const char *buf, size_t len)
{
	struct ovpn_message m;
	const char *text;
	size_t text_len, pos = 0;
	int rc;

	if (slot != c->session.active)
		return;
	while ((rc = ovpn_message_next(buf, len, &pos, &text, &text_len)) != 0) {
		if (rc < 0)
			continue; // not printable
		ovpn_message_parse(text, text_len, &m);
		if (m.type != OVPN_MSG_PUSH_REPLY) {
			vc_reply_message(c, slot, &m);
			continue;
		}
		rc = ovpn_push_collect_add(&c->session.collect, m.text, m.text_len);
		if (rc == 1)
			vc_reply_pushed(c, slot);
		else if (rc < 0)
			vc_client_again(c, "malformed PUSH_REPLY", 0);
	}
}
