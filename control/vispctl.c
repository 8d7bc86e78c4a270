// SPDX-License-Identifier: BSD-3-Clause
// vispctl: shows and steers a running visp-control over its Unix socket, and makes keys.
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/vispctl_genkey.h"
#include "control/vispctl_list.h"

#define SOCKET_DEFAULT "/run/visp/control.sock"

struct arguments {
	const char *socket;
	const char *command;
	const char *peer;
	bool json;
	bool halt;
};

static void usage(FILE *to)
{
	(void)fputs("usage: vispctl [--socket PATH] COMMAND\n"
		    "\n"
		    "  status [--json]      sessions with addresses, bytes, cipher, handovers\n"
		    "  counters             what happened since the start, as JSON\n"
		    "  show PEER            everything about the sessions of PEER, as JSON\n"
		    "  kick PEER [--halt]   end them; --halt: the client shall not come back\n"
		    "  genkey KIND [FILE]   make a key; `vispctl genkey --help` says which\n"
		    "\n"
		    "PEER is a common name, a peer-id, a session id, a real or a tunnel address.\n"
		    "\n"
		    "  --socket PATH  control-socket of the server, default " SOCKET_DEFAULT "\n"
		    "  --help         this text\n"
		    "  --version      the version\n",
		to);
}

// Returns 0 to go on, 1 when the program is done, -1 for wrong arguments.
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "halt", no_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	bool wants_peer;
	int c;

	while ((c = getopt_long(argc, argv, "s:jhv", options, NULL)) != -1) {
		switch (c) {
		case 's': ret->socket = optarg; break;
		case 'j': ret->json = true; break;
		case 'H': ret->halt = true; break;
		case 'h': usage(stdout); return 1;
		case 'v': (void)puts("vispctl " VISP_VERSION); return 1;
		default: usage(stderr); return -1;
		}
	}
	ret->command = optind < argc ? argv[optind] : "";
	ret->peer = optind + 1 < argc ? argv[optind + 1] : NULL;
	wants_peer = strcmp(ret->command, "show") == 0 || strcmp(ret->command, "kick") == 0;
	if ((!wants_peer && strcmp(ret->command, "status") != 0 &&
		    strcmp(ret->command, "counters") != 0) ||
		argc - optind != (wants_peer ? 2 : 1)) {
		if (ret->command[0] != '\0')
			(void)fprintf(stderr,
				"vispctl: \"%s\" isn't a command, or wants other arguments\n",
				ret->command);
		usage(stderr);
		return -1;
	}
	return 0;
}

// ---- Conversation ----------------------------------------------------------------------------

static int open_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	(void)close(fd); // errno of connect is what counts
	return -1;
}

static int send_request(int fd, const struct arguments *args)
{
	json_t *o = json_pack("{s:s, s:b}", "command", args->command, "halt", args->halt);
	char *text;
	int rc;

	if (args->peer != NULL && json_object_set_new(o, "peer", json_string(args->peer)) < 0) {
		json_decref(o);
		return -1; // not UTF-8
	}
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text == NULL)
		return -1;
	rc = dprintf(fd, "%s\n", text);
	free(text);
	return rc < 0 ? -1 : 0;
}

// Send the request. Returns the answer's stream, NULL after telling why not.
static FILE *ask(const struct arguments *args)
{
	int fd = open_socket(args->socket);
	FILE *in;

	if (fd < 0) {
		(void)fprintf(stderr, "vispctl: can't reach visp-control at %s: %s\n", args->socket,
			strerror(errno));
		return NULL;
	}
	if (send_request(fd, args) == 0) {
		in = fdopen(fd, "r");
		if (in != NULL)
			return in;
	}
	(void)fprintf(stderr, "vispctl: the request can't be sent\n");
	(void)close(fd); // nothing was read
	return NULL;
}

static json_t *converse(const struct arguments *args)
{
	FILE *in = ask(args);
	json_error_t error;
	json_t *o;

	if (in == NULL)
		return NULL;
	o = json_loadf(in, JSON_DISABLE_EOF_CHECK, &error);
	if (o == NULL)
		(void)fprintf(stderr, "vispctl: no answer from visp-control\n");
	(void)fclose(in); // everything was read
	return o;
}

// ---- Output ----------------------------------------------------------------------------------

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s != NULL ? s : "-";
}

static unsigned long long number_of(const json_t *o, const char *name)
{
	return (unsigned long long)json_integer_value(json_object_get(o, name));
}

static void print_flags(const json_t *flags)
{
	for (size_t i = 0; i < json_array_size(flags); i++) {
		const char *flag = json_string_value(json_array_get(flags, i));

		(void)printf("%s%s", i > 0 ? "," : "", flag != NULL ? flag : "?");
	}
}

static void print_session(const json_t *s)
{
	time_t since = (time_t)number_of(s, "connected_since");
	char stamp[32] = "-";
	struct tm tm;

	if (localtime_r(&since, &tm) != NULL)
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	(void)printf("%-20s %7llu %-22s %-15s %12llu %12llu %-17s %s %9llu ", text_of(s, "name"),
		number_of(s, "peer_id"), text_of(s, "address"), text_of(s, "tunnel"),
		number_of(s, "rx_bytes"), number_of(s, "tx_bytes"), text_of(s, "cipher"), stamp,
		number_of(s, "handovers"));
	print_flags(json_object_get(s, "flags"));
	(void)putchar('\n');
}

