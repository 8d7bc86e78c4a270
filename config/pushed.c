// SPDX-License-Identifier: BSD-3-Clause
#include "config/pushed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "config/cipher.h"
#include "config/option_tables.h"
#include "config/tunnel_apply.h"

#define PUSHED_NAME "pushed option"

static int set_peer_id(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	return cfg_set_u32(a, l, at);
}

static int set_cipher(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_pushed *p = at;
	bool works;
	const char *known = cfg_cipher_normalise(l->argv[1], &works);

	if (known == NULL || !works) {
		(void)cfg_fail(a, l, "'cipher': %.60s can't be used", l->argv[1]);
		return -EPERM;
	}
	snprintf(p->cipher, sizeof(p->cipher), "%s", known);
	p->cipher_set = true;
	return 0;
}

static int set_flags(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const words[] = { "cc-exit", "tls-ekm", "dyn-tls-crypt", "aead-epoch",
		NULL };
	unsigned bits = 0;

	for (unsigned w = 1; w < l->argc; w++) {
		int i = cfg_word_choice(a, l, w, words);

		// What the server chose can't be done, so the session can't work.
		if (i < 0)
			return -EPERM;
		bits |= 1u << i;
	}
	*(unsigned *)at |= bits;
	return 0;
}

static int set_derivation(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	static const char *const words[] = { "tls-ekm", NULL };

	if (cfg_word_choice(a, l, 1, words) < 0)
		return -EPERM;
	*(unsigned *)at |= CFG_PF_TLS_EKM;
	return 0;
}

static int set_mobility(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_pushed *p = at;

	if (strcmp(l->argv[1], "1") != 0)
		return cfg_fail(a, l, "'mobility': version %.20s isn't known", l->argv[1]);
	p->mobility = true;
	// Further words are for later versions to add; those that aren't known don't matter.
	for (unsigned w = 2; w < l->argc; w++)
		p->mobility_lazy |= strcmp(l->argv[w], "lazy") == 0;
	return 0;
}

static int set_token(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_pushed *p = at;

	if (strlen(l->argv[1]) >= sizeof(p->auth_token))
		return cfg_fail(a, l, "'auth-token': longer than %zu characters",
			sizeof(p->auth_token) - 1);
	snprintf(p->auth_token, sizeof(p->auth_token), "%s", l->argv[1]);
	p->auth_token_set = true;
	return 0;
}

static int set_token_user(struct cfg_apply *a, const struct cfg_line *l, void *at)
{
	struct cfg_pushed *p = at;

	if (strlen(l->argv[1]) >= sizeof(p->auth_token_user))
		return cfg_fail(a, l, "'auth-token-user': longer than %zu characters",
			sizeof(p->auth_token_user) - 1);
	snprintf(p->auth_token_user, sizeof(p->auth_token_user), "%s", l->argv[1]);
	return 0;
}

#define PSH(f) offsetof(struct cfg_pushed, f)

const struct cfg_option cfg_pushed_options[] = {
	{ "peer-id", set_peer_id, PSH(peer_id), 0, CFG_PEER_ID_NONE },
	{ "cipher", set_cipher, 0, 0, 0 },
	{ "protocol-flags", set_flags, PSH(protocol_flags), 0, 0 },
	{ "key-derivation", set_derivation, PSH(protocol_flags), 0, 0 },
	{ "tun-mtu", cfg_set_u32, PSH(tun_mtu), CFG_MTU_MIN, CFG_MTU_MAX },
	{ "mobility", set_mobility, 0, 0, 0 },
	{ "auth-token", set_token, 0, 0, 0 },
	{ "auth-token-user", set_token_user, 0, 0, 0 },
	{ "push-continuation", cfg_set_none, 0, 0, 0 },
	{ 0 },
};

// A list of its own, with the room that cfg_mem_grow expects.
static int list_copy(struct cfg_mem *mem, void *list, size_t n, size_t elem_size)
{
	size_t room = 1;
	void *old, *copy;

	if (n == 0)
		return 0;
	while (room < n)
		room *= 2;
	copy = cfg_mem_alloc(mem, room * elem_size);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(&old, list, sizeof(old));
	memcpy(copy, old, n * elem_size);
	memcpy(list, &copy, sizeof(copy));
	return 0;
}

