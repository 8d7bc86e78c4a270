// SPDX-License-Identifier: BSD-3-Clause
// What spares libcrypto work: certificates that were parsed before, and fewer algorithms.
#include <openssl/pem.h>

#include "protocol/ssl/tls_private.h"
#include "tests/gtc.h"
#include "tests/protocol/test_pki.h"

static X509 *parse(const uint8_t *der, size_t len, size_t *ret_used)
{
	const uint8_t *at = der;
	X509 *cert = X509_new();

	(void)d2i_X509(&cert, &at, (long)len); // NULL in both places when it fails
	*ret_used = (size_t)(at - der);
	return cert;
}

// A certificate is known by all its bytes, once a verified chain had it, and where it was asked
// for.
GTC_TEST(tls, parsed)
{
	struct ovpn_tls_parsed *parsed = ovpn_tls_parsed_create();
	struct test_ca *ca = test_ca_create("Test CA");
	struct test_cert *pem = test_ca_issue(ca, "alice", TEST_EKU_CLIENT, -60, 1800);
	BIO *bio = BIO_new_mem_buf(pem->cert, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	STACK_OF(X509) *shown = sk_X509_new_null();
	STACK_OF(X509) *verified = sk_X509_new_null();
	uint8_t *der = NULL;
	size_t len = (size_t)i2d_X509(cert, &der);
	size_t used;
	X509 *found;

	GTC_EXPECT(sk_X509_push(shown, cert) == 1);
	ovpn_tls_parsed_use(parsed);
	ovpn_tls_parsed_add(parsed, shown, verified);
	found = parse(der, len, &used);
	GTC_EXPECT(found != NULL && found != cert && used == len);
	X509_free(found);
	GTC_EXPECT_INT(ovpn_tls_parsed_hits(parsed), 0);

	GTC_EXPECT(sk_X509_push(verified, cert) == 1);
	ovpn_tls_parsed_add(parsed, shown, verified);
	ovpn_tls_parsed_add(parsed, shown, verified); // in its own place
	found = parse(der, len, &used);
	GTC_EXPECT(found == cert && used == len);
	X509_free(found);
	GTC_EXPECT_INT(ovpn_tls_parsed_hits(parsed), 1);

	der[len - 80] ^= 1; // in the signature, before what chooses the place
	found = parse(der, len, &used);
	GTC_EXPECT(found != cert);
	X509_free(found);
	der[len - 80] ^= 1;
	found = parse(der, 7, &used);
	GTC_EXPECT(found == NULL);
	GTC_EXPECT_INT(ovpn_tls_parsed_hits(parsed), 1);

	ovpn_tls_parsed_use(NULL);
	found = parse(der, len, &used);
	GTC_EXPECT(found != NULL && found != cert && used == len);
	X509_free(found);
	GTC_EXPECT_INT(ovpn_tls_parsed_hits(parsed), 1);
	(void)ovpn_tls_parsed_free(parsed); // NULL
	sk_X509_free(shown);
	sk_X509_free(verified);
	X509_free(cert);
	OPENSSL_free(der);
	BIO_free(bio);
	test_cert_free(pem);
	test_ca_free(ca);
}

// The context with fewer algorithms has every suite that the usual one has, but for those of DSA.
GTC_TEST(tls, suites)
{
	SSL_CTX *all = SSL_CTX_new(TLS_server_method());
	SSL_CTX *ours = SSL_CTX_new_ex(ovpn_tls_lib(), NULL, TLS_server_method());
	const char *list = "ALL:COMPLEMENTOFALL:!aDSS:@SECLEVEL=0";
	STACK_OF(SSL_CIPHER) * a, *b;

	GTC_EXPECT(ovpn_tls_lib() != NULL);
	GTC_EXPECT(SSL_CTX_set_cipher_list(all, list) == 1);
	GTC_EXPECT(SSL_CTX_set_cipher_list(ours, list) == 1);
	a = SSL_CTX_get_ciphers(all);
	b = SSL_CTX_get_ciphers(ours);
	GTC_EXPECT(sk_SSL_CIPHER_num(a) > 60);
	GTC_ASSERT(sk_SSL_CIPHER_num(a) == sk_SSL_CIPHER_num(b));
	for (int i = 0; i < sk_SSL_CIPHER_num(a); i++)
		GTC_EXPECT_STR(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(a, i)),
			SSL_CIPHER_get_name(sk_SSL_CIPHER_value(b, i)));
	SSL_CTX_free(all);
	SSL_CTX_free(ours);
}
