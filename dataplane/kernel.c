// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/kernel.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "dataplane/address.h"
#include "dataplane/log.h"
#include "dataplane/wake.h"

#define SETTLE_NS 2000000u // changes come in swarms
#define FORGET_NS 200000000u // how long an unanswered question is not asked again
#define REFRESH_NS 5000000000u
#define READS_MAX 64 // datagrams of events at a time

static uint64_t clock_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // never fails for this clock
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void mark_changed(struct dp_kernel *k)
{
	if (!k->changed)
		k->changed_ns = clock_ns();
	k->changed = true;
}

// ---- Dumps -----------------------------------------------------------------------------------

static int dumped_route(const struct nlmsghdr *nlh, void *arg)
{
	struct dp_kernel *k = arg;

	(void)dp_route_apply(&k->routes, nlh);
	return MNL_CB_OK;
}

static int dumped_neighbour(const struct nlmsghdr *nlh, void *arg)
{
	struct dp_kernel *k = arg;

	(void)dp_neigh_apply(&k->neighbours, nlh);
	return MNL_CB_OK;
}

// Ask for a whole table and take the answer in; the kernel has it ready at once.
static int dump(struct dp_kernel *k, uint16_t type, uint8_t family, mnl_cb_t fn)
{
	char buf[32768];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtgenmsg *gen;
	uint32_t seq = ++k->seq;
	int rc;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = seq;
	// Older kernels want the whole header of the type, zeroed behind the family.
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtmsg));
	gen->rtgen_family = family;
	if (mnl_socket_sendto(k->dumps, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t n = mnl_socket_recvfrom(k->dumps, buf, sizeof(buf));

		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(k->dumps), fn, k);
	} while (rc > 0);
	return rc < 0 ? -errno : 0;
}

static int read_routes(struct dp_kernel *k)
{
	int rc;

	k->routes_dirty = false;
	dp_route_clear(&k->routes);
	rc = dump(k, RTM_GETROUTE, AF_INET, dumped_route);
	return rc < 0 ? rc : dump(k, RTM_GETROUTE, AF_INET6, dumped_route);
}

static int read_neighbours(struct dp_kernel *k)
{
	k->neighbours_dirty = false;
	dp_neigh_clear(&k->neighbours);
	return dump(k, RTM_GETNEIGH, AF_UNSPEC, dumped_neighbour);
}

static int publish(struct dp_kernel *k)
{
	struct dp_next_hops *hops, *old;
	int rc = 0;

	if (k->routes_dirty)
		rc = read_routes(k);
	if (rc == 0 && k->neighbours_dirty)
		rc = read_neighbours(k);
	if (rc == -EINTR || rc == -EBUSY) { // the table changed under the dump
		k->routes_dirty = k->neighbours_dirty = true;
		return rc;
	}
	hops = dp_next_hops_create(
		k->routes.list, k->routes.n, k->neighbours.list, k->neighbours.n, &k->wanted);
	if (hops == NULL)
		return -ENOMEM;
	old = atomic_exchange_explicit(&k->core->next_hops, hops, memory_order_acq_rel);
	if (old != NULL)
		dp_grace_defer(k->grace, dp_next_hops_free, old);
	k->changed = false;
	k->pictures++;
	return rc;
}

// ---- Events ----------------------------------------------------------------------------------

static int event(const struct nlmsghdr *nlh, void *arg)
{
	struct dp_kernel *k = arg;

	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (dp_neigh_apply(&k->neighbours, nlh))
			mark_changed(k);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		k->routes_dirty = true;
		mark_changed(k);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		// Routes of a link that goes down vanish without an event of their own.
		k->routes_dirty = true;
		k->links_changed = true;
		mark_changed(k);
		break;
	default: break;
	}
	return MNL_CB_OK;
}

static void events_ready(void *arg, uint32_t events)
{
	struct dp_kernel *k = arg;
	char buf[16384];

	(void)events;
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(k->event_watch.fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS) { // events were lost: read everything again
			k->routes_dirty = k->neighbours_dirty = k->links_changed = true;
			mark_changed(k);
			continue;
		}
		if (n <= 0)
			return;
		(void)mnl_cb_run(buf, (size_t)n, 0, 0, event, k); // malformed ones are skipped
	}
}

