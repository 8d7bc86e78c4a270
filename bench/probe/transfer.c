// SPDX-License-Identifier: BSD-3-Clause
// Fixed amounts over TCP, each byte checked by its receiver.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/probe/run.h"
#include "bench/probe/stream.h"
#include "bench/probe/wire.h"

#define SILENCE_MS 15000 // without any progress for so long, a transfer has failed

// Drive one stream to its end. 0 or -errno.
static int drive(struct pg_stream *s)
{
	while (!s->ended) {
		struct pollfd fd = { s->fd, s->sending ? POLLOUT : POLLIN, 0 };
		int rc = poll(&fd, 1, SILENCE_MS);

		if (rc < 0 && errno != EINTR)
			return -errno;
		if (rc == 0)
			return -ETIMEDOUT;
		rc = pg_stream_step(s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int upload(const struct pg_run_options *opt, uint64_t bytes, struct pg_stream_end *ret_end)
{
	int fd = pg_connect(opt, PG_STREAM_UP, 0, bytes);
	struct pg_stream s;
	int rc;

	if (fd < 0)
		return fd;
	pg_stream_init(&s, fd, true, bytes, opt->tcp_rate);
	rc = drive(&s);
	if (rc == 0) {
		int flags = fcntl(fd, F_GETFL);

		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); // its time-outs are set
		rc = pg_read_all(fd, ret_end, sizeof(*ret_end));
	}
	(void)close(fd);
	return rc;
}

static int download(const struct pg_run_options *opt, uint64_t bytes, struct pg_stream_end *ret_end)
{
	int fd = pg_connect(opt, PG_STREAM_DOWN, 0, bytes);
	struct pg_stream s;
	int rc;

	if (fd < 0)
		return fd;
	pg_stream_init(&s, fd, false, bytes, 0);
	rc = drive(&s);
	*ret_end = (struct pg_stream_end){ s.bytes, s.gap_ns, s.bad };
	(void)close(fd);
	return rc;
}

static int one_way(const struct pg_run_options *opt, uint64_t bytes, const char *name,
	int (*go)(const struct pg_run_options *, uint64_t, struct pg_stream_end *))
{
	struct pg_stream_end end = { 0, 0, 1 };
	uint64_t start_ns = pg_now_ns();
	double seconds;
	int rc;

	if (bytes == 0)
		return 0;
	rc = go(opt, bytes, &end);
	seconds = (double)(pg_now_ns() - start_ns) / 1e9;
	if (rc == 0 && (end.bytes != bytes || end.bad))
		rc = -EBADMSG;
	printf("%s %" PRIu64 " of %" PRIu64
	       " bytes %s, %.1f s, %.0f Mbit/s, longest stall %.0f ms\n",
		name, end.bytes, bytes, rc == 0 ? "intact" : strerror(-rc), seconds,
		(double)end.bytes * 8e-6 / seconds, (double)end.gap_ns / 1e6);
	return rc;
}

int pg_transfer(const struct pg_run_options *opt, uint64_t up_bytes, uint64_t down_bytes)
{
	int rc = one_way(opt, up_bytes, "up", upload);

	return rc < 0 ? rc : one_way(opt, down_bytes, "down", download);
}
