// SPDX-License-Identifier: BSD-3-Clause
#include "protocol/ssl/tls_ctx.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/ssl/tls_private.h"

// Result of loading: who we are. Freed by free_identity().
struct identity {
	X509 *cert;
	EVP_PKEY *key;
	STACK_OF(X509) * chain; // further certificates to send; NULL: none
	STACK_OF(X509) * ca; // whom to trust; NULL: none
};

static void free_identity(struct identity *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	sk_X509_pop_free(id->chain, X509_free);
	sk_X509_pop_free(id->ca, X509_free);
}

// Library's own words for the newest error, for the end of a message.
static const char *library_text(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text != NULL ? text : "no reason given";
}

static int to_protocol(enum ovpn_tls_version version)
{
	switch (version) {
	case OVPN_TLS_1_0: return TLS1_VERSION;
	case OVPN_TLS_1_1: return TLS1_1_VERSION;
	case OVPN_TLS_1_2: return TLS1_2_VERSION;
	case OVPN_TLS_1_3: return TLS1_3_VERSION;
	default: return 0;
	}
}

static int set_versions(
	SSL_CTX *ssl, const struct ovpn_tls_ctx_options *o, struct ovpn_tls_error *err)
{
	int min = to_protocol(o->version_min);
	int max = to_protocol(o->version_max);

	if (min == 0)
		min = TLS1_2_VERSION;
	if (max != 0 && max < min && o->version_min == OVPN_TLS_VERSION_DEFAULT)
		min = max; // an explicit maximum below 1.2 was meant
	if (max != 0 && max < min)
		return ovpn_tls_error_set(err, -EINVAL, "tls-version-min is above tls-version-max");
	if (!SSL_CTX_set_min_proto_version(ssl, min) || !SSL_CTX_set_max_proto_version(ssl, max))
		return ovpn_tls_error_set(err, -EINVAL, "tls-version-min or -max isn't available");
	return 0;
}

static int set_profile(SSL_CTX *ssl, const char *profile, struct ovpn_tls_error *err)
{
	if (profile == NULL || strcmp(profile, "legacy") == 0) {
		SSL_CTX_set_security_level(ssl, 1);
	} else if (strcmp(profile, "preferred") == 0) {
		SSL_CTX_set_security_level(ssl, 2);
	} else if (strcmp(profile, "insecure") == 0) {
		SSL_CTX_set_security_level(ssl, 0);
	} else if (strcmp(profile, "suiteb") == 0) {
		SSL_CTX_set_security_level(ssl, 3);
		if (!SSL_CTX_set_cipher_list(ssl, "SUITEB128"))
			return ovpn_tls_error_set(
				err, -EINVAL, "tls-cert-profile suiteb: not available");
	} else {
		return ovpn_tls_error_set(err, -EINVAL, "tls-cert-profile %.40s: unknown", profile);
	}
	return 0;
}

// Cipher names come as OpenSSL writes them or as IANA does, with '-' or '_': turn a list into
// OpenSSL's names, or into IANA's with '_' (TLS 1.3). The caller frees the result.
static char *translate_ciphers(const char *list, bool tls13)
{
	size_t size = strlen(list) + 1;
	char *copy = strdup(list);
	char *out = malloc(2 * size + 1);
	char *save = NULL;
	char *end = out;

	if (copy == NULL || out == NULL) {
		free(copy);
		free(out);
		return NULL;
	}
	*out = '\0';
	for (char *t = strtok_r(copy, ":", &save); t != NULL; t = strtok_r(NULL, ":", &save)) {
		const char *name = t;

		if (strncmp(t, "TLS-", 4) == 0 || strncmp(t, "TLS_", 4) == 0) {
			for (char *c = t; *c != '\0'; c++)
				*c = *c == '-' ? '_' : *c;
			// OpenSSL's name isn't longer than IANA's.
			if (!tls13 && strcmp(OPENSSL_cipher_name(t), "(NONE)") != 0)
				name = OPENSSL_cipher_name(t);
		}
		if (end != out)
			*end++ = ':';
		end = stpcpy(end, name);
	}
	free(copy);
	return out;
}

// What a server prefers of what all of TLS 1.3's clients offer: the hash of the suite goes over the
// whole handshake and makes all of its keys, and SHA-256 has instructions where SHA-384 has none
// (docs/performance.md); the cipher, which carries some KiB, has keys of 256 bits as that of
// OpenVPN's first choice.
#define SERVER_SUITES "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"

