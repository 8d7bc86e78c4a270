// SPDX-License-Identifier: BSD-3-Clause
// From the client's key-method-2 to data keys, PUSH_REPLY and a session that counts.
//
// Order (decisions.md C3): keys derived, session and keys acknowledged by the dataplane, our answer
// written into the TLS stream, record written, and only then the answer on the wire.
#define HASH_NONFATAL_OOM 1 // before anything that includes uthash
#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/connect.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"
#include "protocol/key_method2.h"
#include "protocol/mobility.h"
#include "protocol/options_string.h"
#include "protocol/peer_info.h"
#include "protocol/push.h"

#define TAKEOVERS_MS 2000u // in-place resets of one session at most this often (C13)
#define BACKOFF_S 10u // a client that found no room comes back after this

// ---- What the client can do ------------------------------------------------------------------

static void learn_caps(struct ctl *ctl, struct ctl_peer *peer, const char *info, size_t len)
{
	unsigned can = CTL_PUSH_PEER_ID | CTL_PUSH_CC_EXIT | CTL_PUSH_MOBILITY | CTL_PUSH_TUN_MTU;
	struct ovpn_peer_caps caps;

	ovpn_peer_info_caps(info, len, &caps);
	if (peer->nego->exported)
		can |= CTL_PUSH_TLS_EKM | CTL_PUSH_DYN_TLS_CRYPT | CTL_PUSH_EPOCH;
	if (ctl->cfg->data_format == CFG_FORMAT_V1)
		can &= ~(unsigned)(CTL_PUSH_PEER_ID | CTL_PUSH_EPOCH);
	else if (ctl->cfg->data_format == CFG_FORMAT_V2)
		can &= ~(unsigned)CTL_PUSH_EPOCH;
	peer->iv_proto = caps.iv_proto;
	peer->agreed = ctl_push_agree(ctl->cfg, &caps, can);
	if ((caps.iv_proto & OVPN_IV_PROTO_REQUEST_PUSH) != 0)
		peer->flags |= CTL_PEER_WANTS_PUSH;
}

// Returns NULL, or why this client can't be served.
static const char *decide_format(struct ctl *ctl, struct ctl_peer *peer, const struct ovpn_km2 *km)
{
	const char *why = ctl_format_decide(ctl->cfg, &ctl->ciphers, km,
		peer->endpoint.remote.family == AF_INET6, &peer->agreed, &peer->format);

	peer->flags &= ~(uint32_t)CTL_PEER_NCP;
	if (why == NULL && peer->format.push_cipher)
		peer->flags |= CTL_PEER_NCP;
	return why;
}

// ---- Answers ---------------------------------------------------------------------------------

static int build_answer(
	struct ctl *ctl, struct ctl_peer *peer, const struct ovpn_km2 *km, const uint8_t random[64])
{
	// A client that takes tun-mtu by push has nothing to be warned of.
	const uint32_t mtu = (peer->agreed & CTL_PUSH_TUN_MTU) == 0 ? ctl->cfg->tun_mtu : 0;
	char options[OVPN_OPTIONS_MAX];
	struct ovpn_km2 answer = { .random1 = random, .random2 = random + OVPN_KM2_RANDOM_LEN };
	uint8_t buf[OVPN_KM2_MAX];
	size_t len;
	int rc;

