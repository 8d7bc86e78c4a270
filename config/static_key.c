// SPDX-License-Identifier: BSD-3-Clause
// Point-to-point tunnels with a static key: profiles with `secret`, and the files that `tunnel`
// in server.conf names.
#include "config/static_key.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "config/cipher.h"
#include "protocol/cipher.h"

#define TUNNEL_PATH_MAX 512

// The directive that gave the key, as a line for messages.
static struct cfg_line secret_line(const struct cfg_tls *tls)
{
	return (struct cfg_line){
		.file = tls->secret.file, .line = tls->secret.line, .argc = 1, .argv = { "secret" }
	};
}

static void cipher_finish(struct cfg_apply *a, struct cfg_tls *tls, const struct cfg_line *l)
{
	enum ovpn_cipher cipher;
	bool works = false;

	if (tls->cipher == NULL) {
		(void)cfg_fail(a, l,
			"'secret' needs a 'cipher': nothing is negotiated, and OpenVPN's old "
			"default "
			"BF-CBC must be asked for by its name");
		return;
	}
	if (cfg_cipher_normalise(tls->cipher, &works) == NULL || !works ||
		ovpn_cipher_by_name(tls->cipher, strlen(tls->cipher), &cipher) < 0) {
		(void)cfg_fail(a, l, "'cipher': the data channel doesn't have %s", tls->cipher);
		return;
	}
	// As stock peers have it: packet-ids that begin again with each start, and nonces made of
	// them, don't go together (protocol.md 9.3).
	if (ovpn_cipher_info(cipher)->mode != OVPN_MODE_CBC && cipher != OVPN_CIPHER_NONE)
		(void)cfg_fail(a, l, "'cipher': %s can't be used with 'secret', only CBC ciphers",
			tls->cipher);
	if (cipher == OVPN_CIPHER_NONE && strcmp(tls->auth, "none") == 0)
		(void)cfg_fail(a, l,
			"'cipher none' with 'auth none' would let everybody read and write; set "
			"one of them");
}

void cfg_static_finish(struct cfg_client_parse *p, const struct cfg_lines *lines)
{
	struct cfg_client *cfg = p->cfg;
	const struct cfg_tls *tls = &cfg->tls;
	const struct cfg_line l = secret_line(tls);
	const struct cfg_tunnel *t = &cfg->tunnel;

	if (cfg->pull)
		(void)cfg_fail(&p->a, &l,
			"'secret' and 'client' exclude each other: with a static key nothing is "
			"pushed");
	if (cfg_blob_set(&tls->ca) || cfg_blob_set(&tls->cert) || cfg_blob_set(&tls->pkcs12))
		(void)cfg_fail(&p->a, &l, "'secret' and certificates exclude each other");
	if (cfg_blob_set(&tls->wrap.tls_auth) || cfg_blob_set(&tls->wrap.tls_crypt) ||
		cfg_blob_set(&tls->wrap.tls_crypt_v2))
		(void)cfg_fail(&p->a, &l,
			"'secret' and tls-auth or tls-crypt exclude each other: there is no "
			"control "
			"channel");
	cipher_finish(&p->a, &cfg->tls, &l);
	if (t->ifconfig.family != AF_INET)
		(void)cfg_fail_file(&p->a, lines, "'secret' needs 'ifconfig LOCAL REMOTE'");
}

// ---- `tunnel` in server.conf -----------------------------------------------------------------

static int add_tunnel(struct cfg_server *cfg, struct cfg_client *tunnel)
{
	int rc = cfg_mem_grow(
		cfg->mem, &cfg->tunnels, cfg->n_tunnels, CFG_TUNNELS_MAX, sizeof(tunnel));

	if (rc == 0)
		cfg->tunnels[cfg->n_tunnels++] = tunnel;
	return rc;
}

// What only a server asks of such a file.
static void check_tunnel(struct cfg_apply *a, const struct cfg_line *l, const struct cfg_client *t)
{
	const struct cfg_remote *r = &t->remotes[0];
	struct cfg_addr addr;

	if (!cfg_blob_set(&t->tls.secret))
		(void)cfg_fail(a, l,
			"'tunnel': %.200s has no 'secret'; clients with certificates "
			"are what 'server' is for",
			l->argv[1]);
	else if (t->n_remotes > 1)
		(void)cfg_fail(a, l, "'tunnel': %.200s has more than one 'remote'", l->argv[1]);
	else if (r->host != NULL && cfg_addr_parse(r->host, &addr) < 0)
		(void)cfg_fail(a, l,
			"'tunnel': %.200s: remote '%.60s' isn't an address (names aren't looked "
			"up)",
			l->argv[1], r->host);
	else if (r->host == NULL && !t->floats && strcmp(t->tls.auth, "none") == 0)
		(void)cfg_fail(a, l,
			"'tunnel': %.200s has neither 'remote' nor 'auth': anybody could take it "
			"over",
			l->argv[1]);
}

