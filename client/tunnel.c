// SPDX-License-Identifier: BSD-3-Clause
#include "client/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/apply.h"
#include "client/client.h"
#include "client/event.h"
#include "client/inner.h"
#include "client/log.h"

// How long packets may wait in the device while there is no path; longer and they are stale.
#define VC_PAUSE_MAX_MS 3000

int vc_tunnel_init(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;

	t->tun.fd = -1;
	t->plan = calloc(1, sizeof(*t->plan));
	t->next = calloc(1, sizeof(*t->next));
	return t->plan != NULL && t->next != NULL ? 0 : -ENOMEM;
}

// Does the kernel check reverse paths strictly on this link? The larger of two settings counts.
static bool strict_rp_filter(const char *link)
{
	const char *names[] = { "all", link };
	int highest = 0;

	for (unsigned i = 0; i < 2; i++) {
		char path[96], digit = '0';
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, &digit, 1) == 1 && digit - '0' > highest)
			highest = digit - '0';
		close(fd);
	}
	return highest == 1;
}

// The IPv4 network that a path's source address lies in, or AF_UNSPEC.
static struct cfg_addr network_of(const struct vc_path *path)
{
	struct cfg_addr net = { .family = AF_UNSPEC };
	struct ifaddrs *list = NULL;

	if (path->source.family != AF_INET || getifaddrs(&list) < 0)
		return net;
	for (struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		const struct sockaddr_in *at = (const void *)i->ifa_addr;
		const struct sockaddr_in *mask = (const void *)i->ifa_netmask;

		if (at == NULL || mask == NULL || at->sin_family != AF_INET ||
			memcmp(&at->sin_addr, path->source.bytes, 4) != 0)
			continue;
		net = path->source;
		net.prefix = (uint8_t)__builtin_popcount(mask->sin_addr.s_addr);
		net = cfg_addr_network(&net);
	}
	freeifaddrs(list);
	return net;
}

static void fill_env(struct vc_client *c, struct vc_plan_env *env)
{
	char name[IF_NAMESIZE];

	memset(env, 0, sizeof(*env));
	env->ifindex = c->tunnel.tun.ifindex;
	env->table = c->instance.table;
	env->priority = c->instance.priority;
	env->mark = c->instance.mark;
	env->mask = c->instance.mask;
	env->server = c->watch.server;
	env->other = c->watch.other;
	env->no_routes = c->cfg->route_noexec;
	env->no_address = c->cfg->ifconfig_noexec;
	if (c->link.cur == NULL)
		return;
	env->gateway = c->link.cur->path.gateway;
	if ((c->session.pushed.tunnel.redirect & CFG_REDIRECT_BLOCK_LOCAL) != 0)
		env->lan = network_of(&c->link.cur->path);
	// A path that is only tried must hear answers as well.
	for (const struct vc_sock *s = c->link.socks; s != NULL && !env->strict; s = s->next) {
		if (if_indextoname((unsigned)s->path.ifindex, name) != NULL)
			env->strict = strict_rp_filter(name);
	}
}

static int open_device(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;
	int rc = vc_tun_open(&t->tun, c->cfg->dev);

	if (rc < 0) {
		vc_log(VC_ERROR, "can't make the tunnel device %s: %s", c->cfg->dev,
			rc == -EBUSY	       ? "the name is in use"
				: rc == -EPERM ? "CAP_NET_ADMIN is needed (root)"
					       : strerror(-rc));
		return rc;
	}
	vc_watch_tun(&c->watch, t->tun.ifindex);
	vc_engine_device(c->engine, &t->tun);
	vc_log(VC_DETAIL, "device %s takes large packets of %s", t->tun.name,
		t->tun.uso	     ? "TCP and UDP"
			: t->tun.tso ? "TCP"
				     : "no kind");
	return 0;
}

