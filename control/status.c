// SPDX-License-Identifier: BSD-3-Clause
#include "control/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/clock.h"
#include "control/ctl.h"
#include "control/peer.h"
#include "shm/session.h"

static const char *state_name(const struct ctl_peer *peer)
{
	switch (peer->state) {
	case CTL_PEER_HANDSHAKE: return "handshake";
	case CTL_PEER_INSTALLING: return "installing";
	case CTL_PEER_CONNECTED: return "connected";
	case CTL_PEER_CLOSING: return "closing";
	case CTL_PEER_DEAD: break;
	}
	return "gone";
}

static const char *wrap_name(enum shm_record_wrap wrap)
{
	switch (wrap) {
	case SHM_RECORD_WRAP_TLS_AUTH: return "tls-auth";
	case SHM_RECORD_WRAP_TLS_CRYPT: return "tls-crypt";
	case SHM_RECORD_WRAP_V2: return "tls-crypt-v2";
	case SHM_RECORD_WRAP_NONE: break;
	}
	return "none";
}

static json_t *flags_of(const struct ctl_peer *peer)
{
	json_t *list = json_array();

	// A failed append leaves a flag out, which is all that can be done then.
	if (peer->tls == NULL || !peer->tls->ready)
		(void)json_array_append_new(list, json_string("no-tls"));
	if ((peer->agreed & CTL_PUSH_MOBILITY) != 0)
		(void)json_array_append_new(list, json_string("mobility"));
	if ((peer->agreed & CTL_PUSH_PEER_ID) == 0)
		(void)json_array_append_new(list, json_string("data-v1"));
	if (peer->state == CTL_PEER_CLOSING)
		(void)json_array_append_new(list, json_string("closing"));
	if ((peer->flags & CTL_PEER_ADOPTED) != 0)
		(void)json_array_append_new(list, json_string("adopted"));
	return list;
}

static void put(json_t *o, const char *name, json_t *value)
{
	// Fails only without memory, or for text that isn't UTF-8: the field is then left out.
	(void)json_object_set_new(o, name, value);
}

static void put_u64(json_t *o, const char *name, uint64_t value)
{
	put(o, name, json_integer((json_int_t)value));
}

static json_t *ago(uint64_t now_ms, uint64_t at_ms)
{
	return at_ms != 0 && at_ms <= now_ms ? json_integer((json_int_t)(now_ms - at_ms))
					     : json_null();
}

static void put_detail(struct ctl *ctl, json_t *o, const struct ctl_peer *peer,
	const struct shm_session_info *info)
{
	uint64_t now = ctl_now_ms();
	char text[CTL_ENDPOINT_TEXT];
	struct shm_endpoint local = { .remote = info->endpoint.local,
		.remote_port_be = info->endpoint.local_port_be };

	(void)ctl;
	put(o, "local", json_string(ctl_endpoint_text(&local, text)));
	put(o, "wrap", json_string(wrap_name(peer->wrap)));
	put_u64(o, "iv_proto", peer->iv_proto);
	put_u64(o, "generation", peer->generation);
	put_u64(o, "owner", info->owner);
	put_u64(o, "tx_owner", info->tx_owner);
	put_u64(o, "sending_key_id", info->key_id);
	put_u64(o, "newest_key_id", peer->keys[peer->primary].key_id);
	put_u64(o, "keys", peer->age);
	put_u64(o, "replays", info->replays);
	put(o, "last_rx_ms_ago", ago(now, info->last_rx_ms));
	put(o, "last_tx_ms_ago", ago(now, info->last_tx_ms));
	put(o, "last_handover_ms_ago", ago(now, info->last_move_ms));
	put(o, "renegotiation_in_ms",
		peer->reneg_ms != CTL_NEVER && peer->reneg_ms > now
			? json_integer((json_int_t)(peer->reneg_ms - now))
			: json_null());
}

