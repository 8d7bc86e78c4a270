// SPDX-License-Identifier: BSD-3-Clause
#include "client/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/event.h"
#include "client/log.h"
#include "client/pace.h"
#include "client/sibling.h"

static void attempt(struct vc_client *c);
static void resolve(struct vc_client *c);
static bool take_known(struct vc_client *c);

static uint32_t random32(void)
{
	uint32_t value = 0;

	(void)RAND_bytes((unsigned char *)&value, sizeof(value)); // jitter needs no more
	return value;
}

static void from_sockaddr(const struct sockaddr_storage *sa, struct cfg_addr *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->family = sa->ss_family;
	if (sa->ss_family == AF_INET6) {
		ret_addr->prefix = 128;
		memcpy(ret_addr->bytes, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
	} else {
		ret_addr->prefix = 32;
		memcpy(ret_addr->bytes, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	}
}

int vc_connect_init(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;

	for (unsigned i = 0; i < c->cfg->n_remotes; i++)
		n->order[i] = i;
	if (c->cfg->remote_random) {
		for (unsigned i = (unsigned)c->cfg->n_remotes; i > 1; i--) {
			unsigned j = random32() % i;
			unsigned swap = n->order[i - 1];

			n->order[i - 1] = n->order[j];
			n->order[j] = swap;
		}
	}
	n->timer.data = c;
	return uv_timer_init(&c->loop, &n->timer);
}

static void on_timer(uv_timer_t *timer)
{
	struct vc_client *c = timer->data;

	if (c->connect.addr_at < c->connect.n_addrs)
		attempt(c);
	else
		resolve(c);
}

static void next_after(struct vc_client *c, uint64_t ms)
{
	uv_update_time(&c->loop);
	(void)uv_timer_start(&c->connect.timer, on_timer, ms, 0);
}

// Take the next remote of the order; a pause when all were tried.
static void next_remote(struct vc_client *c, uint32_t delay_s)
{
	struct vc_connect *n = &c->connect;
	uint64_t ms = (uint64_t)delay_s * 1000;

	n->addr_at = 0;
	n->n_addrs = 0;
	n->at = (n->at + 1) % (unsigned)c->cfg->n_remotes;
	n->remote = n->order[n->at];
	if (++n->tried >= c->cfg->n_remotes) {
		uint32_t pause = vc_pace_retry_ms(n->failed, c->cfg->connect_retry_s,
			c->cfg->connect_retry_max_s, random32());

		n->tried = 0;
		n->failed++;
		if (pause > ms)
			ms = pause;
	}
	if (c->cfg->connect_retry_count != 0 && n->failed >= c->cfg->connect_retry_count) {
		vc_client_fatal(c, "no server could be reached (connect-retry-max)");
		return;
	}
	if (ms > 0)
		vc_log(VC_INFO, "next attempt in %u.%u s", (unsigned)(ms / 1000),
			(unsigned)(ms / 100 % 10));
	next_after(c, ms);
}

void vc_connect_again(struct vc_client *c, bool was_up, uint32_t delay_s)
{
	struct vc_connect *n = &c->connect;

	n->waiting_path = false;
	if (was_up) {
		// Same server, known address, but not the whole herd at the same moment.
		uint32_t pause = vc_pace_retry_ms(0, c->cfg->connect_retry_s, 300, random32());

		(void)take_known(c);
		n->tried = 0;
		n->failed = 0;
		next_after(c, delay_s != 0 ? (uint64_t)delay_s * 1000 : pause);
		return;
	}
	if (n->addr_at + 1 < n->n_addrs) {
		n->addr_at++;
		next_after(c, (uint64_t)delay_s * 1000);
		return;
	}
	next_remote(c, delay_s);
}

void vc_connect_advance(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;

	n->at = (n->at + 1) % (unsigned)c->cfg->n_remotes;
	n->remote = n->order[n->at];
	n->n_addrs = 0;
	n->addr_at = 0;
}

void vc_connect_succeeded(struct vc_client *c)
{
	c->connect.tried = 0;
	c->connect.failed = 0;
}

bool vc_connect_more_addresses(const struct vc_client *c)
{
	return c->connect.addr_at + 1 < c->connect.n_addrs;
}

bool vc_connect_more(const struct vc_client *c)
{
	return c->connect.tried + 1 < c->cfg->n_remotes ||
		c->connect.addr_at + 1 < c->connect.n_addrs;
}

void vc_connect_other(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;
	const uint16_t family = c->link.remote.ss_family == AF_INET6 ? AF_INET : AF_INET6;
	struct cfg_addr server, other;
	bool has_other = false;

	memset(&c->link.other, 0, sizeof(c->link.other));
	for (unsigned k = 0; k < n->n_addrs && !has_other; k++) {
		has_other = n->addr[k].ss_family == family;
		if (has_other)
			c->link.other = n->addr[k];
	}
	n->guess = !has_other && vc_sibling_allowed(c) &&
		vc_sibling_find(c->cfg, n, family, &c->link.other);
	from_sockaddr(&c->link.remote, &server);
	from_sockaddr(&c->link.other, &other);
	vc_watch_server(&c->watch, &server, has_other || n->guess ? &other : NULL);
}

// The address to try now: from the one at hand on the first that a path leads to, in whatever
// family. The first one of the other family is kept for moves. Returns 0 or -ENETUNREACH; then the
// address at hand is waited for.
static int choose(struct vc_client *c, struct cfg_addr *ret_server, struct vc_path *ret_path)
{
	struct vc_connect *n = &c->connect;
	unsigned i = n->addr_at;

	while (i < n->n_addrs) {
		from_sockaddr(&n->addr[i], ret_server);
		if (vc_watch_look(&c->watch, ret_server, ret_path) == 0)
			break;
		i++;
	}
	if (i < n->n_addrs)
		n->addr_at = i;
	c->link.remote = n->addr[n->addr_at];
	from_sockaddr(&c->link.remote, ret_server);
	vc_connect_other(c);
	return i < n->n_addrs ? 0 : -ENETUNREACH;
}

// Open a socket to the address at hand and send the first packet.
static void attempt(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;
	const struct cfg_remote *remote = &c->cfg->remotes[n->remote];
	char text[CFG_ADDR_TEXT], path_text[VC_PATH_TEXT];
	struct vc_sock *sock;
	struct vc_path path;
	struct cfg_addr server;
	int rc;

	c->link.local = remote->local;
	c->link.lport = remote->nobind ? 0 : remote->lport;
	rc = choose(c, &server, &path);
	if (rc < 0 && n->addr_at > 0) {
		next_remote(c, 0); // of this one's addresses the rest can't be reached from here
		return;
	}
	if (rc < 0 && ++n->pathless < c->cfg->n_remotes) {
		vc_connect_advance(c); // perhaps there is one to another remote
		next_after(c, 0);
		return;
	}
	n->pathless = 0;
	if (rc < 0) {
		if (!n->waiting_path)
			vc_log(VC_INFO, "no path to %s, waiting for one",
				cfg_addr_text(&server, false, text));
		n->waiting_path = true;
		c->offline = true;
		memset(&path, 0, sizeof(path));
		vc_watch_use(&c->watch, &path);
		return; // watch.c calls when there is one
	}
	n->waiting_path = false;
	c->offline = false;
	n->attempts++;
	vc_watch_use(&c->watch, &path);
	c->session.channel_config.max_packet = 1250;
	c->session.channel_config.ipv6 = server.family == AF_INET6;
	c->session.channel_config.retransmit_ms = c->cfg->tls.tls_timeout_s * 1000;
	vc_log(VC_INFO, "connecting to %s port %u over %s", cfg_addr_text(&server, false, text),
		remote->port, vc_path_text(&path, path_text));
	vc_event("connecting", "\"attempt\": %u, \"server\": \"%s\"", n->attempts, text);
	rc = vc_link_open(&c->link, &path, true, &sock);
	if (rc == 0) {
		vc_link_use(&c->link, sock);
		rc = vc_session_begin(c);
	}
	if (rc < 0) {
		vc_log(VC_WARN, "can't send to %s: %s", text, strerror(-rc));
		vc_client_again(c, "no socket", 0);
	}
}

unsigned vc_connect_take(
	const struct addrinfo *list, uint16_t port, struct sockaddr_storage *addr, unsigned max)
{
	unsigned count = 0;

	for (; list != NULL && count < max; list = list->ai_next) {
		struct sockaddr_storage *sa = &addr[count];

		if (list->ai_addrlen > sizeof(*sa))
			continue;
		memcpy(sa, list->ai_addr, list->ai_addrlen);
		if (sa->ss_family == AF_INET6)
			((struct sockaddr_in6 *)sa)->sin6_port = htons(port);
		else if (sa->ss_family == AF_INET)
			((struct sockaddr_in *)sa)->sin_port = htons(port);
		else
			continue;
		count++;
	}
	return count;
}

static void take_addresses(struct vc_client *c, const struct addrinfo *list)
{
	struct vc_connect *n = &c->connect;
	struct vc_known *known = &n->known[n->remote];

	n->addr_at = 0;
	n->n_addrs =
		vc_connect_take(list, c->cfg->remotes[n->remote].port, n->addr, VC_CONNECT_ADDRS);
	known->n = n->n_addrs < VC_CONNECT_KNOWN ? n->n_addrs : VC_CONNECT_KNOWN;
	memcpy(known->addr, n->addr, known->n * sizeof(known->addr[0]));
}

// Use what the remote's name meant before. Returns false when that isn't known.
static bool take_known(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;
	const struct vc_known *known = &n->known[n->remote];

	memcpy(n->addr, known->addr, known->n * sizeof(known->addr[0]));
	n->n_addrs = known->n;
	n->addr_at = 0;
	return known->n > 0;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct vc_client *c = req->data;
	const char *host = c->cfg->remotes[c->connect.remote].host;

	c->connect.resolving = false;
	if (status != UV_ECANCELED && c->phase != VC_PHASE_LEAVE) {
		if (status == 0)
			take_addresses(c, list);
		if (status == 0 && c->connect.n_addrs > 0) {
			attempt(c);
		} else {
			vc_log(VC_WARN, "can't resolve %s: %s", host,
				status < 0 ? uv_strerror(status) : "no address");
			if (take_known(c))
				attempt(c);
			else if (c->cfg->resolv_retry_s == 0 && !vc_connect_more(c))
				vc_client_fatal(c, "the server's name can't be resolved");
			else
				next_remote(c, 0);
		}
	}
	uv_freeaddrinfo(list);
}

static void resolve(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;
	const struct cfg_remote *remote = &c->cfg->remotes[n->remote];
	struct addrinfo hints = {
		.ai_family = remote->family, .ai_socktype = SOCK_DGRAM
	}; // addresses of a family that isn't there now are kept for when it is
	struct cfg_addr numeric;
	int rc;

	if (n->resolving)
		return;
	if (cfg_addr_parse(remote->host, &numeric) == 0) {
		hints.ai_flags = AI_NUMERICHOST;
		hints.ai_family = numeric.family;
	}
	n->resolve.data = c;
	n->resolving = true;
	rc = uv_getaddrinfo(&c->loop, &n->resolve, on_resolved, remote->host, NULL, &hints);
	if (rc < 0) {
		n->resolving = false;
		vc_log(VC_WARN, "can't resolve %s: %s", remote->host, uv_strerror(rc));
		next_remote(c, 0);
	}
}

void vc_connect_start(struct vc_client *c)
{
	c->connect.remote = c->connect.order[0];
	resolve(c);
}

void vc_connect_now(struct vc_client *c)
{
	next_after(c, 0);
}

void vc_connect_path(struct vc_client *c)
{
	struct vc_connect *n = &c->connect;

	c->offline = false;
	if (n->resolving)
		return;
	if (n->waiting_path || uv_is_active((uv_handle_t *)&n->timer))
		next_after(c, 0);
}
