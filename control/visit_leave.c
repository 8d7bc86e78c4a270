// SPDX-License-Identifier: BSD-3-Clause
// How a session leaves: client-disconnect, then learn-address for one address after the other. Its
// peer is gone meanwhile; the visit keeps the grant, so that nobody gets the addresses before they
// are forgotten.
#include <errno.h>
#include <stdio.h>
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
#include "control/visit.h"
#include "shm/session.h"

#define LEAVING_MAX 64u // programs at work for farewells: log-ins find room in the helper

static void go_on(struct ctl *ctl, struct ctl_visit *v);

static void finish(struct ctl *ctl, struct ctl_visit *v)
{
	ctl_visit_unclaim_all(ctl, v, v->grant); // what nobody could be told of
	DL_DELETE(ctl->visits.leaving, v);
	v->grant = ctl_grant_free(ctl->policy, v->grant);
	ctl_visit_free(ctl, v);
}

static void on_done(struct ctl *ctl, void *who, const struct ctl_hook_message *m)
{
	struct ctl_visit *v = who;

	v->asked = false;
	ctl->visits.asked--;
	if (m->what != CTL_HOOK_OK)
		ctl_log(CTL_WARN, "%s failed peer=\"%.64s\"%s%s%s",
			v->connected ? "client-disconnect" : "learn-address delete", v->cn,
			m->what == CTL_HOOK_ERROR ? " error=\"" : "",
			m->what == CTL_HOOK_ERROR ? m->args[0] : "",
			m->what == CTL_HOOK_ERROR ? "\"" : "");
	if (v->connected) {
		v->connected = false;
	} else {
		struct cfg_addr addr;

		if (ctl_visit_address(v->grant, v->deleted++, &addr))
			ctl_visit_unclaim(ctl, v, &addr);
	}
	go_on(ctl, v);
	ctl_visits_run(ctl);
}

// Returns false when it has to be tried again later.
static bool ask(struct ctl *ctl, struct ctl_visit *v, struct ctl_hook_message *m)
{
	int rc;

	m->timeout_ms = ctl->cfg->tls.hand_window_s * 1000;
	if (m->timeout_ms > CTL_HOOK_TIMEOUT_MAX_MS)
		m->timeout_ms = CTL_HOOK_TIMEOUT_MAX_MS;
	rc = ctl_hooks_ask(ctl->hooks, v, m, on_done);
	if (rc == 0) {
		v->asked = true;
		ctl->visits.asked++;
		return true;
	}
	if (rc == -EBUSY)
		return false;
	ctl_log(CTL_ERROR, "nobody is told of a session's end peer=\"%.64s\" error=%s", v->cn,
		strerrorname_np(-rc));
	finish(ctl, v);
	return true;
}

// What is to be done next for one that leaves and has nothing at work.
static void go_on(struct ctl *ctl, struct ctl_visit *v)
{
	struct ctl_hook_message m = { .what = CTL_HOOK_DISCONNECT };
	char text[CFG_ADDR_TEXT];
	struct cfg_addr addr;

	if (ctl->cfg->auth.client_disconnect.argv[0] == NULL)
		v->connected = false;
	if (v->connected) {
		ctl_env_point(&v->env, &m);
		(void)ask(ctl, v, &m); // false: the next tick asks
		return;
	}
	for (; v->deleted < v->learned && ctl_visit_address(v->grant, v->deleted, &addr);
		v->deleted++) {
		if (ctl_visit_owner(ctl, &addr) != v)
			continue;
		// Nobody has the address any more, so there are no variables of a client.
		m = (struct ctl_hook_message){ .what = CTL_HOOK_LEARN,
			.n_args = 3,
			.args = { "delete", ctl_visit_address_text(&addr, text), "" } };
		(void)ask(ctl, v, &m);
		return;
	}
	finish(ctl, v);
}

void ctl_visits_run(struct ctl *ctl)
{
	struct ctl_visit *v, *tmp;

	DL_FOREACH_SAFE(ctl->visits.leaving, v, tmp)
	{
		if (ctl->visits.asked >= LEAVING_MAX)
			return;
		if (!v->asked)
			go_on(ctl, v);
	}
}

static int all_variables(struct ctl *ctl, struct ctl_visit *v)
{
	struct shm_session_info info;
	struct ctl_bytes env = { 0 };
	int rc = ctl_visit_env(ctl, v, &env);

	ctl_peer_counters(ctl, v->peer, &info);
	if (rc == 0)
		rc = ctl_visit_env_end(v, &info, ctl_now_ms(), &env);
	if (rc < 0) {
		ctl_bytes_done(&env);
		return rc;
	}
	ctl_bytes_done(&v->env);
	v->env = env;
	return 0;
}

void ctl_visit_leave(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_visit *v = peer->visit;
	bool told;

	if (v == NULL)
		return;
	peer->visit = NULL;
	ctl_hooks_forget(ctl->hooks, v); // the client is gone, so the verdict is of no use
	v->asked = false;
	told = (v->connected && ctl->cfg->auth.client_disconnect.argv[0] != NULL) || v->learned > 0;
	if (ctl->visits.closed || !told || peer->grant == NULL) {
		if (peer->grant != NULL)
			ctl_visit_unclaim_all(ctl, v, peer->grant);
		ctl_visit_free(ctl, v);
		return;
	}
	if (v->connected && all_variables(ctl, v) < 0) {
		ctl_peer_log(CTL_ERROR, peer, "out of memory, client-disconnect isn't run");
		v->connected = false;
	}
	if (v->arriving)
		DL_DELETE(ctl->visits.arriving, v);
	v->arriving = false;
	(void)snprintf(v->cn, sizeof(v->cn), "%s", peer->id.cn); // of the same size
	v->grant = peer->grant;
	peer->grant = NULL;
	v->peer = NULL;
	DL_APPEND(ctl->visits.leaving, v);
	ctl_visits_run(ctl);
}

bool ctl_visits_leaving(const struct ctl *ctl, const char *cn)
{
	const struct ctl_visit *v;

	DL_FOREACH(ctl->visits.leaving, v)
	{
		if (strcmp(v->cn, cn) == 0)
			return true;
	}
	return false;
}

void ctl_visits_close(struct ctl *ctl)
{
	unsigned n = 0;

	ctl->visits.closed = true;
	while (ctl->visits.leaving != NULL) {
		finish(ctl, ctl->visits.leaving);
		n++;
	}
	if (n > 0)
		ctl_log(CTL_WARN, "programs weren't told of the end of sessions count=%u", n);
}
