// SPDX-License-Identifier: BSD-3-Clause
// A client and a server in one process over a network that loses, repeats and reorders: each
// wrapping, soft resets from either side and from both at once. Time and chance are made up, so a
// run takes milliseconds and its seed repeats it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/ssl/tls_conn.h"
#include "protocol/tls/channel.h"
#include "protocol/tls/keys.h"
#include "protocol/tls/negotiation.h"
#include "protocol/tls/stateless.h"
#include "tests/gtc.h"
#include "tests/protocol/test_pki.h"

#define NET_MAX 256 // datagrams under way
#define WALL_S 1700000000u // unix time at the beginning
#define LIMIT_MS 120000u // a negotiation that takes longer has failed

enum { CLIENT = 0, SERVER = 1 };

enum mode {
	MODE_NONE,
	MODE_AUTH_DIR,
	MODE_AUTH_BIDIR,
	MODE_CRYPT,
	MODE_V2,
	MODE_V2_OLD, // a client of 2.5 that can't send its key again
	MODE_COUNT,
};

// What the network does, in percent of datagrams, and how late they may come.
struct weather {
	unsigned loss;
	unsigned repeat;
	unsigned delay_ms;
};

struct dgram {
	uint64_t at_ms; // arrival; 0: unused
	uint8_t to;
	size_t len;
	uint8_t data[OVPN_CHANNEL_DATAGRAM_MAX];
};

struct end {
	struct ovpn_channel ch;
	struct ovpn_negotiation *neg;
	struct ovpn_tls_ctx *ctx;
	struct ovpn_tls_conn *conn;
	struct ovpn_wrap_keys base;
	struct ovpn_wrap_keys dynamic;
	bool up; // the channel exists
	bool sent; // our key message was written
	bool got; // the peer's was read
	bool done; // negotiation finished
	unsigned soft_resets; // begun by the peer
	uint8_t exported[OVPN_KEY_MATERIAL_SIZE]; // of the current key id
};

struct sim {
	uint64_t now_ms;
	uint32_t rng;
	struct weather weather;
	struct end end[2];
	struct dgram net[NET_MAX];
	struct ovpn_static_key key;
	struct ovpn_v2_server_key v2_server;
	struct ovpn_v2_client_key v2_client;
	struct ovpn_cookie_keys cookies;
	struct ovpn_stateless stateless;
	uint8_t dynamic_exported[OVPN_STATIC_KEY_SIZE];
	unsigned datagrams;
	size_t longest;
};

static const struct ovpn_channel_config config = { .max_packet = 1250, .retransmit_ms = 2000 };
static const uint8_t address[] = "192.0.2.2:40000";
static const uint8_t client_sid[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static unsigned chance(struct sim *s, unsigned below)
{
	s->rng = s->rng * 1664525u + 1013904223u;
	return (s->rng >> 8) % below;
}

static void deliver_later(struct sim *s, uint8_t to, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < NET_MAX; i++) {
		struct dgram *d = &s->net[i];

		if (d->at_ms != 0)
			continue;
		d->at_ms = s->now_ms + 1 + chance(s, s->weather.delay_ms + 1);
		d->to = to;
		d->len = len;
		memcpy(d->data, data, len);
		return;
	}
	GTC_FAIL("more datagrams under way than anyone may send");
}

static void net_send(struct sim *s, uint8_t from, const uint8_t *data, size_t len)
{
	s->datagrams++;
	if (len > s->longest)
		s->longest = len;
	if (chance(s, 100) < s->weather.loss)
		return;
	deliver_later(s, !from, data, len);
	if (chance(s, 100) < s->weather.repeat)
		deliver_later(s, !from, data, len);
}

// A negotiation begins: a new TLS connection.
static void new_tls(struct end *e)
{
	(void)ovpn_tls_conn_free(e->conn); // NULL
	e->conn = ovpn_tls_conn_create(e->ctx);
	e->sent = e->got = e->done = false;
}

