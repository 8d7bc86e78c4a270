// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/address.h"
#include "dataplane/index_tunnel.h"
#include "dataplane/log.h"
#include "dataplane/tunnel_ports.h"
#include "dataplane/xdp.h"

// A UDP address and the socket that is bound to it.
struct dp_bound {
	struct shm_listen listen;
	int fd;
};

// A configuration on its way out.
struct dp_retired {
	struct dp_config *config;
	bool with_tunnel;
};

void dp_serve_init(struct dp_serve *serve, struct dp_core *core, struct dp_grace *grace,
	struct dp_port_state *ports, struct dp_xdp *xdp)
{
	*serve = (struct dp_serve){ .core = core, .grace = grace, .ports = ports, .xdp = xdp };
}

static bool same_listen(const struct shm_listen *a, const struct shm_listen *b)
{
	return memcmp(&a->addr, &b->addr, sizeof(a->addr)) == 0 && a->port_be == b->port_be;
}

// ---- Sockets that keep the kernel quiet ------------------------------------------------------

// Everything that reaches the socket is dropped by the filter, before it takes memory.
static int drop_all(int fd)
{
	struct sock_filter ret_zero = { .code = BPF_RET | BPF_K };
	struct sock_fprog program = { .len = 1, .filter = &ret_zero };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
											   : 0;
}

