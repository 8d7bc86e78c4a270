// SPDX-License-Identifier: BSD-3-Clause
#include "bench/probe/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/probe/stream.h"
#include "bench/probe/wire.h"

#define SESSIONS_MAX 128
#define CONNECTIONS_MAX 256
#define TICK_NS 1000000 // downlink probes leave on a grid of 1 ms

struct session {
	uint32_t token;
	struct sockaddr_in peer; // in the tunnel, so it stays when the outer address changes
	uint64_t interval_ns; // between downlink probes, 0 = none
	uint64_t next_ns;
	uint64_t seen_ns; // when the newest uplink probe came
	struct pg_report sum;
	uint64_t down_sent_ns[PG_PROBE_MAX];
	uint8_t up_seen[PG_PROBE_MAX];
};

struct connection {
	bool open; // the first message has been read
	uint32_t token;
	struct pg_stream stream;
};

struct server {
	int udp_fd;
	int tcp_fd;
	int epoll_fd;
	unsigned sessions;
	struct session *session[SESSIONS_MAX];
	struct connection *connection[CONNECTIONS_MAX]; // NULL = free
};

static struct session *session_find(struct server *srv, uint32_t token)
{
	for (unsigned i = 0; i < srv->sessions; i++) {
		if (srv->session[i]->token == token)
			return srv->session[i];
	}
	return NULL;
}

static struct session *session_get(struct server *srv, uint32_t token)
{
	struct session *s = session_find(srv, token);

	if (s != NULL || srv->sessions == SESSIONS_MAX)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->token = token;
	srv->session[srv->sessions++] = s;
	return s;
}

static void on_probe(struct server *srv, const struct pg_probe *p, const struct sockaddr_in *from)
{
	struct session *s = p->kind == PG_PROBE_HELLO ? session_get(srv, p->token)
						      : session_find(srv, p->token);

	if (s == NULL)
		return;
	s->peer = *from;
	switch (p->kind) {
	case PG_PROBE_HELLO:
		s->interval_ns = p->rate == 0 ? 0 : 1000000000u / p->rate;
		s->next_ns = pg_now_ns();
		break;
	case PG_PROBE_UP:
		s->seen_ns = pg_now_ns();
		if (p->seq >= PG_PROBE_MAX)
			break;
		s->up_seen[p->seq] = 1;
		if (p->seq >= s->sum.up_count)
			s->sum.up_count = p->seq + 1;
		break;
	case PG_PROBE_BYE: s->interval_ns = 0; break;
	default: break;
	}
}

static void on_udp(struct server *srv)
{
	for (;;) {
		struct pg_probe p;
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(
			srv->udp_fd, &p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0)
			return;
		if (n == (ssize_t)sizeof(p) && p.magic == PG_PROBE_MAGIC)
			on_probe(srv, &p, &from);
	}
}

// Send the downlink probes that are due. One that is late is sent, never skipped.
static void on_tick(struct server *srv)
{
	uint64_t now = pg_now_ns();

	for (unsigned i = 0; i < srv->sessions; i++) {
		struct session *s = srv->session[i];

		while (s->interval_ns != 0 && s->next_ns <= now &&
			s->sum.down_count < PG_PROBE_MAX) {
			struct pg_probe p = { .magic = PG_PROBE_MAGIC, .kind = PG_PROBE_DOWN };

			p.token = s->token;
			p.seq = s->sum.down_count;
			p.sent_ns = pg_now_ns();
			p.seen_ns = s->seen_ns;
			s->down_sent_ns[s->sum.down_count++] = p.sent_ns;
			s->next_ns += s->interval_ns;
			// A probe that can't be sent is a lost probe.
			(void)sendto(srv->udp_fd, &p, sizeof(p), MSG_DONTWAIT,
				(struct sockaddr *)&s->peer, sizeof(s->peer));
		}
	}
}

// What the report says of uploads: those that ended plus those that go on.
static void report_uploads(struct server *srv, struct session *s, struct pg_report *out)
{
	*out = s->sum;
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *c = srv->connection[i];
		uint64_t gap_ns;

		if (c == NULL || !c->open || c->token != s->token || c->stream.sending)
			continue;
		gap_ns = pg_stream_gap_ns(&c->stream);
		out->up_bytes += c->stream.bytes;
		out->up_bad |= c->stream.bad;
		if (gap_ns > out->up_gap_ns)
			out->up_gap_ns = gap_ns;
	}
}

// A child sends the report, so that a slow tunnel doesn't hold up the other sessions.
static void report_send(struct server *srv, struct session *s, int fd)
{
	struct pg_report rep;

	report_uploads(srv, s, &rep);
	if (fork() != 0)
		return;
	if (pg_write_all(fd, &rep, sizeof(rep)) == 0 &&
		pg_write_all(fd, s->up_seen, rep.up_count) == 0)
		(void)pg_write_all(fd, s->down_sent_ns, rep.down_count * sizeof(uint64_t));
	_exit(0);
}