int cfg_pushed_init(struct cfg_pushed *p, const struct cfg_client *cfg)
{
	*p = (struct cfg_pushed){
		.mem = cfg_mem_create(),
		.tunnel = cfg->tunnel,
		.peer_id = CFG_PEER_ID_NONE,
		.tun_mtu = cfg->tun_mtu,
	};
	if (p->mem == NULL)
		return -ENOMEM;
	if (list_copy(p->mem, &p->tunnel.routes, p->tunnel.n_routes, sizeof(*p->tunnel.routes)) <
			0 ||
		list_copy(p->mem, &p->tunnel.dhcp, p->tunnel.n_dhcp, sizeof(*p->tunnel.dhcp)) < 0) {
		cfg_pushed_done(p);
		return -ENOMEM;
	}
	return 0;
}

// What route-nopull leaves out: routes and name service.
static bool nopull(const char *name)
{
	static const char *const names[] = { "route", "route-ipv6", "route-gateway",
		"route-ipv6-gateway", "route-metric", "route-delay", "redirect-gateway",
		"redirect-private", "dhcp-option", "dns", "block-ipv6", "block-outside-dns",
		"register-dns", "client-nat" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

// The first pull-filter that matches; without one the option is accepted.
static enum cfg_filter_action filter(const struct cfg_client *cfg, const char *option)
{
	for (size_t i = 0; i < cfg->n_filters; i++) {
		if (strncmp(option, cfg->filters[i].prefix, strlen(cfg->filters[i].prefix)) == 0)
			return cfg->filters[i].action;
	}
	return CFG_FILTER_ACCEPT;
}

// The option isn't one of the known that may be pushed.
static int unknown(struct cfg_apply *a, const struct cfg_line *l, struct cfg_pushed *p)
{
	p->n_unknown++;
	cfg_remark(a, CFG_NOTE_IGNORED, l, "'%.60s' isn't an option that a server may set",
		l->argv[0]);
	return -ENOENT;
}

int cfg_pushed_apply(struct cfg_pushed *p, const struct cfg_client *cfg, const char *option,
	struct cfg_notes *notes)
{
	struct cfg_line l = { .file = PUSHED_NAME };
	struct cfg_apply a = {
		.where = CFG_PUSHED,
		.mem = p->mem,
		.targets = { { cfg_pushed_options, p }, { cfg_tunnel_options, &p->tunnel } },
		.notes = notes,
		.lenient = true,
	};
	const char *why;
	int rc;

	if (p->n_applied + p->n_unknown >= CFG_PUSHED_MAX)
		return -EPERM;
	rc = cfg_split(p->mem, option, strlen(option), l.argv, &why);
	if (rc == -EINVAL) {
		cfg_remark(&a, CFG_NOTE_WARNING, &l, "'%.60s': %s", option, why);
		p->n_unknown++;
	}
	if (rc <= 0)
		return rc;
	l.argc = (unsigned)rc;
	switch (filter(cfg, option)) {
	case CFG_FILTER_REJECT:
		cfg_remark(&a, CFG_NOTE_ERROR, &l, "'%.60s' is rejected by pull-filter", option);
		return -EPERM;
	case CFG_FILTER_IGNORE:
		cfg_remark(&a, CFG_NOTE_IGNORED, &l, "'%.60s' is left out by pull-filter", option);
		return 1;
	case CFG_FILTER_ACCEPT: break;
	}
	if (cfg->route_nopull && nopull(l.argv[0])) {
		cfg_remark(&a, CFG_NOTE_IGNORED, &l, "'%.60s' is left out by route-nopull", option);
		return 1;
	}
	if (cfg_directive_find(l.argv[0], CFG_PUSHED) == NULL)
		return unknown(&a, &l, p);
	rc = cfg_apply_line(&a, &l);
	if (rc == 0)
		p->n_applied++;
	else
		p->n_unknown++;
	return rc;
}

int cfg_pushed_finish(struct cfg_pushed *p, struct cfg_error *err)
{
	struct cfg_tunnel *t = &p->tunnel;
	char text[CFG_ADDR_TEXT];

	if (t->ifconfig.family == AF_UNSPEC) {
		cfg_error_set(err, "PUSH_REPLY", 0, "no 'ifconfig', so there is no address to use");
		return -EINVAL;
	}
	if (t->topology != CFG_TOPOLOGY_SUBNET || t->ifconfig_peer.family == AF_UNSPEC)
		return 0;
	cfg_addr_text(&t->ifconfig_peer, false, text);
	if (cfg_netmask_parse(text, &t->ifconfig.prefix) < 0) {
		cfg_error_set(err, "PUSH_REPLY", 0,
			"'ifconfig': %s isn't a netmask, as 'topology "
			"subnet' needs",
			text);
		return -EINVAL;
	}
	t->ifconfig_peer = (struct cfg_addr){ 0 };
	return 0;
}

void cfg_pushed_done(struct cfg_pushed *p)
{
	cfg_mem_free(p->mem);
	explicit_bzero(p, sizeof(*p));
}
