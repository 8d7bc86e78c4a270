// SPDX-License-Identifier: BSD-3-Clause
// How a session arrives: client-connect, what it has written, then learn-address for one address
// after the other.
#include "control/visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "config/server.h"
#include "control/auth_env.h"
#include "control/clock.h"
#include "control/ctl.h"
#include "control/hook.h"
#include "control/peer.h"
#include "control/policy.h"

#define UNAVAILABLE "the server can't ask its programs at the moment"

static void learn_next(struct ctl *ctl, struct ctl_visit *v);

int ctl_visit_begin(struct ctl *ctl, struct ctl_peer *peer, struct ctl_bytes *env)
{
	struct ctl_visit *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return -ENOMEM;
	ctl_visit_free(ctl, peer->visit);
	v->peer = peer;
	v->env = *env;
	*env = (struct ctl_bytes){ 0 };
	ctl_env_del(&v->env, "common_name"); // that of the session may be another
	peer->visit = v;
	return 0;
}

static void arrived(struct ctl *ctl, struct ctl_visit *v)
{
	if (v->arriving)
		DL_DELETE(ctl->visits.arriving, v);
	v->arriving = false;
}

void ctl_visit_free(struct ctl *ctl, struct ctl_visit *v)
{
	if (v == NULL)
		return;
	ctl_hooks_forget(ctl->hooks, v);
	arrived(ctl, v);
	ctl_bytes_done(&v->env);
	free(v->config);
	free(v);
}

uint32_t ctl_visits_replace(struct ctl *ctl, const struct ctl_peer *peer)
{
	uint32_t slot = SHM_SLOT_NONE;
	struct ctl_visit *v, *tmp;

	DL_FOREACH_SAFE(ctl->visits.arriving, v, tmp)
	{
		if (v->peer == peer || strcmp(v->peer->id.cn, peer->id.cn) != 0)
			continue;
		slot = v->peer->slot;
		ctl_peer_replaced(ctl, v->peer); // takes v out of the list
	}
	return slot;
}

// ---- Asking ----------------------------------------------------------------------------------

static void deny(struct ctl *ctl, struct ctl_visit *v, const char *why)
{
	ctl_connect_denied(ctl, v->peer, NULL, why);
}

// Ask with all that is known, and the time of a log-in.
static void ask(
	struct ctl *ctl, struct ctl_visit *v, struct ctl_hook_message *m, ctl_hook_done_fn *done)
{
	struct ctl_peer *peer = v->peer;
	struct ctl_bytes env = { 0 };
	int rc = ctl_visit_env(ctl, v, &env);

	m->timeout_ms = ctl_auth_ask_ms(ctl->cfg);
	ctl_env_point(&env, m);
	if (rc == 0)
		rc = ctl_hooks_ask(ctl->hooks, v, m, done);
	ctl_bytes_done(&env);
	if (rc < 0) {
		ctl_peer_log(CTL_ERROR, peer, "the helper can't be asked error=%s",
			strerrorname_np(-rc));
		ctl_connect_denied_for_now(ctl, peer, UNAVAILABLE);
		return;
	}
	v->asked = true;
	ctl_connect_waits(ctl, peer, CTL_NEGO_HOOK);
	ctl_peer_pump(ctl, peer);
}

// Does the peer still wait for what a program has just said?
static bool waits(const struct ctl_visit *v)
{
	return v->peer->state < CTL_PEER_CLOSING && v->peer->nego != NULL &&
		v->peer->nego->step == CTL_NEGO_HOOK;
}

// ---- learn-address ---------------------------------------------------------------------------

static void welcomed(struct ctl *ctl, struct ctl_visit *v)
{
	ctl_connect_welcomed(ctl, v->peer);
	ctl_peer_pump(ctl, v->peer);
}

static void on_learned(struct ctl *ctl, void *who, const struct ctl_hook_message *m)
{
	struct ctl_visit *v = who;

	v->asked = false;
	if (m->what == CTL_HOOK_ERROR)
		ctl_peer_log(
			CTL_ERROR, v->peer, "learn-address can't be run error=\"%s\"", m->args[0]);
	if (!waits(v))
		return;
	if (m->what == CTL_HOOK_OK) {
		learn_next(ctl, v);
		return;
	}
	// It isn't told of the end of what it refused.
	struct cfg_addr addr;

	if (ctl_visit_address(v->peer->grant, --v->learned, &addr))
		ctl_visit_unclaim(ctl, v, &addr);
	deny(ctl, v, "learn-address");
}

static void learn(struct ctl *ctl, struct ctl_visit *v, const struct cfg_addr *addr)
{
	const char *cn = v->peer->id.cn;
	struct ctl_hook_message m = { .what = CTL_HOOK_LEARN, .n_args = 3 };
	char text[CFG_ADDR_TEXT];

	if (ctl_visit_claim(ctl, v, addr) < 0) {
		deny(ctl, v, "out-of-memory");
		return;
	}
	v->learned++;
	m.args[0] = "add";
	m.args[1] = ctl_visit_address_text(addr, text);
	m.args[2] = cn[0] != '\0' ? cn : "UNDEF";
	ask(ctl, v, &m, on_learned);
}