static void connection_close(struct server *srv, unsigned i)
{
	struct connection *c = srv->connection[i];
	struct session *s = session_find(srv, c->token);

	if (s != NULL && c->open && !c->stream.sending) {
		s->sum.up_bytes += c->stream.bytes;
		s->sum.up_bad |= c->stream.bad;
		if (c->stream.gap_ns > s->sum.up_gap_ns)
			s->sum.up_gap_ns = c->stream.gap_ns;
	}
	(void)close(c->stream.fd);
	free(c);
	srv->connection[i] = NULL;
}

// Read the first message of a connection once it is there whole. Returns 1 when the connection
// goes on, 0 when it is served or broken.
static int connection_open(struct server *srv, struct connection *c, unsigned i)
{
	struct pg_stream_open msg;
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };
	int fd = c->stream.fd;
	ssize_t n = recv(fd, &msg, sizeof(msg), MSG_PEEK | MSG_DONTWAIT);
	struct session *s;

	if (n < 0 && errno == EAGAIN)
		return 1;
	if (n <= 0)
		return 0;
	if (n < (ssize_t)sizeof(msg))
		return 1;
	(void)recv(fd, &msg, sizeof(msg), 0); // it has just been seen to be there
	if (msg.magic != PG_PROBE_MAGIC)
		return 0;
	if (msg.kind == PG_STREAM_REPORT) {
		s = session_find(srv, msg.token);
		if (s != NULL)
			report_send(srv, s, fd);
		return 0;
	}
	pg_stream_init(&c->stream, fd, msg.kind == PG_STREAM_DOWN, msg.bytes, msg.rate);
	c->token = msg.token;
	c->open = true;
	ev.events = c->stream.sending ? EPOLLOUT : EPOLLIN;
	return epoll_ctl(srv->epoll_fd, EPOLL_CTL_MOD, fd, &ev) == 0;
}

static void on_connection(struct server *srv, unsigned i)
{
	struct connection *c = srv->connection[i];

	if (c == NULL)
		return;
	if (!c->open) {
		if (connection_open(srv, c, i) == 0)
			connection_close(srv, i);
		return;
	}
	if (pg_stream_step(&c->stream) < 0) {
		connection_close(srv, i);
		return;
	}
	if (!c->stream.ended)
		return;
	if (!c->stream.sending) {
		struct pg_stream_end end = { c->stream.bytes, c->stream.gap_ns, c->stream.bad };

		(void)pg_write_all(c->stream.fd, &end, sizeof(end)); // 24 bytes always fit
	}
	connection_close(srv, i);
}

static void on_accept(struct server *srv)
{
	int fd = accept4(srv->tcp_fd, NULL, NULL, SOCK_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN };

	if (fd < 0)
		return;
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c;

		if (srv->connection[i] != NULL)
			continue;
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			break;
		c->stream.fd = fd;
		srv->connection[i] = c;
		ev.data.u32 = i;
		if (epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
			connection_close(srv, i);
		return;
	}
	(void)close(fd);
}

// Event tags beyond the connections' indexes.
enum { TAG_UDP = CONNECTIONS_MAX, TAG_TCP, TAG_TICK, TAG_STOP };

static int watch(struct server *srv, int fd, uint32_t tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = tag };

	return fd < 0 || epoll_ctl(srv->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int open_sockets(struct server *srv, const struct sockaddr_in *local)
{
	struct itimerspec tick = { { 0, TICK_NS }, { 0, TICK_NS } };
	int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	sigset_t stop;
	int one = 1;

	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	(void)signal(SIGCHLD, SIG_IGN); // children that send reports reap themselves
	srv->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	srv->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	srv->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (srv->epoll_fd < 0 || srv->udp_fd < 0 || srv->tcp_fd < 0)
		return -errno;
	(void)setsockopt(srv->tcp_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(srv->udp_fd, (const struct sockaddr *)local, sizeof(*local)) < 0 ||
		bind(srv->tcp_fd, (const struct sockaddr *)local, sizeof(*local)) < 0 ||
		listen(srv->tcp_fd, 128) < 0)
		return -errno;
	if (timerfd_settime(timer_fd, 0, &tick, NULL) < 0)
		return -errno;
	if (watch(srv, srv->udp_fd, TAG_UDP) < 0 || watch(srv, srv->tcp_fd, TAG_TCP) < 0 ||
		watch(srv, timer_fd, TAG_TICK) < 0 ||
		watch(srv, signalfd(-1, &stop, SFD_CLOEXEC), TAG_STOP) < 0)
		return -errno;
	return timer_fd;
}

int pg_serve(const struct sockaddr_in *local)
{
	static struct server srv;
	int timer_fd = open_sockets(&srv, local);

	if (timer_fd < 0)
		return timer_fd;
	puts("ready");
	(void)fflush(stdout);
	for (;;) {
		struct epoll_event ev[32];
		int n = epoll_wait(srv.epoll_fd, ev, 32, -1);
		uint64_t ticks;

		for (int i = 0; i < n; i++) {
			switch (ev[i].data.u32) {
			case TAG_UDP: on_udp(&srv); break;
			case TAG_TCP: on_accept(&srv); break;
			case TAG_TICK:
				if (read(timer_fd, &ticks, sizeof(ticks)) > 0)
					on_tick(&srv);
				break;
			case TAG_STOP: return 0; // the kernel frees the rest
			default: on_connection(&srv, ev[i].data.u32);
			}
		}
	}
}
