// SPDX-License-Identifier: BSD-3-Clause
// visp-handshakes: many clients that connect to an OpenVPN server and leave again, in one process
// and one thread. Counts those that got their PUSH_REPLY, and the CPU time that the server's
// processes took meanwhile.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench/handshake/client.h"
#include "protocol/ssl/tls_ctx.h"
#include "protocol/tls/wrap.h"

#define CLIENTS_MAX 1024u
#define CERTS_MAX 1024u
#define PIDS_MAX 8u
#define TOOK_MAX 1000000u
#define GIVE_UP_NS 20000000000ull // longer than any retransmission that helps
#define TICK_NS 50000000ull

struct bench {
	struct pg_hs_setup setup;
	struct ovpn_static_key key;
	struct ovpn_wrap_keys wrap;
	struct ovpn_tls_ctx *tls[CERTS_MAX];
	unsigned certs;
	struct pg_hs_client *client;
	unsigned clients;
	int epoll;
	uint32_t sources; // first address, host byte order
	uint64_t begun; // handshakes so far; picks certificate and address of the next one
	uint64_t done;
	uint64_t failed;
	uint64_t limit; // as many and no more; 0: none
	float *took_ms; // of those in the measured time
	size_t n_took;
	char why[96]; // of the first one that failed
};

struct arguments {
	const char *server;
	const char *ca;
	const char *certs; // folder with c0.crt, c1.crt, ...
	const char *key;
	const char *tls_crypt;
	const char *sources;
	const char *json;
	unsigned clients;
	double warm_s;
	double seconds;
	uint64_t limit;
	bool impostor;
	bool broken;
	bool chatty;
	pid_t pid[PIDS_MAX];
	unsigned pids;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // can't fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void usage(FILE *to)
{
	(void)fputs(
		"usage: visp-handshakes --server ADDR:PORT --ca FILE --certs DIR --key FILE\n"
		"                       [OPTION]...\n"
		"\n"
		"Clients connect up to their PUSH_REPLY and leave, as many and as fast as can be.\n"
		"\n"
		"  --certs DIR         certificates c0.crt, c1.crt, ..., all of one key\n"
		"  --tls-crypt FILE    wrap control packets with this key\n"
		"  --sources ADDR      first of 65,536 addresses of this machine to come from\n"
		"  --clients N         handshakes under way at a time (default 32)\n"
		"  --warm SECONDS      before anything is counted (default 0.5)\n"
		"  --seconds SECONDS   for how long it counts (default 3)\n"
		"  --limit N           end after so many handshakes\n"
		"  --impostor          renegotiate with the last certificate instead of leaving\n"
		"  --broken            the same with a malformed key-method-2 message\n"
		"  --chatty            say many things at once before leaving\n"
		"  --watch PID         a process of the server, several times\n"
		"  --json FILE         write what was measured\n",
		to);
}

// ---- Set-up ----------------------------------------------------------------------------------

static int fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "visp-handshakes: %s: %s\n", what, why);
	return -1;
}

static int parse_server(const char *text, struct sockaddr_in *ret)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	char *end;
	unsigned long port;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return fail(text, "not ADDR:PORT");
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	port = strtoul(colon + 1, &end, 10);
	ret->sin_family = AF_INET;
	ret->sin_port = htons((uint16_t)port);
	if (*end != '\0' || port == 0 || port > 65535 ||
		inet_pton(AF_INET, host, &ret->sin_addr) != 1)
		return fail(text, "not ADDR:PORT");
	return 0;
}

static int load_tls_crypt(struct bench *b, const char *path)
{
	struct ovpn_key_error err;
	char text[8192];
	FILE *f = fopen(path, "re");
	size_t len;

	if (f == NULL)
		return fail(path, strerror(errno));
	len = fread(text, 1, sizeof(text), f);
	(void)fclose(f); // only read
	if (ovpn_static_key_parse(text, len, &b->key, &err) < 0)
		return fail(path, err.reason);
	ovpn_wrap_keys_tls_crypt(&b->key, false, &b->wrap);
	b->setup.wrap = &b->wrap;
	return 0;
}

