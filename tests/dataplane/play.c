// SPDX-License-Identifier: BSD-3-Clause
// Plays visp-control and one client against a running visp-dataplane: greets, installs a session
// with keys that it drew itself, and sends encrypted pings through real ports.
//
//   dp-play SOCKET SERVER PORT CLIENT PHASE...
//
// Phases, in their order: ping (20 echo requests, all answered), move (another UDP port: followed
// on the first packet), restart (the dataplane is killed by somebody: reconnect, hand the table
// over, go on with the same keys), big (1,472 bytes of payload), leave (the session is removed).
// Exit status 0 when every phase did what it should.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "protocol/data_packet.h"
#include "shm/fdpass.h"
#include "shm/message.h"
#include "shm/ring.h"
#include "shm/session.h"
#include "shm/table.h"

#define SLOT 7u
#define INNER_SERVER "10.8.0.1"
#define INNER_CLIENT "10.8.0.2"

struct player {
	const char *socket_path;
	struct shm_endpoint endpoint;
	int sock;
	int udp;
	struct shm_welcome welcome;
	int fds[SHM_FDS_MAX];
	unsigned n_fds;
	uint8_t *rings;
	struct shm_ring ring[SHM_WORKERS_MAX][SHM_RING_KINDS];
	struct shm_view view;
	int sessions_fd; // kept over a restart
	int keys_fd;
	int control_fd; // control's own memfd, -1: none
	uint16_t generation;
	uint32_t seq;
	uint64_t packet_id;
	struct shm_raw_key tx; // client to server
	struct shm_raw_key rx;
	bool handover; // such an event came
};

