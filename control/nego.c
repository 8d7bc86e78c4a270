// SPDX-License-Identifier: BSD-3-Clause
// One negotiation: its buffers, its TLS connection, and what comes out of it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "protocol/push.h"

// ---- TLS connection --------------------------------------------------------------------------

static void tls_free(struct ctl_tls *tls)
{
	ctl_tls_job_done(&tls->job);
	ctl_bytes_done(&tls->in);
	ctl_bytes_done(&tls->messages);
	ctl_bytes_done(&tls->out);
	free(tls);
}

void ctl_tls_drop(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_tls *tls = peer->tls;

	if (tls == NULL)
		return;
	peer->tls = NULL;
	ctl->tls_kept--;
	if (tls->busy)
		tls->peer = NULL; // freed when the thread has given it back
	else
		tls_free(tls);
}

static int tls_begin(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return -ENOMEM;
	ctl_tls_drop(ctl, peer);
	tls->ctl = ctl;
	tls->peer = peer;
	tls->used_ms = ctl_now_ms();
	tls->job.ctx = ctl->tls_ctx;
	tls->job.want_keys = true;
	tls->job.done = ctl_nego_tls_done;
	tls->job.owner = tls;
	tls->job.shard = ctl->tls_shard++;
	peer->tls = tls;
	ctl->tls_kept++;
	return 0;
}

int ctl_tls_message(struct ctl_peer *peer, const void *message, size_t len)
{
	return peer->tls != NULL ? ctl_tls_message_add(&peer->tls->messages, message, len)
				 : -ENOTCONN;
}

// ---- Negotiation -----------------------------------------------------------------------------

void ctl_nego_let_go(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego *nego = peer->nego;

	if (nego == NULL)
		return;
	if (nego->takes_over != NULL)
		nego->takes_over->heir = NULL;
	nego->takes_over = NULL;
	if (nego->waits)
		HASH_DEL(ctl->waiting, nego);
	nego->waits = false;
}

static void reset_nego(struct ctl *ctl, struct ctl_peer *peer, bool first)
{
	struct ctl_nego *nego = peer->nego;

	ctl_nego_let_go(ctl, peer);
	ctl_bytes_done(&nego->answer);
	ctl_bytes_done(&nego->cert_env);
	nego->deadline_ms = 0;
	nego->answered = false;
	explicit_bzero(nego->data_keys, sizeof(nego->data_keys));
	explicit_bzero(nego->dynamic_key, sizeof(nego->dynamic_key));
	ovpn_data_keys_wipe(&nego->keys);
	nego->step = CTL_NEGO_TLS;
	nego->started_ms = ctl_now_ms();
	nego->input = 0;
	nego->first = first;
	nego->waiting = 0;
	nego->deferred = false;
	nego->failed = 0;
	nego->exported = false;
	nego->suite[0] = '\0';
	nego->cert_cn[0] = '\0';
}

static int nego_alloc(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego_spares *spares = &ctl->spares;

	if (peer->nego != NULL)
		return 0;
	peer->nego = spares->n > 0 ? spares->nego[--spares->n] : calloc(1, sizeof(*peer->nego));
	if (peer->nego == NULL)
		return -ENOMEM;
	peer->nego->peer = peer;
	return 0;
}

int ctl_nego_begin(struct ctl *ctl, struct ctl_peer *peer, bool first)
{
	int rc = nego_alloc(ctl, peer);

	if (rc == 0)
		rc = tls_begin(ctl, peer);
	if (rc < 0)
		return rc;
	ctl_command_forget(peer); // of a negotiation that was given up
	if (peer->parked != SHM_SLOT_NONE)
		ctl_parked_drop(&ctl->records, peer->parked);
	peer->parked = SHM_SLOT_NONE;
	ctl_auth_end(ctl, peer);
	reset_nego(ctl, peer, first);
	peer->abort_until_ms = 0;
	ctl_peer_activate(ctl, peer);
	return 0;
}

int ctl_nego_attach(struct ctl *ctl, struct ctl_peer *peer)
{
	int rc;

	if (peer->nego != NULL)
		return 0;
	rc = nego_alloc(ctl, peer);
	if (rc < 0)
		return rc;
	reset_nego(ctl, peer, false);
	peer->nego->step = CTL_NEGO_DONE;
	ovpn_channel_attach(&peer->ch, &peer->nego->bufs);
	ctl_peer_activate(ctl, peer);
	return 0;
}