static int load_certs(struct bench *b, const struct arguments *a)
{
	char path[512];
	struct ovpn_tls_error err;

	while (b->certs < CERTS_MAX) {
		struct ovpn_tls_ctx_options o = { .ca = { .path = a->ca },
			.cert = { .path = path },
			.key = { .path = a->key },
			// A stock client sends its CA's certificate along.
			.extra_certs = { .path = a->ca },
			.eku = OVPN_TLS_EKU_SERVER };

		(void)snprintf(path, sizeof(path), "%s/c%u.crt", a->certs, b->certs);
		if (access(path, R_OK) < 0 && b->certs > 0)
			return 0;
		if (ovpn_tls_ctx_create(&o, &b->tls[b->certs], &err) < 0)
			return fail("TLS", err.text);
		b->certs++;
	}
	return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 's' },
		{ "ca", required_argument, NULL, 'a' },
		{ "certs", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ "tls-crypt", required_argument, NULL, 't' },
		{ "sources", required_argument, NULL, 'o' },
		{ "clients", required_argument, NULL, 'n' },
		{ "warm", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 'd' },
		{ "limit", required_argument, NULL, 'l' },
		{ "impostor", no_argument, NULL, 'i' },
		{ "broken", no_argument, NULL, 'b' },
		{ "chatty", no_argument, NULL, 'y' },
		{ "watch", required_argument, NULL, 'p' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's': a->server = optarg; break;
		case 'a': a->ca = optarg; break;
		case 'c': a->certs = optarg; break;
		case 'k': a->key = optarg; break;
		case 't': a->tls_crypt = optarg; break;
		case 'o': a->sources = optarg; break;
		case 'n': a->clients = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'w': a->warm_s = strtod(optarg, NULL); break;
		case 'd': a->seconds = strtod(optarg, NULL); break;
		case 'l': a->limit = strtoull(optarg, NULL, 10); break;
		case 'i': a->impostor = true; break;
		case 'y': a->chatty = true; break;
		case 'b': a->impostor = a->broken = true; break;
		case 'j': a->json = optarg; break;
		case 'p':
			if (a->pids == PIDS_MAX)
				return fail("--watch", "too many processes");
			a->pid[a->pids++] = (pid_t)strtol(optarg, NULL, 10);
			break;
		case 'h': usage(stdout); return 1;
		default: usage(stderr); return -1;
		}
	}
	if (a->server == NULL || a->ca == NULL || a->certs == NULL || a->key == NULL ||
		a->clients == 0 || a->clients > CLIENTS_MAX || optind < argc) {
		usage(stderr);
		return -1;
	}
	return 0;
}

static int setup(struct bench *b, const struct arguments *a)
{
	struct in_addr from = { 0 };

	b->setup.channel =
		(struct ovpn_channel_config){ .max_packet = 1250, .retransmit_ms = 2000 };
	b->limit = a->limit;
	b->clients = a->clients;
	b->client = calloc(a->clients, sizeof(*b->client));
	b->took_ms = calloc(TOOK_MAX, sizeof(*b->took_ms));
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->client == NULL || b->took_ms == NULL || b->epoll < 0)
		return fail("set-up", strerror(errno));
	for (unsigned i = 0; i < b->clients; i++)
		b->client[i].fd = -1;
	if (a->sources != NULL && inet_pton(AF_INET, a->sources, &from) != 1)
		return fail(a->sources, "not an address");
	b->sources = ntohl(from.s_addr);
	if (parse_server(a->server, &b->setup.server) < 0 || load_certs(b, a) < 0)
		return -1;
	b->setup.broken = a->broken;
	b->setup.chatty = a->chatty;
	if (a->impostor)
		b->setup.impostor = b->tls[--b->certs];
	if (b->certs == 0)
		return fail("--impostor", "wants two certificates");
	if (a->tls_crypt != NULL && load_tls_crypt(b, a->tls_crypt) < 0)
		return -1;
	return pg_hs_setup_texts(&b->setup) < 0 ? fail("set-up", "texts too long") : 0;
}

// ---- CPU time of the server ------------------------------------------------------------------

// Seconds of user and system time that the processes have used; -1 when one is gone.
static double cpu_s(const struct arguments *a)
{
	double sum = 0;

	for (unsigned i = 0; i < a->pids; i++) {
		unsigned long long user, system;
		char path[64], text[1024];
		const char *at;
		FILE *f;
		size_t n;

		(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)a->pid[i]);
		f = fopen(path, "re");
		if (f == NULL)
			return -1;
		n = fread(text, 1, sizeof(text) - 1, f);
		(void)fclose(f); // only read
		text[n] = '\0';
		at = strrchr(text, ')'); // the name may hold blanks
		if (at == NULL ||
			sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
				&user, &system) != 2)
			return -1;
		sum += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	}
	return sum;
}

// ---- Clients ---------------------------------------------------------------------------------

static int begin(struct bench *b, struct pg_hs_client *c, uint64_t now)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	struct in_addr from = { 0 };
	uint64_t n = b->begun;
	int rc;

	if (b->limit != 0 && n >= b->limit)
		return 0;
	// Neighbours in time come from different networks.
	if (b->sources != 0)
		from.s_addr = htonl(b->sources + (uint32_t)(n * 257 + n / 256) % 65536);
	b->begun++;
	rc = pg_hs_begin(c, &b->setup, b->tls[n % b->certs], from, now);
	if (rc < 0)
		return fail("a client can't begin", strerror(-rc));
	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		return fail("epoll", strerror(errno));
	return 0;
}