static void set_dns(struct vc_client *c)
{
	const struct cfg_tunnel *tunnel = &c->session.pushed.tunnel;
	struct vc_dns_set set;
	int rc;

	vc_dns_collect(tunnel, &set);
	if (set.n_servers == 0) {
		vc_dns_undo(&c->tunnel.dns); // a reconnection may take them away
		return;
	}
	rc = vc_dns_apply(&c->tunnel.dns, &c->loop, &set, c->tunnel.tun.ifindex,
		(tunnel->redirect & CFG_REDIRECT_GATEWAY) != 0, c->instance.dns_path);
	if (rc < 0)
		vc_log(VC_WARN, "the pushed name servers can't be used: %s", strerror(-rc));
}

// MSS that fits datagrams of a family.
static unsigned mss_for(struct vc_client *c, uint32_t mtu, uint16_t family)
{
	return vc_mss(
		&c->cfg->remotes[c->connect.remote], mtu, c->session.overhead, family == AF_INET6);
}

void vc_tunnel_resize(struct vc_client *c, uint16_t family)
{
	struct vc_tunnel *t = &c->tunnel;

	if (t->applied)
		vc_engine_inner(c->engine, true, mss_for(c, t->plan->mtu, family));
}

// Put the plan that lies in t->next in the place of what is there. Returns 0 or -errno.
static int take_plan(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;
	struct vc_plan *swap = t->plan;
	int rc;

	if (t->applied)
		rc = vc_apply_change(&c->nl, t->tun.ifindex, t->plan, t->next);
	else
		rc = vc_apply(&c->nl, t->tun.ifindex, t->next);
	t->plan = t->next;
	t->next = swap;
	t->applied = rc == 0;
	return rc;
}

void vc_tunnel_path(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;
	struct vc_plan_env env;

	if (!t->applied || c->phase != VC_PHASE_UP || c->link.cur == NULL)
		return;
	fill_env(c, &env);
	if (vc_plan_build(&c->session.pushed, &env, t->next) < 0 || vc_plan_equal(t->plan, t->next))
		return;
	if (take_plan(c) < 0)
		vc_client_fatal(c, "the tunnel can't be set up on the new path");
}

int vc_tunnel_up(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;
	struct vc_plan_env env;
	unsigned mss;
	int rc = 0;

	if (t->tun.fd < 0)
		rc = open_device(c);
	if (rc < 0)
		return rc;
	fill_env(c, &env);
	rc = vc_plan_build(&c->session.pushed, &env, t->next);
	if (rc < 0)
		return rc;
	mss = mss_for(c, t->next->mtu, c->watch.server.family);
	if (t->applied)
		vc_engine_inner(c->engine, true, mss);
	if (!t->applied || !vc_plan_equal(t->plan, t->next)) {
		rc = take_plan(c);
		vc_engine_inner(c->engine, t->applied, mss);
		if (rc < 0)
			return rc;
		if (t->plan->n_left_out > 0)
			vc_log(VC_WARN, "%zu pushed routes were not understood",
				t->plan->n_left_out);
	}
	set_dns(c);
	vc_tunnel_resume(c);
	return 0;
}

void vc_tunnel_down(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;

	vc_dns_undo(&t->dns);
	if (t->applied)
		vc_apply_undo(&c->nl, t->tun.ifindex, t->plan);
	t->applied = false;
	t->reading = false;
	if (c->engine != NULL && t->tun.fd >= 0) {
		vc_engine_device(c->engine, NULL);
		vc_engine_settle(c->engine);
	}
	vc_tun_close(&t->tun);
	free(t->plan);
	free(t->next);
	t->plan = NULL;
	t->next = NULL;
}

void vc_tunnel_pause(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;

	if (!t->reading)
		return;
	t->reading = false;
	t->paused_ms = vc_now_ms();
	vc_engine_read(c->engine, false);
}

void vc_tunnel_resume(struct vc_client *c)
{
	struct vc_tunnel *t = &c->tunnel;

	t->paused_ms = 0;
	if (t->reading || t->tun.fd < 0)
		return;
	t->reading = true;
	vc_engine_read(c->engine, true);
}

void vc_tunnel_tick(struct vc_client *c, uint64_t now_ms)
{
	struct vc_tunnel *t = &c->tunnel;

	if (t->reading || t->paused_ms == 0 || now_ms - t->paused_ms < VC_PAUSE_MAX_MS)
		return;
	vc_tunnel_resume(c); // without a path the packets are dropped there
}