static void print_totals(const json_t *totals)
{
	(void)printf(
		"visp-control %s, dataplane %s, %llu of %llu sessions, %llu handshakes under way\n",
		text_of(totals, "version"), text_of(totals, "dataplane"), number_of(totals, "live"),
		number_of(totals, "capacity"), number_of(totals, "handshaking"));
}

static void print_heading(void)
{
	(void)printf("%-20s %7s %-22s %-15s %12s %12s %-17s %-19s %9s %s\n", "NAME", "PEER-ID",
		"ADDRESS", "TUNNEL", "BYTES IN", "BYTES OUT", "CIPHER", "CONNECTED SINCE",
		"HANDOVERS", "FLAGS");
}

// Whoever listens at the socket may not be visp-control, or be another version of it.
static bool is_answer(const struct arguments *args, const json_t *answer)
{
	if (!json_is_object(answer))
		return false;
	if (json_is_string(json_object_get(answer, "error")))
		return true;
	if (strcmp(args->command, "kick") == 0)
		return json_is_integer(json_object_get(answer, "kicked"));
	if (strcmp(args->command, "counters") == 0)
		return true;
	return json_is_array(json_object_get(answer, "sessions")) &&
		(strcmp(args->command, "status") != 0 ||
			json_is_object(json_object_get(answer, "totals")));
}

// Returns 0, or 1 after telling that it isn't an answer, or that it is an error.
static int check_answer(const struct arguments *args, const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!is_answer(args, answer))
		(void)fprintf(stderr, "vispctl: %s gives an answer that isn't understood\n",
			args->socket);
	else if (error != NULL)
		(void)fprintf(stderr, "vispctl: %s\n", error);
	else
		return 0;
	return 1;
}

static int print_answer(const struct arguments *args, const json_t *answer)
{
	if (check_answer(args, answer) != 0)
		return 1;
	if (strcmp(args->command, "show") == 0 &&
		json_array_size(json_object_get(answer, "sessions")) == 0) {
		(void)fprintf(stderr, "vispctl: no such session\n");
		return 1;
	}
	if (strcmp(args->command, "kick") == 0 && !args->json) {
		(void)printf("%llu kicked\n", number_of(answer, "kicked"));
	} else {
		(void)json_dumpf(answer, stdout, JSON_INDENT(2));
		(void)putchar('\n');
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

// ---- Status ----------------------------------------------------------------------------------

struct status {
	bool json;
	unsigned long long sessions; // printed so far
};

// One value of the answer; each is printed and forgotten, however many there are.
static int on_value(void *arg, bool totals, const char *text, size_t len)
{
	struct status *st = arg;
	json_t *o = json_loadb(text, len, 0, NULL);
	int rc = json_is_object(o) ? 0 : -EPROTO;

	if (rc == 0 && st->json) {
		(void)fputs(totals ? "{\n\"totals\": " : st->sessions > 0 ? ",\n" : "\n", stdout);
		(void)fwrite(text, 1, len, stdout);
		(void)fputs(totals ? ",\n\"sessions\": [" : "", stdout);
	} else if (rc == 0 && totals) {
		print_totals(o);
	} else if (rc == 0) {
		if (st->sessions == 0)
			print_heading();
		print_session(o);
	}
	if (!totals)
		st->sessions++;
	json_decref(o);
	return rc == 0 && ferror(stdout) != 0 ? -EIO : rc;
}

// Read to the end. Returns 0 or a negative errno.
static int read_list(FILE *in, struct vispctl_list *list)
{
	char buf[65536];
	int rc = 0;

	while (rc == 0 && !list->done) {
		ssize_t n = read(fileno(in), buf, sizeof(buf));

		if (n <= 0)
			return -EPIPE;
		rc = vispctl_list_feed(list, buf, (size_t)n);
	}
	return rc;
}

// What is said about sessions while they come; the request's error, if it is one, at the end.
static int run_status(const struct arguments *args)
{
	static struct vispctl_list list; // too large for the stack
	struct status st = { .json = args->json };
	FILE *in = ask(args);
	json_t *outer = NULL;
	int rc;

	if (in == NULL)
		return 1;
	vispctl_list_init(&list, on_value, &st);
	rc = read_list(in, &list);
	(void)fclose(in); // everything was read
	if (rc == -EPIPE && list.outer_len == 0)
		(void)fprintf(stderr, "vispctl: no answer from visp-control\n");
	else if (rc == -EPIPE)
		(void)fprintf(stderr, "vispctl: the answer of visp-control ends too early\n");
	if (rc == 0 || rc == -EPROTO || rc == -EMSGSIZE) {
		outer = json_loadb(list.outer, list.outer_len, 0, NULL);
		rc = check_answer(args, rc == 0 ? outer : NULL);
		json_decref(outer);
	}
	if (rc == 0 && args->json)
		(void)fputs("\n]\n}\n", stdout);
	return fflush(stdout) == 0 && rc == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct arguments args = { .socket = SOCKET_DEFAULT };
	json_t *answer;
	int rc;

	// The one command that has options of its own and needs no server.
	if (argc > 1 && strcmp(argv[1], "genkey") == 0)
		return vispctl_genkey(argc - 1, argv + 1);
	rc = parse_arguments(argc, argv, &args);
	if (rc != 0)
		return rc < 0 ? 2 : 0;
	if (strcmp(args.command, "status") == 0)
		return run_status(&args);
	answer = converse(&args);
	if (answer == NULL)
		return 1;
	rc = print_answer(&args, answer);
	json_decref(answer);
	return rc;
}
