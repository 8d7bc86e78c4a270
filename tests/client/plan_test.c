// SPDX-License-Identifier: BSD-3-Clause
// From pushed options to addresses, routes and rules.
#include "client/plan.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/client/profile.h"

#define IFINDEX 7
#define MARK 0x56530001u

static const struct vc_plan_env env = { .ifindex = IFINDEX,
	.table = 20000,
	.priority = 20000,
	.mark = MARK,
	.mask = 0xFFFF0000u,
	.server = { .family = AF_INET, .prefix = 32, .bytes = { 198, 51, 100, 1 } } };

// Apply options (NULL at the end) to an empty profile and make the plan.
static struct vc_plan *plan_of(const struct vc_plan_env *e, const char *const *options)
{
	struct vc_plan *plan = calloc(1, sizeof(*plan));
	struct cfg_client *cfg = profile("");
	struct cfg_pushed p = { 0 };
	struct cfg_error err = { 0 };

	if (plan == NULL || cfg == NULL)
		return plan;
	GTC_EXPECT_INT(cfg_pushed_init(&p, cfg), 0);
	for (; *options != NULL; options++)
		GTC_EXPECT_INT(cfg_pushed_apply(&p, cfg, *options, NULL), 0);
	GTC_EXPECT_INT(cfg_pushed_finish(&p, &err), 0);
	GTC_EXPECT_INT(vc_plan_build(&p, e, plan), 0);
	cfg_pushed_done(&p);
	(void)cfg_client_free(cfg);
	return plan;
}

static void expect_addr(const struct cfg_addr *got, const char *want)
{
	char text[CFG_ADDR_TEXT];

	GTC_EXPECT_STR(cfg_addr_text(got, true, text), want);
}

GTC_TEST(plan, subnet_without_routes)
{
	const char *options[] = { "topology subnet", "route-gateway 10.8.0.1",
		"ifconfig 10.8.0.2 255.255.255.0", "tun-mtu 1400", NULL };
	struct vc_plan *p = plan_of(&env, options);

	expect_addr(&p->local, "10.8.0.2/24");
	GTC_EXPECT_INT(p->peer.family, AF_UNSPEC);
	GTC_EXPECT_INT(p->mtu, 1400);
	GTC_EXPECT_INT(p->n_routes, 0);
	GTC_EXPECT_INT(p->n_rules, 0);
	free(p);
}

GTC_TEST(plan, net30)
{
	const char *options[] = { "ifconfig 10.8.0.6 10.8.0.5", "route 10.8.0.1", NULL };
	struct vc_plan *p = plan_of(&env, options);

	expect_addr(&p->local, "10.8.0.6/32");
	expect_addr(&p->peer, "10.8.0.5/32");
	GTC_EXPECT_INT(p->n_routes, 1);
	expect_addr(&p->routes[0].dst, "10.8.0.1/32");
	GTC_EXPECT_INT(p->routes[0].ifindex, IFINDEX);
	// Nothing in main can be longer than 32 bits, so one rule is enough.
	GTC_EXPECT_INT(p->n_rules, 1);
	GTC_EXPECT_INT(p->rules[0].table, env.table);
	GTC_EXPECT_INT(p->rules[0].suppress, -1);
	GTC_EXPECT(p->rules[0].invert);
	free(p);
}

GTC_TEST(plan, redirect_gateway)
{
	const char *options[] = { "topology subnet", "route-gateway 10.8.0.1",
		"ifconfig 10.8.0.2 255.255.255.0", "redirect-gateway def1", NULL };
	struct vc_plan *p = plan_of(&env, options);

	GTC_ASSERT_INT(p->n_routes, 1);
	expect_addr(&p->routes[0].dst, "0.0.0.0/0");
	GTC_EXPECT_INT(p->routes[0].type, RTN_UNICAST);
	GTC_ASSERT_INT(p->n_rules, 2);
	GTC_EXPECT_INT(p->rules[0].table, RT_TABLE_MAIN);
	GTC_EXPECT_INT(p->rules[0].suppress, 0);
	GTC_EXPECT_INT(p->rules[0].priority, 20000);
	GTC_EXPECT_INT(p->rules[1].table, 20000);
	GTC_EXPECT_INT(p->rules[1].mark, MARK);
	GTC_EXPECT(p->rules[1].invert);
	GTC_EXPECT_INT(p->rules[1].suppress, -1);
	GTC_EXPECT_INT(p->rules[1].priority, 20001);
	free(p);
}

