// SPDX-License-Identifier: BSD-3-Clause
// Static-key mode: a key file in place of TLS, addresses and routes of the profile in place of a
// push. There is nothing to exchange, so a session begins by sending.
// Source: protocol.md 9.3.
#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/event.h"
#include "client/log.h"

#define VC_KNOCKS 3

// Make the keys of both directions and hand them to the data thread, once in a process.
static int install(struct vc_client *c)
{
	struct vc_session *s = &c->session;
	const struct cfg_tls *tls = &c->cfg->tls;
	struct vc_crypt_params params = {
		.keys = &s->static_keys, .auth = OVPN_DIGEST_SHA1, .static_key = true
	};
	struct vc_key *key;
	int rc;

	// The loader knows the names.
	(void)ovpn_cipher_by_name(tls->cipher, strlen(tls->cipher), &s->cipher);
	if (tls->auth != NULL)
		(void)ovpn_digest_by_name(tls->auth, strlen(tls->auth), &params.auth);
	s->static_keys.cipher = s->cipher;
	params.comp = c->cfg->tunnel.comp;
	params.fragment_max = vc_session_fragment_max(c);
	rc = vc_key_create(&params, s->key_age + 1, s->serial, 0, &key);
	if (rc < 0)
		return rc;
	ovpn_data_keys_wipe(&s->static_keys);
	s->key_age++;
	s->have_keys = true;
	s->v2 = false;
	s->overhead = vc_key_overhead(key);
	vc_engine_key(c->engine, key, VC_DATA_NEVER);
	return 0;
}

// What others are pushed is what the profile says. Returns 0, -ENOMEM, or -EINVAL with the reason
// logged.
static int configure(struct vc_client *c)
{
	struct vc_session *s = &c->session;
	struct cfg_error err;
	int rc;

	if (s->have_pushed)
		return 0;
	rc = cfg_pushed_init(&s->pushed, c->cfg);
	if (rc < 0)
		return rc;
	rc = cfg_pushed_finish(&s->pushed, &err);
	if (rc < 0) {
		vc_log(VC_ERROR, "%s", err.text);
		cfg_pushed_done(&s->pushed);
		return rc;
	}
	s->have_pushed = true;
	return 0;
}

void vc_static_knock(struct vc_client *c)
{
	c->session.knocks = VC_KNOCKS;
	(void)vc_tunnel_ping(c);
}

int vc_static_begin(struct vc_client *c)
{
	struct vc_session *s = &c->session;
	int rc = configure(c);

	if (rc == 0 && !s->have_keys)
		rc = install(c);
	if (rc == -ENOTSUP || rc == -EINVAL || rc == -EKEYREJECTED) {
		vc_log(VC_ERROR, "%s:%u: 'secret': the key can't be used with cipher %s",
			c->cfg->tls.secret.file, c->cfg->tls.secret.line, c->cfg->tls.cipher);
		vc_client_fatal(c, "no later attempt could do better");
		return 0;
	}
	if (rc < 0)
		return rc;
	vc_engine_watch(c->engine, c->link.cur->id);
	vc_client_up(c);
	if (c->phase == VC_PHASE_UP)
		vc_static_knock(c);
	return 0;
}