	answer.options.data = (const uint8_t *)ctl->options;
	answer.options.len = strlen(ctl->options);
	if (ovpn_options_answer((const char *)km->options.data, km->options.len, mtu, options,
		    sizeof(options), &len) == 0) {
		answer.options.data = (const uint8_t *)options;
		answer.options.len = len;
	}
	rc = ovpn_km2_build(&answer, false, buf, sizeof(buf), &len);
	if (rc == 0)
		rc = ctl_bytes_add(&peer->nego->answer, buf, len);
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

static int write_answer(struct ctl_peer *peer)
{
	int rc = ctl_tls_message(peer, peer->nego->answer.data, peer->nego->answer.len);

	ctl_bytes_done(&peer->nego->answer);
	return rc;
}

// The client learns why: our key-method-2 has to come first, for it is what it waits for.
static void refuse(struct ctl *ctl, struct ctl_peer *peer, const char *reason, const char *why)
{
	char text[OVPN_MESSAGE_MAX];
	size_t len;

	ctl->count.refused++;
	ctl_peer_log(CTL_WARN, peer, "client refused reason=\"%s\"", reason != NULL ? reason : why);
	peer->nego->step = CTL_NEGO_REFUSED;
	if ((peer->nego->answered || write_answer(peer) == 0) &&
		ovpn_message_build("AUTH_FAILED", reason, text, sizeof(text), &len) == 0)
		(void)ctl_tls_message(peer, text, len); // without it the client times out
	ctl_peer_close(ctl, peer, NULL, why);
	ctl_peer_pump(ctl, peer);
}

// The same for what may be better later. A plain AUTH_FAILED would make the client end.
static void refuse_for_now(struct ctl *ctl, struct ctl_peer *peer, const char *reason)
{
	char text[160];

	if ((peer->iv_proto & OVPN_IV_PROTO_AUTH_FAIL_TEMP) != 0)
		(void)snprintf(text, sizeof(text), "TEMP[backoff %u]:%s", BACKOFF_S, reason);
	else
		(void)snprintf(text, sizeof(text), "%s", reason);
	refuse(ctl, peer, text, "no-room");
}

// ---- Keys ------------------------------------------------------------------------------------

static int derive(struct ctl_peer *peer, const struct ovpn_km2 *km, const uint8_t random[64],
	struct ovpn_data_keys *ret_keys)
{
	struct ovpn_prf_input in;
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	int rc = 0;

	if ((peer->agreed & CTL_PUSH_TLS_EKM) != 0) {
		memcpy(material, peer->nego->data_keys, sizeof(material));
		rc = peer->nego->exported ? 0 : -EIO;
	} else {
		memcpy(in.pre_master, km->pre_master, sizeof(in.pre_master));
		memcpy(in.client_random1, km->random1, sizeof(in.client_random1));
		memcpy(in.client_random2, km->random2, sizeof(in.client_random2));
		memcpy(in.server_random1, random, sizeof(in.server_random1));
		memcpy(in.server_random2, random + OVPN_KM2_RANDOM_LEN, sizeof(in.server_random2));
		memcpy(in.client_sid, peer->ch.remote_sid, sizeof(in.client_sid));
		memcpy(in.server_sid, peer->ch.own_sid, sizeof(in.server_sid));
		rc = ovpn_prf_derive(&in, material);
		ovpn_prf_input_wipe(&in);
	}
	if (rc == 0)
		rc = ovpn_data_keys_cut(material, (enum ovpn_cipher)peer->format.cipher, ret_keys);
	explicit_bzero(material, sizeof(material));
	explicit_bzero(peer->nego->data_keys, sizeof(peer->nego->data_keys));
	return rc;
}

static int set_dynamic(struct ctl *ctl, struct ctl_peer *peer)
{
	const struct ovpn_static_key *base = NULL;
	struct ovpn_static_key exported, key;

	if ((peer->agreed & CTL_PUSH_DYN_TLS_CRYPT) == 0)
		return 0;
	peer->dynamic = calloc(1, sizeof(*peer->dynamic));
	if (peer->dynamic == NULL)
		return -ENOMEM;
	if (peer->wrap == SHM_RECORD_WRAP_V2)
		base = peer->kc;
	else if (peer->wrap == SHM_RECORD_WRAP_TLS_CRYPT)
		base = &ctl->wrap.tls_crypt_key;
	else if (peer->wrap == SHM_RECORD_WRAP_TLS_AUTH)
		base = &ctl->wrap.tls_auth_key;
	memcpy(exported.bytes, peer->nego->dynamic_key, sizeof(exported.bytes));
	ovpn_dynamic_key(exported.bytes, base, &key);
	ovpn_wrap_keys_tls_crypt(&key, true, peer->dynamic);
	ovpn_channel_set_dynamic(&peer->ch, peer->dynamic, ctl_wall_s());
	ovpn_static_key_wipe(&exported);
	ovpn_static_key_wipe(&key);
	explicit_bzero(peer->nego->dynamic_key, sizeof(peer->nego->dynamic_key));
	return 0;
}

// ---- Commands --------------------------------------------------------------------------------

static void on_installed(
	struct ctl *ctl, struct ctl_peer *peer, const struct shm_cmd *cmd, int status)
{
	struct ctl_nego *nego = peer->nego;