// The next address that somebody is to be told of; with none left the session may begin.
static void learn_next(struct ctl *ctl, struct ctl_visit *v)
{
	struct cfg_addr addr;

	v->blocked = false;
	while (ctl->cfg->auth.learn_address.argv[0] != NULL &&
		ctl_visit_address(v->peer->grant, v->learned, &addr)) {
		const struct ctl_visit *owner = ctl_visit_owner(ctl, &addr);
		char text[CFG_ADDR_TEXT];

		if (owner == NULL) {
			learn(ctl, v, &addr);
			return;
		}
		if (owner->peer == NULL) { // it is about to be forgotten
			v->blocked = true;
			ctl_connect_waits(ctl, v->peer, CTL_NEGO_HOOK);
			ctl_peer_pump(ctl, v->peer);
			return;
		}
		// The dataplane won't take it from the other session either.
		v->learned++;
		ctl_peer_log(CTL_WARN, v->peer, "another session has this network network=%s",
			ctl_visit_address_text(&addr, text));
	}
	welcomed(ctl, v);
}

static void unblock(struct ctl *ctl)
{
	struct ctl_visit *v, *tmp;

	DL_FOREACH_SAFE(ctl->visits.arriving, v, tmp)
	{
		if (v->blocked && waits(v))
			learn_next(ctl, v);
	}
}

// ---- client-connect --------------------------------------------------------------------------

// Apply what it has written. Returns false when the client was refused for it.
static bool apply(struct ctl *ctl, struct ctl_visit *v, const char *text)
{
	struct ctl_peer *peer = v->peer;

	if (text[0] == '\0')
		return true;
	v->config = strdup(text);
	if (v->config == NULL ||
		ctl_policy_extend(ctl->policy, peer->id.cn, text, false, peer->grant) < 0) {
		deny(ctl, v, "client-connect-directives");
		return false;
	}
	peer->tunnel4 = ctl_policy_tunnel(&peer->grant->address);
	peer->tunnel6 = ctl_policy_tunnel(&peer->grant->address6);
	return true;
}

static void on_connect(struct ctl *ctl, void *who, const struct ctl_hook_message *m)
{
	struct ctl_visit *v = who;

	v->asked = false;
	v->connected = m->what == CTL_HOOK_CONFIG;
	if (m->what == CTL_HOOK_ERROR)
		ctl_peer_log(
			CTL_ERROR, v->peer, "client-connect can't be run error=\"%s\"", m->args[0]);
	if (!waits(v))
		return;
	if (!v->connected)
		deny(ctl, v, "client-connect");
	else if (apply(ctl, v, m->args[0]))
		learn_next(ctl, v);
}

void ctl_visit_ask(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_hook_message m = { .what = CTL_HOOK_CONNECT };
	struct ctl_visit *v = peer->visit;

	if (v == NULL) {
		ctl_connect_welcomed(ctl, peer);
		return;
	}
	v->since_s = ctl_wall_s();
	v->since_ms = ctl_now_ms();
	v->arriving = true;
	DL_APPEND(ctl->visits.arriving, v);
	if (ctl->cfg->auth.client_connect.argv[0] != NULL)
		ask(ctl, v, &m, on_connect);
	else
		learn_next(ctl, v);
}

// ---- Sessions --------------------------------------------------------------------------------

void ctl_visit_commit(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_visit *v = peer->visit;

	if (v == NULL)
		return;
	arrived(ctl, v);
	v->connected = true;
	if (ctl_note_write(&ctl->records, peer->slot, peer->generation, v->since_s, v->env.data,
		    v->env.len, v->config != NULL ? v->config : "") < 0)
		ctl_peer_log(CTL_WARN, peer,
			"too much for its record, a restarted control won't know all of it");
}

void ctl_visit_inherit(struct ctl *ctl, struct ctl_peer *peer, struct ctl_peer *old)
{
	ctl_visit_free(ctl, peer->visit);
	peer->visit = old->visit;
	old->visit = NULL;
	if (peer->visit != NULL)
		peer->visit->peer = peer;
}

// All addresses of its grant count as learned.
static void reclaim(struct ctl *ctl, struct ctl_visit *v)
{
	struct cfg_addr addr;

	while (ctl_visit_address(v->peer->grant, v->learned, &addr)) {
		if (ctl_visit_owner(ctl, &addr) == NULL && ctl_visit_claim(ctl, v, &addr) < 0)
			return;
		v->learned++;
	}
}

void ctl_visit_restore(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_visit *v = calloc(1, sizeof(*v));
	struct ctl_note note;

	if (v == NULL) {
		ctl_peer_log(CTL_ERROR, peer, "out of memory, nobody is told of its end");
		return;
	}
	v->peer = peer;
	v->connected = true;
	v->since_s = peer->connected_wall_s;
	v->since_ms = peer->connected_ms;
	peer->visit = v;
	if (ctl_note_read(&ctl->records, peer->slot, peer->generation, &note) == 0) {
		v->since_s = note.since_s;
		if (ctl_bytes_add(&v->env, note.env, note.env_len) == 0 && note.config[0] != '\0')
			v->config = strdup(note.config);
	} else {
		ctl_peer_log(CTL_WARN, peer, "its variables for programs are lost");
	}
	if (v->config != NULL)
		(void)ctl_policy_extend(ctl->policy, peer->id.cn, v->config, true,
			peer->grant); // it has said why; the client's own file remains
	if (ctl->cfg->auth.learn_address.argv[0] != NULL)
		reclaim(ctl, v);
}

void ctl_visits_tick(struct ctl *ctl)
{
	unblock(ctl);
	ctl_visits_run(ctl);
}