static void die(const char *what, int rc)
{
	(void)fprintf(stderr, "dp-play: %s: %s\n", what, strerror(rc < 0 ? -rc : errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static struct shm_addr addr4(const char *text)
{
	struct shm_addr a = { .family = AF_INET };

	if (inet_pton(AF_INET, text, a.bytes) != 1)
		die(text, -EINVAL);
	return a;
}

// ---- Control's part --------------------------------------------------------------------------

static int greet(struct player *p, bool tables)
{
	struct shm_hello hello = {
		.kind = SHM_HELLO,
		.version = SHM_LAYOUT_VERSION,
		.layout_hash = shm_layout_hash(),
		.flags = SHM_HELLO_MOBILITY | (tables ? SHM_HELLO_HAS_TABLES : 0),
		.listens = 1,
		.subnets = 1,
		.tun_mtu = 1500,
		.occ_len = 3,
		.occ = "V4",
	};
	union {
		struct shm_welcome welcome;
		struct shm_refused refused;
	} answer;
	int fds[3];
	unsigned n = 0;
	size_t len;
	int rc;

	if (p->control_fd >= 0) {
		hello.flags |= SHM_HELLO_HAS_CONTROL;
		fds[n++] = p->control_fd;
	}
	if (tables) {
		fds[n++] = p->sessions_fd;
		fds[n++] = p->keys_fd;
	}
	hello.listen[0].addr = p->endpoint.local;
	hello.listen[0].port_be = p->endpoint.local_port_be;
	hello.subnet[0].addr = addr4("10.8.0.0");
	hello.subnet[0].prefix_len = 24;
	hello.subnet[0].server = addr4(INNER_SERVER);
	p->sock = shm_socket_connect(p->socket_path);
	if (p->sock < 0)
		return p->sock;
	rc = shm_send(p->sock, &hello, sizeof(hello), fds, n);
	if (rc == 0)
		rc = shm_recv(
			p->sock, &answer, sizeof(answer), &len, p->fds, SHM_FDS_MAX, &p->n_fds);
	if (rc < 0)
		return rc;
	if (answer.welcome.kind == SHM_REFUSED) {
		(void)fprintf(stderr, "dp-play: refused: %s\n", answer.refused.text);
		exit(1);
	}
	p->welcome = answer.welcome;
	return shm_welcome_check(&p->welcome, len);
}

static void attach(struct player *p)
{
	const struct shm_welcome *w = &p->welcome;
	int rc = shm_view_map(p->fds[0], w, &p->view);

	if (rc < 0)
		die("sessions", rc);
	p->sessions_fd = p->fds[0];
	p->keys_fd = p->fds[1];
	p->rings = mmap(NULL, w->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->fds[2], 0);
	if (p->rings == MAP_FAILED)
		die("rings", 0);
	for (uint16_t i = 0; i < w->workers; i++) {
		for (int kind = 0; kind < SHM_RING_KINDS; kind++) {
			size_t at = shm_rings_offset(i, kind, w->entries);

			rc = shm_ring_attach(&p->ring[i][kind], p->rings + at, w->rings_size - at,
				w->entries[kind], shm_ring_elem_size(kind),
				kind == SHM_RING_COMMAND || kind == SHM_RING_INJECT);
			if (rc < 0)
				die("ring", rc);
		}
	}
}

// Take events until the acknowledgement `seq` came, or the time is over.
static int events(struct player *p, uint32_t seq, unsigned timeout_ms)
{
	uint64_t end = now_us() + timeout_ms * 1000u;
	struct shm_event e;

	do {
		for (uint16_t i = 0; i < p->welcome.workers; i++) {
			while (shm_ring_get(&p->ring[i][SHM_RING_EVENT], &e, sizeof(e)) == 1) {
				if (shm_event_check(&e, p->welcome.sessions) < 0)
					die("event", -EPROTO);
				p->handover |= e.kind == SHM_EVENT_HANDOVER;
				if (e.kind == SHM_EVENT_ACK && e.seq == seq)
					return e.status;
			}
		}
		// The eventfd wakes; a poll every millisecond is the net below it.
		struct pollfd pfd = { .fd = p->fds[3], .events = POLLIN };
		struct shm_rings_header *h = (struct shm_rings_header *)p->rings;
		uint64_t count;

		shm_sleep_begin(&h->control_sleeps);
		if (poll(&pfd, 1, 1) == 1 && read(p->fds[3], &count, sizeof(count)) < 0)
			die("eventfd", 0);
		shm_sleep_end(&h->control_sleeps);
	} while (now_us() < end);
	return -ETIMEDOUT;
}

static int command(struct player *p, struct shm_cmd *cmd)
{
	uint16_t owner = atomic_load(&((struct shm_dir *)(uintptr_t)&p->view.dir[SLOT])->owner);
	uint16_t worker = cmd->kind == SHM_CMD_INSTALL ? 0 : owner;
	struct shm_rings_header *h = (struct shm_rings_header *)p->rings;
	uint64_t one = 1;
	int rc;

	cmd->seq = ++p->seq;
	cmd->slot = SLOT;
	cmd->generation = p->generation;
	rc = shm_cmd_check(cmd, p->welcome.sessions);
	if (rc == 0)
		rc = shm_ring_put(&p->ring[worker][SHM_RING_COMMAND], cmd, sizeof(*cmd));
	if (rc < 0)
		return rc;
	if (shm_wake_needed(&h->worker_sleeps[worker * 16]) &&
		write(p->fds[4 + worker], &one, sizeof(one)) < 0)
		die("waking a worker", 0);
	return events(p, cmd->seq, 2000);
}

static void install(struct player *p)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_INSTALL };
	int rc;

	p->generation = (uint16_t)(p->view.dir[SLOT].generation + 1);
	cmd.install = (struct shm_cmd_install){
		.endpoint = p->endpoint,
		.tunnel4 = addr4(INNER_CLIENT),
		.ping_interval_ms = 10000,
		.timeout_ms = 60000,
		.tun_mtu = 1500,
		.dir_flags = SHM_DIR_MOBILITY,
		.name = "dp-play",
	};
	if (getrandom(cmd.install.server_sid, 8, 0) != 8 ||
		getrandom(cmd.install.client_sid, 8, 0) != 8)
		die("getrandom", 0);
	rc = command(p, &cmd);
	if (rc < 0)
		die("install", rc);
	cmd = (struct shm_cmd){ .kind = SHM_CMD_KEY };
	cmd.key = (struct shm_cmd_key){ .cipher = OVPN_CIPHER_AES_256_GCM, .age = 1 };
	if (getrandom(&p->tx, sizeof(p->tx), 0) < 0 || getrandom(&p->rx, sizeof(p->rx), 0) < 0)
		die("getrandom", 0);
	cmd.key.rx = p->tx; // the server receives what we send
	cmd.key.tx = p->rx;
	rc = command(p, &cmd);
	if (rc < 0)
		die("key", rc);
}

// ---- The client's part -------------------------------------------------------------------------

static void open_udp(struct player *p)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	if (p->udp >= 0)
		(void)close(p->udp);
	p->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(&sin.sin_addr, p->endpoint.remote.bytes, 4);
	if (p->udp < 0 || bind(p->udp, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		getsockname(p->udp, (struct sockaddr *)&sin, &len) < 0)
		die("UDP socket", 0);
	p->endpoint.remote_port_be = sin.sin_port;
	sin.sin_port = p->endpoint.local_port_be;
	memcpy(&sin.sin_addr, p->endpoint.local.bytes, 4);
	if (connect(p->udp, (struct sockaddr *)&sin, sizeof(sin)) < 0)
		die("connect", 0);
}

// One AES-256-GCM operation over a packet whose parts lie as the V2 format says.
static bool gcm(const struct shm_raw_key *key, uint8_t *buf, size_t len, bool encrypt)
{
	const struct ovpn_data_layout *l = &ovpn_data_layouts[OVPN_DATA_FORMAT_V2];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[12];
	int n, ok;

	memcpy(nonce, buf + l->pid_off, 4);
	memcpy(nonce + 4, key->hmac_key, 8);
	ok = EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->cipher_key, nonce, encrypt);
	ok &= EVP_CipherUpdate(ctx, NULL, &n, buf, l->aad_len);
	if (!encrypt)
		ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, buf + l->tag_off);
	ok &= EVP_CipherUpdate(ctx, buf + l->ct_off, &n, buf + l->ct_off, (int)(len - l->ct_off));
	ok = ok == 1 && EVP_CipherFinal_ex(ctx, buf + len, &n) == 1;
	if (encrypt)
		ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, buf + l->tag_off);
	EVP_CIPHER_CTX_free(ctx);
	return ok == 1;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint8_t *b = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)b[i] << 8 | b[i + 1];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t make_ping(uint8_t *at, uint16_t seq, size_t payload)
{
	struct iphdr ip = { .ihl = 5, .version = 4, .ttl = 64, .protocol = IPPROTO_ICMP };
	struct icmphdr icmp = { .type = ICMP_ECHO };
	size_t len = sizeof(ip) + sizeof(icmp) + payload;

	ip.tot_len = htons((uint16_t)len);
	ip.saddr = inet_addr(INNER_CLIENT);
	ip.daddr = inet_addr(INNER_SERVER);
	ip.check = checksum(&ip, sizeof(ip));
	icmp.un.echo.id = htons(4711);
	icmp.un.echo.sequence = htons(seq);
	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), &icmp, sizeof(icmp));
	memset(at + sizeof(ip) + sizeof(icmp), 'v', payload);
	icmp.checksum = checksum(at + sizeof(ip), len - sizeof(ip));
	memcpy(at + sizeof(ip), &icmp, sizeof(icmp));
	return len;
}

