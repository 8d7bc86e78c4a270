// SPDX-License-Identifier: BSD-3-Clause
#include "bench/probe/join.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "bench/probe/stream.h"

// Send one request and wait for the kernel's acknowledgement.
static int ask(struct mnl_socket *nl, struct nlmsghdr *nlh)
{
	uint8_t answer[1024];
	ssize_t n;

	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, answer, sizeof(answer));
	if (n < 0 || mnl_cb_run(answer, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int add_address(struct mnl_socket *nl, int ifindex, struct in_addr addr, unsigned len)
{
	uint8_t buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = (uint8_t)len;
	ifa->ifa_index = (unsigned)ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, addr.s_addr);
	mnl_attr_put_u32(nlh, IFA_ADDRESS, addr.s_addr);
	return ask(nl, nlh);
}

static int add_default_route(struct mnl_socket *nl, int ifindex, struct in_addr gateway)
{
	uint8_t buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_NEWROUTE;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_DHCP;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, gateway.s_addr);
	mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)ifindex);
	return ask(nl, nlh);
}

int pg_join(const char *iface, const char *address, const char *gateway, uint64_t *ret_ns)
{
	int ifindex = (int)if_nametoindex(iface);
	struct in_addr addr, gw;
	struct mnl_socket *nl;
	char text[32];
	unsigned len;
	int rc;

	if (ifindex == 0)
		return -errno;
	if (sscanf(address, "%31[0-9.]/%u", text, &len) != 2 || len > 32 ||
		inet_pton(AF_INET, text, &addr) != 1 || inet_pton(AF_INET, gateway, &gw) != 1)
		return -EINVAL;
	nl = mnl_socket_open(NETLINK_ROUTE);
	if (nl == NULL)
		return -errno;
	rc = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (rc == 0)
		rc = add_address(nl, ifindex, addr, len);
	*ret_ns = pg_now_ns();
	if (rc == 0)
		rc = add_default_route(nl, ifindex, gw);
	(void)mnl_socket_close(nl);
	return rc;
}
