// SPDX-License-Identifier: BSD-3-Clause
// Whom to believe: chain, CRL, extended key usage, name; and what to remember of a peer.
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "protocol/ssl/tls_private.h"

static void make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f)
			*text = '_';
	}
}

// The whole subject in a BIO, NULL without memory.
static BIO *print_subject(const X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio != NULL &&
		X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
			XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN | ASN1_STRFLGS_UTF8_CONVERT |
				ASN1_STRFLGS_ESC_CTRL) < 0) {
		BIO_free(bio);
		return NULL;
	}
	return bio;
}

void ovpn_tls_subject(const X509 *cert, char *ret_subject, size_t size)
{
	BIO *bio = print_subject(cert);
	char *text = NULL;
	long len = bio != NULL ? BIO_get_mem_data(bio, &text) : 0;
	size_t n = len > 0 ? (size_t)len : 0;

	if (n >= size)
		n = size - 1;
	if (n > 0)
		memcpy(ret_subject, text, n);
	ret_subject[n] = '\0';
	make_printable(ret_subject);
	BIO_free(bio);
}

int64_t ovpn_tls_not_after(const X509 *cert)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0;
	int seconds = 0;

	if (epoch == NULL || !ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(cert)))
		days = seconds = 0;
	ASN1_TIME_free(epoch);
	return (int64_t)days * 86400 + seconds;
}

// The last common name of the subject: the most specific one.
static void common_name(const X509 *cert, struct ovpn_tls_peer *peer)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	unsigned char *text = NULL;
	int last = -1;
	int at = -1;
	int len;

	while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return;
	len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
	if (len < 0)
		return;
	peer->cn_cut = len >= (int)sizeof(peer->cn);
	if (peer->cn_cut)
		len = (int)sizeof(peer->cn) - 1;
	for (int i = 0; i < len; i++)
		peer->cn[i] = text[i] != '\0' ? (char)text[i] : '_';
	peer->cn[len] = '\0';
	make_printable(peer->cn);
	OPENSSL_free(text);
}

static void serial_text(const X509 *cert, char *ret_text, size_t size)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	size_t n = 0;

	ret_text[0] = '\0';
	for (int i = 0; i < serial->length && n + 2 < size; i++, n += 2)
		(void)snprintf(ret_text + n, size - n, "%02x", serial->data[i]); // fits
}

static void remember_cert(struct ovpn_tls_conn *conn, const X509 *cert)
{
	memset(&conn->peer, 0, sizeof(conn->peer));
	conn->peer.has_cert = true;
	common_name(cert, &conn->peer);
	ovpn_tls_subject(cert, conn->peer.subject, sizeof(conn->peer.subject));
	serial_text(cert, conn->peer.serial, sizeof(conn->peer.serial));
	conn->peer.not_after = ovpn_tls_not_after(cert);
}

