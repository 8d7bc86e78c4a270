// SPDX-License-Identifier: BSD-3-Clause
// Reading certificates, keys and CRLs from files and inline blocks.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/ssl/tls_private.h"

#define NAME_MAX_LEN 200
#define PASSWORD_MAX 256

int ovpn_tls_error_set(struct ovpn_tls_error *err, int rc, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return rc;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap); // cutting it does no harm
	va_end(ap);
	return rc;
}

bool ovpn_tls_source_given(const struct ovpn_tls_source *source)
{
	return source->path != NULL || source->data != NULL;
}

void ovpn_tls_source_name(
	const struct ovpn_tls_source *source, const char *what, char *ret_name, size_t size)
{
	const char *name = source->name != NULL ? source->name : what;

	// Cutting the text does no harm.
	if (source->path != NULL)
		(void)snprintf(ret_name, size, "%s %s", name, source->path);
	else
		(void)snprintf(ret_name, size, "inline %s", name);
}

// Read a whole file. A key may be in it, so the memory is wiped whatever happens.
static int read_file(const char *path, void **ret_copy, size_t *ret_size)
{
	struct stat st;
	uint8_t *copy;
	size_t len = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode) || st.st_size > (off_t)OVPN_TLS_FILE_MAX) {
		(void)close(fd); // only read from
		return S_ISDIR(st.st_mode) ? -EISDIR : -EFBIG;
	}
	// A pipe has no size; it gets room for a key and a chain.
	size_t size = S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : 64 * 1024;

	copy = OPENSSL_malloc(size);
	if (copy == NULL)
		rc = -ENOMEM;
	while (rc == 0 && n > 0 && len < size) {
		n = read(fd, copy + len, size - len);
		if (n < 0)
			rc = errno == EINTR ? 0 : -errno;
		else
			len += (size_t)n;
		if (n < 0 && rc == 0)
			n = 1; // interrupted: again
	}
	(void)close(fd); // only read from
	if (rc < 0) {
		OPENSSL_clear_free(copy, size);
		return rc;
	}
	*ret_copy = copy;
	*ret_size = len;
	return 0;
}

int ovpn_tls_source_open(const struct ovpn_tls_source *source, const char *what, BIO **ret_bio,
	void **ret_copy, size_t *ret_size, struct ovpn_tls_error *err)
{
	char name[NAME_MAX_LEN];
	const void *data = source->data;
	void *copy = NULL;
	size_t len = source->len;
	BIO *bio;
	int rc;

	ovpn_tls_source_name(source, what, name, sizeof(name));
	if (source->path != NULL) {
		rc = read_file(source->path, &copy, &len);
		if (rc < 0)
			return ovpn_tls_error_set(err, rc == -ENOMEM ? rc : -ENOENT,
				"%s: can't read it: %s", name, strerror(-rc));
		data = copy;
	}
	bio = len <= INT_MAX ? BIO_new_mem_buf(data, (int)len) : NULL;
	if (bio == NULL) {
		OPENSSL_clear_free(copy, len);
		return ovpn_tls_error_set(err, -ENOMEM, "%s: out of memory", name);
	}
	*ret_bio = bio;
	*ret_copy = copy;
	*ret_size = len;
	return 0;
}

// Did PEM reading stop because there was nothing more?
static bool pem_at_end(void)
{
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

int ovpn_tls_load_certs(const struct ovpn_tls_source *source, const char *what,
	STACK_OF(X509) * *ret_certs, struct ovpn_tls_error *err)
{
	char name[NAME_MAX_LEN];
	STACK_OF(X509) *certs = sk_X509_new_null();
	X509 *cert;
	BIO *bio = NULL;
	void *copy = NULL;
	size_t size = 0;
	int rc;

	if (certs == NULL)
		return ovpn_tls_error_set(err, -ENOMEM, "out of memory");
	ovpn_tls_source_name(source, what, name, sizeof(name));
	rc = ovpn_tls_source_open(source, what, &bio, &copy, &size, err);
	if (rc < 0)
		goto free_certs;
	ERR_clear_error();
	while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(certs, cert) <= 0) {
			X509_free(cert);
			rc = ovpn_tls_error_set(err, -ENOMEM, "out of memory");
			break;
		}
	}
	if (rc == 0 && !pem_at_end())
		rc = ovpn_tls_error_set(err, -EINVAL, "%s: certificate %d is damaged", name,
			sk_X509_num(certs) + 1);
	else if (rc == 0 && sk_X509_num(certs) == 0)
		rc = ovpn_tls_error_set(err, -EINVAL, "%s: no certificate in it", name);
	ERR_clear_error();
	BIO_free(bio);
	OPENSSL_clear_free(copy, size);
	if (rc == 0) {
		*ret_certs = certs;
		return 0;
	}
free_certs:
	sk_X509_pop_free(certs, X509_free);
	return rc;
}

// Asks at most once; OpenSSL asks again when a file holds several encrypted objects.
struct password {
	ovpn_tls_password_fn *fn;
	void *arg;
	bool asked;
};

static int password_cb(char *buf, int size, int rwflag, void *arg)
{
	struct password *p = arg;
	int n;

	(void)rwflag; // only reading is done here
	p->asked = true;
	if (p->fn == NULL || size <= 0)
		return -1;
	n = p->fn(p->arg, buf, (size_t)size);
	return n >= 0 && n < size ? n : -1;
}

