// SPDX-License-Identifier: BSD-3-Clause
#include "client/slot.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/client.h"
#include "client/event.h"
#include "client/hello.h"
#include "client/log.h"
#include "protocol/control_packet.h"
#include "protocol/key_method2.h"
#include "protocol/push.h"

#define VC_SLOT_LATE_MS 10000 // packets under a key that the peer has freed may still arrive
#define VC_SLOT_HOLD_MS 100 // between looks whether control packets may be sent again

static uint32_t wall_s(void)
{
	return (uint32_t)time(NULL);
}

struct vc_slot *vc_slot_create(struct vc_client *c, uint64_t now_ms)
{
	struct vc_slot *slot = calloc(1, sizeof(*slot));
	const struct vc_wrap *wrap = &c->session.wraps[c->connect.remote];
	uint8_t sid[OVPN_SID_LEN];

	if (slot == NULL)
		return NULL;
	do {
		if (RAND_bytes(sid, sizeof(sid)) != 1) {
			errno = EIO;
			goto err;
		}
	} while (ovpn_sid_is_zero(sid));
	slot->tls = ovpn_tls_conn_create(c->tls);
	if (slot->tls == NULL)
		goto err;
	slot->serial = ++c->session.serial;
	slot->started_ms = now_ms;
	ovpn_channel_init(&slot->ch, &c->session.channel_config, false, sid, &wrap->keys, wall_s());
	if (wrap->is_v2 && ovpn_channel_set_wkc(&slot->ch, wrap->v2.wkc, wrap->v2.wkc_len) < 0) {
		errno = EINVAL;
		goto err;
	}
	ovpn_channel_start(&slot->ch, &slot->neg, now_ms);
	return slot;

err:
	(void)vc_slot_free(slot);
	return NULL;
}

struct vc_slot *vc_slot_free(struct vc_slot *slot)
{
	if (slot == NULL)
		return NULL;
	slot->tls = ovpn_tls_conn_free(slot->tls);
	explicit_bzero(slot, sizeof(*slot));
	free(slot);
	return NULL;
}

int vc_slot_renew(struct vc_client *c, struct vc_slot *slot, uint64_t now_ms)
{
	slot->tls = ovpn_tls_conn_free(slot->tls);
	ovpn_prf_input_wipe(&slot->prf);
	slot->tls = ovpn_tls_conn_create(c->tls);
	if (slot->tls == NULL)
		return -ENOMEM;
	vc_engine_renegotiate(c->engine, now_ms + VC_SLOT_LATE_MS);
	slot->state = VC_SLOT_TLS;
	slot->keyed = false;
	slot->started_ms = now_ms;
	return 0;
}