static void read_tls(struct sim *s, struct end *e)
{
	uint8_t buf[OVPN_TLS_MESSAGE_MAX];
	size_t n;
	int rc;

	(void)s;
	while ((n = ovpn_channel_tls_read(&e->ch, buf, sizeof(buf))) > 0)
		GTC_EXPECT_INT(ovpn_tls_conn_feed(e->conn, buf, n), 0);
	if (ovpn_tls_conn_step(e->conn) == OVPN_TLS_FAILED)
		GTC_FAIL("TLS: %s", ovpn_tls_conn_error(e->conn));
	while ((rc = ovpn_tls_conn_read(e->conn, buf, sizeof(buf))) > 0)
		e->got = e->got || GTC_EXPECT_INT(rc, 1500);
	GTC_EXPECT_INT(rc, 0);
}

static void write_tls(struct sim *s, struct end *e, bool server)
{
	uint8_t message[1500] = { 0 };
	const uint8_t *bytes;
	size_t n;
	size_t taken;

	if (ovpn_tls_conn_step(e->conn) == OVPN_TLS_READY && !e->sent && (!server || e->got)) {
		GTC_EXPECT_INT(ovpn_tls_conn_write(e->conn, message, sizeof(message)), 0);
		GTC_EXPECT_INT(ovpn_tls_conn_export(e->conn, OVPN_EXPORTER_DATA_KEYS, e->exported,
				       sizeof(e->exported)),
			0);
		e->sent = true;
	}
	do {
		n = ovpn_tls_conn_pending(e->conn, &bytes);
		taken = ovpn_channel_tls_write(&e->ch, bytes, n, s->now_ms);
		ovpn_tls_conn_consume(e->conn, taken);
	} while (taken > 0);
	if (n == 0 && e->sent && e->got && ovpn_channel_all_acked(&e->ch) && !e->done) {
		e->done = true;
		ovpn_channel_established(&e->ch);
	}
}

// Everything an end does after something happened.
static void work(struct sim *s, uint8_t who)
{
	struct end *e = &s->end[who];
	uint8_t out[OVPN_CHANNEL_DATAGRAM_MAX];
	size_t len;
	int rc;

	if (!e->up)
		return;
	if (e->ch.neg != NULL) {
		read_tls(s, e);
		write_tls(s, e, who == SERVER);
	}
	while ((rc = ovpn_channel_output(&e->ch, s->now_ms, out, sizeof(out), &len)) > 0)
		net_send(s, who, out, len);
	GTC_EXPECT_INT(rc, 0);
	if (e->done && ovpn_channel_idle(&e->ch)) {
		(void)ovpn_channel_detach(&e->ch); // e->neg has it
		memset(e->neg, 0xa5, sizeof(*e->neg)); // nothing of it may be needed
	}
}

// First contact, as the server's main thread does it.
static bool first_contact(struct sim *s, const struct dgram *d)
{
	struct end *e = &s->end[SERVER];
	uint64_t wall_ms = 1000ull * WALL_S + s->now_ms;
	uint32_t wall_s = (uint32_t)(wall_ms / 1000);
	static const uint8_t random_sid[8] = { 9, 9, 9 };
	struct ovpn_first first;
	uint8_t reply[128];
	size_t len;
	enum ovpn_first_verdict verdict = ovpn_stateless_recv(&s->stateless, address,
		sizeof(address), wall_ms, d->data, d->len, &first, reply, sizeof(reply), &len);

	if (verdict == OVPN_FIRST_REPLY)
		net_send(s, SERVER, reply, len);
	if (verdict != OVPN_FIRST_ACCEPT && verdict != OVPN_FIRST_STATEFUL)
		return false;
	GTC_EXPECT_MEM(first.client_sid, client_sid, 8);
	if (first.v2)
		e->base = first.v2_keys;
	ovpn_channel_init(&e->ch, &config, true,
		verdict == OVPN_FIRST_ACCEPT ? first.server_sid : random_sid,
		first.v2 ? &e->base : first.keys, wall_s);
	if (verdict == OVPN_FIRST_ACCEPT)
		ovpn_channel_accept(&e->ch, e->neg, first.client_sid, s->now_ms);
	else
		ovpn_channel_start(&e->ch, e->neg, s->now_ms);
	ovpn_first_wipe(&first);
	new_tls(e);
	e->up = true;
	return true;
}