static int set_ciphers(
	SSL_CTX *ssl, const struct ovpn_tls_ctx_options *o, struct ovpn_tls_error *err)
{
	char *list;
	int ok = 1;

	if (o->cipher_list != NULL) {
		list = translate_ciphers(o->cipher_list, false);
		ok = list != NULL && SSL_CTX_set_cipher_list(ssl, list);
		free(list);
		if (!ok)
			return ovpn_tls_error_set(err, -EINVAL, "tls-cipher: %s", library_text());
	}
	if (o->ciphersuites == NULL && o->server) {
		// A library without the first one, as in FIPS mode, keeps its own order.
		if (!SSL_CTX_set_ciphersuites(ssl, SERVER_SUITES))
			ERR_clear_error();
	} else if (o->ciphersuites != NULL) {
		list = translate_ciphers(o->ciphersuites, true);
		ok = list != NULL && SSL_CTX_set_ciphersuites(ssl, list);
		free(list);
		if (!ok)
			return ovpn_tls_error_set(
				err, -EINVAL, "tls-ciphersuites: %s", library_text());
	}
	if (o->groups != NULL && !SSL_CTX_set1_groups_list(ssl, o->groups))
		return ovpn_tls_error_set(err, -EINVAL, "tls-groups: %s", library_text());
	return 0;
}

// Read cert, key, chain and CA from their sources into id.
static int load_identity(
	const struct ovpn_tls_ctx_options *o, struct identity *id, struct ovpn_tls_error *err)
{
	int rc = 0;

	if (ovpn_tls_source_given(&o->pkcs12)) {
		rc = ovpn_tls_load_pkcs12(&o->pkcs12, o->password, o->password_arg, &id->key,
			&id->cert, &id->ca, err);
		if (rc < 0)
			return rc;
	}
	if (ovpn_tls_source_given(&o->ca)) {
		sk_X509_pop_free(id->ca, X509_free); // `ca` beside pkcs12 replaces what is in it
		id->ca = NULL;
		rc = ovpn_tls_load_certs(&o->ca, "ca", &id->ca, err);
	}
	if (rc == 0 && ovpn_tls_source_given(&o->cert)) {
		rc = ovpn_tls_load_certs(&o->cert, "cert", &id->chain, err);
		if (rc == 0)
			id->cert = sk_X509_shift(id->chain);
	} else if (rc == 0 && ovpn_tls_source_given(&o->extra_certs)) {
		rc = ovpn_tls_load_certs(&o->extra_certs, "extra-certs", &id->chain, err);
	}
	if (rc == 0 && ovpn_tls_source_given(&o->key))
		rc = ovpn_tls_load_key(&o->key, o->password, o->password_arg, &id->key, err);
	return rc;
}

static int add_extra_certs(
	const struct ovpn_tls_ctx_options *o, SSL_CTX *ssl, struct ovpn_tls_error *err)
{
	STACK_OF(X509) * extra;
	int rc;

	if (!ovpn_tls_source_given(&o->extra_certs) || !ovpn_tls_source_given(&o->cert))
		return 0; // or they are the chain already
	rc = ovpn_tls_load_certs(&o->extra_certs, "extra-certs", &extra, err);
	if (rc < 0)
		return rc;
	for (int i = 0; rc == 0 && i < sk_X509_num(extra); i++) {
		if (!SSL_CTX_add1_chain_cert(ssl, sk_X509_value(extra, i)))
			rc = ovpn_tls_error_set(err, -EINVAL, "extra-certs: %s", library_text());
	}
	sk_X509_pop_free(extra, X509_free);
	return rc;
}

// Which certificates go along with ours, found once: by itself the library looks for them, and
// verifies what it finds, in every handshake. The root stays at home: the peer has it, or doesn't
// believe it.
static void build_chain(SSL_CTX *ssl)
{
	STACK_OF(X509) *given = NULL;

	SSL_CTX_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
	(void)SSL_CTX_get0_chain_certs(ssl, &given); // can't fail
	if (sk_X509_num(given) > 0)
		return; // the operator's choice
	// A chain that can't be completed is sent as far as it goes.
	(void)SSL_CTX_build_cert_chain(ssl,
		SSL_BUILD_CHAIN_FLAG_NO_ROOT | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR |
			SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR);
	ERR_clear_error();
}

