// SPDX-License-Identifier: BSD-3-Clause
#include "client/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/event.h"
#include "client/inner.h"
#include "client/log.h"
#include "client/reply.h"
#include "protocol/data_packet.h"
#include "protocol/tls/data_legacy.h"

// As stock clients: PUSH_REQUEST first after 1 s, then every 5 s (protocol.md 8.3).
#define VC_PUSH_FIRST_MS 1000
#define VC_PUSH_AGAIN_MS 5000
#define VC_NEXT_ADDRESS_MS 3000 // a silent address of several: the first repetition was lost too
#define VC_IN_PLACE_MS 10000 // between two in-place resets

static void on_timer(uv_timer_t *timer)
{
	vc_session_run(timer->data);
}

int vc_session_init(struct vc_client *c)
{
	struct vc_session *s = &c->session;

	ovpn_push_collect_init(&s->collect, s->push_bytes, sizeof(s->push_bytes));
	s->timer.data = c;
	return uv_timer_init(&c->loop, &s->timer);
}

void vc_session_done(struct vc_client *c)
{
	cfg_pushed_done(&c->session.pushed);
	if (c->session.wraps != NULL)
		explicit_bzero(c->session.wraps, sizeof(*c->session.wraps) * c->cfg->n_remotes);
	free(c->session.wraps);
	c->session.wraps = NULL;
}

// Read a key file that the profile names and hand it to a parser.
static int read_key(const struct cfg_blob *blob, struct vc_wrap *wrap, bool v2)
{
	struct ovpn_key_error why = { 0 };
	struct cfg_error err;
	char *text;
	size_t len;
	int rc = cfg_blob_read(blob, 0, &text, &len, &err);

	if (rc < 0) {
		vc_log(VC_ERROR, "%s", err.text);
		return rc;
	}
	if (v2)
		rc = ovpn_v2_client_key_parse(text, len, &wrap->v2, &why);
	else
		rc = ovpn_static_key_parse(text, len, &wrap->base, &why);
	if (rc < 0)
		vc_log(VC_ERROR, "%s:%u: %s: %s: %s", blob->file, blob->line, blob->option,
			blob->path != NULL ? blob->path : "inline key", why.reason);
	cfg_secret_free(text, len);
	return rc;
}

static int load_wrap(struct vc_client *c, const struct cfg_wrap *cfg, struct vc_wrap *wrap)
{
	const char *auth = c->cfg->tls.auth != NULL ? c->cfg->tls.auth : "SHA1";
	enum ovpn_digest digest = OVPN_DIGEST_SHA1;
	int rc = 0;

	ovpn_wrap_keys_none(&wrap->keys);
	(void)ovpn_digest_by_name(auth, strlen(auth), &digest); // the loader knows the names
	if (cfg_blob_set(&cfg->tls_auth)) {
		rc = read_key(&cfg->tls_auth, wrap, false);
		if (rc == 0)
			rc = ovpn_wrap_keys_tls_auth(&wrap->base, digest,
				(enum ovpn_wrap_direction)cfg->key_direction, &wrap->keys);
		wrap->has_base = true;
	} else if (cfg_blob_set(&cfg->tls_crypt)) {
		rc = read_key(&cfg->tls_crypt, wrap, false);
		if (rc == 0)
			ovpn_wrap_keys_tls_crypt(&wrap->base, false, &wrap->keys);
		wrap->has_base = true;
	} else if (cfg_blob_set(&cfg->tls_crypt_v2)) {
		rc = read_key(&cfg->tls_crypt_v2, wrap, true);
		if (rc == 0)
			ovpn_wrap_keys_tls_crypt(&wrap->v2.kc, false, &wrap->keys);
		wrap->base = wrap->v2.kc;
		wrap->has_base = true;
		wrap->is_v2 = true;
	}
	return rc;
}

static int load_static(struct vc_client *c)
{
	const struct cfg_tls *tls = &c->cfg->tls;
	struct ovpn_data_keys *keys = &c->session.static_keys;
	struct vc_wrap file = { 0 };
	int rc = read_key(&tls->secret, &file, false);

	if (rc == 0)
		rc = ovpn_static_keys_cut(&file.base, tls->wrap.key_direction,
			&keys->dir[OVPN_KEY_C2S], &keys->dir[OVPN_KEY_S2C]);
	explicit_bzero(&file, sizeof(file));
	return rc;
}