// The client's key-method-2 message.
static int write_key(struct vc_client *c, struct vc_slot *slot)
{
	uint8_t buf[OVPN_KM2_MAX];
	size_t len;
	int rc;

	if (RAND_bytes(slot->prf.pre_master, sizeof(slot->prf.pre_master)) != 1 ||
		RAND_bytes(slot->prf.client_random1, sizeof(slot->prf.client_random1)) != 1 ||
		RAND_bytes(slot->prf.client_random2, sizeof(slot->prf.client_random2)) != 1)
		return -EIO;
	rc = vc_hello_build(c, &slot->prf, buf, sizeof(buf), &len);
	if (rc == 0)
		rc = ovpn_tls_conn_write(slot->tls, buf, len);
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

// The server's key-method-2 message.
static int read_key(struct vc_slot *slot, const uint8_t *buf, size_t len)
{
	struct ovpn_km2 km2;
	int rc = ovpn_km2_parse(buf, len, false, &km2);

	if (rc < 0)
		return rc;
	memcpy(slot->prf.server_random1, km2.random1, sizeof(slot->prf.server_random1));
	memcpy(slot->prf.server_random2, km2.random2, sizeof(slot->prf.server_random2));
	memcpy(slot->prf.client_sid, slot->ch.own_sid, OVPN_SID_LEN);
	memcpy(slot->prf.server_sid, slot->ch.remote_sid, OVPN_SID_LEN);
	slot->options_len = 0;
	if (km2.options.data != NULL && km2.options.len < sizeof(slot->options)) {
		memcpy(slot->options, km2.options.data, km2.options.len);
		slot->options_len = km2.options.len;
	}
	return 0;
}

// Everything that TLS has for us: the key exchange first, then text messages.
static int read_messages(struct vc_client *c, struct vc_slot *slot)
{
	uint8_t buf[OVPN_TLS_MESSAGE_MAX];
	int rc = 0;

	while (rc == 0) {
		int n = ovpn_tls_conn_read(slot->tls, buf, sizeof(buf));

		if (n == 0)
			break;
		if (n < 0) {
			rc = n;
			break;
		}
		if (slot->state == VC_SLOT_SENT_KEY) {
			rc = read_key(slot, buf, (size_t)n);
			if (rc == 0)
				slot->state = VC_SLOT_GOT_KEY;
			if (rc == 0)
				vc_session_exchanged(c, slot);
		} else {
			vc_session_message(c, slot, (const char *)buf, (size_t)n);
		}
	}
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

static void write_tls(struct vc_slot *slot, uint64_t now_ms)
{
	const uint8_t *bytes;
	size_t len, taken;

	while ((len = ovpn_tls_conn_pending(slot->tls, &bytes)) > 0) {
		taken = ovpn_channel_tls_write(&slot->ch, bytes, len, now_ms);
		ovpn_tls_conn_consume(slot->tls, taken);
		if (taken < len)
			return;
	}
}

int vc_slot_step(struct vc_client *c, struct vc_slot *slot, uint64_t now_ms)
{
	const uint8_t *bytes;
	enum ovpn_tls_state tls;
	uint8_t buf[2048];
	size_t n;

	if (slot->state == VC_SLOT_FAILED)
		return -EPROTO;
	while ((n = ovpn_channel_tls_read(&slot->ch, buf, sizeof(buf))) > 0) {
		if (ovpn_tls_conn_feed(slot->tls, buf, n) < 0)
			goto failed;
	}
	if (!ovpn_channel_started(&slot->ch))
		return 0;
	tls = ovpn_tls_conn_step(slot->tls);
	if (tls == OVPN_TLS_READY && slot->state == VC_SLOT_TLS) {
		vc_event("tls", "\"key_id\": %u, \"version\": \"%s\"", slot->ch.key_id,
			ovpn_tls_conn_version(slot->tls));
		if (write_key(c, slot) < 0)
			goto failed;
		slot->state = VC_SLOT_SENT_KEY;
	}
	if (tls == OVPN_TLS_FAILED || tls == OVPN_TLS_CLOSED)
		goto failed;
	if (slot->state != VC_SLOT_TLS && read_messages(c, slot) < 0)
		goto failed;
	write_tls(slot, now_ms);
	if (slot->state == VC_SLOT_GOT_KEY && ovpn_channel_all_acked(&slot->ch) &&
		ovpn_tls_conn_pending(slot->tls, &bytes) == 0)
		slot->state = VC_SLOT_ACTIVE;
	return 0;

failed:
	write_tls(slot, now_ms); // an alert tells the other side why
	slot->state = VC_SLOT_FAILED;
	return -EPROTO;
}

uint64_t vc_slot_output(struct vc_client *c, struct vc_slot *slot, uint64_t now_ms)
{
	uint8_t dgram[OVPN_CHANNEL_DATAGRAM_MAX];
	size_t len;

	// From a new address the server takes control packets only after it has followed; what
	// falls due until then goes out with the evidence (mobility.c runs the session again).
	if (c->link.cur == NULL || (slot->promoted && vc_mobility_busy(&c->mobility)))
		return now_ms + VC_SLOT_HOLD_MS;
	while (ovpn_channel_output(&slot->ch, now_ms, dgram, sizeof(dgram), &len) == 1)
		(void)vc_link_send(&c->link, c->link.cur, dgram, len);
	return ovpn_channel_deadline(&slot->ch);
}

int vc_slot_derive(
	struct vc_slot *slot, bool ekm, enum ovpn_cipher cipher, struct ovpn_data_keys *ret_keys)
{
	uint8_t material[OVPN_KEY_MATERIAL_SIZE];
	int rc;

	if (ekm)
		rc = ovpn_tls_conn_export(
			slot->tls, OVPN_EXPORTER_DATA_KEYS, material, sizeof(material));
	else
		rc = ovpn_prf_derive(&slot->prf, material);
	if (rc == 0)
		rc = ovpn_data_keys_cut(material, cipher, ret_keys);
	explicit_bzero(material, sizeof(material));
	ovpn_prf_input_wipe(&slot->prf);
	return rc;
}

int vc_slot_dynamic(struct vc_client *c, struct vc_slot *slot)
{
	uint8_t exported[OVPN_STATIC_KEY_SIZE];
	const struct vc_wrap *wrap = &c->session.wraps[c->connect.remote];
	struct ovpn_static_key key;
	int rc = ovpn_tls_conn_export(slot->tls, OVPN_EXPORTER_DYNAMIC, exported, sizeof(exported));

	if (rc < 0)
		return rc;
	ovpn_dynamic_key(exported, wrap->has_base ? &wrap->base : NULL, &key);
	ovpn_wrap_keys_tls_crypt(&key, false, &slot->dynamic);
	ovpn_channel_set_dynamic(&slot->ch, &slot->dynamic, wall_s());
	explicit_bzero(exported, sizeof(exported));
	ovpn_static_key_wipe(&key);
	return 0;
}

int vc_slot_say(struct vc_slot *slot, const char *word, const char *text)
{
	char buf[OVPN_MESSAGE_MAX];
	size_t len;
	int rc = ovpn_message_build(word, text, buf, sizeof(buf), &len);

	return rc < 0 ? rc : ovpn_tls_conn_write(slot->tls, buf, len);
}
