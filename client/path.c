// SPDX-License-Identifier: BSD-3-Clause
#include "client/path.h"

#include <net/if.h> // before <linux/if.h>, which then leaves out what both define

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

// Attributes of one message by type, NULL where absent. Types above max are passed over.
static int attributes(
	const struct nlmsghdr *nlh, size_t header, const struct nlattr **tb, unsigned max)
{
	const struct nlattr *attr;

	memset(tb, 0, sizeof(*tb) * (max + 1));
	if (mnl_nlmsg_get_payload_len(nlh) < header)
		return -EBADMSG;
	mnl_attr_for_each(attr, nlh, header)
	{
		unsigned type = mnl_attr_get_type(attr);

		if (type <= max)
			tb[type] = attr;
	}
	return 0;
}

// An attribute as an address of the family; false when it is absent or has another length.
static bool get_addr(const struct nlattr *attr, uint16_t family, struct cfg_addr *ret_addr)
{
	unsigned len = family == AF_INET ? 4 : 16;

	if (attr == NULL || mnl_attr_get_payload_len(attr) != len)
		return false;
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = family;
	ret_addr->prefix = (uint8_t)(len * 8);
	memcpy(ret_addr->bytes, mnl_attr_get_payload(attr), len);
	return true;
}

static bool get_u32(const struct nlattr *attr, uint32_t *ret_value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
		return false;
	*ret_value = mnl_attr_get_u32(attr);
	return true;
}

// RTA_VIA: a gateway of another family than the route's (IPv4 over an IPv6 next hop).
static bool get_via(const struct nlattr *attr, struct cfg_addr *ret_addr)
{
	const struct rtvia *via;
	unsigned len;

	if (attr == NULL || mnl_attr_get_payload_len(attr) < sizeof(*via))
		return false;
	via = mnl_attr_get_payload(attr);
	len = mnl_attr_get_payload_len(attr) - sizeof(*via);
	if (via->rtvia_family != AF_INET6 || len != 16)
		return false;
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = AF_INET6;
	ret_addr->prefix = 128;
	memcpy(ret_addr->bytes, via->rtvia_addr, 16);
	return true;
}

int vc_path_from_route(const struct nlmsghdr *nlh, int tun_ifindex, struct vc_path *ret_path)
{
	const struct nlattr *tb[RTA_MAX + 1];
	struct vc_path path = { 0 };
	const struct rtmsg *rtm;
	uint32_t oif;

	if (nlh->nlmsg_type != RTM_NEWROUTE || attributes(nlh, sizeof(*rtm), tb, RTA_MAX) < 0)
		return -EBADMSG;
	rtm = mnl_nlmsg_get_payload(nlh);
	if (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6)
		return -EBADMSG;
	if (rtm->rtm_type != RTN_UNICAST && rtm->rtm_type != RTN_LOCAL)
		return -ENETUNREACH;
	if (!get_u32(tb[RTA_OIF], &oif) || oif == 0 || oif > INT32_MAX)
		return -ENETUNREACH;
	if (tun_ifindex != 0 && (int)oif == tun_ifindex)
		return -ENETUNREACH;
	path.family = rtm->rtm_family;
	path.ifindex = (int)oif;
	if (!get_addr(tb[RTA_GATEWAY], rtm->rtm_family, &path.gateway))
		(void)get_via(tb[RTA_VIA], &path.gateway); // neither: the server is on the link
	// The kernel doesn't choose a source when the question named one: that comes back instead.
	if (!get_addr(tb[RTA_PREFSRC], rtm->rtm_family, &path.source) &&
		!get_addr(tb[RTA_SRC], rtm->rtm_family, &path.source))
		return -ENETUNREACH; // no address to send from yet
	*ret_path = path;
	return 0;
}

// RTM_NEWLINK, RTM_DELLINK.
static unsigned hint_link(struct vc_path_state *st, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi;
	bool alive;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return 0;
	ifi = mnl_nlmsg_get_payload(nlh);
	if (ifi->ifi_index == st->tun_ifindex)
		return 0;
	alive = nlh->nlmsg_type == RTM_NEWLINK && (ifi->ifi_flags & IFF_UP) != 0 &&
		(ifi->ifi_flags & IFF_LOWER_UP) != 0 && (ifi->ifi_flags & IFF_DORMANT) == 0;
	if (st->path.family == AF_UNSPEC || ifi->ifi_index != st->path.ifindex || alive)
		return VC_HINT_ASK;
	if (st->path.generation == st->generation)
		st->generation++;
	return VC_HINT_ASK | VC_HINT_BROKEN;
}

