// SPDX-License-Identifier: BSD-3-Clause
#include "client/mobility.h"

#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/event.h"
#include "client/log.h"
#include "client/pace.h"
#include "protocol/mobility.h"
#include "protocol/ping.h"

#define VC_OLD_SOCKET_MS 10000 // late packets of the old path are read for that long
#define VC_BUSY_SILENCE_MS 1000 // no answer for so long while we send: something is wrong
#define VC_ANSWER_WINDOW_US 2000000 // a Ping this soon after a probe counts as its answer
#define VC_BLIND_PROBES 6 // to a server of which nothing is known, then a new connection
#define VC_GUESS_PROBES 24 // to what may be another server, about 5 s; then a new connection
#define VC_OTHER_FAMILY_PROBES 3 // unanswered ones, then the server is asked in both families
#define VC_SAME_PATH_PROBES 24 // on a silent path, then a fresh socket is tried there

static void probe(struct vc_client *c);

enum vc_probe vc_probe_kind(bool announced, bool v2, bool aggressive)
{
	if (!aggressive)
		return VC_PROBE_NONE;
	if (announced)
		return VC_PROBE_RECONF;
	return v2 ? VC_PROBE_OCC : VC_PROBE_RECONF;
}

static enum vc_probe kind_of(const struct vc_client *c)
{
	if (c->session.is_static)
		return VC_PROBE_NONE; // a peer with a static key answers nothing at once
	return vc_probe_kind(c->session.pushed.mobility, c->session.v2,
		c->cfg->mobility == CFG_MOBILITY_AGGRESSIVE);
}

static void on_timer(uv_timer_t *timer)
{
	probe(timer->data);
}

int vc_mobility_init(struct vc_client *c)
{
	c->mobility.timer.data = c;
	return uv_timer_init(&c->loop, &c->mobility.timer);
}

bool vc_mobility_busy(const struct vc_mobility *m)
{
	return m->active && !m->silent;
}

void vc_mobility_stop(struct vc_client *c)
{
	c->mobility.active = false;
	c->mobility.silent = false;
	c->mobility.guess = false;
	c->mobility.cand = NULL;
	c->mobility.other = NULL;
	(void)uv_timer_stop(&c->mobility.timer);
}

// Take a socket out of use, but go on reading it for a while.
static void retire(struct vc_client *c, struct vc_sock *sock)
{
	if (sock == NULL)
		return;
	sock->close_ms = vc_now_ms() + VC_OLD_SOCKET_MS;
	if (c->link.cur == sock)
		c->link.cur = NULL; // the data thread learns of its successor, or of none
}

// What was tried and isn't in use: nobody else would close it.
static void retire_tried(struct vc_client *c)
{
	struct vc_mobility *m = &c->mobility;

	if (m->cand != c->link.cur)
		retire(c, m->cand);
	retire(c, m->other);
	m->cand = NULL;
	m->other = NULL;
}

// Have a message sent, with the server's session id if it is a reconfiguration Ping. Returns 0 or
// -errno.
static int send_message(struct vc_client *c, struct vc_sock *sock, enum vc_probe kind)
{
	uint8_t plain[64];
	struct ovpn_occ occ = { .op = OVPN_OCC_REQUEST };
	const uint8_t *sid = NULL;
	size_t len = OVPN_PING_LEN;
	int rc = 0;

	if (!c->session.have_keys)
		return -ENOKEY;
	if (kind == VC_PROBE_RECONF && c->session.active != NULL)
		sid = c->session.active->ch.remote_sid;
	if (kind == VC_PROBE_OCC)
		rc = ovpn_occ_build(&occ, plain, sizeof(plain), &len);
	else
		ovpn_ping_put(plain);
	return rc < 0 ? rc : vc_engine_send(c->engine, sock->id, plain, len, sid);
}

static void arm(struct vc_client *c)
{
	uv_update_time(&c->loop);
	(void)uv_timer_start(&c->mobility.timer, on_timer, vc_pace_probe_ms(c->mobility.sent), 0);
}

// A silent path was probed for long enough: perhaps the NAT has forgotten this port for good.
static void fresh_socket(struct vc_client *c)
{
	struct vc_path path;

	if (vc_session_in_handshake(c)) { // it would lose its address
		retire_tried(c);
		vc_mobility_stop(c);
	} else if (vc_watch_look(&c->watch, &c->watch.server, &path) == 0)
		vc_mobility_moved(c, &path);
}

// Does a family lead to an address of which nothing says yet that it is this server's?
static bool is_guess(const struct vc_client *c, uint16_t family)
{
	return c->connect.guess && c->link.other.ss_family == family;
}