static socklen_t socket_address(const struct shm_listen *l, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (l->addr.family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = l->port_be;
		memcpy(&in->sin_addr, l->addr.bytes, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = l->port_be;
	memcpy(&in6->sin6_addr, l->addr.bytes, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

// The address may come to this host later (VRRP), so binding needs no local address.
static int bind_quiet(const struct shm_listen *l)
{
	struct sockaddr_storage ss;
	socklen_t len = socket_address(l, &ss);
	int one = 1;
	int fd = socket(l->addr.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	// A kernel without IPv6 has nothing to say about it; any other socket keeps the place.
	if (fd < 0 && errno == EAFNOSUPPORT && l->addr.family == AF_INET6)
		return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (l->addr.family == AF_INET6)
		rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0 ||
				setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one)) < 0
			? -errno
			: 0;
	else
		rc = setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) < 0 ? -errno : 0;
	if (rc == 0)
		rc = drop_all(fd);
	if (rc == 0 && bind(fd, (struct sockaddr *)&ss, len) < 0)
		rc = -errno;
	if (rc < 0) {
		(void)close(fd); // never carried anything
		return rc;
	}
	return fd;
}

static int find_bound(const struct dp_serve *serve, const struct shm_listen *l)
{
	for (unsigned i = 0; i < serve->n_bound; i++) {
		if (same_listen(&serve->bound[i].listen, l))
			return serve->bound[i].fd;
	}
	return -1;
}

// Close those of a new list that the present one hasn't.
static void close_new(const struct dp_serve *serve, const struct dp_bound *bound, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (find_bound(serve, &bound[i].listen) < 0)
			(void)close(bound[i].fd); // never carried anything
	}
}

// Sockets for all addresses; those that are bound already are kept.
static int bind_all(
	struct dp_serve *serve, struct dp_bound *bound, unsigned n, char *err, size_t err_size)
{
	char text[DP_ADDRESS_TEXT];

	for (unsigned i = 0; i < n; i++) {
		const struct shm_listen *l = &bound[i].listen;
		int fd = find_bound(serve, l);

		if (fd < 0)
			fd = bind_quiet(l);
		bound[i].fd = fd;
		if (fd >= 0)
			continue;
		(void)snprintf(err, err_size, "UDP port %u of %s: %s", ntohs(l->port_be),
			dp_address_text(&l->addr, text),
			fd == -EADDRINUSE ? "another program uses it" : strerror(-fd));
		close_new(serve, bound, i);
		return fd;
	}
	return 0;
}

static void adopt_bound(struct dp_serve *serve, struct dp_bound *bound, unsigned n)
{
	struct dp_serve before = *serve;

	serve->bound = bound;
	serve->n_bound = n;
	for (unsigned i = 0; i < before.n_bound; i++) {
		if (find_bound(serve, &before.bound[i].listen) < 0)
			(void)close(before.bound[i].fd); // never carried anything
	}
	free(before.bound);
}

// What is to be bound: where clients are served, and the tunnels. NULL: out of memory.
static struct dp_bound *list_bound(
	const struct shm_hello *hello, const struct shm_listen *tunnel, unsigned *ret_n)
{
	unsigned n = hello->listens + hello->tunnels;
	struct dp_bound *bound = calloc(n > 0 ? n : 1, sizeof(*bound));

	for (unsigned i = 0; bound != NULL && i < n; i++) {
		bound[i].listen =
			i < hello->listens ? hello->listen[i] : tunnel[i - hello->listens];
		bound[i].fd = -1;
	}
	*ret_n = n;
	return bound;
}

// Does the kernel see the frames of the outer port as well?
static bool kernel_sees(const struct dp_serve *serve)
{
	return (serve->core->port[0].flags & DP_PORT_KERNEL_SEES) != 0;
}

// ---- Publication -----------------------------------------------------------------------------

static bool same_subnets(const struct dp_config *c, const struct shm_hello *hello)
{
	return c->subnets == hello->subnets &&
		memcmp(c->subnet, hello->subnet, hello->subnets * sizeof(c->subnet[0])) == 0;
}

static struct dp_config *free_config(struct dp_config *c)
{
	if (c != NULL)
		(void)dp_tunnel_ports_free(c->ports); // always NULL
	free(c);
	return NULL;
}

static struct dp_config *make_config(struct dp_serve *serve, const struct shm_hello *hello,
	const struct shm_listen *tunnel, const struct dp_config *old)
{
	struct dp_core *core = serve->core;
	struct dp_config *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->flags = hello->flags &
		(SHM_HELLO_CLIENT_TO_CLIENT | SHM_HELLO_MOBILITY | SHM_HELLO_BLOCK_IPV6);
	c->listens = hello->listens;
	c->subnets = hello->subnets;
	memcpy(c->listen, hello->listen, sizeof(c->listen));
	memcpy(c->subnet, hello->subnet, sizeof(c->subnet));
	c->tun_mtu = hello->tun_mtu;
	c->occ_len = hello->occ_len;
	memcpy(c->occ, hello->occ, sizeof(c->occ));
	if (hello->tunnels > 0) {
		c->ports = dp_tunnel_ports_create(tunnel, hello->tunnels);
		if (c->ports == NULL)
			return free_config(c);
	}
	if (old != NULL && same_subnets(old, hello)) {
		c->tunnel = old->tunnel;
		return c;
	}
	c->tunnel = dp_tunnel_index_create(c->subnet, c->subnets);
	if (c->tunnel == NULL)
		return free_config(c);
	dp_tunnel_index_fill(c->tunnel, core->dir, core->session, core->sessions);
	return c;
}

static void free_retired(void *arg)
{
	struct dp_retired *retired = arg;

	if (retired->with_tunnel)
		(void)dp_tunnel_index_free(retired->config->tunnel); // always NULL
	(void)free_config(retired->config); // always NULL
	free(retired);
}

static int publish(
	struct dp_serve *serve, const struct shm_hello *hello, const struct shm_listen *tunnel)
{
	struct dp_core *core = serve->core;
	struct dp_config *old = atomic_load_explicit(&core->config, memory_order_relaxed);
	struct dp_retired *retired = malloc(sizeof(*retired));
	struct dp_config *config = make_config(serve, hello, tunnel, old);

	if (retired == NULL || config == NULL) {
		free(retired);
		(void)free_config(config); // always NULL
		return -ENOMEM;
	}
	atomic_store_explicit(&core->config, config, memory_order_release);
	*retired = (struct dp_retired){ .config = old,
		.with_tunnel = old != NULL && old->tunnel != config->tunnel };
	if (old != NULL)
		dp_grace_defer(serve->grace, free_retired, retired);
	else
		free(retired);
	return 0;
}

// The interface behind visp_tap and net_tap is made by us, so its MTU and address are ours to set,
// as OpenVPN does for its tun; after a restart of this process nobody else would.
static void set_inner_interface(struct dp_serve *serve, const struct shm_hello *hello)
{
	const struct dp_port_state *inner = &serve->ports[serve->core->ports - 1];

	uint16_t mtu = hello->tun_mtu < inner->port.mtu ? hello->tun_mtu : inner->port.mtu;
	int link;

	if ((inner->port.flags & DP_PORT_KERNEL_PEER) == 0 || inner->ifindex == 0)
		return;
	link = dp_address_link(inner->ifindex, mtu);
	if (link < 0)
		dp_log(DP_LOG_NOTICE, "inner: MTU %u can't be set on %s: %s", mtu,
			inner->device.iface, strerror(-link));
	for (unsigned i = 0; i < hello->subnets; i++) {
		const struct shm_subnet *s = &hello->subnet[i];
		char text[DP_ADDRESS_TEXT];
		int rc;

		if (s->server.family == 0)
			continue;
		rc = dp_address_add(inner->ifindex, &s->server, s->prefix_len);
		if (rc < 0)
			dp_log(DP_LOG_NOTICE, "inner: address %s/%u can't be set on %s: %s",
				dp_address_text(&s->server, text), s->prefix_len,
				inner->device.iface, strerror(-rc));
	}
}

int dp_serve_apply(struct dp_serve *serve, const struct shm_hello *hello,
	const struct shm_listen *tunnel, char *err, size_t err_size)
{
	struct dp_bound *bound = NULL;
	unsigned n = 0;
	int rc = -ENOMEM;

	(void)snprintf(err, err_size, "out of memory");
	if (kernel_sees(serve)) {
		bound = list_bound(hello, tunnel, &n);
		if (bound == NULL)
			return -ENOMEM;
		rc = bind_all(serve, bound, n, err, err_size);
		if (rc < 0)
			goto free_bound;
	}
	rc = publish(serve, hello, tunnel);
	if (rc < 0)
		goto close_bound;
	if (kernel_sees(serve))
		adopt_bound(serve, bound, n);
	if (serve->xdp != NULL)
		dp_xdp_set_listens(serve->xdp, hello, tunnel);
	set_inner_interface(serve, hello);
	return 0;

close_bound:
	if (bound != NULL)
		close_new(serve, bound, n);
free_bound:
	free(bound);
	return rc;
}

void dp_serve_done(struct dp_serve *serve)
{
	struct dp_config *config;

	for (unsigned i = 0; i < serve->n_bound; i++)
		(void)close(serve->bound[i].fd); // never carried anything
	free(serve->bound);
	serve->bound = NULL;
	serve->n_bound = 0;
	if (serve->core == NULL)
		return;
	config = atomic_exchange_explicit(&serve->core->config, NULL, memory_order_acq_rel);
	if (config != NULL)
		(void)dp_tunnel_index_free(config->tunnel); // always NULL
	(void)free_config(config); // always NULL
}
