// SPDX-License-Identifier: BSD-3-Clause
// TLS over memory: handshakes, and what is said when one fails.
// Long because each reason to refuse a peer has its own.
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "protocol/ssl/tls_cache.h"
#include "protocol/ssl/tls_conn.h"
#include "tests/gtc.h"
#include "tests/protocol/test_pki.h"

// A CA, a server and a client; made once per test.
struct world {
	struct test_ca *ca;
	struct test_cert *server;
	struct test_cert *client;
	struct ovpn_tls_ctx_options server_options;
	struct ovpn_tls_ctx_options client_options;
	struct ovpn_tls_ctx *server_ctx;
	struct ovpn_tls_ctx *client_ctx;
	struct ovpn_tls_conn *server_conn;
	struct ovpn_tls_conn *client_conn;
};

static struct ovpn_tls_source inline_text(const char *text)
{
	return (struct ovpn_tls_source){ .data = text, .len = strlen(text) };
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->ca = test_ca_create("Test CA");
	w->server = test_ca_issue(w->ca, "server", TEST_EKU_SERVER, -60, 3600);
	w->client = test_ca_issue(w->ca, "alice", TEST_EKU_CLIENT, -60, 3600);
	w->server_options.server = true;
	w->server_options.ca = inline_text(test_ca_pem(w->ca));
	w->server_options.cert = inline_text(w->server->cert);
	w->server_options.key = inline_text(w->server->key);
	w->client_options.ca = inline_text(test_ca_pem(w->ca));
	w->client_options.cert = inline_text(w->client->cert);
	w->client_options.key = inline_text(w->client->key);
}

static void world_done(struct world *w)
{
	w->server_conn = ovpn_tls_conn_free(w->server_conn);
	w->client_conn = ovpn_tls_conn_free(w->client_conn);
	w->server_ctx = ovpn_tls_ctx_unref(w->server_ctx);
	w->client_ctx = ovpn_tls_ctx_unref(w->client_ctx);
	test_cert_free(w->server);
	test_cert_free(w->client);
	test_ca_free(w->ca);
}

static bool world_start(struct world *w)
{
	struct ovpn_tls_error err = { 0 };

	if (!GTC_EXPECT_INT(ovpn_tls_ctx_create(&w->server_options, &w->server_ctx, &err), 0) ||
		!GTC_EXPECT_INT(ovpn_tls_ctx_create(&w->client_options, &w->client_ctx, &err), 0)) {
		GTC_FAIL("%s", err.text);
		return false;
	}
	w->server_conn = ovpn_tls_conn_create(w->server_ctx);
	w->client_conn = ovpn_tls_conn_create(w->client_ctx);
	return GTC_EXPECT(w->server_conn != NULL && w->client_conn != NULL);
}

// Carry what one end has to say to the other. Returns the number of bytes.
static size_t carry(struct ovpn_tls_conn *from, struct ovpn_tls_conn *to)
{
	const uint8_t *bytes;
	size_t len = ovpn_tls_conn_pending(from, &bytes);

	GTC_EXPECT_INT(ovpn_tls_conn_feed(to, bytes, len), 0);
	ovpn_tls_conn_consume(from, len);
	return len;
}

static void shake_hands(struct world *w)
{
	uint8_t buf[OVPN_TLS_MESSAGE_MAX];

	for (unsigned i = 0; i < 10; i++) {
		(void)ovpn_tls_conn_step(w->client_conn); // judged at the end
		(void)ovpn_tls_conn_step(w->server_conn);
		(void)ovpn_tls_conn_read(w->client_conn, buf, sizeof(buf)); // a late alert
		if (carry(w->client_conn, w->server_conn) + carry(w->server_conn, w->client_conn) ==
			0)
			break;
	}
}

// The server must refuse, with these words; the client hears of it.
static void expect_server_refuses(struct world *w, const char *words)
{
	shake_hands(w);
	GTC_EXPECT_INT(ovpn_tls_conn_step(w->server_conn), OVPN_TLS_FAILED);
	GTC_EXPECT_STR(ovpn_tls_conn_error(w->server_conn), words);
	GTC_EXPECT_INT(ovpn_tls_conn_step(w->client_conn), OVPN_TLS_FAILED);
	GTC_EXPECT(strncmp(ovpn_tls_conn_error(w->client_conn), "the peer says: ", 15) == 0);
}