void ctl_nego_end(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego *nego = peer->nego;

	if (nego == NULL)
		return;
	(void)ovpn_channel_detach(&peer->ch); // it is nego->bufs
	ctl_nego_let_go(ctl, peer);
	if (peer->parked != SHM_SLOT_NONE) {
		ctl_parked_drop(&ctl->records, peer->parked);
		peer->parked = SHM_SLOT_NONE;
	}
	if (peer->tls != NULL && !peer->tls->ready)
		ctl_tls_drop(ctl, peer);
	ctl_auth_end(ctl, peer);
	ctl_bytes_done(&nego->answer);
	ctl_bytes_done(&nego->cert_env);
	explicit_bzero(nego, sizeof(*nego));
	if (ctl->spares.n < CTL_NEGO_SPARES)
		ctl->spares.nego[ctl->spares.n++] = nego;
	else
		free(nego);
	peer->nego = NULL;
}

void ctl_nego_spares_free(struct ctl *ctl)
{
	while (ctl->spares.n > 0)
		free(ctl->spares.nego[--ctl->spares.n]);
}

void ctl_nego_failed(struct ctl *ctl, struct ctl_peer *peer, const char *why)
{
	bool session = peer->state == CTL_PEER_CONNECTED && peer->nego != NULL;

	if (peer->state == CTL_PEER_CLOSING || peer->state == CTL_PEER_DEAD)
		return;
	if (!session) {
		ctl->count.tls_failed++;
		ctl_peer_log(CTL_WARN, peer, "handshake failed reason=\"%s\"", why);
		ctl_peer_close(ctl, peer, NULL, "handshake-failed");
		return;
	}
	// The client either never heard of it, or starts again from a hard reset; the data keys
	// that are there go on in both cases (protocol.md 11.5).
	ctl->count.renegotiations_failed++;
	ctl_peer_log(
		CTL_WARN, peer, "renegotiation failed, the old key goes on reason=\"%s\"", why);
	ctl_command_forget(peer);
	ovpn_channel_established(&peer->ch);
	ctl_nego_end(ctl, peer);
	ctl_tls_drop(ctl, peer);
	ctl_rekey_plan(ctl, peer);
	ctl_peer_save(ctl, peer);
}

// ---- What TLS brought ------------------------------------------------------------------------

static void describe(struct ctl_peer *peer, const struct ctl_tls_job *job)
{
	(void)snprintf(
		peer->nego->suite, sizeof(peer->nego->suite), "%s %s", job->version, job->suite);
}

static void swap_env(struct ctl_nego *nego, struct ctl_tls_job *job)
{
	ctl_bytes_done(&nego->cert_env);
	nego->cert_env = job->cert_env;
	job->cert_env = (struct ctl_bytes){ 0 };
}

static void on_ready(struct ctl *ctl, struct ctl_peer *peer, struct ctl_tls_job *job)
{
	struct ctl_nego *nego = peer->nego;
	const struct ovpn_tls_peer *p = &job->peer;

	peer->tls->ready = true;
	if (nego == NULL)
		return;
	describe(peer, job);
	swap_env(nego, job);
	memcpy(nego->cert_cn, p->cn, sizeof(nego->cert_cn));
	nego->exported = job->exported;
	if (job->exported) {
		memcpy(nego->data_keys, job->data_keys, sizeof(nego->data_keys));
		memcpy(nego->dynamic_key, job->dynamic_key, sizeof(nego->dynamic_key));
	}
	explicit_bzero(job->data_keys, sizeof(job->data_keys));
	explicit_bzero(job->dynamic_key, sizeof(job->dynamic_key));
	if (nego->first) {
		peer->id.has_cert = p->has_cert;
		memcpy(peer->id.cn, p->cn, sizeof(peer->id.cn));
		memcpy(peer->id.serial, p->serial, sizeof(peer->id.serial));
		memcpy(peer->id.chain_hash, p->chain_hash, sizeof(peer->id.chain_hash));
		if (p->cn_cut)
			ctl_nego_failed(ctl, peer, "common name is too long");
		return;
	}
	// The identity is locked for the life of a session (protocol.md 11.5).
	if (p->has_cert == peer->id.has_cert &&
		memcmp(p->chain_hash, peer->id.chain_hash, sizeof(p->chain_hash)) == 0 &&
		(ctl->cfg->auth.username_as_cn || strcmp(p->cn, peer->id.cn) == 0))
		return;
	ctl_peer_log(
		CTL_WARN, peer, "identity changed in a renegotiation subject=\"%s\"", p->subject);
	ctl_peer_deauthenticate(ctl, peer, "identity-changed");
}