// The path found may lead nowhere, as IPv6 of some hotspots does: ask over the other family too.
static void add_other(struct vc_client *c)
{
	struct vc_mobility *m = &c->mobility;
	struct vc_path path;

	if (m->other != NULL || m->sent < VC_OTHER_FAMILY_PROBES ||
		c->watch.other.family == AF_UNSPEC ||
		// A stock server that isn't ours would write of it in its log.
		(is_guess(c, c->watch.other.family) && !c->session.pushed.mobility) ||
		vc_watch_look(&c->watch, &c->watch.other, &path) < 0)
		return;
	if (vc_link_open(&c->link, &path, false, &m->other) < 0) {
		m->other = NULL;
		return;
	}
	vc_engine_watch(c->engine, m->other->id);
	vc_event("other_family", "\"ifindex\": %d", path.ifindex);
}

// Without a tag nothing proves whose a packet is: such a server must not be sent a reconfiguration
// Ping that it didn't ask for. Source: protocol.md 13.9.
static bool is_authentic(const struct vc_client *c)
{
	return ovpn_cipher_is_aead(c->session.cipher) || strcmp(c->cfg->tls.auth, "none") != 0;
}

static void probe(struct vc_client *c)
{
	struct vc_mobility *m = &c->mobility;
	enum vc_probe kind = kind_of(c);
	int rc;

	if (!m->active || m->cand == NULL)
		return;
	if (m->silent && m->sent >= VC_SAME_PATH_PROBES) {
		fresh_socket(c);
		return;
	}
	if (!c->session.pushed.mobility && !c->session.v2 &&
		(m->sent >= VC_BLIND_PROBES || !is_authentic(c))) {
		vc_client_again(c, "the server doesn't follow to the new address", 0);
		return;
	}
	if (m->guess && m->sent >= VC_GUESS_PROBES) {
		vc_client_again(c, "no answer at the other remote's address", 0);
		return;
	}
	m->probe_us = vc_now_us();
	rc = send_message(c, m->cand, kind);
	if (rc == -ENOKEY)
		return;
	m->sent++;
	m->probes++;
	add_other(c);
	if (m->other != NULL)
		(void)send_message(c, m->other, kind); // it is one of two
	vc_event("probe", "\"n\": %u, \"kind\": \"%s\", \"silent\": %s, \"error\": %d", m->sent,
		kind == VC_PROBE_OCC		  ? "occ"
			: kind == VC_PROBE_RECONF ? "reconf"
						  : "ping",
		m->silent ? "true" : "false", rc);
	arm(c);
}

// The socket that is already open on this very path, if any; not the one that was tried in vain.
static struct vc_sock *sock_on(
	struct vc_client *c, const struct vc_path *path, const struct vc_sock *tried)
{
	for (struct vc_sock *s = c->link.socks; s != NULL; s = s->next) {
		if (s != tried && vc_path_judge(&s->path, path) == VC_PATH_SAME)
			return s;
	}
	return NULL;
}

static void use(struct vc_client *c, struct vc_sock *sock)
{
	sock->close_ms = 0;
	vc_link_use(&c->link, sock);
	vc_tunnel_resize(c, sock->path.family);
	vc_tunnel_resume(c);
	vc_tunnel_path(c);
}

void vc_mobility_moved(struct vc_client *c, const struct vc_path *path)
{
	struct vc_mobility *m = &c->mobility;
	char text[VC_PATH_TEXT];
	struct vc_sock *sock = NULL;
	struct vc_sock *tried;
	bool again = m->silent; // same path, fresh socket
	// On the same interface the old path went when the new one came, though it may look the
	// same: hotspots give the same private address and gateway.
	bool old_alive = c->link.cur != NULL && c->link.cur->path.ifindex != path->ifindex &&
		vc_watch_alive(&c->watch, &c->link.cur->path);
	int rc;

	c->offline = false;
	if (!vc_session_moved(c)) {
		vc_client_again(c, "the address changed during a handshake", 0);
		return;
	}
	vc_log(VC_INFO, "path changed: %s session=%u", vc_path_text(path, text), c->session.serial);
	vc_event("path_change", "\"ifindex\": %d, \"old_alive\": %s", path->ifindex,
		old_alive ? "true" : "false");
	tried = m->cand;
	retire_tried(c);
	if (!again)
		sock = sock_on(c, path, tried);
	if (sock == NULL) {
		rc = vc_link_open(&c->link, path, false, &sock);
		if (rc < 0) {
			vc_log(VC_WARN, "no socket on the new path: %s", strerror(-rc));
			vc_mobility_stop(c);
			return; // the next event, or the net under it, asks again
		}
	}
	sock->close_ms = 0; // it may be one that was retired
	vc_watch_use(&c->watch, path);
	if (kind_of(c) == VC_PROBE_NONE) {
		// As stock clients and as lazy mode: data goes on from the new address. Without a
		// peer-id the server could not know whose it is.
		retire(c, c->link.cur);
		use(c, sock);
		if (c->session.is_static)
			vc_static_knock(c); // a peer with `float` follows
		else if (!c->session.v2 && !c->session.pushed.mobility_lazy)
			vc_client_again(c, "the address changed", 0);
		return;
	}
	m->cand = sock;
	m->active = true;
	m->silent = false;
	m->guess = is_guess(c, path->family);
	m->sent = 0;
	m->begun_us = vc_now_us();
	vc_engine_watch(c->engine, sock->id);
	probe(c);
	if (!m->active)
		return;
	if (old_alive)
		vc_tunnel_path(c);
	if (!old_alive && c->link.cur != sock) {
		// With a peer-id nothing is lost by sending data along behind the first Ping.
		// Without one the server knows the address only once it has worked on the Ping, so
		// packets wait in the device for the evidence. So they do where it may be another
		// server.
		retire(c, c->link.cur);
		if (c->session.v2 && !m->guess)
			use(c, sock);
		else {
			vc_tunnel_pause(c);
			vc_link_use(&c->link, NULL);
		}
	}
}