int vc_session_load(struct vc_client *c)
{
	int rc = 0;

	c->session.is_static = cfg_blob_set(&c->cfg->tls.secret);
	if (c->session.is_static)
		return load_static(c);
	c->session.wraps = calloc(c->cfg->n_remotes, sizeof(*c->session.wraps));
	if (c->session.wraps == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < c->cfg->n_remotes && rc == 0; i++)
		rc = load_wrap(c, &c->cfg->remotes[i].wrap, &c->session.wraps[i]);
	return rc;
}

static int begin(struct vc_client *c)
{
	struct vc_session *s = &c->session;

	s->initial = vc_slot_free(s->initial);
	s->initial = vc_slot_create(c, vc_now_ms());
	if (s->initial == NULL)
		return -errno;
	vc_event("handshake", "\"serial\": %u, \"in_place\": %s", s->initial->serial,
		s->active != NULL ? "true" : "false");
	return 0;
}

int vc_session_begin(struct vc_client *c)
{
	int rc;

	vc_session_end(c);
	if (c->session.is_static)
		return vc_static_begin(c);
	rc = begin(c);
	if (rc == 0)
		vc_session_run(c);
	return rc;
}

int vc_session_begin_in_place(struct vc_client *c)
{
	struct vc_session *s = &c->session;
	uint64_t now = vc_now_ms();

	if (s->is_static || s->initial != NULL ||
		(s->in_place_ms != 0 && now - s->in_place_ms < VC_IN_PLACE_MS))
		return -EBUSY;
	s->in_place_ms = now;
	vc_log(VC_INFO, "starting a new session beside the old one session=%u", s->serial);
	return begin(c);
}

bool vc_session_in_handshake(const struct vc_client *c)
{
	const struct vc_session *s = &c->session;

	return s->initial != NULL ||
		(s->active != NULL && !s->active->keyed && s->active->ch.key_id == 0);
}

bool vc_session_moved(struct vc_client *c)
{
	struct vc_session *s = &c->session;

	if (s->is_static)
		return true;
	if (s->active == NULL || (!s->active->keyed && s->active->ch.key_id == 0))
		return false;
	if (s->initial != NULL) {
		s->initial = vc_slot_free(s->initial);
		s->in_place_ms = 0;
		return vc_session_begin_in_place(c) == 0;
	}
	return true;
}

void vc_session_end(struct vc_client *c)
{
	struct vc_session *s = &c->session;

	s->initial = vc_slot_free(s->initial);
	s->active = vc_slot_free(s->active);
	s->in_place_ms = 0;
	s->pending_ms = 0;
	(void)uv_timer_stop(&s->timer);
}

// Does a server's hard reset authenticate? Asked of a channel that lasts no longer than this,
// before anything of ours is spent on it: else forged ones would use up the turns of in-place
// resets.
static bool wrapped_as_ours(struct vc_client *c, const uint8_t *dgram, size_t len)
{
	static const uint8_t any_sid[OVPN_SID_LEN] = { 1 };
	const struct vc_wrap *wrap = &c->session.wraps[c->connect.remote];
	struct ovpn_channel ch;
	unsigned events;

	ovpn_channel_init(&ch, &c->session.channel_config, false, any_sid, &wrap->keys, 0);
	// All that it lacks for a packet of our server are buffers.
	return ovpn_channel_recv(&ch, dgram, len, vc_now_ms(), &events) == -ENOBUFS;
}

// The first datagram of a server that began a new session by itself (protocol.md 11.5): only one
// that authenticates under our wrapping gets us to answer.
static void unasked_reset(struct vc_client *c, const uint8_t *dgram, size_t len)
{
	struct vc_session *s = &c->session;
	unsigned events;

	if (s->active == NULL || !s->active->keyed || !wrapped_as_ours(c, dgram, len) ||
		vc_session_begin_in_place(c) < 0)
		return;
	if (ovpn_channel_recv(&s->initial->ch, dgram, len, vc_now_ms(), &events) < 0)
		s->initial = vc_slot_free(s->initial);
	else
		vc_log(VC_INFO, "the server began a new session by itself");
}

