// SPDX-License-Identifier: BSD-3-Clause
#include "control/crl.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "protocol/ssl/tls_ctx.h"

#define FILE_LEN_MAX (16u << 20) // a CRL of a large CA has some MiB
#define SERIAL_DIGITS_MAX 128

// What shows that a file is another one, or was written since.
struct fingerprint {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct timespec ctime;
};

struct ctl_crl {
	const struct cfg_blob *blob;
	struct fingerprint seen; // looked at last, good or not
	STACK_OF(X509_CRL) * lists; // in force
};

static struct fingerprint fingerprint_take(const char *path)
{
	struct fingerprint f = { 0 };
	struct stat st;

	if (stat(path, &st) == 0) {
		f.exists = true;
		f.dev = st.st_dev;
		f.ino = st.st_ino;
		f.size = st.st_size;
		f.mtime = st.st_mtim;
		f.ctime = st.st_ctim;
	}
	return f;
}

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
		a->size == b->size && time_equal(&a->mtime, &b->mtime) &&
		time_equal(&a->ctime, &b->ctime);
}

static void lists_free(STACK_OF(X509_CRL) * lists)
{
	sk_X509_CRL_pop_free(lists, X509_CRL_free); // takes NULL
}

// Parse all lists of a PEM text. Returns NULL and a clause in text.
static STACK_OF(X509_CRL) * lists_parse(const char *pem, size_t len, char *text)
{
	STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509_CRL *crl;

	if (lists == NULL || bio == NULL) {
		snprintf(text, CTL_CRL_TEXT, "out of memory");
		goto free_lists;
	}
	while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_CRL_push(lists, crl) <= 0) {
			X509_CRL_free(crl);
			snprintf(text, CTL_CRL_TEXT, "out of memory");
			goto free_lists;
		}
	}
	// The end of the text shows as "no start line"; anything else is a damaged list.
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		snprintf(
			text, CTL_CRL_TEXT, "list %d in it is damaged", sk_X509_CRL_num(lists) + 1);
		goto free_lists;
	}
	if (sk_X509_CRL_num(lists) == 0) {
		snprintf(text, CTL_CRL_TEXT, "there is no list in it");
		goto free_lists;
	}
	ERR_clear_error();
	BIO_free(bio);
	return lists;

free_lists:
	ERR_clear_error();
	BIO_free(bio); // takes NULL
	lists_free(lists);
	return NULL;
}

// Seconds until the first list is due; INT64_MAX when none says.
static int64_t lists_left(const STACK_OF(X509_CRL) * lists, int64_t now_s)
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
		const ASN1_TIME *due = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(lists, i));
		struct tm tm;
		int64_t left;

		if (due == NULL || ASN1_TIME_to_tm(due, &tm) != 1)
			continue;
		left = (int64_t)timegm(&tm) - now_s;
		if (left < least)
			least = left;
	}
	return least;
}

// Read the blob. *ret_pem is freed with cfg_secret_free. Returns 0, or an errno and a clause.
static int blob_read(const struct cfg_blob *blob, char **ret_pem, size_t *ret_len, char *text)
{
	int rc = cfg_blob_read(blob, FILE_LEN_MAX, ret_pem, ret_len, NULL);

	if (rc < 0)
		snprintf(text, CTL_CRL_TEXT, "can't be read: %s", strerror(-rc));
	return rc;
}

struct ctl_crl *ctl_crl_create(const struct cfg_blob *blob, int64_t now_s, char *ret_text)
{
	struct ctl_crl *crl = calloc(1, sizeof(*crl));
	char scratch[CTL_CRL_TEXT];
	char *text = ret_text != NULL ? ret_text : scratch;
	char *pem;
	size_t len;

	text[0] = '\0';
	if (crl == NULL)
		return NULL;
	crl->blob = blob;
	// Before reading, so that a change in between is seen as one.
	if (blob->path != NULL)
		crl->seen = fingerprint_take(blob->path);
	if (blob_read(blob, &pem, &len, text) == 0) {
		crl->lists = lists_parse(pem, len, text);
		cfg_secret_free(pem, len);
	}
	if (crl->lists == NULL) {
		free(crl);
		errno = EINVAL;
		return NULL;
	}
	if (lists_left(crl->lists, now_s) < 0)
		snprintf(text, CTL_CRL_TEXT,
			"is overdue; clients may be refused until it is renewed");
	return crl;
}