static void send_ping(struct player *p, uint16_t seq, size_t payload)
{
	uint8_t buf[2048];
	size_t len = ovpn_data_layouts[OVPN_DATA_FORMAT_V2].ct_off;

	(void)ovpn_data_put_head(buf, OVPN_DATA_FORMAT_V2, 0, SLOT, ++p->packet_id);
	len += make_ping(buf + len, seq, payload);
	if (!gcm(&p->tx, buf, len, true))
		die("encryption", -EINVAL);
	if (send(p->udp, buf, len, 0) < 0 && errno != ECONNREFUSED)
		die("send", 0);
}

// Wait for the answer to a ping. Returns true when it came, authentic and right.
static bool get_pong(struct player *p, uint16_t seq, unsigned timeout_ms)
{
	uint64_t end = now_us() + timeout_ms * 1000u;
	const struct icmphdr *icmp;
	uint8_t buf[2048 + 16];

	for (uint64_t now = now_us(); now < end; now = now_us()) {
		struct pollfd pfd = { .fd = p->udp, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, (int)((end - now) / 1000) + 1) < 1)
			continue;
		n = recv(p->udp, buf, 2048, 0);
		if (n < (ssize_t)(24 + sizeof(struct iphdr) + sizeof(*icmp)))
			continue; // a keep-alive Ping, or an error of the socket
		if (!gcm(&p->rx, buf, (size_t)n, false)) {
			(void)fprintf(stderr, "dp-play: a packet that isn't authentic\n");
			continue;
		}
		icmp = (const struct icmphdr *)(buf + 24 + sizeof(struct iphdr));
		if (icmp->type == ICMP_ECHOREPLY && ntohs(icmp->un.echo.sequence) == seq)
			return true;
	}
	return false;
}

