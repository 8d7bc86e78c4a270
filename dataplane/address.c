// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <libmnl/libmnl.h>

static struct mnl_socket *nl;
static uint32_t seq;

const char *dp_address_text(const struct shm_addr *addr, char *buf)
{
	if (addr->family == 0 || inet_ntop(addr->family, addr->bytes, buf, DP_ADDRESS_TEXT) == NULL)
		memcpy(buf, "none", 5);
	return buf;
}

int dp_address_open(void)
{
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl == NULL)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		int rc = -errno;

		dp_address_close();
		return rc;
	}
	return 0;
}

void dp_address_close(void)
{
	if (nl != NULL)
		(void)mnl_socket_close(nl); // nothing to flush
	nl = NULL;
}

// Send one request and wait for the kernel's acknowledgement, which it gives at once.
static int transact(struct nlmsghdr *nlh)
{
	char buf[1024];
	ssize_t n;

	if (nl == NULL)
		return -ENOTCONN;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0)
		return -errno;
	return mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), NULL, NULL) < 0 ? -errno
											  : 0;
}

static size_t bytes_of(const struct shm_addr *addr)
{
	return addr->family == AF_INET ? 4 : 16;
}

int dp_address_link(unsigned ifindex, uint16_t mtu)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_NEWLINK;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = IFF_UP;
	ifi->ifi_change = IFF_UP;
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return transact(nlh);
}

int dp_address_add(unsigned ifindex, const struct shm_addr *addr, uint8_t prefix_len)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *ifa;
	int rc;

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = (unsigned char)addr->family;
	ifa->ifa_prefixlen = prefix_len;
	ifa->ifa_index = ifindex;
	// Nobody else is on this link, so there is nothing to wait for.
	ifa->ifa_flags = addr->family == AF_INET6 ? IFA_F_NODAD : 0;
	mnl_attr_put(nlh, IFA_LOCAL, bytes_of(addr), addr->bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, bytes_of(addr), addr->bytes);
	rc = transact(nlh);
	return rc == -EEXIST ? 0 : rc;
}

int dp_address_resolve(unsigned ifindex, const struct shm_addr *addr)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;

	nlh->nlmsg_type = RTM_NEWNEIGH;
	nlh->nlmsg_flags = NLM_F_CREATE;
	nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));
	nd->ndm_family = (unsigned char)addr->family;
	nd->ndm_ifindex = (int)ifindex;
	nd->ndm_state = NUD_NONE;
	nd->ndm_flags = NTF_USE;
	mnl_attr_put(nlh, NDA_DST, bytes_of(addr), addr->bytes);
	return transact(nlh);
}
