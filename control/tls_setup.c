// SPDX-License-Identifier: BSD-3-Clause
#include "control/tls_setup.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "config/server.h"
#include "control/ctl.h"
#include "control/log.h"
#include "protocol/ssl/tls_ctx.h"

// ---- TLS context -----------------------------------------------------------------------------

static struct ovpn_tls_source source(const struct cfg_blob *blob)
{
	struct ovpn_tls_source s = { .path = blob->path };

	if (blob->path == NULL && blob->text != NULL) {
		s.name = blob->option;
		s.data = blob->text;
		s.len = blob->len;
	}
	return s;
}

static enum ovpn_tls_version version(enum cfg_tls_version v)
{
	switch (v) {
	case CFG_TLS_1_0: return OVPN_TLS_1_0;
	case CFG_TLS_1_1: return OVPN_TLS_1_1;
	case CFG_TLS_1_2: return OVPN_TLS_1_2;
	case CFG_TLS_1_3: return OVPN_TLS_1_3;
	case CFG_TLS_UNSET: break;
	}
	return OVPN_TLS_VERSION_DEFAULT;
}

static enum ovpn_tls_verify_cert verify(enum cfg_verify_client v)
{
	switch (v) {
	case CFG_VERIFY_OPTIONAL: return OVPN_TLS_CERT_OPTIONAL;
	case CFG_VERIFY_NONE: return OVPN_TLS_CERT_NONE;
	case CFG_VERIFY_REQUIRE: break;
	}
	return OVPN_TLS_CERT_REQUIRE;
}

static enum ovpn_tls_name_match name_match(enum cfg_x509_name type)
{
	switch (type) {
	case CFG_X509_SUBJECT: return OVPN_TLS_NAME_SUBJECT;
	case CFG_X509_NAME: return OVPN_TLS_NAME_CN;
	case CFG_X509_PREFIX: return OVPN_TLS_NAME_CN_PREFIX;
	case CFG_X509_NONE: break;
	}
	return OVPN_TLS_NAME_ANY;
}

// askpass FILE: the pass phrase is its first line.
static int password(void *arg, char *ret_password, size_t size)
{
	const struct cfg_blob *blob = arg;
	struct cfg_error err;
	char *text;
	size_t len, n;

	if (!cfg_blob_set(blob) || cfg_blob_read(blob, 0, &text, &len, &err) < 0)
		return -ENOENT;
	n = strcspn(text, "\r\n");
	if (n >= size)
		n = size - 1;
	memcpy(ret_password, text, n);
	ret_password[n] = '\0';
	cfg_secret_free(text, len);
	return (int)n;
}

static enum ovpn_tls_eku eku(enum cfg_purpose purpose)
{
	switch (purpose) {
	case CFG_PURPOSE_SERVER: return OVPN_TLS_EKU_SERVER;
	case CFG_PURPOSE_CLIENT: return OVPN_TLS_EKU_CLIENT;
	case CFG_PURPOSE_ANY: break;
	}
	return OVPN_TLS_EKU_ANY;
}

static int make_ctx(struct ctl *ctl)
{
	const struct cfg_tls *t = &ctl->cfg->tls;
	struct ovpn_tls_ctx_options o = {
		.server = true,
		.ca = source(&t->ca),
		.extra_certs = source(&t->extra_certs),
		.cert = source(&t->cert),
		.key = source(&t->key),
		.pkcs12 = source(&t->pkcs12),
		.dh = source(&t->dh),
		.crl = source(&t->crl),
		.crl_dir = t->crl_dir,
		.fingerprints = (const uint8_t(*)[CFG_FINGERPRINT])t->fingerprints,
		.n_fingerprints = t->n_fingerprints,
		.version_min = version(t->version_min),
		.version_max = version(t->version_max),
		.cipher_list = t->cipher_list,
		.ciphersuites = t->ciphersuites,
		.groups = t->groups,
		.cert_profile = t->cert_profile,
		.verify_cert = verify(ctl->cfg->verify_client),
		.eku = eku(t->purpose),
		.ku = { .wanted = t->ku.wanted, .n = t->ku.n },
		.eku_oid = t->eku_oid,
		.name_match = name_match(t->x509_name_type),
		.name = t->x509_name,
		.want_env = cfg_auth_programs(&ctl->cfg->auth),
		.password = password,
		.password_arg = (void *)(uintptr_t)&t->askpass, // only read
	};
	struct ovpn_tls_error err;
	int rc;

	static_assert(sizeof(o.ku.any_of) == sizeof(t->ku.any_of), "the same bits");
	memcpy(o.ku.any_of, t->ku.any_of, sizeof(o.ku.any_of));
	rc = ovpn_tls_ctx_create(&o, &ctl->tls_ctx, &err);

	if (rc < 0)
		ctl_log(CTL_ERROR, "TLS can't be set up: %s", err.text);
	return rc;
}