static void receive(struct sim *s, const struct dgram *d)
{
	struct end *e = &s->end[d->to];
	unsigned events = 0;
	int rc;

	if (!e->up && !first_contact(s, d))
		return;
	rc = ovpn_channel_recv(&e->ch, d->data, d->len, s->now_ms, &events);
	if (rc == -ENOBUFS) {
		ovpn_channel_attach(&e->ch, e->neg);
		rc = ovpn_channel_recv(&e->ch, d->data, d->len, s->now_ms, &events);
		GTC_EXPECT(rc != -ENOBUFS);
	}
	if (rc == 0 && (events & OVPN_CHANNEL_GOT_SOFT_RESET) != 0) {
		e->soft_resets++;
		new_tls(e);
	}
	work(s, d->to);
}

// The next thing that happens: a datagram arrives, or a retransmission is due.
static void step(struct sim *s)
{
	struct dgram *next = NULL;
	uint64_t deadline = OVPN_CHANNEL_NEVER;

	for (size_t i = 0; i < NET_MAX; i++) {
		if (s->net[i].at_ms != 0 && (next == NULL || s->net[i].at_ms < next->at_ms))
			next = &s->net[i];
	}
	for (uint8_t who = CLIENT; who <= SERVER; who++) {
		if (s->end[who].up && ovpn_channel_deadline(&s->end[who].ch) < deadline)
			deadline = ovpn_channel_deadline(&s->end[who].ch);
	}
	if (next != NULL && next->at_ms <= deadline) {
		if (next->at_ms > s->now_ms)
			s->now_ms = next->at_ms;
		receive(s, next);
		next->at_ms = 0;
		return;
	}
	if (deadline == OVPN_CHANNEL_NEVER)
		s->now_ms += 1000; // nothing to do
	else if (deadline > s->now_ms)
		s->now_ms = deadline;
	work(s, CLIENT);
	work(s, SERVER);
}

// Let it run until both ends have finished a negotiation, with equal keys.
static bool run(struct sim *s, uint8_t key_id)
{
	const struct end *c = &s->end[CLIENT];
	const struct end *v = &s->end[SERVER];
	uint64_t end_ms = s->now_ms + LIMIT_MS;

	while (!(c->done && v->done && c->ch.key_id == key_id && v->ch.key_id == key_id)) {
		if (s->now_ms > end_ms)
			return GTC_FAIL("key id %u: done %d %d, key ids %u %u", key_id, c->done,
				v->done, c->ch.key_id, v->ch.key_id);
		step(s);
	}
	return GTC_EXPECT_MEM(c->exported, v->exported, sizeof(c->exported));
}

static void set_keys(struct sim *s, enum mode mode)
{
	struct end *c = &s->end[CLIENT];
	struct end *v = &s->end[SERVER];

	switch (mode) {
	case MODE_AUTH_DIR:
		(void)ovpn_wrap_keys_tls_auth(
			&s->key, OVPN_DIGEST_SHA1, OVPN_DIRECTION_INVERSE, &c->base);
		(void)ovpn_wrap_keys_tls_auth(
			&s->key, OVPN_DIGEST_SHA1, OVPN_DIRECTION_NORMAL, &v->base);
		s->stateless.tls_auth = &v->base;
		break;
	case MODE_AUTH_BIDIR:
		(void)ovpn_wrap_keys_tls_auth(
			&s->key, OVPN_DIGEST_SHA512, OVPN_DIRECTION_NONE, &c->base);
		(void)ovpn_wrap_keys_tls_auth(
			&s->key, OVPN_DIGEST_SHA512, OVPN_DIRECTION_NONE, &v->base);
		s->stateless.tls_auth = &v->base;
		break;
	case MODE_CRYPT:
		ovpn_wrap_keys_tls_crypt(&s->key, false, &c->base);
		ovpn_wrap_keys_tls_crypt(&s->key, true, &v->base);
		s->stateless.tls_crypt = &v->base;
		break;
	case MODE_V2:
	case MODE_V2_OLD:
		ovpn_wrap_keys_tls_crypt(&s->v2_client.kc, false, &c->base);
		s->stateless.v2 = &s->v2_server;
		break;
	default: break;
	}
}

