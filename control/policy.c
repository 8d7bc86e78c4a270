// SPDX-License-Identifier: BSD-3-Clause
#include "control/policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/server.h"
#include "protocol/push.h"

struct ctl_policy {
	const struct cfg_server *cfg;
	uint8_t *used;
	uint32_t size;
	uint32_t next;
	uint32_t first; // host order
};

static uint32_t host4(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

struct ctl_policy *ctl_policy_create(const struct cfg_server *cfg)
{
	struct ctl_policy *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->cfg = cfg;
	if (cfg->pool_first.family == AF_INET) {
		p->first = host4(cfg->pool_first.bytes);
		p->size = host4(cfg->pool_last.bytes) - p->first + 1;
		p->used = calloc(p->size, 1);
	}
	return p;
}

struct ctl_policy *ctl_policy_free(struct ctl_policy *p)
{
	if (p != NULL)
		free(p->used);
	free(p);
	return NULL;
}

int ctl_policy_grant(struct ctl_policy *p, const char *cn, const struct shm_addr *wanted,
	struct ctl_grant **ret_grant, const char **ret_text)
{
	struct ctl_grant *g = calloc(1, sizeof(*g));
	uint32_t addr;

	(void)cn;
	if (g == NULL)
		return -ENOMEM;
	for (uint32_t n = 0; n < p->size; n++) {
		uint32_t i = (p->next + n) % p->size;

		if (wanted->family == AF_INET)
			i = host4(wanted->bytes) - p->first;
		if (i >= p->size || p->used[i])
			continue;
		p->used[i] = 1;
		p->next = i + 1;
		addr = htonl(p->first + i);
		g->tunnel4.family = AF_INET;
		memcpy(g->tunnel4.bytes, &addr, 4);
		*ret_grant = g;
		return 0;
	}
	free(g);
	*ret_text = "no free address is left";
	return -ENOSPC;
}

struct ctl_grant *ctl_grant_free(struct ctl_policy *p, struct ctl_grant *g)
{
	if (g != NULL && g->tunnel4.family == AF_INET)
		p->used[host4(g->tunnel4.bytes) - p->first] = 0;
	free(g);
	return NULL;
}

struct ctl_push {
	const char *option[256];
	size_t count;
	char text[8192];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct ctl_push *push, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(push->text + push->used, sizeof(push->text) - push->used, fmt, ap);
	va_end(ap);
	if (n < 0 || push->count >= 256 || push->used + (size_t)n >= sizeof(push->text))
		return;
	push->option[push->count++] = push->text + push->used;
	push->used += (size_t)n + 1;
}

int ctl_policy_push(struct ctl_policy *p, const struct ctl_grant *grant,
	const struct ctl_push_facts *f, ctl_push_write_fn *wr, void *arg)
{
	static struct ctl_push p0, *push = &p0;
	struct ovpn_push_build build;
	char part[OVPN_PUSH_PART_MAX];
	size_t len;
	int rc;
	char a[64], m[64];
	struct cfg_addr mask = cfg_addr_netmask(&p->cfg->network);

	push->count = 0;
	push->used = 0;
	inet_ntop(AF_INET, p->cfg->address.bytes, a, sizeof(a));
	add(push, "route-gateway %s", a);
	add(push, "topology subnet");
	for (size_t i = 0; i < p->cfg->n_push; i++)
		add(push, "%s", p->cfg->push[i]);
	if (p->cfg->push_ping_s)
		add(push, "ping %u", p->cfg->push_ping_s);
	if (p->cfg->push_ping_restart_s)
		add(push, "ping-restart %u", p->cfg->push_ping_restart_s);
	inet_ntop(AF_INET, grant->tunnel4.bytes, a, sizeof(a));
	inet_ntop(AF_INET, mask.bytes, m, sizeof(m));
	add(push, "ifconfig %s %s", a, m);
	if (f->peer_id_set)
		add(push, "peer-id %u", f->peer_id);
	if (f->cipher != NULL)
		add(push, "cipher %s", f->cipher);
	if (f->cc_exit)
		add(push, "protocol-flags cc-exit%s%s", f->ekm ? " tls-ekm" : "",
			f->dynamic ? " dyn-tls-crypt" : "");
	else if (f->ekm)
		add(push, "key-derivation tls-ekm");
	if (f->tun_mtu)
		add(push, "tun-mtu %u", p->cfg->tun_mtu);
	if (f->mobility)
		add(push, "mobility 1");
	ovpn_push_build_init(&build, OVPN_PUSH_REPLY, push->option, push->count);
	while ((rc = ovpn_push_build_next(&build, part, sizeof(part), &len)) > 0)
		wr(arg, part, len);
	return rc;
}

void ctl_policy_reload(struct ctl_policy *policy, struct ovpn_tls_ctx *tls_ctx)
{
	(void)policy;
	(void)tls_ctx;
}
