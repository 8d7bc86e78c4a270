// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/route.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

struct parsed {
	const struct dp_routes *all;
	struct dp_route route;
	uint32_t table;
	bool ours; // a next hop leads out of one of our interfaces
};

static size_t bytes_of(uint16_t family)
{
	return family == AF_INET ? 4 : 16;
}

static bool is_ours(const struct dp_routes *all, uint32_t ifindex)
{
	return ifindex != 0 && (ifindex == all->ifindex[0] || ifindex == all->ifindex[1]);
}

static void copy_addr(struct shm_addr *a, uint16_t family, const struct nlattr *attr)
{
	size_t bytes = bytes_of(family);

	if (mnl_attr_get_payload_len(attr) != bytes)
		return;
	a->family = family;
	memcpy(a->bytes, mnl_attr_get_payload(attr), bytes);
}

// RTA_VIA: a gateway of the other family (IPv4 routes by IPv6 next hops).
static void copy_via(struct shm_addr *a, const struct nlattr *attr)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	uint16_t len = mnl_attr_get_payload_len(attr);

	if (len < sizeof(*via) || len - sizeof(*via) != bytes_of(via->rtvia_family))
		return;
	a->family = via->rtvia_family;
	memcpy(a->bytes, via->rtvia_addr, bytes_of(via->rtvia_family));
}

// Of several next hops the first that is ours is used: which one a flow takes is the kernel's
// affair for its own packets only.
static void multipath(struct parsed *p, const struct nlattr *attr)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(attr);
	int len = mnl_attr_get_payload_len(attr);

	// RTNH_OK reads the length before it asks whether there is one.
	for (; len >= (int)sizeof(*nh) && RTNH_OK(nh, len) && !p->ours;
		len -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh)) {
		const struct nlattr *a = (const struct nlattr *)RTNH_DATA(nh);
		int left = nh->rtnh_len - (int)sizeof(*nh);

		if (!is_ours(p->all, (uint32_t)nh->rtnh_ifindex))
			continue;
		p->ours = true;
		p->route.ifindex = (uint32_t)nh->rtnh_ifindex;
		for (; mnl_attr_ok(a, left); left -= MNL_ALIGN(a->nla_len), a = mnl_attr_next(a)) {
			if (mnl_attr_get_type(a) == RTA_GATEWAY)
				copy_addr(&p->route.gateway, p->route.dst.family, a);
		}
	}
}

static int attribute(const struct nlattr *attr, void *arg)
{
	struct parsed *p = arg;
	uint16_t len = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case RTA_DST: copy_addr(&p->route.dst, p->route.dst.family, attr); break;
	case RTA_GATEWAY: copy_addr(&p->route.gateway, p->route.dst.family, attr); break;
	case RTA_VIA: copy_via(&p->route.gateway, attr); break;
	case RTA_MULTIPATH: multipath(p, attr); break;
	case RTA_OIF:
		if (len == 4)
			p->route.ifindex = mnl_attr_get_u32(attr);
		p->ours = is_ours(p->all, p->route.ifindex);
		break;
	case RTA_PRIORITY:
		if (len == 4)
			p->route.metric = mnl_attr_get_u32(attr);
		break;
	case RTA_TABLE:
		if (len == 4)
			p->table = mnl_attr_get_u32(attr);
		break;
	default: break;
	}
	return MNL_CB_OK;
}

static bool append(struct dp_routes *all, const struct dp_route *r)
{
	if (all->n == all->cap) {
		unsigned cap = all->cap == 0 ? 64 : all->cap * 2;
		void *list = realloc(all->list, cap * sizeof(all->list[0]));

		if (list == NULL)
			return false; // packets that need it are dropped by name
		all->list = list;
		all->cap = cap;
	}
	all->list[all->n++] = *r;
	return true;
}

bool dp_route_apply(struct dp_routes *all, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);
	struct parsed p = { .all = all };

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rt))
		return false;
	if ((rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6) ||
		rt->rtm_type != RTN_UNICAST || (rt->rtm_flags & RTM_F_CLONED) != 0)
		return false;
	p.route.dst.family = rt->rtm_family;
	p.route.prefix_len = rt->rtm_dst_len;
	p.table = rt->rtm_table;
	if (mnl_attr_parse(nlh, sizeof(*rt), attribute, &p) < 0)
		return false;
	return p.ours && p.table == RT_TABLE_MAIN && append(all, &p.route);
}

void dp_route_clear(struct dp_routes *all)
{
	all->n = 0;
}

void dp_route_done(struct dp_routes *all)
{
	free(all->list);
	all->list = NULL;
	all->n = all->cap = 0;
}
