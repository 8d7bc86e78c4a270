// SPDX-License-Identifier: BSD-3-Clause
#include "client/sibling.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "client/client.h"
#include "client/log.h"

static void next(struct vc_client *c);

static void to_sockaddr(const struct cfg_addr *addr, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *sin = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = addr->family;
	if (addr->family == AF_INET6) {
		memcpy(&sin6->sin6_addr, addr->bytes, 16);
		sin6->sin6_port = htons(port);
	} else {
		memcpy(&sin->sin_addr, addr->bytes, 4);
		sin->sin_port = htons(port);
	}
}

// Of one remote.
static bool find_in(const struct cfg_remote *remote, const struct vc_known *known, uint16_t family,
	struct sockaddr_storage *ret_addr)
{
	struct cfg_addr numeric;

	if (remote->family != AF_UNSPEC && remote->family != family)
		return false;
	if (cfg_addr_parse(remote->host, &numeric) == 0) {
		if (numeric.family != family)
			return false;
		to_sockaddr(&numeric, remote->port, ret_addr);
		return true;
	}
	for (unsigned i = 0; i < known->n; i++) {
		if (known->addr[i].ss_family != family)
			continue;
		*ret_addr = known->addr[i];
		return true;
	}
	return false;
}

bool vc_sibling_find(const struct cfg_client *cfg, const struct vc_connect *n, uint16_t family,
	struct sockaddr_storage *ret_addr)
{
	for (unsigned k = 1; k < cfg->n_remotes; k++) {
		unsigned i = n->order[(n->at + k) % cfg->n_remotes];

		if (find_in(&cfg->remotes[i], &n->known[i], family, ret_addr))
			return true;
	}
	return false;
}

bool vc_sibling_allowed(const struct vc_client *c)
{
	return c->cfg->mobility == CFG_MOBILITY_AGGRESSIVE && !c->session.is_static;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct vc_client *c = req->data;
	struct vc_connect *n = &c->connect;
	unsigned i = n->aside_at++;

	n->aside_busy = false;
	if (status == 0)
		n->known[i].n = vc_connect_take(
			list, c->cfg->remotes[i].port, n->known[i].addr, VC_CONNECT_KNOWN);
	uv_freeaddrinfo(list);
	if (status == UV_ECANCELED || c->phase != VC_PHASE_UP)
		return;
	vc_connect_other(c);
	next(c);
}

// Go on with the next name of which nothing is known.
static void next(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };

	for (; n->aside_at < c->cfg->n_remotes; n->aside_at++) {
		const struct cfg_remote *remote = &c->cfg->remotes[n->aside_at];
		struct cfg_addr numeric;

		if (c->watch.other.family != AF_UNSPEC)
			return;
		if (n->aside_at == n->remote || n->known[n->aside_at].n > 0 ||
			cfg_addr_parse(remote->host, &numeric) == 0)
			continue;
		hints.ai_family = remote->family;
		n->aside.data = c;
		if (uv_getaddrinfo(&c->loop, &n->aside, on_resolved, remote->host, NULL, &hints) <
			0)
			continue;
		n->aside_busy = true;
		return;
	}
}

void vc_sibling_resolve(struct vc_client *c)
{
	if (!vc_sibling_allowed(c) || c->connect.aside_busy)
		return;
	c->connect.aside_at = 0;
	next(c);
}
