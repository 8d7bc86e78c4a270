// SPDX-License-Identifier: BSD-3-Clause
#include "client/forward.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "client/event.h"
#include "client/inner.h"
#include "client/log.h"
#include "protocol/ping.h"

// Batches taken from the device before the other direction gets its turn.
#define VC_FORWARD_ROUNDS 4

// Read packets until the batch is full or the device is empty. Returns how many were read.
static unsigned fill_batch(struct vc_client *c, uint64_t now)
{
	struct vc_tunnel *t = &c->tunnel;
	size_t room = c->link.buf_size - VC_DATA_HEADROOM - VC_DATA_TAILROOM;
	unsigned n = 0;
	uint8_t *buf;

	while ((buf = vc_link_tx_room(&c->link)) != NULL) {
		uint8_t *plain = buf + VC_DATA_HEADROOM, *dgram;
		ssize_t got = read(t->tun.fd, plain, room);
		size_t len;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n++;
		t->tun_rx_packets++;
		(void)vc_mss_clamp(plain, (size_t)got, t->mss);
		if (c->link.cur == NULL ||
			vc_data_seal(&c->data, now, plain, (size_t)got, &dgram, &len) < 0) {
			t->dropped++;
			if (n >= VC_LINK_BATCH)
				break;
			continue;
		}
		c->data.tx_packets++;
		c->data.tx_bytes += (size_t)got;
		c->payload_bytes += (size_t)got;
		vc_link_tx_add(&c->link, dgram, len);
	}
	return n;
}

void vc_forward_up(uv_poll_t *poll, int status, int events)
{
	struct vc_client *c = poll->data;

	(void)events;
	if (status < 0) {
		vc_client_fatal(c, "the tunnel device was taken away");
		return;
	}
	for (unsigned round = 0; round < VC_FORWARD_ROUNDS; round++) {
		uint64_t now = vc_now_ms();
		unsigned n = fill_batch(c, now);

		if (c->link.tx_n > 0) {
			c->last_data_tx_ms = now;
			if (c->link.cur != NULL && !vc_link_tx_flush(&c->link, c->link.cur)) {
				(void)uv_poll_stop(poll); // until the socket has room again
				c->tunnel.reading = false;
				return;
			}
			c->link.tx_n = 0;
			c->link.tx_done = 0;
		}
		if (n < VC_LINK_BATCH || !c->tunnel.reading)
			return;
	}
}

void vc_forward_unblocked(struct vc_client *c, struct vc_sock *sock)
{
	if (!vc_link_tx_flush(&c->link, sock))
		return;
	if (c->link.cur != NULL)
		vc_tunnel_resume(c);
}

static int send_plain(struct vc_client *c, uint8_t *plain, size_t len)
{
	uint8_t *dgram;
	int rc;

	if (c->link.cur == NULL)
		return -ENETUNREACH;
	rc = vc_data_seal(&c->data, vc_now_ms(), plain, len, &dgram, &len);
	return rc < 0 ? rc : vc_link_send(&c->link, c->link.cur, dgram, len);
}

int vc_tunnel_ping(struct vc_client *c)
{
	uint8_t buf[VC_DATA_HEADROOM + OVPN_PING_LEN + VC_DATA_TAILROOM];

	ovpn_ping_put(buf + VC_DATA_HEADROOM);
	return send_plain(c, buf + VC_DATA_HEADROOM, OVPN_PING_LEN);
}

static int send_occ(struct vc_client *c, const struct ovpn_occ *occ)
{
	uint8_t buf[VC_DATA_HEADROOM + 640 + VC_DATA_TAILROOM];
	size_t len;
	int rc = ovpn_occ_build(occ, buf + VC_DATA_HEADROOM, 640, &len);

	return rc < 0 ? rc : send_plain(c, buf + VC_DATA_HEADROOM, len);
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
		reply.options.data = (const uint8_t *)options;
		reply.options.len = sizeof(options) - 1;
		(void)send_occ(c, &reply);
		return false;
	case OVPN_OCC_EXIT: vc_client_again(c, "the server ended the session", 0); return false;
	default: return occ.op == OVPN_OCC_REPLY;
	}
}

static void to_device(struct vc_client *c, uint8_t *plain, size_t len)
{
	struct vc_tunnel *t = &c->tunnel;

	(void)vc_mss_clamp(plain, len, t->mss);
	if (t->tun.fd < 0 || !t->applied) {
		t->dropped++;
		return;
	}
	if (write(t->tun.fd, plain, len) < 0)
		t->tun_tx_errors++; // a full queue or a malformed packet: IP copes with both
	else
		t->tun_tx_packets++;
	c->payload_bytes += len;
}

void vc_tunnel_input(struct vc_client *c, struct vc_sock *sock, uint8_t *dgram, size_t len)
{
	enum ovpn_payload_kind kind;
	uint8_t *plain;
	bool answer = false;

	if (len > c->link.buf_size ||
		vc_data_open(&c->data, dgram, len, c->tunnel.scratch, &plain, &len) < 0)
		return;
	vc_client_alive(c);
	kind = ovpn_payload_classify(plain, len);
	if (kind == OVPN_PAYLOAD_OCC)
		answer = occ_input(c, plain, len);
	else if (kind == OVPN_PAYLOAD_PING)
		answer = true;
	vc_mobility_heard(c, sock, answer);
	if (kind == OVPN_PAYLOAD_IP4 || kind == OVPN_PAYLOAD_IP6)
		to_device(c, plain, len);
}
