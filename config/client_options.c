// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <string.h>

#include "config/client_apply.h"

#define SECONDS_MAX 31536000u
#define PENDING_MAX 256
#define FILTERS_MAX 256
#define SETENV_MAX 256

static struct cfg_client_parse *parse_of(struct cfg_apply *a)
{
	return (struct cfg_client_parse *)a; // its first member
}

static int set_pending(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_client_parse *p = parse_of(a);
	int rc;

	(void)at;
	if (strcmp(l->argv[0], "connection") == 0 && l->text == NULL)
		return cfg_fail(a, l, "'connection' is a block: <connection> ... </connection>");
	rc = cfg_mem_grow(a->mem, &p->pending, p->n_pending, PENDING_MAX, sizeof(*p->pending));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "more than %d remotes", PENDING_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	p->pending[p->n_pending++] = l;
	return 0;
}

static int set_proto_force(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "udp", "udp4", "udp6", NULL };

	(void)at;
	return cfg_word_choice(a, l, 1, choices) < 0 ? -EINVAL : 0;
}

static int set_mode(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "p2p", NULL };

	(void)at;
	return cfg_word_choice(a, l, 1, choices);
}

static int set_dev(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (strncmp(l->argv[1], "tap", 3) == 0)
		return cfg_fail(a, l, "'dev %.20s' isn't offered, only tun", l->argv[1]);
	if (strlen(l->argv[1]) > 15)
		return cfg_fail(a, l, "'dev': the name is longer than 15 characters");
	return cfg_set_str(a, l, at);
}

static int set_dev_type(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "tun", NULL };

	(void)at;
	return cfg_word_choice(a, l, 1, choices);
}

static int set_resolv_retry(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (strcmp(l->argv[1], "infinite") != 0)
		return cfg_set_u32(a, l, at);
	*(uint32_t *)at = UINT32_MAX;
	return 0;
}

static int set_connect_retry(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_client *cfg = at;
	uint32_t first, most = 300;
	int rc = cfg_word_u32(a, l, 1, 1, 65535, &first);

	if (rc == 0 && l->argc > 2)
		rc = cfg_word_u32(a, l, 2, 1, 65535, &most);
	if (rc < 0)
		return rc;
	cfg->connect_retry_s = first;
	cfg->connect_retry_max_s = most > first ? most : first;
	return 0;
}

static int set_retry_max(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	if (strcmp(l->argv[1], "unlimited") != 0)
		return cfg_set_u32(a, l, at);
	*(uint32_t *)at = 0;
	return 0;
}

static int set_auth_user_pass(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_client *cfg = at;

	cfg->auth_user_pass = true;
	return cfg_set_blob(a, l, &cfg->auth_user_pass_file);
}

// static-challenge TEXT 0|1 [scrv1|concat]
static int set_challenge(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const echoes[] = { "0", "1", NULL };
	static const char *const forms[] = { "scrv1", "concat", NULL };
	struct cfg_client *cfg = at;
	int echo = cfg_word_choice(a, l, 2, echoes);
	int form = l->argc > 3 && echo >= 0 ? cfg_word_choice(a, l, 3, forms) : 0;

	if (echo < 0 || form < 0)
		return -EINVAL;
	cfg->challenge = l->argv[1];
	cfg->challenge_echo = echo == 1;
	cfg->challenge_concat = form == 1;
	return 0;
}

static int set_auth_retry(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "none", "nointeract", "interact", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_auth_retry *)at = (enum cfg_auth_retry)i;
	return 0;
}

static int set_filter(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "accept", "ignore", "reject", NULL };
	struct cfg_client *cfg = at;
	int i = cfg_word_choice(a, l, 1, choices);
	int rc;

	if (i < 0)
		return i;
	rc = cfg_mem_grow(
		a->mem, &cfg->filters, cfg->n_filters, FILTERS_MAX, sizeof(*cfg->filters));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'pull-filter': more than %d of them", FILTERS_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	cfg->filters[cfg->n_filters++] = (struct cfg_filter){
		.action = (enum cfg_filter_action)i,
		.prefix = l->argv[2],
	};
	return 0;
}

