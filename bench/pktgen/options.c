// SPDX-License-Identifier: BSD-3-Clause
#include "bench/pktgen/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/layout.h"

static const char usage_text[] =
	"usage: visp-pktgen --socket PATH --outer DEVARGS --inner DEVARGS [OPTION...]\n"
	"       visp-pktgen --forwarder --outer DEVARGS --inner DEVARGS [OPTION...]\n"
	"       visp-pktgen --in-process [OPTION...]\n"
	"       visp-pktgen --write-pcap FILE [--frames N] [OPTION...]\n"
	"\n"
	"Plays the clients of a visp-dataplane on its outer port and hosts on its inner port. The\n"
	"sessions and their keys are installed as visp-control would, without TLS. DEVARGS are "
	"the\n"
	"far ends of the dataplane's ports, as "
	"\"net_memif0,role=client,id=0,socket=/run/m.sock\".\n"
	"\n"
	"  --in-process       a dataplane of its own over rings in memory; one thread runs both\n"
	"  --forwarder        no dataplane but a program that passes frames on, as dpdk-testpmd: "
	"the\n"
	"                     limit of ports and generator; clients' packets only\n"
	"  --telemetry PATH   the dataplane's telemetry socket, which tells what packets cost its "
	"workers\n"
	"                     (default: found by --socket, below /run/dpdk)\n"
	"  --sessions N       clients, 1 to 1048576 (default 1024)\n"
	"  --flows N          UDP ports that each client's inner packets use in turn (default 1)\n"
	"  --zipf             few clients send most (exponent 1); else all alike\n"
	"  --size N|imix      bytes of inner packets, 48 to 1500; imix: 64, 576, 1400 as 7 to 4 to "
	"1\n"
	"                     (default 512)\n"
	"  --direction WAY    up, down or both (default up)\n"
	"  --rate N           packets a second, both ways together; 0: as many as go (default 0)\n"
	"  --seconds N        of sending (default 5)\n"
	"  --handovers N      clients that move, a second: new address, reconfiguration Ping, "
	"data\n"
	"  --float            they send no Ping: their next data packet tells\n"
	"  --in-turn          clients send in turn, not at random\n"
	"  --restarts         the dataplane may be killed and started anew meanwhile: say how "
	"long\n"
	"                     nothing came, which sessions go on, and whether a packet-id came "
	"twice\n"
	"  --hostile SHARE    frames of others for each good one: garbage, forged Pings, forged "
	"data\n"
	"                     from elsewhere, replays\n"
	"  --search [--loss SHARE]  find the highest rate with at most this loss (default 0), as\n"
	"                     RFC 2544 does, with trials of --seconds\n"
	"  --cipher NAME      default AES-256-GCM\n"
	"  --no-mobility      greet as a server with mobility off\n"
	"  --cpu N            run there\n"
	"  --memory MB        for packet buffers (default 256)\n"
	"  --json FILE        write the result\n"
	"  --help, --version\n";