// Longest prefix first, as if both tables were one.
GTC_TEST(plan, lengths_alternate)
{
	static const int want[][2] = { { RT_TABLE_MAIN, 16 }, { 20000, 15 }, { RT_TABLE_MAIN, 8 },
		{ 20000, 7 }, { RT_TABLE_MAIN, 0 }, { 20000, -1 } };
	const char *options[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"route-gateway 10.8.0.1", "route 10.0.0.0 255.0.0.0",
		"route 172.20.0.0 255.255.0.0", "route 11.0.0.0 255.0.0.0", "redirect-gateway def1",
		NULL };
	struct vc_plan *p = plan_of(&env, options);

	GTC_EXPECT_INT(p->n_routes, 4);
	GTC_ASSERT_INT(p->n_rules, 6);
	for (unsigned i = 0; i < 6; i++) {
		GTC_EXPECT_INT(p->rules[i].table, want[i][0]);
		GTC_EXPECT_INT(p->rules[i].suppress, want[i][1]);
	}
	free(p);
}

GTC_TEST(plan, past_the_tunnel)
{
	const char *options[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"route-gateway 10.8.0.1", "route 192.0.2.0 255.255.255.0 net_gateway",
		"route remote_host 255.255.255.255 net_gateway",
		"route 10.9.0.0 255.255.0.0 10.8.0.5", NULL };
	struct vc_plan *p = plan_of(&env, options);

	GTC_ASSERT_INT(p->n_routes, 3);
	GTC_EXPECT_INT(p->routes[0].type, RTN_THROW);
	GTC_EXPECT_INT(p->routes[0].ifindex, 0);
	expect_addr(&p->routes[1].dst, "198.51.100.1/32");
	GTC_EXPECT_INT(p->routes[1].type, RTN_THROW);
	GTC_EXPECT_INT(p->routes[2].type, RTN_UNICAST); // a gateway within the tunnel
	free(p);
}

GTC_TEST(plan, strict_reverse_path)
{
	const char *options[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"redirect-gateway def1", NULL };
	struct vc_plan_env strict = env;
	struct vc_plan *p;

	strict.strict = true;
	p = plan_of(&strict, options);
	GTC_ASSERT_INT(p->n_rules, 3);
	expect_addr(&p->rules[0].dst, "198.51.100.1/32");
	GTC_EXPECT_INT(p->rules[0].table, RT_TABLE_MAIN);
	GTC_EXPECT_INT(p->rules[0].suppress, -1);
	free(p);
}

GTC_TEST(plan, profile_keeps_its_own_routing)
{
	const char *options[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"redirect-gateway def1", "route 10.9.0.0 255.255.0.0", NULL };
	struct vc_plan_env bare = env;
	struct vc_plan *p;

	bare.no_routes = true;
	p = plan_of(&bare, options);
	GTC_EXPECT_INT(p->n_routes, 0);
	GTC_EXPECT_INT(p->n_rules, 0);
	expect_addr(&p->local, "10.8.0.2/24");
	free(p);
}

// A server can't fill the rules' room by pushing every prefix length.
GTC_TEST(plan, room_for_rules)
{
	static struct cfg_route routes[128];
	struct cfg_pushed pushed = { .tun_mtu = 1500 };
	struct vc_plan *p = calloc(1, sizeof(*p));

	GTC_ASSERT(p != NULL);
	GTC_ASSERT_INT(cfg_prefix_parse("10.8.0.2/24", &pushed.tunnel.ifconfig), 0);
	pushed.tunnel.topology = CFG_TOPOLOGY_SUBNET;
	pushed.tunnel.routes = routes;
	pushed.tunnel.n_routes = 128;
	for (unsigned i = 0; i < 128; i++) {
		routes[i].net.family = AF_INET6;
		routes[i].net.prefix = (uint8_t)(i + 1);
		routes[i].metric = -1;
	}
	GTC_EXPECT_INT(vc_plan_build(&pushed, &env, p), 0);
	GTC_EXPECT_INT(p->n_routes, 128);
	GTC_EXPECT(p->n_rules > 0 && p->n_rules <= VC_PLAN_RULES);
	for (size_t i = 0; i < p->n_rules; i++)
		GTC_EXPECT(p->rules[i].priority < env.priority + VC_PLAN_RULES);
	GTC_EXPECT_INT(p->rules[p->n_rules - 1].suppress, -1);
	free(p);
}

