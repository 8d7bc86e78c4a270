// SPDX-License-Identifier: BSD-3-Clause
#include "client/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>

// Room for one request; the largest (a route with all attributes) takes some 120 bytes.
#define VC_NL_REQUEST 512
#define VC_NL_ANSWER 8192
// Rounds of deleting what a dump shows, in case something else adds to it meanwhile.
#define VC_NL_FLUSH_ROUNDS 4

int vc_nl_open(struct vc_nl *nl)
{
	nl->seq = 0;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl->sock == NULL)
		return -errno;
	if (mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int rc = -errno;

		vc_nl_close(nl);
		return rc;
	}
	return 0;
}

void vc_nl_close(struct vc_nl *nl)
{
	if (nl->sock != NULL)
		(void)mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

static struct nlmsghdr *request(struct vc_nl *nl, void *buf, uint16_t type, uint16_t flags,
	size_t header, void **ret_header)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++nl->seq;
	*ret_header = mnl_nlmsg_put_extra_header(nlh, header);
	return nlh;
}

// Send a request and give every message of the answer to cb (may be NULL: only success counts).
// Returns 0, or -errno as the kernel says.
static int talk(struct vc_nl *nl, struct nlmsghdr *nlh, mnl_cb_t cb, void *arg)
{
	unsigned portid = mnl_socket_get_portid(nl->sock);
	char buf[VC_NL_ANSWER];
	int run = MNL_CB_OK;

	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (run > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		run = mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq, portid, cb, arg);
		if (run < 0 && errno != ESRCH && errno != EPROTO)
			return -errno;
		if (run < 0) {
			// ESRCH is also how libmnl says that a message belongs to an earlier
			// request.
			if (mnl_nlmsg_ok((struct nlmsghdr *)buf, (int)n) &&
				((struct nlmsghdr *)buf)->nlmsg_seq != nlh->nlmsg_seq) {
				run = MNL_CB_OK;
				continue;
			}
			return -errno;
		}
	}
	return 0;
}

static void put_addr(struct nlmsghdr *nlh, uint16_t type, const struct cfg_addr *addr)
{
	mnl_attr_put(nlh, type, cfg_addr_bits(addr) / 8, addr->bytes);
}

int vc_nl_link_up(struct vc_nl *nl, int ifindex, uint32_t mtu, uint32_t txqlen)
{
	char buf[VC_NL_REQUEST];
	struct ifinfomsg *ifi;
	struct nlmsghdr *nlh =
		request(nl, buf, RTM_NEWLINK, NLM_F_ACK, sizeof(*ifi), (void **)&ifi);

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(nlh, IFLA_TXQLEN, txqlen);
	return talk(nl, nlh, NULL, NULL);
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_NEWLINK && mnl_nlmsg_get_payload_len(nlh) >= sizeof(*ifi))
		*(uint32_t *)arg = ifi->ifi_flags;
	return MNL_CB_OK;
}

int vc_nl_link_flags(struct vc_nl *nl, int ifindex, uint32_t *ret_flags)
{
	char buf[VC_NL_REQUEST];
	struct ifinfomsg *ifi;
	uint32_t flags = 0;
	struct nlmsghdr *nlh =
		request(nl, buf, RTM_GETLINK, NLM_F_ACK, sizeof(*ifi), (void **)&ifi);
	int rc;

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	rc = talk(nl, nlh, on_link, &flags);
	if (rc == 0)
		*ret_flags = flags;
	return rc;
}

static int addr_request(struct vc_nl *nl, uint16_t type, uint16_t flags, int ifindex,
	const struct cfg_addr *local, const struct cfg_addr *peer)
{
	char buf[VC_NL_REQUEST];
	struct ifaddrmsg *ifa;
	struct nlmsghdr *nlh =
		request(nl, buf, type, flags | NLM_F_ACK, sizeof(*ifa), (void **)&ifa);

	ifa->ifa_family = (uint8_t)local->family;
	ifa->ifa_prefixlen = local->prefix;
	ifa->ifa_index = (uint32_t)ifindex;
	if (local->family == AF_INET6)
		ifa->ifa_flags = IFA_F_NODAD; // nobody else can be on a tunnel's link
	put_addr(nlh, IFA_LOCAL, local);
	put_addr(nlh, IFA_ADDRESS, peer != NULL && peer->family != AF_UNSPEC ? peer : local);
	return talk(nl, nlh, NULL, NULL);
}

int vc_nl_addr_add(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *local, const struct cfg_addr *peer)
{
	return addr_request(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, local, peer);
}

int vc_nl_addr_del(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *local, const struct cfg_addr *peer)
{
	return addr_request(nl, RTM_DELADDR, 0, ifindex, local, peer);
}