// SHA-256 over the SHA-256 of each certificate, leaf first.
static bool hash_chain(const STACK_OF(X509) * chain, uint8_t ret_hash[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t one[32];
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

	for (int i = 0; ok && i < sk_X509_num(chain); i++)
		ok = X509_digest(sk_X509_value(chain, i), EVP_sha256(), one, NULL) &&
			EVP_DigestUpdate(md, one, sizeof(one));
	ok = ok && EVP_DigestFinal_ex(md, ret_hash, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

// In words that an operator looks for.
static const char *verify_text(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED: return "certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID: return "certificate is not yet valid";
	case X509_V_ERR_CERT_REVOKED: return "certificate is revoked";
	case X509_V_ERR_CRL_HAS_EXPIRED: return "the CRL has expired";
	case X509_V_ERR_UNABLE_TO_GET_CRL: return "no CRL of the certificate's CA";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE: return "unknown CA";
	case X509_V_ERR_INVALID_PURPOSE: return "certificate is for another purpose";
	default: return X509_verify_cert_error_string(error);
	}
}

static int refuse(struct ovpn_tls_conn *conn, const X509 *cert, const char *why)
{
	char subject[OVPN_TLS_SUBJECT_MAX] = "no certificate";

	if (cert != NULL)
		ovpn_tls_subject(cert, subject, sizeof(subject));
	if (conn->error[0] == '\0') // the first reason is the one that counts
		(void)snprintf(conn->error, sizeof(conn->error), "%.80s (%.220s)", why, subject);
	return 0;
}

static struct ovpn_tls_conn *conn_of(X509_STORE_CTX *store_ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());

	return SSL_get_app_data(ssl);
}

static int verify_step(int ok, X509_STORE_CTX *store_ctx)
{
	struct ovpn_tls_conn *conn = conn_of(store_ctx);
	const X509 *cert = X509_STORE_CTX_get_current_cert(store_ctx);
	int error = X509_STORE_CTX_get_error(store_ctx);

	if (ok)
		return 1;
	// The CRL of the CA that signs for clients is what is asked for; CAs above it often have
	// none.
	if (error == X509_V_ERR_UNABLE_TO_GET_CRL &&
		X509_STORE_CTX_get_error_depth(store_ctx) > 0) {
		X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
		return 1;
	}
	// A CA that isn't known says little; whose certificate it signed does.
	if (strcmp(verify_text(error), "unknown CA") == 0)
		cert = X509_STORE_CTX_get0_cert(store_ctx);
	return refuse(conn, cert, verify_text(error));
}

static bool has_eku(X509 *cert, enum ovpn_tls_eku eku)
{
	uint32_t wanted = eku == OVPN_TLS_EKU_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT;

	if (eku == OVPN_TLS_EKU_ANY)
		return true;
	return (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) != 0 &&
		(X509_get_extended_key_usage(cert) & wanted) != 0;
}

static bool has_ku(X509 *cert, const struct ovpn_tls_ku *ku)
{
	uint32_t has = X509_get_key_usage(cert);

	if (!ku->wanted)
		return true;
	if ((X509_get_extension_flags(cert) & EXFLAG_KUSAGE) == 0)
		return false;
	for (unsigned i = 0; i < ku->n; i++) {
		if (ku->any_of[i] != 0 && (has & ku->any_of[i]) == ku->any_of[i])
			return true;
	}
	return ku->n == 0;
}

static bool has_eku_oid(const X509 *cert, const ASN1_OBJECT *wanted)
{
	EXTENDED_KEY_USAGE *list;
	bool found = false;

	if (wanted == NULL)
		return true;
	list = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	for (int i = 0; i < sk_ASN1_OBJECT_num(list) && !found; i++)
		found = OBJ_cmp(sk_ASN1_OBJECT_value(list, i), wanted) == 0;
	EXTENDED_KEY_USAGE_free(list);
	return found;
}

static bool subject_is(const X509 *cert, const char *name)
{
	BIO *bio = print_subject(cert);
	char *text = NULL;
	long len = bio != NULL ? BIO_get_mem_data(bio, &text) : -1;
	bool same = len >= 0 && (size_t)len == strlen(name) && memcmp(text, name, (size_t)len) == 0;

	BIO_free(bio);
	return same;
}

static bool name_fits(const struct ovpn_tls_conn *conn, const X509 *cert)
{
	const struct ovpn_tls_ctx *ctx = conn->ctx;

	switch (ctx->name_match) {
	case OVPN_TLS_NAME_SUBJECT: return subject_is(cert, ctx->name);
	case OVPN_TLS_NAME_CN: return strcmp(conn->peer.cn, ctx->name) == 0;
	case OVPN_TLS_NAME_CN_PREFIX:
		return strncmp(conn->peer.cn, ctx->name, strlen(ctx->name)) == 0;
	default: return true;
	}
}

// `crl-verify D dir`: a file named after the serial number, in decimal, revokes a certificate.
// Anything but "there is no such file" counts as revoked.
static bool dir_revokes(const char *dir, const X509 *cert)
{
	char path[4096];
	struct stat st;
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *text = number != NULL ? BN_bn2dec(number) : NULL;
	int n = -1;
	bool revoked = true;

	if (text != NULL)
		n = snprintf(path, sizeof(path), "%s/%s", dir, text);
	if (n > 0 && (size_t)n < sizeof(path))
		revoked = stat(path, &st) == 0 || errno != ENOENT;
	OPENSSL_free(text);
	BN_free(number);
	return revoked;
}

static bool fingerprint_fits(const struct ovpn_tls_ctx *ctx, const X509 *cert)
{
	uint8_t hash[32];

	if (ctx->n_fingerprints == 0)
		return true;
	if (!X509_digest(cert, EVP_sha256(), hash, NULL))
		return false;
	for (size_t i = 0; i < ctx->n_fingerprints; i++) {
		if (memcmp(ctx->fingerprints[i], hash, sizeof(hash)) == 0)
			return true;
	}
	return false;
}

// What the library doesn't check: rules for the leaf, and the folder of revoked serial numbers.
static int check_rules(struct ovpn_tls_conn *conn, const STACK_OF(X509) * chain)
{
	const struct ovpn_tls_ctx *ctx = conn->ctx;
	X509 *leaf = sk_X509_value(chain, 0);

	if (conn->peer.cn_cut)
		return refuse(conn, leaf, "common name is too long");
	if (!has_eku(leaf, ctx->eku))
		return refuse(conn, leaf,
			ctx->eku == OVPN_TLS_EKU_SERVER ? "not a server certificate"
							: "not a client certificate");
	// As with OpenVPN some key usage must be there; its value is the library's to judge.
	if (ctx->eku != OVPN_TLS_EKU_ANY && (X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) == 0)
		return refuse(conn, leaf, "no key usage, which remote-cert-tls asks for");
	if (!has_ku(leaf, &ctx->ku))
		return refuse(conn, leaf, "key usage isn't one of remote-cert-ku");
	if (!has_eku_oid(leaf, ctx->eku_oid))
		return refuse(conn, leaf, "extended key usage isn't the one of remote-cert-eku");
	if (!fingerprint_fits(ctx, leaf))
		return refuse(conn, leaf, "certificate isn't one of peer-fingerprint");
	if (!name_fits(conn, leaf))
		return refuse(conn, leaf, "name isn't the one of verify-x509-name");
	for (int i = 0; ctx->crl_dir != NULL && i < sk_X509_num(chain); i++) {
		const X509 *cert = sk_X509_value(chain, i);

		if (dir_revokes(ctx->crl_dir, cert))
			return refuse(conn, cert, "certificate is revoked");
	}
	return 1;
}

// A certificate that is known by its fingerprint needs nobody to vouch for it.
static int verify_alone(struct ovpn_tls_conn *conn, X509 *leaf)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	int ok = chain != NULL && sk_X509_push(chain, leaf) > 0 &&
		hash_chain(chain, conn->peer.chain_hash) && check_rules(conn, chain);

	if (ok && conn->ctx->want_env)
		ovpn_tls_env_fill(conn, chain);
	sk_X509_free(chain); // the certificate belongs to the connection
	return ok;
}