static void check_handshake(enum ovpn_tls_version max, const char *version)
{
	struct world w;
	struct ovpn_tls_peer peer;
	uint8_t exported[2][256];
	uint8_t buf[OVPN_TLS_MESSAGE_MAX];
	uint8_t message[OVPN_TLS_MESSAGE_MAX];

	world_init(&w);
	w.server_options.version_max = max;
	w.server_options.eku = OVPN_TLS_EKU_CLIENT;
	w.client_options.eku = OVPN_TLS_EKU_SERVER;
	w.client_options.name_match = OVPN_TLS_NAME_SUBJECT;
	w.client_options.name = "O=Visp test, CN=server";
	if (world_start(&w)) {
		shake_hands(&w);
		GTC_EXPECT_INT(ovpn_tls_conn_step(w.server_conn), OVPN_TLS_READY);
		GTC_EXPECT_INT(ovpn_tls_conn_step(w.client_conn), OVPN_TLS_READY);
		GTC_EXPECT_STR(ovpn_tls_conn_version(w.server_conn), version);
		GTC_EXPECT_STR(ovpn_tls_conn_version(w.client_conn), version);
		GTC_EXPECT_INT(
			ovpn_tls_conn_export(w.server_conn, "EXPORTER-x", exported[0], 256), 0);
		GTC_EXPECT_INT(
			ovpn_tls_conn_export(w.client_conn, "EXPORTER-x", exported[1], 256), 0);
		GTC_EXPECT_MEM(exported[0], exported[1], 256);
		ovpn_tls_conn_peer(w.server_conn, &peer);
		GTC_EXPECT(peer.has_cert);
		GTC_EXPECT_STR(peer.cn, "alice");
		GTC_EXPECT_STR(peer.subject, "O=Visp test, CN=alice");
		GTC_EXPECT_STR(peer.serial, "03");
		// One record a message, also of the longest one.
		memset(message, 'x', sizeof(message));
		GTC_EXPECT_INT(ovpn_tls_conn_write(w.server_conn, "one", 4), 0);
		GTC_EXPECT_INT(ovpn_tls_conn_write(w.server_conn, message, sizeof(message)), 0);
		GTC_EXPECT_INT(ovpn_tls_conn_write(w.server_conn, message, sizeof(message) + 1),
			-EMSGSIZE);
		GTC_EXPECT_INT(ovpn_tls_conn_read(w.client_conn, buf, sizeof(buf)), 0);
		(void)carry(w.server_conn, w.client_conn); // both records
		GTC_EXPECT_INT(ovpn_tls_conn_read(w.client_conn, buf, sizeof(buf)), 4);
		GTC_EXPECT_STR((const char *)buf, "one");
		GTC_EXPECT_INT(ovpn_tls_conn_read(w.client_conn, buf, sizeof(buf)), sizeof(buf));
		ovpn_tls_conn_close(w.server_conn);
		(void)carry(w.server_conn, w.client_conn); // close_notify
		GTC_EXPECT_INT(ovpn_tls_conn_read(w.client_conn, buf, sizeof(buf)), -EPIPE);
	}
	world_done(&w);
}

GTC_TEST(tls, handshake)
{
	check_handshake(OVPN_TLS_VERSION_DEFAULT, "TLSv1.3");
	check_handshake(OVPN_TLS_1_2, "TLSv1.2");
}

