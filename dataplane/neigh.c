// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/neigh.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#define USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct parsed {
	struct dp_neighbour neighbour;
	bool has_addr;
	bool has_mac;
};

static int attribute(const struct nlattr *attr, void *arg)
{
	struct parsed *p = arg;
	size_t bytes = p->neighbour.addr.family == AF_INET ? 4 : 16;
	uint16_t len = mnl_attr_get_payload_len(attr);

	switch (mnl_attr_get_type(attr)) {
	case NDA_DST:
		p->has_addr = len == bytes;
		if (p->has_addr)
			memcpy(p->neighbour.addr.bytes, mnl_attr_get_payload(attr), bytes);
		break;
	case NDA_LLADDR:
		p->has_mac = len == sizeof(p->neighbour.mac);
		if (p->has_mac)
			memcpy(p->neighbour.mac, mnl_attr_get_payload(attr), len);
		break;
	default: break;
	}
	return MNL_CB_OK;
}

static unsigned find(const struct dp_neighbours *all, const struct dp_neighbour *n)
{
	unsigned i = 0;

	while (i < all->n &&
		(all->list[i].ifindex != n->ifindex ||
			memcmp(&all->list[i].addr, &n->addr, sizeof(n->addr)) != 0))
		i++;
	return i;
}

static bool put(struct dp_neighbours *all, const struct dp_neighbour *n)
{
	unsigned i = find(all, n);

	if (i < all->n) {
		if (memcmp(&all->list[i], n, sizeof(*n)) == 0)
			return false;
		all->list[i] = *n;
		return true;
	}
	if (all->n == all->cap) {
		unsigned cap = all->cap == 0 ? 32 : all->cap * 2;
		void *list = realloc(all->list, cap * sizeof(all->list[0]));

		if (list == NULL)
			return false; // it stays unknown until it is asked for again
		all->list = list;
		all->cap = cap;
	}
	all->list[all->n++] = *n;
	return true;
}

static bool take_out(struct dp_neighbours *all, const struct dp_neighbour *n)
{
	unsigned i = find(all, n);

	if (i == all->n)
		return false;
	all->list[i] = all->list[--all->n];
	return true;
}

bool dp_neigh_apply(struct dp_neighbours *all, const struct nlmsghdr *nlh)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(nlh);
	struct parsed p;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*nd) ||
		(nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6))
		return false;
	memset(&p, 0, sizeof(p)); // padding too: neighbours are compared by memcmp
	p.neighbour.addr.family = nd->ndm_family;
	p.neighbour.ifindex = (uint32_t)nd->ndm_ifindex;
	p.neighbour.stale = (nd->ndm_state & NUD_STALE) != 0;
	if (mnl_attr_parse(nlh, sizeof(*nd), attribute, &p) < 0 || !p.has_addr)
		return false;
	if (nlh->nlmsg_type == RTM_DELNEIGH || (nd->ndm_state & USABLE) == 0 || !p.has_mac)
		return take_out(all, &p.neighbour);
	return put(all, &p.neighbour);
}

void dp_neigh_clear(struct dp_neighbours *all)
{
	all->n = 0;
}

void dp_neigh_done(struct dp_neighbours *all)
{
	free(all->list);
	*all = (struct dp_neighbours){ 0 };
}
