// SPDX-License-Identifier: BSD-3-Clause
#include "config/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "config/client_apply.h"
#include "config/static_key.h"

static void defaults(struct cfg_client *cfg, struct cfg_remote_parse *def)
{
	cfg_tls_defaults(&cfg->tls);
	cfg_tunnel_defaults(&cfg->tunnel);
	cfg->resolv_retry_s = UINT32_MAX;
	cfg->connect_retry_s = 1;
	cfg->connect_retry_max_s = 300;
	cfg->dev = "tun";
	cfg->mobility = CFG_MOBILITY_AGGRESSIVE;
	cfg->data_format = CFG_FORMAT_AUTO;
	cfg->verb = 1;
	*def = (struct cfg_remote_parse){
		.rport = CFG_PORT_DEFAULT,
		.r = {
			.connect_timeout_s = 120,
			.tun_mtu = 1500,
			.mssfix = CFG_MSSFIX_DEFAULT,
			.mssfix_mtu = true,
		},
	};
}

static void finish(struct cfg_client_parse *p, const struct cfg_lines *lines)
{
	struct cfg_client *cfg = p->cfg;

	// The wrapping options are parsed into the profile's place; remotes inherit from there.
	p->def.r.wrap = cfg->tls.wrap;
	cfg_remotes_finish(p, lines);
	if (cfg_blob_set(&cfg->tls.secret)) {
		cfg_static_finish(p, lines);
	} else {
		if (!cfg->pull)
			(void)cfg_fail_file(&p->a, lines,
				"no 'client' line; profiles without it have static addresses, "
				"which "
				"are offered with static keys ('secret') only");
		cfg_tls_finish(&p->a, lines, &cfg->tls);
	}
	cfg->tun_mtu = p->def.r.tun_mtu;
	if (cfg->tun_mtu_max == 0)
		cfg->tun_mtu_max = cfg->tun_mtu > 1600 ? cfg->tun_mtu : 1600;
}

static int paths_under(struct cfg_client *cfg)
{
	int rc = 0;

	if (cfg->cd == NULL)
		return 0;
	for (size_t i = 0; i < cfg->n_remotes && rc == 0; i++)
		rc = cfg_wrap_under(cfg->mem, cfg->cd, &cfg->remotes[i].wrap);
	if (rc == 0)
		rc = cfg_tls_under(cfg->mem, cfg->cd, &cfg->tls);
	if (rc < 0)
		return rc;
	cfg->auth_user_pass_file.path =
		cfg_path_under(cfg->mem, cfg->cd, cfg->auth_user_pass_file.path);
	cfg->log = cfg_path_under(cfg->mem, cfg->cd, cfg->log);
	cfg->writepid = cfg_path_under(cfg->mem, cfg->cd, cfg->writepid);
	return 0;
}

int cfg_client_parse(struct cfg_lines *lines, unsigned flags, struct cfg_notes *notes,
	struct cfg_client **ret_cfg, struct cfg_error *err)
{
	struct cfg_client *cfg = cfg_mem_alloc(lines->mem, sizeof(*cfg));
	struct cfg_client_parse p = { .cfg = cfg, .tunnel = (flags & CFG_LOAD_TUNNEL) != 0 };
	int rc;

	if (cfg == NULL) {
		cfg_error_set(err, "configuration", 0, "out of memory");
		return -ENOMEM;
	}
	cfg->mem = lines->mem;
	p.a = (struct cfg_apply){
		.where = CFG_CLIENT,
		.mem = cfg->mem,
		.targets = { { cfg_client_options, cfg }, { cfg_remote_options, &p.def },
			{ cfg_tls_options, &cfg->tls }, { cfg_wrap_options, &cfg->tls.wrap },
			{ cfg_tunnel_options, &cfg->tunnel } },
		.notes = notes,
		.err = err,
	};
	defaults(cfg, &p.def);
	(void)cfg_apply_lines(&p.a, lines); // goes on, to find what else is wrong
	finish(&p, lines);
	rc = paths_under(cfg);
	if (rc < 0) {
		cfg_error_set(err, "configuration", 0, "out of memory");
		return rc;
	}
	if ((flags & CFG_LOAD_NO_FILES) == 0) {
		cfg_tls_check_files(&p.a, &cfg->tls);
		cfg_blob_check_apply(&p.a, &cfg->auth_user_pass_file);
		for (size_t i = 0; i < cfg->n_remotes; i++)
			cfg_wrap_check_files(&p.a, &cfg->remotes[i].wrap);
	}
	if (p.a.rc < 0)
		return p.a.rc;
	*lines = (struct cfg_lines){ 0 };
	*ret_cfg = cfg;
	return 0;
}

struct cfg_client *cfg_client_free(struct cfg_client *cfg)
{
	// The struct itself lies in its arena.
	if (cfg != NULL)
		cfg_mem_free(cfg->mem);
	return NULL;
}