static int set_setenv(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_client *cfg = at;
	size_t n = cfg->n_setenv;
	int rc;

	if (strncmp(l->argv[1], "UV_", 3) != 0 && strncmp(l->argv[1], "IV_", 3) != 0)
		return 0; // no program is run that could see it
	rc = cfg_mem_grow(a->mem, &cfg->setenv, n, SETENV_MAX, 2 * sizeof(*cfg->setenv));
	if (rc == -E2BIG)
		return cfg_fail(a, l, "'setenv': more than %d of them", SETENV_MAX);
	if (rc < 0)
		return cfg_fail_memory(a, l);
	cfg->setenv[2 * n] = l->argv[1];
	cfg->setenv[2 * n + 1] = l->argc > 2 ? l->argv[2] : "";
	cfg->n_setenv++;
	return 0;
}

static int set_mobility(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const choices[] = { "off", "aggressive", "lazy", NULL };
	int i = cfg_word_choice(a, l, 1, choices);

	if (i < 0)
		return i;
	*(enum cfg_mobility *)at = (enum cfg_mobility)i;
	return 0;
}

static int set_log(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_client *cfg = at;

	cfg->log_append = strcmp(l->argv[0], "log-append") == 0;
	return cfg_set_str(a, l, &cfg->log);
}

#define CLI(f) offsetof(struct cfg_client, f)

const struct cfg_option cfg_client_options[] = {
	{ "remote", set_pending, 0, 0, 0 },
	{ "connection", set_pending, 0, 0, 0 },
	{ "client", cfg_set_flag, CLI(pull), 0, 0 },
	{ "pull", cfg_set_flag, CLI(pull), 0, 0 },
	{ "float", cfg_set_flag, CLI(floats), 0, 0 },
	{ "tls-client", cfg_set_none, 0, 0, 0 },
	{ "mode", set_mode, 0, 0, 0 },
	{ "proto-force", set_proto_force, 0, 0, 0 },
	{ "remote-random", cfg_set_flag, CLI(remote_random), 0, 0 },
	{ "resolv-retry", set_resolv_retry, CLI(resolv_retry_s), 0, SECONDS_MAX },
	{ "connect-retry", set_connect_retry, 0, 0, 0 },
	{ "connect-retry-max", set_retry_max, CLI(connect_retry_count), 0, 1000000 },
	{ "dev", set_dev, CLI(dev), 0, 0 },
	{ "dev-type", set_dev_type, 0, 0, 0 },
	{ "auth-user-pass", set_auth_user_pass, 0, 0, 0 },
	{ "auth-nocache", cfg_set_flag, CLI(auth_nocache), 0, 0 },
	{ "static-challenge", set_challenge, 0, 0, 0 },
	{ "auth-retry", set_auth_retry, CLI(auth_retry), 0, 0 },
	{ "ifconfig-noexec", cfg_set_flag, CLI(ifconfig_noexec), 0, 0 },
	{ "route-noexec", cfg_set_flag, CLI(route_noexec), 0, 0 },
	{ "route-nopull", cfg_set_flag, CLI(route_nopull), 0, 0 },
	{ "pull-filter", set_filter, 0, 0, 0 },
	{ "push-peer-info", cfg_set_flag, CLI(push_peer_info), 0, 0 },
	{ "setenv", set_setenv, 0, 0, 0 },
	{ "ignore-unknown-option", cfg_set_none, 0, 0, 0 },
	{ "tun-mtu-max", cfg_set_u32, CLI(tun_mtu_max), CFG_MTU_MIN, CFG_MTU_MAX },
	{ "tun-max-mtu", cfg_set_u32, CLI(tun_mtu_max), CFG_MTU_MIN, CFG_MTU_MAX },
	{ "mark", cfg_set_u32, CLI(mark), 0, UINT32_MAX },
	{ "mobility", set_mobility, CLI(mobility), 0, 0 },
	{ "data-format", cfg_data_format_parse, CLI(data_format), 0, 0 },
	{ "cd", cfg_set_str, CLI(cd), 0, 0 },
	{ "log", set_log, 0, 0, 0 },
	{ "log-append", set_log, 0, 0, 0 },
	{ "writepid", cfg_set_str, CLI(writepid), 0, 0 },
	{ "verb", cfg_set_u32, CLI(verb), 0, 11 },
	{ "suppress-timestamps", cfg_set_flag, CLI(suppress_timestamps), 0, 0 },
	{ 0 },
};