// The chain hash is that of the certificates, not of the connection.
GTC_TEST(tls, chain_hash)
{
	struct world w;
	struct ovpn_tls_peer one;
	struct ovpn_tls_peer two;

	world_init(&w);
	GTC_ASSERT(world_start(&w));
	shake_hands(&w);
	ovpn_tls_conn_peer(w.server_conn, &one);
	w.server_conn = ovpn_tls_conn_free(w.server_conn);
	w.client_conn = ovpn_tls_conn_free(w.client_conn);
	w.server_conn = ovpn_tls_conn_create(w.server_ctx);
	w.client_conn = ovpn_tls_conn_create(w.client_ctx);
	shake_hands(&w);
	ovpn_tls_conn_peer(w.server_conn, &two);
	GTC_EXPECT_MEM(&one, &two, sizeof(one));
	GTC_EXPECT_INT(ovpn_tls_ctx_known(w.server_ctx), 1); // and wasn't verified again
	GTC_EXPECT_INT(ovpn_tls_ctx_parsed(w.server_ctx), 1); // nor parsed
	GTC_EXPECT_INT(ovpn_tls_ctx_known(w.client_ctx), 1);
	GTC_EXPECT_INT(ovpn_tls_ctx_parsed(w.client_ctx), 1);
	ovpn_tls_conn_peer(w.client_conn, &two);
	GTC_EXPECT(memcmp(one.chain_hash, two.chain_hash, sizeof(one.chain_hash)) != 0);
	world_done(&w);
}

GTC_TEST(tls, expired_and_early)
{
	struct world w;

	world_init(&w);
	test_cert_free(w.client);
	w.client = test_ca_issue(w.ca, "alice", TEST_EKU_CLIENT, -7200, -3600);
	w.client_options.cert = inline_text(w.client->cert);
	w.client_options.key = inline_text(w.client->key);
	if (world_start(&w))
		expect_server_refuses(&w, "certificate has expired (O=Visp test, CN=alice)");
	world_done(&w);
	world_init(&w);
	test_cert_free(w.client);
	w.client = test_ca_issue(w.ca, "alice", TEST_EKU_CLIENT, 3600, 7200);
	w.client_options.cert = inline_text(w.client->cert);
	w.client_options.key = inline_text(w.client->key);
	if (world_start(&w))
		expect_server_refuses(&w, "certificate is not yet valid (O=Visp test, CN=alice)");
	world_done(&w);
}

GTC_TEST(tls, unknown_ca)
{
	struct world w;
	struct test_ca *other = test_ca_create("Other CA");
	struct test_cert *cert = test_ca_issue(other, "eve", TEST_EKU_CLIENT, -60, 3600);

	world_init(&w);
	w.client_options.cert = inline_text(cert->cert);
	w.client_options.key = inline_text(cert->key);
	if (world_start(&w))
		expect_server_refuses(&w, "unknown CA (O=Visp test, CN=eve)");
	world_done(&w);
	// The other way round the client finds the server out.
	world_init(&w);
	w.client_options.ca = inline_text(test_ca_pem(other));
	if (world_start(&w)) {
		shake_hands(&w);
		GTC_EXPECT_STR(
			ovpn_tls_conn_error(w.client_conn), "unknown CA (O=Visp test, CN=server)");
		GTC_EXPECT_INT(ovpn_tls_conn_step(w.server_conn), OVPN_TLS_FAILED);
		GTC_EXPECT_STR(ovpn_tls_conn_error(w.server_conn), "the peer says: unknown CA");
	}
	world_done(&w);
	test_cert_free(cert);
	test_ca_free(other);
}

GTC_TEST(tls, no_certificate)
{
	struct world w;

	world_init(&w);
	w.client_options.cert = w.client_options.key = (struct ovpn_tls_source){ 0 };
	if (world_start(&w))
		expect_server_refuses(&w, "peer did not return a certificate");
	world_done(&w);
	world_init(&w);
	w.client_options.cert = w.client_options.key = (struct ovpn_tls_source){ 0 };
	w.server_options.verify_cert = OVPN_TLS_CERT_OPTIONAL;
	if (world_start(&w)) {
		struct ovpn_tls_peer peer;

		shake_hands(&w);
		GTC_EXPECT_INT(ovpn_tls_conn_step(w.server_conn), OVPN_TLS_READY);
		ovpn_tls_conn_peer(w.server_conn, &peer);
		GTC_EXPECT(!peer.has_cert);
	}
	world_done(&w);
}