// Give a datagram to one slot. Returns what ovpn_channel_recv does.
static int slot_input(struct vc_client *c, struct vc_slot *slot, const uint8_t *dgram, size_t len)
{
	unsigned events = 0;
	int rc = ovpn_channel_recv(&slot->ch, dgram, len, vc_now_ms(), &events);

	if (rc < 0)
		return rc;
	slot->heard = true;
	c->last_rx_ms = vc_now_ms();
	if ((events & OVPN_CHANNEL_GOT_SOFT_RESET) != 0) {
		vc_log(VC_DETAIL, "the server asks for new keys key_id=%u", slot->ch.key_id);
		if (vc_slot_renew(c, slot, vc_now_ms()) < 0)
			vc_client_again(c, "out of memory", 0);
	}
	return 0;
}

void vc_session_input(struct vc_client *c, const uint8_t *dgram, size_t len)
{
	struct vc_session *s = &c->session;
	struct vc_slot *slots[] = { s->active, s->initial };
	int rc = -ESTALE;

	for (unsigned i = 0; i < 2 && rc == -ESTALE; i++) {
		if (slots[i] != NULL)
			rc = slot_input(c, slots[i], dgram, len);
	}
	if (rc == -ESTALE && ovpn_opcode_of(dgram[0]) == OVPN_P_CONTROL_HARD_RESET_SERVER_V2)
		unasked_reset(c, dgram, len);
	else if (rc < 0) {
		c->control_dropped++;
		vc_log(VC_DEBUG, "control packet dropped: %s", strerror(-rc));
	}
	vc_session_run(c);
}

void vc_session_exchanged(struct vc_client *c, struct vc_slot *slot)
{
	struct vc_session *s = &c->session;
	bool announced = c->cfg->data_format != CFG_FORMAT_V1;

	if (slot != s->initial)
		return; // a renegotiation: the keys come when everything is acknowledged
	(void)vc_slot_free(s->active);
	s->active = slot;
	s->initial = NULL;
	slot->promoted = true;
	ovpn_push_collect_init(&s->collect, s->push_bytes, sizeof(s->push_bytes));
	// A server that was told so pushes by itself; others wait to be asked.
	s->push_request_ms = vc_now_ms() + (announced ? VC_PUSH_FIRST_MS : 0);
}

uint16_t vc_session_fragment_max(const struct vc_client *c)
{
	// A session may move to the other family, whose headers are longer or shorter.
	const bool ipv6 = c->watch.server.family == AF_INET6 || c->watch.other.family == AF_INET6;

	return vc_fragment_max(&c->cfg->remotes[c->connect.remote], ipv6);
}

int vc_session_install(struct vc_client *c, struct vc_slot *slot, const struct cfg_pushed *pushed,
	uint64_t active_ms, uint64_t retire_ms)
{
	struct vc_session *s = &c->session;
	const char *auth = c->cfg->tls.auth != NULL ? c->cfg->tls.auth : "SHA1";
	struct vc_crypt_params params = { .auth = OVPN_DIGEST_SHA1 };
	struct ovpn_data_keys keys;
	struct vc_key *key;
	int rc = vc_slot_derive(slot, s->ekm, s->cipher, &keys);

	(void)ovpn_digest_by_name(auth, strlen(auth), &params.auth); // the loader knows the names
	params.keys = &keys;
	params.key_id = slot->ch.key_id;
	params.v2 = pushed->peer_id != CFG_PEER_ID_NONE;
	params.peer_id = pushed->peer_id;
	params.epoch = (pushed->protocol_flags & CFG_PF_AEAD_EPOCH) != 0;
	params.comp = pushed->tunnel.comp;
	params.fragment_max = vc_session_fragment_max(c);
	if (c->cfg->mobility == CFG_MOBILITY_LAZY && pushed->mobility_lazy && !params.v2)
		params.server_sid = slot->ch.remote_sid;
	if (rc == 0)
		rc = vc_key_create(&params, s->key_age + 1, slot->serial, active_ms, &key);
	ovpn_data_keys_wipe(&keys);
	if (rc < 0)
		return rc;
	s->key_age++;
	s->have_keys = true;
	s->v2 = params.v2;
	s->overhead = vc_key_overhead(key);
	vc_engine_key(c->engine, key, retire_ms);
	return 0;
}