// RTM_NEWADDR, RTM_DELADDR.
static unsigned hint_addr(struct vc_path_state *st, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[IFA_MAX + 1];
	const struct ifaddrmsg *ifa;
	struct cfg_addr addr;

	if (attributes(nlh, sizeof(*ifa), tb, IFA_MAX) < 0)
		return 0;
	ifa = mnl_nlmsg_get_payload(nlh);
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return 0;
	if ((int)ifa->ifa_index == st->tun_ifindex)
		return 0;
	if (!get_addr(tb[IFA_LOCAL], ifa->ifa_family, &addr) &&
		!get_addr(tb[IFA_ADDRESS], ifa->ifa_family, &addr))
		return 0;
	if (nlh->nlmsg_type == RTM_DELADDR && cfg_addr_equal(&addr, &st->path.source)) {
		if (st->path.generation == st->generation)
			st->generation++;
		return VC_HINT_ASK | VC_HINT_BROKEN;
	}
	return VC_HINT_ASK;
}

// RTM_NEWROUTE, RTM_DELROUTE. Our own routes lead into the tunnel and mean nothing here.
static unsigned hint_route(const struct vc_path_state *st, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[RTA_MAX + 1];
	uint32_t oif;

	if (attributes(nlh, sizeof(struct rtmsg), tb, RTA_MAX) < 0)
		return 0;
	if (st->tun_ifindex != 0 && get_u32(tb[RTA_OIF], &oif) && (int)oif == st->tun_ifindex)
		return 0;
	return VC_HINT_ASK;
}

// RTM_NEWNEIGH: only the gateway's address matters, and only when it differs from the known one.
static unsigned hint_neigh(const struct vc_path_state *st, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[NDA_MAX + 1];
	const struct ndmsg *ndm;
	struct cfg_addr addr;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || attributes(nlh, sizeof(*ndm), tb, NDA_MAX) < 0)
		return 0;
	ndm = mnl_nlmsg_get_payload(nlh);
	if (st->path.gateway.family == AF_UNSPEC || ndm->ndm_ifindex != st->path.ifindex ||
		ndm->ndm_family != st->path.gateway.family)
		return 0;
	if (!get_addr(tb[NDA_DST], ndm->ndm_family, &addr) ||
		!cfg_addr_equal(&addr, &st->path.gateway))
		return 0;
	if ((ndm->ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PERMANENT)) == 0)
		return 0;
	if (tb[NDA_LLADDR] == NULL || mnl_attr_get_payload_len(tb[NDA_LLADDR]) != VC_MAC_LEN)
		return 0;
	if (st->path.mac_known &&
		memcmp(mnl_attr_get_payload(tb[NDA_LLADDR]), st->path.mac, VC_MAC_LEN) == 0)
		return 0;
	return VC_HINT_MAC;
}

unsigned vc_path_hint(struct vc_path_state *st, const struct nlmsghdr *nlh)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: return hint_link(st, nlh);
	case RTM_NEWADDR:
	case RTM_DELADDR: return hint_addr(st, nlh);
	case RTM_NEWROUTE:
	case RTM_DELROUTE: return hint_route(st, nlh);
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP: return VC_HINT_ASK;
	case RTM_NEWNEIGH: return hint_neigh(st, nlh);
	default: return 0;
	}
}

enum vc_path_verdict vc_path_judge(const struct vc_path *cur, const struct vc_path *now)
{
	if (now->family == AF_UNSPEC)
		return VC_PATH_LOST;
	if (cur->family != now->family || cur->ifindex != now->ifindex ||
		cur->generation != now->generation)
		return VC_PATH_MOVED;
	if (cur->gateway.family != now->gateway.family ||
		!cfg_addr_equal(&cur->gateway, &now->gateway) ||
		!cfg_addr_equal(&cur->source, &now->source))
		return VC_PATH_MOVED;
	// A neighbour that isn't resolved yet says nothing; only two known addresses can differ.
	if (cur->mac_known && now->mac_known && memcmp(cur->mac, now->mac, VC_MAC_LEN) != 0)
		return VC_PATH_MOVED;
	return VC_PATH_SAME;
}

const char *vc_path_text(const struct vc_path *path, char *buf)
{
	char source[CFG_ADDR_TEXT], gateway[CFG_ADDR_TEXT], name[IF_NAMESIZE];
	int n;

	if (path->family == AF_UNSPEC) {
		snprintf(buf, VC_PATH_TEXT, "none");
		return buf;
	}
	if (if_indextoname((unsigned)path->ifindex, name) == NULL)
		snprintf(name, sizeof(name), "if%d", path->ifindex);
	n = snprintf(buf, VC_PATH_TEXT, "%s %s", name, cfg_addr_text(&path->source, false, source));
	if (path->gateway.family != AF_UNSPEC && n > 0 && n < VC_PATH_TEXT)
		snprintf(buf + n, (size_t)(VC_PATH_TEXT - n), " via %s",
			cfg_addr_text(&path->gateway, false, gateway));
	return buf;
}
