// SPDX-License-Identifier: BSD-3-Clause
// Messages as the kernel sends them, to the lists that are kept of them.
#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "dataplane/neigh.h"
#include "dataplane/route.h"
#include "tests/gtc.h"

static char buf[1024];

static void put_addr(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	uint8_t bytes[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, bytes) == 1)
		mnl_attr_put(nlh, type, family == AF_INET ? 4 : 16, bytes);
}

static struct nlmsghdr *route(
	int family, const char *dst, uint8_t len, const char *gateway, uint32_t oif, uint32_t table)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(memset(buf, 0, sizeof(buf)));
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));

	nlh->nlmsg_type = RTM_NEWROUTE;
	rt->rtm_family = (unsigned char)family;
	rt->rtm_dst_len = len;
	rt->rtm_type = RTN_UNICAST;
	rt->rtm_table = (unsigned char)table;
	mnl_attr_put_u32(nlh, RTA_TABLE, table);
	if (dst != NULL)
		put_addr(nlh, RTA_DST, dst);
	if (gateway != NULL)
		put_addr(nlh, RTA_GATEWAY, gateway);
	if (oif != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, oif);
	return nlh;
}

GTC_TEST(netlink, routes_out_of_our_interfaces_are_kept)
{
	struct dp_routes all = { .ifindex = { 2, 5 } };

	GTC_EXPECT(dp_route_apply(&all, route(AF_INET, NULL, 0, "192.0.2.254", 2, 254)));
	GTC_EXPECT(dp_route_apply(&all, route(AF_INET, "10.0.0.0", 8, NULL, 5, 254)));
	GTC_EXPECT(dp_route_apply(&all, route(AF_INET6, "2001:db8::", 32, "fe80::1", 2, 254)));
	GTC_EXPECT(!dp_route_apply(&all, route(AF_INET, "10.0.0.0", 8, NULL, 3, 254)));
	GTC_EXPECT(!dp_route_apply(&all, route(AF_INET, "10.0.0.0", 8, NULL, 2, 77)));
	GTC_EXPECT(!dp_route_apply(&all, route(AF_INET, "10.0.0.0", 8, NULL, 0, 254)));
	GTC_ASSERT_INT(all.n, 3);
	GTC_EXPECT_INT(all.list[0].gateway.family, AF_INET);
	GTC_EXPECT_INT(all.list[0].gateway.bytes[3], 254);
	GTC_EXPECT_INT(all.list[1].gateway.family, 0);
	GTC_EXPECT_INT(all.list[1].prefix_len, 8);
	GTC_EXPECT_INT(all.list[2].dst.family, AF_INET6);
	dp_route_done(&all);
}

