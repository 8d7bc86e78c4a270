// SPDX-License-Identifier: BSD-3-Clause
#include "bench/probe/run.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/probe/join.h"
#include "bench/probe/record.h"
#include "bench/probe/stream.h"
#include "bench/probe/watch.h"
#include "bench/probe/wire.h"

#define TICK_NS 1000000
#define SETTLE_NS 1000000000 // Pings count as answers of a handover for so long
#define GIVE_UP_NS 5000000000 // a handover that isn't over by then is said to have failed
#define LATE_NS 300000000 // for late probes, before the report is asked for

struct run {
	const struct pg_run_options *opt;
	struct pg_record rec;
	struct pg_watch watch;
	int udp_fd, timer_fd;
	uint32_t token;
	struct pg_stream up, down;
	bool settling; // a handover waits for data or for its second to be over
	bool said; // its line has been printed
	char at[16]; // hotspot we are at
	uint64_t left_ns;
	uint64_t next_up_ns, next_hello_ns;
	uint64_t down_last_ns, up_last_ns; // newest probe that came, and newest that the server saw
	uint64_t end_ns; // when to stop, 0 = not yet
	char line[256]; // of standard input, as far as it came
	size_t line_len;
};

static int tunnel_socket(const struct pg_run_options *opt, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (opt->device != NULL &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt->device,
			(socklen_t)strlen(opt->device)) < 0)
		goto err_fd;
	if (connect(fd, (const struct sockaddr *)&opt->server, sizeof(opt->server)) < 0)
		goto err_fd;
	return fd;
err_fd:
	type = -errno;
	(void)close(fd);
	return type;
}

int pg_connect(const struct pg_run_options *opt, uint32_t kind, uint32_t token, uint64_t bytes)
{
	struct pg_stream_open msg = { PG_PROBE_MAGIC, kind, token, 0, bytes, opt->tcp_rate };
	struct timeval patience = { .tv_sec = 10 };
	int fd = tunnel_socket(opt, SOCK_STREAM);
	int rc;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	rc = pg_write_all(fd, &msg, sizeof(msg));
	if (rc < 0) {
		(void)close(fd);
		return rc;
	}
	return fd;
}

static void send_probe(struct run *r, uint16_t kind, uint32_t seq)
{
	struct pg_probe p = { .magic = PG_PROBE_MAGIC, .kind = kind, .token = r->token };

	p.rate = (uint16_t)r->opt->down_rate;
	p.seq = seq;
	p.sent_ns = pg_now_ns();
	if (kind == PG_PROBE_UP)
		r->rec.up_sent_ns[seq] = p.sent_ns;
	// One that can't be sent while there is no network is a lost one.
	(void)send(r->udp_fd, &p, sizeof(p), MSG_DONTWAIT);
}

// --- Handovers ---

static struct pg_handover *current(struct run *r)
{
	return &r->rec.handover[r->rec.handovers - 1];
}

static void handover_begin(struct run *r, const char *to, uint64_t up_ns)
{
	struct pg_handover *h;

	if (r->rec.handovers == PG_HANDOVERS_MAX)
		return;
	h = &r->rec.handover[r->rec.handovers++];
	(void)snprintf(h->from, sizeof(h->from), "%s", r->at);
	(void)snprintf(h->to, sizeof(h->to), "%s", to);
	(void)snprintf(r->at, sizeof(r->at), "%s", to);
	h->left_ns = r->left_ns != 0 ? r->left_ns : up_ns;
	h->up_ns = up_ns;
	r->left_ns = 0;
	r->settling = true;
	r->said = false;
}

// Something came out of the tunnel, which is the last proof that it works again.
static void handover_inner(struct run *r)
{
	if (r->settling && current(r)->inner_ns == 0)
		current(r)->inner_ns = pg_now_ns();
}

static void handover_settle(struct run *r, uint64_t now)
{
	struct pg_handover *h;

	if (!r->settling)
		return;
	h = current(r);
	if (!r->said &&
		((h->data_ns != 0 && h->inner_ns != 0 && now - h->up_ns > 20000000) ||
			now - h->up_ns > GIVE_UP_NS)) {
		r->said = true;
		pg_record_line(&r->rec, r->rec.handovers - 1, stdout);
	}
	if (r->said && now - h->up_ns > SETTLE_NS)
		r->settling = false;
}