// remote-cert-ku: all bits of one of the values. The test's certificates have digitalSignature, 80.
GTC_TEST(tls, key_usage)
{
	static const struct {
		struct ovpn_tls_ku ku;
		bool ok;
	} cases[] = {
		{ { .wanted = true }, true }, // any, but there
		{ { .wanted = true, .n = 1, .any_of = { 0x80 } }, true },
		{ { .wanted = true, .n = 2, .any_of = { 0x08, 0x80 } }, true },
		{ { .wanted = true, .n = 1, .any_of = { 0xa0 } }, false },
		{ { .wanted = true, .n = 2, .any_of = { 0x20, 0x08 } }, false },
	};
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_init(&w);
		w.server_options.ku = cases[i].ku;
		w.client_options.ku = cases[i].ku;
		GTC_ASSERT(world_start(&w));
		if (cases[i].ok) {
			shake_hands(&w);
			GTC_EXPECT_STR(ovpn_tls_conn_error(w.client_conn), "");
			GTC_EXPECT_STR(ovpn_tls_conn_error(w.server_conn), "");
		} else {
			shake_hands(&w);
			GTC_EXPECT_STR(ovpn_tls_conn_error(w.client_conn),
				"key usage isn't one of remote-cert-ku (O=Visp test, CN=server)");
		}
		world_done(&w);
	}
	// And the server asks for it as well.
	world_init(&w);
	w.server_options.ku = cases[3].ku;
	if (world_start(&w))
		expect_server_refuses(
			&w, "key usage isn't one of remote-cert-ku (O=Visp test, CN=alice)");
	world_done(&w);
}

GTC_TEST(tls, extended_key_usage)
{
	static const struct {
		const char *oid;
		const char *error;
	} cases[] = {
		{ "TLS Web Client Authentication", NULL },
		{ "clientAuth", NULL },
		{ "1.3.6.1.5.5.7.3.2", NULL },
		{ "TLS Web Server Authentication",
			"extended key usage isn't the one of remote-cert-eku (O=Visp test, "
			"CN=alice)" },
		{ "1.2.3.4",
			"extended key usage isn't the one of remote-cert-eku (O=Visp test, "
			"CN=alice)" },
	};
	struct ovpn_tls_error err;
	struct ovpn_tls_ctx *ctx;
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_init(&w);
		w.server_options.eku_oid = cases[i].oid;
		GTC_ASSERT(world_start(&w));
		if (cases[i].error == NULL) {
			shake_hands(&w);
			GTC_EXPECT_STR(ovpn_tls_conn_error(w.server_conn), "");
		} else {
			expect_server_refuses(&w, cases[i].error);
		}
		world_done(&w);
	}
	world_init(&w);
	w.server_options.eku_oid = "no such thing";
	GTC_EXPECT_INT(ovpn_tls_ctx_create(&w.server_options, &ctx, &err), -EINVAL);
	GTC_EXPECT_STR(err.text,
		"remote-cert-eku: 'no such thing' is neither a name that OpenSSL knows nor an OID");
	world_done(&w);
}

GTC_TEST(tls, wrong_purpose_and_name)
{
	struct world w;

	// A client's certificate may not pose as a server.
	world_init(&w);
	w.server_options.cert = inline_text(w.client->cert);
	w.server_options.key = inline_text(w.client->key);
	w.client_options.eku = OVPN_TLS_EKU_SERVER;
	if (world_start(&w)) {
		shake_hands(&w);
		GTC_EXPECT_STR(ovpn_tls_conn_error(w.client_conn),
			"certificate is for another purpose (O=Visp test, CN=alice)");
	}
	world_done(&w);
	// One without extended key usage is good for nothing that asks for it.
	world_init(&w);
	test_cert_free(w.client);
	w.client = test_ca_issue(w.ca, "bob", TEST_EKU_NONE, -60, 3600);
	w.client_options.cert = inline_text(w.client->cert);
	w.client_options.key = inline_text(w.client->key);
	w.server_options.eku = OVPN_TLS_EKU_CLIENT;
	if (world_start(&w))
		expect_server_refuses(&w, "not a client certificate (O=Visp test, CN=bob)");
	world_done(&w);
	world_init(&w);
	w.client_options.name_match = OVPN_TLS_NAME_CN_PREFIX;
	w.client_options.name = "servant";
	if (world_start(&w)) {
		shake_hands(&w);
		GTC_EXPECT_STR(ovpn_tls_conn_error(w.client_conn),
			"name isn't the one of verify-x509-name (O=Visp test, CN=server)");
	}
	world_done(&w);
}