GTC_TEST(netlink, of_several_next_hops_the_first_that_is_ours)
{
	struct dp_routes all = { .ifindex = { 2, 5 } };
	struct nlmsghdr *nlh = route(AF_INET, "10.0.0.0", 8, NULL, 0, 254);
	struct nlattr *multipath = mnl_attr_nest_start(nlh, RTA_MULTIPATH);

	for (int i = 0; i < 3; i++) {
		static const char *const gateway[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3" };
		struct rtnexthop *nh = mnl_nlmsg_get_payload_tail(nlh);

		nh->rtnh_ifindex = 4 + i; // the second one is ours
		nlh->nlmsg_len += sizeof(*nh);
		put_addr(nlh, RTA_GATEWAY, gateway[i]);
		nh->rtnh_len =
			(unsigned short)((char *)mnl_nlmsg_get_payload_tail(nlh) - (char *)nh);
	}
	mnl_attr_nest_end(nlh, multipath);
	GTC_ASSERT(dp_route_apply(&all, nlh));
	GTC_EXPECT_INT(all.list[0].ifindex, 5);
	GTC_EXPECT_INT(all.list[0].gateway.bytes[3], 2);
	dp_route_done(&all);
}

GTC_TEST(netlink, malformed_routes_are_skipped)
{
	struct dp_routes all = { .ifindex = { 2, 5 } };
	struct nlmsghdr *nlh;
	uint8_t odd[3] = { 1, 2, 3 };

	nlh = route(AF_INET, NULL, 0, NULL, 2, 254);
	nlh->nlmsg_len = sizeof(*nlh) + 3;
	GTC_EXPECT(!dp_route_apply(&all, nlh));
	nlh = route(AF_INET, NULL, 8, NULL, 2, 254);
	mnl_attr_put(nlh, RTA_DST, sizeof(odd), odd);
	mnl_attr_put(nlh, RTA_GATEWAY, sizeof(odd), odd);
	GTC_EXPECT(dp_route_apply(&all, nlh));
	GTC_EXPECT_INT(all.list[0].gateway.family, 0);
	nlh = route(AF_INET, NULL, 0, NULL, 2, 254);
	nlh->nlmsg_type = RTM_DELROUTE;
	GTC_EXPECT(!dp_route_apply(&all, nlh));
	dp_route_done(&all);
}

static struct nlmsghdr *neighbour(
	uint16_t type, const char *addr, int ifindex, uint16_t state, const char *mac)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(memset(buf, 0, sizeof(buf)));
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));

	nlh->nlmsg_type = type;
	nd->ndm_family = strchr(addr, ':') != NULL ? AF_INET6 : AF_INET;
	nd->ndm_ifindex = ifindex;
	nd->ndm_state = state;
	put_addr(nlh, NDA_DST, addr);
	if (mac != NULL)
		mnl_attr_put(nlh, NDA_LLADDR, strlen(mac), mac);
	return nlh;
}

GTC_TEST(netlink, neighbours_come_change_and_go)
{
	struct dp_neighbours all = { 0 };
	const uint16_t new = RTM_NEWNEIGH;

	GTC_EXPECT(dp_neigh_apply(&all, neighbour(new, "192.0.2.1", 2, NUD_REACHABLE, "aaaaaa")));
	GTC_EXPECT(!dp_neigh_apply(&all, neighbour(new, "192.0.2.1", 2, NUD_REACHABLE, "aaaaaa")));
	GTC_EXPECT(dp_neigh_apply(&all, neighbour(new, "192.0.2.1", 3, NUD_STALE, "bbbbbb")));
	GTC_EXPECT(dp_neigh_apply(&all, neighbour(new, "fe80::1", 2, NUD_PERMANENT, "cccccc")));
	GTC_EXPECT_INT(all.n, 3);
	GTC_EXPECT(dp_neigh_apply(&all, neighbour(new, "192.0.2.1", 2, NUD_REACHABLE, "dddddd")));
	GTC_EXPECT_INT(all.list[0].mac[0], 'd');
	GTC_EXPECT(all.list[1].stale);
	// No answer, no address, or one that isn't a MAC address: not to be sent to.
	GTC_EXPECT(dp_neigh_apply(&all, neighbour(new, "192.0.2.1", 2, NUD_FAILED, NULL)));
	GTC_EXPECT(!dp_neigh_apply(&all, neighbour(new, "192.0.2.7", 2, NUD_INCOMPLETE, NULL)));
	GTC_EXPECT(!dp_neigh_apply(&all, neighbour(new, "192.0.2.8", 2, NUD_REACHABLE, "four")));
	GTC_EXPECT(dp_neigh_apply(
		&all, neighbour(RTM_DELNEIGH, "fe80::1", 2, NUD_PERMANENT, "cccccc")));
	GTC_EXPECT(!dp_neigh_apply(&all, neighbour(RTM_DELNEIGH, "fe80::9", 2, 0, NULL)));
	GTC_EXPECT_INT(all.n, 1);
	for (int i = 1; i < 100; i++)
		(void)dp_neigh_apply(
			&all, neighbour(new, "192.0.2.9", 100 + i, NUD_REACHABLE, "eeeeee"));
	GTC_EXPECT_INT(all.n, 100);
	dp_neigh_done(&all);
}
