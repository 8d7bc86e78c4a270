// SPDX-License-Identifier: BSD-3-Clause
#include "bench/host/telemetry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/eal.h"

#define ANSWER_MAX 16384 // of rte_telemetry
#define WAIT_S 2

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };
	char hello[ANSWER_MAX];
	int fd, rc;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
		connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
		recv(fd, hello, sizeof(hello), 0) <= 0) { // it greets
		rc = errno != 0 ? -errno : -EPROTO;
		(void)close(fd); // nothing was written
		return rc;
	}
	return fd;
}

int pg_telemetry_open(const char *socket, const char *path)
{
	char prefix[DP_EAL_PREFIX], at[128];

	if (path != NULL)
		return connect_to(path);
	dp_eal_prefix(socket, prefix);
	(void)snprintf(at, sizeof(at), "/var/run/dpdk/%s/dpdk_telemetry.v2", prefix); // fits
	return connect_to(at);
}

// The number behind a key in a flat JSON object. Returns 0 or -ENOENT.
static int number(const char *json, const char *key, uint64_t *ret)
{
	char quoted[64];
	const char *at;

	(void)snprintf(quoted, sizeof(quoted), "\"%s\":", key); // our own keys fit
	at = strstr(json, quoted);
	if (at == NULL)
		return -ENOENT;
	*ret = strtoull(at + strlen(quoted), NULL, 10);
	return 0;
}

static int ask(int fd, const char *command, char answer[ANSWER_MAX])
{
	ssize_t n = send(fd, command, strlen(command), MSG_NOSIGNAL);

	if (n >= 0)
		n = recv(fd, answer, ANSWER_MAX - 1, 0);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	answer[n] = '\0';
	return 0;
}

static int one_worker(int fd, unsigned i, struct pg_work *w)
{
	char command[32], answer[ANSWER_MAX];
	uint64_t outer = 0, inner = 0;
	int rc;

	(void)snprintf(command, sizeof(command), "/visp/worker,%u", i); // fits
	rc = ask(fd, command, answer);
	if (rc < 0)
		return rc;
	if (number(answer, "busy_cycles", &w->cycles) < 0 ||
		number(answer, "outer_rx_packets", &outer) < 0 ||
		number(answer, "inner_rx_packets", &inner) < 0 ||
		number(answer, "iterations", &w->turns) < 0 ||
		number(answer, "busy_iterations", &w->busy_turns) < 0)
		return -EPROTO;
	w->packets = outer + inner;
	return 0;
}

int pg_telemetry_work(int fd, struct pg_work *work, unsigned max)
{
	char answer[ANSWER_MAX];
	uint64_t n;
	int rc = ask(fd, "/visp/totals", answer);

	if (rc == 0)
		rc = number(answer, "workers", &n);
	for (unsigned i = 0; rc == 0 && i < n && i < max; i++)
		rc = one_worker(fd, i, &work[i]);
	return rc < 0 ? rc : (int)n;
}

int pg_telemetry_drops(int fd, uint64_t ret_drops[DP_DROP_COUNT])
{
	char answer[ANSWER_MAX];
	int rc = ask(fd, "/visp/drops", answer);

	for (unsigned i = 0; rc == 0 && i < DP_DROP_COUNT; i++)
		rc = number(answer, dp_drop_name[i], &ret_drops[i]);
	return rc;
}