// The keys of a renegotiation that has just finished.
static void renewed(struct vc_client *c, struct vc_slot *slot, uint64_t now)
{
	const struct cfg_tls *tls = &c->cfg->tls;
	uint64_t pause_ms = (uint64_t)tls->hand_window_s * 1000;
	int rc;

	if (tls->reneg_sec != 0 && (uint64_t)tls->reneg_sec * 500 < pause_ms)
		pause_ms = (uint64_t)tls->reneg_sec * 500;
	rc = vc_session_install(c, slot, &c->session.pushed, slot->started_ms + pause_ms,
		now + (uint64_t)tls->tran_window_s * 1000);
	if (rc < 0) {
		vc_client_again(c, "can't derive the new data keys", 0);
		return;
	}
	slot->keyed = true;
	slot->established_ms = now;
	ovpn_channel_established(&slot->ch);
	c->session.rekeys++;
	vc_log(VC_INFO, "new keys key_id=%u session=%u", slot->ch.key_id, slot->serial);
	vc_event("rekey", "\"key_id\": %u, \"rekeys\": %llu", slot->ch.key_id,
		(unsigned long long)c->session.rekeys);
}

int vc_session_rekey(struct vc_client *c)
{
	struct vc_slot *slot = c->session.active;
	int rc;

	if (slot == NULL || !slot->keyed || slot->state != VC_SLOT_ACTIVE)
		return -EAGAIN;
	rc = ovpn_channel_soft_reset(&slot->ch, NULL, vc_now_ms());
	if (rc < 0)
		return rc;
	rc = vc_slot_renew(c, slot, vc_now_ms());
	if (rc < 0)
		vc_client_again(c, "out of memory", 0);
	return rc;
}

// Is it time for new keys?
static bool rekey_due(struct vc_client *c, const struct vc_slot *slot, uint64_t now)
{
	const struct cfg_tls *tls = &c->cfg->tls;
	const struct vc_engine_stats *used = vc_engine_stats(c->engine);
	uint64_t bytes = tls->reneg_bytes;

	if (bytes == 0)
		bytes = ovpn_cipher_reneg_bytes(c->session.cipher);
	if (!slot->keyed || slot->state != VC_SLOT_ACTIVE || c->session.initial != NULL ||
		!c->session.have_keys)
		return false;
	if (tls->reneg_sec != 0 && now >= slot->established_ms + (uint64_t)tls->reneg_sec * 1000)
		return true;
	if (atomic_load_explicit(&used->key_age, memory_order_relaxed) != c->session.key_age)
		return false; // the data thread hasn't taken the newest over yet
	if (bytes != 0 && atomic_load_explicit(&used->key_bytes, memory_order_relaxed) >= bytes)
		return true;
	if (tls->reneg_pkts != 0 &&
		atomic_load_explicit(&used->key_packets, memory_order_relaxed) >= tls->reneg_pkts)
		return true;
	return atomic_load_explicit(&used->key_next_id, memory_order_relaxed) >=
		OVPN_PACKET_ID_REKEY;
}

// What happens when a slot's negotiation failed or took too long.
static void slot_failed(struct vc_client *c, struct vc_slot *slot, const char *why)
{
	struct vc_session *s = &c->session;

	if (slot == s->active && s->have_keys) {
		// Data goes on with the keys that we have; a new session is tried beside it.
		vc_log(VC_WARN, "renegotiation failed: %s session=%u", why, slot->serial);
		slot->state = VC_SLOT_FAILED;
		if (vc_session_begin_in_place(c) < 0 && s->initial == NULL)
			vc_client_again(c, why, 0);
		return;
	}
	if (slot->state == VC_SLOT_FAILED && ovpn_tls_conn_error(slot->tls)[0] != '\0')
		vc_client_tls_failed(c, why);
	else
		vc_client_again(c, why, 0);
}