static void load_file(struct cfg_server_parse *p, const struct cfg_line *l, const char *path)
{
	struct cfg_apply *a = &p->a;
	struct cfg_line said = *l;
	struct cfg_client *tunnel = NULL;
	struct cfg_error err;
	struct cfg_lines lines;
	int rc = cfg_lines_init(&lines);

	said.argv[1] = path;
	if (rc == 0 && p->cfg->n_tunnels == CFG_TUNNELS_MAX) {
		(void)cfg_fail(a, l, "'tunnel': more than %d of them", CFG_TUNNELS_MAX);
		goto done;
	}
	if (rc == 0)
		rc = cfg_lines_add_file(&lines, path, &err);
	if (rc < 0) {
		(void)cfg_fail(a, l, "'tunnel': can't read '%.300s': %s", path, strerror(-rc));
		goto done;
	}
	rc = cfg_client_parse(&lines, CFG_LOAD_TUNNEL, a->notes, &tunnel, &err);
	if (rc < 0) {
		if (a->rc == 0) {
			a->rc = rc;
			if (a->err != NULL)
				*a->err = err;
		}
		goto done;
	}
	check_tunnel(a, &said, tunnel);
	if (a->rc < 0 || add_tunnel(p->cfg, tunnel) < 0)
		(void)cfg_client_free(tunnel);

done:
	cfg_lines_done(&lines);
}

static int is_conf(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".conf") == 0;
}

void cfg_tunnels_load(struct cfg_server_parse *p)
{
	char path[TUNNEL_PATH_MAX];

	for (size_t i = 0; i < p->n_tunnel_lines; i++) {
		const struct cfg_line *l = p->tunnel_lines[i];
		const char *where = cfg_path_under(p->cfg->mem, p->cfg->cd, l->argv[1]);
		struct dirent **names;
		int n = where != NULL ? scandir(where, &names, is_conf, alphasort) : -1;

		if (where == NULL)
			(void)cfg_fail_memory(&p->a, l);
		else if (n < 0 && errno == ENOTDIR)
			load_file(p, l, where);
		else if (n < 0)
			(void)cfg_fail(&p->a, l, "'tunnel': can't read '%.300s': %s", where,
				strerror(errno));
		else if (n == 0)
			(void)cfg_fail(&p->a, l, "'tunnel': no file '%.300s/*.conf'", where);
		for (int k = 0; k < n; k++) {
			int len = snprintf(path, sizeof(path), "%s/%s", where, names[k]->d_name);

			if (len > 0 && (size_t)len < sizeof(path))
				load_file(p, l, path);
			free(names[k]);
		}
		if (n >= 0)
			free(names);
	}
}

// Where two tunnels, or a tunnel and clients, would listen at the same place.
static const char *port_clash(const struct cfg_server *cfg, size_t i)
{
	const uint16_t port = cfg->tunnels[i]->remotes[0].lport;

	for (size_t k = 0; k < i; k++) {
		if (cfg->tunnels[k]->remotes[0].lport == port)
			return cfg->tunnels[k]->tls.secret.file;
	}
	for (size_t k = 0; k < cfg->n_listens; k++) {
		if (cfg->listens[k].port == port)
			return "'server'";
	}
	return NULL;
}

// Is our own address said, by the tunnel or by the server?
static bool has_address(const struct cfg_server *cfg, const struct cfg_client *tunnel)
{
	static const uint8_t any[16];
	const struct cfg_addr *a = &tunnel->remotes[0].local;

	if (a->family == AF_UNSPEC)
		a = &cfg->listens[0].addr;
	return a->family != AF_UNSPEC && memcmp(a->bytes, any, sizeof(any)) != 0;
}

void cfg_tunnels_finish(struct cfg_server_parse *p)
{
	struct cfg_server *cfg = p->cfg;

	for (size_t i = 0; i < cfg->n_tunnels; i++) {
		const struct cfg_line l = secret_line(&cfg->tunnels[i]->tls);
		const char *other = port_clash(cfg, i);

		if (!has_address(cfg, cfg->tunnels[i]))
			(void)cfg_fail(&p->a, &l,
				"a tunnel needs the address that it is reached at: say 'local "
				"ADDRESS' "
				"here or in server.conf");
		if (other != NULL)
			(void)cfg_fail(&p->a, &l,
				"UDP port %u is also that of %.200s; each tunnel "
				"needs one of its own ('lport')",
				cfg->tunnels[i]->remotes[0].lport, other);
	}
}