// Let the library verify; what it found is in store_ctx.
static int verify_anew(struct ovpn_tls_conn *conn, X509_STORE_CTX *store_ctx, const X509 *leaf)
{
	int error;

	if (conn->crls != NULL) {
		X509_STORE_CTX_set0_crls(store_ctx, conn->crls->list);
		X509_STORE_CTX_set_flags(
			store_ctx, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	}
	X509_STORE_CTX_set_verify_cb(store_ctx, verify_step);
	if (X509_verify_cert(store_ctx) > 0)
		return 1;
	error = X509_STORE_CTX_get_error(store_ctx);
	if (error == X509_V_OK)
		X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_UNSPECIFIED);
	return refuse(conn, leaf, verify_text(error));
}

// As verify_anew(), but what was verified before isn't again (tls_cache.h). On success conn->peer
// is complete.
static int verify(struct ovpn_tls_conn *conn, X509_STORE_CTX *store_ctx, const X509 *leaf)
{
	struct ovpn_tls_cache *cache = conn->ctx->cache;
	const struct ovpn_tls_shown shown = { leaf, X509_STORE_CTX_get0_untrusted(store_ctx) };
	uint64_t serial = conn->crls != NULL ? conn->crls->serial : 0;
	int64_t now_s = (int64_t)time(NULL);
	STACK_OF(X509) *chain = NULL;

	if (cache != NULL && leaf != NULL)
		chain = ovpn_tls_cache_find(cache, &shown, serial, now_s, &conn->peer);
	if (chain != NULL) {
		X509_STORE_CTX_set0_verified_chain(store_ctx, chain); // takes it
		return 1;
	}
	if (leaf != NULL)
		remember_cert(conn, leaf);
	if (!verify_anew(conn, store_ctx, leaf))
		return 0;
	if (!hash_chain(X509_STORE_CTX_get0_chain(store_ctx), conn->peer.chain_hash)) {
		X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_OUT_OF_MEM);
		return refuse(conn, leaf, "certificate can't be hashed");
	}
	if (cache == NULL || leaf == NULL)
		return 1;
	ovpn_tls_cache_add(cache, &shown, serial, X509_STORE_CTX_get0_chain(store_ctx),
		conn->crls != NULL ? conn->crls->list : NULL, now_s, &conn->peer);
	if (conn->ctx->parsed != NULL)
		ovpn_tls_parsed_add(
			conn->ctx->parsed, shown.others, X509_STORE_CTX_get0_chain(store_ctx));
	return 1;
}

int ovpn_tls_verify(X509_STORE_CTX *store_ctx, void *arg)
{
	struct ovpn_tls_conn *conn = conn_of(store_ctx);
	X509 *leaf = X509_STORE_CTX_get0_cert(store_ctx);
	const STACK_OF(X509) * chain;

	(void)arg; // the connection has all
	if (conn->ctx->no_ca && leaf != NULL) {
		remember_cert(conn, leaf);
		if (verify_alone(conn, leaf))
			return 1;
		X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION);
		return refuse(conn, leaf, "certificate refused");
	}
	if (!verify(conn, store_ctx, leaf))
		return 0;
	chain = X509_STORE_CTX_get0_chain(store_ctx);
	if (!check_rules(conn, chain)) {
		X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION);
		return refuse(conn, leaf, "certificate refused");
	}
	if (conn->ctx->want_env)
		ovpn_tls_env_fill(conn, chain);
	return 1;
}