// Time-outs of a slot. Returns why it has to go, or NULL.
static const char *slot_late(struct vc_client *c, const struct vc_slot *slot, uint64_t now)
{
	const struct cfg_remote *remote = &c->cfg->remotes[c->connect.remote];
	uint64_t window_ms = (uint64_t)c->cfg->tls.hand_window_s * 1000;
	uint64_t patience_ms = (uint64_t)remote->connect_timeout_s * 1000;

	// Where the name has more addresses, a silent one must not hold them up (RFC 8305).
	if (vc_connect_more_addresses(c) && patience_ms > VC_NEXT_ADDRESS_MS)
		patience_ms = VC_NEXT_ADDRESS_MS;
	if (now < c->session.pending_ms || slot->state == VC_SLOT_FAILED)
		return NULL;
	if (!slot->heard && now >= slot->started_ms + patience_ms)
		return "no answer from the server";
	if (slot->state != VC_SLOT_ACTIVE && now >= slot->started_ms + window_ms) {
		if (!slot->heard)
			return "no answer from the server";
		// Stock servers drop a client they refuse before its alert has left them.
		return slot->state == VC_SLOT_SENT_KEY
			? "no answer to our side of the TLS handshake: "
			  "the server may not accept our certificate"
			: "the TLS handshake took too long";
	}
	if (slot->state == VC_SLOT_ACTIVE && !slot->keyed &&
		now >= slot->started_ms + 2 * window_ms)
		return "the server sends no configuration (PUSH_REPLY)";
	return NULL;
}

// Everything is exchanged but the configuration.
static bool waits_for_push(const struct vc_slot *slot)
{
	return slot->state == VC_SLOT_ACTIVE && !slot->keyed && slot->ch.key_id == 0;
}

static void slot_run(struct vc_client *c, struct vc_slot *slot, uint64_t now, uint64_t *due)
{
	struct vc_session *s = &c->session;
	const char *late;
	uint64_t next;

	if (slot->state == VC_SLOT_FAILED)
		return;
	if (vc_slot_step(c, slot, now) < 0) {
		const char *why = ovpn_tls_conn_error(slot->tls);

		(void)vc_slot_output(c, slot, now); // the alert
		slot_failed(c, slot, why[0] != '\0' ? why : "the key exchange failed");
		return;
	}
	if (slot->state == VC_SLOT_ACTIVE && !slot->keyed && slot->ch.key_id != 0)
		renewed(c, slot, now);
	if (slot == s->active && waits_for_push(slot) && now >= s->push_request_ms) {
		s->push_request_ms = now + VC_PUSH_AGAIN_MS;
		(void)vc_slot_say(slot, OVPN_PUSH_REQUEST, NULL);
		(void)vc_slot_step(c, slot, now);
	}
	next = vc_slot_output(c, slot, now);
	if (next < *due)
		*due = next;
	late = slot_late(c, slot, vc_now_ms());
	if (late != NULL)
		slot_failed(c, slot, late);
}

void vc_session_run(struct vc_client *c)
{
	struct vc_session *s = &c->session;
	uint64_t now = vc_now_ms();
	uint64_t due = now + 1000;

	if (s->active != NULL)
		slot_run(c, s->active, now, &due);
	if (s->initial != NULL)
		slot_run(c, s->initial, now, &due);
	if (s->active != NULL && rekey_due(c, s->active, now) && !vc_mobility_busy(&c->mobility) &&
		vc_session_rekey(c) == 0)
		due = now; // queued, and sent by the next round
	if (s->active == NULL && s->initial == NULL)
		return;
	if (s->active != NULL && waits_for_push(s->active) && s->push_request_ms < due)
		due = s->push_request_ms;
	uv_update_time(&c->loop);
	now = vc_now_ms();
	// Never 0: libuv would serve nothing else if something stayed due.
	(void)uv_timer_start(&s->timer, on_timer, due > now ? due - now : 1, 0);
}