struct ctl_crl *ctl_crl_free(struct ctl_crl *crl)
{
	if (crl != NULL)
		lists_free(crl->lists);
	free(crl);
	return NULL;
}

// Check a new text and put it in force. Returns false and a clause when the old one stays.
static bool lists_replace(struct ctl_crl *crl, struct ovpn_tls_ctx *ctx, int64_t now_s,
	const char *pem, size_t len, char *text)
{
	STACK_OF(X509_CRL) *fresh = lists_parse(pem, len, text);
	struct ovpn_tls_source source = { .name = "crl-verify", .data = pem, .len = len };
	struct ovpn_tls_error err;

	if (fresh == NULL)
		return false;
	if (lists_left(fresh, now_s) < 0) {
		snprintf(text, CTL_CRL_TEXT, "is overdue already");
		goto free_fresh;
	}
	if (ctx != NULL && ovpn_tls_ctx_set_crl(ctx, &source, &err) < 0) {
		snprintf(text, CTL_CRL_TEXT, "%.300s", err.text);
		goto free_fresh;
	}
	lists_free(crl->lists);
	crl->lists = fresh;
	return true;

free_fresh:
	lists_free(fresh);
	return false;
}

enum ctl_crl_result ctl_crl_poll(
	struct ctl_crl *crl, struct ovpn_tls_ctx *ctx, int64_t now_s, char *ret_text)
{
	char scratch[CTL_CRL_TEXT];
	char *text = ret_text != NULL ? ret_text : scratch;
	struct fingerprint now;
	bool good = false;
	char *pem;
	size_t len;

	if (crl->blob->path == NULL)
		return CTL_CRL_SAME;
	now = fingerprint_take(crl->blob->path);
	if (fingerprint_equal(&now, &crl->seen))
		return CTL_CRL_SAME;
	crl->seen = now;
	if (blob_read(crl->blob, &pem, &len, text) == 0) {
		good = lists_replace(crl, ctx, now_s, pem, len, text);
		cfg_secret_free(pem, len);
	}
	if (!good)
		return CTL_CRL_KEPT;
	snprintf(text, CTL_CRL_TEXT, "%zu certificates are revoked", ctl_crl_count(crl));
	return CTL_CRL_LOADED;
}

bool ctl_crl_revoked(const struct ctl_crl *crl, const char *serial)
{
	ASN1_INTEGER *number;
	BIGNUM *bn = NULL;
	size_t len = strlen(serial);
	bool found = false;

	if (len == 0 || len > SERIAL_DIGITS_MAX || BN_hex2bn(&bn, serial) != (int)len) {
		BN_free(bn); // takes NULL
		return false;
	}
	number = BN_to_ASN1_INTEGER(bn, NULL);
	for (int i = 0; number != NULL && !found && i < sk_X509_CRL_num(crl->lists); i++) {
		X509_REVOKED *entry;

		// 2 stands for "taken off the list again" in delta lists.
		found = X509_CRL_get0_by_serial(sk_X509_CRL_value(crl->lists, i), &entry, number) ==
			1;
	}
	ASN1_INTEGER_free(number);
	BN_free(bn);
	return found;
}

int64_t ctl_crl_seconds_left(const struct ctl_crl *crl, int64_t now_s)
{
	return lists_left(crl->lists, now_s);
}

size_t ctl_crl_count(const struct ctl_crl *crl)
{
	size_t n = 0;

	for (int i = 0; i < sk_X509_CRL_num(crl->lists); i++) {
		STACK_OF(X509_REVOKED) *revoked =
			X509_CRL_get_REVOKED(sk_X509_CRL_value(crl->lists, i));

		if (revoked != NULL)
			n += (size_t)sk_X509_REVOKED_num(revoked);
	}
	return n;
}

bool ctl_crl_dir_revoked(const char *dir, const char *serial)
{
	char path[4096];
	BIGNUM *number = NULL;
	char *text = BN_hex2bn(&number, serial) > 0 ? BN_bn2dec(number) : NULL;
	struct stat st;
	int n = text != NULL ? snprintf(path, sizeof(path), "%s/%s", dir, text) : -1;
	bool revoked =
		n < 0 || (size_t)n >= sizeof(path) || stat(path, &st) == 0 || errno != ENOENT;

	OPENSSL_free(text);
	BN_free(number);
	return revoked;
}