// block-local closes what is around us, but for the gateway; without a default route into the
// tunnel the network goes there by itself.
GTC_TEST(plan, block_local)
{
	const char *all[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"redirect-gateway def1 block-local", NULL };
	const char *some[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"route 10.9.0.0 255.255.0.0", "redirect-private block-local", NULL };
	struct vc_plan_env at = env;
	struct vc_plan *p;

	at.gateway =
		(struct cfg_addr){ .family = AF_INET, .prefix = 32, .bytes = { 192, 168, 1, 1 } };
	at.lan = (struct cfg_addr){ .family = AF_INET, .prefix = 24, .bytes = { 192, 168, 1, 0 } };
	p = plan_of(&at, all);
	GTC_ASSERT_INT(p->n_routes, 1);
	GTC_ASSERT_INT(p->n_rules, 2);
	expect_addr(&p->rules[0].dst, "192.168.1.1/32");
	GTC_EXPECT_INT(p->rules[0].table, RT_TABLE_MAIN);
	GTC_EXPECT_INT(p->rules[1].table, env.table);
	GTC_EXPECT_INT(p->rules[1].suppress, -1);
	free(p);
	p = plan_of(&at, some);
	GTC_ASSERT_INT(p->n_routes, 2);
	expect_addr(&p->routes[1].dst, "192.168.1.0/24");
	GTC_EXPECT_INT(p->routes[1].ifindex, IFINDEX);
	for (size_t i = 1; i < p->n_rules; i++)
		GTC_EXPECT_INT(p->rules[i].table, env.table); // nothing of main comes before
	free(p);
	at.gateway.family = at.lan.family = AF_UNSPEC; // the server is on the link
	p = plan_of(&at, some);
	GTC_EXPECT_INT(p->n_routes, 1);
	GTC_EXPECT_INT(p->n_rules, 1);
	free(p);
}

GTC_TEST(plan, equal)
{
	const char *one[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"route 10.9.0.0 255.255.0.0", NULL };
	const char *two[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0",
		"route 10.10.0.0 255.255.0.0", NULL };
	struct vc_plan *a = plan_of(&env, one), *b = plan_of(&env, one), *c = plan_of(&env, two);

	GTC_EXPECT(vc_plan_equal(a, b));
	GTC_EXPECT(!vc_plan_equal(a, c));
	GTC_EXPECT(!vc_plan_same_inside(a, c));
	b->rules[0].priority++;
	GTC_EXPECT(vc_plan_same_inside(a, b));
	GTC_EXPECT(!vc_plan_equal(a, b));
	free(a);
	free(b);
	free(c);
}

GTC_TEST(plan, ipv6)
{
	const char *options[] = { "topology subnet", "ifconfig 10.8.0.2 255.255.255.0", "tun-ipv6",
		"ifconfig-ipv6 fd00:8::1000/64 fd00:8::1", "route-ipv6 fd00:99::/48",
		"route-ipv6 fd01::/64 fd00:8::1 5", "route-ipv6 fd02::/64 2001:db8::1",
		"redirect-gateway ipv6 !ipv4", NULL };
	struct vc_plan *p = plan_of(&env, options);

	expect_addr(&p->local6, "fd00:8::1000/64");
	GTC_ASSERT_INT(p->n_routes, 4);
	expect_addr(&p->routes[0].dst, "fd00:99::/48");
	GTC_EXPECT_INT(p->routes[0].ifindex, IFINDEX);
	expect_addr(&p->routes[1].dst, "fd01::/64");
	GTC_EXPECT_INT(p->routes[1].metric, 5);
	GTC_EXPECT_INT(p->routes[2].type, RTN_THROW); // its gateway is outside
	expect_addr(&p->routes[3].dst, "::/0");
	GTC_EXPECT_INT(p->routes[3].ifindex, IFINDEX);
	for (size_t i = 0; i < p->n_rules; i++)
		GTC_EXPECT_INT(p->rules[i].family, AF_INET6);
	free(p);
}

// What can't go through the tunnel doesn't go past it.
GTC_TEST(plan, ipv6_blocked)
{
	const char *no_address[] = { "ifconfig 10.8.0.2 255.255.255.0",
		"redirect-gateway def1 ipv6", NULL };
	const char *blocked[] = { "ifconfig 10.8.0.2 255.255.255.0",
		"ifconfig-ipv6 fd00:8::2/64 fd00:8::1", "redirect-gateway def1 ipv6", "block-ipv6",
		NULL };
	const char *const *all[] = { no_address, blocked };

	for (unsigned i = 0; i < 2; i++) {
		struct vc_plan *p = plan_of(&env, all[i]);

		GTC_ASSERT_INT(p->n_routes, 2);
		expect_addr(&p->routes[1].dst, "::/0");
		GTC_EXPECT_INT(p->routes[1].type, RTN_UNREACHABLE);
		GTC_EXPECT_INT(p->routes[1].ifindex, 0);
		free(p);
	}
}