int ovpn_tls_load_key(const struct ovpn_tls_source *source, ovpn_tls_password_fn *password,
	void *password_arg, EVP_PKEY **ret_key, struct ovpn_tls_error *err)
{
	struct password p = { .fn = password, .arg = password_arg };
	char name[NAME_MAX_LEN];
	EVP_PKEY *key;
	BIO *bio;
	void *copy;
	size_t size;
	int rc = ovpn_tls_source_open(source, "key", &bio, &copy, &size, err);

	if (rc < 0)
		return rc;
	ovpn_tls_source_name(source, "key", name, sizeof(name));
	key = PEM_read_bio_PrivateKey(bio, NULL, password_cb, &p);
	BIO_free(bio);
	OPENSSL_clear_free(copy, size);
	ERR_clear_error();
	if (key != NULL) {
		*ret_key = key;
		return 0;
	}
	if (p.asked && password == NULL)
		return ovpn_tls_error_set(
			err, -EINVAL, "%s: encrypted, and there is no password (askpass)", name);
	if (p.asked)
		return ovpn_tls_error_set(err, -EINVAL, "%s: wrong password", name);
	return ovpn_tls_error_set(err, -EINVAL, "%s: no private key in it", name);
}

// Inline it is text: base64 in lines.
static PKCS12 *read_base64(BIO *bio)
{
	BIO *decoder = BIO_new(BIO_f_base64());
	PKCS12 *p12;

	if (decoder == NULL)
		return NULL;
	(void)BIO_push(decoder, bio);
	p12 = d2i_PKCS12_bio(decoder, NULL);
	(void)BIO_pop(decoder); // bio is the caller's
	BIO_free(decoder);
	return p12;
}

int ovpn_tls_load_pkcs12(const struct ovpn_tls_source *source, ovpn_tls_password_fn *password,
	void *password_arg, EVP_PKEY **ret_key, X509 **ret_cert, STACK_OF(X509) * *ret_ca,
	struct ovpn_tls_error *err)
{
	char name[NAME_MAX_LEN];
	char text[PASSWORD_MAX] = "";
	PKCS12 *p12;
	BIO *bio;
	void *copy;
	size_t size;
	int ok = 0;
	int rc = ovpn_tls_source_open(source, "pkcs12", &bio, &copy, &size, err);

	if (rc < 0)
		return rc;
	ovpn_tls_source_name(source, "pkcs12", name, sizeof(name));
	p12 = source->path != NULL ? d2i_PKCS12_bio(bio, NULL) : read_base64(bio);
	BIO_free(bio);
	OPENSSL_clear_free(copy, size);
	if (p12 == NULL) {
		ERR_clear_error();
		return ovpn_tls_error_set(err, -EINVAL, "%s: not PKCS #12", name);
	}
	*ret_key = NULL;
	*ret_cert = NULL;
	*ret_ca = NULL;
	if (PKCS12_verify_mac(p12, "", 0) || PKCS12_verify_mac(p12, NULL, 0))
		ok = PKCS12_parse(p12, text, ret_key, ret_cert, ret_ca);
	else if (password != NULL && password(password_arg, text, sizeof(text)) >= 0)
		ok = PKCS12_parse(p12, text, ret_key, ret_cert, ret_ca);
	explicit_bzero(text, sizeof(text));
	PKCS12_free(p12);
	ERR_clear_error();
	if (ok && *ret_key != NULL && *ret_cert != NULL)
		return 0;
	EVP_PKEY_free(*ret_key);
	X509_free(*ret_cert);
	sk_X509_pop_free(*ret_ca, X509_free);
	return ovpn_tls_error_set(
		err, -EINVAL, "%s: wrong password, or no key and certificate in it", name);
}

int ovpn_tls_load_crls(const struct ovpn_tls_source *source, struct ovpn_tls_crls **ret_crls,
	struct ovpn_tls_error *err)
{
	static atomic_uint_fast64_t loads;
	char name[NAME_MAX_LEN];
	struct ovpn_tls_crls *crls = calloc(1, sizeof(*crls));
	X509_CRL *crl;
	BIO *bio;
	void *copy;
	size_t size;
	int rc;

	if (crls == NULL)
		return ovpn_tls_error_set(err, -ENOMEM, "out of memory");
	atomic_init(&crls->refs, 1);
	crls->serial = atomic_fetch_add(&loads, 1) + 1;
	crls->list = sk_X509_CRL_new_null();
	ovpn_tls_source_name(source, "crl-verify", name, sizeof(name));
	rc = ovpn_tls_source_open(source, "crl-verify", &bio, &copy, &size, err);
	if (rc < 0)
		goto free_crls;
	ERR_clear_error();
	while ((crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_CRL_push(crls->list, crl) <= 0) {
			X509_CRL_free(crl);
			rc = ovpn_tls_error_set(err, -ENOMEM, "out of memory");
			break;
		}
	}
	if (rc == 0 && !pem_at_end())
		rc = ovpn_tls_error_set(err, -EINVAL, "%s: CRL %d is damaged", name,
			sk_X509_CRL_num(crls->list) + 1);
	else if (rc == 0 && sk_X509_CRL_num(crls->list) <= 0)
		rc = ovpn_tls_error_set(err, -EINVAL, "%s: no CRL in it", name);
	ERR_clear_error();
	BIO_free(bio);
	OPENSSL_clear_free(copy, size);
	if (rc == 0) {
		*ret_crls = crls;
		return 0;
	}
free_crls:
	(void)ovpn_tls_crls_unref(crls); // NULL
	return rc;
}

struct ovpn_tls_crls *ovpn_tls_crls_unref(struct ovpn_tls_crls *crls)
{
	if (crls != NULL && atomic_fetch_sub(&crls->refs, 1) == 1) {
		sk_X509_CRL_pop_free(crls->list, X509_CRL_free);
		free(crls);
	}
	return NULL;
}
