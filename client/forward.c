// SPDX-License-Identifier: BSD-3-Clause
#include "client/forward.h"

#include <errno.h>

#include "client/client.h"
#include "client/log.h"
#include "protocol/ping.h"

static int send_plain(struct vc_client *c, const uint8_t *plain, size_t len)
{
	if (c->link.cur == NULL)
		return -ENETUNREACH;
	return vc_engine_send(c->engine, c->link.cur->id, plain, len, NULL);
}

int vc_tunnel_ping(struct vc_client *c)
{
	uint8_t ping[OVPN_PING_LEN];

	ovpn_ping_put(ping);
	return send_plain(c, ping, sizeof(ping));
}

static int send_occ(struct vc_client *c, const struct ovpn_occ *occ)
{
	uint8_t buf[VC_ENGINE_MESSAGE_MAX];
	size_t len;
	int rc = ovpn_occ_build(occ, buf, sizeof(buf), &len);

	return rc < 0 ? rc : send_plain(c, buf, len);
}

int vc_tunnel_occ_exit(struct vc_client *c)
{
	struct ovpn_occ occ = { .op = OVPN_OCC_EXIT };

	return send_occ(c, &occ);
}

// An OCC message of the server. Returns true for a reply to ours.
static bool occ_input(struct vc_client *c, const uint8_t *plain, size_t len)
{
	static const char options[] = "V4,dev-type tun,proto UDPv4,key-method 2,tls-client";
	struct ovpn_occ occ, reply = { .op = OVPN_OCC_REPLY };

	if (ovpn_occ_parse(plain, len, &occ) < 0)
		return false;
	switch (occ.op) {
	case OVPN_OCC_REQUEST:
		if (c->session.is_static)
			return false; // the string speaks of TLS; peers do without an answer
		reply.options.data = (const uint8_t *)options;
		reply.options.len = sizeof(options) - 1;
		(void)send_occ(c, &reply);
		return false;
	case OVPN_OCC_EXIT: vc_client_again(c, "the server ended the session", 0); return false;
	default: return occ.op == OVPN_OCC_REPLY;
	}
}

static void from_control(struct vc_client *c, const uint8_t *dgram, size_t len)
{
	// While leaving, what can come is the acknowledgement of our EXIT.
	if (c->phase != VC_PHASE_LEAVE || c->session.active != NULL)
		vc_session_input(c, dgram, len);
}

void vc_forward_note(void *arg, const struct vc_note *note)
{
	struct vc_client *c = arg;
	struct vc_sock *sock = vc_link_sock(&c->link, note->sock);

	if (note->kind == VC_NOTE_DEVICE) {
		vc_client_fatal(c, "the tunnel device was taken away");
		return;
	}
	if (sock == NULL)
		return; // closed since
	if (note->kind == VC_NOTE_HEARD || note->kind == VC_NOTE_OCC)
		vc_client_heard(c);
	switch (note->kind) {
	case VC_NOTE_CONTROL: from_control(c, note->bytes, note->len); break;
	case VC_NOTE_HEARD: vc_mobility_heard(c, sock, note->answer); break;
	case VC_NOTE_OCC:
		if (occ_input(c, note->bytes, note->len))
			vc_mobility_heard(c, sock, true);
		break;
	case VC_NOTE_ERROR: c->link.on_error(c, sock, note->error); break;
	case VC_NOTE_DEVICE: break;
	}
}

static uint64_t newer(uint64_t a, const atomic_ullong *b)
{
	uint64_t v = atomic_load_explicit(b, memory_order_relaxed);

	return v > a ? v : a;
}

void vc_forward_sync(struct vc_client *c)
{
	const struct vc_engine_stats *s = vc_engine_stats(c->engine);
	uint64_t rx_ms = newer(c->last_rx_ms, &s->rx_ms);

	if (rx_ms > c->last_rx_ms) {
		c->last_rx_ms = rx_ms;
		c->last_rx_boot_ms = rx_ms + c->boot_offset_ms;
	}
	c->last_data_tx_ms = newer(c->last_data_tx_ms, &s->data_tx_ms);
	c->last_tx_ms = newer(c->last_tx_ms, &s->tx_ms);
}