json_t *ctl_status_session(struct ctl *ctl, const struct ctl_peer *peer, bool detail)
{
	const struct shm_dir *dir = ctl_link_dir(&ctl->link, peer->slot);
	const struct shm_session *s = ctl_link_session(&ctl->link, peer->slot);
	struct shm_session_info info = { .endpoint = peer->endpoint };
	char text[CTL_ENDPOINT_TEXT];
	char sid[17];
	json_t *o = json_object();

	if (o == NULL)
		return NULL;
	if (dir != NULL && s != NULL)
		(void)shm_session_read(dir, s, &info); // else what control knows by itself
	(void)snprintf(
		sid, sizeof(sid), "%016llx", (unsigned long long)ovpn_get_be64(peer->ch.own_sid));
	put(o, "name", json_string(peer->id.cn));
	put_u64(o, "peer_id", peer->slot);
	put(o, "session", json_string(sid));
	put(o, "state", json_string(state_name(peer)));
	put(o, "address", json_string(ctl_endpoint_text(&info.endpoint, text)));
	put(o, "tunnel", json_string(ctl_addr_text(&peer->tunnel4, text)));
	if (peer->tunnel6.family != 0)
		put(o, "tunnel6", json_string(ctl_addr_text(&peer->tunnel6, text)));
	put_u64(o, "rx_bytes", info.rx_bytes);
	put_u64(o, "tx_bytes", info.tx_bytes);
	put_u64(o, "rx_packets", info.rx_packets);
	put_u64(o, "tx_packets", info.tx_packets);
	put(o, "cipher",
		json_string(ovpn_cipher_info((enum ovpn_cipher)peer->format.cipher)->name));
	put_u64(o, "connected_since", peer->connected_wall_s);
	put_u64(o, "handovers", info.handovers);
	put(o, "flags", flags_of(peer));
	if (detail)
		put_detail(ctl, o, peer, &info);
	return o;
}

static json_t *counters(const struct ctl *ctl)
{
	const struct ctl_counters *c = &ctl->count;
	const struct ctl_first *f = &ctl->first;
	const struct {
		const char *name;
		uint64_t value;
	} list[] = {
		{ "handshakes", c->handshakes },
		{ "in_place_resets", c->in_place },
		{ "renegotiations", c->renegotiations },
		{ "renegotiations_failed", c->renegotiations_failed },
		{ "handshakes_failed", c->tls_failed },
		{ "refused", c->refused },
		{ "handovers", c->handovers },
		{ "timeouts", c->timeouts },
		{ "inactive", c->inactive },
		{ "session_timeouts", c->session_timeouts },
		{ "exits", c->exits },
		{ "adopted", c->adopted },
		{ "aborted", c->aborted },
		{ "stale_messages", c->stale_messages },
		{ "bad_messages", c->bad_messages },
		{ "inject_full", c->inject_full },
		{ "first_replies", f->replies },
		{ "first_accepted", f->accepted },
		{ "first_rate_limited", f->rate_limited },
		{ "first_too_many", f->too_many },
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		put_u64(o, list[i].name, list[i].value);
	for (unsigned r = 1; r < OVPN_FIRST_REASON_COUNT; r++)
		put_u64(o, ovpn_first_reason_name((enum ovpn_first_reason)r), f->dropped[r]);
	return o;
}

json_t *ctl_status_totals(struct ctl *ctl)
{
	json_t *o = json_object();

	if (o == NULL)
		return NULL;
	put(o, "version", json_string(VISP_VERSION));
	put_u64(o, "started", ctl->started_wall_s);
	put(o, "dataplane", json_string(ctl_link_is_up(&ctl->link) ? "up" : "down"));
	put_u64(o, "live", ctl->table.live);
	put_u64(o, "handshaking", ctl->table.half_open);
	put_u64(o, "capacity", ctl->table.slots);
	put(o, "counters", counters(ctl));
	return o;
}

bool ctl_status_matches(const struct ctl_peer *peer, const char *text)
{
	char buf[CTL_ENDPOINT_TEXT];
	char *end;
	unsigned long id;

	if (strcmp(peer->id.cn, text) == 0)
		return true;
	id = strtoul(text, &end, 10);
	if (*end == '\0' && text[0] >= '0' && text[0] <= '9' && strlen(text) < 9)
		return id == peer->slot;
	(void)snprintf(
		buf, sizeof(buf), "%016llx", (unsigned long long)ovpn_get_be64(peer->ch.own_sid));
	if (strcmp(buf, text) == 0 || strcmp(ctl_endpoint_text(&peer->endpoint, buf), text) == 0 ||
		strcmp(ctl_addr_text(&peer->endpoint.remote, buf), text) == 0)
		return true;
	return (peer->tunnel4.family != 0 &&
		       strcmp(ctl_addr_text(&peer->tunnel4, buf), text) == 0) ||
		(peer->tunnel6.family != 0 &&
			strcmp(ctl_addr_text(&peer->tunnel6, buf), text) == 0);
}