static void make_tls(struct sim *s)
{
	struct test_ca *ca = test_ca_create("Test CA");
	struct test_cert *cert[2] = {
		test_ca_issue(ca, "client", TEST_EKU_CLIENT, -60, 3600),
		test_ca_issue(ca, "server", TEST_EKU_SERVER, -60, 3600),
	};
	struct ovpn_tls_error err = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		struct ovpn_tls_ctx_options o = {
			.server = i == SERVER,
			.ca = { .data = test_ca_pem(ca), .len = strlen(test_ca_pem(ca)) },
			.cert = { .data = cert[i]->cert, .len = strlen(cert[i]->cert) },
			.key = { .data = cert[i]->key, .len = strlen(cert[i]->key) },
		};

		GTC_EXPECT_INT(ovpn_tls_ctx_create(&o, &s->end[i].ctx, &err), 0);
		test_cert_free(cert[i]);
	}
	test_ca_free(ca);
}

static struct sim *sim_create(enum mode mode, const struct weather *weather, uint32_t seed)
{
	static const uint8_t metadata[9] = { OVPN_WKC_METADATA_TIME };
	struct sim *s = calloc(1, sizeof(*s));
	struct end *c = &s->end[CLIENT];

	s->now_ms = 1;
	s->rng = seed;
	s->weather = *weather;
	GTC_EXPECT_INT(ovpn_static_key_generate(&s->key), 0);
	GTC_EXPECT_INT(ovpn_v2_server_key_generate(&s->v2_server), 0);
	GTC_EXPECT_INT(ovpn_v2_client_key_generate(
			       &s->v2_server, metadata, sizeof(metadata), &s->v2_client),
		0);
	GTC_EXPECT_INT(ovpn_cookie_keys_init(&s->cookies), 0);
	s->stateless.cookies = &s->cookies;
	s->stateless.hand_window_s = 60;
	make_tls(s);
	set_keys(s, mode);
	for (unsigned i = 0; i < 2; i++)
		s->end[i].neg = calloc(1, sizeof(*s->end[i].neg));
	ovpn_channel_init(
		&c->ch, &config, false, client_sid, mode == MODE_NONE ? NULL : &c->base, WALL_S);
	if (mode == MODE_V2 || mode == MODE_V2_OLD)
		GTC_EXPECT_INT(
			ovpn_channel_set_wkc(&c->ch, s->v2_client.wkc, s->v2_client.wkc_len), 0);
	if (mode == MODE_V2_OLD)
		c->ch.base.send.next = 1;
	ovpn_channel_start(&c->ch, c->neg, s->now_ms);
	new_tls(c);
	c->up = true;
	work(s, CLIENT);
	return s;
}

static void sim_free(struct sim *s)
{
	for (unsigned i = 0; i < 2; i++) {
		(void)ovpn_tls_conn_free(s->end[i].conn); // NULL
		(void)ovpn_tls_ctx_unref(s->end[i].ctx); // NULL
		free(s->end[i].neg);
	}
	free(s);
}

