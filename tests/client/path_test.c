// SPDX-License-Identifier: BSD-3-Clause
// The decision whether the path to the server changed, on constructed netlink messages.
#include "client/path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "tests/gtc.h"

#define WLAN 3
#define LTE 4
#define TUN 9

static const uint8_t mac_a[VC_MAC_LEN] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t mac_b[VC_MAC_LEN] = { 2, 0, 0, 0, 0, 0xb };

static char buf[1024];

static struct cfg_addr addr(const char *text)
{
	struct cfg_addr a = { 0 };

	GTC_EXPECT_INT(cfg_addr_parse(text, &a), 0);
	return a;
}

static void put(struct nlmsghdr *nlh, uint16_t type, const char *text)
{
	struct cfg_addr a = addr(text);

	mnl_attr_put(nlh, type, cfg_addr_bits(&a) / 8, a.bytes);
}

static struct nlmsghdr *head(uint16_t type, size_t len, void *ret_header)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	*(void **)ret_header = mnl_nlmsg_put_extra_header(nlh, len);
	return nlh;
}

static struct nlmsghdr *route(uint8_t rtype, int oif, const char *gateway, const char *source)
{
	struct rtmsg *rtm;
	struct nlmsghdr *nlh = head(RTM_NEWROUTE, sizeof(*rtm), &rtm);

	rtm->rtm_family = AF_INET;
	rtm->rtm_type = rtype;
	if (oif != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)oif);
	if (gateway != NULL)
		put(nlh, RTA_GATEWAY, gateway);
	if (source != NULL)
		put(nlh, RTA_PREFSRC, source);
	return nlh;
}

static struct nlmsghdr *link_event(uint16_t type, int ifindex, unsigned flags)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh = head(type, sizeof(*ifi), &ifi);

	ifi->ifi_index = ifindex;
	ifi->ifi_flags = flags;
	return nlh;
}

static struct nlmsghdr *addr_event(uint16_t type, int ifindex, const char *local)
{
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh = head(type, sizeof(*ifa), &ifa);

	ifa->ifa_family = AF_INET;
	ifa->ifa_index = (unsigned)ifindex;
	put(nlh, IFA_LOCAL, local);
	return nlh;
}

static struct nlmsghdr *neigh_event(
	int ifindex, const char *dst, uint16_t state, const uint8_t *mac)
{
	struct ndmsg *ndm;
	struct nlmsghdr *nlh = head(RTM_NEWNEIGH, sizeof(*ndm), &ndm);

	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = ifindex;
	ndm->ndm_state = state;
	put(nlh, NDA_DST, dst);
	if (mac != NULL)
		mnl_attr_put(nlh, NDA_LLADDR, VC_MAC_LEN, mac);
	return nlh;
}

// A state in which the client uses wlan through 10.0.0.1.
static struct vc_path_state at_hotspot(void)
{
	struct vc_path_state st = { .tun_ifindex = TUN };

	GTC_EXPECT_INT(
		vc_path_from_route(route(RTN_UNICAST, WLAN, "10.0.0.1", "10.0.0.7"), TUN, &st.path),
		0);
	memcpy(st.path.mac, mac_a, VC_MAC_LEN);
	st.path.mac_known = true;
	return st;
}

GTC_TEST(path, from_route)
{
	struct vc_path p;
	struct cfg_addr gw = addr("10.0.0.1"), src = addr("10.0.0.7");

	GTC_ASSERT_INT(
		vc_path_from_route(route(RTN_UNICAST, WLAN, "10.0.0.1", "10.0.0.7"), TUN, &p), 0);
	GTC_EXPECT_INT(p.family, AF_INET);
	GTC_EXPECT_INT(p.ifindex, WLAN);
	GTC_EXPECT(cfg_addr_equal(&p.gateway, &gw));
	GTC_EXPECT(cfg_addr_equal(&p.source, &src));
	GTC_EXPECT_INT(vc_path_from_route(route(RTN_UNICAST, WLAN, NULL, "10.0.0.7"), TUN, &p), 0);
	GTC_EXPECT_INT(p.gateway.family, AF_UNSPEC); // the server is on the link
}

GTC_TEST(path, no_path)
{
	struct vc_path p;

	GTC_EXPECT_INT(vc_path_from_route(route(RTN_UNREACHABLE, WLAN, NULL, "10.0.0.7"), 0, &p),
		-ENETUNREACH);
	GTC_EXPECT_INT(
		vc_path_from_route(route(RTN_UNICAST, 0, NULL, "10.0.0.7"), 0, &p), -ENETUNREACH);
	GTC_EXPECT_INT(vc_path_from_route(route(RTN_UNICAST, WLAN, NULL, NULL), 0, &p),
		-ENETUNREACH); // no address yet
	GTC_EXPECT_INT(vc_path_from_route(route(RTN_UNICAST, TUN, NULL, "10.8.0.2"), TUN, &p),
		-ENETUNREACH); // into our own tunnel
	GTC_EXPECT_INT(vc_path_from_route(link_event(RTM_NEWLINK, WLAN, IFF_UP), 0, &p), -EBADMSG);
}

