// SPDX-License-Identifier: BSD-3-Clause
// visp-delay: a wire of a given length. Passes frames between two interfaces, each some
// milliseconds after it came, for kernels without netem.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAMES 16384u // under way in one direction
#define FRAME_MAX 2048u
#define BUFFER (8 << 20)
#define BATCH 64u

struct frame {
	uint64_t due_ns;
	uint32_t len;
	uint8_t bytes[FRAME_MAX];
};

// One direction: what was read from `in` waits until it is written to `out`.
struct way {
	int in;
	int out;
	struct frame *queue; // FRAMES, oldest at head
	uint32_t head;
	uint32_t n;
	uint64_t lost; // the queue was full
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); // can't fail for this clock
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int open_iface(const char *name)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq all = { .mr_type = PACKET_MR_PROMISC };
	int one = 1, size = BUFFER;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	addr.sll_ifindex = (int)if_nametoindex(name);
	all.mr_ifindex = addr.sll_ifindex;
	// Frames that we send ourselves must not come back.
	if (addr.sll_ifindex == 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		rc = -errno;
		(void)close(fd); // the first error is the one to report
		return rc;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)); // smaller works too
	return fd;
}

static void take(struct way *w, uint64_t delay_ns)
{
	struct frame *f;
	ssize_t len;

	for (unsigned i = 0; i < BATCH; i++) {
		struct frame spill;

		f = w->n < FRAMES ? &w->queue[(w->head + w->n) % FRAMES] : &spill;
		len = recv(w->in, f->bytes, sizeof(f->bytes), 0);
		if (len <= 0)
			return;
		if (f == &spill) {
			w->lost++;
			continue;
		}
		f->len = (uint32_t)len;
		f->due_ns = now_ns() + delay_ns;
		w->n++;
	}
}

// Send what is due. Returns when the next frame is, UINT64_MAX without one.
static uint64_t give(struct way *w)
{
	while (w->n > 0) {
		struct frame *f = &w->queue[w->head];

		if (f->due_ns > now_ns())
			return f->due_ns;
		if (send(w->out, f->bytes, f->len, 0) < 0)
			w->lost++;
		w->head = (w->head + 1) % FRAMES;
		w->n--;
	}
	return UINT64_MAX;
}

static void run(struct way way[2], uint64_t delay_ns)
{
	struct pollfd fd[2] = { { .fd = way[0].in, .events = POLLIN },
		{ .fd = way[1].in, .events = POLLIN } };

	while (!stop) {
		uint64_t a = give(&way[0]), b = give(&way[1]);
		uint64_t next = a < b ? a : b, now = now_ns();
		struct timespec t = { .tv_sec = 1 };

		if (next != UINT64_MAX)
			t = (struct timespec){ .tv_nsec = next > now ? (long)(next - now) : 0 };
		(void)ppoll(fd, 2, &t, NULL); // whatever it says, both are looked at
		take(&way[0], delay_ns);
		take(&way[1], delay_ns);
	}
}

static int usage(FILE *f)
{
	(void)fputs(
		"usage: visp-delay IFACE IFACE MILLISECONDS\n"
		"\n"
		"Passes all frames between two interfaces, each so many milliseconds (up to 900)\n"
		"after it came.\n"
		"\n"
		"  --help, --version\n",
		f);
	return f == stderr ? 2 : 0;
}

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct way way[2] = { { .in = -1 }, { .in = -1 } };
	struct sigaction act = { .sa_handler = on_signal };
	double ms;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'V') {
			puts("visp-delay " VISP_VERSION);
			return 0;
		}
		return usage(c == 'h' ? stdout : stderr);
	}
	if (argc - optind != 3)
		return usage(stderr);
	ms = strtod(argv[optind + 2], &end);
	if (*end != '\0' || !(ms >= 0 && ms <= 900))
		return usage(stderr);
	for (unsigned i = 0; i < 2; i++) {
		way[i].in = open_iface(argv[optind + (int)i]);
		way[i].queue = calloc(FRAMES, sizeof(*way[i].queue));
		if (way[i].in < 0 || way[i].queue == NULL) {
			(void)fprintf(stderr, "visp-delay: %s: %s\n", argv[optind + (int)i],
				strerror(way[i].in < 0 ? -way[i].in : ENOMEM));
			return 1;
		}
	}
	way[0].out = way[1].in;
	way[1].out = way[0].in;
	(void)sigaction(SIGTERM, &act, NULL); // signals that exist
	(void)sigaction(SIGINT, &act, NULL);
	puts("ready");
	(void)fflush(stdout); // whoever started us waits for the line
	run(way, (uint64_t)(ms * 1e6));
	if (way[0].lost + way[1].lost > 0)
		(void)fprintf(stderr, "visp-delay: %llu frames lost\n",
			(unsigned long long)(way[0].lost + way[1].lost));
	return 0;
}