static void on_text(struct ctl *ctl, struct ctl_peer *peer, const char *text, size_t len)
{
	struct ovpn_message m;

	ovpn_message_parse(text, len, &m);
	switch (m.type) {
	case OVPN_MSG_PUSH_REQUEST:
		peer->flags |= CTL_PEER_WANTS_PUSH;
		ctl_connect_push(ctl, peer);
		break;
	case OVPN_MSG_EXIT:
		ctl->count.exits++;
		ctl_peer_close(ctl, peer, NULL, "client-exit");
		peer->close_ms = ctl_now_ms() + CTL_EXIT_MS; // then its address is free
		break;
	default:
		ctl_peer_log(CTL_DEBUG, peer, "message ignored type=%s len=%zu",
			ovpn_message_name(m.type), len);
		break;
	}
}

static void on_message(
	struct ctl *ctl, struct ctl_peer *peer, const uint8_t *message, size_t message_len)
{
	const char *text;
	size_t pos = 0;
	size_t len;
	int rc;

	if (peer->nego != NULL && peer->nego->step == CTL_NEGO_TLS) {
		ctl_connect_key_method(ctl, peer, message, message_len);
		return;
	}
	while ((rc = ovpn_message_next((const char *)message, message_len, &pos, &text, &len)) !=
		0) {
		if (rc > 0)
			on_text(ctl, peer, text, len);
		if (peer->state >= CTL_PEER_CLOSING)
			return;
	}
}

static void on_messages(struct ctl *ctl, struct ctl_peer *peer, struct ctl_tls_job *job)
{
	const uint8_t *message;
	size_t pos = 0;
	size_t len;

	while (peer->state < CTL_PEER_CLOSING && peer->tls != NULL && &peer->tls->job == job &&
		(len = ctl_tls_message_next(&job->read, &pos, &message)) > 0)
		on_message(ctl, peer, message, len);
	if (job->read.len > 0)
		explicit_bzero(job->read.data, job->read.len);
	job->read.len = 0;
}

static void on_end(struct ctl *ctl, struct ctl_peer *peer, struct ctl_tls_job *job)
{
	char why[sizeof(job->error) + OVPN_TLS_SUBJECT_MAX + 24];

	if (job->state == OVPN_TLS_CLOSED) {
		if (peer->nego != NULL && peer->nego->step < CTL_NEGO_ANSWER)
			ctl_nego_failed(ctl, peer, "closed by the peer");
		return;
	}
	// An error of verification names the certificate itself.
	if (job->peer.subject[0] != '\0' && strstr(job->error, job->peer.subject) == NULL)
		(void)snprintf(why, sizeof(why), "%s (subject %s)", job->error, job->peer.subject);
	else
		(void)snprintf(why, sizeof(why), "%s", job->error);
	if (peer->nego != NULL && !peer->nego->first && job->peer.has_cert && !peer->tls->ready) {
		// Refused by us for its certificate, which was good when the session began.
		ctl_peer_log(CTL_WARN, peer, "certificate refused in a renegotiation reason=\"%s\"",
			why);
		ctl_peer_deauthenticate(ctl, peer, "certificate-refused");
	} else if (peer->nego != NULL && peer->nego->step < CTL_NEGO_DONE)
		ctl_nego_failed(ctl, peer, why);
	else
		ctl_peer_log(CTL_DEBUG, peer, "TLS ended reason=\"%s\"", why);
}

// What a job brought. It stays ours meanwhile, as tls->busy says: on the way the connection may be
// dropped, or the peer pumped.
static void take(struct ctl *ctl, struct ctl_tls *tls, struct ctl_tls_job *job)
{
	struct ctl_peer *peer = tls->peer;

	if (ctl_bytes_add(&tls->out, job->out.data, job->out.len) < 0)
		job->no_memory = true;
	job->out.len = 0;
	if (job->no_memory) {
		ctl_nego_failed(ctl, peer, "out of memory");
		return;
	}
	if (job->became_ready) {
		job->became_ready = false;
		on_ready(ctl, peer, job);
	}
	if (peer->tls == tls)
		on_messages(ctl, peer, job);
	if (peer->tls == tls && job->state >= OVPN_TLS_CLOSED)
		on_end(ctl, peer, job);
	if (peer->tls == tls && peer->nego != NULL && peer->nego->step == CTL_NEGO_ANSWER &&
		job->messages.len == 0 && tls->messages.len == 0)
		ctl_connect_commit(ctl, peer);
}

void ctl_nego_tls_done(struct ctl_tls_job *job)
{
	struct ctl_tls *tls = job->owner;
	struct ctl_peer *peer = tls->peer;
	struct ctl *ctl = tls->ctl;

	if (peer != NULL)
		take(ctl, tls, job);
	tls->busy = false;
	if (tls->peer == NULL)
		tls_free(tls);
	if (peer != NULL)
		ctl_peer_pump(ctl, peer);
}
