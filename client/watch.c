// SPDX-License-Identifier: BSD-3-Clause
#include "client/watch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "client/event.h"
#include "client/log.h"

// Further changes within this time of one are judged together: a DHCP client makes a dozen.
#define VC_WATCH_MERGE_MS 20
#define VC_WATCH_RCVBUF (1 << 20)
#define VC_WATCH_BUFFER 32768 // larger than any message of the kernel

static const unsigned watched_groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
	RTNLGRP_NEXTHOP, RTNLGRP_NEIGH };

static bool link_alive(struct vc_watch *w, int ifindex)
{
	uint32_t flags;

	if (vc_nl_link_flags(w->nl, ifindex, &flags) < 0)
		return false;
	return (flags & IFF_UP) != 0 && (flags & IFF_LOWER_UP) != 0 && (flags & IFF_DORMANT) == 0;
}

int vc_watch_look(struct vc_watch *w, const struct cfg_addr *server, struct vc_path *ret_path)
{
	struct vc_path path;
	int rc;

	w->lookups++;
	rc = vc_nl_path(w->nl, server, w->mark, 0, NULL, &path);
	if (rc < 0)
		return rc;
	if (path.ifindex == w->state.tun_ifindex || !link_alive(w, path.ifindex))
		return -ENETUNREACH;
	path.generation = w->state.generation;
	path.mac_known =
		vc_nl_neighbour(w->nl, path.ifindex,
			path.gateway.family != AF_UNSPEC ? &path.gateway : server, path.mac) == 0;
	*ret_path = path;
	return 0;
}

bool vc_watch_alive(struct vc_watch *w, const struct vc_path *path)
{
	struct vc_path now;

	if (path->family == AF_UNSPEC || !link_alive(w, path->ifindex))
		return false;
	return vc_nl_path(w->nl, w->other.family == path->family ? &w->other : &w->server, w->mark,
		       path->ifindex, &path->source, &now) == 0;
}

void vc_watch_use(struct vc_watch *w, const struct vc_path *path)
{
	if (path->family != AF_UNSPEC && path->family == w->other.family) {
		struct cfg_addr swap = w->server;

		w->server = w->other;
		w->other = swap;
	}
	w->state.path = *path;
	w->lost = path->family == AF_UNSPEC;
}

// Ask and compare. Returns true when a new path was reported.
static bool judge(struct vc_watch *w)
{
	struct vc_path now = { 0 };
	enum vc_path_verdict verdict;

	if (w->server.family == AF_UNSPEC)
		return false;
	if (vc_watch_look(w, &w->server, &now) < 0 &&
		(w->other.family == AF_UNSPEC || vc_watch_look(w, &w->other, &now) < 0))
		memset(&now, 0, sizeof(now));
	verdict = vc_path_judge(&w->state.path, &now);
	// A path that was lost and is back as it was: nobody uses it any more.
	if (verdict == VC_PATH_SAME && w->lost)
		verdict = VC_PATH_MOVED;
	if (verdict == VC_PATH_SAME) {
		// A gateway that was not resolved before is now.
		if (now.mac_known)
			w->state.path = now;
		return false;
	}
	if (verdict == VC_PATH_LOST && w->lost)
		return false;
	w->lost = verdict == VC_PATH_LOST;
	w->fn(w->arg, verdict, &now);
	return verdict == VC_PATH_MOVED;
}

static void on_merged(uv_timer_t *timer)
{
	struct vc_watch *w = timer->data;

	if (!w->dirty)
		return;
	w->dirty = false;
	(void)judge(w);
}

void vc_watch_poke(struct vc_watch *w)
{
	if (w->sock == NULL)
		return;
	if (uv_is_active((uv_handle_t *)&w->merge)) {
		w->dirty = true; // judged when the pause ends
		return;
	}
	// Only what follows a move is merged: an address that comes before its route must not delay
	// the route.
	if (!judge(w))
		return;
	uv_update_time(w->merge.loop);
	(void)uv_timer_start(&w->merge, on_merged, VC_WATCH_MERGE_MS, 0);
}

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	struct vc_watch *w = arg;
	unsigned hint = vc_path_hint(&w->state, nlh);

	if ((hint & VC_HINT_MAC) != 0 && w->state.path.mac_known) {
		// The gateway's address moved: another device answers for it.
		w->state.generation++;
		w->state.path.mac_known = false;
	}
	if (hint != 0)
		w->dirty = true;
	return MNL_CB_OK;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct vc_watch *w = poll->data;
	char buf[VC_WATCH_BUFFER];

	(void)events;
	if (status < 0)
		return;
	for (;;) {
		ssize_t n = recv(mnl_socket_get_fd(w->sock), buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			w->dirty = true; // events were lost: the question is asked anyway
			continue;
		}
		if (n <= 0)
			break;
		// Sequence and port 0: these are notifications, answers go to the other socket.
		(void)mnl_cb_run(buf, (size_t)n, 0, 0, on_message, w);
	}
	if (!w->dirty || uv_is_active((uv_handle_t *)&w->merge))
		return;
	w->dirty = false;
	vc_watch_poke(w);
}

int vc_watch_start(struct vc_watch *w, uv_loop_t *loop, struct vc_nl *nl, uint32_t mark,
	vc_watch_fn *fn, void *arg)
{
	int rcvbuf = VC_WATCH_RCVBUF;
	int rc;

	memset(w, 0, sizeof(*w));
	w->nl = nl;
	w->mark = mark;
	w->fn = fn;
	w->arg = arg;
	w->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (w->sock == NULL)
		return -errno;
	if (mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		rc = -errno;
		goto err_sock;
	}
	for (unsigned i = 0; i < sizeof(watched_groups) / sizeof(watched_groups[0]); i++) {
		int group = (int)watched_groups[i];

		// A kernel without next-hop objects lacks that group alone: not an error.
		(void)mnl_socket_setsockopt(w->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	}
	(void)setsockopt(
		mnl_socket_get_fd(w->sock), SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf));
	rc = uv_timer_init(loop, &w->merge);
	if (rc < 0)
		goto err_sock;
	w->merge.data = w;
	rc = uv_poll_init(loop, &w->poll, mnl_socket_get_fd(w->sock));
	if (rc == 0)
		rc = uv_poll_start(&w->poll, UV_READABLE, on_readable);
	if (rc < 0)
		goto err_sock;
	w->poll.data = w;
	return 0;

err_sock:
	(void)mnl_socket_close(w->sock);
	w->sock = NULL;
	return rc;
}

void vc_watch_stop(struct vc_watch *w)
{
	if (w->sock == NULL)
		return;
	uv_close((uv_handle_t *)&w->merge, NULL);
	uv_close((uv_handle_t *)&w->poll, NULL);
	(void)mnl_socket_close(w->sock);
	w->sock = NULL;
}

void vc_watch_server(
	struct vc_watch *w, const struct cfg_addr *server, const struct cfg_addr *other)
{
	w->server = *server;
	if (other != NULL)
		w->other = *other;
	else
		memset(&w->other, 0, sizeof(w->other));
}

void vc_watch_tun(struct vc_watch *w, int ifindex)
{
	w->state.tun_ifindex = ifindex;
}