// ---- Phases ------------------------------------------------------------------------------------

static unsigned sequence;

static bool ping(struct player *p, unsigned count, size_t payload)
{
	unsigned answered = 0;
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < count; i++) {
		uint64_t start = now_us();

		send_ping(p, (uint16_t)++sequence, payload);
		if (get_pong(p, (uint16_t)sequence, 1000)) {
			answered++;
			best = now_us() - start < best ? now_us() - start : best;
		}
	}
	(void)printf("ping: %u of %u, best %llu us\n", answered, count, (unsigned long long)best);
	return answered == count;
}

static bool move(struct player *p)
{
	uint64_t start;
	bool ok;

	open_udp(p);
	p->handover = false;
	start = now_us();
	send_ping(p, (uint16_t)++sequence, 56);
	ok = get_pong(p, (uint16_t)sequence, 1000);
	(void)printf("move: %s after %llu us\n", ok ? "answered" : "lost",
		(unsigned long long)(now_us() - start));
	(void)events(p, UINT32_MAX, 200);
	(void)printf("move: handover event %s\n", p->handover ? "came" : "is missing");
	return ok && p->handover;
}

// The dataplane is killed meanwhile.
static bool restart(struct player *p)
{
	struct pollfd pfd = { .fd = p->sock, .events = 0 };
	uint64_t start;
	int rc = -1;

	(void)printf("restart: waiting\n");
	(void)fflush(stdout);
	if (poll(&pfd, 1, 20000) != 1)
		return false;
	start = now_us();
	shm_view_done(&p->view);
	(void)munmap(p->rings, p->welcome.rings_size);
	(void)close(p->sock);
	while (now_us() - start < 10000000 && (rc = greet(p, true)) < 0)
		(void)usleep(10000); // nobody listens yet
	if (rc < 0)
		return false;
	attach(p);
	(void)printf("restart: connected after %llu ms, adopted=%u\n",
		(unsigned long long)(now_us() - start) / 1000, p->welcome.adopted);
	for (unsigned i = 0; i < 100; i++) {
		send_ping(p, (uint16_t)++sequence, 56);
		if (!get_pong(p, (uint16_t)sequence, 20))
			continue;
		(void)printf("restart: first answer after %llu ms\n",
			(unsigned long long)(now_us() - start) / 1000);
		return p->welcome.adopted == 1;
	}
	return false;
}

static void hang_up(struct player *p)
{
	shm_view_done(&p->view);
	(void)munmap(p->rings, p->welcome.rings_size);
	(void)close(p->sock);
}