// ---- Wrapping --------------------------------------------------------------------------------

static int key_error(const struct cfg_blob *blob, const struct ovpn_key_error *err)
{
	if (blob->path != NULL && err->line > 0)
		ctl_log(CTL_ERROR, "%s:%u: %s: %s:%u: %s", blob->file, blob->line, blob->option,
			blob->path, err->line, err->reason);
	else
		ctl_log(CTL_ERROR, "%s:%u: %s: %s%s%s", blob->file, blob->line, blob->option,
			blob->path != NULL ? blob->path : "", blob->path != NULL ? ": " : "",
			err->reason);
	return -EINVAL;
}

static int read_blob(const struct cfg_blob *blob, char **ret_text, size_t *ret_len)
{
	struct cfg_error err;
	int rc = cfg_blob_read(blob, 0, ret_text, ret_len, &err);

	if (rc < 0)
		ctl_log(CTL_ERROR, "%s", err.text);
	return rc;
}

static int read_static(const struct cfg_blob *blob, struct ovpn_static_key *ret_key)
{
	struct ovpn_key_error err;
	char *text;
	size_t len;
	int rc = read_blob(blob, &text, &len);

	if (rc < 0)
		return rc;
	if (ovpn_static_key_parse(text, len, ret_key, &err) < 0)
		rc = key_error(blob, &err);
	cfg_secret_free(text, len);
	return rc;
}

static int read_v2(const struct cfg_blob *blob, struct ovpn_v2_server_key *ret_key)
{
	struct ovpn_key_error err;
	char *text;
	size_t len;
	int rc = read_blob(blob, &text, &len);

	if (rc < 0)
		return rc;
	if (ovpn_v2_server_key_parse(text, len, ret_key, &err) < 0)
		rc = key_error(blob, &err);
	cfg_secret_free(text, len);
	return rc;
}

static int setup_tls_auth(struct ctl *ctl)
{
	const struct cfg_tls *t = &ctl->cfg->tls;
	enum ovpn_digest digest = OVPN_DIGEST_SHA1;
	int rc = read_static(&t->wrap.tls_auth, &ctl->wrap.tls_auth_key);

	if (rc < 0)
		return rc;
	if (t->auth != NULL)
		(void)ovpn_digest_by_name(t->auth, strlen(t->auth), &digest); // config checked it
	rc = ovpn_wrap_keys_tls_auth(&ctl->wrap.tls_auth_key, digest,
		(enum ovpn_wrap_direction)t->wrap.key_direction, &ctl->wrap.tls_auth);
	if (rc < 0) {
		ctl_log(CTL_ERROR, "%s:%u: tls-auth can't be used with auth %s",
			t->wrap.tls_auth.file, t->wrap.tls_auth.line, t->auth);
		return rc;
	}
	ctl->wrap.tls_auth_set = true;
	return 0;
}

static int setup_wrap(struct ctl *ctl)
{
	const struct cfg_wrap *w = &ctl->cfg->tls.wrap;
	int rc = 0;

	if (cfg_blob_set(&w->tls_auth))
		rc = setup_tls_auth(ctl);
	if (rc == 0 && cfg_blob_set(&w->tls_crypt)) {
		rc = read_static(&w->tls_crypt, &ctl->wrap.tls_crypt_key);
		ovpn_wrap_keys_tls_crypt(&ctl->wrap.tls_crypt_key, true, &ctl->wrap.tls_crypt);
		ctl->wrap.tls_crypt_set = rc == 0;
	}
	if (rc == 0 && cfg_blob_set(&w->tls_crypt_v2)) {
		rc = read_v2(&w->tls_crypt_v2, &ctl->wrap.v2);
		ctl->wrap.v2_set = rc == 0;
	}
	return rc;
}

int ctl_tls_setup(struct ctl *ctl)
{
	int rc = make_ctx(ctl);

	if (rc == 0)
		rc = setup_wrap(ctl);
	if (rc < 0)
		return rc;
	ctl->stateless = (struct ovpn_stateless){
		.tls_auth = ctl->wrap.tls_auth_set ? &ctl->wrap.tls_auth : NULL,
		.tls_crypt = ctl->wrap.tls_crypt_set ? &ctl->wrap.tls_crypt : NULL,
		.v2 = ctl->wrap.v2_set ? &ctl->wrap.v2 : NULL,
		.cookies = &ctl->first.cookies,
		.hand_window_s = ctl->cfg->tls.hand_window_s,
		.v2_max_age_s = ctl->cfg->tls.wrap.v2_max_age_days * 86400,
		.force_cookie = ctl->cfg->tls.wrap.force_cookie,
	};
	return 0;
}

void ctl_tls_teardown(struct ctl *ctl)
{
	ctl->tls_ctx = ovpn_tls_ctx_unref(ctl->tls_ctx);
	explicit_bzero(&ctl->wrap, sizeof(ctl->wrap));
}
