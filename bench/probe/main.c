// SPDX-License-Identifier: BSD-3-Clause
// visp-probe: traffic through a tunnel, and what a change of hotspot does to it.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/probe/run.h"
#include "bench/probe/serve.h"

static const char usage_text[] =
	"usage: visp-probe serve --listen ADDRESS:PORT\n"
	"       visp-probe run --server ADDRESS:PORT [OPTION...]\n"
	"       visp-probe transfer --server ADDRESS:PORT [--up BYTES] [--down BYTES] [OPTION...]\n"
	"\n"
	"serve waits behind the tunnel; run sends probes and TCP streams both ways until it reads\n"
	"'end'; transfer sends so many bytes over TCP and checks each.\n"
	"\n"
	"  --rate N          probes per second each way (default 100)\n"
	"  --up-rate N       uplink probes only\n"
	"  --down-rate N     downlink probes only\n"
	"  --tcp             a TCP stream each way as well\n"
	"  --tcp-rate MBIT   pace TCP to so many Mbit/s each way\n"
	"  --device NAME     send through this tunnel device\n"
	"  --watch IFACE     look outside the tunnel there for Pings and handshakes\n"
	"  --outer ADDR:PORT the VPN server as seen there\n"
	"  --json FILE       write the figures\n"
	"  --help, --version\n"
	"\n"
	"Commands on standard input of run: join NAME IFACE ADDRESS/LEN GATEWAY (take that "
	"address\n"
	"and default route: a handover), mark NAME (somebody else changed the address just now),\n"
	"leave (the old path is gone), at NAME, alive (ages in ms of the newest uplink and "
	"downlink\n"
	"probe), end.\n";

static int parse_endpoint(const char *text, struct sockaddr_in *ret_addr)
{
	char host[32];
	unsigned port;

	*ret_addr = (struct sockaddr_in){ .sin_family = AF_INET };
	if (sscanf(text, "%31[0-9.]:%u", host, &port) != 2 || port > 65535 ||
		inet_pton(AF_INET, host, &ret_addr->sin_addr) != 1)
		return -EINVAL;
	ret_addr->sin_port = htons((uint16_t)port);
	return 0;
}

static int bad(const char *what, const char *value)
{
	(void)fprintf(stderr, "visp-probe: bad value for --%s: %s\n", what, value);
	return 2;
}

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "server", required_argument, NULL, 's' },
	{ "rate", required_argument, NULL, 'r' },
	{ "up-rate", required_argument, NULL, 'u' },
	{ "down-rate", required_argument, NULL, 'd' },
	{ "tcp", no_argument, NULL, 't' },
	{ "tcp-rate", required_argument, NULL, 'T' },
	{ "device", required_argument, NULL, 'D' },
	{ "watch", required_argument, NULL, 'w' },
	{ "outer", required_argument, NULL, 'o' },
	{ "json", required_argument, NULL, 'j' },
	{ "up", required_argument, NULL, 'U' },
	{ "down", required_argument, NULL, 'W' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

struct args {
	struct pg_run_options run;
	uint64_t up_bytes, down_bytes;
};

// Take one option. Returns 0, or the exit status to end with plus one.
static int take(struct args *a, int c, const char *arg)
{
	unsigned long long n = arg != NULL ? strtoull(arg, NULL, 10) : 0;
	bool rate_ok = n <= 10000;

	switch (c) {
	case 'l':
	case 's':
		return parse_endpoint(arg, &a->run.server) < 0 ? bad("listen or --server", arg) + 1
							       : 0;
	case 'o': return parse_endpoint(arg, &a->run.outer) < 0 ? bad("outer", arg) + 1 : 0;
	case 'r':
		a->run.up_rate = a->run.down_rate = (unsigned)n;
		return rate_ok ? 0 : bad("rate", arg) + 1;
	case 'u': a->run.up_rate = (unsigned)n; return rate_ok ? 0 : bad("up-rate", arg) + 1;
	case 'd': a->run.down_rate = (unsigned)n; return rate_ok ? 0 : bad("down-rate", arg) + 1;
	case 't': a->run.tcp = true; return 0;
	case 'T': a->run.tcp_rate = n * 125000; return 0;
	case 'D': a->run.device = arg; return 0;
	case 'w': a->run.iface = arg; return 0;
	case 'j': a->run.json = arg; return 0;
	case 'U': a->up_bytes = n; return 0;
	case 'W': a->down_bytes = n; return 0;
	case 'h': (void)fputs(usage_text, stdout); return 1;
	case 'V': puts("visp-probe " VISP_VERSION); return 1;
	default: (void)fputs(usage_text, stderr); return 3;
	}
}

int main(int argc, char **argv)
{
	struct args a = { .run = { .up_rate = 100, .down_rate = 100 } };
	const char *verb;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		rc = take(&a, c, optarg);
		if (rc != 0)
			return rc - 1;
	}
	verb = optind + 1 == argc ? argv[optind] : "";
	if (a.run.server.sin_family == 0 || (a.run.iface == NULL) != (a.run.outer.sin_family == 0))
		return take(&a, '?', NULL) - 1;
	if (strcmp(verb, "serve") == 0)
		rc = pg_serve(&a.run.server);
	else if (strcmp(verb, "run") == 0)
		rc = pg_run(&a.run);
	else if (strcmp(verb, "transfer") == 0)
		rc = pg_transfer(&a.run, a.up_bytes, a.down_bytes);
	else
		return take(&a, '?', NULL) - 1;
	if (rc < 0)
		(void)fprintf(stderr, "visp-probe: %s: %s\n", verb, strerror(-rc));
	return rc < 0 ? 1 : 0;
}
