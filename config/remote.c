// SPDX-License-Identifier: BSD-3-Clause
// Remotes of a profile: `remote` lines and <connection> blocks.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "config/client_apply.h"
#include "config/number.h"

#define SECONDS_MAX 31536000u

// A transport word. Returns 0 and the family, 1 for TCP, -EINVAL.
static int proto_parse(const char *word, uint16_t *ret_family)
{
	if (strncmp(word, "tcp", 3) == 0)
		return 1;
	if (strcmp(word, "udp") == 0)
		*ret_family = AF_UNSPEC;
	else if (strcmp(word, "udp4") == 0)
		*ret_family = AF_INET;
	else if (strcmp(word, "udp6") == 0)
		*ret_family = AF_INET6;
	else
		return -EINVAL;
	return 0;
}

static int set_proto(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote_parse *rp = at;
	int rc = proto_parse(l->argv[1], &rp->r.family);

	if (rc < 0)
		return cfg_fail(a, l, "'proto' takes udp, udp4 or udp6, got '%.60s'", l->argv[1]);
	rp->tcp = rc == 1;
	rp->proto_line = l;
	return 0;
}

static int set_port(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote_parse *rp = at;
	int rc = cfg_set_u16(a, l, &rp->rport);

	if (rc < 0)
		return rc;
	rp->r.lport = rp->rport;
	return 0;
}

static int set_local(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote_parse *rp = at;

	if (cfg_addr_parse(l->argv[1], &rp->r.local) < 0)
		return cfg_fail(a, l, "'local': '%.60s' isn't an address", l->argv[1]);
	rp->bound = true;
	return 0;
}

static int set_lport(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote_parse *rp = at;

	rp->bound = true;
	return cfg_set_u16(a, l, &rp->r.lport);
}

static int set_nobind(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	(void)a;
	(void)l;
	((struct cfg_remote_parse *)at)->r.nobind = true;
	return 0;
}

static int set_bind(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (l->argc > 1 && strcmp(l->argv[1], "ipv6only") != 0)
		return cfg_fail(a, l, "'bind' takes 'ipv6only', got '%.60s'", l->argv[1]);
	((struct cfg_remote_parse *)at)->bound = true;
	return 0;
}

static int set_exit_notify(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	uint32_t *n = at;

	*n = 1;
	return l->argc > 1 ? cfg_set_u32(a, l, n) : 0;
}

static int set_mssfix(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote_parse *rp = at;
	struct cfg_remote *r = &rp->r;

	rp->mssfix = l->argc > 1;
	return cfg_mssfix_parse(a, l, &r->mssfix, &r->mssfix_mtu, &r->mssfix_fixed);
}

static int set_fragment(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote *r = &((struct cfg_remote_parse *)at)->r;

	return cfg_fragment_parse(a, l, &r->fragment, &r->fragment_mtu);
}

// In a block: the host. Outside it is one of the pending lines (set_pending in client_options.c).
static int set_remote(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_remote_parse *rp = at;

	if (l->argv[1][0] == '\0' || strlen(l->argv[1]) > 255)
		return cfg_fail(a, l, "'remote': '%.60s' isn't a host", l->argv[1]);
	rp->r.host = l->argv[1];
	rp->port_word = l->argc > 2 ? l->argv[2] : NULL;
	rp->proto_word = l->argc > 3 ? l->argv[3] : NULL;
	rp->r.file = l->file;
	rp->r.line = l->line;
	return 0;
}

#define REM(field) offsetof(struct cfg_remote_parse, field)

const struct cfg_option cfg_remote_options[] = {
	{ "remote", set_remote, 0, 0, 0 },
	{ "proto", set_proto, 0, 0, 0 },
	{ "port", set_port, 0, 1, 65535 },
	{ "rport", cfg_set_u16, REM(rport), 1, 65535 },
	{ "lport", set_lport, 0, 0, 65535 },
	{ "local", set_local, 0, 0, 0 },
	{ "nobind", set_nobind, 0, 0, 0 },
	{ "bind", set_bind, 0, 0, 0 },
	{ "connect-timeout", cfg_set_u32, REM(r.connect_timeout_s), 1, SECONDS_MAX },
	{ "server-poll-timeout", cfg_set_u32, REM(r.connect_timeout_s), 1, SECONDS_MAX },
	{ "explicit-exit-notify", set_exit_notify, REM(r.explicit_exit_notify), 0, 60 },
	{ "tun-mtu", cfg_set_u32, REM(r.tun_mtu), CFG_MTU_MIN, CFG_MTU_MAX },
	{ "mssfix", set_mssfix, 0, 0, 0 },
	{ "fragment", set_fragment, 0, 0, 0 },
	{ 0 },
};

// Apply the words of a `remote` line that override `port` and `proto`.
static int remote_words(
	struct cfg_client_parse *p, const struct cfg_line *l, struct cfg_remote_parse *rp)
{
	rp->r.port = rp->rport;
	if (rp->port_word != NULL && cfg_u16(rp->port_word, 1, 65535, &rp->r.port) < 0)
		return cfg_fail(&p->a, l,
			"'remote': the port must be a number from 1 to 65535, "
			"got '%.60s'",
			rp->port_word);
	if (rp->proto_word != NULL) {
		int rc = proto_parse(rp->proto_word, &rp->r.family);

		if (rc < 0)
			return cfg_fail(&p->a, l,
				"'remote': the transport must be udp, udp4 or "
				"udp6, got '%.60s'",
				rp->proto_word);
		rp->tcp = rc == 1;
	}
	return 0;
}

static int wrap_check(
	struct cfg_client_parse *p, const struct cfg_line *l, const struct cfg_wrap *w)
{
	int n = cfg_blob_set(&w->tls_auth) + cfg_blob_set(&w->tls_crypt) +
		cfg_blob_set(&w->tls_crypt_v2);

