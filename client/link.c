// SPDX-License-Identifier: BSD-3-Clause
#include "client/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/engine.h"
#include "client/log.h"

// Room for a burst at some hundred Mbit/s while the process is not scheduled.
#define VC_SOCKET_BUFFER (2 * 1024 * 1024)

static void set_buffer(int fd, int forced, int plain, uint32_t bytes)
{
	int value = bytes != 0 ? (int)bytes : VC_SOCKET_BUFFER;

	// Without the capability the kernel caps it at its own limit, which is no error.
	if (setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &value, sizeof(value));
}

// Bind to the path's source address (or the profile's) and the profile's port.
static int bind_local(struct vc_link *link, int fd, const struct vc_path *path, uint16_t port)
{
	const struct cfg_addr *addr =
		link->local.family == path->family ? &link->local : &path->source;
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (addr->family == AF_INET6) {
		memcpy(&sin6.sin6_addr, addr->bytes, 16);
		sin6.sin6_scope_id = (uint32_t)path->ifindex;
		return bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	}
	memcpy(&sin.sin_addr, addr->bytes, 4);
	return bind(fd, (struct sockaddr *)&sin, sizeof(sin));
}

static int set_up(struct vc_link *link, int fd, const struct vc_path *path, bool first,
	const struct sockaddr_storage *remote)
{
	uint16_t port = first ? link->lport : 0;

	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &link->mark, sizeof(link->mark)) < 0)
		return -errno;
	// The socket stays with its link: what is sent here never leaves with another path's
	// address.
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &path->ifindex, sizeof(path->ifindex)) < 0)
		vc_log(VC_DETAIL, "can't bind the socket to its link: %s", strerror(errno));
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, link->sndbuf);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, link->rcvbuf);
	if (bind_local(link, fd, path, port) < 0) {
		if (port == 0 || errno != EADDRINUSE || bind_local(link, fd, path, 0) < 0)
			return -errno;
		vc_log(VC_WARN, "local port %u is in use, taking any other", port);
	}
	if (connect(fd, (const struct sockaddr *)remote,
		    remote->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						  : sizeof(struct sockaddr_in)) < 0)
		return -errno;
	return 0;
}

int vc_link_open(
	struct vc_link *link, const struct vc_path *path, bool first, struct vc_sock **ret_sock)
{
	const struct sockaddr_storage *remote =
		link->other.ss_family == path->family ? &link->other : &link->remote;
	struct vc_sock *sock = calloc(1, sizeof(*sock));
	int rc;

	if (sock == NULL)
		return -ENOMEM;
	sock->fd = socket(remote->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		rc = -errno;
		goto err_mem;
	}
	rc = set_up(link, sock->fd, path, first, remote);
	if (rc == 0)
		rc = vc_engine_sock_add(link->engine, link->last_id + 1, sock->fd);
	if (rc < 0)
		goto err_fd;
	sock->link = link;
	sock->id = ++link->last_id;
	sock->path = *path;
	sock->next = link->socks;
	link->socks = sock;
	*ret_sock = sock;
	return 0;

err_fd:
	close(sock->fd);
err_mem:
	free(sock);
	return rc;
}

void vc_link_use(struct vc_link *link, struct vc_sock *sock)
{
	link->cur = sock;
	vc_engine_use(link->engine, sock != NULL ? sock->id : 0);
}

void vc_link_close(struct vc_link *link, struct vc_sock *sock)
{
	for (struct vc_sock **at = &link->socks; *at != NULL; at = &(*at)->next) {
		if (*at == sock) {
			*at = sock->next;
			break;
		}
	}
	if (link->cur == sock)
		link->cur = NULL;
	vc_engine_sock_close(link->engine, sock->id);
	free(sock);
}

void vc_link_close_all(struct vc_link *link)
{
	if (link->socks == NULL)
		return;
	while (link->socks != NULL)
		vc_link_close(link, link->socks);
	vc_engine_settle(link->engine);
}

void vc_link_expire(struct vc_link *link, uint64_t now_ms)
{
	struct vc_sock *next;

	for (struct vc_sock *s = link->socks; s != NULL; s = next) {
		next = s->next;
		if (s->close_ms != 0 && s->close_ms <= now_ms)
			vc_link_close(link, s);
	}
}

struct vc_sock *vc_link_sock(struct vc_link *link, uint32_t id)
{
	struct vc_sock *s = link->socks;

	while (s != NULL && s->id != id)
		s = s->next;
	return s;
}

int vc_link_send(struct vc_link *link, struct vc_sock *sock, const uint8_t *buf, size_t len)
{
	int rc;

	if (send(sock->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	rc = -errno;
	if (rc != -EAGAIN)
		link->on_error(link->arg, sock, rc);
	return rc;
}