static void wanted_ready(void *arg, uint32_t events)
{
	struct dp_kernel *k = arg;

	(void)events;
	dp_wake_drain(k->wanted_watch.fd);
	for (unsigned i = 0; i < DP_WANTED; i++) {
		if (atomic_load_explicit(&k->wanted.place[i].state, memory_order_acquire) != 2)
			continue;
		// It may fail for an interface that is down; then the packets stay dropped.
		(void)dp_address_resolve(k->wanted.place[i].ifindex, &k->wanted.place[i].addr);
		atomic_store_explicit(&k->wanted.place[i].state, 3, memory_order_relaxed);
		if (k->forget_ns == 0)
			k->forget_ns = clock_ns() + FORGET_NS;
	}
}

static void forget_wanted(struct dp_kernel *k)
{
	k->forget_ns = 0;
	for (unsigned i = 0; i < DP_WANTED; i++) {
		uint32_t asked = 3;

		(void)atomic_compare_exchange_strong(&k->wanted.place[i].state, &asked, 0);
	}
}

static void refresh(void *arg, uint32_t ifindex, const struct shm_addr *addr)
{
	(void)arg;
	(void)dp_address_resolve(ifindex, addr); // a failure shows as a neighbour that goes
}

// ---- Life ------------------------------------------------------------------------------------

static struct mnl_socket *open_socket(unsigned groups, int extra_group)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int rc;

	if (nl == NULL)
		return NULL;
	if (mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) == 0 &&
		(extra_group == 0 ||
			mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &extra_group,
				sizeof(extra_group)) == 0))
		return nl;
	rc = errno;
	(void)mnl_socket_close(nl); // nothing to flush
	errno = rc;
	return NULL;
}

int dp_kernel_open(struct dp_kernel *k, struct dp_core *core, struct dp_grace *grace,
	struct dp_loop *loop, const uint32_t ifindex[2])
{
	int rc;

	memset(k, 0, sizeof(*k));
	k->core = core;
	k->grace = grace;
	k->loop = loop;
	k->wanted_watch.fd = k->event_watch.fd = -1;
	memcpy(k->routes.ifindex, ifindex, sizeof(k->routes.ifindex));
	k->routes_dirty = k->neighbours_dirty = true;
	k->events =
		open_socket(RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE, 0);
	k->dumps = open_socket(0, 0);
	rc = dp_wake_open();
	k->wanted.event_fd = rc;
	if (k->events == NULL || k->dumps == NULL || rc < 0) {
		rc = rc < 0 ? rc : -errno;
		dp_log(DP_LOG_ERROR, "netlink: %s", strerror(-rc));
		dp_kernel_close(k);
		return rc;
	}
	k->event_watch = (struct dp_watch){
		.fd = mnl_socket_get_fd(k->events), .ready = events_ready, .arg = k
	};
	k->wanted_watch =
		(struct dp_watch){ .fd = k->wanted.event_fd, .ready = wanted_ready, .arg = k };
	rc = dp_loop_add(loop, &k->event_watch, EPOLLIN);
	if (rc == 0)
		rc = dp_loop_add(loop, &k->wanted_watch, EPOLLIN);
	if (rc == 0)
		rc = publish(k);
	if (rc < 0) {
		dp_log(DP_LOG_ERROR, "routes and neighbours can't be read: %s", strerror(-rc));
		dp_kernel_close(k);
	}
	return rc;
}

uint64_t dp_kernel_turn(struct dp_kernel *k, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	if (k->changed) {
		if (now_ns - k->changed_ns < SETTLE_NS || publish(k) < 0)
			next = SETTLE_NS;
	}
	if (k->forget_ns != 0 && now_ns >= k->forget_ns)
		forget_wanted(k);
	if (now_ns >= k->refresh_ns) {
		k->refresh_ns = now_ns + REFRESH_NS;
		dp_next_hops_used(atomic_load_explicit(&k->core->next_hops, memory_order_relaxed),
			refresh, k);
	}
	return next;
}

bool dp_kernel_links_changed(struct dp_kernel *k)
{
	bool changed = k->links_changed;

	k->links_changed = false;
	return changed;
}

void dp_kernel_close(struct dp_kernel *k)
{
	struct dp_next_hops *hops;

	if (k->core == NULL)
		return;
	dp_loop_del(k->loop, &k->event_watch);
	dp_loop_del(k->loop, &k->wanted_watch);
	if (k->events != NULL)
		(void)mnl_socket_close(k->events); // nothing to flush
	if (k->dumps != NULL)
		(void)mnl_socket_close(k->dumps);
	if (k->wanted.event_fd >= 0)
		(void)close(k->wanted.event_fd);
	hops = atomic_exchange_explicit(&k->core->next_hops, NULL, memory_order_acq_rel);
	dp_next_hops_free(hops);
	dp_route_done(&k->routes);
	dp_neigh_done(&k->neighbours);
	k->core = NULL;
}