static int use_identity(const struct ovpn_tls_ctx_options *o, struct ovpn_tls_ctx *ctx,
	const struct identity *id, struct ovpn_tls_error *err)
{
	char name[160];
	int rc;

	if (id->cert == NULL && id->key == NULL)
		return o->server
			? ovpn_tls_error_set(err, -EINVAL, "no certificate: cert is missing")
			: 0; // a client may have a user name alone
	ovpn_tls_source_name(&o->cert, "cert", name, sizeof(name));
	if (id->cert == NULL || id->key == NULL)
		return ovpn_tls_error_set(err, -EINVAL, "%s without %s",
			id->cert == NULL ? "key" : "cert", id->cert == NULL ? "cert" : "key");
	if (!SSL_CTX_use_certificate(ctx->ssl, id->cert))
		return ovpn_tls_error_set(err, -EINVAL, "%s: %s", name, library_text());
	if (!X509_check_private_key(id->cert, id->key) ||
		!SSL_CTX_use_PrivateKey(ctx->ssl, id->key))
		return ovpn_tls_error_set(
			err, -EKEYREJECTED, "%s: the private key belongs to another one", name);
	for (int i = 0; i < sk_X509_num(id->chain); i++) {
		if (!SSL_CTX_add1_chain_cert(ctx->ssl, sk_X509_value(id->chain, i)))
			return ovpn_tls_error_set(err, -EINVAL, "%s: %s", name, library_text());
	}
	ovpn_tls_subject(id->cert, ctx->subject, sizeof(ctx->subject));
	rc = add_extra_certs(o, ctx->ssl, err);
	if (rc == 0)
		build_chain(ctx->ssl);
	return rc;
}

static int use_trust(const struct ovpn_tls_ctx_options *o, SSL_CTX *ssl, const struct identity *id,
	struct ovpn_tls_error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	bool needed =
		(!o->server || o->verify_cert != OVPN_TLS_CERT_NONE) && o->n_fingerprints == 0;

	if (id->ca == NULL && o->capath == NULL)
		return needed ? ovpn_tls_error_set(err, -EINVAL, "no CA: ca is missing") : 0;
	for (int i = 0; i < sk_X509_num(id->ca); i++) {
		X509 *cert = sk_X509_value(id->ca, i);

		if (!X509_STORE_add_cert(store, cert) ||
			(o->server && !SSL_CTX_add_client_CA(ssl, cert)))
			return ovpn_tls_error_set(err, -EINVAL, "ca: %s", library_text());
	}
	if (o->capath != NULL && !SSL_CTX_load_verify_dir(ssl, o->capath))
		return ovpn_tls_error_set(
			err, -ENOENT, "capath %.200s: %s", o->capath, library_text());
	return 0;
}

// Parameters for old finite-field key exchange; without them only curves are used.
static int use_dh(const struct ovpn_tls_ctx_options *o, SSL_CTX *ssl, struct ovpn_tls_error *err)
{
	EVP_PKEY *dh;
	BIO *bio;
	void *copy;
	size_t size;
	int rc;

	if (!ovpn_tls_source_given(&o->dh))
		return 0;
	rc = ovpn_tls_source_open(&o->dh, "dh", &bio, &copy, &size, err);
	if (rc < 0)
		return rc;
	dh = PEM_read_bio_Parameters(bio, NULL);
	BIO_free(bio);
	OPENSSL_clear_free(copy, size);
	if (dh == NULL || !SSL_CTX_set0_tmp_dh_pkey(ssl, dh)) {
		EVP_PKEY_free(dh);
		return ovpn_tls_error_set(err, -EINVAL, "dh: no usable parameters in it");
	}
	return 0;
}

static int use_crl(
	const struct ovpn_tls_ctx_options *o, struct ovpn_tls_ctx *ctx, struct ovpn_tls_error *err)
{
	struct stat st;

	if (o->crl_dir != NULL) {
		if (stat(o->crl_dir, &st) < 0 || !S_ISDIR(st.st_mode))
			return ovpn_tls_error_set(
				err, -ENOENT, "crl-verify %.200s: no such folder", o->crl_dir);
		ctx->crl_dir = strdup(o->crl_dir);
		if (ctx->crl_dir == NULL)
			return ovpn_tls_error_set(err, -ENOMEM, "out of memory");
	}
	if (!ovpn_tls_source_given(&o->crl))
		return 0;
	return ovpn_tls_load_crls(&o->crl, &ctx->crls, err);
}

