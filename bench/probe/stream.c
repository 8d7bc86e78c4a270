// SPDX-License-Identifier: BSD-3-Clause
#include "bench/probe/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// The pattern repeats after this many bytes, a prime, so that a block that was lost, doubled or
// moved shows up wherever blocks begin.
#define PERIOD 1048573u
#define CHUNK 65536u

static uint8_t pattern[PERIOD];

static void pattern_fill(void)
{
	uint64_t x = 0x9e3779b97f4a7c15u;

	if (pattern[0] != 0)
		return;
	for (size_t i = 0; i < PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		pattern[i] = (uint8_t)(x >> 32);
	}
	pattern[0] = 1;
}

// Bytes of the pattern from offset on that lie in one piece.
static size_t pattern_piece(uint64_t offset, size_t want, const uint8_t **ret_piece)
{
	size_t at = (size_t)(offset % PERIOD);

	*ret_piece = pattern + at;
	return want < PERIOD - at ? want : PERIOD - at;
}

uint64_t pg_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // can't fail with this clock
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void pg_stream_init(struct pg_stream *s, int fd, bool sending, uint64_t limit, uint64_t rate)
{
	int flags = fcntl(fd, F_GETFL);

	pattern_fill();
	*s = (struct pg_stream){ .fd = fd, .sending = sending, .limit = limit };
	s->last_ns = pg_now_ns();
	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK); // a blocking socket only costs accuracy
	(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5); // absent: the default stays
	if (rate != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate));
}

static int step_send(struct pg_stream *s)
{
	for (;;) {
		const uint8_t *piece;
		size_t want = CHUNK;
		ssize_t n;

		if (s->limit != 0 && s->limit - s->bytes < want)
			want = (size_t)(s->limit - s->bytes);
		if (want == 0) {
			s->ended = true;
			return shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0;
		}
		want = pattern_piece(s->bytes, want, &piece);
		n = send(s->fd, piece, want, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		s->bytes += (uint64_t)n;
	}
}

static void check(struct pg_stream *s, const uint8_t *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		const uint8_t *piece;
		size_t n = pattern_piece(s->bytes, len - done, &piece);

		if (memcmp(buf + done, piece, n) != 0)
			s->bad = true;
		s->bytes += n;
		done += n;
	}
}

static int step_receive(struct pg_stream *s)
{
	static uint8_t buf[CHUNK];

	// Bounded, so that one fast stream can't keep the probes waiting.
	for (int i = 0; i < 8; i++) {
		ssize_t n = recv(s->fd, buf, sizeof(buf), 0);
		uint64_t now;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		now = pg_now_ns();
		if (now - s->last_ns > s->gap_ns)
			s->gap_ns = now - s->last_ns;
		s->last_ns = now;
		if (n == 0) {
			s->ended = true;
			return 0;
		}
		check(s, buf, (size_t)n);
	}
	return 0;
}

int pg_stream_step(struct pg_stream *s)
{
	if (s->ended)
		return 0;
	return s->sending ? step_send(s) : step_receive(s);
}

uint64_t pg_stream_gap_ns(const struct pg_stream *s)
{
	uint64_t open_ns = s->ended ? 0 : pg_now_ns() - s->last_ns;

	return open_ns > s->gap_ns ? open_ns : s->gap_ns;
}

int pg_read_all(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = recv(fd, (uint8_t *)buf + done, len - done, 0);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int pg_write_all(int fd, const void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, (const uint8_t *)buf + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}