static void on_watch(struct run *r)
{
	enum pg_seen what;
	uint64_t at_ns;

	while (pg_watch_next(&r->watch, &what, &at_ns)) {
		struct pg_handover *h;

		if (!r->settling || what == PG_SEEN_NOTHING)
			continue;
		h = current(r);
		if (at_ns < h->up_ns)
			continue;
		if (what == PG_SEEN_ASK || what == PG_SEEN_SENT) {
			h->asks += what == PG_SEEN_ASK && at_ns - h->up_ns < SETTLE_NS;
			if (h->sent_ns == 0)
				h->sent_ns = at_ns;
			continue;
		}
		if (h->sent_ns == 0)
			continue; // was under way to the old address
		h->answers += what == PG_SEEN_PING && at_ns - h->up_ns < SETTLE_NS;
		if (h->data_ns == 0)
			h->data_ns = at_ns;
	}
}

// --- Probes and streams ---

static void on_udp(struct run *r)
{
	struct pg_probe p;

	while (recv(r->udp_fd, &p, sizeof(p), MSG_DONTWAIT) == (ssize_t)sizeof(p)) {
		if (p.magic != PG_PROBE_MAGIC || p.kind != PG_PROBE_DOWN || p.token != r->token)
			continue;
		r->down_last_ns = pg_now_ns();
		r->up_last_ns = p.seen_ns;
		if (p.seq < PG_PROBE_MAX)
			r->rec.down_seen[p.seq] = 1;
		handover_inner(r);
	}
}

static void on_stream(struct run *r, struct pg_stream *s)
{
	uint64_t before = s->bytes;

	if (pg_stream_step(s) < 0 || s->ended) {
		r->rec.tcp_bad = 1; // neither is to end before we do
		(void)close(s->fd);
		s->fd = -1;
		return;
	}
	if (!s->sending && s->bytes != before)
		handover_inner(r);
}

static void on_tick(struct run *r)
{
	uint64_t now = pg_now_ns();
	uint64_t interval = r->opt->up_rate == 0 ? 0 : 1000000000u / r->opt->up_rate;

	if (r->down_last_ns == 0 && r->opt->down_rate != 0 && now >= r->next_hello_ns) {
		send_probe(r, PG_PROBE_HELLO, 0); // again until the server's probes come
		r->next_hello_ns = now + 200000000;
	}
	while (interval != 0 && r->end_ns == 0 && r->next_up_ns <= now &&
		r->rec.up_count < PG_PROBE_MAX) {
		send_probe(r, PG_PROBE_UP, r->rec.up_count++);
		r->next_up_ns += interval;
	}
	handover_settle(r, now);
}

// --- Commands ---

static double age_ms(uint64_t then)
{
	return then == 0 ? 1e9 : (double)(pg_now_ns() - then) / 1e6;
}

static void command_join(struct run *r, char **word)
{
	uint64_t up_ns;
	int rc;

	if (word[1] == NULL || word[2] == NULL || word[3] == NULL || word[4] == NULL) {
		puts("error: join NAME IFACE ADDRESS/LEN GATEWAY");
		return;
	}
	rc = pg_join(word[2], word[3], word[4], &up_ns);
	if (rc < 0)
		printf("error: join: %s\n", strerror(-rc));
	else
		handover_begin(r, word[1], up_ns);
}

static void command(struct run *r, char *line)
{
	char *word[6] = { NULL };
	char *save = NULL;

	for (int i = 0; i < 5; i++) {
		word[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (word[i] == NULL)
			break;
	}
	if (word[0] == NULL)
		return;
	if (strcmp(word[0], "join") == 0) {
		command_join(r, word);
	} else if (strcmp(word[0], "mark") == 0) {
		handover_begin(r, word[1] != NULL ? word[1] : "?", pg_now_ns());
	} else if (strcmp(word[0], "at") == 0) {
		(void)snprintf(r->at, sizeof(r->at), "%s", word[1] != NULL ? word[1] : "?");
	} else if (strcmp(word[0], "leave") == 0) {
		r->left_ns = pg_now_ns();
		puts("left");
	} else if (strcmp(word[0], "alive") == 0) {
		printf("alive %.1f %.1f\n", age_ms(r->up_last_ns), age_ms(r->down_last_ns));
	} else if (strcmp(word[0], "end") == 0) {
		r->end_ns = pg_now_ns() + LATE_NS;
	} else {
		printf("error: unknown command %s\n", word[0]);
	}
	(void)fflush(stdout);
}

static void on_stdin(struct run *r)
{
	ssize_t n = read(0, r->line + r->line_len, sizeof(r->line) - 1 - r->line_len);
	char *nl;

	if (n <= 0) { // whoever commanded us is gone
		if (r->end_ns == 0)
			r->end_ns = pg_now_ns() + LATE_NS;
		return;
	}
	r->line_len += (size_t)n;
	r->line[r->line_len] = '\0';
	while ((nl = strchr(r->line, '\n')) != NULL) {
		*nl = '\0';
		command(r, r->line);
		r->line_len -= (size_t)(nl + 1 - r->line);
		memmove(r->line, nl + 1, r->line_len + 1);
	}
	if (r->line_len == sizeof(r->line) - 1)
		r->line_len = 0; // too long for a command
}

// --- Start and end ---

static int start_streams(struct run *r)
{
	int fd;

	r->up.fd = r->down.fd = -1;
	if (!r->opt->tcp)
		return 0;
	fd = pg_connect(r->opt, PG_STREAM_UP, r->token, 0);
	if (fd < 0)
		return fd;
	pg_stream_init(&r->up, fd, true, 0, r->opt->tcp_rate);
	fd = pg_connect(r->opt, PG_STREAM_DOWN, r->token, 0);
	if (fd < 0)
		return fd;
	pg_stream_init(&r->down, fd, false, 0, 0);
	return 0;
}

static int start(struct run *r)
{
	struct itimerspec tick = { { 0, TICK_NS }, { 0, TICK_NS } };
	int rc;

	if (getrandom(&r->token, sizeof(r->token), 0) != (ssize_t)sizeof(r->token))
		return -EIO;
	r->watch.fd = -1;
	if (r->opt->outer.sin_family != 0) {
		rc = pg_watch_open(&r->watch, r->opt->iface, &r->opt->outer);
		if (rc < 0)
			return rc;
	}
	r->udp_fd = tunnel_socket(r->opt, SOCK_DGRAM);
	if (r->udp_fd < 0)
		return r->udp_fd;
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->timer_fd < 0 || timerfd_settime(r->timer_fd, 0, &tick, NULL) < 0)
		return -errno;
	send_probe(r, PG_PROBE_HELLO, 0);
	r->next_up_ns = pg_now_ns();
	return start_streams(r);
}