// A control that has gone mad is disconnected; the session goes on, and so does its successor.
static bool broken(struct player *p)
{
	struct pollfd pfd = { .fd = p->sock, .events = 0 };
	struct shm_rings_header *h = (struct shm_rings_header *)p->rings;
	uint64_t one = 1;

	p->ring[0][SHM_RING_COMMAND].mem->head = 0x12345678;
	(void)shm_wake_needed(&h->worker_sleeps[0]);
	if (write(p->fds[4], &one, sizeof(one)) < 0)
		die("waking a worker", 0);
	if (poll(&pfd, 1, 2000) != 1 || (pfd.revents & POLLHUP) == 0)
		return false;
	(void)printf("broken: disconnected\n");
	hang_up(p);
	if (greet(p, false) < 0)
		return false;
	attach(p);
	return ping(p, 5, 56);
}

// Returns what a control without a table of its own gets: the first byte in it, or -1.
static int inherited(struct player *p)
{
	char byte = 0;
	int fd;

	if (greet(p, false) < 0 || p->welcome.has_control != 1 || p->welcome.control_size != 4096)
		return -1;
	fd = p->fds[p->n_fds - 1];
	return pread(fd, &byte, 1, 0) == 1 ? byte : -1;
}

static bool successor(struct player *p)
{
	int rc;

	hang_up(p);
	p->control_fd = memfd_create("dp-play", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->control_fd < 0 || ftruncate(p->control_fd, 4096) < 0 ||
		pwrite(p->control_fd, "k", 1, 0) != 1)
		die("memfd", 0);
	rc = greet(p, false);
	if (rc < 0)
		die("greeting with a memfd", rc);
	(void)close(p->sock);
	(void)close(p->control_fd);
	p->control_fd = -1;
	rc = inherited(p);
	(void)printf("successor: %s\n", rc == 'k' ? "found the memfd" : "got nothing");
	if (rc != 'k')
		return false;
	attach(p);
	return p->welcome.adopted == 1 && ping(p, 5, 56);
}

static bool leave(struct player *p)
{
	struct shm_cmd cmd = { .kind = SHM_CMD_REMOVE };
	struct shm_session_info info;
	int rc = command(p, &cmd);

	(void)printf("leave: %s\n", rc == 0 ? "acknowledged" : strerror(-rc));
	return rc == 0 &&
		shm_session_read(&p->view.dir[SLOT], &p->view.session[SLOT], &info) == -ENOENT;
}

static bool phase(struct player *p, const char *name)
{
	if (strcmp(name, "ping") == 0)
		return ping(p, 20, 56);
	if (strcmp(name, "big") == 0)
		return ping(p, 5, 1472);
	if (strcmp(name, "move") == 0)
		return move(p);
	if (strcmp(name, "restart") == 0)
		return restart(p);
	if (strcmp(name, "broken") == 0)
		return broken(p);
	if (strcmp(name, "successor") == 0)
		return successor(p);
	if (strcmp(name, "leave") == 0)
		return leave(p);
	die(name, -EINVAL);
	return false;
}

int main(int argc, char **argv)
{
	struct player p = {
		.sock = -1, .udp = -1, .sessions_fd = -1, .keys_fd = -1, .control_fd = -1
	};
	bool ok = true;
	int rc;

	if (argc < 6) {
		(void)fprintf(stderr, "usage: dp-play SOCKET SERVER PORT CLIENT PHASE...\n");
		return 2;
	}
	p.socket_path = argv[1];
	p.endpoint.local = addr4(argv[2]);
	p.endpoint.local_port_be = htons((uint16_t)strtoul(argv[3], NULL, 10));
	p.endpoint.remote = addr4(argv[4]);
	open_udp(&p);
	rc = greet(&p, false);
	if (rc < 0)
		die("greeting", rc);
	attach(&p);
	install(&p);
	// Nobody has told the dataplane our MAC address: the first answer waits for the kernel's
	// ARP.
	send_ping(&p, (uint16_t)++sequence, 56);
	if (!get_pong(&p, (uint16_t)sequence, 300))
		(void)printf("first answer: lost, the neighbour was unknown\n");
	for (int i = 5; i < argc && ok; i++) {
		ok = phase(&p, argv[i]);
		(void)printf("%s: %s\n", argv[i], ok ? "ok" : "FAILED");
		(void)fflush(stdout);
	}
	return ok ? 0 : 1;
}
