// SPDX-License-Identifier: BSD-3-Clause
#include "bench/handshake/client.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol/key_method2.h"
#include "protocol/options_string.h"
#include "protocol/peer_info.h"
#include "protocol/push.h"

#define CHATTY_MESSAGES 20u // with the EXIT they fit one datagram

// What a client of 2.6 says that it can do.
#define IV_PROTO                                                                                   \
	(OVPN_IV_PROTO_DATA_V2 | OVPN_IV_PROTO_REQUEST_PUSH | OVPN_IV_PROTO_TLS_EKM |              \
		OVPN_IV_PROTO_AUTH_PENDING_KW | OVPN_IV_PROTO_CC_EXIT |                            \
		OVPN_IV_PROTO_AUTH_FAIL_TEMP | OVPN_IV_PROTO_DYN_TLS_CRYPT)

int pg_hs_setup_texts(struct pg_hs_setup *setup)
{
	// Without the dynamic key, which a renegotiation would have to use.
	const uint64_t iv_proto = setup->impostor == NULL
		? IV_PROTO
		: IV_PROTO & ~(uint64_t)OVPN_IV_PROTO_DYN_TLS_CRYPT;
	const struct ovpn_options options = {
		.key_direction = -1, .cipher = OVPN_CIPHER_BF_CBC, .digest = OVPN_DIGEST_SHA1
	};
	struct ovpn_text t;
	int rc = ovpn_options_build(
		&options, setup->options, sizeof(setup->options), &setup->options_len);

	if (rc < 0)
		return rc;
	ovpn_text_init(&t, setup->peer_info, sizeof(setup->peer_info));
	ovpn_peer_info_add(&t, "IV_VER", "2.6.14");
	ovpn_peer_info_add(&t, "IV_PLAT", "linux");
	ovpn_peer_info_add(&t, "IV_TCPNL", "1");
	ovpn_peer_info_add_u64(&t, "IV_MTU", 1600);
	ovpn_peer_info_add(&t, "IV_NCP", "2");
	ovpn_peer_info_add(&t, "IV_CIPHERS", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305");
	ovpn_peer_info_add_u64(&t, "IV_PROTO", iv_proto);
	ovpn_peer_info_add(&t, "IV_LZO_STUB", "1");
	ovpn_peer_info_add(&t, "IV_COMP_STUB", "1");
	ovpn_peer_info_add(&t, "IV_COMP_STUBv2", "1");
	return ovpn_text_done(&t, &setup->peer_info_len);
}

static void failed(struct pg_hs_client *c, const char *why)
{
	if (c->state == PG_HS_FAILED)
		return;
	c->state = PG_HS_FAILED;
	(void)snprintf(c->why, sizeof(c->why), "%.90s", why);
	for (char *at = c->why; *at != '\0'; at++) // it goes into a JSON string
		*at = *at < ' ' || *at == '"' || *at == '\\' ? '_' : *at;
}

static void output(struct pg_hs_client *c, uint64_t now_ns)
{
	uint8_t dgram[OVPN_CHANNEL_DATAGRAM_MAX];
	size_t len;

	while (ovpn_channel_output(&c->ch, now_ns / 1000000, dgram, sizeof(dgram), &len) == 1)
		(void)send(c->fd, dgram, len, 0); // lost ones are sent again
}

// ---- Messages --------------------------------------------------------------------------------

static void write_key(struct pg_hs_client *c)
{
	uint8_t random[OVPN_KM2_PRE_MASTER_LEN + 2 * OVPN_KM2_RANDOM_LEN];
	uint8_t buf[OVPN_KM2_MAX];
	struct ovpn_km2 m = { .pre_master = random,
		.random1 = random + OVPN_KM2_PRE_MASTER_LEN,
		.random2 = random + OVPN_KM2_PRE_MASTER_LEN + OVPN_KM2_RANDOM_LEN,
		.options = { (const uint8_t *)c->setup->options, c->setup->options_len },
		.peer_info = { (const uint8_t *)c->setup->peer_info, c->setup->peer_info_len } };
	size_t len;

	if (RAND_bytes(random, sizeof(random)) != 1 ||
		ovpn_km2_build(&m, true, buf, sizeof(buf), &len) < 0 ||
		ovpn_tls_conn_write(c->tls, buf, c->again && c->setup->broken ? len / 2 : len) < 0)
		failed(c, "the key-method-2 message can't be written");
	else
		c->state = PG_HS_KEY;
}

static void on_push_reply(struct pg_hs_client *c, const char *text, size_t len, uint64_t now_ns)
{
	// Parts that say 2 are followed by others (protocol.md 8.4).
	if (memmem(text, len, "push-continuation 2", 19) != NULL)
		return;
	if (memmem(text, len, "ifconfig ", 9) == NULL && memmem(text, len, "peer-id", 7) == NULL &&
		memmem(text, len, "push-continuation 1", 19) == NULL) {
		failed(c, "a PUSH_REPLY without an address");
		return;
	}
	c->took_ns = now_ns - c->started_ns;
	if (c->setup->impostor != NULL) {
		c->state = PG_HS_CHANGING;
		return;
	}
	for (unsigned i = 0; c->setup->chatty && i < CHATTY_MESSAGES; i++)
		(void)ovpn_tls_conn_write(c->tls, "HELLO", 6); // what matters is the EXIT
	if (ovpn_tls_conn_write(c->tls, "EXIT", 5) < 0)
		failed(c, "EXIT can't be written");
	else
		c->state = PG_HS_LEAVING;
}

static void on_message(struct pg_hs_client *c, const uint8_t *buf, size_t len, uint64_t now_ns)
{
	struct ovpn_km2 km2;

	if (c->state == PG_HS_KEY) {
		if (ovpn_km2_parse(buf, len, false, &km2) < 0) {
			failed(c, "the server's key-method-2 message is malformed");
			return;
		}
		c->state = PG_HS_PUSH;
		ovpn_channel_established(&c->ch);
		return;
	}
	if (len > 11 && memcmp(buf, "PUSH_REPLY,", 11) == 0 && c->state == PG_HS_PUSH)
		on_push_reply(c, (const char *)buf, len, now_ns);
	else if (len > 11 && memcmp(buf, "AUTH_FAILED", 11) == 0)
		failed(c, (const char *)buf); // the message has its NUL
}

static void read_messages(struct pg_hs_client *c, uint64_t now_ns)
{
	uint8_t buf[OVPN_TLS_MESSAGE_MAX + 1];
	int n;

	while (c->state != PG_HS_FAILED && c->state != PG_HS_TLS &&
		(n = ovpn_tls_conn_read(c->tls, buf, sizeof(buf) - 1)) != 0) {
		if (n < 0) {
			failed(c, "the TLS connection ended");
			return;
		}
		buf[n] = '\0';
		on_message(c, buf, (size_t)n, now_ns);
	}
}

// ---- Steps -----------------------------------------------------------------------------------

static void write_tls(struct pg_hs_client *c, uint64_t now_ns)
{
	const uint8_t *bytes;
	size_t len, taken;

	while ((len = ovpn_tls_conn_pending(c->tls, &bytes)) > 0) {
		taken = ovpn_channel_tls_write(&c->ch, bytes, len, now_ns / 1000000);
		ovpn_tls_conn_consume(c->tls, taken);
		if (taken < len)
			return;
	}
}

static void step(struct pg_hs_client *c, uint64_t now_ns)
{
	enum ovpn_tls_state tls;
	uint8_t buf[2048];
	const uint8_t *bytes;
	size_t n;

	while ((n = ovpn_channel_tls_read(&c->ch, buf, sizeof(buf))) > 0) {
		if (ovpn_tls_conn_feed(c->tls, buf, n) < 0)
			failed(c, "out of memory");
	}
	if (!ovpn_channel_started(&c->ch))
		return;
	tls = ovpn_tls_conn_step(c->tls);
	if (tls == OVPN_TLS_FAILED || tls == OVPN_TLS_CLOSED)
		failed(c, ovpn_tls_conn_error(c->tls));
	if (tls == OVPN_TLS_READY && c->state == PG_HS_TLS)
		write_key(c);
	read_messages(c, now_ns);
	write_tls(c, now_ns);
	if (c->state == PG_HS_LEAVING && ovpn_tls_conn_pending(c->tls, &bytes) == 0 &&
		ovpn_channel_all_acked(&c->ch))
		c->state = PG_HS_GONE;
}

// A soft reset whose TLS connection shows another certificate than the session's.
static void change(struct pg_hs_client *c, uint64_t now_ns)
{
	if (!ovpn_channel_all_acked(&c->ch))
		return;
	if (ovpn_channel_soft_reset(&c->ch, NULL, now_ns / 1000000) < 0) {
		failed(c, "no renegotiation can begin");
		return;
	}
	c->tls = ovpn_tls_conn_free(c->tls);
	c->tls = ovpn_tls_conn_create(c->setup->impostor);
	c->state = PG_HS_TLS;
	c->again = true;
	if (c->tls == NULL)
		failed(c, "out of memory");
}

int pg_hs_begin(struct pg_hs_client *c, const struct pg_hs_setup *setup, struct ovpn_tls_ctx *tls,
	struct in_addr from, uint64_t now_ns)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = from };
	uint8_t sid[OVPN_SID_LEN];
	int rc;

	c->setup = setup;
	c->state = PG_HS_TLS;
	c->started_ns = now_ns;
	c->took_ns = 0;
	c->again = false;
	c->why[0] = '\0';
	c->tls = NULL;
	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	if (bind(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		connect(c->fd, (const struct sockaddr *)&setup->server, sizeof(setup->server)) <
			0) {
		rc = -errno;
		goto end;
	}
	rc = -ENOMEM;
	c->tls = ovpn_tls_conn_create(tls);
	if (c->tls == NULL || RAND_bytes(sid, sizeof(sid)) != 1)
		goto end;
	ovpn_channel_init(&c->ch, &setup->channel, false, sid, setup->wrap, (uint32_t)time(NULL));
	ovpn_channel_start(&c->ch, &c->neg, now_ns / 1000000);
	output(c, now_ns);
	return 0;

end:
	pg_hs_end(c);
	return rc;
}

void pg_hs_receive(struct pg_hs_client *c, uint64_t now_ns)
{
	uint8_t dgram[OVPN_CHANNEL_DATAGRAM_MAX];
	unsigned events;
	ssize_t n;

	while ((n = recv(c->fd, dgram, sizeof(dgram), 0)) > 0)
		(void)ovpn_channel_recv(&c->ch, dgram, (size_t)n, now_ns / 1000000,
			&events); // bad ones don't count
	step(c, now_ns);
	if (c->state == PG_HS_CHANGING)
		change(c, now_ns);
	output(c, now_ns);
}

void pg_hs_tick(struct pg_hs_client *c, uint64_t now_ns)
{
	if (ovpn_channel_deadline(&c->ch) <= now_ns / 1000000)
		output(c, now_ns);
}

void pg_hs_end(struct pg_hs_client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd); // nothing was left to say
	c->fd = -1;
	c->tls = ovpn_tls_conn_free(c->tls);
}
