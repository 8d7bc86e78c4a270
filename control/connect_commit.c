// SPDX-License-Identifier: BSD-3-Clause
// From the moment that our answer is in the TLS stream: the session and its key count, and the
// client learns what it was given.
#include <stdio.h>
#include <string.h>

#include "config/server.h"
#include "control/clock.h"
#include "control/connect.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "control/policy.h"

// ---- Commit ----------------------------------------------------------------------------------

// The session that this one continues gives everything to it.
static void inherit(struct ctl *ctl, struct ctl_peer *peer, struct ctl_peer *old)
{
	peer->grant = old->grant;
	old->grant = NULL;
	peer->connected_ms = old->connected_ms;
	peer->connected_wall_s = old->connected_wall_s;
	peer->record_sequence = old->record_sequence;
	peer->takeover_ms = ctl_now_ms();
	ctl_visit_inherit(ctl, peer, old);
	ctl_table_set_slot(&ctl->table, peer->slot, peer);
	old->slot = SHM_SLOT_NONE;
	ctl_nego_let_go(ctl, peer);
	ctl->count.in_place++;
	ctl_peer_drop(ctl, old);
}

static void remove_duplicates(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_peer *p, *next;

	if (ctl->cfg->duplicate_cn || peer->id.cn[0] == '\0')
		return;
	for (p = ctl_table_name_next(&ctl->table, peer->id.cn, NULL); p != NULL; p = next) {
		next = p->name_next;
		if (p != peer)
			ctl_peer_replaced(ctl, p);
	}
}

// What differs from the usual format, and why lazy mode isn't there although it was asked for.
static void log_format(struct ctl *ctl, const struct ctl_peer *peer)
{
	const struct ctl_format *f = &peer->format;
	const char *name = ovpn_cipher_info((enum ovpn_cipher)f->cipher)->name;

	if (!ovpn_cipher_is_aead((enum ovpn_cipher)f->cipher) || f->fragment != 0 ||
		f->compress != OVPN_COMPRESS_NONE)
		ctl_peer_log(CTL_INFO, peer,
			"data format cipher=%s auth=%s framing=\"%s\" fragment=%u", name,
			ovpn_digest_name((enum ovpn_digest)f->digest),
			f->compress == OVPN_COMPRESS_NONE
				? "none"
				: ctl_format_compress_option((enum ovpn_compress)f->compress),
			f->fragment);
	if (ctl->cfg->mobility == CFG_MOBILITY_LAZY && (peer->agreed & CTL_PUSH_MOBILITY) != 0 &&
		(peer->agreed & CTL_PUSH_LAZY) == 0)
		ctl_peer_log(CTL_INFO, peer,
			"no lazy mode: packets with %s have no room for a session id, so the "
			"client has to send reconfiguration Pings",
			name);
}

static void commit_first(struct ctl *ctl, struct ctl_peer *peer)
{
	char addr[CTL_ENDPOINT_TEXT], addr6[CTL_ENDPOINT_TEXT];
	bool six = peer->tunnel6.family != 0;
	bool again = peer->nego->takes_over != NULL;

	if (again) {
		inherit(ctl, peer, peer->nego->takes_over);
	} else {
		peer->connected_ms = ctl_now_ms();
		peer->connected_wall_s = ctl_wall_s();
	}
	peer->state = CTL_PEER_CONNECTED;
	if (!again)
		ctl_visit_commit(ctl, peer);
	ctl->count.handshakes++;
	ctl_first_closed(ctl, peer);
	if (ctl_table_name_add(&ctl->table, peer) < 0)
		ctl_peer_log(CTL_ERROR, peer, "out of memory, not found by its name");
	remove_duplicates(ctl, peer);
	if (!again)
		ctl_connect_iroutes(ctl, peer);
	if (peer->kc != NULL)
		ovpn_static_key_wipe(peer->kc);
	log_format(ctl, peer);
	ctl_peer_log(CTL_INFO, peer, "%s slot=%u tunnel=%s%s%s cipher=%s tls=\"%s\" data=%s",
		again ? "session continued in place" : "session connected", peer->slot,
		ctl_addr_text(&peer->tunnel4, addr), six ? " tunnel6=" : "",
		six ? ctl_addr_text(&peer->tunnel6, addr6) : "",
		ovpn_cipher_info((enum ovpn_cipher)peer->format.cipher)->name, peer->nego->suite,
		(peer->agreed & CTL_PUSH_PEER_ID) != 0 ? "v2" : "v1");
}

void ctl_connect_commit(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_nego *nego = peer->nego;
	uint8_t which = nego->which;
	bool first = nego->first;

	if (first)
		commit_first(ctl, peer);
	peer->keys[which] = (struct ctl_key){ .valid = true,
		.key_id = peer->ch.key_id,
		.age = nego->age,
		.made_ms = nego->started_ms };
	peer->primary = which;
	ovpn_data_keys_wipe(&nego->keys);
	if (peer->keys[which ^ 1].valid)
		peer->keys[which ^ 1].retire_ms =
			ctl_now_ms() + (uint64_t)ctl->cfg->tls.tran_window_s * 1000;
	peer->flags &= ~(uint32_t)CTL_PEER_ADOPTED;
	nego->step = CTL_NEGO_DONE;
	ovpn_channel_established(&peer->ch);
	ctl_rekey_plan(ctl, peer);
	if (first)
		return;
	ctl->count.renegotiations++;
	ctl_auth_send_token(ctl, peer);
	ctl_peer_log(
		CTL_INFO, peer, "renegotiated key_id=%u tls=\"%s\"", peer->ch.key_id, nego->suite);
}

// ---- PUSH_REPLY ------------------------------------------------------------------------------

static int write_push(void *arg, const char *message, size_t len)
{
	return ctl_tls_message(arg, message, len);
}

void ctl_connect_push(struct ctl *ctl, struct ctl_peer *peer)
{
	struct ctl_push_facts facts = { .agreed = peer->agreed, .peer_id = peer->slot };
	const struct ctl_grant *grant = peer->grant;
	char token[CTL_AUTH_TOKEN_OPTION];
	uint64_t now = ctl_now_ms();
	int rc;

	if ((peer->flags & CTL_PEER_WANTS_PUSH) == 0 || peer->nego == NULL ||
		(peer->nego->step != CTL_NEGO_ANSWER && peer->nego->step != CTL_NEGO_DONE))
		return;
	if ((peer->flags & CTL_PEER_PUSHED) != 0 && now - peer->pushed_ms < CTL_PUSH_AGAIN_MS)
		return;
	if (peer->nego->takes_over != NULL)
		grant = peer->nego->takes_over->grant;
	if ((peer->flags & CTL_PEER_NCP) != 0)
		facts.cipher = ovpn_cipher_info((enum ovpn_cipher)peer->format.cipher)->name;
	if (peer->format.push_compress)
		facts.compress =
			ctl_format_compress_option((enum ovpn_compress)peer->format.compress);
	if (grant == NULL)
		return;
	ctl_auth_token_option(ctl, peer, token);
	if (token[0] != '\0')
		facts.auth_token = token;
	peer->user.token_sent_ms = now;
	rc = ctl_policy_push(ctl->policy, grant, &facts, write_push, peer);
	if (rc < 0)
		ctl_peer_log(
			CTL_ERROR, peer, "options can't be pushed error=%s", strerrorname_np(-rc));
	explicit_bzero(token, sizeof(token));
	peer->flags |= CTL_PEER_PUSHED;
	peer->pushed_ms = now;
}