static int use_rules(
	const struct ovpn_tls_ctx_options *o, struct ovpn_tls_ctx *ctx, struct ovpn_tls_error *err)
{
	int mode = SSL_VERIFY_PEER;

	if (o->server && o->verify_cert == OVPN_TLS_CERT_NONE)
		mode = SSL_VERIFY_NONE;
	else if (o->server && o->verify_cert == OVPN_TLS_CERT_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ctx->ssl, mode, NULL);
	SSL_CTX_set_cert_verify_callback(ctx->ssl, ovpn_tls_verify, NULL);
	if (o->n_fingerprints > 0) {
		ctx->fingerprints = calloc(o->n_fingerprints, sizeof(ctx->fingerprints[0]));
		if (ctx->fingerprints == NULL)
			return ovpn_tls_error_set(err, -ENOMEM, "out of memory");
		memcpy(ctx->fingerprints, o->fingerprints,
			o->n_fingerprints * sizeof(ctx->fingerprints[0]));
		ctx->n_fingerprints = o->n_fingerprints;
		ctx->no_ca = !ovpn_tls_source_given(&o->ca) && o->capath == NULL &&
			!ovpn_tls_source_given(&o->pkcs12);
	}
	ctx->eku = o->eku;
	ctx->ku = o->ku;
	if (o->eku_oid != NULL) {
		ctx->eku_oid = OBJ_txt2obj(o->eku_oid, 0);
		if (ctx->eku_oid == NULL)
			return ovpn_tls_error_set(err, -EINVAL,
				"remote-cert-eku: '%s' is neither a name that OpenSSL knows nor an "
				"OID",
				o->eku_oid);
	}
	ctx->want_env = o->want_env;
	ctx->name_match = o->name_match;
	if (o->name_match == OVPN_TLS_NAME_ANY)
		return 0;
	if (o->name == NULL || o->name[0] == '\0')
		return ovpn_tls_error_set(err, -EINVAL, "verify-x509-name: the name is missing");
	ctx->name = strdup(o->name);
	return ctx->name != NULL ? 0 : ovpn_tls_error_set(err, -ENOMEM, "out of memory");
}

static bool hash_add_cert(EVP_MD_CTX *md, X509 *cert)
{
	uint8_t one[32];

	return X509_digest(cert, EVP_sha256(), one, NULL) && EVP_DigestUpdate(md, one, sizeof(one));
}

// What a handshake's outcome depends on, but for CRLs, which may be replaced at any time.
static int make_hash(
	const struct ovpn_tls_ctx_options *o, const struct identity *id, struct ovpn_tls_ctx *ctx)
{
	const uint8_t numbers[] = { o->server, o->version_min, o->version_max, o->verify_cert,
		o->eku, o->name_match };
	const char *texts[] = { o->cipher_list, o->ciphersuites, o->groups, o->cert_profile,
		o->name, o->eku_oid };
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
		EVP_DigestUpdate(md, numbers, sizeof(numbers)) &&
		EVP_DigestUpdate(md, &o->ku, sizeof(o->ku));

	for (size_t i = 0; ok && i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *text = texts[i] != NULL ? texts[i] : "";

		ok = EVP_DigestUpdate(md, text, strlen(text) + 1);
	}
	if (ok && id->cert != NULL)
		ok = hash_add_cert(md, id->cert);
	for (int i = 0; ok && i < sk_X509_num(id->ca); i++)
		ok = hash_add_cert(md, sk_X509_value(id->ca, i));
	if (ok && o->n_fingerprints > 0)
		ok = EVP_DigestUpdate(
			md, o->fingerprints, o->n_fingerprints * sizeof(o->fingerprints[0]));
	ok = ok && EVP_DigestFinal_ex(md, ctx->hash, NULL);
	EVP_MD_CTX_free(md);
	return ok ? 0 : -ENOMEM;
}

// A context without certificates: what every connection of ours leaves out.
static struct ovpn_tls_ctx *new_ctx(bool server)
{
	struct ovpn_tls_ctx *ctx = calloc(1, sizeof(*ctx));