// remote-cert-tls, as OpenVPN has it: the extended key usage by name, and a key usage of any value.
GTC_TEST(tls, remote_cert_tls)
{
	static const struct {
		enum ovpn_tls_eku wanted;
		enum test_eku has;
		const char *error; // NULL: accepted
	} cases[] = {
		{ OVPN_TLS_EKU_CLIENT, TEST_EKU_CLIENT, NULL },
		{ OVPN_TLS_EKU_CLIENT, TEST_EKU_BOTH, NULL },
		{ OVPN_TLS_EKU_CLIENT, TEST_EKU_CLIENT_ALONE,
			"no key usage, which remote-cert-tls asks for (O=Visp test, CN=bob)" },
		{ OVPN_TLS_EKU_CLIENT, TEST_EKU_NONE,
			"not a client certificate (O=Visp test, CN=bob)" },
		{ OVPN_TLS_EKU_SERVER, TEST_EKU_BOTH, NULL }, // odd, but what was asked for
		{ OVPN_TLS_EKU_SERVER, TEST_EKU_CLIENT,
			"not a server certificate (O=Visp test, CN=bob)" },
		{ OVPN_TLS_EKU_ANY, TEST_EKU_CLIENT_ALONE, NULL },
		{ OVPN_TLS_EKU_ANY, TEST_EKU_NONE, NULL },
	};
	struct world w;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_init(&w);
		test_cert_free(w.client);
		w.client = test_ca_issue(w.ca, "bob", cases[i].has, -60, 3600);
		w.client_options.cert = inline_text(w.client->cert);
		w.client_options.key = inline_text(w.client->key);
		w.server_options.eku = cases[i].wanted;
		GTC_ASSERT(world_start(&w));
		if (cases[i].error == NULL) {
			shake_hands(&w);
			GTC_EXPECT_STR(ovpn_tls_conn_error(w.server_conn), "");
		} else {
			expect_server_refuses(&w, cases[i].error);
		}
		world_done(&w);
	}
	// And a client of its server.
	world_init(&w);
	test_cert_free(w.server);
	w.server = test_ca_issue(w.ca, "server", TEST_EKU_SERVER_ALONE, -60, 3600);
	w.server_options.cert = inline_text(w.server->cert);
	w.server_options.key = inline_text(w.server->key);
	w.client_options.eku = OVPN_TLS_EKU_SERVER;
	GTC_ASSERT(world_start(&w));
	shake_hands(&w);
	GTC_EXPECT_STR(ovpn_tls_conn_error(w.client_conn),
		"no key usage, which remote-cert-tls asks for (O=Visp test, CN=server)");
	world_done(&w);
}

static X509 *read_cert(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return cert;
}