enum {
	OPT_SOCKET = 256,
	OPT_OUTER,
	OPT_INNER,
	OPT_IN_PROCESS,
	OPT_FORWARDER,
	OPT_TELEMETRY,
	OPT_SESSIONS,
	OPT_FLOWS,
	OPT_ZIPF,
	OPT_SIZE,
	OPT_DIRECTION,
	OPT_RATE,
	OPT_SECONDS,
	OPT_HANDOVERS,
	OPT_FLOAT,
	OPT_IN_TURN,
	OPT_RESTARTS,
	OPT_HOSTILE,
	OPT_SEARCH,
	OPT_LOSS,
	OPT_CIPHER,
	OPT_NO_MOBILITY,
	OPT_CPU,
	OPT_MEMORY,
	OPT_JSON,
	OPT_PCAP,
	OPT_FRAMES,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "outer", required_argument, NULL, OPT_OUTER },
	{ "inner", required_argument, NULL, OPT_INNER },
	{ "in-process", no_argument, NULL, OPT_IN_PROCESS },
	{ "forwarder", no_argument, NULL, OPT_FORWARDER },
	{ "telemetry", required_argument, NULL, OPT_TELEMETRY },
	{ "sessions", required_argument, NULL, OPT_SESSIONS },
	{ "flows", required_argument, NULL, OPT_FLOWS },
	{ "zipf", no_argument, NULL, OPT_ZIPF },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "direction", required_argument, NULL, OPT_DIRECTION },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "handovers", required_argument, NULL, OPT_HANDOVERS },
	{ "float", no_argument, NULL, OPT_FLOAT },
	{ "in-turn", no_argument, NULL, OPT_IN_TURN },
	{ "restarts", no_argument, NULL, OPT_RESTARTS },
	{ "hostile", required_argument, NULL, OPT_HOSTILE },
	{ "search", no_argument, NULL, OPT_SEARCH },
	{ "loss", required_argument, NULL, OPT_LOSS },
	{ "cipher", required_argument, NULL, OPT_CIPHER },
	{ "no-mobility", no_argument, NULL, OPT_NO_MOBILITY },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "write-pcap", required_argument, NULL, OPT_PCAP },
	{ "frames", required_argument, NULL, OPT_FRAMES },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int bad(const char *name, const char *value)
{
	(void)fprintf(stderr, "visp-pktgen: bad value for --%s: %s\n", name, value);
	return 3;
}

// A number within bounds, fractions allowed. Returns 0 or -EINVAL.
static int number(const char *text, double min, double max, double *ret)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= min && v <= max))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int size(struct pg_options *o, const char *text)
{
	double v;

	if (strcmp(text, "imix") == 0) {
		o->load.size = 0;
		return 0;
	}
	if (number(text, PG_INNER_MIN, 1500, &v) < 0)
		return -EINVAL;
	o->load.size = (uint16_t)v;
	return 0;
}

static int direction(struct pg_options *o, const char *text)
{
	if (strcmp(text, "up") == 0)
		o->load.direction = PG_UP;
	else if (strcmp(text, "down") == 0)
		o->load.direction = PG_DOWN;
	else if (strcmp(text, "both") == 0)
		o->load.direction = PG_UP | PG_DOWN;
	else
		return -EINVAL;
	return 0;
}

static int cipher(struct pg_options *o, const char *text)
{
	if (ovpn_cipher_by_name(text, strlen(text), &o->cipher) < 0)
		return -EINVAL;
	return dp_crypto_has((uint8_t)o->cipher) ? 0 : -EINVAL;
}

static int take_number(struct pg_options *o, int c, const char *arg)
{
	static const struct {
		int c;
		double min, max;
	} limits[] = {
		{ OPT_SESSIONS, 1, SHM_SESSIONS_MAX },
		{ OPT_FLOWS, 1, 60000 },
		{ OPT_RATE, 0, 1e9 },
		{ OPT_SECONDS, 0.01, 86400 },
		{ OPT_HANDOVERS, 0, 1e7 },
		{ OPT_HOSTILE, 0, 30 },
		{ OPT_LOSS, 0, 1 },
		{ OPT_CPU, 0, 4095 },
		{ OPT_MEMORY, 64, 1 << 20 },
		{ OPT_FRAMES, 1, 1e8 },
	};
	double v = 0;

	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].c == c && number(arg, limits[i].min, limits[i].max, &v) < 0)
			return -EINVAL;
	}
	switch (c) {
	case OPT_SESSIONS: o->sessions = (uint32_t)v; break;
	case OPT_FLOWS: o->flows = (uint32_t)v; break;
	case OPT_RATE: o->trial.pps = v; break;
	case OPT_SECONDS: o->trial.seconds = v; break;
	case OPT_HANDOVERS: o->trial.moves_per_second = v; break;
	case OPT_HOSTILE: o->load.hostile = v; break;
	case OPT_LOSS: o->search_loss = v; break;
	case OPT_CPU: o->cpu = (int)v; break;
	case OPT_MEMORY: o->memory_mb = (unsigned)v; break;
	default: o->pcap_frames = (uint32_t)v; break;
	}
	return 0;
}