	if (ctx == NULL)
		return NULL;
	ctx->ssl = SSL_CTX_new_ex(
		ovpn_tls_lib(), NULL, server ? TLS_server_method() : TLS_client_method());
	if (ctx->ssl == NULL || pthread_mutex_init(&ctx->crl_lock, NULL) != 0) {
		SSL_CTX_free(ctx->ssl);
		free(ctx);
		return NULL;
	}
	atomic_init(&ctx->refs, 1);
	ctx->server = server;
	ctx->cache = ovpn_tls_cache_create(); // without it every chain is verified
	ctx->parsed = ovpn_tls_parsed_create(); // and every certificate parsed
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	// One record per message also with the old block ciphers: no empty fragments.
	SSL_CTX_set_options(ctx->ssl,
		SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
			SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS);
	SSL_CTX_set_num_tickets(ctx->ssl, 0);
	SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

int ovpn_tls_ctx_create(const struct ovpn_tls_ctx_options *options, struct ovpn_tls_ctx **ret_ctx,
	struct ovpn_tls_error *ret_err)
{
	struct identity id = { 0 };
	struct ovpn_tls_ctx *ctx = new_ctx(options->server);
	int rc;

	if (ctx == NULL)
		return ovpn_tls_error_set(ret_err, -ENOMEM, "out of memory");
	ERR_clear_error();
	rc = set_versions(ctx->ssl, options, ret_err);
	if (rc == 0)
		rc = set_profile(ctx->ssl, options->cert_profile, ret_err);
	if (rc == 0)
		rc = set_ciphers(ctx->ssl, options, ret_err);
	if (rc == 0)
		rc = load_identity(options, &id, ret_err);
	if (rc == 0)
		rc = use_trust(options, ctx->ssl, &id, ret_err);
	if (rc == 0)
		rc = use_identity(options, ctx, &id, ret_err);
	if (rc == 0)
		rc = use_dh(options, ctx->ssl, ret_err);
	if (rc == 0)
		rc = use_crl(options, ctx, ret_err);
	if (rc == 0)
		rc = use_rules(options, ctx, ret_err);
	if (rc == 0) {
		rc = make_hash(options, &id, ctx);
		if (rc < 0)
			(void)ovpn_tls_error_set(ret_err, rc, "out of memory"); // rc again
	}
	free_identity(&id);
	ERR_clear_error();
	if (rc < 0) {
		(void)ovpn_tls_ctx_unref(ctx); // NULL
		return rc;
	}
	*ret_ctx = ctx;
	return 0;
}

struct ovpn_tls_ctx *ovpn_tls_ctx_ref(struct ovpn_tls_ctx *ctx)
{
	if (ctx != NULL)
		(void)atomic_fetch_add(&ctx->refs, 1); // the old count is of no use
	return ctx;
}

struct ovpn_tls_ctx *ovpn_tls_ctx_unref(struct ovpn_tls_ctx *ctx)
{
	if (ctx == NULL || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return NULL;
	SSL_CTX_free(ctx->ssl);
	(void)ovpn_tls_crls_unref(ctx->crls); // NULL
	(void)ovpn_tls_cache_free(ctx->cache); // NULL, like the next
	(void)ovpn_tls_parsed_free(ctx->parsed);
	(void)pthread_mutex_destroy(&ctx->crl_lock); // nobody holds it
	free(ctx->crl_dir);
	free(ctx->fingerprints);
	ASN1_OBJECT_free(ctx->eku_oid);
	free(ctx->name);
	free(ctx);
	return NULL;
}

int ovpn_tls_ctx_set_crl(
	struct ovpn_tls_ctx *ctx, const struct ovpn_tls_source *crl, struct ovpn_tls_error *ret_err)
{
	struct ovpn_tls_crls *fresh;
	struct ovpn_tls_crls *old;
	int rc = ovpn_tls_load_crls(crl, &fresh, ret_err);

	if (rc < 0)
		return rc;
	(void)pthread_mutex_lock(&ctx->crl_lock); // fails for a broken mutex only
	old = ctx->crls;
	ctx->crls = fresh;
	(void)pthread_mutex_unlock(&ctx->crl_lock);
	(void)ovpn_tls_crls_unref(old); // NULL
	return 0;
}

uint64_t ovpn_tls_ctx_known(const struct ovpn_tls_ctx *ctx)
{
	return ctx->cache != NULL ? ovpn_tls_cache_hits(ctx->cache) : 0;
}

uint64_t ovpn_tls_ctx_parsed(const struct ovpn_tls_ctx *ctx)
{
	return ctx->parsed != NULL ? ovpn_tls_parsed_hits(ctx->parsed) : 0;
}

const char *ovpn_tls_ctx_subject(const struct ovpn_tls_ctx *ctx)
{
	return ctx->subject;
}

void ovpn_tls_ctx_hash(const struct ovpn_tls_ctx *ctx, uint8_t ret_hash[32])
{
	memcpy(ret_hash, ctx->hash, sizeof(ctx->hash));
}
