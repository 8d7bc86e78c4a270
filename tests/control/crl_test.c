// SPDX-License-Identifier: BSD-3-Clause
#include "control/crl.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/gtc.h"

#define NOW 1750000000

// Write a list that revokes `serial` and is due `days` days after NOW.
static void list_write(const char *path, const char *mode, const char *serial, long days)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509_CRL *crl = X509_CRL_new();
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_TIME *issued = ASN1_TIME_set(NULL, NOW - 86400L * 100);
	ASN1_TIME *due = ASN1_TIME_set(NULL, NOW + 86400L * days);
	X509_NAME *name = X509_NAME_new();
	ASN1_INTEGER *number;
	BIGNUM *bn = NULL;
	FILE *f = fopen(path, mode);

	GTC_ASSERT(key != NULL && crl != NULL && revoked != NULL && name != NULL && f != NULL);
	BN_hex2bn(&bn, serial);
	number = BN_to_ASN1_INTEGER(bn, NULL);
	X509_REVOKED_set_serialNumber(revoked, number);
	X509_REVOKED_set_revocationDate(revoked, issued);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"CA", -1, -1, 0);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, name);
	X509_CRL_set1_lastUpdate(crl, issued);
	X509_CRL_set1_nextUpdate(crl, due);
	X509_CRL_add0_revoked(crl, revoked);
	GTC_EXPECT(X509_CRL_sign(crl, key, EVP_sha256()) > 0);
	GTC_EXPECT_INT(PEM_write_X509_CRL(f, crl), 1);
	GTC_EXPECT_INT(fclose(f), 0);
	ASN1_INTEGER_free(number);
	BN_free(bn);
	X509_NAME_free(name);
	ASN1_TIME_free(issued);
	ASN1_TIME_free(due);
	X509_CRL_free(crl);
	EVP_PKEY_free(key);
}

static void text_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	GTC_ASSERT(f != NULL);
	GTC_EXPECT(fputs(text, f) >= 0);
	GTC_EXPECT_INT(fclose(f), 0);
}

GTC_TEST(ctl_crl, follows_the_file)
{
	char path[] = "/tmp/ctl-crl-XXXXXX";
	struct cfg_blob blob = { .path = path, .option = "crl-verify", .file = "f", .line = 1 };
	char text[CTL_CRL_TEXT];
	struct ctl_crl *crl;
	int fd = mkstemp(path);

	GTC_ASSERT(fd >= 0);
	close(fd);
	list_write(path, "w", "0A1B", 30);
	crl = ctl_crl_create(&blob, NOW, text);
	GTC_ASSERT(crl != NULL);
	GTC_EXPECT_STR(text, "");
	GTC_EXPECT_INT(ctl_crl_count(crl), 1);
	GTC_EXPECT_INT(ctl_crl_seconds_left(crl, NOW), 86400 * 30);
	GTC_EXPECT(ctl_crl_revoked(crl, "0a1b"));
	GTC_EXPECT(ctl_crl_revoked(crl, "000A1B"));
	GTC_EXPECT(!ctl_crl_revoked(crl, "0a1c"));
	GTC_EXPECT(!ctl_crl_revoked(crl, "0a1b,"));
	GTC_EXPECT(!ctl_crl_revoked(crl, ""));
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_SAME);

	// Two lists in one file.
	list_write(path, "w", "77", 30);
	list_write(path, "a", "78", 20);
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_LOADED);
	GTC_EXPECT_STR(text, "2 certificates are revoked");
	GTC_EXPECT(ctl_crl_revoked(crl, "77") && ctl_crl_revoked(crl, "78"));
	GTC_EXPECT(!ctl_crl_revoked(crl, "0a1b"));
	GTC_EXPECT_INT(ctl_crl_seconds_left(crl, NOW), 86400 * 20);
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_SAME);

	// Bad ones aren't taken, and said once.
	text_write(path, "no list at all\n");
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_KEPT);
	GTC_EXPECT_STR(text, "there is no list in it");
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_SAME);
	text_write(path, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_KEPT);
	GTC_EXPECT_STR(text, "list 1 in it is damaged");
	list_write(path, "w", "99", -1);
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_KEPT);
	GTC_EXPECT_STR(text, "is overdue already");
	GTC_EXPECT_INT(unlink(path), 0);
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_KEPT);
	GTC_EXPECT_STR(text, "can't be read: No such file or directory");
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, text), CTL_CRL_SAME);
	GTC_EXPECT(ctl_crl_revoked(crl, "77"));
	list_write(path, "w", "99", 1);
	GTC_EXPECT_INT(ctl_crl_poll(crl, NULL, NOW, NULL), CTL_CRL_LOADED);
	GTC_EXPECT(ctl_crl_revoked(crl, "99"));
	GTC_EXPECT(ctl_crl_free(crl) == NULL);
	GTC_EXPECT_INT(unlink(path), 0);
}

GTC_TEST(ctl_crl, at_start)
{
	char path[] = "/tmp/ctl-crl-XXXXXX";
	struct cfg_blob blob = { .path = path, .option = "crl-verify", .file = "f", .line = 1 };
	char text[CTL_CRL_TEXT];
	struct ctl_crl *crl;
	int fd = mkstemp(path);

	GTC_ASSERT(fd >= 0);
	close(fd);
	GTC_EXPECT(ctl_crl_create(&blob, NOW, text) == NULL);
	GTC_EXPECT_INT(errno, EINVAL);
	GTC_EXPECT_STR(text, "there is no list in it");
	list_write(path, "w", "1", -1);
	crl = ctl_crl_create(&blob, NOW, text);
	GTC_ASSERT(crl != NULL);
	GTC_EXPECT_STR(text, "is overdue; clients may be refused until it is renewed");
	GTC_EXPECT_INT(ctl_crl_seconds_left(crl, NOW), -86400);
	ctl_crl_free(crl);
	GTC_EXPECT_INT(unlink(path), 0);
	GTC_EXPECT(ctl_crl_create(&blob, NOW, text) == NULL);
	GTC_EXPECT_STR(text, "can't be read: No such file or directory");
}