static int take(struct pg_options *o, int c, const char *arg)
{
	switch (c) {
	case OPT_SOCKET: o->socket = arg; return 0;
	case OPT_OUTER: o->outer = arg; return 0;
	case OPT_INNER: o->inner = arg; return 0;
	case OPT_TELEMETRY: o->telemetry = arg; return 0;
	case OPT_IN_PROCESS: return 0;
	case OPT_FORWARDER: o->forwarder = true; return 0;
	case OPT_ZIPF: o->load.zipf = true; return 0;
	case OPT_FLOAT: o->load.float_only = true; return 0;
	case OPT_IN_TURN: o->load.in_turn = true; return 0;
	case OPT_RESTARTS: o->trial.restarts = true; return 0;
	case OPT_SEARCH: o->search = true; return 0;
	case OPT_NO_MOBILITY: o->mobility = false; return 0;
	case OPT_JSON: o->json = arg; return 0;
	case OPT_PCAP: o->pcap = arg; return 0;
	case OPT_SIZE: return size(o, arg);
	case OPT_DIRECTION: return direction(o, arg);
	case OPT_CIPHER: return cipher(o, arg);
	default: return take_number(o, c, arg);
	}
}

// What doesn't go together. Returns NULL when all does.
static const char *conflict(const struct pg_options *o, bool in_process)
{
	bool behind = o->socket != NULL || o->forwarder;
	bool outside = behind && o->outer != NULL && o->inner != NULL;
	bool some = behind || o->outer != NULL || o->inner != NULL;

	if (in_process + outside + (o->pcap != NULL) != 1 || (some && !outside))
		return "give --socket, --outer and --inner, or --in-process, or --write-pcap";
	if (o->socket != NULL && o->forwarder)
		return "--forwarder has no --socket";
	if (o->telemetry != NULL && o->socket == NULL)
		return "--telemetry goes with --socket";
	if (o->forwarder && o->load.direction != PG_UP)
		return "--forwarder passes packets of clients: --direction up";
	if (o->pcap != NULL && o->load.direction == (PG_UP | PG_DOWN))
		return "a capture is of one port: --direction up or down";
	if (o->trial.restarts && (o->socket == NULL || o->search))
		return "--restarts needs --socket, and no --search";
	if (o->load.hostile > 0 && (o->load.direction & PG_UP) == 0)
		return "--hostile goes with packets of the clients: --direction up or both";
	if (o->load.float_only && (o->load.direction & PG_UP) == 0)
		return "--float needs packets of the clients: --direction up or both";
	return NULL;
}

int pg_options_read(struct pg_options *o, int argc, char **argv)
{
	bool in_process = false;
	const char *why;
	int c, index;

	*o = (struct pg_options){ .sessions = 1024,
		.flows = 1,
		.cpu = -1,
		.memory_mb = 256,
		.cipher = OVPN_CIPHER_AES_256_GCM,
		.mobility = true,
		.pcap_frames = 10000,
		.load = { .size = 512, .direction = PG_UP },
		.trial = { .seconds = 5, .progress = isatty(STDERR_FILENO) == 1 } };
	while ((c = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (c == OPT_HELP) {
			(void)fputs(usage_text, stdout);
			return 1;
		}
		if (c == OPT_VERSION) {
			puts("visp-pktgen " VISP_VERSION);
			return 1;
		}
		if (c == '?') {
			(void)fputs("visp-pktgen --help shows the options\n", stderr);
			return 3;
		}
		in_process |= c == OPT_IN_PROCESS;
		if (take(o, c, optarg) < 0)
			return bad(long_options[index].name, optarg);
	}
	o->load.sealed = !o->forwarder;
	why = optind < argc ? "arguments need an option" : conflict(o, in_process);
	if (why == NULL)
		return 0;
	(void)fprintf(stderr, "visp-pktgen: %s (--help shows the options)\n", why);
	return 3;
}