	if (nego == NULL || nego->step != CTL_NEGO_KEYS || nego->waiting == 0)
		return;
	if (cmd->kind == SHM_CMD_KEY && status == -EBUSY) {
		nego->deferred = true; // transmission is still in that key slot
		return;
	}
	if (status < 0 && nego->failed == 0)
		nego->failed = status;
	if (--nego->waiting > 0)
		return;
	if (nego->failed < 0) {
		ctl_peer_log(CTL_ERROR, peer, "the dataplane refuses the session error=%s",
			strerrorname_np(-nego->failed));
		if (peer->state == CTL_PEER_CONNECTED)
			ctl_nego_failed(ctl, peer, "the dataplane refused the key");
		else
			refuse(ctl, peer, "internal error", "dataplane-refused");
		return;
	}
	if (!nego->answered && write_answer(peer) < 0) {
		ctl_nego_failed(ctl, peer, "out of memory");
		return;
	}
	nego->step = CTL_NEGO_ANSWER;
	if (nego->first)
		ctl_connect_push(ctl, peer);
	// What was answered before counts from now on; a PUSH_REPLY that waits does the same first.
	if (nego->answered && peer->tls != NULL && peer->tls->messages.len == 0)
		ctl_connect_commit(ctl, peer);
	ctl_peer_pump(ctl, peer);
}

int ctl_connect_install(struct ctl *ctl, struct ctl_peer *peer, bool wait)
{
	struct shm_cmd cmd = {
		.kind = SHM_CMD_INSTALL, .slot = peer->slot, .generation = peer->generation
	};
	struct shm_cmd_install *in = &cmd.install;

	in->endpoint = peer->endpoint;
	memcpy(in->server_sid, peer->ch.own_sid, sizeof(in->server_sid));
	memcpy(in->client_sid, peer->ch.remote_sid, sizeof(in->client_sid));
	in->tunnel4 = peer->tunnel4;
	in->tunnel6 = peer->tunnel6;
	in->ping_interval_ms = ctl->cfg->ping_s * 1000;
	in->timeout_ms = ctl->cfg->ping_restart_s * 1000;
	in->tun_mtu = (uint16_t)ctl->cfg->tun_mtu;
	ctl_connect_mss(ctl->cfg, peer, &in->mss4, &in->mss6);
	in->dir_flags = ctl_format_dir_flags(peer);
	in->compress = peer->format.compress;
	in->fragment_max = peer->format.fragment;
	memcpy(in->name, peer->id.cn, sizeof(in->name) - 1); // for people: cut, still terminated
	return ctl_command_send(ctl, &cmd, peer->worker, peer, wait ? on_installed : NULL);
}

// Time from now at which transmission changes to the key of this negotiation (protocol.md 11.3).
static uint32_t tx_delay(struct ctl *ctl, const struct ctl_peer *peer, uint64_t now_ms)
{
	uint64_t at = peer->nego->started_ms + ctl_key_activation_ms(ctl->cfg);

	if (peer->nego->first)
		return 0; // a first key, also that of an in-place reset, is used at once
	return at > now_ms ? (uint32_t)(at - now_ms) : 1;
}

static int send_key(struct ctl *ctl, struct ctl_peer *peer)
{
	uint64_t now = ctl_now_ms();
	struct shm_cmd cmd = {
		.kind = SHM_CMD_KEY, .slot = peer->slot, .generation = peer->generation
	};
	struct shm_cmd_key *key = &cmd.key;
	const struct ovpn_data_keys *keys = &peer->nego->keys;
	int rc;

	key->which = peer->nego->which;
	key->key_id = peer->ch.key_id;
	key->cipher = peer->format.cipher;
	key->digest = peer->format.digest;
	key->net_time = (uint32_t)ctl_wall_s();
	key->age = peer->nego->age;
	key->tx_delay_ms = tx_delay(ctl, peer, now);
	memcpy(key->rx.cipher_key, keys->dir[OVPN_KEY_C2S].cipher_key, sizeof(key->rx.cipher_key));
	memcpy(key->rx.hmac_key, keys->dir[OVPN_KEY_C2S].hmac_key, sizeof(key->rx.hmac_key));
	memcpy(key->tx.cipher_key, keys->dir[OVPN_KEY_S2C].cipher_key, sizeof(key->tx.cipher_key));
	memcpy(key->tx.hmac_key, keys->dir[OVPN_KEY_S2C].hmac_key, sizeof(key->tx.hmac_key));
	rc = ctl_command_send(ctl, &cmd, peer->worker, peer, on_installed);
	explicit_bzero(&cmd, sizeof(cmd));
	return rc;
}

uint8_t ctl_connect_sending(struct ctl *ctl, const struct ctl_peer *peer)
{
	struct shm_session *s = (struct shm_session *)(uintptr_t)ctl_link_session(
		&ctl->link, peer->slot); // loaded only

	return s != NULL ? atomic_load_explicit(&s->tx_slot, memory_order_relaxed) : 0xff;
}

// ---- Slot and session ------------------------------------------------------------------------

// Is this the session of the same identity at the same address?
static bool is_predecessor(const void *elem, const void *key)
{
	const struct ctl_peer *p = elem;
	const struct ctl_peer *peer = key;

	return p != peer && p->slot != SHM_SLOT_NONE && p->state == CTL_PEER_CONNECTED &&
		p->endpoint.remote_port_be == peer->endpoint.remote_port_be &&
		memcmp(&p->endpoint.remote, &peer->endpoint.remote, sizeof(p->endpoint.remote)) ==
		0 &&
		strcmp(p->id.cn, peer->id.cn) == 0 &&
		memcmp(p->id.chain_hash, peer->id.chain_hash, sizeof(p->id.chain_hash)) == 0 &&
		p->user.proven == peer->user.proven &&
		memcmp(p->user.hash, peer->user.hash, sizeof(p->user.hash)) == 0;
}

// An in-place reset: the same identity at the same address has a session (decisions.md C6).
static struct ctl_peer *find_takeover(struct ctl *ctl, const struct ctl_peer *peer)
{
	if (!peer->id.has_cert && !peer->user.proven)
		return NULL;
	return ctl_table_name_at(&ctl->table, peer->id.cn, &peer->endpoint, is_predecessor, peer);
}

static void take_over(struct ctl *ctl, struct ctl_peer *peer, struct ctl_peer *old)
{
	uint8_t sending;

	// What the old session was negotiating is void: the client has given it up. So is an
	// earlier attempt to continue it.
	ctl_peer_abandon(ctl, old);
	ctl_command_forget(old);
	ctl_nego_end(ctl, old);
	peer->nego->takes_over = old;
	old->heir = peer;
	peer->slot = old->slot;
	peer->generation = old->generation;
	peer->tunnel4 = old->tunnel4;
	peer->tunnel6 = old->tunnel6;
	peer->worker = old->worker;
	memcpy(peer->keys, old->keys, sizeof(peer->keys));
	peer->primary = old->primary;
	// Not always the older key: the newest may be one that its client never got to know.
	sending = ctl_connect_sending(ctl, old);
	peer->nego->which = (sending < SHM_KEY_SLOTS ? sending : old->primary) ^ 1;
	peer->nego->age = ++old->age;
	peer->age = old->age;
}

// A slot and addresses of its own. Returns NULL, or why not, as the client is told.
static const char *get_place(struct ctl *ctl, struct ctl_peer *peer)
{
	const char *text = "internal error";
	struct shm_dir *d; // loaded only
	int rc;

	if (ctl->table.live >= ctl->cfg->max_clients)
		return "the server is full (max-clients)";
	rc = ctl_policy_grant(ctl->policy, peer->id.cn, NULL, NULL, &peer->grant, &text);
	if (rc < 0)
		return text;
	if (ctl_slots_take(&ctl->slots, ctl_now_ms(), &peer->slot) < 0) {
		// Else its tries would use up the addresses, too.
		peer->grant = ctl_grant_free(ctl->policy, peer->grant);
		peer->slot = SHM_SLOT_NONE;
		return "the server is full (sessions)";
	}
	d = (struct shm_dir *)(uintptr_t)ctl_link_dir(&ctl->link, peer->slot);
	if (d == NULL) {
		// The table isn't mapped, or is smaller than the one that the slot is of: nobody
		// can use it.
		peer->grant = ctl_grant_free(ctl->policy, peer->grant);
		peer->slot = SHM_SLOT_NONE;
		return "the server is being restarted";
	}
	peer->generation = (uint16_t)(atomic_load(&d->generation) + 1);
	peer->tunnel4 = ctl_policy_tunnel(&peer->grant->address);
	peer->tunnel6 = ctl_policy_tunnel(&peer->grant->address6);
	peer->nego->which = 0;
	peer->nego->age = 1;
	peer->age = 1;
	ctl_table_set_slot(&ctl->table, peer->slot, peer);
	peer->state = CTL_PEER_INSTALLING;
	return NULL;
}

static void install(struct ctl *ctl, struct ctl_peer *peer)
{
	peer->nego->step = CTL_NEGO_KEYS;
	peer->nego->waiting = 2;
	if (ctl_connect_install(ctl, peer, true) < 0 || send_key(ctl, peer) < 0)
		ctl_nego_failed(ctl, peer, "out of memory");
}

void ctl_connect_welcomed(struct ctl *ctl, struct ctl_peer *peer)
{
	install(ctl, peer);
}

static bool is_one_of_a_kind(const struct ctl *ctl, const struct ctl_peer *peer)
{
	return !ctl->cfg->duplicate_cn && peer->id.cn[0] != '\0';
}

static void install_new(struct ctl *ctl, struct ctl_peer *peer)
{
	const char *text;

	if (is_one_of_a_kind(ctl, peer) && ctl_visits_leaving(ctl, peer->id.cn)) {
		ctl_connect_waits(ctl, peer, CTL_NEGO_FAREWELL);
		ctl_peer_pump(ctl, peer);
		return;
	}
	text = get_place(ctl, peer);
	if (text != NULL)
		refuse_for_now(ctl, peer, text);
	else
		ctl_visit_ask(ctl, peer);
}

// A client that comes back from elsewhere gets its old tunnel address again, so its old session has
// to go before. Returns true when there was one: the new one waits for the dataplane.
static bool make_place(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_peer *p, *next;
	bool waits = false;
	uint32_t slot;

	if (!is_one_of_a_kind(ctl, peer))
		return false;
	slot = ctl_visits_replace(ctl, peer);
	if (slot != SHM_SLOT_NONE) {
		peer->nego->old_slot = slot;
		waits = true;
	}
	for (p = ctl_table_name_next(&ctl->table, peer->id.cn, NULL); p != NULL; p = next) {
		next = p->name_next;
		peer->nego->old_slot = p->slot;
		waits = true;
		ctl_peer_replaced(ctl, p);
	}
	return waits;
}

// Wait for the end of the session in nego->old_slot.
static void wait_for_place(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego *nego = peer->nego;

	nego->step = CTL_NEGO_PLACE;
	HASH_ADD(hh, ctl->waiting, old_slot, sizeof(nego->old_slot), nego);
	nego->waits = nego->hh.tbl != NULL;
	if (!nego->waits)
		ctl_nego_failed(ctl, peer, "out of memory");
}

void ctl_connect_place_free(struct ctl *ctl, uint32_t slot)
{
	struct ctl_nego *nego = NULL;

	ctl_peer_reap(ctl); // gives the addresses of removed sessions back
	for (;;) {
		HASH_FIND(hh, ctl->waiting, &slot, sizeof(slot), nego);
		if (nego == NULL)
			return;
		ctl_nego_let_go(ctl, nego->peer);
		if (nego->step == CTL_NEGO_PLACE && nego->peer->state == CTL_PEER_HANDSHAKE)
			install_new(ctl, nego->peer);
	}
}

// The client may have come several times meanwhile: each replaces the one before it.
void ctl_connect_farewell_over(struct ctl *ctl, struct ctl_peer *peer)
{
	if (peer->state != CTL_PEER_HANDSHAKE || ctl_visits_leaving(ctl, peer->id.cn))
		return;
	if (make_place(ctl, peer))
		wait_for_place(ctl, peer);
	else
		install_new(ctl, peer);
}

// First negotiation: session and key.
static void install_first(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_peer *old = find_takeover(ctl, peer);

	if (old != NULL && old->takeover_ms != 0 &&
		ctl_now_ms() - old->takeover_ms < TAKEOVERS_MS) {
		ctl_nego_failed(ctl, peer, "too many in-place resets");
		return;
	}
	if (old != NULL) {
		take_over(ctl, peer, old);
		install(ctl, peer);
	} else if (make_place(ctl, peer)) {
		wait_for_place(ctl, peer);
	} else {
		install_new(ctl, peer);
	}
}

// Renegotiation: a key more. The slot that it goes to may still be what the dataplane sends with,
// when the last renegotiation was shorter ago than its key's activation takes: then it waits.
static void install_next(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego *nego = peer->nego;

	nego->step = CTL_NEGO_KEYS;
	nego->waiting = 1;
	nego->which = peer->primary ^ 1;
	nego->deferred = ctl_connect_sending(ctl, peer) == nego->which;
	if (nego->deferred)
		return;
	nego->age = ++peer->age;
	peer->keys[nego->which].valid = false;
	if (send_key(ctl, peer) < 0)
		ctl_nego_failed(ctl, peer, "out of memory");
}

void ctl_connect_resume(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego *nego = peer->nego;

	if (ctl_connect_sending(ctl, peer) == nego->which)
		return;
	nego->deferred = false;
	if (!nego->first)
		install_next(ctl, peer);
	else if (send_key(ctl, peer) < 0)
		ctl_nego_failed(ctl, peer, "out of memory");
}

void ctl_connect_key_method(
	struct ctl *ctl, struct ctl_peer *peer, const uint8_t *message, size_t len)
{
	uint8_t random[2 * OVPN_KM2_RANDOM_LEN];
	struct ovpn_km2 km;
	const char *why;
	int rc = ovpn_km2_parse(message, len, true, &km);