// Fetch what the server saw, over the tunnel like all else.
static int fetch_report(struct run *r)
{
	struct pg_report rep;
	int fd = pg_connect(r->opt, PG_STREAM_REPORT, r->token, 0);
	int rc;

	if (fd < 0)
		return fd;
	rc = pg_read_all(fd, &rep, sizeof(rep));
	if (rc == 0 && (rep.up_count > PG_PROBE_MAX || rep.down_count > PG_PROBE_MAX))
		rc = -EPROTO;
	if (rc == 0)
		rc = pg_read_all(fd, r->rec.up_seen, rep.up_count);
	if (rc == 0)
		rc = pg_read_all(fd, r->rec.down_sent_ns, rep.down_count * sizeof(uint64_t));
	(void)close(fd);
	if (rc < 0)
		return rc;
	r->rec.down_count = rep.down_count;
	r->rec.tcp_up_bytes = rep.up_bytes;
	r->rec.tcp_down_bytes = r->down.bytes;
	r->rec.tcp_bad |= rep.up_bad != 0 || r->down.bad;
	if (r->opt->tcp) {
		uint64_t gap_ns = r->down.fd < 0 ? r->down.gap_ns : pg_stream_gap_ns(&r->down);

		r->rec.tcp_stalled_ns = gap_ns > rep.up_gap_ns ? gap_ns : rep.up_gap_ns;
	}
	r->rec.handshakes = r->watch.handshakes;
	return 0;
}

static void loop(struct run *r)
{
	while (r->end_ns == 0 || pg_now_ns() < r->end_ns) {
		struct pollfd fds[] = {
			{ r->watch.fd, POLLIN, 0 },
			{ r->udp_fd, POLLIN, 0 },
			{ r->timer_fd, POLLIN, 0 },
			{ r->end_ns == 0 ? 0 : -1, POLLIN, 0 },
			{ r->up.fd, POLLOUT, 0 },
			{ r->down.fd, POLLIN, 0 },
		};
		uint64_t ticks;

		if (poll(fds, sizeof(fds) / sizeof(fds[0]), -1) < 0)
			continue;
		if (fds[0].revents != 0)
			on_watch(r);
		if (fds[1].revents != 0)
			on_udp(r);
		if (fds[2].revents != 0 && read(r->timer_fd, &ticks, sizeof(ticks)) > 0)
			on_tick(r);
		if (fds[4].revents != 0)
			on_stream(r, &r->up);
		if (fds[5].revents != 0)
			on_stream(r, &r->down);
		if (fds[3].revents != 0)
			on_stdin(r);
	}
}

int pg_run(const struct pg_run_options *opt)
{
	static struct run r;
	int rc;

	r.opt = opt;
	(void)snprintf(r.at, sizeof(r.at), "-");
	rc = start(&r);
	if (rc < 0)
		return rc;
	puts("running");
	(void)fflush(stdout);
	loop(&r);
	send_probe(&r, PG_PROBE_BYE, 0);
	rc = fetch_report(&r);
	if (rc < 0)
		return rc;
	if (opt->json != NULL)
		rc = pg_record_json(&r.rec, opt->json);
	puts("ended");
	return rc;
}
