// SPDX-License-Identifier: BSD-3-Clause
#include "client/plan.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static struct cfg_addr any_network(uint16_t family)
{
	return (struct cfg_addr){ .family = family, .prefix = 0 };
}

static void add_route(struct vc_plan *plan, const struct vc_plan_env *env,
	const struct cfg_addr *net, int32_t metric, bool past)
{
	struct vc_route *r;

	if (plan->n_routes == VC_PLAN_ROUTES) {
		plan->n_left_out++;
		return;
	}
	r = &plan->routes[plan->n_routes++];
	memset(r, 0, sizeof(*r));
	r->dst = cfg_addr_network(net);
	r->ifindex = past ? 0 : env->ifindex;
	r->table = env->table;
	r->metric = metric > 0 ? (uint32_t)metric : 0;
	r->type = past ? RTN_THROW : RTN_UNICAST;
}

// Does this gateway lie in the tunnel? Any other one belongs to the network outside.
static bool gateway_inside(const struct cfg_tunnel *t, const struct cfg_addr *gw)
{
	const struct cfg_addr *net = gw->family == AF_INET6 ? &t->ifconfig6 : &t->ifconfig;
	const struct cfg_addr *peer =
		gw->family == AF_INET6 ? &t->ifconfig6_peer : &t->ifconfig_peer;
	const struct cfg_addr *given =
		gw->family == AF_INET6 ? &t->route_gateway6 : &t->route_gateway;

	return gw->family == AF_UNSPEC || cfg_addr_equal(gw, peer) || cfg_addr_equal(gw, given) ||
		(net->family == gw->family && cfg_addr_within(gw, net));
}

// One `route` line.
static void plan_route(struct vc_plan *plan, const struct vc_plan_env *env,
	const struct cfg_tunnel *t, const struct cfg_route *r)
{
	struct cfg_addr net = r->net;
	bool past = !gateway_inside(t, &r->gateway);
	int32_t metric = r->metric >= 0 ? r->metric : t->route_metric;

	if (r->gateway_name != NULL)
		past = strcmp(r->gateway_name, "vpn_gateway") != 0;
	if (r->name != NULL) {
		if (strcmp(r->name, "remote_host") == 0)
			net = env->server;
		else if (strcmp(r->name, "vpn_gateway") == 0)
			net = t->route_gateway.family != AF_UNSPEC ? t->route_gateway
								   : t->ifconfig_peer;
		if (net.family != AF_UNSPEC && r->name_prefix < cfg_addr_bits(&net))
			net.prefix = r->name_prefix;
	}
	if (net.family == AF_UNSPEC) {
		plan->n_left_out++;
		return;
	}
	add_route(plan, env, &net, metric, past);
}

// Packets to this network are answered with "no route" by our own kernel.
static void add_unreachable(
	struct vc_plan *plan, const struct vc_plan_env *env, const struct cfg_addr *net)
{
	size_t before = plan->n_routes;

	add_route(plan, env, net, 0, false);
	if (plan->n_routes == before)
		return;
	plan->routes[before].ifindex = 0;
	plan->routes[before].type = RTN_UNREACHABLE;
}

static void plan_redirect(
	struct vc_plan *plan, const struct vc_plan_env *env, const struct cfg_tunnel *t)
{
	bool six = (t->redirect & (CFG_REDIRECT_GATEWAY | CFG_REDIRECT_IPV6)) ==
		(CFG_REDIRECT_GATEWAY | CFG_REDIRECT_IPV6);
	struct cfg_addr net;

	if ((t->redirect & CFG_REDIRECT_GATEWAY) != 0 &&
		(t->redirect & CFG_REDIRECT_NO_IPV4) == 0) {
		net = any_network(AF_INET);
		add_route(plan, env, &net, 0, false);
	}
	if (!six && !t->block_ipv6)
		return;
	net = any_network(AF_INET6);
	// Without an address in the tunnel nothing can go through it, and nothing may go past it.
	if (t->block_ipv6 || t->ifconfig6.family == AF_UNSPEC)
		add_unreachable(plan, env, &net);
	else
		add_route(plan, env, &net, 0, false);
}

// block-local without a default route: the network around us goes into the tunnel by itself.
static void plan_lan(struct vc_plan *plan, const struct vc_plan_env *env)
{
	for (size_t i = 0; i < plan->n_routes; i++) {
		if (plan->routes[i].dst.family == AF_INET && plan->routes[i].dst.prefix == 0)
			return;
	}
	if (env->lan.family == AF_INET)
		add_route(plan, env, &env->lan, 0, false);
}

static void add_rule(struct vc_plan *plan, const struct vc_rule *rule, uint32_t *priority)
{
	plan->rules[plan->n_rules] = *rule;
	plan->rules[plan->n_rules++].priority = (*priority)++;
}