// A client has come as far as it will: the next one takes its place.
static int settle(struct bench *b, struct pg_hs_client *c, uint64_t now)
{
	if (c->state != PG_HS_GONE && c->state != PG_HS_FAILED &&
		now - c->started_ns > GIVE_UP_NS) {
		(void)snprintf(c->why, sizeof(c->why), "no answer in state %d", c->state);
		c->state = PG_HS_FAILED;
	}
	if (c->state == PG_HS_FAILED) {
		if (b->failed++ == 0)
			memcpy(b->why, c->why, sizeof(b->why));
	} else if (c->state == PG_HS_GONE) {
		b->done++;
		if (b->n_took < TOOK_MAX)
			b->took_ms[b->n_took++] = (float)c->took_ns / 1e6f;
	} else {
		return 0;
	}
	pg_hs_end(c);
	return begin(b, c, now);
}

static int run(struct bench *b, uint64_t until_ns)
{
	struct epoll_event ev[64];
	uint64_t tick = 0;
	uint64_t now;

	while ((now = now_ns()) < until_ns) {
		int n = epoll_wait(b->epoll, ev, 64, 10);

		if (n < 0 && errno != EINTR)
			return fail("epoll", strerror(errno));
		for (int i = 0; i < n; i++) {
			struct pg_hs_client *c = ev[i].data.ptr;

			now = now_ns();
			pg_hs_receive(c, now);
			if (settle(b, c, now) < 0)
				return -1;
		}
		if (now - tick < TICK_NS)
			continue;
		tick = now;
		for (unsigned i = 0; i < b->clients; i++) {
			if (b->client[i].fd < 0)
				continue;
			pg_hs_tick(&b->client[i], now);
			if (settle(b, &b->client[i], now) < 0)
				return -1;
		}
		if (b->limit != 0 && b->done + b->failed >= b->limit)
			return 0;
	}
	return 0;
}

// ---- Result ----------------------------------------------------------------------------------

static int by_size(const void *x, const void *y)
{
	float a = *(const float *)x, b = *(const float *)y;

	return (a > b) - (a < b);
}

static double took(const struct bench *b, double part)
{
	return b->n_took > 0 ? b->took_ms[(size_t)((double)(b->n_took - 1) * part)] : 0;
}

static int report(struct bench *b, const char *path, double wall_s, double server_s)
{
	FILE *f = path != NULL ? fopen(path, "we") : stdout;

	if (f == NULL)
		return fail(path, strerror(errno));
	qsort(b->took_ms, b->n_took, sizeof(*b->took_ms), by_size);
	(void)fprintf(f,
		"{\"handshakes\": %llu, \"failed\": %llu, \"why\": \"%s\", \"wall_s\": %.4f, "
		"\"cpu_s\": %.3f, \"per_s\": %.1f, \"per_core\": %.1f, \"median_ms\": %.3f, "
		"\"p99_ms\": %.3f, \"clients\": %u, \"certificates\": %u}\n",
		(unsigned long long)b->done, (unsigned long long)b->failed, b->why, wall_s,
		server_s, (double)b->done / wall_s, server_s > 0 ? (double)b->done / server_s : 0,
		took(b, 0.5), took(b, 0.99), b->clients, b->certs);
	if (fflush(f) != 0 || ferror(f))
		return fail(path != NULL ? path : "standard output", "can't be written");
	return 0;
}

static int measure(struct bench *b, const struct arguments *a)
{
	uint64_t start = now_ns();
	double cpu0, cpu1;

	for (unsigned i = 0; i < b->clients; i++) {
		if (begin(b, &b->client[i], start) < 0)
			return -1;
	}
	if (run(b, start + (uint64_t)(a->warm_s * 1e9)) < 0)
		return -1;
	b->done = b->failed = b->n_took = 0;
	cpu0 = cpu_s(a);
	start = now_ns();
	if (run(b, start + (uint64_t)(a->seconds * 1e9)) < 0)
		return -1;
	cpu1 = cpu_s(a);
	if (cpu0 < 0 || cpu1 < 0)
		return fail("--watch", "a process of the server is gone");
	return report(b, a->json, (double)(now_ns() - start) / 1e9, cpu1 - cpu0);
}

int main(int argc, char **argv)
{
	static struct bench b; // a megabyte of pointers and buffers
	struct arguments a = { .clients = 32, .warm_s = 0.5, .seconds = 3 };
	int rc = parse_arguments(argc, argv, &a);

	if (rc != 0)
		return rc < 0 ? 2 : 0;
	rc = setup(&b, &a);
	if (rc == 0)
		rc = measure(&b, &a);
	for (unsigned i = 0; b.client != NULL && i < b.clients; i++)
		pg_hs_end(&b.client[i]);
	for (unsigned i = 0; i < CERTS_MAX; i++)
		b.tls[i] = ovpn_tls_ctx_unref(b.tls[i]);
	free(b.client);
	free(b.took_ms);
	return rc == 0 ? 0 : 1;
}