static int route_request(
	struct vc_nl *nl, uint16_t type, uint16_t flags, const struct vc_route *route)
{
	char buf[VC_NL_REQUEST];
	struct rtmsg *rtm;
	struct nlmsghdr *nlh =
		request(nl, buf, type, flags | NLM_F_ACK, sizeof(*rtm), (void **)&rtm);

	rtm->rtm_family = (uint8_t)route->dst.family;
	rtm->rtm_dst_len = route->dst.prefix;
	rtm->rtm_table = RT_TABLE_UNSPEC; // RTA_TABLE holds the 32 bits
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_type = route->type;
	// Not RT_SCOPE_LINK, though the device is a link: who sets a route has the kernel ask for
	// its gateway in that scope, and a gateway is never in the tunnel.
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	if (type == RTM_DELROUTE)
		rtm->rtm_scope = RT_SCOPE_NOWHERE; // matches every scope
	mnl_attr_put_u32(nlh, RTA_TABLE, route->table);
	put_addr(nlh, RTA_DST, &route->dst);
	if (route->gateway.family != AF_UNSPEC)
		put_addr(nlh, RTA_GATEWAY, &route->gateway);
	if (route->source.family != AF_UNSPEC)
		put_addr(nlh, RTA_PREFSRC, &route->source);
	if (route->ifindex != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)route->ifindex);
	if (route->metric != 0)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, route->metric);
	return talk(nl, nlh, NULL, NULL);
}

int vc_nl_route_add(struct vc_nl *nl, const struct vc_route *route)
{
	return route_request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

int vc_nl_route_del(struct vc_nl *nl, const struct vc_route *route)
{
	return route_request(nl, RTM_DELROUTE, 0, route);
}

static int rule_request(struct vc_nl *nl, uint16_t type, uint16_t flags, const struct vc_rule *rule)
{
	char buf[VC_NL_REQUEST];
	struct fib_rule_hdr *frh;
	struct nlmsghdr *nlh =
		request(nl, buf, type, flags | NLM_F_ACK, sizeof(*frh), (void **)&frh);

	frh->family = (uint8_t)rule->family;
	frh->action = FR_ACT_TO_TBL;
	frh->flags = rule->invert ? FIB_RULE_INVERT : 0;
	frh->table = RT_TABLE_UNSPEC;
	mnl_attr_put_u32(nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, rule->priority);
	if (rule->mask != 0) {
		mnl_attr_put_u32(nlh, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, rule->mask);
	}
	if (rule->suppress >= 0)
		mnl_attr_put_u32(nlh, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress);
	if (rule->dst.family != AF_UNSPEC) {
		frh->dst_len = rule->dst.prefix;
		put_addr(nlh, FRA_DST, &rule->dst);
	}
	return talk(nl, nlh, NULL, NULL);
}

int vc_nl_rule_add(struct vc_nl *nl, const struct vc_rule *rule)
{
	return rule_request(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule);
}

int vc_nl_rule_del(struct vc_nl *nl, const struct vc_rule *rule)
{
	return rule_request(nl, RTM_DELRULE, 0, rule);
}

// What a flush looks for, and the requests to delete it, collected while the dump runs.
struct flush {
	uint32_t first, last; // priorities of rules, or first: the table of routes
	unsigned n;
	char msg[16][VC_NL_REQUEST];
};

// Turn a message of the dump into the request that deletes it.
static void collect(struct flush *f, const struct nlmsghdr *nlh, uint16_t type)
{
	struct nlmsghdr *del;

	if (f->n >= sizeof(f->msg) / sizeof(f->msg[0]) || nlh->nlmsg_len > VC_NL_REQUEST)
		return; // the next round takes it
	memcpy(f->msg[f->n], nlh, nlh->nlmsg_len);
	del = (struct nlmsghdr *)f->msg[f->n++];
	del->nlmsg_type = type;
	del->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
}

static int on_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct flush *f = arg;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWRULE ||
		mnl_nlmsg_get_payload_len(nlh) < sizeof(struct fib_rule_hdr))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(struct fib_rule_hdr))
	{
		if (mnl_attr_get_type(attr) != FRA_PRIORITY ||
			mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
			continue;
		if (mnl_attr_get_u32(attr) >= f->first && mnl_attr_get_u32(attr) <= f->last)
			collect(f, nlh, RTM_DELRULE);
	}
	return MNL_CB_OK;
}

static int on_table_route(const struct nlmsghdr *nlh, void *arg)
{
	struct flush *f = arg;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
		mnl_nlmsg_get_payload_len(nlh) < sizeof(struct rtmsg))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_TABLE &&
			mnl_attr_get_payload_len(attr) == sizeof(uint32_t) &&
			mnl_attr_get_u32(attr) == f->first)
			collect(f, nlh, RTM_DELROUTE);
	}
	return MNL_CB_OK;
}

