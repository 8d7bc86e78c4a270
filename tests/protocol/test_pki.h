// SPDX-License-Identifier: BSD-3-Clause
// A certificate authority for tests, made anew in memory each time: no key is checked in. Ends the
// program when libcrypto fails.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct test_ca; // key, certificate, next serial number, CRL

enum test_eku {
	TEST_EKU_NONE,
	TEST_EKU_SERVER,
	TEST_EKU_CLIENT,
	TEST_EKU_BOTH,
	TEST_EKU_SERVER_ALONE, // without key usage, as the next
	TEST_EKU_CLIENT_ALONE,
};

// A certificate and its key as PEM text, NUL-terminated; freed by test_cert_free().
struct test_cert {
	char *cert;
	char *key;
	long serial;
};

struct test_ca *test_ca_create(const char *cn);
void test_ca_free(struct test_ca *ca);
const char *test_ca_pem(const struct test_ca *ca);

// Issue a certificate with a new P-256 key, subject "O=Visp test, CN=<cn>".
// from_s, to_s: validity in seconds from now, may be negative.
struct test_cert *test_ca_issue(
	struct test_ca *ca, const char *cn, enum test_eku eku, long from_s, long to_s);
void test_cert_free(struct test_cert *cert);

// PEM text of a CRL with these serial numbers, valid for `seconds` from now (negative: expired).
// The caller frees it.
char *test_ca_crl(struct test_ca *ca, const long *serials, size_t count, long seconds);

// The same key encrypted with a password, as PEM text. The caller frees it.
char *test_key_encrypt(const char *key_pem, const char *password);