	if (rc == 0 && peer->nego->first)
		learn_caps(ctl, peer, (const char *)km.peer_info.data, km.peer_info.len);
	if (rc < 0 || RAND_bytes(random, sizeof(random)) != 1 ||
		build_answer(ctl, peer, &km, random) < 0) {
		ctl_nego_failed(ctl, peer, "key-method-2 message is malformed");
		return;
	}
	why = peer->nego->first ? decide_format(ctl, peer, &km) : NULL;
	if (why != NULL) {
		refuse(ctl, peer, why, "no-shared-format");
		return;
	}
	rc = derive(peer, &km, random, &peer->nego->keys);
	if (rc == 0 && peer->nego->first)
		rc = set_dynamic(ctl, peer);
	explicit_bzero(random, sizeof(random));
	if (rc < 0)
		ctl_nego_failed(ctl, peer, "keys can't be derived");
	else
		ctl_auth_begin(ctl, peer, &km);
}

// ---- Verdicts --------------------------------------------------------------------------------

void ctl_connect_admitted(struct ctl *ctl, struct ctl_peer *peer)
{
	if (peer->nego->first)
		install_first(ctl, peer);
	else
		install_next(ctl, peer);
}

void ctl_connect_denied(struct ctl *ctl, struct ctl_peer *peer, const char *reason, const char *why)
{
	bool session = peer->state == CTL_PEER_CONNECTED;

	// Clients that don't know TEMP would take it for a part of the text.
	if (reason != NULL && strncmp(reason, "TEMP", 4) == 0 && strchr(reason, ':') != NULL &&
		(peer->iv_proto & OVPN_IV_PROTO_AUTH_FAIL_TEMP) == 0)
		reason = strchr(reason, ':') + 1;
	if (session)
		ctl_peer_drop_keys(ctl, peer); // it isn't who it was
	refuse(ctl, peer, reason, why);
}

void ctl_connect_denied_for_now(struct ctl *ctl, struct ctl_peer *peer, const char *reason)
{
	refuse_for_now(ctl, peer, reason);
}

void ctl_connect_waits(struct ctl *ctl, struct ctl_peer *peer, enum ctl_nego_step step)
{
	struct ctl_nego *nego = peer->nego;

	nego->step = step;
	// A client waits for our keys as long as hand-window, but longer for a PUSH_REPLY. In a
	// renegotiation the answer would have it use keys that nobody accepts yet.
	if (!nego->first || nego->answered)
		return;
	if (write_answer(peer) < 0)
		ctl_nego_failed(ctl, peer, "out of memory");
	else
		nego->answered = true;
}
