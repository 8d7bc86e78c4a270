// SPDX-License-Identifier: BSD-3-Clause
// A control channel under a stream of operations and packets that a peer made up. The packets are
// wrapped with the right key, so that everything behind the HMAC is reached.
//
// Input: first byte: role and wrapping. Then records: operation, length, so many bytes.
#include <stdlib.h>
#include <string.h>

#include "protocol/tls/channel.h"
#include "protocol/tls/negotiation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ovpn_channel_config config = { .max_packet = 1250, .retransmit_ms = 2000 };
static const uint8_t own_sid[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
static const uint8_t remote_sid[8] = { 2, 2, 2, 2, 2, 2, 2, 2 };

struct state {
	struct ovpn_channel ch;
	struct ovpn_negotiation neg;
	struct ovpn_wrap_keys own;
	struct ovpn_wrap_keys peer;
	struct ovpn_wrap peer_wrap;
	uint64_t now_ms;
	bool wrapped;
};

// Give a packet whose first byte and body were made up; the session ids are right, or it would
// never get far.
static void give(struct state *s, const uint8_t *bytes, size_t len)
{
	uint8_t plain[512];
	uint8_t dgram[1024];
	unsigned events;
	size_t n;
	int rc;

	if (len < 2)
		return;
	plain[0] = bytes[0];
	memcpy(plain + 1, remote_sid, 8);
	memcpy(plain + 9, bytes + 1, len - 1);
	// Behind the acknowledgements the receiver's session id is wanted.
	if (plain[9] > 0 && plain[9] <= 8 && 10u + 4u * plain[9] + 8u <= len + 8)
		memcpy(plain + 10 + 4 * plain[9], own_sid, 8);
	if (ovpn_wrap_seal(&s->peer_wrap, plain, len + 8, dgram, sizeof(dgram), &n) < 0)
		abort();
	rc = ovpn_channel_recv(&s->ch, dgram, n, s->now_ms, &events);
	if (rc == -ENOBUFS) {
		ovpn_channel_attach(&s->ch, &s->neg);
		rc = ovpn_channel_recv(&s->ch, dgram, n, s->now_ms, &events);
		if (rc == -ENOBUFS)
			abort();
	}
}

static void drain(struct state *s)
{
	uint8_t out[OVPN_CHANNEL_DATAGRAM_MAX];
	size_t len;
	unsigned n = 0;

	while (ovpn_channel_output(&s->ch, s->now_ms, out, sizeof(out), &len) > 0) {
		if (len > sizeof(out) || n++ > 64)
			abort();
	}
	if (ovpn_channel_deadline(&s->ch) <= s->now_ms)
		abort(); // something is due, but nothing comes
}

static void restart(struct state *s)
{
	struct ovpn_channel_state state;
	struct ovpn_channel old = s->ch;

	ovpn_channel_export(&s->ch, &state);
	if (ovpn_channel_import(&s->ch, &config, &state, s->wrapped ? &s->own : NULL, NULL, 100) <
		0)
		s->ch = old; // no peer yet
}

static void operate(struct state *s, uint8_t op, const uint8_t *bytes, size_t len)
{
	uint8_t buf[256];
	unsigned events;

	switch (op % 12) {
	case 0: drain(s); break;
	case 1: s->now_ms += 100u * (1 + len); break;
	case 2: (void)ovpn_channel_tls_read(&s->ch, buf, len); break;
	case 3: (void)ovpn_channel_tls_write(&s->ch, bytes, len, s->now_ms); break;
	case 4: ovpn_channel_established(&s->ch); break;
	case 5: (void)ovpn_channel_soft_reset(&s->ch, &s->neg, s->now_ms); break;
	case 6:
		if (ovpn_channel_idle(&s->ch))
			(void)ovpn_channel_detach(&s->ch); // s has it
		break;
	case 7: restart(s); break;
	case 8: (void)ovpn_channel_recv(&s->ch, bytes, len, s->now_ms, &events); break;
	default: give(s, bytes, len); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state s;
	struct ovpn_static_key key;
	bool server;

	if (size < 1)
		return 0;
	memset(&s, 0, sizeof(s));
	memset(key.bytes, 9, sizeof(key.bytes));
	server = (data[0] & 1) != 0;
	s.wrapped = (data[0] & 2) != 0;
	ovpn_wrap_keys_tls_crypt(&key, server, &s.own);
	ovpn_wrap_keys_tls_crypt(&key, !server, &s.peer);
	ovpn_wrap_init(&s.peer_wrap, s.wrapped ? &s.peer : NULL, 1, 50);
	ovpn_channel_init(&s.ch, &config, server, own_sid, s.wrapped ? &s.own : NULL, 50);
	if (server && (data[0] & 4) != 0)
		ovpn_channel_accept(&s.ch, &s.neg, remote_sid, 0);
	else
		ovpn_channel_start(&s.ch, &s.neg, 0);
	for (size_t at = 1; at + 2 <= size;) {
		size_t len = data[at + 1];

		if (len > size - at - 2)
			len = size - at - 2;
		operate(&s, data[at], data + at + 2, len);
		at += 2 + len;
	}
	return 0;
}