GTC_TEST(path, same_and_moved)
{
	struct vc_path_state st = at_hotspot();
	struct vc_path now = st.path;

	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_SAME);
	now.mac_known = false; // not resolved: says nothing
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_SAME);
	now = st.path;
	memcpy(now.mac, mac_b, VC_MAC_LEN);
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_MOVED);
	now = st.path;
	now.ifindex = LTE;
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_MOVED);
	now = st.path;
	now.source = addr("10.0.0.8");
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_MOVED);
	now = st.path;
	now.gateway = addr("10.0.0.2");
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_MOVED);
	memset(&now, 0, sizeof(now));
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_LOST);
}

// Another hotspot with the same address and gateway: only the link's loss tells.
GTC_TEST(path, twin_hotspots)
{
	struct vc_path_state st = at_hotspot();
	struct vc_path now = st.path;

	GTC_EXPECT_INT(vc_path_hint(&st, link_event(RTM_NEWLINK, WLAN, IFF_UP)),
		VC_HINT_ASK | VC_HINT_BROKEN); // up, but no carrier
	GTC_EXPECT_INT(
		vc_path_hint(&st, link_event(RTM_NEWLINK, WLAN, 0)), VC_HINT_ASK | VC_HINT_BROKEN);
	GTC_EXPECT_INT(vc_path_hint(&st, addr_event(RTM_DELADDR, WLAN, "10.0.0.7")),
		VC_HINT_ASK | VC_HINT_BROKEN);
	GTC_EXPECT_INT(st.generation, 1); // one break, however many messages
	GTC_EXPECT_INT(vc_path_hint(&st, link_event(RTM_NEWLINK, WLAN, IFF_UP | IFF_LOWER_UP)),
		VC_HINT_ASK);
	now.generation = st.generation; // as watch.c stamps what it finds
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_MOVED);
	st.path = now;
	GTC_EXPECT_INT(vc_path_judge(&st.path, &now), VC_PATH_SAME);
}

GTC_TEST(path, hints_of_others)
{
	struct vc_path_state st = at_hotspot();

	GTC_EXPECT_INT(vc_path_hint(&st, link_event(RTM_DELLINK, LTE, 0)), VC_HINT_ASK);
	GTC_EXPECT_INT(vc_path_hint(&st, addr_event(RTM_DELADDR, WLAN, "10.0.0.99")), VC_HINT_ASK);
	GTC_EXPECT_INT(vc_path_hint(&st, addr_event(RTM_NEWADDR, LTE, "10.9.0.1")), VC_HINT_ASK);
	GTC_EXPECT_INT(vc_path_hint(&st, link_event(RTM_NEWLINK, TUN, 0)), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, addr_event(RTM_NEWADDR, TUN, "10.8.0.2")), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, route(RTN_UNICAST, TUN, NULL, NULL)), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, route(RTN_UNICAST, LTE, NULL, NULL)), VC_HINT_ASK);
	GTC_EXPECT_INT(st.generation, 0);
}

GTC_TEST(path, gateway_answers_from_elsewhere)
{
	struct vc_path_state st = at_hotspot();

	GTC_EXPECT_INT(vc_path_hint(&st, neigh_event(WLAN, "10.0.0.1", NUD_REACHABLE, mac_a)), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, neigh_event(WLAN, "10.0.0.1", NUD_REACHABLE, mac_b)),
		VC_HINT_MAC);
	GTC_EXPECT_INT(vc_path_hint(&st, neigh_event(WLAN, "10.0.0.1", NUD_FAILED, mac_b)), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, neigh_event(WLAN, "10.0.0.5", NUD_REACHABLE, mac_b)), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, neigh_event(LTE, "10.0.0.1", NUD_REACHABLE, mac_b)), 0);
	GTC_EXPECT_INT(vc_path_hint(&st, neigh_event(WLAN, "10.0.0.1", NUD_REACHABLE, NULL)), 0);
}

// To a question that names the source the kernel answers with that, instead of one of its choice.
GTC_TEST(path, source_that_was_asked_for)
{
	struct nlmsghdr *nlh = route(RTN_UNICAST, WLAN, "10.0.0.1", NULL);
	char text[CFG_ADDR_TEXT];
	struct vc_path p;

	GTC_EXPECT_INT(vc_path_from_route(nlh, 0, &p), -ENETUNREACH);
	put(nlh, RTA_SRC, "10.0.0.7");
	GTC_ASSERT_INT(vc_path_from_route(nlh, 0, &p), 0);
	GTC_EXPECT_STR(cfg_addr_text(&p.source, false, text), "10.0.0.7");
}

// Attributes of a wrong length are as if absent; a message that is cut is none.
GTC_TEST(path, malformed)
{
	struct vc_path_state st = at_hotspot();
	struct nlmsghdr *nlh;
	struct rtmsg *rtm;
	struct vc_path p;

	nlh = head(RTM_NEWROUTE, sizeof(*rtm), &rtm);
	rtm->rtm_family = AF_INET;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u16(nlh, RTA_OIF, WLAN);
	put(nlh, RTA_PREFSRC, "10.0.0.7");
	GTC_EXPECT_INT(vc_path_from_route(nlh, 0, &p), -ENETUNREACH);
	nlh = route(RTN_UNICAST, WLAN, "2001:db8::1", "2001:db8::2"); // IPv6 in an IPv4 route
	GTC_EXPECT_INT(vc_path_from_route(nlh, 0, &p), -ENETUNREACH);
	nlh = link_event(RTM_NEWLINK, WLAN, 0);
	nlh->nlmsg_len = sizeof(*nlh) + 4;
	GTC_EXPECT_INT(vc_path_hint(&st, nlh), 0);
	GTC_EXPECT_INT(st.generation, 0);
}