// The rules of one family, longest prefixes first.
static void plan_rules(
	struct vc_plan *plan, const struct vc_plan_env *env, uint16_t family, bool block_local)
{
	struct vc_rule main_rule = { .family = family, .table = RT_TABLE_MAIN };
	struct vc_rule ours = { .family = family,
		.table = env->table,
		.mark = env->mark,
		.mask = env->mask,
		.invert = true,
		.suppress = -1 };
	unsigned bits = family == AF_INET6 ? 128 : 32;
	bool present[129] = { false };
	int shortest = -1;
	uint32_t priority = env->priority;

	for (size_t i = plan->n_routes; i-- > 0;) {
		const struct cfg_addr *dst = &plan->routes[i].dst;

		if (dst->family == family) {
			present[dst->prefix] = true;
			if (shortest < 0 || dst->prefix < shortest)
				shortest = dst->prefix;
		}
	}
	if (shortest < 0)
		return;
	if (env->strict && (env->server.family == family || env->other.family == family)) {
		// The reverse-path check of arriving datagrams knows no mark.
		struct vc_rule to = { .family = family,
			.table = RT_TABLE_MAIN,
			.suppress = -1,
			.dst = env->server.family == family ? env->server : env->other };

		add_rule(plan, &to, &priority);
	}
	if (block_local && env->gateway.family == family) {
		// Of the networks that block-local closes this one address stays open.
		struct vc_rule to = { .family = family,
			.table = RT_TABLE_MAIN,
			.suppress = -1,
			.dst = env->gateway };

		add_rule(plan, &to, &priority);
	}
	for (int len = (int)bits; len >= shortest; len--) {
		if (!present[len])
			continue;
		// Too many lengths for the room between two instances: the rest goes as one.
		if (priority - env->priority > VC_PLAN_RULES - 4)
			len = shortest;
		if (!block_local && len < (int)bits) {
			main_rule.suppress = len;
			add_rule(plan, &main_rule, &priority);
		}
		ours.suppress = len == shortest ? -1 : len - 1;
		add_rule(plan, &ours, &priority);
	}
}

int vc_plan_build(
	const struct cfg_pushed *pushed, const struct vc_plan_env *env, struct vc_plan *ret_plan)
{
	const struct cfg_tunnel *t = &pushed->tunnel;
	struct vc_plan *plan = ret_plan;
	bool block_local = (t->redirect & CFG_REDIRECT_BLOCK_LOCAL) != 0;

	memset(plan, 0, sizeof(*plan));
	if (t->ifconfig.family == AF_UNSPEC && t->ifconfig6.family == AF_UNSPEC)
		return -EINVAL;
	plan->mtu = pushed->tun_mtu;
	if (!env->no_address) {
		plan->local = t->ifconfig;
		if (t->topology != CFG_TOPOLOGY_SUBNET) {
			plan->local.prefix = (uint8_t)cfg_addr_bits(&plan->local);
			plan->peer = t->ifconfig_peer;
		}
		plan->local6 = t->ifconfig6;
	}
	if (env->no_routes)
		return 0;
	for (size_t i = 0; i < t->n_routes; i++)
		plan_route(plan, env, t, &t->routes[i]);
	plan_redirect(plan, env, t);
	if (block_local)
		plan_lan(plan, env);
	plan_rules(plan, env, AF_INET, block_local);
	plan_rules(plan, env, AF_INET6, block_local);
	return 0;
}

static bool route_equal(const struct vc_route *a, const struct vc_route *b)
{
	return cfg_addr_equal(&a->dst, &b->dst) && a->dst.prefix == b->dst.prefix &&
		a->metric == b->metric && a->ifindex == b->ifindex && a->type == b->type;
}

static bool rule_equal(const struct vc_rule *a, const struct vc_rule *b)
{
	return a->family == b->family && a->priority == b->priority && a->table == b->table &&
		a->mark == b->mark && a->mask == b->mask && a->invert == b->invert &&
		a->suppress == b->suppress && cfg_addr_equal(&a->dst, &b->dst);
}

static bool addr_equal(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a->family == b->family && a->prefix == b->prefix && cfg_addr_equal(a, b);
}

bool vc_plan_same_inside(const struct vc_plan *a, const struct vc_plan *b)
{
	if (a->mtu != b->mtu || a->n_routes != b->n_routes)
		return false;
	if (!addr_equal(&a->local, &b->local) || !addr_equal(&a->peer, &b->peer) ||
		!addr_equal(&a->local6, &b->local6) || !addr_equal(&a->peer6, &b->peer6))
		return false;
	for (size_t i = 0; i < a->n_routes; i++) {
		if (!route_equal(&a->routes[i], &b->routes[i]))
			return false;
	}
	return true;
}

bool vc_plan_equal(const struct vc_plan *a, const struct vc_plan *b)
{
	if (a->n_rules != b->n_rules || !vc_plan_same_inside(a, b))
		return false;
	for (size_t i = 0; i < a->n_rules; i++) {
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	}
	return true;
}

bool vc_plan_has_rule(const struct vc_plan *plan, const struct vc_rule *rule)
{
	for (size_t i = 0; i < plan->n_rules; i++) {
		if (rule_equal(&plan->rules[i], rule))
			return true;
	}
	return false;
}