// Dump a family's rules or routes and delete those that cb collects, until none is left.
static int flush_family(
	struct vc_nl *nl, uint8_t family, uint16_t get, size_t header, mnl_cb_t cb, struct flush *f)
{
	int deleted = 0;

	for (unsigned round = 0; round < VC_NL_FLUSH_ROUNDS; round++) {
		char buf[VC_NL_REQUEST];
		uint8_t *h; // every header of rtnetlink begins with the family
		struct nlmsghdr *nlh = request(nl, buf, get, NLM_F_DUMP, header, (void **)&h);

		h[0] = family;
		f->n = 0;
		if (talk(nl, nlh, cb, f) < 0 || f->n == 0)
			break;
		for (unsigned i = 0; i < f->n; i++) {
			struct nlmsghdr *del = (struct nlmsghdr *)f->msg[i];

			del->nlmsg_seq = ++nl->seq;
			del->nlmsg_pid = 0;
			if (talk(nl, del, NULL, NULL) == 0)
				deleted++;
		}
	}
	return deleted;
}

int vc_nl_rules_flush(struct vc_nl *nl, uint32_t first, uint32_t last)
{
	struct flush f = { .first = first, .last = last };
	size_t header = sizeof(struct fib_rule_hdr);

	return flush_family(nl, AF_INET, RTM_GETRULE, header, on_rule, &f) +
		flush_family(nl, AF_INET6, RTM_GETRULE, header, on_rule, &f);
}

int vc_nl_table_flush(struct vc_nl *nl, uint32_t table)
{
	struct flush f = { .first = table };
	size_t header = sizeof(struct rtmsg);

	return flush_family(nl, AF_INET, RTM_GETROUTE, header, on_table_route, &f) +
		flush_family(nl, AF_INET6, RTM_GETROUTE, header, on_table_route, &f);
}

static int on_path(const struct nlmsghdr *nlh, void *arg)
{
	struct vc_path *path = arg;

	// The tunnel is told apart by the caller's mark; who calls checks the device.
	if (vc_path_from_route(nlh, 0, path) < 0)
		path->family = AF_UNSPEC;
	return MNL_CB_OK;
}

int vc_nl_path(struct vc_nl *nl, const struct cfg_addr *dst, uint32_t mark, int oif,
	const struct cfg_addr *src, struct vc_path *ret_path)
{
	char buf[VC_NL_REQUEST];
	struct vc_path path = { 0 };
	struct rtmsg *rtm;
	struct nlmsghdr *nlh =
		request(nl, buf, RTM_GETROUTE, NLM_F_ACK, sizeof(*rtm), (void **)&rtm);
	int rc;

	rtm->rtm_family = (uint8_t)dst->family;
	rtm->rtm_dst_len = (uint8_t)cfg_addr_bits(dst);
	put_addr(nlh, RTA_DST, dst);
	if (mark != 0)
		mnl_attr_put_u32(nlh, RTA_MARK, mark);
	if (oif != 0)
		mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)oif);
	if (src != NULL) {
		rtm->rtm_src_len = (uint8_t)cfg_addr_bits(src);
		put_addr(nlh, RTA_SRC, src);
	}
	rc = talk(nl, nlh, on_path, &path);
	if (rc < 0)
		return rc;
	if (path.family == AF_UNSPEC)
		return -ENETUNREACH;
	*ret_path = path;
	return 0;
}

struct neighbour {
	bool found;
	uint8_t mac[VC_MAC_LEN];
};

static int on_neighbour(const struct nlmsghdr *nlh, void *arg)
{
	struct neighbour *n = arg;
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm))
		return MNL_CB_OK;
	if ((ndm->ndm_state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP)) != 0)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) != NDA_LLADDR ||
			mnl_attr_get_payload_len(attr) != VC_MAC_LEN)
			continue;
		memcpy(n->mac, mnl_attr_get_payload(attr), VC_MAC_LEN);
		n->found = true;
	}
	return MNL_CB_OK;
}

int vc_nl_neighbour(
	struct vc_nl *nl, int ifindex, const struct cfg_addr *addr, uint8_t ret_mac[VC_MAC_LEN])
{
	char buf[VC_NL_REQUEST];
	struct neighbour n = { 0 };
	struct ndmsg *ndm;
	struct nlmsghdr *nlh =
		request(nl, buf, RTM_GETNEIGH, NLM_F_ACK, sizeof(*ndm), (void **)&ndm);

	ndm->ndm_family = (uint8_t)addr->family;
	ndm->ndm_ifindex = ifindex;
	put_addr(nlh, NDA_DST, addr);
	if (talk(nl, nlh, on_neighbour, &n) < 0 || !n.found)
		return -ENOENT;
	memcpy(ret_mac, n.mac, VC_MAC_LEN);
	return 0;
}