	if (n > 1)
		return cfg_fail(&p->a, l,
			"only one of 'tls-auth', 'tls-crypt' and 'tls-crypt-v2' "
			"can be used at once");
	return 0;
}

// Directives of a <connection> block on top of the profile's.
static int block_apply(
	struct cfg_client_parse *p, const struct cfg_line *l, struct cfg_remote_parse *rp)
{
	struct cfg_lines inner = { .mem = p->cfg->mem };
	struct cfg_wrap own = { .key_direction = rp->r.wrap.key_direction };
	struct cfg_apply a = {
		.where = CFG_CONNECTION,
		.mem = p->cfg->mem,
		.targets = { { cfg_remote_options, rp }, { cfg_wrap_options, &own } },
		.notes = p->a.notes,
		.err = p->a.rc == 0 ? p->a.err : NULL,
		.tolerate_all = p->a.tolerate_all,
		.tolerated = p->a.tolerated,
		.n_tolerated = p->a.n_tolerated,
	};
	struct cfg_error err;
	int rc = cfg_lines_add_text(&inner, l->file, l->text_line, l->text, l->text_len, &err);

	if (rc < 0) {
		(void)cfg_notes_add_error(p->a.notes, &err); // a remark may be lost
		if (p->a.rc == 0) {
			p->a.rc = rc;
			if (p->a.err != NULL)
				*p->a.err = err;
		}
		return rc;
	}
	rc = cfg_apply_lines(&a, &inner);
	if (p->a.rc == 0)
		p->a.rc = rc;
	if (rc < 0)
		return rc;
	// A wrapping of its own replaces the profile's.
	if (cfg_blob_set(&own.tls_auth) || cfg_blob_set(&own.tls_crypt) ||
		cfg_blob_set(&own.tls_crypt_v2))
		rp->r.wrap = own;
	else
		rp->r.wrap.key_direction = own.key_direction;
	if (rp->r.host == NULL)
		return cfg_fail(&p->a, l, "<connection> has no 'remote'");
	return 0;
}

static int remote_add(struct cfg_client_parse *p, const struct cfg_line *l)
{
	struct cfg_remote_parse rp = p->def;
	struct cfg_client *cfg = p->cfg;
	const bool secret = cfg_blob_set(&cfg->tls.secret);
	int rc;

	rc = l->text != NULL ? block_apply(p, l, &rp) : set_remote(&p->a, l, &rp);
	if (rc == 0)
		rc = remote_words(p, l, &rp);
	if (rc == 0)
		rc = wrap_check(p, l, &rp.r.wrap);
	if (rc < 0)
		return rc;
	// TCP had better not need to be cut.
	if (rp.r.fragment != 0 && !rp.mssfix) {
		rp.r.mssfix = rp.r.fragment;
		rp.r.mssfix_mtu = rp.r.fragment_mtu;
	}
	if (rp.tcp) {
		cfg_remark(&p->a, CFG_NOTE_IGNORED, l,
			"remote '%.100s' is passed over: only UDP is "
			"spoken, not TCP",
			rp.r.host);
		return 0;
	}
	// OpenVPN would bind its default port here; any other serves as well and can't collide. A
	// peer with a static key has nothing but the address to know us by.
	if (rp.r.lport == 0 && (p->tunnel || (secret && !rp.r.nobind)))
		rp.r.lport = CFG_PORT_DEFAULT;
	if (!rp.bound && rp.r.lport == 0)
		rp.r.nobind = true;
	if (p->tunnel)
		rp.r.nobind = false;
	if (rp.r.nobind)
		rp.r.lport = 0;
	if (cfg_mem_grow(cfg->mem, &cfg->remotes, cfg->n_remotes, CFG_REMOTES_MAX,
		    sizeof(*cfg->remotes)) < 0)
		return cfg_fail(&p->a, l, "more than %d remotes", CFG_REMOTES_MAX);
	cfg->remotes[cfg->n_remotes++] = rp.r;
	return 0;
}

// A tunnel whose peer comes from wherever it is: everything but where.
static int listen_add(struct cfg_client_parse *p, const struct cfg_lines *lines)
{
	struct cfg_remote r = p->def.r;

	r.host = NULL;
	r.nobind = false;
	if (r.lport == 0)
		r.lport = CFG_PORT_DEFAULT;
	if (cfg_mem_grow(p->cfg->mem, &p->cfg->remotes, 0, 1, sizeof(r)) < 0)
		return cfg_fail_file(&p->a, lines, "out of memory");
	p->cfg->remotes[p->cfg->n_remotes++] = r;
	return 0;
}

void cfg_remotes_finish(struct cfg_client_parse *p, const struct cfg_lines *lines)
{
	for (size_t i = 0; i < p->n_pending; i++) {
		if (remote_add(p, p->pending[i]) < 0 && p->a.rc == -ENOMEM)
			return;
	}
	if (p->cfg->n_remotes > 0 || p->a.rc < 0)
		return;
	if (p->n_pending == 0 && p->tunnel) {
		(void)listen_add(p, lines);
		return;
	}
	if (p->n_pending == 0)
		(void)cfg_fail_file(
			&p->a, lines, "no 'remote', so there is no server to connect to");
	else if (p->def.tcp && p->def.proto_line != NULL)
		(void)cfg_fail(&p->a, p->def.proto_line,
			"'proto %.20s' isn't spoken, only udp; ask for "
			"a profile with UDP",
			p->def.proto_line->argv[1]);
	else
		(void)cfg_fail(&p->a, p->pending[0], "no remote with UDP; TCP isn't spoken");
}