// A verified chain is known for these CRLs, and while all its certificates and the CRLs are valid.
GTC_TEST(tls, cache)
{
	struct ovpn_tls_cache *cache = ovpn_tls_cache_create();
	struct test_ca *ca = test_ca_create("Test CA");
	struct test_cert *pem = test_ca_issue(ca, "alice", TEST_EKU_CLIENT, -60, 1800);
	char *crl_text = test_ca_crl(ca, NULL, 0, 600);
	X509 *cert = read_cert(pem->cert);
	X509 *again = read_cert(pem->cert);
	STACK_OF(X509) *chain = sk_X509_new_null();
	STACK_OF(X509) *twice = sk_X509_new_null();
	STACK_OF(X509_CRL) *crls = sk_X509_CRL_new_null();
	struct ovpn_tls_shown shown = { cert, NULL };
	const struct ovpn_tls_peer alice = { .has_cert = true, .cn = "alice" };
	struct ovpn_tls_peer peer = { 0 };
	STACK_OF(X509) * found;
	int64_t now_s = (int64_t)time(NULL);
	const struct {
		uint64_t serial;
		int64_t after_s;
		bool known;
	} cases[] = { { 0, 0, true }, { 0, -1, false }, { 1, 0, false }, { 0, 1700, true },
		{ 0, 1900, false } };
	BIO *bio = BIO_new_mem_buf(crl_text, -1);

	GTC_EXPECT(sk_X509_push(chain, cert) == 1);
	GTC_EXPECT(sk_X509_push(twice, again) == 1);
	GTC_EXPECT(sk_X509_CRL_push(crls, PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) == 1);
	BIO_free(bio);
	ovpn_tls_cache_add(cache, &shown, 0, chain, NULL, now_s, &alice);
	shown.leaf = again; // equal, if not the same
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		found = ovpn_tls_cache_find(
			cache, &shown, cases[i].serial, now_s + cases[i].after_s, &peer);
		GTC_EXPECT((found != NULL) == cases[i].known);
		sk_X509_pop_free(found, X509_free);
	}
	GTC_EXPECT_STR(peer.cn, "alice");
	GTC_EXPECT_INT(ovpn_tls_cache_hits(cache), 2);
	// With others, or with other ones, it is something else.
	shown.others = twice;
	GTC_EXPECT(ovpn_tls_cache_find(cache, &shown, 0, now_s, &peer) == NULL);
	ovpn_tls_cache_add(cache, &shown, 0, chain, NULL, now_s, &alice);
	found = ovpn_tls_cache_find(cache, &shown, 0, now_s, &peer);
	GTC_EXPECT(found != NULL);
	sk_X509_pop_free(found, X509_free);
	// With a CRL it is the first that ends which counts.
	shown.others = NULL;
	ovpn_tls_cache_add(cache, &shown, 7, chain, crls, now_s, &alice);
	found = ovpn_tls_cache_find(cache, &shown, 7, now_s + 500, &peer);
	GTC_EXPECT(found != NULL);
	sk_X509_pop_free(found, X509_free);
	GTC_EXPECT(ovpn_tls_cache_find(cache, &shown, 7, now_s + 700, &peer) == NULL);
	GTC_EXPECT(ovpn_tls_cache_find(cache, &shown, 0, now_s, &peer) == NULL); // replaced
	sk_X509_pop_free(chain, X509_free);
	sk_X509_pop_free(twice, X509_free);
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	free(crl_text);
	test_cert_free(pem);
	test_ca_free(ca);
	(void)ovpn_tls_cache_free(cache); // NULL
}

// Many clients' chains are all found again, although some share a place.
GTC_TEST(tls, cache_of_many)
{
	enum { MANY = 128 };
	struct ovpn_tls_cache *cache = ovpn_tls_cache_create();
	struct test_ca *ca = test_ca_create("Test CA");
	X509 *cert[MANY];
	struct ovpn_tls_peer peer = { 0 };
	int64_t now_s = (int64_t)time(NULL);
	unsigned found = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct test_cert *pem = test_ca_issue(ca, "many", TEST_EKU_CLIENT, -60, 1800);
		STACK_OF(X509) *chain = sk_X509_new_null();
		struct ovpn_tls_shown shown = { NULL, NULL };

		cert[i] = read_cert(pem->cert);
		shown.leaf = cert[i];
		GTC_EXPECT(sk_X509_push(chain, cert[i]) == 1);
		ovpn_tls_cache_add(cache, &shown, 0, chain, NULL, now_s, &peer);
		sk_X509_free(chain);
		test_cert_free(pem);
	}
	for (unsigned i = 0; i < MANY; i++) {
		const struct ovpn_tls_shown shown = { cert[i], NULL };
		STACK_OF(X509) *chain = ovpn_tls_cache_find(cache, &shown, 0, now_s, &peer);

		found += chain != NULL && sk_X509_value(chain, 0) == cert[i];
		sk_X509_pop_free(chain, X509_free);
	}
	GTC_EXPECT(found >= MANY - 2); // a set of four may have got a fifth
	for (unsigned i = 0; i < MANY; i++)
		X509_free(cert[i]);
	test_ca_free(ca);
	(void)ovpn_tls_cache_free(cache); // NULL
}

