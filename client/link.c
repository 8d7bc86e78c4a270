// SPDX-License-Identifier: BSD-3-Clause
#include "client/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/event.h"
#include "client/log.h"

// Room for a burst at some hundred Mbit/s while the process is not scheduled.
#define VC_SOCKET_BUFFER (2 * 1024 * 1024)
// Datagrams that are read before other work gets its turn, in batches.
#define VC_LINK_ROUNDS 4

int vc_link_init(struct vc_link *link, uv_loop_t *loop, size_t buf_size)
{
	memset(link, 0, sizeof(*link));
	link->loop = loop;
	link->buf_size = (buf_size + 63) & ~(size_t)63;
	link->rx_mem = malloc(link->buf_size * VC_LINK_BATCH);
	link->tx_mem = malloc(link->buf_size * VC_LINK_BATCH);
	if (link->rx_mem == NULL || link->tx_mem == NULL) {
		free(link->rx_mem);
		free(link->tx_mem);
		return -ENOMEM;
	}
	return 0;
}

void vc_link_done(struct vc_link *link)
{
	vc_link_close_all(link);
	free(link->rx_mem);
	free(link->tx_mem);
	link->rx_mem = NULL;
	link->tx_mem = NULL;
}

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

static int set_up(struct vc_link *link, int fd, const struct vc_path *path, bool first)
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
	if (connect(fd, (struct sockaddr *)&link->remote, link->remote_len) < 0)
		return -errno;
	return 0;
}

static int fill_rx(struct vc_link *link, struct mmsghdr *msgs, struct iovec *iov)
{
	for (unsigned i = 0; i < VC_LINK_BATCH; i++) {
		iov[i].iov_base = link->rx_mem + i * link->buf_size;
		iov[i].iov_len = link->buf_size;
		memset(&msgs[i], 0, sizeof(msgs[i]));
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return VC_LINK_BATCH;
}

static void receive(struct vc_sock *sock)
{
	struct vc_link *link = sock->link;
	struct mmsghdr msgs[VC_LINK_BATCH];
	struct iovec iov[VC_LINK_BATCH];

	for (unsigned round = 0; round < VC_LINK_ROUNDS && sock->fd >= 0; round++) {
		int max = fill_rx(link, msgs, iov);
		int n = recvmmsg(sock->fd, msgs, (unsigned)max, MSG_DONTWAIT, NULL);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			// ICMP errors of earlier datagrams come out here; the socket goes on.
			link->on_error(link->arg, sock, -errno);
			continue;
		}
		for (int i = 0; i < n && sock->fd >= 0; i++) {
			link->rx_datagrams++;
			if ((msgs[i].msg_hdr.msg_flags & MSG_TRUNC) == 0)
				link->on_recv(link->arg, sock, iov[i].iov_base, msgs[i].msg_len);
		}
		if (n < max)
			return;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void listen_for(struct vc_sock *sock)
{
	int events = UV_READABLE | (sock->blocked ? UV_WRITABLE : 0);

	(void)uv_poll_start(&sock->poll, events, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct vc_sock *sock = poll->data;
	struct vc_link *link = sock->link;

	if (status < 0) {
		int error = 0;
		socklen_t len = sizeof(error);

		(void)getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		link->on_error(link->arg, sock, -error);
		if (sock->fd >= 0)
			listen_for(sock); // libuv stops at an error, the socket doesn't
		return;
	}
	if ((events & UV_WRITABLE) != 0 && sock->blocked) {
		sock->blocked = false;
		listen_for(sock);
		link->on_writable(link->arg, sock, 0);
	}
	if ((events & UV_READABLE) != 0 && sock->fd >= 0)
		receive(sock);
}

int vc_link_open(
	struct vc_link *link, const struct vc_path *path, bool first, struct vc_sock **ret_sock)
{
	struct vc_sock *sock = calloc(1, sizeof(*sock));
	int rc;

	if (sock == NULL)
		return -ENOMEM;
	sock->fd = socket(link->remote.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		rc = -errno;
		goto err_mem;
	}
	rc = set_up(link, sock->fd, path, first);
	if (rc == 0)
		rc = uv_poll_init(link->loop, &sock->poll, sock->fd);
	if (rc < 0)
		goto err_fd;
	sock->link = link;
	sock->path = *path;
	sock->poll.data = sock;
	listen_for(sock);
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

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
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
	(void)uv_poll_stop(&sock->poll);
	close(sock->fd);
	sock->fd = -1;
	uv_close((uv_handle_t *)&sock->poll, on_closed);
}

void vc_link_close_all(struct vc_link *link)
{
	while (link->socks != NULL)
		vc_link_close(link, link->socks);
	link->tx_n = 0;
	link->tx_done = 0;
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

int vc_link_send(struct vc_link *link, struct vc_sock *sock, const uint8_t *buf, size_t len)
{
	if (send(sock->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		int rc = -errno;

		link->tx_errors++;
		if (rc != -EAGAIN)
			link->on_error(link->arg, sock, rc);
		return rc;
	}
	link->tx_datagrams++;
	link->tx_ms = vc_now_ms();
	return 0;
}

uint8_t *vc_link_tx_room(struct vc_link *link)
{
	return link->tx_n < VC_LINK_BATCH ? link->tx_mem + link->tx_n * link->buf_size : NULL;
}

void vc_link_tx_add(struct vc_link *link, uint8_t *dgram, size_t len)
{
	link->tx_iov[link->tx_n].iov_base = dgram;
	link->tx_iov[link->tx_n++].iov_len = len;
}

bool vc_link_tx_flush(struct vc_link *link, struct vc_sock *sock)
{
	struct mmsghdr msgs[VC_LINK_BATCH];

	memset(msgs, 0, sizeof(msgs[0]) * link->tx_n);
	for (unsigned i = 0; i < link->tx_n; i++) {
		msgs[i].msg_hdr.msg_iov = &link->tx_iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (link->tx_done < link->tx_n && sock->fd >= 0) {
		int n = sendmmsg(sock->fd, msgs + link->tx_done, link->tx_n - link->tx_done,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			link->tx_done += (unsigned)n;
			link->tx_datagrams += (unsigned)n;
			link->tx_ms = vc_now_ms();
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			link->tx_full++;
			sock->blocked = true;
			listen_for(sock);
			return false;
		}
		// This datagram can't be sent; the ones behind it may.
		link->tx_errors++;
		link->tx_done++;
		link->on_error(link->arg, sock, -errno);
	}
	link->tx_n = 0;
	link->tx_done = 0;
	return true;
}
