// SPDX-License-Identifier: BSD-3-Clause
#include "client/hello.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/utsname.h>

#include "client/client.h"
#include "client/creds.h"
#include "protocol/key_method2.h"
#include "protocol/mobility.h"
#include "protocol/ncp.h"
#include "protocol/options_string.h"
#include "protocol/peer_info.h"

// What we announce: all that a 2.6 client does and we do, too.
#define VC_IV_PROTO                                                                                \
	(OVPN_IV_PROTO_DATA_V2 | OVPN_IV_PROTO_REQUEST_PUSH | OVPN_IV_PROTO_TLS_EKM |              \
		OVPN_IV_PROTO_AUTH_PENDING_KW | OVPN_IV_PROTO_CC_EXIT |                            \
		OVPN_IV_PROTO_AUTH_FAIL_TEMP | OVPN_IV_PROTO_DYN_TLS_CRYPT)

int vc_hello_options(const struct cfg_client *cfg, const struct cfg_remote *remote, char *buf,
	size_t size, size_t *ret_len)
{
	struct ovpn_options o = { .tun_mtu = remote->tun_mtu,
		.key_direction = -1,
		.cipher = OVPN_CIPHER_BF_CBC,
		.digest = OVPN_DIGEST_SHA1 };
	const char *cipher = cfg->tls.cipher;

	if (cfg_blob_set(&remote->wrap.tls_auth)) {
		o.tls_auth = true;
		o.key_direction = remote->wrap.key_direction;
	}
	if (cipher != NULL && ovpn_cipher_by_name(cipher, strlen(cipher), &o.cipher) == 0)
		o.show_cipher = ovpn_ncp_text_contains(
			cfg->tls.data_ciphers, strlen(cfg->tls.data_ciphers), o.cipher);
	o.comp = cfg->tunnel.comp != CFG_COMP_NONE;
	o.comp_no_byte = cfg->tunnel.comp == CFG_COMP_STUB_V2;
	o.fragment = remote->fragment != 0;
	if (cfg->tls.auth != NULL)
		(void)ovpn_digest_by_name(cfg->tls.auth, strlen(cfg->tls.auth), &o.digest);
	return ovpn_options_build(&o, buf, size, ret_len);
}

// The variables that only go out with push-peer-info, and the profile's own UV_ ones.
static void add_details(struct ovpn_text *t, const struct cfg_client *cfg)
{
	struct utsname uts;

	if (cfg->push_peer_info) {
		if (uname(&uts) == 0)
			ovpn_peer_info_add(t, "IV_PLAT_VER", uts.release);
		ovpn_peer_info_add(t, "IV_SSL", OpenSSL_version(OPENSSL_VERSION));
	}
	for (size_t i = 0; i < cfg->n_setenv; i++) {
		const char *name = cfg->setenv[2 * i];

		if (strncmp(name, "UV_", 3) == 0 && cfg->push_peer_info)
			ovpn_peer_info_add(t, name, cfg->setenv[2 * i + 1]);
		else if (strcmp(name, "IV_GUI_VER") == 0 || strcmp(name, "IV_SSO") == 0)
			ovpn_peer_info_add(t, name, cfg->setenv[2 * i + 1]);
	}
}

int vc_hello_peer_info(const struct cfg_client *cfg, char *buf, size_t size, size_t *ret_len)
{
	const char *ciphers = cfg->tls.data_ciphers;
	size_t n = strlen(ciphers);
	struct ovpn_text t;

	ovpn_text_init(&t, buf, size);
	ovpn_peer_info_add(&t, "IV_VER", "visp-" VISP_VERSION);
	ovpn_peer_info_add(&t, "IV_PLAT", "linux");
	ovpn_peer_info_add(&t, "IV_TCPNL", "1");
	ovpn_peer_info_add_u64(&t, "IV_MTU", cfg->tun_mtu_max);
	if (ovpn_ncp_text_contains(ciphers, n, OVPN_CIPHER_AES_128_GCM) &&
		ovpn_ncp_text_contains(ciphers, n, OVPN_CIPHER_AES_256_GCM))
		ovpn_peer_info_add(&t, "IV_NCP", "2");
	ovpn_peer_info_add(&t, "IV_CIPHERS", ciphers);
	// The bit of P_DATA_V2 must go with any other one, so that asking for V1 means to say
	// nothing at all: the server then takes the PRF and waits for PUSH_REQUEST.
	if (cfg->data_format != CFG_FORMAT_V1)
		ovpn_peer_info_add_u64(&t, "IV_PROTO",
			VC_IV_PROTO |
				(cfg->data_format == CFG_FORMAT_EPOCH ? OVPN_IV_PROTO_EPOCH : 0));
	ovpn_peer_info_add(&t, "IV_LZO_STUB", "1");
	ovpn_peer_info_add(&t, "IV_COMP_STUB", "1");
	ovpn_peer_info_add(&t, "IV_COMP_STUBv2", "1");
	if (cfg->mobility != CFG_MOBILITY_OFF)
		ovpn_peer_info_add_u64(&t, OVPN_MOBILITY_VAR, OVPN_MOBILITY_VERSION);
	add_details(&t, cfg);
	return ovpn_text_done(&t, ret_len);
}

static struct ovpn_span span(const char *text, size_t len)
{
	struct ovpn_span s = { .data = (const uint8_t *)text, .len = len };

	return s;
}

int vc_hello_build(struct vc_client *c, const struct ovpn_prf_input *prf, uint8_t *buf, size_t size,
	size_t *ret_len)
{
	char options[OVPN_OPTIONS_MAX], info[VC_PEER_INFO_MAX];
	struct ovpn_km2 m = { .pre_master = prf->pre_master,
		.random1 = prf->client_random1,
		.random2 = prf->client_random2 };
	const struct cfg_remote *remote = &c->cfg->remotes[c->connect.remote];
	size_t options_len, info_len;
	char password[VC_PASSWORD_MAX] = "";
	int rc = vc_hello_options(c->cfg, remote, options, sizeof(options), &options_len);

	if (rc == 0)
		rc = vc_hello_peer_info(c->cfg, info, sizeof(info), &info_len);
	if (rc < 0)
		return rc;
	m.options = span(options, options_len);
	m.peer_info = span(info, info_len);
	if (c->cfg->auth_user_pass || c->creds.token[0] != '\0') {
		const char *user = c->creds.user;

		rc = vc_creds_password(c, password);
		if (c->creds.token[0] != '\0' && c->creds.token_user[0] != '\0')
			user = c->creds.token_user;
		m.username = span(user, strlen(user));
		m.password = span(password, strlen(password));
	}
	if (rc == 0)
		rc = ovpn_km2_build(&m, true, buf, size, ret_len);
	explicit_bzero(password, sizeof(password));
	return rc;
}