// A CRL that is loaded later holds for handshakes that begin later.
GTC_TEST(tls, crl)
{
	struct world w;
	struct ovpn_tls_source source;
	struct ovpn_tls_error err = { 0 };
	char *empty;
	char *revoking;
	char *expired;

	world_init(&w);
	empty = test_ca_crl(w.ca, NULL, 0, 3600);
	revoking = test_ca_crl(w.ca, &w.client->serial, 1, 3600);
	expired = test_ca_crl(w.ca, NULL, 0, -3600);
	w.server_options.crl = inline_text(empty);
	if (world_start(&w)) {
		shake_hands(&w);
		GTC_EXPECT_INT(ovpn_tls_conn_step(w.server_conn), OVPN_TLS_READY);
		source = inline_text("-----BEGIN nothing");
		GTC_EXPECT_INT(ovpn_tls_ctx_set_crl(w.server_ctx, &source, &err), -EINVAL);
		GTC_EXPECT_STR(err.text, "inline crl-verify: no CRL in it");
		source = inline_text(revoking);
		GTC_EXPECT_INT(ovpn_tls_ctx_set_crl(w.server_ctx, &source, &err), 0);
		w.server_conn = ovpn_tls_conn_free(w.server_conn);
		w.client_conn = ovpn_tls_conn_free(w.client_conn);
		w.server_conn = ovpn_tls_conn_create(w.server_ctx);
		w.client_conn = ovpn_tls_conn_create(w.client_ctx);
		expect_server_refuses(&w, "certificate is revoked (O=Visp test, CN=alice)");
		source = inline_text(expired);
		GTC_EXPECT_INT(ovpn_tls_ctx_set_crl(w.server_ctx, &source, &err), 0);
		w.server_conn = ovpn_tls_conn_free(w.server_conn);
		w.client_conn = ovpn_tls_conn_free(w.client_conn);
		w.server_conn = ovpn_tls_conn_create(w.server_ctx);
		w.client_conn = ovpn_tls_conn_create(w.client_ctx);
		expect_server_refuses(&w, "the CRL has expired (O=Visp test, CN=alice)");
	}
	free(empty);
	free(revoking);
	free(expired);
	world_done(&w);
}

GTC_TEST(tls, crl_folder)
{
	struct world w;
	char folder[] = "/tmp/visp-crl-XXXXXX";
	char path[64];
	FILE *f;

	GTC_ASSERT(mkdtemp(folder) != NULL);
	world_init(&w);
	w.server_options.crl_dir = folder;
	(void)snprintf(path, sizeof(path), "%s/%ld", folder, w.client->serial); // fits
	f = fopen(path, "we");
	GTC_EXPECT(f != NULL && fclose(f) == 0);
	if (world_start(&w))
		expect_server_refuses(&w, "certificate is revoked (O=Visp test, CN=alice)");
	world_done(&w);
	GTC_EXPECT_INT(unlink(path), 0);
	GTC_EXPECT_INT(rmdir(folder), 0);
}

GTC_TEST(tls, no_shared_cipher)
{
	struct world w;

	world_init(&w);
	w.server_options.version_max = OVPN_TLS_1_2;
	w.server_options.cipher_list = "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384";
	w.client_options.cipher_list = "ECDHE-ECDSA-CHACHA20-POLY1305";
	if (world_start(&w))
		expect_server_refuses(&w, "no shared cipher");
	world_done(&w);
	world_init(&w);
	w.server_options.version_min = OVPN_TLS_1_3;
	w.client_options.version_max = OVPN_TLS_1_2;
	if (world_start(&w))
		expect_server_refuses(&w, "unsupported protocol");
	world_done(&w);
	world_init(&w);
	w.server_options.ciphersuites = "TLS-CHACHA20-POLY1305-SHA256";
	if (world_start(&w)) {
		shake_hands(&w);
		GTC_EXPECT_STR(ovpn_tls_conn_cipher(w.server_conn), "TLS_CHACHA20_POLY1305_SHA256");
	}
	world_done(&w);
}

