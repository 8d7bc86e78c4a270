// SPDX-License-Identifier: BSD-3-Clause
#include "client/setup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/creds.h"
#include "client/log.h"

// Names of sources in messages: "profile.ovpn:12: ca".
#define VC_SOURCE_NAME 300
#define VC_SOURCES 6

struct names {
	char text[VC_SOURCES][VC_SOURCE_NAME];
	unsigned n;
};

static struct ovpn_tls_source source(const struct cfg_blob *blob, struct names *names)
{
	struct ovpn_tls_source s = { 0 };
	char *name;

	if (!cfg_blob_set(blob))
		return s;
	name = names->text[names->n++];
	snprintf(name, VC_SOURCE_NAME, "%s:%u: %s", blob->file, blob->line, blob->option);
	s.name = name;
	s.path = blob->text != NULL ? NULL : blob->path;
	s.data = blob->text;
	s.len = blob->len;
	return s;
}

// The pass phrase of the private key.
static int password(void *arg, char *ret_password, size_t size)
{
	struct vc_client *c = arg;
	const struct cfg_blob *blob = &c->cfg->tls.askpass;
	char *text;
	size_t len;

	if (!cfg_blob_set(blob))
		return vc_ask("Pass phrase of the private key: ", true, ret_password, size);
	if (cfg_blob_read(blob, size, &text, &len, NULL) < 0)
		return -1;
	len = strcspn(text, "\r\n");
	if (len < size) {
		memcpy(ret_password, text, len);
		ret_password[len] = '\0';
	}
	cfg_secret_free(text, strlen(text));
	return len < size ? (int)len : -1;
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

static void fill_checks(const struct cfg_tls *tls, struct ovpn_tls_ctx_options *o)
{
	switch (tls->purpose) {
	case CFG_PURPOSE_ANY: o->eku = OVPN_TLS_EKU_ANY; break;
	case CFG_PURPOSE_SERVER: o->eku = OVPN_TLS_EKU_SERVER; break;
	case CFG_PURPOSE_CLIENT: o->eku = OVPN_TLS_EKU_CLIENT; break;
	}
	switch (tls->x509_name_type) {
	case CFG_X509_NONE: o->name_match = OVPN_TLS_NAME_ANY; break;
	case CFG_X509_SUBJECT: o->name_match = OVPN_TLS_NAME_SUBJECT; break;
	case CFG_X509_NAME: o->name_match = OVPN_TLS_NAME_CN; break;
	case CFG_X509_PREFIX: o->name_match = OVPN_TLS_NAME_CN_PREFIX; break;
	}
	o->name = tls->x509_name;
	o->ku.wanted = tls->ku.wanted;
	o->ku.n = tls->ku.n;
	static_assert(sizeof(o->ku.any_of) == sizeof(tls->ku.any_of), "the same bits");
	memcpy(o->ku.any_of, tls->ku.any_of, sizeof(o->ku.any_of));
	o->eku_oid = tls->eku_oid;
}

int vc_setup_tls(struct vc_client *c)
{
	const struct cfg_tls *tls = &c->cfg->tls;
	struct names names = { .n = 0 };
	struct ovpn_tls_ctx_options o = { .server = false,
		.version_min = version(tls->version_min),
		.version_max = version(tls->version_max),
		.cipher_list = tls->cipher_list,
		.ciphersuites = tls->ciphersuites,
		.groups = tls->groups,
		.cert_profile = tls->cert_profile,
		.password = password,
		.password_arg = c };
	struct ovpn_tls_error err = { 0 };
	int rc;

	if (cfg_blob_set(&tls->secret))
		return 0; // a static key in place of all that
	o.ca = source(&tls->ca, &names);
	o.cert = source(&tls->cert, &names);
	o.key = source(&tls->key, &names);
	o.extra_certs = source(&tls->extra_certs, &names);
	o.pkcs12 = source(&tls->pkcs12, &names);
	o.crl = source(&tls->crl, &names);
	o.crl_dir = tls->crl_dir;
	o.fingerprints = (const uint8_t(*)[CFG_FINGERPRINT])tls->fingerprints;
	o.n_fingerprints = tls->n_fingerprints;
	fill_checks(tls, &o);
	rc = ovpn_tls_ctx_create(&o, &c->tls, &err);
	if (rc < 0)
		vc_log(VC_ERROR, "%s", err.text);
	return rc;
}
