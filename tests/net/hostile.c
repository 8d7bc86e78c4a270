// SPDX-License-Identifier: BSD-3-Clause
// A hostile network beside a client: records what the client sends, then sends it to the server
// again, cut, with bits flipped, and beside that forged packets, from addresses of its own and from
// the client's. The same seed sends the same kinds, cuts and flips in the same order.
//
// usage: visp-hostile IFACE SERVER:PORT COUNT RATE SEED RECONF SOURCE...
//
// RECONF: bytes of a reconfiguration Ping, its UDP payload, in the format of the client.
// Records on IFACE until "go" is read from standard input, then sends COUNT packets, RATE a second,
// in turn from the client's address and from each SOURCE address. Prints "recording" at first, and
// at the end one line: "sent N recorded N reconfiguration N".
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECORDED_MAX 512
#define PACKET_MAX 1500 // of UDP payload
#define SOURCES_MAX 8
#define TAIL 8
#define TRIES_MAX 1000 // for one packet
#define FRAGMENT 1480 // of an IP packet's payload, when it doesn't fit one frame

enum kind {
	KIND_REPLAY,
	KIND_CUT,
	KIND_FLIP,
	KIND_FORGE, // random bytes behind a true first word
	KIND_FORGE_RECONF, // the same, with the true session id at the end
	KIND_RANDOM,
	KINDS,
};

struct packet {
	uint16_t len;
	bool reconf;
	uint8_t data[PACKET_MAX];
};

struct hostile {
	int capture_fd;
	int raw_fd;
	struct sockaddr_in server;
	struct sockaddr_in client; // the newest address the client sent from
	struct in_addr source[SOURCES_MAX];
	unsigned sources;
	unsigned recorded, reconfs;
	size_t reconf_len;
	struct packet packet[RECORDED_MAX];
	uint64_t random;
};

// splitmix64: any seed will do, also 0.
static uint64_t draw(struct hostile *h)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool is_data(const uint8_t *payload)
{
	return payload[0] >> 3 == 6 || payload[0] >> 3 == 9;
}

// Keep a data packet of the client; reconfiguration Pings always, others while there is room.
static void record(struct hostile *h, const uint8_t *payload, size_t len)
{
	bool reconf = len == h->reconf_len;
	struct packet *p;

	if (len == 0 || len > PACKET_MAX || !is_data(payload))
		return;
	if (h->recorded < RECORDED_MAX)
		p = &h->packet[h->recorded++];
	else if (reconf)
		p = &h->packet[draw(h) % RECORDED_MAX];
	else
		return;
	p->len = (uint16_t)len;
	p->reconf = reconf;
	h->reconfs += reconf;
	memcpy(p->data, payload, len);
}

static void on_capture(struct hostile *h)
{
	uint8_t buf[2048];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t n =
		recvfrom(h->capture_fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);
	struct iphdr ip;
	struct udphdr udp;
	size_t ihl;

	if (n < (ssize_t)sizeof(ip) || from.sll_protocol != htons(ETH_P_IP))
		return;
	memcpy(&ip, buf, sizeof(ip));
	ihl = ip.ihl * 4u;
	if (ip.protocol != IPPROTO_UDP || ip.daddr != h->server.sin_addr.s_addr ||
		ip.frag_off & htons(IP_OFFMASK | IP_MF) || (size_t)n < ihl + sizeof(udp))
		return;
	memcpy(&udp, buf + ihl, sizeof(udp));
	if (udp.dest != h->server.sin_port)
		return;
	h->client.sin_addr.s_addr = ip.saddr;
	h->client.sin_port = udp.source;
	record(h, buf + ihl + sizeof(udp), (size_t)n - ihl - sizeof(udp));
}

static void record_until_go(struct hostile *h)
{
	struct pollfd fds[] = { { h->capture_fd, POLLIN, 0 }, { 0, POLLIN, 0 } };
	char line[16];

	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents != 0)
			on_capture(h);
		if (fds[1].revents != 0) {
			(void)!read(0, line, sizeof(line)); // whatever it is, recording is over
			return;
		}
	}
}

static void flip_bits(struct hostile *h, uint8_t *data, size_t len)
{
	unsigned bits = (unsigned)(draw(h) % 8);

	if (len == 0)
		return;
	// Flips of the same bit undo each other: one is left for the last byte, which these spare.
	for (unsigned i = 0; i < bits && len > 1; i++) {
		uint64_t r = draw(h);

		data[r % (len - 1)] ^= (uint8_t)(1u << (r >> 32) % 8);
	}
	data[len - 1] ^= (uint8_t)(1u << draw(h) % 8);
}

static void fill_random(struct hostile *h, uint8_t *data, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		data[i] = (uint8_t)draw(h);
}

// Make one packet; returns its length.
static size_t make(struct hostile *h, uint8_t *data)
{
	const struct packet *p = &h->packet[draw(h) % h->recorded];
	enum kind kind = (enum kind)(draw(h) % KINDS);
	size_t len = p->len;

	memcpy(data, p->data, len);
	switch (kind) {
	case KIND_CUT: return draw(h) % len;
	case KIND_FLIP:
		flip_bits(h, data + 1, len - 1); // the opcode stays, so that it is a data packet
		return len;
	case KIND_FORGE:
		len = 4 + draw(h) % (PACKET_MAX - 3);
		fill_random(h, data, 4, len);
		return len;
	case KIND_FORGE_RECONF:
		if (p->reconf)
			fill_random(h, data, 4, len - TAIL);
		return len;
	case KIND_RANDOM:
		len = draw(h) % (PACKET_MAX + 1);
		fill_random(h, data, 0, len);
		// Control packets are for the tests of the control channel.
		if (len > 0 && !is_data(data))
			data[0] = (uint8_t)((draw(h) & 1 ? 6u : 9u) << 3 | (data[0] & 7u));
		return len;
	default: return len;
	}
}