void vc_mobility_lost(struct vc_client *c)
{
	vc_log(VC_INFO, "no path to the server session=%u", c->session.serial);
	vc_event("path_lost", NULL);
	retire_tried(c);
	vc_mobility_stop(c);
	vc_tunnel_pause(c);
	retire(c, c->link.cur);
	vc_link_use(&c->link, NULL);
	c->offline = true;
}

// Evidence came: data goes over this socket from now on.
static void settle(struct vc_client *c, struct vc_sock *sock)
{
	struct vc_mobility *m = &c->mobility;
	bool moved = !m->silent;
	unsigned sent = m->sent;
	uint64_t took_us = vc_now_us() - m->begun_us;

	vc_mobility_stop(c);
	vc_event("evidence", "\"sent\": %u, \"took_us\": %llu, \"silent\": %s", sent,
		(unsigned long long)took_us, moved ? "false" : "true");
	if (!moved)
		return;
	m->moves++;
	if (is_guess(c, sock->path.family)) {
		vc_log(VC_INFO, "the other remote is the same server session=%u",
			c->session.serial);
		c->connect.guess = false;
	}
	if (c->link.cur != sock)
		retire(c, c->link.cur);
	use(c, sock);
	// The server lets a moved download run freely only after a second, newer packet.
	(void)send_message(c, sock, VC_PROBE_PING);
	vc_event("switch", "\"moves\": %llu", (unsigned long long)m->moves);
	vc_log(VC_INFO, "moved in %llu us after %u probes moves=%llu session=%u",
		(unsigned long long)took_us, sent, (unsigned long long)m->moves, c->session.serial);
	vc_session_run(c);
}

static void proven(struct vc_client *c, struct vc_sock *sock)
{
	struct vc_mobility *m = &c->mobility;
	char text[VC_PATH_TEXT];

	if (sock == m->other) {
		vc_log(VC_INFO, "the server answers over %s", vc_path_text(&sock->path, text));
		vc_watch_use(&c->watch, &sock->path);
		if (m->cand != c->link.cur)
			retire(c, m->cand);
		m->silent = false; // it is a move, whatever it began as
	} else {
		retire(c, m->other);
	}
	settle(c, sock);
}

void vc_mobility_heard(struct vc_client *c, struct vc_sock *sock, bool answer)
{
	struct vc_mobility *m = &c->mobility;

	if (answer && m->probe_us != 0 && vc_now_us() - m->probe_us < VC_ANSWER_WINDOW_US) {
		m->answers++;
		vc_event("answer", "\"answers\": %llu", (unsigned long long)m->answers);
	}
	if (m->active && sock != NULL && (sock == m->cand || sock == m->other))
		proven(c, sock);
}

void vc_mobility_probe_now(struct vc_client *c)
{
	struct vc_mobility *m = &c->mobility;

	if (m->active || c->link.cur == NULL || !c->session.have_keys ||
		kind_of(c) == VC_PROBE_NONE || vc_session_in_handshake(c))
		return;
	m->active = true;
	m->silent = true;
	m->other = NULL;
	m->cand = c->link.cur;
	m->sent = 0;
	m->begun_us = vc_now_us();
	vc_event("silence", NULL);
	vc_engine_watch(c->engine, m->cand->id);
	probe(c);
}

void vc_mobility_tick(struct vc_client *c, uint64_t now_ms)
{
	uint64_t silent_ms = now_ms - c->last_rx_ms;
	uint32_t ping_s = c->session.pushed.tunnel.ping_s;
	bool sending = c->last_data_tx_ms > c->last_rx_ms;

	if (c->mobility.active || c->link.cur == NULL)
		return;
	// A server that neither announced mobility nor gave a peer-id wouldn't answer.
	if (!c->session.pushed.mobility && !c->session.v2)
		return;
	if ((sending && silent_ms >= VC_BUSY_SILENCE_MS) ||
		(ping_s != 0 && silent_ms >= 2000ull * ping_s))
		vc_mobility_probe_now(c);
}
