// SPDX-License-Identifier: BSD-3-Clause
#include "tests/protocol/test_pki.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_ca {
	EVP_PKEY *key;
	X509 *cert;
	char *pem;
	long serial;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "test_pki: %s failed\n", what);
	abort();
}

static char *text_of(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = strndup(data, (size_t)len);

	must(text != NULL, "strndup");
	BIO_free(bio);
	return text;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL && X509_add_ext(cert, ext, -1), "extension");
	X509_EXTENSION_free(ext);
}

static X509 *new_cert(const char *cn, EVP_PKEY *key, long serial, long from_s, long to_s)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	must(cert != NULL && X509_set_version(cert, 2), "X509_new");
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
	must(X509_NAME_add_entry_by_txt(
		     name, "O", MBSTRING_UTF8, (const unsigned char *)"Visp test", -1, -1, 0),
		"name");
	must(X509_NAME_add_entry_by_txt(
		     name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0),
		"name");
	must(X509_set_pubkey(cert, key), "X509_set_pubkey");
	return cert;
}

static char *cert_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	must(PEM_write_bio_X509(bio, cert), "PEM");
	return text_of(bio);
}

struct test_ca *test_ca_create(const char *cn)
{
	struct test_ca *ca = calloc(1, sizeof(*ca));

	must(ca != NULL, "calloc");
	ca->key = EVP_EC_gen("P-256");
	must(ca->key != NULL, "EVP_EC_gen");
	ca->serial = 1;
	ca->cert = new_cert(cn, ca->key, ca->serial++, -86400, 86400);
	X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
	add_extension(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	must(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0, "X509_sign");
	ca->pem = cert_pem(ca->cert);
	return ca;
}

void test_ca_free(struct test_ca *ca)
{
	if (ca == NULL)
		return;
	EVP_PKEY_free(ca->key);
	X509_free(ca->cert);
	free(ca->pem);
	free(ca);
}

const char *test_ca_pem(const struct test_ca *ca)
{
	return ca->pem;
}

struct test_cert *test_ca_issue(
	struct test_ca *ca, const char *cn, enum test_eku eku, long from_s, long to_s)
{
	static const char *const eku_text[] = {
		[TEST_EKU_SERVER] = "serverAuth",
		[TEST_EKU_CLIENT] = "clientAuth",
		[TEST_EKU_BOTH] = "serverAuth,clientAuth",
		[TEST_EKU_SERVER_ALONE] = "serverAuth",
		[TEST_EKU_CLIENT_ALONE] = "clientAuth",
	};
	struct test_cert *ret = calloc(1, sizeof(*ret));
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert;

	must(ret != NULL && key != NULL && bio != NULL, "memory");
	ret->serial = ca->serial++;
	cert = new_cert(cn, key, ret->serial, from_s, to_s);
	X509_set_issuer_name(cert, X509_get_subject_name(ca->cert));
	add_extension(cert, ca->cert, NID_basic_constraints, "CA:FALSE");
	if (eku != TEST_EKU_SERVER_ALONE && eku != TEST_EKU_CLIENT_ALONE)
		add_extension(cert, ca->cert, NID_key_usage, "digitalSignature");
	if (eku_text[eku] != NULL)
		add_extension(cert, ca->cert, NID_ext_key_usage, eku_text[eku]);
	must(X509_sign(cert, ca->key, EVP_sha256()) > 0, "X509_sign");
	ret->cert = cert_pem(cert);
	must(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), "PEM");
	ret->key = text_of(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ret;
}

void test_cert_free(struct test_cert *cert)
{
	if (cert == NULL)
		return;
	free(cert->cert);
	free(cert->key);
	free(cert);
}

char *test_ca_crl(struct test_ca *ca, const long *serials, size_t count, long seconds)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *last = X509_gmtime_adj(NULL, seconds < 0 ? 2 * seconds : -60);
	ASN1_TIME *next = X509_gmtime_adj(NULL, seconds);
	BIO *bio = BIO_new(BIO_s_mem());

	must(crl != NULL && last != NULL && next != NULL && bio != NULL, "memory");
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert));
	X509_CRL_set1_lastUpdate(crl, last);
	X509_CRL_set1_nextUpdate(crl, next);
	for (size_t i = 0; i < count; i++) {
		X509_REVOKED *revoked = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, serials[i]);
		X509_REVOKED_set_serialNumber(revoked, serial);
		X509_REVOKED_set_revocationDate(revoked, last);
		must(X509_CRL_add0_revoked(crl, revoked), "CRL");
		ASN1_INTEGER_free(serial);
	}
	X509_CRL_sort(crl);
	must(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0, "X509_CRL_sign");
	must(PEM_write_bio_X509_CRL(bio, crl), "PEM");
	X509_CRL_free(crl);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	return text_of(bio);
}

char *test_key_encrypt(const char *key_pem, const char *password)
{
	BIO *in = BIO_new_mem_buf(key_pem, -1);
	BIO *out = BIO_new(BIO_s_mem());
	EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

	must(key != NULL, "PEM");
	must(PEM_write_bio_PKCS8PrivateKey(
		     out, key, EVP_aes_256_cbc(), password, (int)strlen(password), NULL, NULL),
		"PEM");
	BIO_free(in);
	EVP_PKEY_free(key);
	return text_of(out);
}