static uint16_t ip_checksum(const void *data, size_t len)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < len; i += 2) {
		memcpy(&word, (const uint8_t *)data + i, 2);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// One IP packet; a raw socket that writes its own headers doesn't fragment.
struct wire {
	struct iphdr ip;
	uint8_t data[sizeof(struct udphdr) + PACKET_MAX];
} __attribute__((packed));

// Send len bytes of out->data as one IP packet, or as the fragment that begins at offset.
// Returns 0 or -errno.
static int send_ip(struct hostile *h, struct wire *out, size_t len, size_t offset, bool more)
{
	struct wire part = *out;

	memcpy(part.data, out->data + offset, len);
	part.ip.tot_len = htons((uint16_t)(sizeof(part.ip) + len));
	part.ip.frag_off = htons((uint16_t)(offset / 8 | (more ? IP_MF : 0)));
	part.ip.check = 0;
	part.ip.check = ip_checksum(&part.ip, sizeof(part.ip));
	for (unsigned tries = 0;; tries++) {
		if (sendto(h->raw_fd, &part, sizeof(part.ip) + len, 0,
			    (struct sockaddr *)&h->server, sizeof(h->server)) >= 0)
			return 0;
		if (errno != ENOBUFS || tries == TRIES_MAX)
			return -errno;
		(void)poll(NULL, 0, 1); // the queue is full: a moment later it isn't
	}
}

static int send_one(struct hostile *h, unsigned n)
{
	struct wire out = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP } };
	struct udphdr udp = { .dest = h->server.sin_port }; // checksum 0: none
	size_t len = sizeof(udp) + make(h, out.data + sizeof(udp));
	unsigned from = n % (h->sources + 1);
	int rc;

	out.ip.id = htons((uint16_t)n);
	out.ip.daddr = h->server.sin_addr.s_addr;
	out.ip.saddr = from == 0 ? h->client.sin_addr.s_addr : h->source[from - 1].s_addr;
	udp.source = from == 0 ? h->client.sin_port : htons((uint16_t)(1024 + n % 60000));
	udp.len = htons((uint16_t)len);
	memcpy(out.data, &udp, sizeof(udp));
	if (len <= FRAGMENT)
		return send_ip(h, &out, len, 0, false);
	rc = send_ip(h, &out, FRAGMENT, 0, true);
	return rc < 0 ? rc : send_ip(h, &out, len - FRAGMENT, FRAGMENT, false);
}

// Send count packets, rate a second, in batches of a millisecond. Returns how many left.
static long send_all(struct hostile *h, unsigned long count, unsigned long rate)
{
	struct timespec next;
	unsigned long sent = 0;
	unsigned long batch = rate / 1000 + 1;

	(void)clock_gettime(CLOCK_MONOTONIC, &next);
	for (unsigned long n = 0; n < count;) {
		for (unsigned long i = 0; i < batch && n < count; i++, n++) {
			int rc = send_one(h, (unsigned)n);

			if (rc < 0)
				return rc;
			sent++;
		}
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	return (long)sent;
}

static int open_sockets(struct hostile *h, const char *iface)
{
	// Only a socket for all protocols is shown what leaves.
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int one = 1;

	h->capture_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	h->raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	ll.sll_ifindex = (int)if_nametoindex(iface);
	if (h->capture_fd < 0 || h->raw_fd < 0 || ll.sll_ifindex == 0 ||
		bind(h->capture_fd, (struct sockaddr *)&ll, sizeof(ll)) < 0 ||
		setsockopt(h->raw_fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof(one)) < 0)
		return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	static struct hostile h;
	unsigned port = 0;
	char host[32] = "";
	long sent;
	int rc;

	if (argc < 8 || argc - 7 > SOURCES_MAX ||
		sscanf(argv[2], "%31[0-9.]:%u", host, &port) != 2 ||
		inet_pton(AF_INET, host, &h.server.sin_addr) != 1) {
		(void)fputs(
			"usage: visp-hostile IFACE SERVER:PORT COUNT RATE SEED RECONF SOURCE...\n",
			stderr);
		return 2;
	}
	h.server.sin_family = AF_INET;
	h.server.sin_port = htons((uint16_t)port);
	h.random = strtoull(argv[5], NULL, 10);
	h.reconf_len = strtoul(argv[6], NULL, 10);
	for (int i = 7; i < argc; i++)
		(void)inet_pton(AF_INET, argv[i], &h.source[h.sources++]);
	rc = open_sockets(&h, argv[1]);
	if (rc < 0) {
		(void)fprintf(stderr, "visp-hostile: %s: %s\n", argv[1], strerror(-rc));
		return 1;
	}
	puts("recording");
	(void)fflush(stdout);
	record_until_go(&h);
	if (h.recorded == 0) {
		(void)fputs("visp-hostile: nothing recorded\n", stderr);
		return 1;
	}
	sent = send_all(&h, strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
	if (sent < 0) {
		(void)fprintf(stderr, "visp-hostile: sending: %s\n", strerror((int)-sent));
		return 1;
	}
	printf("sent %ld recorded %u reconfiguration %u\n", sent, h.recorded, h.reconfs);
	return 0;
}