static void expect_bad_options(
	const struct ovpn_tls_ctx_options *options, int rc, const char *words)
{
	struct ovpn_tls_ctx *ctx = NULL;
	struct ovpn_tls_error err = { 0 };

	GTC_EXPECT_INT(ovpn_tls_ctx_create(options, &ctx, &err), rc);
	GTC_EXPECT_STR(err.text, words);
	GTC_EXPECT(ctx == NULL);
}

GTC_TEST(tls, bad_options)
{
	struct world w;
	struct ovpn_tls_ctx_options o;

	world_init(&w);
	o = w.server_options;
	o.ca = (struct ovpn_tls_source){ .path = "/nonexistent/ca.pem" };
	expect_bad_options(
		&o, -ENOENT, "ca /nonexistent/ca.pem: can't read it: No such file or directory");
	o.ca = (struct ovpn_tls_source){ 0 };
	expect_bad_options(&o, -EINVAL, "no CA: ca is missing");
	o = w.server_options;
	o.cert = inline_text("hello");
	expect_bad_options(&o, -EINVAL, "inline cert: no certificate in it");
	o = w.server_options;
	o.key = inline_text(w.client->key);
	expect_bad_options(
		&o, -EKEYREJECTED, "inline cert: the private key belongs to another one");
	o.key = (struct ovpn_tls_source){ 0 };
	expect_bad_options(&o, -EINVAL, "cert without key");
	o.cert = (struct ovpn_tls_source){ 0 };
	expect_bad_options(&o, -EINVAL, "no certificate: cert is missing");
	o = w.server_options;
	o.key = inline_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	expect_bad_options(&o, -EINVAL, "inline key: no private key in it");
	o = w.server_options;
	o.version_min = OVPN_TLS_1_3;
	o.version_max = OVPN_TLS_1_2;
	expect_bad_options(&o, -EINVAL, "tls-version-min is above tls-version-max");
	o = w.server_options;
	o.cipher_list = "NO-SUCH-CIPHER";
	expect_bad_options(&o, -EINVAL, "tls-cipher: no cipher match");
	o = w.server_options;
	o.crl_dir = "/nonexistent";
	expect_bad_options(&o, -ENOENT, "crl-verify /nonexistent: no such folder");
	world_done(&w);
}

static int give_password(void *arg, char *ret_password, size_t size)
{
	return snprintf(ret_password, size, "%s", (const char *)arg);
}

GTC_TEST(tls, encrypted_key)
{
	struct world w;
	struct ovpn_tls_ctx *ctx = NULL;
	struct ovpn_tls_error err = { 0 };
	char right[] = "secret";
	char wrong[] = "guess";
	char *key;

	world_init(&w);
	key = test_key_encrypt(w.client->key, right);
	w.client_options.key = inline_text(key);
	expect_bad_options(&w.client_options, -EINVAL,
		"inline key: encrypted, and there is no password (askpass)");
	w.client_options.password = give_password;
	w.client_options.password_arg = wrong;
	expect_bad_options(&w.client_options, -EINVAL, "inline key: wrong password");
	w.client_options.password_arg = right;
	GTC_EXPECT_INT(ovpn_tls_ctx_create(&w.client_options, &ctx, &err), 0);
	GTC_EXPECT_STR(ovpn_tls_ctx_subject(ctx), "O=Visp test, CN=alice");
	ctx = ovpn_tls_ctx_unref(ctx);
	free(key);
	world_done(&w);
}

// A fatal alert in clear ends a handshake wherever it is.
GTC_TEST(tls, alert)
{
	struct world w;
	uint8_t record[7];

	world_init(&w);
	GTC_ASSERT(world_start(&w));
	(void)ovpn_tls_conn_step(w.client_conn); // makes the ClientHello
	ovpn_tls_alert(80, record);
	GTC_EXPECT_INT(ovpn_tls_conn_feed(w.client_conn, record, sizeof(record)), 0);
	GTC_EXPECT_INT(ovpn_tls_conn_step(w.client_conn), OVPN_TLS_FAILED);
	GTC_EXPECT_STR(ovpn_tls_conn_error(w.client_conn), "the peer says: internal error");
	GTC_EXPECT_INT(ovpn_tls_conn_fed(w.client_conn), 7);
	world_done(&w);
}