// After key id 0: both ends take up dynamic tls-crypt.
static void use_dynamic(struct sim *s, enum mode mode)
{
	const struct ovpn_static_key *base = &s->key;
	struct ovpn_static_key key;
	uint8_t exported[OVPN_STATIC_KEY_SIZE];

	if (mode == MODE_NONE)
		base = NULL;
	else if (mode == MODE_V2 || mode == MODE_V2_OLD)
		base = &s->v2_client.kc;
	for (unsigned i = 0; i < 2; i++) {
		struct end *e = &s->end[i];

		GTC_EXPECT_INT(ovpn_tls_conn_export(
				       e->conn, OVPN_EXPORTER_DYNAMIC, exported, sizeof(exported)),
			0);
		ovpn_dynamic_key(exported, base, &key);
		ovpn_wrap_keys_tls_crypt(&key, i == SERVER, &e->dynamic);
		ovpn_channel_set_dynamic(
			&e->ch, &e->dynamic, WALL_S + (uint32_t)(s->now_ms / 1000));
	}
}

static void soft_reset(struct sim *s, uint8_t who)
{
	struct end *e = &s->end[who];
	uint64_t end_ms = s->now_ms + LIMIT_MS;

	// What the other end sent last may still come again; that mustn't hold us up for long.
	while (ovpn_channel_soft_reset(&e->ch, e->neg, s->now_ms) == -EBUSY && s->now_ms < end_ms)
		step(s);
	GTC_EXPECT(!ovpn_channel_started(&e->ch));
	new_tls(e);
	work(s, who);
}

// The whole life of a session: first negotiation, then `rounds` soft resets by the client, the
// server, and both in turn.
static void live(
	enum mode mode, bool dynamic, const struct weather *weather, uint32_t seed, unsigned rounds)
{
	struct sim *s = sim_create(mode, weather, seed);
	uint8_t key_id = 0;
	bool ok = run(s, key_id);

	if (ok && dynamic)
		use_dynamic(s, mode);
	for (unsigned i = 0; ok && i < rounds; i++) {
		key_id = ovpn_key_id_next(key_id);
		if (i % 3 != 1)
			soft_reset(s, CLIENT);
		// The client's reset may be here already; then there is nothing to begin.
		if (i % 3 != 0 && s->end[SERVER].ch.key_id != key_id)
			soft_reset(s, SERVER);
		ok = run(s, key_id);
	}
	if (!ok)
		GTC_FAIL("mode %d dynamic %d seed %u", mode, dynamic, seed);
	// With IP and UDP header at most 1,250 bytes.
	GTC_EXPECT(s->longest <= 1222);
	sim_free(s);
}

GTC_TEST(handshake, fair_weather)
{
	static const struct weather fair = { .delay_ms = 0 };

	for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
		live(mode, false, &fair, 1, 3);
		live(mode, true, &fair, 1, 3);
	}
}

GTC_TEST(handshake, key_ids_go_round)
{
	static const struct weather fair = { .delay_ms = 5 };

	live(MODE_CRYPT, true, &fair, 7, 17);
}

GTC_TEST(handshake, bad_weather)
{
	static const struct weather bad = { .loss = 20, .repeat = 20, .delay_ms = 400 };

	for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
		for (uint32_t seed = 1; seed <= 6; seed++)
			live(mode, seed % 2, &bad, seed, 3);
	}
}

GTC_TEST(handshake, reordering_only)
{
	static const struct weather windy = { .repeat = 50, .delay_ms = 3000 };

	for (enum mode mode = 0; mode < MODE_COUNT; mode++)
		live(mode, true, &windy, 11 + mode, 3);
}

// Without loss a whole first handshake is a handful of datagrams: nothing is said twice.
GTC_TEST(handshake, is_short)
{
	static const struct weather fair = { .delay_ms = 0 };
	struct sim *s = sim_create(MODE_CRYPT, &fair, 1);

	GTC_EXPECT(run(s, 0));
	GTC_EXPECT(s->now_ms < 100);
	GTC_EXPECT(s->datagrams <= 20);
	sim_free(s);
}
